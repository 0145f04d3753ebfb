//! `cpu` and `memory`: the HPA reads the kubelet's figures by itself.

use engine::diagnostic::{Diagnostic, FieldPath};
use engine::metric::{MetricTarget, MetricType, Resource, ResourceMetric};
use engine::quantity::Quantity;

use crate::metadata::Reader;
use crate::scaler::{Measured, ScalerType};
use scalers_derive::TriggerMetadata;

pub(super) const CPU: ScalerType = ScalerType::measured::<Cpu>(
    "cpu",
    "Processor time of the pods, as the HPA measures it",
    "{ value: \"60\" }",
)
.noting(NOTES);

pub(super) const MEMORY: ScalerType = ScalerType::measured::<Memory>(
    "memory",
    "Memory of the pods, as the HPA measures it",
    "{ value: \"60\" }",
)
.noting(NOTES);

const NOTES: &str = "The trigger's `metricType` must be given: `Utilization` (percent of the request) or \
    `AverageValue` (a quantity). A ScaledObject whose only triggers are `cpu` and `memory` cannot scale to zero.";

/// Settings of a `cpu` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct Cpu {
    /// Settings that both types have.
    #[keda(block)]
    measured: Usage,
}

/// Settings of a `memory` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct Memory {
    /// Settings that both types have.
    #[keda(block)]
    measured: Usage,
}

/// What both types can be told.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct Usage {
    /// How the target was once chosen.
    #[keda(name = "type", removed = "set the trigger's `metricType`")]
    removed_type: Option<String>,
    /// The target: whole percent of the request for `Utilization`, a quantity for `AverageValue`.
    value: String,
    /// The one container that counts, in place of the whole pod.
    container_name: Option<String>,
}

impl Measured for Cpu {
    fn resource(&self, reader: &mut Reader<'_>) -> Option<ResourceMetric> {
        self.measured.metric(Resource::Cpu, reader)
    }
}

impl Measured for Memory {
    fn resource(&self, reader: &mut Reader<'_>) -> Option<ResourceMetric> {
        self.measured.metric(Resource::Memory, reader)
    }
}

impl Usage {
    fn metric(&self, resource: Resource, reader: &mut Reader<'_>) -> Option<ResourceMetric> {
        let input = reader.input();
        let kind = match MetricType::for_resource(input.metric_type.as_deref()) {
            Ok(kind) => kind,
            Err(error) => {
                let path = FieldPath::trigger(input.index).field("metricType");
                let finding = Diagnostic::error("bad-metric-type", path, error.to_string());
                reader.push(finding.with_help("write `metricType: Utilization` beside `type`"));
                return None;
            }
        };
        let target = self.target(kind).or_else(|| {
            let rule = match kind {
                MetricType::Utilization => "whole percent, as in `60`",
                MetricType::AverageValue | MetricType::Value => "a quantity, as in `500m` or `1Gi`",
            };
            reader.error("value", format!("`value` must be {rule}, not `{}`", self.value));
            None
        })?;
        Some(ResourceMetric {
            resource,
            container: self.container_name.clone(),
            target,
        })
    }

    fn target(&self, kind: MetricType) -> Option<MetricTarget> {
        match kind {
            // Go's `strconv.ParseInt(value, 10, 32)`.
            MetricType::Utilization => self.value.parse().ok().map(MetricTarget::Utilization),
            MetricType::AverageValue | MetricType::Value => self
                .value
                .parse::<Quantity>()
                .ok()
                .map(MetricTarget::AverageValue),
        }
    }
}
