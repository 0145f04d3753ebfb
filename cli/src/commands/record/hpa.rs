//! cpu and memory: what the HPA of the object measured last, in the unit in which `simulate` takes it.

use crds::ScaledObject;
use engine::quantity::Quantity;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, MetricStatus, MetricValueStatus};
use kube::Api;

use super::column::Column;
use crate::commands::dry_run::sources::stored;
use crate::exit;
use crate::kubeconfig::Cluster;
use crate::observe::api::hpa_name;

/// The HPA of an object.
pub(super) struct Hpa {
    api: Api<HorizontalPodAutoscaler>,
    cluster: Cluster,
    name: String,
    object: ScaledObject,
}

/// What an HPA says at one moment, or why it says nothing.
pub(super) type Measured = Result<HorizontalPodAutoscaler, String>;

impl Hpa {
    /// Finds the HPA; it must be there.
    pub(super) async fn find(cluster: Cluster, namespace: &str, name: &str) -> Result<Self, String> {
        let object = stored(&cluster, namespace, name).await;
        let object = object.map_err(|failure| exit::chain(&failure))?;
        let hpa = Self {
            api: Api::namespaced(cluster.client.clone(), namespace),
            name: hpa_name(&object),
            cluster,
            object,
        };
        hpa.look().await?;
        Ok(hpa)
    }

    /// Looks at it.
    pub(super) async fn look(&self) -> Measured {
        let found = self.api.get(&self.name).await;
        found.map_err(|error| exit::chain(&self.cluster.failed(&format!("get hpa {}", self.name), error)))
    }

    /// What it measured for a column.
    pub(super) fn value(&self, column: &Column, hpa: &Measured) -> Result<f64, String> {
        let status = hpa.as_ref().map_err(Clone::clone)?.status.as_ref();
        let trigger = self.object.spec.triggers.get(column.trigger);
        let container = trigger.and_then(|trigger| trigger.metadata.get("containerName"));
        let container = container.filter(|name| !name.is_empty());
        let all = status.and_then(|status| status.current_metrics.as_ref());
        let mut all = all.into_iter().flatten();
        let current = all.find_map(|metric| current(metric, &column.metric, container.map(String::as_str)));
        current.and_then(number).ok_or_else(|| {
            let conditions = status.and_then(|status| status.conditions.as_ref());
            let mut conditions = conditions.into_iter().flatten();
            // At 0 replicas, or without a metrics server, it says here why it measured nothing.
            let idle =
                conditions.find(|condition| condition.type_ == "ScalingActive" && condition.status != "True");
            let why = idle.and_then(|condition| condition.message.clone());
            format!(
                "the HPA {} measured nothing{}",
                self.name,
                why.map_or(String::new(), |why| format!(": {why}"))
            )
        })
    }
}

/// The value of a resource: of the pod, or of the container that is named.
fn current<'a>(
    status: &'a MetricStatus,
    resource: &str,
    container: Option<&str>,
) -> Option<&'a MetricValueStatus> {
    match container {
        None => {
            let own = status.resource.as_ref().filter(|own| own.name == resource)?;
            Some(&own.current)
        }
        Some(container) => {
            let own = status.container_resource.as_ref();
            let own = own.filter(|own| own.name == resource && own.container == container)?;
            Some(&own.current)
        }
    }
}

/// Percent where the HPA reckons in percent, else the average of a pod.
fn number(value: &MetricValueStatus) -> Option<f64> {
    if let Some(percent) = value.average_utilization {
        return Some(f64::from(percent));
    }
    let quantity: Quantity = value.average_value.as_ref()?.0.parse().ok()?;
    Some(quantity.to_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(value: Value) -> MetricStatus {
        serde_json::from_value(value).expect("is a metric")
    }

    #[test]
    fn percent_and_averages_are_told_apart() {
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 63, "averageValue": "158m"}}});
        let memory = json!({"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "1536Ki"}}});
        let sidecar = json!({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "proxy", "current": {"averageValue": "250m"}}});
        for (of, resource, container, want) in [
            (&cpu, "cpu", None, Some(63.0)),
            (&memory, "memory", None, Some(1_572_864.0)),
            (&sidecar, "cpu", Some("proxy"), Some(0.25)),
            (&cpu, "memory", None, None),
            (&cpu, "cpu", Some("proxy"), None),
            (&sidecar, "cpu", None, None),
            (&sidecar, "cpu", Some("main"), None),
        ] {
            let found = status(of.clone());
            let found = current(&found, resource, container).and_then(number);
            assert_eq!(found, want, "{of} {resource} {container:?}");
        }
    }
}
