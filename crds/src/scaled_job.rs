//! ScaledJob: starts Jobs on events.

#![expect(
    clippy::duplicated_attributes,
    reason = "every printer column has a type of its own"
)]

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::JobSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::open_enum::open_enum;
use crate::trigger::{Trigger, TriggerActivity};

/// Which Jobs to start, how many, and on which events.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "keda.sh",
    version = "v1alpha1",
    kind = "ScaledJob",
    plural = "scaledjobs",
    singular = "scaledjob",
    shortname = "sj",
    namespaced,
    status = "ScaledJobStatus",
    derive = "PartialEq",
    doc = "Starts Jobs on events, one for each piece of work that waits.",
    printcolumn(name = "Min", type_ = "integer", json_path = ".spec.minReplicaCount"),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.maxReplicaCount"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Active",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Active\")].status"
    ),
    printcolumn(
        name = "Paused",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Paused\")].status"
    ),
    printcolumn(name = "Triggers", type_ = "string", json_path = ".status.triggersTypes"),
    printcolumn(
        name = "Authentications",
        type_ = "string",
        json_path = ".status.authenticationsTypes"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ScaledJobSpec {
    /// Template of every Job that is started. `kubectl explain job.spec` describes the fields.
    pub job_target_ref: JobSpec,
    /// Seconds between two looks at the triggers. Default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub polling_interval: Option<i32>,
    /// Completed Jobs that are kept. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub successful_jobs_history_limit: Option<i32>,
    /// Failed Jobs that are kept. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failed_jobs_history_limit: Option<i32>,
    /// Older spelling of `rollout.strategy`, which it overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_strategy: Option<RolloutStrategy>,
    /// What happens to running Jobs when this object changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// Container whose environment answers settings that end in `FromEnv`. Default: the first of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_source_container_name: Option<String>,
    /// Jobs that always run. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replica_count: Option<i32>,
    /// Most Jobs at a time. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_replica_count: Option<i32>,
    /// How many Jobs to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_strategy: Option<ScalingStrategy>,
    /// Event sources.
    #[schemars(length(min = 1))]
    pub triggers: Vec<Trigger>,
}

open_enum! {
    /// What happens to running Jobs when the ScaledJob changes.
    RolloutStrategy {
        /// They run to their end.
        Gradual = "gradual",
        /// They are deleted.
        Immediate = "immediate",
    }
}

open_enum! {
    /// How Jobs are deleted during a rollout.
    PropagationPolicy {
        /// The Job goes after its pods.
        Foreground = "foreground",
        /// The pods go after their Job.
        Background = "background",
    }
}

/// What happens to running Jobs when the ScaledJob changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// `immediate` (the default) deletes Jobs of older generations, `gradual` lets them finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RolloutStrategy>,
    /// How those Jobs are deleted. Default `background`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation_policy: Option<PropagationPolicy>,
}

open_enum! {
    /// How the number of new Jobs is computed.
    JobStrategy {
        /// What waits, less the Jobs that run.
        Default = "default",
        /// What waits, less a share of the Jobs that run and a constant.
        Custom = "custom",
        /// For queues that no longer count the messages in work.
        Accurate = "accurate",
        /// Fills up to the maximum at once.
        Eager = "eager",
    }
}

open_enum! {
    /// How the values of several triggers become one.
    MultipleScalersCalculation {
        /// The smallest.
        Min = "min",
        /// The mean.
        Avg = "avg",
        /// The sum.
        Sum = "sum",
        /// The largest.
        Max = "max",
    }
}

/// How many Jobs to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingStrategy {
    /// How the number of new Jobs is computed. Default `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<JobStrategy>,
    /// Strategy `custom`: this number is subtracted from the work that waits. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_scaling_queue_length_deduction: Option<i32>,
    /// Strategy `custom`: share of the running Jobs that is subtracted, a number as text such as `"0.5"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_scaling_running_job_percentage: Option<String>,
    /// Types of pod conditions; a Job with one pod on which all of them are True no longer counts as pending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_pod_conditions: Vec<String>,
    /// How the values of several triggers become one. Default `max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple_scalers_calculation: Option<MultipleScalersCalculation>,
}

/// What was observed last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaledJobStatus {
    /// Last moment at which a trigger was active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_active_time: Option<Time>,
    /// Conditions of the object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Left over from older versions and no longer written; the `Paused` condition says whether the object is paused.
    #[serde(default, rename = "Paused", skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Scaler types of the triggers, each once, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggers_types: Option<String>,
    /// Names of the authentication objects, each once, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentications_types: Option<String>,
    /// Names of the external metrics, in the order of the triggers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_metric_names: Vec<String>,
    /// Activity of each metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers_activity: BTreeMap<String, TriggerActivity>,
}
