//! The status of an HPA. Nothing in it is formatted until it is shown.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricStatus, ExternalMetricStatus, HorizontalPodAutoscalerCondition,
    HorizontalPodAutoscalerStatus, MetricIdentifier, MetricStatus as ApiMetricStatus, MetricValueStatus,
    ObjectMetricStatus, PodsMetricStatus, ResourceMetricStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::behavior::Limit;
use super::error::MetricError;
use super::spec::{Metric, Source};
use crate::quantity::Quantity;

/// The status of an HPA. It starts empty and is kept from sync to sync.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// The target's replicas in the last sync.
    pub current_replicas: i32,
    /// The replicas wanted in the last sync.
    pub desired_replicas: i32,
    /// When the HPA last set the replicas.
    pub last_scale_time: Option<Timestamp>,
    /// What the metrics read, in the order of the spec; none for one that failed. Nothing if no metric was looked at.
    pub current_metrics: Option<Vec<Option<MetricStatus>>>,
    /// The conditions in the order in which they first appeared.
    pub conditions: Vec<Condition>,
}

/// What a metric read.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricStatus {
    /// The metric.
    pub metric: Arc<Metric>,
    /// What it read.
    pub current: Current,
}

/// A metric's value; amounts are thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Current {
    /// The whole.
    Value(i64),
    /// For each replica.
    AverageValue(i64),
    /// For each replica, also as a part of its request.
    Utilization {
        /// Percent of the request.
        percent: i32,
        /// The amount.
        average: i64,
    },
}

/// A condition. Its type, status and reason follow from its message.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// When its status last changed.
    pub last_transition_time: Timestamp,
    /// What it says. `Display` gives the text.
    pub message: Message,
}

/// The types of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The scale can be read and written, and no window holds it back.
    AbleToScale,
    /// There are metrics to go by.
    ScalingActive,
    /// A bound or a rate changed what the metrics ask for.
    ScalingLimited,
    /// The HPA itself scaled to zero. Only with the gate `HPAScaleToZero`.
    ScaledToZero,
}

/// What a condition says.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The scale cannot be read; with the error's text.
    FailedGetScale(Arc<str>),
    /// The scale was read.
    SucceededGetScale,
    /// The scale cannot be written; with the error's text.
    FailedUpdateScale(Arc<str>),
    /// The scale was set to this.
    SucceededRescale(i32),
    /// A window holds the workload up.
    ScaleDownStabilized,
    /// A window holds the workload down.
    ScaleUpStabilized,
    /// No window changes anything.
    ReadyForNewScale,
    /// The target has no replicas, and not by the HPA.
    ScalingDisabled,
    /// This metric asked for most.
    ValidMetricFound(Arc<Metric>),
    /// A metric failed.
    FailedGetMetric(MetricError),
    /// What bounds and rates did.
    Limited(Limit),
    /// The HPA scaled to zero.
    ScaledToZero,
    /// The last change was another one.
    NotScaledToZero,
}

impl ConditionType {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AbleToScale => "AbleToScale",
            Self::ScalingActive => "ScalingActive",
            Self::ScalingLimited => "ScalingLimited",
            Self::ScaledToZero => "ScaledToZero",
        }
    }
}

impl Message {
    /// The condition that says it.
    pub fn type_(&self) -> ConditionType {
        match self {
            Self::FailedGetScale(_)
            | Self::SucceededGetScale
            | Self::FailedUpdateScale(_)
            | Self::SucceededRescale(_)
            | Self::ScaleDownStabilized
            | Self::ScaleUpStabilized
            | Self::ReadyForNewScale => ConditionType::AbleToScale,
            Self::ScalingDisabled | Self::ValidMetricFound(_) | Self::FailedGetMetric(_) => {
                ConditionType::ScalingActive
            }
            Self::Limited(_) => ConditionType::ScalingLimited,
            Self::ScaledToZero | Self::NotScaledToZero => ConditionType::ScaledToZero,
        }
    }

    /// The status of the condition that says it.
    pub fn status(&self) -> bool {
        match self {
            Self::FailedGetScale(_)
            | Self::FailedUpdateScale(_)
            | Self::ScalingDisabled
            | Self::FailedGetMetric(_)
            | Self::NotScaledToZero => false,
            Self::Limited(limit) => *limit != Limit::DesiredWithinRange,
            _ => true,
        }
    }

    /// The reason, one word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::FailedGetScale(_) => "FailedGetScale",
            Self::SucceededGetScale => "SucceededGetScale",
            Self::FailedUpdateScale(_) => "FailedUpdateScale",
            Self::SucceededRescale(_) => "SucceededRescale",
            Self::ScaleDownStabilized => "ScaleDownStabilized",
            Self::ScaleUpStabilized => "ScaleUpStabilized",
            Self::ReadyForNewScale => "ReadyForNewScale",
            Self::ScalingDisabled => "ScalingDisabled",
            Self::ValidMetricFound(_) => "ValidMetricFound",
            Self::FailedGetMetric(error) => error.reason(),
            Self::Limited(limit) => limit.reason(),
            Self::ScaledToZero => "ScaledToZero",
            Self::NotScaledToZero => "NotScaledToZero",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailedGetScale(error) => {
                write!(f, "the HPA controller was unable to get the target's current scale: {error}")
            }
            Self::SucceededGetScale => {
                f.write_str("the HPA controller was able to get the target's current scale")
            }
            Self::FailedUpdateScale(error) => {
                write!(f, "the HPA controller was unable to update the target scale: {error}")
            }
            Self::SucceededRescale(replicas) => {
                write!(f, "the HPA controller was able to update the target scale to {replicas}")
            }
            Self::ScaleDownStabilized => f.write_str(
                "recent recommendations were higher than current one, applying the highest recent recommendation",
            ),
            Self::ScaleUpStabilized => f.write_str(
                "recent recommendations were lower than current one, applying the lowest recent recommendation",
            ),
            Self::ReadyForNewScale => f.write_str("recommended size matches current size"),
            Self::ScalingDisabled => {
                f.write_str("scaling is disabled since the replica count of the target is zero")
            }
            Self::ValidMetricFound(metric) => {
                let metric = &metric.description;
                write!(f, "the HPA was able to successfully calculate a replica count from {metric}")
            }
            Self::FailedGetMetric(error) => {
                write!(f, "the HPA was unable to compute the replica count: {error}")
            }
            Self::Limited(limit) => limit.fmt(f),
            Self::ScaledToZero => f.write_str("the HPA controller scaled the workload to zero"),
            Self::NotScaledToZero => f.write_str("the HPA controller did not scale the workload to zero"),
        }
    }
}

