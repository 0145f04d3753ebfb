//! One reconcile of an object: what was observed becomes a list of actions.
//!
//! ```text
//! phase(object) tells what to observe -> Seen -> plan -> actions -> the executor
//!                                                  ^ after_failure: what to do instead of the rest
//! ```
//!
//! Upstream: `controllers/keda/scaledobject_controller.go`; facts semantics §2, §6 and §9.

mod finalize;
mod pause;
mod run;
mod scaled_job;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crds::{
    AuthenticationRef, Condition, ConditionType, FINALIZER, GroupVersionKindResource, ScaledObject, label,
};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde::{Deserialize, Serialize};

use crate::action::{Action, Failure, ObjectPatch, ScaleTarget};
use crate::condition;
use crate::desired::TargetRef;
use crate::diagnostic::Diagnostic;
use crate::event::{Event, EventType, reason};
use crate::hpa_spec::is_owned;
use crate::metric::TriggerMetrics;
use crate::pause::Pause;
use crate::status::StatusPatch;
use crate::validate::{MAX_LABEL, Step};

pub use scaled_job::{JOB_NOT_YET, scaled_job};

/// What a reconcile is about; it tells what has to be observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The object is being deleted and has our finalizer. The target is needed if it is to be restored.
    Finalize {
        /// Whether the target gets its original replicas back.
        restore: bool,
    },
    /// The object is being deleted, and nothing of ours is left on it.
    Gone,
    /// The object is fully paused. HPA and loop are needed; the target only if a number of replicas is given.
    Paused(Pause),
    /// The object is worked on: target, HPA and metrics are needed.
    Run,
    /// An annotation cannot be read.
    Refused(Diagnostic),
}

impl Phase {
    /// Reads the phase off the object.
    pub fn of(object: &ScaledObject) -> Self {
        let meta = &object.metadata;
        if meta.deletion_timestamp.is_some() {
            return if meta.finalizers.iter().flatten().any(|name| name == FINALIZER) {
                Self::Finalize {
                    restore: crate::desired::restores_original(object),
                }
            } else {
                Self::Gone
            };
        }
        match Pause::read(&meta.annotations.clone().unwrap_or_default()) {
            Err(diagnostic) => Self::Refused(diagnostic),
            Ok(pause) if pause.is_full() => Self::Paused(pause),
            Ok(_) => Self::Run,
        }
    }

    /// Whether the target has to be read.
    pub fn needs_target(&self) -> bool {
        matches!(
            self,
            Self::Run | Self::Paused(Pause::At(_)) | Self::Finalize { restore: true }
        )
    }

    /// Whether the HPAs have to be read.
    pub fn needs_hpa(&self) -> bool {
        matches!(
            self,
            Self::Run | Self::Paused(_) | Self::Finalize { restore: true }
        )
    }

    /// Whether the triggers have to be built.
    pub fn needs_metrics(&self) -> bool {
        *self == Self::Run
    }
}

/// What is known of the scale target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// It was not looked at, because the phase does not need it.
    #[default]
    Unread,
    /// It is there.
    Found {
        /// Its type.
        gvkr: GroupVersionKindResource,
        /// Its `spec.replicas`; absent counts as 1.
        replicas: i32,
    },
    /// No server knows the kind, see [`TargetRef::no_match`].
    UnknownKind(String),
    /// The kind is known, the object is not there: the API server's message.
    Missing(String),
    /// The object is there, but cannot be scaled.
    NoScale(String),
    /// It could not be read for another reason.
    Unreadable(String),
}

/// The triggers, as the scalers crate built them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Triggers {
    /// The metrics of every trigger in order, or the message of the first that could not be built.
    pub metrics: Result<Vec<TriggerMetrics>, String>,
    /// The scaler types that were built anew for this reconcile; each gives an Event.
    pub built: Vec<String>,
    /// What the triggers have to say that stops nothing, such as unknown keys.
    pub warnings: Vec<Diagnostic>,
}

/// The world as one reconcile saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Seen {
    /// The scale target.
    pub target: Target,
    /// The HPA that `status.hpaName` names, and the one of the wanted name, by name; absent ones are not in the map.
    pub hpas: BTreeMap<String, HorizontalPodAutoscaler>,
    /// The triggers; `None` when they were not looked at, because the phase or an earlier mistake makes them idle.
    pub triggers: Option<Triggers>,
    /// The generation that the running loop works for.
    pub running: Option<i64>,
    /// References whose existing authentication object does not list this object as a user yet.
    pub unlisted: Vec<AuthenticationRef>,
    /// The version for the label of the HPA.
    pub version: String,
}

/// How a reconcile ends when all its actions succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The object scales.
    Ready,
    /// The object is paused.
    Paused,
    /// The object is gone, or not ours.
    Finished,
    /// The object cannot be worked on; try again with backoff.
    Failed(String),
}

/// The effects of one reconcile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[must_use = "a plan that nobody carries out changes nothing"]
pub struct Plan {
    /// How it ends.
    pub outcome: Outcome,
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// What makes the live HPA differ from the wanted one, if it is written.
    pub hpa_change: Option<String>,
}

/// Plans the reconcile of a ScaledObject. Total; the same object and the same world give the same plan, and a world
/// in which the plan was carried out gives an empty one.
pub fn plan(object: &ScaledObject, seen: &Seen) -> Plan {
    match Phase::of(object) {
        Phase::Gone => Plan::new(Outcome::Finished, Vec::new()),
        Phase::Finalize { restore } => finalize::plan(object, seen, restore),
        Phase::Paused(replicas) => pause::plan(object, seen, replicas),
        Phase::Refused(diagnostic) => failed(
            adopt(object),
            object,
            StatusPatch::default(),
            &diagnostic.to_string(),
        ),
        Phase::Run => run::plan(object, seen),
    }
}

