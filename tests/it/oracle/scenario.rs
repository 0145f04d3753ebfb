//! Scenarios and traces as JSON. `tests/oracle/README.md` describes them.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerSpec;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The world of one HPA over a number of syncs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Scenario {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) controller: Controller,
    pub(crate) spec: HorizontalPodAutoscalerSpec,
    #[serde(default)]
    pub(crate) replicas: i32,
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) length: usize,
}

/// Flags of kube-controller-manager; times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Controller {
    pub(crate) sync_period: f64,
    pub(crate) tolerance: f64,
    pub(crate) downscale_stabilization: f64,
    pub(crate) cpu_initialization_period: f64,
    pub(crate) initial_readiness_delay: f64,
    pub(crate) scale_to_zero: bool,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            sync_period: 15.0,
            tolerance: 0.1,
            downscale_stabilization: 300.0,
            cpu_initialization_period: 300.0,
            initial_readiness_delay: 30.0,
            scale_to_zero: false,
        }
    }
}

/// What changes before a sync. What can end is an option in an option.
#[expect(clippy::option_option, reason = "absent keeps what was, `null` ends it")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spec: Option<HorizontalPodAutoscalerSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replicas: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub(crate) status_replicas: Option<Option<i32>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub(crate) scale_get: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub(crate) scale_update: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pods: Option<Vec<Pod>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<Vec<Answer>>,
}

/// Tells `null` from an absent field.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What the HPA looks at in a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) phase: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready: Option<Ready>,
    pub(crate) containers: Vec<Container>,
}

/// A pod's Ready condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ready {
    pub(crate) status: String,
    pub(crate) since: f64,
}

/// One container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) requests: BTreeMap<String, String>,
}

/// What the metrics APIs say about one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    Error(String),
    Value(i64),
    Values(Vec<i64>),
    Pods(BTreeMap<String, PodMetric>),
}

/// The metric of one pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PodMetric {
    pub(crate) value: i64,
    #[serde(default)]
    pub(crate) age: f64,
    #[serde(default)]
    pub(crate) window: f64,
}

/// What an HPA controller did in a scenario, or why the scenario cannot be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<TraceStep>,
}

/// One sync.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TraceStep {
    pub(crate) t: f64,
    pub(crate) before: i32,
    pub(crate) after: i32,
    pub(crate) current: i32,
    pub(crate) desired: i32,
    pub(crate) last_scale_time: Option<f64>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) metrics: Vec<Value>,
    pub(crate) events: Vec<Event>,
}

/// A condition after a sync.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) type_: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) last_transition_time: f64,
}

/// An Event of a sync.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) type_: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}