impl Status {
    /// The condition of a type.
    pub fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.message.type_() == type_)
    }

    /// Upstream: `setCondition`, `setConditionInList`.
    pub(super) fn set_condition(&mut self, now: Timestamp, message: Message) {
        let type_ = message.type_();
        let existing = self
            .conditions
            .iter_mut()
            .find(|condition| condition.message.type_() == type_);
        match existing {
            Some(condition) => {
                if condition.message.status() != message.status() {
                    condition.last_transition_time = now;
                }
                condition.message = message;
            }
            None => self.conditions.push(Condition {
                last_transition_time: now,
                message,
            }),
        }
    }

    /// Upstream: `removeCondition`.
    pub(super) fn remove_condition(&mut self, type_: ConditionType) {
        self.conditions
            .retain(|condition| condition.message.type_() != type_);
    }

    /// Upstream: `getScaledToZeroConditionStatus`.
    pub(super) fn is_scaled_to_zero(&self) -> bool {
        self.condition(ConditionType::ScaledToZero)
            .is_some_and(|condition| condition.message.status())
    }

    /// The status as the API server has it.
    pub fn to_api(&self) -> HorizontalPodAutoscalerStatus {
        let conditions = self.conditions.iter().map(Condition::to_api).collect();
        let metric = |status: &Option<MetricStatus>| {
            status
                .as_ref()
                .map_or_else(ApiMetricStatus::default, metric_to_api)
        };
        HorizontalPodAutoscalerStatus {
            conditions: Some(conditions),
            current_metrics: self
                .current_metrics
                .as_ref()
                .map(|metrics| metrics.iter().map(metric).collect()),
            current_replicas: Some(self.current_replicas),
            desired_replicas: self.desired_replicas,
            last_scale_time: self.last_scale_time.map(Time),
            observed_generation: None,
        }
    }
}

impl Condition {
    fn to_api(&self) -> HorizontalPodAutoscalerCondition {
        let status = if self.message.status() { "True" } else { "False" };
        HorizontalPodAutoscalerCondition {
            type_: self.message.type_().as_str().to_owned(),
            status: status.to_owned(),
            reason: Some(self.message.reason().to_owned()),
            message: Some(self.message.to_string()),
            last_transition_time: Some(Time(self.last_transition_time)),
        }
    }
}

fn metric_to_api(status: &MetricStatus) -> ApiMetricStatus {
    let current = value_to_api(&status.metric, status.current);
    let identifier = |metric: &String, selector: &Option<_>| MetricIdentifier {
        name: metric.clone(),
        selector: selector.clone(),
    };
    let mut out = ApiMetricStatus::default();
    match &status.metric.source {
        Source::Resource { resource } => {
            "Resource".clone_into(&mut out.type_);
            let name = resource.clone();
            out.resource = Some(ResourceMetricStatus { name, current });
        }
        Source::ContainerResource { resource, container } => {
            "ContainerResource".clone_into(&mut out.type_);
            out.container_resource = Some(ContainerResourceMetricStatus {
                name: resource.clone(),
                container: container.clone(),
                current,
            });
        }
        Source::Pods { metric, selector } => {
            "Pods".clone_into(&mut out.type_);
            let metric = identifier(metric, selector);
            out.pods = Some(PodsMetricStatus { metric, current });
        }
        Source::Object {
            object,
            metric,
            selector,
        } => {
            "Object".clone_into(&mut out.type_);
            out.object = Some(ObjectMetricStatus {
                described_object: object.clone(),
                metric: identifier(metric, selector),
                current,
            });
        }
        Source::External { metric, selector } => {
            "External".clone_into(&mut out.type_);
            let metric = identifier(metric, selector);
            out.external = Some(ExternalMetricStatus { metric, current });
        }
    }
    out
}

fn value_to_api(metric: &Metric, current: Current) -> MetricValueStatus {
    let quantity = |milli| {
        let quantity = Quantity::from_milli(milli);
        let quantity = if metric.is_binary() {
            quantity.binary()
        } else {
            quantity
        };
        Some(ApiQuantity(quantity.to_string()))
    };
    let mut out = MetricValueStatus::default();
    match current {
        Current::Value(value) => out.value = quantity(value),
        Current::AverageValue(value) => out.average_value = quantity(value),
        Current::Utilization { percent, average } => {
            out.average_utilization = Some(percent);
            out.average_value = quantity(average);
        }
    }
    out
}
