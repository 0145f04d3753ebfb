//! An HPA's spec, read once: defaulted, quantities parsed, names made.

use std::sync::Arc;

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{defaults, go};
use crate::quantity::Quantity;

/// Why a spec is none: what the API server would not have let through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// `type` names no source.
    #[error("`metrics[{0}].type`: `{1}` is no type of metric")]
    UnknownMetricType(usize, String),
    /// The field that the type names is not there.
    #[error("`metrics[{0}]` has the type `{1}` but no field of that name")]
    MissingSource(usize, &'static str),
    /// A metric of type `Pods` without its only kind of target.
    #[error("`metrics[{0}].pods.target` needs an `averageValue`")]
    MissingPodsTarget(usize),
    /// A quantity that is none.
    #[error("`{path}`: `{text}` is no quantity")]
    Quantity {
        /// Where it stands.
        path: String,
        /// What stands there.
        text: String,
    },
    /// `selectPolicy` is none of `Max`, `Min`, `Disabled`.
    #[error("`behavior.{0}.selectPolicy`: `{1}` is neither `Max`, `Min` nor `Disabled`")]
    UnknownSelectPolicy(&'static str, String),
    /// The type of a policy is neither `Pods` nor `Percent`.
    #[error("`behavior.{0}.policies`: `{1}` is neither `Pods` nor `Percent`")]
    UnknownPolicyType(&'static str, String),
}

/// The spec of an HPA as its controller sees it: with the defaults of the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Kind, namespace and name of the target, as errors name it.
    pub(super) reference: Arc<str>,
    pub(super) metrics: Vec<Arc<Metric>>,
    /// Fewest replicas.
    pub min_replicas: i32,
    /// Most replicas.
    pub max_replicas: i32,
    /// Rules for the pace; without them the old fixed ones hold.
    pub behavior: Option<Behavior>,
}

impl Spec {
    /// Reads the spec of an HPA in a namespace.
    pub fn new(namespace: &str, spec: &HorizontalPodAutoscalerSpec) -> Result<Self, SpecError> {
        let mut spec = spec.clone();
        defaults::set_defaults(&mut spec);
        let metrics = spec.metrics.unwrap_or_default();
        let metrics = metrics.into_iter().enumerate();
        let behavior = spec.behavior.as_ref().map(|behavior| {
            Ok(Behavior {
                scale_up: ScalingRules::new("scaleUp", behavior.scale_up.as_ref())?,
                scale_down: ScalingRules::new("scaleDown", behavior.scale_down.as_ref())?,
            })
        });
        let target = &spec.scale_target_ref;
        Ok(Self {
            reference: format!("{}/{namespace}/{}", target.kind, target.name).into(),
            metrics: metrics
                .map(|(index, metric)| Metric::new(namespace, index, metric).map(Arc::new))
                .collect::<Result<_, _>>()?,
            min_replicas: spec.min_replicas.unwrap_or(1),
            max_replicas: spec.max_replicas,
            behavior: behavior.transpose()?,
        })
    }

    /// The metrics, of which there is at least one.
    pub fn metrics(&self) -> &[Arc<Metric>] {
        &self.metrics
    }

    /// Upstream: `hasObjectOrExternalMetrics`.
    pub(super) fn has_object_or_external_metrics(&self) -> bool {
        self.metrics
            .iter()
            .any(|metric| matches!(metric.source, Source::Object { .. } | Source::External { .. }))
    }
}

/// One metric of an HPA.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Where its value comes from.
    pub source: Source,
    /// What its value is compared with.
    pub target: Target,
    pub(super) namespace: String,
    /// How conditions and Events name it.
    pub(super) description: String,
}

/// Where a metric's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The kubelets, for whole pods.
    Resource {
        /// `cpu`, `memory` and so on.
        resource: String,
    },
    /// The kubelets, for one container of each pod.
    ContainerResource {
        /// `cpu`, `memory` and so on.
        resource: String,
        /// The container's name.
        container: String,
    },
    /// The custom metrics API, for each pod.
    Pods {
        /// The metric's name.
        metric: String,
        /// Which of its series.
        selector: Option<LabelSelector>,
    },
    /// The custom metrics API, for one object.
    Object {
        /// The object.
        object: CrossVersionObjectReference,
        /// The metric's name.
        metric: String,
        /// Which of its series.
        selector: Option<LabelSelector>,
    },
    /// The external metrics API: what KEDA serves.
    External {
        /// The metric's name.
        metric: String,
        /// Which of its series.
        selector: Option<LabelSelector>,
    },
}

