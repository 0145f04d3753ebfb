//! The reconcile of a fully paused object. Upstream: facts semantics §6.

use crds::{ConditionType, ScaledObject, find_condition};

use super::run::is_paused;
use super::{
    Outcome, Plan, Seen, Target, adopt, condition, conditions, delete_own_hpas, failed, push_ready_event,
    push_status, push_stop, scale_target, target_error,
};
use crate::action::Action;
use crate::event::Event;
use crate::pause::Pause;
use crate::status::StatusPatch;
use crate::validate::Step;

/// Plans the reconcile: the condition first, then loop, HPA and replicas.
pub(super) fn plan(object: &ScaledObject, seen: &Seen, pause: Pause) -> Plan {
    let mut actions = adopt(object);
    if !is_paused(object) {
        push_status(
            &mut actions,
            object,
            StatusPatch::of_conditions([condition::paused()]),
        );
        actions.push(Action::Emit(Event::paused()));
    }
    push_stop(&mut actions, seen);
    // DEVIATION: upstream deletes an HPA of the recorded name whoever owns it; here one that is not ours is left.
    actions.extend(delete_own_hpas(object, seen));
    let mut status = StatusPatch {
        paused_replicas: Some(pause.replicas().into()),
        ..StatusPatch::default()
    };
    if let Some(to) = pause.replicas() {
        if let Some((error, event)) = target_error(&seen.target) {
            actions.extend(event.map(Action::Emit));
            let message = format!("{}: {error}", Step::Target.as_str());
            return failed(
                actions,
                object,
                StatusPatch::of_conditions([condition::paused()]),
                &message,
            );
        }
        if let Target::Found { gvkr, replicas } = &seen.target {
            status.target = Some(gvkr.clone());
            if *replicas != to {
                actions.push(Action::SetScale {
                    target: scale_target(object, gvkr),
                    from: *replicas,
                    to,
                });
            }
        }
    }
    status = status.with([condition::ready_paused()]);
    if find_condition(conditions(object), &ConditionType::HpaActive).is_some() {
        status = status.with([condition::hpa_removed()]);
    }
    push_status(&mut actions, object, status);
    push_ready_event(&mut actions, object);
    Plan::new(Outcome::Paused, actions)
}
