//! The report of one object: what `status` and `explain` print and the debug API returns as JSON.
//!
//! The controller fills it, the command line prints it. Without a controller (beside another KEDA) the command line
//! fills what status and HPA tell, and leaves `decision`, `next_poll` and `ledger` empty.

use crds::{Condition, ConditionStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::activate::Decision;
use crate::diagnostic::Diagnostic;
use crate::hpa::Recomputed;
use crate::ledger::Record;
use crate::pause::Pause;

/// The version of this format; it grows when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// One trigger, as it was seen last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TriggerReport {
    /// Its position in the spec.
    pub index: usize,
    /// Its scaler type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its name in the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The metric; one entry a metric where a trigger has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The value of the last read, as a quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The target, as text: `10 (avg)`, `7`, `50%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether it is active; cpu and memory cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
}

/// Replicas and their bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicasReport {
    /// `spec.replicas` of the target, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<i32>,
    /// Ready replicas of the target, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<i32>,
    /// Fewest replicas while active; 0 allows scale to zero.
    pub min: i32,
    /// Most replicas.
    pub max: i32,
    /// Replicas while not active, if set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<i32>,
}

/// The managed HPA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HpaReport {
    /// Its name.
    pub name: String,
    /// Whether it exists.
    pub exists: bool,
    /// The replicas it sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<i32>,
    /// The replicas it wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<i32>,
    /// Its last decision that was followed, and whether the same came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recomputed: Option<Recomputed>,
    /// Its own conditions as (type, status, reason, message).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<HpaCondition>,
}

/// One condition of the HPA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaCondition {
    /// `AbleToScale`, `ScalingActive` or `ScalingLimited`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word.
    #[serde(default)]
    pub reason: String,
    /// A sentence.
    #[serde(default)]
    pub message: String,
}

/// What was decided last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionReport {
    /// When.
    pub at: Timestamp,
    /// What.
    pub decision: Decision,
    /// Why, as a sentence, see `explain::decision`.
    pub why: String,
}

/// Everything about one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectReport {
    /// The version of this format.
    pub schema: u32,
    /// `ScaledObject` or `ScaledJob`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its generation.
    pub generation: i64,
    /// The target as `apps/v1.Deployment web`.
    pub target: String,
    /// Replicas and bounds.
    pub replicas: ReplicasReport,
    /// The triggers in order.
    pub triggers: Vec<TriggerReport>,
    /// The managed HPA; none for a ScaledJob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hpa: Option<HpaReport>,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// What annotations forbid.
    pub pause: Pause,
    /// `status.lastActiveTime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_active: Option<Timestamp>,
    /// What was decided last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionReport>,
    /// When the next poll begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_poll: Option<Timestamp>,
    /// Findings about the object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// The ledger, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ledger: Vec<Record>,
}

impl Default for ObjectReport {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            kind: "ScaledObject".to_owned(),
            namespace: String::new(),
            name: String::new(),
            generation: 0,
            target: String::new(),
            replicas: ReplicasReport::default(),
            triggers: Vec::new(),
            hpa: None,
            conditions: Vec::new(),
            pause: Pause::Off,
            last_active: None,
            decision: None,
            next_poll: None,
            diagnostics: Vec::new(),
            ledger: Vec::new(),
        }
    }
}
