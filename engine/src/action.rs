//! Effects as values. Nothing is left to choose: an executor carries actions out in order, stops at the first that
//! fails, and reports.

use std::fmt;

use crds::{AuthenticationRef, FINALIZER, GroupVersionKindResource};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::Event;
use crate::status::{StatusPatch, target_kind};

/// A resolved scale target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScaleTarget {
    /// Its type.
    pub gvkr: GroupVersionKindResource,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ScaleTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", target_kind(&self.gvkr), self.namespace, self.name)
    }
}

/// A change of the object's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectPatch {
    /// Whether the finalizer is there afterwards; `None` leaves it.
    pub finalizer: Option<bool>,
    /// A label that is there afterwards.
    pub label: Option<(String, String)>,
}

impl ObjectPatch {
    /// The JSON merge patch that leads from the current metadata to the wanted one; `None` when nothing changes.
    ///
    /// It carries the resourceVersion, because a list such as `finalizers` is replaced whole.
    pub fn against(&self, current: &ObjectMeta) -> Option<Value> {
        let mut fields = serde_json::Map::new();
        let finalizers = current.finalizers.clone().unwrap_or_default();
        let present = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
        if let Some(wanted) = self.finalizer.filter(|wanted| *wanted != present) {
            let mut list: Vec<&str> = finalizers
                .iter()
                .map(String::as_str)
                .filter(|name| *name != FINALIZER)
                .collect();
            if wanted {
                list.push(FINALIZER);
            }
            fields.insert("finalizers".to_owned(), json!(list));
        }
        if let Some((key, value)) = &self.label
            && current.labels.as_ref().and_then(|labels| labels.get(key)) != Some(value)
        {
            fields.insert("labels".to_owned(), json!({ key: value }));
        }
        if fields.is_empty() {
            return None;
        }
        if let Some(version) = &current.resource_version {
            fields.insert("resourceVersion".to_owned(), json!(version));
        }
        Some(json!({ "metadata": fields }))
    }
}

/// One effect on the world. Each is idempotent; those that depend on what was seen carry it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Patches the metadata of the object, see [`ObjectPatch::against`].
    PatchObject(ObjectPatch),
    /// Patches the status of the object, see [`StatusPatch::against`].
    PatchStatus(Box<StatusPatch>),
    /// Writes an HPA whole: created if it has no `resourceVersion`, else replaced under it.
    ApplyHpa(Box<HorizontalPodAutoscaler>),
    /// Deletes an HPA of the object's namespace, if it still has this uid; one that is gone is fine.
    DeleteHpa {
        /// Its name.
        name: String,
        /// Its uid.
        uid: Option<String>,
    },
    /// Updates the `/scale` subresource. When the target has neither `from` nor `to` replicas any more, the plan is
    /// stale: nothing is written, and the failure is [`Failure::Stale`].
    SetScale {
        /// The workload.
        target: ScaleTarget,
        /// The replicas that were seen.
        from: i32,
        /// The replicas that are wanted.
        to: i32,
    },
    /// Starts the scale loop, or replaces the running one.
    StartLoop {
        /// The generation it works for.
        generation: i64,
    },
    /// Stops the scale loop and drops what it cached.
    StopLoop,
    /// Puts the object's name on the status of an authentication object, or takes it off; an authentication object
    /// that does not exist is left out.
    ListUser {
        /// The authentication object.
        authentication: AuthenticationRef,
        /// Whether the name is there afterwards.
        present: bool,
    },
    /// Records an Event about the object.
    Emit(Event),
}

impl Action {
    /// Whether the action writes to the cluster beyond status and Events.
    pub fn is_effect(&self) -> bool {
        matches!(
            self,
            Self::ApplyHpa(_) | Self::DeleteHpa { .. } | Self::SetScale { .. } | Self::PatchObject(_)
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PatchObject(ObjectPatch {
                finalizer: Some(false),
                ..
            }) => f.write_str("remove the finalizer"),
            Self::PatchObject(_) => f.write_str("set the finalizer and the label of the object"),
            Self::PatchStatus(_) => f.write_str("update the status"),
            Self::ApplyHpa(hpa) => {
                let verb = if hpa.metadata.resource_version.is_some() {
                    "update"
                } else {
                    "create"
                };
                write!(
                    f,
                    "{verb} HPA {}",
                    hpa.metadata.name.as_deref().unwrap_or_default()
                )
            }
            Self::DeleteHpa { name, .. } => write!(f, "delete HPA {name}"),
            Self::SetScale { target, from, to } => write!(f, "scale {target} from {from} to {to}"),
            Self::StartLoop { generation } => write!(f, "start the scale loop for generation {generation}"),
            Self::StopLoop => f.write_str("stop the scale loop"),
            Self::ListUser {
                authentication,
                present: true,
            } => {
                write!(
                    f,
                    "list the object as a user of {} {}",
                    authentication.kind(),
                    authentication.name
                )
            }
            Self::ListUser {
                authentication,
                present: false,
            } => {
                write!(
                    f,
                    "unlist the object as a user of {} {}",
                    authentication.kind(),
                    authentication.name
                )
            }
            Self::Emit(event) => write!(f, "emit Event {event}"),
        }
    }
}

/// Why an action was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The world changed since it was observed; the next iteration plans anew.
    #[error("the world changed since it was observed: {0}")]
    Stale(String),
    /// The cluster refused, or could not be reached.
    #[error("{0}")]
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patch: &ObjectPatch, current: &ObjectMeta, expected: Option<&Value>) {
        assert_eq!(patch.against(current).as_ref(), expected);
    }

    #[test]
    fn metadata_patches_write_only_what_changes() {
        let add = ObjectPatch {
            finalizer: Some(true),
            label: Some(("l".to_owned(), "v".to_owned())),
        };
        let remove = ObjectPatch {
            finalizer: Some(false),
            label: None,
        };
        let bare = ObjectMeta {
            finalizers: Some(vec!["other".to_owned()]),
            resource_version: Some("7".to_owned()),
            ..ObjectMeta::default()
        };
        check(
            &add,
            &bare,
            Some(
                &json!({ "metadata": { "finalizers": ["other", "finalizer.keda.sh"], "labels": { "l": "v" }, "resourceVersion": "7" } }),
            ),
        );
        check(&remove, &bare, None);
        let done = ObjectMeta {
            finalizers: Some(vec!["finalizer.keda.sh".to_owned(), "other".to_owned()]),
            labels: Some([("l".to_owned(), "v".to_owned())].into()),
            ..ObjectMeta::default()
        };
        check(&add, &done, None);
        check(
            &remove,
            &done,
            Some(&json!({ "metadata": { "finalizers": ["other"] } })),
        );
    }
}
