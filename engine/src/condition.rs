//! Conditions with KEDA's reasons and texts, and their merge by type.

use crds::{Condition, ConditionStatus, ConditionType, find_condition};
use jiff::Timestamp;

use crate::diagnostic::Diagnostic;

/// Reasons of conditions.
pub mod reason {
    /// Ready: all is well.
    pub const READY: &str = "ScaledObjectReady";
    /// Ready: the reconcile failed.
    pub const CHECK_FAILED: &str = "ScaledObjectCheckFailed";
    /// Ready: the loop could not read the target.
    pub const ERROR_GETTING_CURRENT_REPLICAS: &str = "ErrorGettingCurrentReplicas";
    /// Ready: not active, and some trigger failed.
    pub const TRIGGER_ERROR: &str = "TriggerError";
    /// Ready: active, though some trigger failed.
    pub const PARTIAL_TRIGGER_ERROR: &str = "PartialTriggerError";
    /// Active: yes.
    pub const ACTIVE: &str = "ScalerActive";
    /// Active: no.
    pub const NOT_ACTIVE: &str = "ScalerNotActive";
    /// Active: no, and the cooldown still runs.
    pub const COOLDOWN: &str = "ScalerCooldown";
    /// Active: the reconcile failed.
    pub const UNKNOWN_STATE: &str = "UnknownState";
    /// Fallback: none.
    pub const NO_FALLBACK: &str = "NoFallbackFound";
    /// Paused: yes.
    pub const PAUSED: &str = "ScaledObjectPaused";
    /// Paused: no longer.
    pub const UNPAUSED: &str = "ScaledObjectUnpaused";
    /// `HPAActive`: yes.
    pub const HPA_ACTIVE: &str = "HPAActive";
    /// `HPAActive`: the target is at zero, which is as it should be.
    pub const SCALING_DISABLED: &str = "ScalingDisabled";
    /// `HPAActive`: no, and the HPA gives no reason.
    pub const HPA_METRICS_UNAVAILABLE: &str = "HPAMetricsUnavailable";
    /// Ready of a ScaledJob: it cannot be worked on.
    pub const JOB_CHECK_FAILED: &str = "ScaledJobCheckFailed";
}

/// The conditions of an object that was just created.
pub fn initial() -> Vec<Condition> {
    use ConditionType::{Active, Fallback, Paused, Ready};
    vec![
        Condition::unknown(Ready, "", ""),
        Condition::unknown(Active, "", ""),
        Condition::unknown(Fallback, "", ""),
        Condition::fails(Paused, "", ""),
    ]
}

/// Whether all conditions are there that an object has from its creation on.
pub fn is_complete(current: &[Condition]) -> bool {
    use ConditionType::{Active, Fallback, Paused, Ready};
    [Ready, Active, Fallback, Paused]
        .iter()
        .all(|wanted| find_condition(current, wanted).is_some())
}

/// The initial conditions if any of the four is missing, else nothing.
pub fn missing(current: &[Condition]) -> Vec<Condition> {
    if is_complete(current) {
        Vec::new()
    } else {
        initial()
    }
}

/// Puts conditions into a list: one of a type is replaced in place, a new type is appended.
pub fn merge(list: &mut Vec<Condition>, updates: &[Condition]) {
    for update in updates {
        match list.iter_mut().find(|condition| condition.type_ == update.type_) {
            Some(condition) => condition.clone_from(update),
            None => list.push(update.clone()),
        }
    }
}

/// Whether a condition of a type is True.
pub fn is_true(conditions: &[Condition], type_: &ConditionType) -> bool {
    find_condition(conditions, type_).is_some_and(Condition::is_true)
}

/// Ready=True; parts of the spec that this version does not know yet are named in the message.
pub fn ready(gaps: &[Diagnostic]) -> Condition {
    let mut message = "ScaledObject is defined correctly and is ready for scaling".to_owned();
    for gap in gaps {
        message.push_str("; ");
        message.push_str(&gap.message);
    }
    Condition::holds(ConditionType::Ready, reason::READY, message)
}

/// Ready=True of a fully paused object.
pub fn ready_paused() -> Condition {
    Condition::holds(ConditionType::Ready, reason::READY, "ScaledObject is paused")
}

/// The three conditions of a failed reconcile.
pub fn check_failed(message: &str) -> [Condition; 3] {
    [
        Condition::fails(ConditionType::Ready, reason::CHECK_FAILED, message),
        Condition::unknown(
            ConditionType::Active,
            reason::UNKNOWN_STATE,
            "ScaledObject check failed",
        ),
        no_fallback(),
    ]
}

/// Ready=False: the replicas of the target could not be read.
pub fn replicas_unknown(error: &str) -> Condition {
    let message = format!("the current replicas of the scale target could not be read: {error}");
    Condition::fails(
        ConditionType::Ready,
        reason::ERROR_GETTING_CURRENT_REPLICAS,
        message,
    )
}