/// What a metric's value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The whole value.
    Value(Quantity),
    /// The value for each replica.
    AverageValue(Quantity),
    /// Percent of what the pods request.
    Utilization(i32),
    /// No target that the type of metric knows. Only the controller notices.
    Missing,
}

impl Metric {
    fn new(namespace: &str, index: usize, metric: MetricSpec) -> Result<Self, SpecError> {
        let MetricSpec {
            type_,
            container_resource,
            external,
            object,
            pods,
            resource,
        } = metric;
        let read = |target: &MetricTarget| Targets::new(&type_, index, target);
        let missing = |name| SpecError::MissingSource(index, name);
        let (source, target) = match type_.as_str() {
            "Resource" => {
                let found = resource.ok_or_else(|| missing("Resource"))?;
                let target = read(&found.target)?.resource();
                (Source::Resource { resource: found.name }, target)
            }
            "ContainerResource" => {
                let found = container_resource.ok_or_else(|| missing("ContainerResource"))?;
                let target = read(&found.target)?.resource();
                let source = Source::ContainerResource {
                    resource: found.name,
                    container: found.container,
                };
                (source, target)
            }
            "Pods" => {
                let found = pods.ok_or_else(|| missing("Pods"))?;
                let average = read(&found.target)?.average_value;
                let source = Source::Pods {
                    metric: found.metric.name,
                    selector: found.metric.selector,
                };
                (
                    source,
                    Target::AverageValue(average.ok_or(SpecError::MissingPodsTarget(index))?),
                )
            }
            "Object" => {
                let found = object.ok_or_else(|| missing("Object"))?;
                let target = read(&found.target)?.object(&found.target.type_);
                let source = Source::Object {
                    object: found.described_object,
                    metric: found.metric.name,
                    selector: found.metric.selector,
                };
                (source, target)
            }
            "External" => {
                let found = external.ok_or_else(|| missing("External"))?;
                let target = read(&found.target)?.external();
                let source = Source::External {
                    metric: found.metric.name,
                    selector: found.metric.selector,
                };
                (source, target)
            }
            _ => return Err(SpecError::UnknownMetricType(index, type_)),
        };
        Ok(Self {
            description: describe(&source, target),
            namespace: namespace.to_owned(),
            source,
            target,
        })
    }

    /// The resource of a metric that the kubelets measure.
    pub(super) fn resource(&self) -> Option<&str> {
        match &self.source {
            Source::Resource { resource } | Source::ContainerResource { resource, .. } => Some(resource),
            _ => None,
        }
    }

    /// Whether values print in Ki and Mi.
    ///
    /// Upstream: `buildQuantity`.
    pub(super) fn is_binary(&self) -> bool {
        self.resource() == Some("memory")
    }
}

fn describe(source: &Source, target: Target) -> String {
    let utilization = matches!(target, Target::Utilization(_));
    let (metric, selector) = match source {
        Source::ContainerResource { resource, .. } if utilization => {
            return format!("{resource} container resource utilization (percentage of request)");
        }
        Source::Resource { resource } if utilization => {
            return format!("{resource} resource utilization (percentage of request)");
        }
        Source::Resource { resource } | Source::ContainerResource { resource, .. } => {
            return format!("{resource} resource");
        }
        Source::Pods { metric, .. } => return format!("pods metric {metric}"),
        Source::Object { object, metric, .. } if matches!(target, Target::Value(_)) => {
            return format!("{} metric {metric}", object.kind);
        }
        Source::Object { metric, selector, .. } | Source::External { metric, selector } => (metric, selector),
    };
    // An average over an object is called external upstream, too.
    format!("external metric {metric}({})", go::selector(selector.as_ref()))
}

/// A target's fields, parsed; which of them counts depends on the type of metric.
struct Targets {
    value: Option<Quantity>,
    average_value: Option<Quantity>,
    utilization: Option<i32>,
}

