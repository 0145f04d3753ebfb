//! What would follow from what the triggers say now: the whole way from answers to replicas, with nothing written. Pure.
//!
//! ```text
//! Asked (an answer a metric) ─▶ readings ─▶ activate::decide ─▶ 0 ↔ 1
//!                                   └─────▶ hpa ──────────────▶ 1 ↔ N ─▶ DryRun
//! ```
//!
//! The command line and the debug API ask; this module is the only one that concludes.

mod predict;
mod recommend;
mod report;
#[cfg(test)]
mod tests;

use crds::{GroupVersionKindResource, Trigger};
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::metric::{MetricName, TriggerMetrics};

pub use predict::predict;
pub use report::{
    Actor, AskedBy, DryRun, FindingReport, MetricReport, ReplicasReport, SCHEMA, Step, TriggerReport,
};

/// What one trigger said when it was asked once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Its position in the spec.
    pub index: usize,
    /// Its scaler type.
    pub type_: String,
    /// Its name in the spec.
    pub name: Option<String>,
    /// Who was asked, without credentials.
    pub endpoint: Option<String>,
    /// Its metrics, or why it cannot have any.
    pub metrics: Result<TriggerMetrics, String>,
    /// One answer a metric, in the order of the metrics; cpu and memory have one only if it was given.
    pub answers: Vec<MetricAnswer>,
    /// What it has to say that stops nothing.
    pub warnings: Vec<Diagnostic>,
}

/// What was said about one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricAnswer {
    /// The metric.
    pub metric: MetricName,
    /// The answer as the source gave it, bounded and without credentials.
    pub raw: Option<String>,
    /// The value above which the trigger is active, unless the source says so itself.
    pub activation: Option<f64>,
    /// The value and whether the trigger is active, or why there is none.
    pub result: Result<(f64, bool), String>,
    /// Whether the value was given instead of asked for.
    pub given: bool,
    /// How long the source took, in milliseconds.
    pub took_ms: Option<f64>,
}

/// What is known of the world beside the triggers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    /// The type of the scale target.
    pub gvkr: GroupVersionKindResource,
    /// Its replicas, if they are known.
    pub replicas: Option<i32>,
    /// Its ready replicas, if they are known.
    pub ready: Option<i32>,
    /// The version for the label of the HPA.
    pub version: String,
    /// Who asked the sources.
    pub asked_by: AskedBy,
}

/// The trigger that a text means: by its name, else by its position.
pub fn find_trigger(triggers: &[Trigger], text: &str) -> Option<usize> {
    let by_name = triggers
        .iter()
        .position(|trigger| trigger.name.as_deref() == Some(text));
    by_name.or_else(|| text.parse().ok().filter(|index| *index < triggers.len()))
}
