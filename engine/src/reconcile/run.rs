//! The reconcile of an object that scales. Upstream: facts semantics §2, steps 4 to 11.

use crds::{ConditionType, ScaledObject, find_condition};

use super::{
    Outcome, Plan, Seen, Target, adopt, condition, conditions, failed, push_ready_event, push_status,
    target_error,
};
use crate::action::Action;
use crate::condition::reason as condition_reason;
use crate::desired::{self, Desired};
use crate::diagnostic::Diagnostic;
use crate::event::{Event, EventType, reason};
use crate::hpa_spec::{self, HpaError};
use crate::metric::TriggerMetrics;
use crate::pause::Pause;
use crate::status::{PausedReplicas, StatusPatch};
use crate::validate::{Step, first_failure};

/// Plans the reconcile.
pub(super) fn plan(object: &ScaledObject, seen: &Seen) -> Plan {
    let mut actions = adopt(object);
    let mut status = StatusPatch::default();
    pause(object, &mut status, &mut actions);
    let checked = desired::validate(object);
    let errors = checked.as_ref().err().map_or(&[][..], Vec::as_slice);
    if errors
        .iter()
        .any(|error| error.is_error() && Step::of(error) == Step::Target)
    {
        return failed(
            actions,
            object,
            status,
            &first_failure(errors).unwrap_or_default(),
        );
    }
    if let Some((error, event)) = target_error(&seen.target) {
        actions.extend(event.map(Action::Emit));
        return failed(
            actions,
            object,
            status,
            &format!("{}: {error}", Step::Target.as_str()),
        );
    }
    if let Target::Found { gvkr, replicas } = &seen.target {
        status.target = Some(gvkr.clone());
        status.original_replicas = Some(*replicas);
    }
    let want = match checked {
        Ok(want) => want,
        Err(found) => {
            if found
                .iter()
                .filter(|error| error.is_error())
                .all(|error| Step::of(error) == Step::Hpa)
            {
                // The triggers are right, so the status may name them.
                name_types(object, &mut status);
            }
            return failed(
                actions,
                object,
                status,
                &first_failure(&found).unwrap_or_default(),
            );
        }
    };
    name_types(object, &mut status);
    match hpa(&want, seen, &mut status) {
        Ok(step) => finish(object, seen, &want, actions, status, step),
        Err((error, event)) => {
            built(seen, &mut actions);
            actions.extend(event.map(Action::Emit));
            failed(
                actions,
                object,
                status,
                &format!("{}: {error}", Step::Hpa.as_str()),
            )
        }
    }
}

/// Partial pauses, and the end of any pause.
fn pause(object: &ScaledObject, status: &mut StatusPatch, actions: &mut Vec<Action>) {
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    let wanted = Pause::read(&annotations).is_ok_and(Pause::is_on);
    let was = is_paused(object);
    if wanted && !was {
        status.conditions.push(condition::paused());
        actions.push(Action::Emit(Event::paused()));
    }
    if !wanted && was {
        status.conditions.push(condition::unpaused());
        actions.push(Action::Emit(Event::unpaused()));
    }
    if object
        .status
        .as_ref()
        .is_some_and(|status| status.paused_replica_count.is_some())
    {
        status.paused_replicas = Some(PausedReplicas::Nowhere);
    }
}

pub(super) fn is_paused(object: &ScaledObject) -> bool {
    condition::is_true(conditions(object), &ConditionType::Paused)
}

fn name_types(object: &ScaledObject, status: &mut StatusPatch) {
    status.triggers_types = Some(desired::trigger_types(&object.spec.triggers));
    status.authentications_types = Some(desired::authentication_types(&object.spec.triggers));
}

/// What the HPA step leads to.
struct HpaStep {
    actions: Vec<Action>,
    created: bool,
    change: Option<String>,
}

