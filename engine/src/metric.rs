//! Metric names, targets, specs and samples: what a trigger tells the rest of the engine.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;

/// The characters that may not appear in a metric name.
///
/// Upstream: `NormalizeString` in `pkg/util`, facts semantics §4.1.
const REPLACED: [char; 6] = ['/', '.', ':', '%', '(', ')'];

/// Replaces each of `/ . : % ( )` by `-`.
pub fn normalize(name: &str) -> String {
    name.replace(REPLACED, "-")
}

/// The name of an external metric as the HPA asks for it: `s0-redis-jobs`. Copies share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MetricName(Arc<str>);

impl MetricName {
    /// Puts the index of the trigger before the scaler's own (already normalised) name.
    ///
    /// Upstream: `GenerateMetricNameWithIndex`.
    pub fn indexed(trigger: usize, name: &str) -> Self {
        Self(format!("s{trigger}-{name}").into())
    }

    /// Takes a complete name, such as one read from a status or a request.
    pub fn new(complete: impl Into<Arc<str>>) -> Self {
        Self(complete.into())
    }

    /// The complete name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request for `other` means this metric; the metrics API is not case sensitive.
    ///
    /// Upstream: `strings.EqualFold` in `GetScaledObjectMetrics`.
    pub fn matches(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<MetricName> for String {
    fn from(name: MetricName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// How the HPA compares a metric with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MetricType {
    /// The metric divided by the number of replicas.
    AverageValue,
    /// The metric as it is.
    Value,
    /// Percent of what the pods request; only for cpu and memory.
    Utilization,
}

impl MetricType {
    /// The text of the HPA's `target.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AverageValue => "AverageValue",
            Self::Value => "Value",
            Self::Utilization => "Utilization",
        }
    }

    /// Reads `metricType` of a trigger with external metrics; absent or empty means `AverageValue`.
    ///
    /// Upstream: `GetMetricTargetType`.
    pub fn for_external(text: Option<&str>) -> Result<Self, MetricTypeError> {
        match text.unwrap_or_default() {
            "" | "AverageValue" => Ok(Self::AverageValue),
            "Value" => Ok(Self::Value),
            "Utilization" => Err(MetricTypeError::UtilizationOfExternal),
            other => Err(MetricTypeError::Unknown {
                text: other.to_owned(),
                allowed: "'Value' or 'AverageValue'",
            }),
        }
    }

    /// Reads `metricType` of a cpu or memory trigger, which has no default.
    pub fn for_resource(text: Option<&str>) -> Result<Self, MetricTypeError> {
        match text.unwrap_or_default() {
            "Utilization" => Ok(Self::Utilization),
            "AverageValue" => Ok(Self::AverageValue),
            other => Err(MetricTypeError::Unknown {
                text: other.to_owned(),
                allowed: "'Utilization' or 'AverageValue'",
            }),
        }
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A `metricType` that the trigger cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricTypeError {
    /// `Utilization` on something other than cpu and memory; KEDA's own wording.
    #[error(
        "error getting scaler metric type: 'Utilization' metric type is unsupported for external metrics, allowed values are 'Value' or 'AverageValue'"
    )]
    UtilizationOfExternal,
    /// Any other text.
    #[error("`metricType` `{text}` cannot be used here, allowed values are {allowed}")]
    Unknown {
        /// What was written.
        text: String,
        /// What may be written.
        allowed: &'static str,
    },
}

/// What the HPA compares a metric with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MetricTarget {
    /// Amount a replica should have.
    AverageValue(Quantity),
    /// Amount of the whole.
    Value(Quantity),
    /// Percent of the requested resource.
    Utilization(i32),
}

impl MetricTarget {
    /// The target of an external metric; `Utilization` never comes here, see [`MetricType::for_external`].
    pub fn external(kind: MetricType, quantity: Quantity) -> Self {
        match kind {
            MetricType::Value => Self::Value(quantity),
            MetricType::AverageValue | MetricType::Utilization => Self::AverageValue(quantity),
        }
    }

    /// The type of the target.
    pub fn kind(&self) -> MetricType {
        match self {
            Self::AverageValue(_) => MetricType::AverageValue,
            Self::Value(_) => MetricType::Value,
            Self::Utilization(_) => MetricType::Utilization,
        }
    }
}

impl fmt::Display for MetricTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AverageValue(quantity) => write!(f, "{quantity} (avg)"),
            Self::Value(quantity) => write!(f, "{quantity}"),
            Self::Utilization(percent) => write!(f, "{percent}%"),
        }
    }
}

/// One external metric of a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalMetric {
    /// Its name, index prefix included.
    pub name: MetricName,
    /// Its target.
    pub target: MetricTarget,
}

/// A resource that the kubelet measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Processor time.
    Cpu,
    /// Working set.
    Memory,
}

impl Resource {
    /// The name in HPA specs and in `status.resourceMetricNames`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A cpu or memory metric, which the HPA reads by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceMetric {
    /// What is measured.
    pub resource: Resource,
    /// The one container that counts; without it, the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Its target.
    pub target: MetricTarget,
}

/// What one trigger puts into the HPA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TriggerMetrics {
    /// Metrics that the HPA asks of the metrics adapter; most triggers have one.
    External(Vec<ExternalMetric>),
    /// A metric of the kubelet.
    Resource(ResourceMetric),
}

impl TriggerMetrics {
    /// One external metric.
    pub fn external(name: MetricName, target: MetricTarget) -> Self {
        Self::External(vec![ExternalMetric { name, target }])
    }

    /// The external metrics; none for cpu and memory.
    pub fn externals(&self) -> &[ExternalMetric] {
        match self {
            Self::External(metrics) => metrics,
            Self::Resource(_) => &[],
        }
    }
}

/// One value read from an event source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The metric it belongs to.
    pub metric: MetricName,
    /// The value as read; it is printed through [`Quantity::from_f64_milli`].
    pub value: f64,
    /// Whether the source counts as active; `None` leaves it to the activation threshold of the trigger.
    pub active: Option<bool>,
}

impl Sample {
    /// The value as the metrics API reports it.
    pub fn quantity(&self) -> Quantity {
        Quantity::from_f64_milli(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_and_indexed() {
        assert_eq!(
            normalize("prometheus-http://a.b:9090/(x)%"),
            "prometheus-http---a-b-9090--x--"
        );
        assert_eq!(MetricName::indexed(2, "redis-jobs").as_str(), "s2-redis-jobs");
        assert!(MetricName::new("s0-Cron-UTC").matches("s0-cron-utc"));
    }

    #[test]
    fn metric_types_follow_the_trigger() {
        assert_eq!(MetricType::for_external(None), Ok(MetricType::AverageValue));
        assert_eq!(MetricType::for_external(Some("")), Ok(MetricType::AverageValue));
        assert_eq!(MetricType::for_external(Some("Value")), Ok(MetricType::Value));
        assert_eq!(
            MetricType::for_external(Some("Utilization")),
            Err(MetricTypeError::UtilizationOfExternal)
        );
        assert!(MetricType::for_external(Some("average")).is_err());
        assert_eq!(
            MetricType::for_resource(Some("Utilization")),
            Ok(MetricType::Utilization)
        );
        assert!(MetricType::for_resource(Some("Value")).is_err());
        assert!(MetricType::for_resource(None).is_err());
    }
}
