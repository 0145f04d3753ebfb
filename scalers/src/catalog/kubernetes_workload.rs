//! `kubernetes-workload`: scales on the number of pods that labels select.

mod selector;

use scalers_derive::TriggerMetadata;

use crate::connect::PodQuery;
use crate::metadata::Reader;
use crate::scaler::{Metric, Reading, ScalerType, Target, Trigger};
use crate::source::kubernetes::{Kubernetes, ThisCluster};
use crate::{ScalerError, TriggerInput};

pub(super) const KUBERNETES_WORKLOAD: ScalerType = ScalerType::new::<Workload>(
    "kubernetes-workload",
    "Number of pods in the namespace of the object",
    "{ podSelector: \"app=shop,tier in (web, api)\", value: \"2\" }",
)
.noting(NOTES);

const NOTES: &str = "Pods that have ended, by the phases `Succeeded` and `Failed`, do not count; pods that wait for a node do, \
    unless nodes are counted. The API server is asked anew for each reading, equal questions together.";

/// Settings of a `kubernetes-workload` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct Workload {
    /// Label selector of the pods, in the form of `kubectl get --selector`.
    pod_selector: String,
    /// Pods, or nodes, for each replica.
    #[keda(target)]
    value: f64,
    /// Number above which the trigger is active.
    #[keda(default = "0")]
    activation_value: f64,
    /// Whether to count the nodes that the pods are on in place of the pods.
    #[keda(default = "false")]
    group_by_node: bool,
    #[keda(skip)]
    namespace: String,
}

impl Trigger for Workload {
    type Source = Kubernetes;

    fn bind(&mut self, input: &TriggerInput) {
        self.namespace.clone_from(&input.object.namespace);
    }

    fn check(&self, reader: &mut Reader<'_>) {
        if let Err(wrong) = selector::check(&self.pod_selector) {
            reader.error(
                "podSelector",
                format!("`podSelector` is no label selector: {wrong}"),
            );
        }
        if self.value < 0.0 && !reader.input().as_metric_source {
            reader.error("value", "`value` must be above 0");
        }
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let name = format!("workload-{}", self.namespace);
        let metric = Metric::new(name, Target::Fraction(self.value));
        Some(vec![metric.active_above(self.activation_value)])
    }

    fn source(&self) -> ThisCluster {
        ThisCluster
    }

    fn question(&self, _metric: &str) -> Result<PodQuery, ScalerError> {
        Ok(PodQuery {
            namespace: self.namespace.clone(),
            selector: self.pod_selector.clone(),
            by_node: self.group_by_node,
        })
    }

    fn read_answer(&self, answer: &u64) -> Result<Vec<Reading>, ScalerError> {
        Ok(vec![Reading::from(*answer as f64)])
    }
}

#[cfg(test)]
mod tests;