impl Plan {
    fn new(outcome: Outcome, actions: Vec<Action>) -> Self {
        Self {
            outcome,
            actions,
            hpa_change: None,
        }
    }

    /// What to carry out instead of the rest after the action at this position failed.
    ///
    /// Deletion goes on without the failed step, as upstream only logs it; everything else becomes Ready=False.
    pub fn after_failure(&self, position: usize, failure: &Failure) -> Vec<Action> {
        let rest = || self.actions.iter().skip(position + 1).cloned().collect();
        match (&self.outcome, self.actions.get(position), failure) {
            (_, Some(Action::Emit(_)), _) => rest(),
            (Outcome::Finished, Some(Action::PatchObject(_)), _) | (_, _, Failure::Stale(_)) => Vec::new(),
            (Outcome::Finished, _, _) => rest(),
            (_, Some(Action::PatchStatus(_)), Failure::Refused(error)) => {
                let note = format!("the status could not be written: {error}");
                vec![Action::Emit(Event::emitted(
                    EventType::Warning,
                    reason::SCALED_OBJECT_UPDATE_FAILED,
                    note,
                ))]
            }
            (_, Some(action), Failure::Refused(error)) => {
                let message = match action {
                    Action::ApplyHpa(_) | Action::DeleteHpa { .. } => {
                        format!("{}: {error}", Step::Hpa.as_str())
                    }
                    other => format!("failed to {other}: {error}"),
                };
                vec![
                    Action::PatchStatus(Box::new(StatusPatch::of_conditions(condition::check_failed(
                        &message,
                    )))),
                    Action::Emit(Event::check_failed(&message)),
                ]
            }
            (_, None, _) => Vec::new(),
        }
    }
}

/// Takes away the HPAs that are this object's own.
fn delete_own_hpas(object: &ScaledObject, seen: &Seen) -> impl Iterator<Item = Action> {
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let own = seen.hpas.iter().filter(move |(_, live)| is_owned(live, &uid));
    own.map(|(name, live)| Action::DeleteHpa {
        name: name.clone(),
        uid: live.metadata.uid.clone(),
    })
}

/// The finalizer and the label, if the object lacks one of them.
fn adopt(object: &ScaledObject) -> Vec<Action> {
    let name = object.metadata.name.clone().unwrap_or_default();
    // A longer name is no label value; validation says so, where a refused patch would say less.
    let label = (name.len() <= MAX_LABEL).then(|| (label::SCALED_OBJECT_NAME.to_owned(), name));
    let patch = ObjectPatch {
        finalizer: Some(true),
        label,
    };
    let missing = patch.against(&object.metadata).is_some();
    missing
        .then_some(Action::PatchObject(patch))
        .into_iter()
        .collect()
}

/// Ends a reconcile with a failure: status, then the Event.
fn failed(mut actions: Vec<Action>, object: &ScaledObject, status: StatusPatch, message: &str) -> Plan {
    push_status(
        &mut actions,
        object,
        status.with(condition::check_failed(message)),
    );
    actions.push(Action::Emit(Event::check_failed(message)));
    Plan::new(Outcome::Failed(message.to_owned()), actions)
}

/// Adds a status patch, unless the status says all of it already.
fn push_status(actions: &mut Vec<Action>, object: &ScaledObject, patch: StatusPatch) {
    let current = serde_json::to_value(&object.status).unwrap_or_default();
    if patch.against(&current).is_some() {
        actions.push(Action::PatchStatus(Box::new(patch)));
    }
}

/// Adds the Event of an object whose Ready condition turns True.
fn push_ready_event(actions: &mut Vec<Action>, object: &ScaledObject) {
    if !condition::is_true(conditions(object), &ConditionType::Ready) {
        actions.push(Action::Emit(Event::ready()));
    }
}

fn conditions(object: &ScaledObject) -> &[Condition] {
    object
        .status
        .as_ref()
        .map_or(&[], |status| status.conditions.as_slice())
}

/// Adds what stops a running loop.
fn push_stop(actions: &mut Vec<Action>, seen: &Seen) {
    if seen.running.is_some() {
        actions.push(Action::StopLoop);
        actions.push(Action::Emit(Event::loop_stopped()));
    }
}

fn scale_target(object: &ScaledObject, gvkr: &GroupVersionKindResource) -> ScaleTarget {
    ScaleTarget {
        gvkr: gvkr.clone(),
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: TargetRef::of(object).name,
    }
}

/// What is wrong with a target that was not found, and the Event that upstream emits beside the general one.
fn target_error(target: &Target) -> Option<(String, Option<Event>)> {
    let check = |note: &str| {
        Some(Event::emitted(
            EventType::Warning,
            reason::SCALED_OBJECT_CHECK_FAILED,
            note,
        ))
    };
    match target {
        Target::Found { .. } => None,
        Target::Unread => Some(("the scale target was not read".to_owned(), None)),
        Target::UnknownKind(error) => {
            let event = Event::emitted(
                EventType::Warning,
                reason::SCALED_OBJECT_UPDATE_FAILED,
                error.clone(),
            );
            Some((error.clone(), Some(event)))
        }
        Target::Missing(error) => Some((error.clone(), check("Target resource doesn't exist"))),
        Target::NoScale(error) => Some((error.clone(), check("Target resource has no /scale subresource"))),
        Target::Unreadable(error) => Some((error.clone(), None)),
    }
}