/// Upstream: `ensureHPAForScaledObjectExists`, `updateHPAIfNeeded`, `renameHPA`.
fn hpa(want: &Desired, seen: &Seen, status: &mut StatusPatch) -> Result<HpaStep, (String, Option<Event>)> {
    let Some(triggers) = &seen.triggers else {
        return Err(("the triggers were not read".to_owned(), None));
    };
    let metrics: &[TriggerMetrics] = match &triggers.metrics {
        Ok(metrics) => metrics,
        Err(error) => return Err((error.clone(), Some(Event::scaler_failed(error.clone())))),
    };
    let Target::Found { gvkr, .. } = &seen.target else {
        return Err(("the scale target was not read".to_owned(), None));
    };
    let mut wanted = hpa_spec::build(want, gvkr, metrics, &seen.version)
        .map_err(|error: HpaError| (error.to_string(), None))?;
    let mut step = HpaStep {
        actions: Vec::new(),
        created: false,
        change: None,
    };
    for (name, live) in &seen.hpas {
        // Another name means that the HPA was renamed.
        // DEVIATION: upstream deletes an HPA of the recorded name whoever owns it; here one that is not ours is left.
        if *name != want.hpa_name && hpa_spec::is_owned(live, &want.uid) {
            step.actions.push(Action::DeleteHpa {
                name: name.clone(),
                uid: live.metadata.uid.clone(),
            });
        }
    }
    match seen.hpas.get(&want.hpa_name) {
        None => {
            step.created = true;
            step.change = Some("it did not exist".to_owned());
            step.actions.push(Action::ApplyHpa(Box::new(wanted)));
        }
        Some(live) => {
            if let Some(difference) = hpa_spec::differs(live, &wanted) {
                wanted
                    .metadata
                    .resource_version
                    .clone_from(&live.metadata.resource_version);
                wanted.metadata.uid.clone_from(&live.metadata.uid);
                step.change = Some(difference.to_owned());
                step.actions.push(Action::ApplyHpa(Box::new(wanted)));
            }
        }
    }
    let (external, resource) = hpa_spec::metric_names(metrics);
    status.external_metrics = Some(external);
    status.resource_metrics = Some(resource);
    status.hpa_name = Some(want.hpa_name.clone());
    Ok(step)
}

/// The Events of scalers that were built anew.
fn built(seen: &Seen, actions: &mut Vec<Action>) {
    for scaler in seen.triggers.iter().flat_map(|triggers| &triggers.built) {
        actions.push(Action::Emit(Event::scaler_built(scaler)));
    }
}

fn finish(
    object: &ScaledObject,
    seen: &Seen,
    want: &Desired,
    mut actions: Vec<Action>,
    status: StatusPatch,
    step: HpaStep,
) -> Plan {
    built(seen, &mut actions);
    actions.extend(step.actions);
    let restart = step.created || seen.running != Some(want.generation);
    let keeps_verdict = !restart && has_loop_verdict(object);
    let status = if keeps_verdict {
        status
    } else {
        status.with([condition::ready(&want.gaps())])
    };
    push_status(&mut actions, object, status);
    if restart {
        // Once a generation: a warning is news only when the spec is.
        let told = want
            .warnings
            .iter()
            .chain(seen.triggers.iter().flat_map(|triggers| &triggers.warnings));
        actions.extend(told.map(|warning| Action::Emit(told_event(warning))));
        actions.push(Action::StartLoop {
            generation: want.generation,
        });
    }
    if seen.running.is_none() {
        actions.push(Action::Emit(Event::loop_started()));
    }
    for authentication in &seen.unlisted {
        actions.push(Action::ListUser {
            authentication: authentication.clone(),
            present: true,
        });
    }
    if !keeps_verdict {
        push_ready_event(&mut actions, object);
    }
    Plan {
        outcome: Outcome::Ready,
        actions,
        hpa_change: step.change,
    }
}

fn told_event(warning: &Diagnostic) -> Event {
    let mut event = Event::warning(reason::SCALER_INFO, warning.to_string());
    if matches!(
        warning.code.as_ref(),
        "polling-irrelevant" | "cooldown-irrelevant"
    ) {
        // Upstream: an irrelevant setting is worth a Normal Event.
        event.type_ = EventType::Normal;
    }
    event
}

/// Whether Ready says what the running loop found; a reconcile of an unchanged object has nothing newer to say.
// DEVIATION: upstream turns Ready to True here, and its loop turns it back at the next poll.
fn has_loop_verdict(object: &ScaledObject) -> bool {
    find_condition(conditions(object), &ConditionType::Ready).is_some_and(|ready| {
        !ready.is_true()
            && matches!(
                ready.reason.as_str(),
                condition_reason::TRIGGER_ERROR
                    | condition_reason::PARTIAL_TRIGGER_ERROR
                    | condition_reason::ERROR_GETTING_CURRENT_REPLICAS
                    | reason::TARGET_ACTIVATION_FAILED
                    | reason::TARGET_DEACTIVATION_FAILED
            )
    })
}
