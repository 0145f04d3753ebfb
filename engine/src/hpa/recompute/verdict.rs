//! What comes of a recomputation, as data and in words.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Range;

/// A sync of the HPA, recomputed from what it was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recomputed {
    /// The replicas that the HPA saw.
    pub current: i32,
    /// The replicas that it wants.
    pub desired: i32,
    /// Whether the same comes out here.
    pub verdict: Verdict,
    /// What the HPA or the controller had set, if somebody else set what the HPA saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_from: Option<i32>,
    /// By which numbers, as in a dry run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arithmetic: String,
}

/// Whether the HPA did what its algorithm says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Verdict {
    /// The same comes out.
    Agrees,
    /// It may be right; something was not seen that decides.
    Unknown {
        /// What.
        unseen: Unseen,
    },
    /// Another number comes out.
    Differs {
        /// The fewest replicas that can come out.
        least: i32,
        /// The most.
        most: i32,
    },
    /// The HPA reckons with a value that it was not served.
    OtherValue {
        /// The metric.
        metric: String,
        /// What the HPA reports.
        reported: String,
        /// What it was served.
        served: String,
    },
}

/// What is not seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unseen {
    /// Earlier syncs that a window or a policy still counts.
    Past,
    /// How many pods are ready.
    Pods,
    /// The value that the HPA was served: another process answered.
    Served,
    /// The memory of the HPA controller: it does what one does that was just started.
    Memory,
    /// What became of a write: the HPA could not set the scale.
    Write,
    /// A sync whose status was not seen.
    Sync,
}

impl Recomputed {
    /// Whether something else happened than what comes out here.
    pub fn is_difference(&self) -> bool {
        self.changed_from.is_some()
            || matches!(self.verdict, Verdict::Differs { .. } | Verdict::OtherValue { .. })
    }

    /// Whether there is something to tell: a change of the replicas, or a difference.
    pub fn is_news(&self) -> bool {
        self.current != self.desired || self.is_difference()
    }

    /// What may be the cause of a difference.
    pub fn reasons(&self) -> Option<&'static str> {
        match self.verdict {
            _ if self.changed_from.is_some() => Some(
                "something else writes the replicas of the target: a manifest that sets `spec.replicas`, another autoscaler, or \
                 a person",
            ),
            Verdict::Differs { .. } => Some(
                "kube-controller-manager runs with other flags than `--hpa-tolerance` and `--hpa-downscale-stabilization` of \
                 keda-controller say, it is of a version that reckons differently from 1.36, or it was started several times",
            ),
            Verdict::OtherValue { .. } => Some(
                "the HPA reads its metrics through another adapter: see the APIService `v1beta1.external.metrics.k8s.io`",
            ),
            Verdict::Agrees | Verdict::Unknown { .. } => None,
        }
    }
}

impl Verdict {
    pub(super) fn of(expected: Range, desired: i32) -> Self {
        if expected.holds(desired) {
            Self::Agrees
        } else {
            Self::Differs {
                least: expected.least,
                most: expected.most,
            }
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Past => "earlier syncs that still count were not seen",
            Self::Pods => "how many pods are ready is not seen",
            Self::Served => "the value was not served from here",
            Self::Memory => "it does what a controller does that was just started",
            Self::Write => "it could not set the scale",
            Self::Sync => "a sync in between was not seen",
        })
    }
}

impl fmt::Display for Recomputed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            current,
            desired,
            arithmetic,
            ..
        } = self;
        if let Some(before) = self.changed_from {
            write!(f, "set by somebody else: {before} -> {current}; then ")?;
        }
        if current == desired {
            write!(f, "kept by the HPA: {current}")?;
        } else {
            write!(f, "scaled by the HPA: {current} -> {desired}")?;
        }
        match &self.verdict {
            Verdict::Agrees => f.write_str(", as recomputed")?,
            Verdict::Unknown { unseen } => write!(f, ", not recomputed as {unseen}")?,
            Verdict::Differs { least, most } if least == most => {
                write!(f, ", but recomputed it is {least}")?;
            }
            Verdict::Differs { least, most } => write!(f, ", but recomputed it is {least} to {most}")?,
            Verdict::OtherValue {
                metric,
                reported,
                served,
            } => write!(
                f,
                ", but by a value it was not served: {metric} is {reported} to the HPA, and was {served} here"
            )?,
        }
        if arithmetic.is_empty() {
            Ok(())
        } else {
            write!(f, " ({arithmetic})")
        }
    }
}
