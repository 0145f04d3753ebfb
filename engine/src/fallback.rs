//! How failures of a metric are counted, read by read. Upstream: `pkg/fallback/fallback.go`.
//!
//! Every read counts, whoever wants it: a poll of the scale loop and a read by the HPA alike. A read is one question with its
//! one repetition by a scaler that is built anew; it failed if both did. A read that is answered with a failure without
//! asking, because the source is known to be silent, is a failed read like any other.

use crds::{Fallback, HealthStatus, HealthStatusType};

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
