//! Pausing and forced activation, read from annotations.

use std::collections::BTreeMap;

use crds::annotation;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, FieldPath};

/// What the annotations forbid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pause {
    /// Nothing.
    #[default]
    Off,
    /// Removing replicas.
    ScaleIn,
    /// Adding replicas.
    ScaleOut,
    /// Removing and adding replicas; the HPA stays.
    BothDirections,
    /// Everything: no HPA, no loop, replicas stay as they are.
    Full,
    /// Everything, at this number of replicas.
    At(i32),
}

impl Pause {
    /// Reads the annotations of a ScaledObject.
    ///
    /// Upstream: `NeedToBePausedByAnnotation` and its siblings; facts semantics §6. The presence of `paused-replicas`
    /// pauses by itself, and its number wins over `paused`.
    pub fn read(annotations: &BTreeMap<String, String>) -> Result<Self, Diagnostic> {
        if let Some(text) = annotations.get(annotation::PAUSED_REPLICAS) {
            return match text.parse::<i32>() {
                Ok(replicas) if replicas >= 0 => Ok(Self::At(replicas)),
                _ => {
                    let path = annotation_path(annotation::PAUSED_REPLICAS);
                    let message = format!("`{text}` must be a number of replicas, 0 or more");
                    Err(Diagnostic::error("paused-replicas", path, message))
                }
            };
        }
        let on = |key| annotations.get(key).is_some_and(|text| is_set(text));
        Ok(
            match (
                on(annotation::PAUSED),
                on(annotation::PAUSED_SCALE_IN),
                on(annotation::PAUSED_SCALE_OUT),
            ) {
                (true, _, _) => Self::Full,
                (false, true, true) => Self::BothDirections,
                (false, true, false) => Self::ScaleIn,
                (false, false, true) => Self::ScaleOut,
                (false, false, false) => Self::Off,
            },
        )
    }

    /// Whether HPA and loop are gone.
    pub fn is_full(self) -> bool {
        matches!(self, Self::Full | Self::At(_))
    }

    /// Whether anything is paused.
    pub fn is_on(self) -> bool {
        self != Self::Off
    }

    /// Whether replicas may not be removed.
    pub fn stops_scale_in(self) -> bool {
        matches!(self, Self::ScaleIn | Self::BothDirections) || self.is_full()
    }

    /// Whether replicas may not be added.
    pub fn stops_scale_out(self) -> bool {
        matches!(self, Self::ScaleOut | Self::BothDirections) || self.is_full()
    }

    /// The number of replicas the target is held at.
    pub fn replicas(self) -> Option<i32> {
        match self {
            Self::At(replicas) => Some(replicas),
            _ => None,
        }
    }
}

/// Whether the annotations force activation.
pub fn is_forced(annotations: &BTreeMap<String, String>) -> bool {
    annotations
        .get(annotation::FORCE_ACTIVATION)
        .is_some_and(|text| is_set(text))
}

/// Whether a boolean annotation is on: everything is, but what Go's `strconv.ParseBool` reads as false.
///
/// Upstream: `getBoolAnnotation`; a text that is no boolean counts as true.
pub fn is_set(text: &str) -> bool {
    !matches!(text, "0" | "f" | "F" | "false" | "FALSE" | "False")
}

fn annotation_path(key: &str) -> FieldPath {
    FieldPath::root()
        .field("metadata")
        .field("annotations")
        .field(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(annotations: &[(&str, &str)], expected: Option<Pause>) {
        let map = annotations
            .iter()
            .map(|(k, v)| (format!("autoscaling.keda.sh/{k}"), (*v).to_owned()))
            .collect();
        assert_eq!(Pause::read(&map).ok(), expected);
    }

    #[test]
    fn annotations_pause() {
        check(&[], Some(Pause::Off));
        check(&[("paused", "true")], Some(Pause::Full));
        check(&[("paused", "")], Some(Pause::Full));
        check(&[("paused", "yes")], Some(Pause::Full));
        check(&[("paused", "false")], Some(Pause::Off));
        check(&[("paused", "F")], Some(Pause::Off));
        check(
            &[("paused", "false"), ("paused-replicas", "0")],
            Some(Pause::At(0)),
        );
        check(
            &[("paused", "true"), ("paused-replicas", "3")],
            Some(Pause::At(3)),
        );
        check(&[("paused-replicas", "three")], None);
        check(&[("paused-replicas", "-1")], None);
        check(&[("paused-replicas", "9999999999")], None);
        check(&[("paused-scale-in", "true")], Some(Pause::ScaleIn));
        check(&[("paused-scale-out", "1")], Some(Pause::ScaleOut));
        check(
            &[("paused-scale-out", "1"), ("paused-scale-in", "1")],
            Some(Pause::BothDirections),
        );
        check(&[("paused", "1"), ("paused-scale-in", "1")], Some(Pause::Full));
    }

    #[test]
    fn directions() {
        assert!(Pause::ScaleIn.stops_scale_in() && !Pause::ScaleIn.stops_scale_out());
        assert!(!Pause::ScaleOut.stops_scale_in() && Pause::ScaleOut.stops_scale_out());
        assert!(Pause::At(3).stops_scale_in() && Pause::Full.stops_scale_out());
        assert_eq!((Pause::At(3).replicas(), Pause::Full.replicas()), (Some(3), None));
    }
}
