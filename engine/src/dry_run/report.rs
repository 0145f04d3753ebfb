//! The answer of a dry run, whose JSON schema is published.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of this format; it grows when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// What would follow from what the triggers of one object say now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// The version of this format.
    pub schema: u32,
    /// `ScaledObject`.
    pub kind: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// The scale target, as `apps/v1.Deployment web`.
    pub target: String,
    /// When the sources were asked.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Who asked the sources.
    pub asked_by: AskedBy,
    /// The replicas there are, and their bounds.
    pub replicas: ReplicasReport,
    /// The triggers in order.
    pub triggers: Vec<TriggerReport>,
    /// What the controller would decide about the target: `Activate`, `StayActive`, `Deactivate`, `RaiseToMin`,
    /// `CoolDown` or `Hold`. Absent when the object has mistakes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Changes of the replicas, in order; none when they stay.
    pub steps: Vec<Step>,
    /// The replicas that would follow, if the present ones are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i32>,
    /// Why, as sentences.
    pub why: Vec<String>,
    /// What comes later, as sentences.
    pub next: Vec<String>,
    /// The HPA that the controller would write, if it could write one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hpa: Option<Value>,
    /// Mistakes in the object, and what this version does not carry out.
    pub findings: Vec<FindingReport>,
    /// Remarks on how this answer came about.
    pub notes: Vec<String>,
}

/// Who asked the sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AskedBy {
    /// The command, from the machine it runs on.
    #[default]
    Command,
    /// The controller, from inside the cluster.
    Controller,
}

/// Replicas and their bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicasReport {
    /// The replicas that the target has, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<i32>,
    /// How many of them are ready, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<i32>,
    /// Fewest replicas while active; 0 allows scale to zero.
    pub min: i32,
    /// Most replicas.
    pub max: i32,
    /// Replicas while not active, if set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<i32>,
}

/// One trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerReport {
    /// Its position in `spec.triggers`.
    pub index: usize,
    /// Its scaler type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who was asked, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its metrics.
    pub metrics: Vec<MetricReport>,
    /// Why it has no metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// One metric of a trigger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricReport {
    /// Its name, as the HPA asks for it.
    pub metric: String,
    /// How the HPA compares it: `AverageValue`, `Value` or `Utilization`.
    pub target_type: String,
    /// What the HPA compares it with, as text: `10 (avg)`, `7`, `50%`.
    pub target: String,
    /// The answer as the source gave it, cut to a bounded length; credentials are taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The value read out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The value as the metrics adapter serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Whether the value was given with `--set` instead of asked for.
    pub given: bool,
    /// The value above which the trigger is active, unless the source says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<f64>,
    /// Whether the trigger is active; cpu and memory cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// How the HPA reckons: `ceil(37 / 5) = 8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<String>,
    /// The replicas that this metric asks for, before the bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long the source took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

/// One change of the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Who makes it.
    pub by: Actor,
    /// The replicas before.
    pub from: i32,
    /// The replicas after.
    pub to: i32,
}

/// Who changes the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Actor {
    /// The controller: to and from zero or idle.
    Controller,
    /// The HPA: everything between.
    Hpa,
}

/// One finding about the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingReport {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// Stable name of the finding.
    pub code: String,
    /// The place in the object.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl DryRun {
    /// Whether the object has mistakes that keep it from being worked on.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == "error")
    }

    /// Whether some trigger could not be asked, or gave no value.
    pub fn has_failures(&self) -> bool {
        self.triggers.iter().any(|trigger| {
            trigger.error.is_some() || trigger.metrics.iter().any(|metric| metric.error.is_some())
        })
    }

    /// Takes every raw answer out, and says why.
    pub fn withhold_raw(&mut self, why: &str) {
        let mut withheld = false;
        for metric in self.triggers.iter_mut().flat_map(|trigger| &mut trigger.metrics) {
            withheld |= metric.raw.take().is_some();
        }
        if withheld {
            self.notes.push(why.to_owned());
        }
    }
}