impl Targets {
    fn new(type_: &str, index: usize, target: &MetricTarget) -> Result<Self, SpecError> {
        let field = format!(
            "metrics[{index}].{}{}.target",
            type_[..1].to_lowercase(),
            &type_[1..]
        );
        Ok(Self {
            value: parse_quantity(&format!("{field}.value"), target.value.as_ref())?,
            average_value: parse_quantity(&format!("{field}.averageValue"), target.average_value.as_ref())?,
            utilization: target.average_utilization,
        })
    }

    /// Upstream: `computeStatusForResourceMetricGeneric`.
    fn resource(&self) -> Target {
        let utilization = self.utilization.map_or(Target::Missing, Target::Utilization);
        self.average_value.map_or(utilization, Target::AverageValue)
    }

    /// Upstream: `computeStatusForExternalMetric`.
    fn external(&self) -> Target {
        let value = self.value.map_or(Target::Missing, Target::Value);
        self.average_value.map_or(value, Target::AverageValue)
    }

    /// Upstream: `computeStatusForObjectMetric`, which alone looks at the target's type.
    fn object(&self, type_: &str) -> Target {
        match (type_, self.value, self.average_value) {
            ("Value", Some(value), _) => Target::Value(value),
            ("AverageValue", _, Some(value)) => Target::AverageValue(value),
            _ => Target::Missing,
        }
    }
}

fn parse_quantity(path: &str, quantity: Option<&ApiQuantity>) -> Result<Option<Quantity>, SpecError> {
    let parse = |quantity: &ApiQuantity| {
        quantity.0.parse().map_err(|_| SpecError::Quantity {
            path: path.to_owned(),
            text: quantity.0.clone(),
        })
    };
    quantity.map(parse).transpose()
}

/// The pace in both directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Behavior {
    /// Scaling out.
    pub scale_up: ScalingRules,
    /// Scaling in.
    pub scale_down: ScalingRules,
}

/// The pace in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingRules {
    /// How long a recommendation counts, in seconds. Open only for scaling in: then the controller's flag holds.
    pub stabilization_window_seconds: Option<i32>,
    /// Which of the policies holds.
    pub select_policy: SelectPolicy,
    /// How much may change how fast.
    pub policies: Vec<Policy>,
    /// How far from 1 a ratio may be before anything happens; otherwise the controller's flag.
    pub tolerance: Option<f64>,
}

impl ScalingRules {
    fn new(direction: &'static str, rules: Option<&HPAScalingRules>) -> Result<Self, SpecError> {
        let rules = rules.cloned().unwrap_or_default();
        let select_policy = match rules.select_policy.as_deref() {
            Some("Max") | None => SelectPolicy::Max,
            Some("Min") => SelectPolicy::Min,
            Some("Disabled") => SelectPolicy::Disabled,
            Some(other) => return Err(SpecError::UnknownSelectPolicy(direction, other.to_owned())),
        };
        let mut policies = Vec::new();
        for policy in rules.policies.iter().flatten() {
            policies.push(Policy {
                type_: match policy.type_.as_str() {
                    "Pods" => PolicyType::Pods,
                    "Percent" => PolicyType::Percent,
                    other => return Err(SpecError::UnknownPolicyType(direction, other.to_owned())),
                },
                value: policy.value,
                period_seconds: policy.period_seconds,
            });
        }
        let tolerance = parse_quantity(
            &format!("behavior.{direction}.tolerance"),
            rules.tolerance.as_ref(),
        )?;
        Ok(Self {
            stabilization_window_seconds: rules.stabilization_window_seconds,
            select_policy,
            policies,
            tolerance: tolerance.map(Quantity::approximate_f64),
        })
    }
}

/// Which policy holds when there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that allows most.
    Max,
    /// The one that allows least.
    Min,
    /// None: there is no scaling in this direction.
    Disabled,
}

/// How much may change within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What `value` counts.
    pub type_: PolicyType,
    /// Replicas or percent.
    pub value: i32,
    /// The period, in seconds.
    pub period_seconds: i32,
}

/// What the value of a policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyType {
    /// Replicas.
    Pods,
    /// Percent of the replicas at the start of the period.
    Percent,
}
