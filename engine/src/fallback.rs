//! How failures of a metric are counted, read by read, and what stands for its value after too many of them.
//! Upstream: `pkg/fallback/fallback.go`; facts semantics §7.
//!
//! Every read counts, whoever wants it: a poll of the scale loop and a read by the HPA alike. A read is one question with its
//! one repetition by a scaler that is built anew; it failed if both did. A read that is answered with a failure without
//! asking, because the source is known to be silent, is a failed read like any other.

use crds::{Fallback, FallbackBehavior, HealthStatus, HealthStatusType};

use crate::metric::MetricTarget;
use crate::quantity::Quantity;

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a value.
    Answered,
    /// With an error.
    Failed,
}

/// The health of a metric after one more read.
pub fn count(before: Option<&HealthStatus>, outcome: Outcome) -> HealthStatus {
    let failures = before
        .and_then(|health| health.number_of_failures)
        .unwrap_or_default();
    let (failures, status) = match outcome {
        Outcome::Answered => (0, HealthStatusType::Happy),
        Outcome::Failed => (failures.saturating_add(1), HealthStatusType::Failing),
    };
    HealthStatus {
        number_of_failures: Some(failures),
        status: Some(status),
    }
}

/// Whether a metric has failed more often in a row than the fallback tolerates. Until then the error is passed on.
pub fn is_exceeded(health: &HealthStatus, fallback: &Fallback) -> bool {
    fallback.failure_threshold >= 0
        && health.number_of_failures.unwrap_or_default() > fallback.failure_threshold
}

/// Whether a fallback can be used at all: its numbers are not negative, and it needs no formula.
///
/// Upstream: `validateFallback`. The behavior `scalingModifiers` only has a meaning inside a formula; without one the error is
/// passed on.
pub fn is_usable(fallback: &Fallback) -> bool {
    fallback.failure_threshold >= 0
        && fallback.replicas >= 0
        && fallback.behavior != Some(FallbackBehavior::ScalingModifiers)
}

/// The replicas that a fallback aims at, while there are `current` ones.
///
/// Upstream: `getReplicasForFallback`; an unknown behavior counts as `static`.
pub fn replicas(fallback: &Fallback, current: i32) -> i32 {
    let fixed = fallback.replicas;
    match fallback.behavior {
        Some(FallbackBehavior::CurrentReplicas) => current,
        Some(FallbackBehavior::CurrentReplicasIfHigher) => current.max(fixed),
        Some(FallbackBehavior::CurrentReplicasIfLower) => current.min(fixed),
        _ => fixed,
    }
}

/// The value that stands for a metric whose failures exceed the threshold: the one at which the HPA wants the replicas of
/// the fallback. `None` where there is no such value, and the error is passed on: the fallback is not usable, or a target of
/// type `Value` has no ready pod to be divided among.
///
/// Upstream: `doFallback`; thousandths, cut off.
pub fn value(fallback: &Fallback, target: &MetricTarget, current: i32, ready: i32) -> Option<Quantity> {
    if !is_usable(fallback) {
        return None;
    }
    let replicas = f64::from(replicas(fallback, current));
    let (target, replicas) = match target {
        MetricTarget::AverageValue(target) => (target, replicas),
        MetricTarget::Value(target) if ready > 0 => (target, replicas / f64::from(ready)),
        MetricTarget::Value(_) | MetricTarget::Utilization(_) => return None,
    };
    Some(Quantity::from_milli((target.to_f64() * 1000.0 * replicas) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays reads (`.` answered, `x` failed) and checks the failures after each, and where the threshold is exceeded (`!`).
    #[track_caller]
    fn check(threshold: i32, reads: &str, after_each: &str) {
        let fallback = Fallback {
            failure_threshold: threshold,
            replicas: 1,
            behavior: None,
        };
        let mut health = None;
        let mut found = Vec::new();
        for read in reads.chars() {
            let outcome = if read == '.' {
                Outcome::Answered
            } else {
                Outcome::Failed
            };
            let now = count(health.as_ref(), outcome);
            let failing = now.status == Some(HealthStatusType::Failing);
            assert_eq!(failing, outcome == Outcome::Failed);
            let mark = if is_exceeded(&now, &fallback) { "!" } else { "" };
            found.push(format!("{}{mark}", now.number_of_failures.unwrap_or(-1)));
            health = Some(now);
        }
        assert_eq!(found.join(" "), after_each);
    }

    #[test]
    fn failures_in_a_row_are_counted_read_by_read() {
        check(3, "....", "0 0 0 0");
        check(3, "xxxxx.x", "1 2 3 4! 5! 0 1");
        check(3, "xx.xx.xx", "1 2 0 1 2 0 1 2");
        check(0, ".x.", "0 1! 0");
        check(1, "xx.", "1 2! 0");
    }

    #[test]
    fn a_negative_threshold_is_none() {
        check(-1, "xx", "1 2");
    }

    #[track_caller]
    fn check_value(behavior: Option<FallbackBehavior>, target: &MetricTarget, expected: Option<&str>) {
        let fallback = Fallback {
            failure_threshold: 3,
            replicas: 6,
            behavior,
        };
        let found = value(&fallback, target, 4, 2).map(|value| value.to_string());
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn a_fallback_is_the_value_at_which_the_hpa_wants_its_replicas() {
        use FallbackBehavior::{
            CurrentReplicas, CurrentReplicasIfHigher, CurrentReplicasIfLower, ScalingModifiers, Static,
        };
        let average = MetricTarget::AverageValue("5".parse().unwrap());
        check_value(None, &average, Some("30"));
        check_value(Some(Static), &average, Some("30"));
        check_value(Some(CurrentReplicas), &average, Some("20"));
        check_value(Some(CurrentReplicasIfHigher), &average, Some("30"));
        check_value(Some(CurrentReplicasIfLower), &average, Some("20"));
        check_value(Some("sometimes".into()), &average, Some("30"));
        check_value(Some(ScalingModifiers), &average, None);
        check_value(
            None,
            &MetricTarget::AverageValue("0.0025".parse().unwrap()),
            Some("15m"),
        );
        check_value(None, &MetricTarget::Value("5".parse().unwrap()), Some("15"));
        check_value(None, &MetricTarget::Utilization(50), None);
    }

    #[test]
    fn a_value_among_no_ready_pods_has_no_fallback() {
        let fallback = Fallback {
            failure_threshold: 0,
            replicas: 2,
            behavior: None,
        };
        let target = MetricTarget::Value("5".parse().unwrap());
        assert_eq!(value(&fallback, &target, 4, 0), None);
        let senseless = Fallback {
            replicas: -1,
            ..fallback
        };
        let average = MetricTarget::AverageValue("5".parse().unwrap());
        assert_eq!(value(&senseless, &average, 4, 4), None);
    }

    #[test]
    fn the_count_does_not_overflow() {
        let health = HealthStatus {
            number_of_failures: Some(i32::MAX),
            status: None,
        };
        assert_eq!(
            count(Some(&health), Outcome::Failed).number_of_failures,
            Some(i32::MAX)
        );
    }
}