/// Ready=False: nothing is active as far as can be told, and these triggers could not be read.
pub fn trigger_error(failures: &str) -> Condition {
    let message = format!("replicas are left as they are because triggers failed: {failures}");
    Condition::fails(ConditionType::Ready, reason::TRIGGER_ERROR, message)
}

/// Ready=Unknown: active, while these triggers could not be read.
pub fn partial_trigger_error(failures: &str) -> Condition {
    let message = format!("scaling goes on without the triggers that failed: {failures}");
    Condition::unknown(ConditionType::Ready, reason::PARTIAL_TRIGGER_ERROR, message)
}

/// Ready=False: the replicas of the target could not be written.
// DEVIATION: upstream leaves Ready=True and only emits the Event, which expires while the cause may stay.
pub fn scale_failed(event_reason: &'static str, message: &str) -> Condition {
    Condition::fails(ConditionType::Ready, event_reason, message)
}

/// Active=True because of the triggers.
pub fn active() -> Condition {
    Condition::holds(
        ConditionType::Active,
        reason::ACTIVE,
        "Scaling is performed because triggers are active",
    )
}

/// Active=True because of the annotation.
pub fn forced() -> Condition {
    let message = "Scaling is performed because activation is being forced by annotation";
    Condition::holds(ConditionType::Active, reason::ACTIVE, message)
}

/// Active=False.
pub fn not_active() -> Condition {
    let message = "Scaling is not performed because triggers are not active";
    Condition::fails(ConditionType::Active, reason::NOT_ACTIVE, message)
}

/// Active=False while the cooldown runs.
pub fn cooldown(until: Timestamp) -> Condition {
    let message = format!(
        "triggers are not active; the cooldown period ends at {}",
        seconds(until)
    );
    Condition::fails(ConditionType::Active, reason::COOLDOWN, message)
}

/// Fallback=False.
pub fn no_fallback() -> Condition {
    let message = "No fallbacks are active on this scaled object";
    Condition::fails(ConditionType::Fallback, reason::NO_FALLBACK, message)
}

/// Paused=True.
pub fn paused() -> Condition {
    Condition::holds(ConditionType::Paused, reason::PAUSED, "ScaledObject is paused")
}

/// Paused=False after a pause.
pub fn unpaused() -> Condition {
    Condition::fails(
        ConditionType::Paused,
        reason::UNPAUSED,
        "pause annotation removed for ScaledObject",
    )
}

/// `HPAActive` while the HPA is gone because of a pause.
// DEVIATION: upstream leaves HPAActive=True although there is no HPA any more.
pub fn hpa_removed() -> Condition {
    let message = "HPA is removed while the ScaledObject is paused";
    Condition::fails(ConditionType::HpaActive, reason::PAUSED, message)
}

/// `HPAActive` as a mirror of the HPA's own `ScalingActive`.
///
/// Upstream: facts semantics §3.2 C.
pub fn hpa_active(status: &ConditionStatus, hpa_reason: &str, hpa_message: &str) -> Condition {
    match (status, hpa_reason) {
        (ConditionStatus::True, _) => Condition::holds(
            ConditionType::HpaActive,
            reason::HPA_ACTIVE,
            "HPA is actively scaling",
        ),
        (_, reason::SCALING_DISABLED) => {
            Condition::holds(ConditionType::HpaActive, reason::SCALING_DISABLED, hpa_message)
        }
        (_, other) => {
            let why = if other.is_empty() {
                reason::HPA_METRICS_UNAVAILABLE
            } else {
                other
            };
            let message = format!("HPA is not actively scaling: {hpa_message}");
            Condition::fails(ConditionType::HpaActive, why, message)
        }
    }
}

/// A time without fractions of a second, as Kubernetes prints it.
pub(crate) fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_the_order_and_the_rest() {
        let mut list = initial();
        merge(&mut list, &[active(), hpa_active(&ConditionStatus::True, "", "")]);
        let types: Vec<_> = list.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(types, ["Ready", "Active", "Fallback", "Paused", "HPAActive"]);
        assert!(is_true(&list, &ConditionType::Active) && !is_true(&list, &ConditionType::Ready));
        assert!(missing(&list).is_empty());
        assert_eq!(missing(&list[1..]).len(), 4);
    }

    #[test]
    fn hpa_active_mirrors_the_hpa() {
        let disabled = hpa_active(
            &ConditionStatus::False,
            "ScalingDisabled",
            "the target is at zero",
        );
        assert!(disabled.is_true());
        let failing = hpa_active(
            &ConditionStatus::False,
            "FailedGetExternalMetric",
            "no such metric",
        );
        assert_eq!(
            (failing.is_false(), failing.reason.as_str()),
            (true, "FailedGetExternalMetric")
        );
        assert_eq!(
            hpa_active(&ConditionStatus::Unknown, "", "").reason,
            "HPAMetricsUnavailable"
        );
    }
}
