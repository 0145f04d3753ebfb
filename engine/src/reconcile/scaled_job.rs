//! The reconcile of a ScaledJob, which this version only answers.

use crds::{Condition, ConditionType, FINALIZER, ScaledJob};

use super::{Outcome, Plan};
use crate::action::{Action, ObjectPatch};
use crate::condition;
use crate::event::{Event, EventType, reason};
use crate::status::StatusPatch;

/// What a ScaledJob is told.
pub const JOB_NOT_YET: &str = "`ScaledJob` is not in this version yet: no Jobs are created";

/// Plans the reconcile of a ScaledJob: a condition and an Event that say so, and no finalizer.
///
/// A finalizer that another KEDA left is removed on deletion, so that the object does not get stuck.
pub fn scaled_job(object: &ScaledJob) -> Plan {
    let meta = &object.metadata;
    if meta.deletion_timestamp.is_some() {
        let ours = meta.finalizers.iter().flatten().any(|name| name == FINALIZER);
        let patch = ObjectPatch {
            finalizer: Some(false),
            label: None,
        };
        return Plan::new(
            Outcome::Finished,
            if ours {
                vec![Action::PatchObject(patch)]
            } else {
                Vec::new()
            },
        );
    }
    let conditions = [
        Condition::fails(
            ConditionType::Ready,
            condition::reason::JOB_CHECK_FAILED,
            JOB_NOT_YET,
        ),
        Condition::unknown(
            ConditionType::Active,
            condition::reason::UNKNOWN_STATE,
            "ScaledJob check failed",
        ),
    ];
    let patch = StatusPatch::of_conditions(conditions);
    let current = serde_json::to_value(&object.status).unwrap_or_default();
    if patch.against(&current).is_none() {
        // Said before, and still readable in the condition.
        return Plan::new(Outcome::Finished, Vec::new());
    }
    let event = Event::emitted(EventType::Warning, reason::SCALED_JOB_CHECK_FAILED, JOB_NOT_YET);
    Plan::new(
        Outcome::Finished,
        vec![Action::PatchStatus(Box::new(patch)), Action::Emit(event)],
    )
}
