//! The reconcile of an object that is being deleted. Upstream: facts semantics §9.

use crds::ScaledObject;

use super::{Outcome, Plan, Seen, Target, delete_own_hpas, push_stop, scale_target};
use crate::action::{Action, ObjectPatch};
use crate::desired::authentications;
use crate::event::Event;

/// Plans the reconcile. The HPA goes by garbage collection, unless replicas are put back: then it goes first, because an
/// HPA that lives on would scale the target once more by its last metrics.
pub(super) fn plan(object: &ScaledObject, seen: &Seen, restore: bool) -> Plan {
    let mut actions = Vec::new();
    push_stop(&mut actions, seen);
    let original = object
        .status
        .as_ref()
        .and_then(|status| status.original_replica_count);
    if let (true, Some(to), Target::Found { gvkr, replicas }) = (restore, original, &seen.target)
        && *replicas != to
    {
        actions.extend(delete_own_hpas(object, seen));
        actions.push(Action::SetScale {
            target: scale_target(object, gvkr),
            from: *replicas,
            to,
        });
    }
    // Before the finalizer goes, or nobody would come back to do it.
    for authentication in authentications(&object.spec.triggers) {
        actions.push(Action::ListUser {
            authentication,
            present: false,
        });
    }
    actions.push(Action::PatchObject(ObjectPatch {
        finalizer: Some(false),
        label: None,
    }));
    actions.push(Action::Emit(Event::deleted()));
    Plan::new(Outcome::Finished, actions)
}
