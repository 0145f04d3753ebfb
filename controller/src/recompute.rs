//! Follows the decisions of live HPAs: each is recomputed by the engine, and a difference is told.

use engine::desired::ObjectKey;
use engine::hpa::{Recomputed, Sighting, Verdict};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use crate::operator::Operator;

/// What a complaint about the HPA is about.
const COMPLAINT: &str = "hpa";

/// An HPA changed, whose ScaledObject has this key.
pub(crate) fn hpa_changed(
    operator: &Operator,
    key: &ObjectKey,
    before: Option<&Sighting>,
    after: Option<(&HorizontalPodAutoscaler, &Sighting)>,
) {
    let Some(live) = operator.live(key) else { return };
    if let Some(found) = live.hpa_seen(&operator.hpa, before, after) {
        tell(operator, key, &found);
    }
}

/// Counts a decision; the log has a line when differences begin and when they end.
fn tell(operator: &Operator, key: &ObjectKey, found: &Recomputed) {
    let verdict = word(found);
    operator.metrics.recomputed(&key.namespace, &key.name, verdict);
    let (namespace, name) = (&key.namespace, &key.name);
    if let Some(cause) = found.reasons() {
        if operator.complaints.is_news(key, COMPLAINT, verdict) {
            tracing::warn!(namespace, name, %found, cause, "the HPA decided otherwise than recomputed");
        }
    } else if found.verdict == Verdict::Agrees && operator.complaints.settle(key, COMPLAINT) {
        tracing::info!(namespace, name, %found, "the HPA decides as recomputed again");
    }
}

/// The label of a verdict.
fn word(found: &Recomputed) -> &'static str {
    match found.verdict {
        _ if found.changed_from.is_some() => "other_writer",
        Verdict::Agrees => "agrees",
        Verdict::Unknown { .. } => "unknown",
        Verdict::Differs { .. } => "differs",
        Verdict::OtherValue { .. } => "other_value",
    }
}
