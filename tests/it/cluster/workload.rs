//! `kubernetes-workload`: pods scale pods.

use std::collections::BTreeSet;

use anyhow::Result;
use harness::keda::Keda;
use harness::namespace::with_namespace;
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

use super::scaling::condition_is;
use crate::scenario::{DEADLINE, deployment, replicas, scaled_object};

fn trigger(settings: &Value) -> Value {
    let mut metadata = json!({"podSelector": "app in (load)", "value": "2"});
    for (key, value) in settings.as_object().into_iter().flatten() {
        metadata[key] = value.clone();
    }
    json!({"type": "kubernetes-workload", "metadata": metadata})
}

/// A pod that no scheduler takes.
fn waiting(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "load"}},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": "registry.local/pause:1"}]},
    })
}

pub(crate) async fn pods_and_nodes() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    with_namespace(bed, "workload", async |ns| {
        let cluster = ns.cluster();
        ns.create_object(&deployment("web", 0)).await?;
        ns.create_object(&deployment("load", 0)).await?;
        ns.create_object(&scaled_object(&trigger(&json!({})), &json!({})))
            .await?;
        condition_is(ns, "Active", "False").await?;
        replicas(ns, 0).await?;

        let load = |count: u32| json!({"spec": {"replicas": count}});
        cluster
            .merge_patch("Deployment", ns.name(), "load", &load(4))
            .await?;
        replicas(ns, 2).await?;
        // Pods that wait for a node count; those that have ended do not.
        for name in ["first", "second"] {
            ns.create_object(&waiting(name)).await?;
        }
        replicas(ns, 3).await?;
        for (name, phase) in [("first", "Succeeded"), ("second", "Failed")] {
            let ended = json!({"status": {"phase": phase}});
            cluster
                .merge_patch("Pod", ns.name(), &format!("{name}/status"), &ended)
                .await?;
        }
        replicas(ns, 2).await?;

        // On how many nodes they are is for the scheduler to say.
        let nodes = wait_for("a node for every pod", DEADLINE, || async {
            let pods = cluster
                .list("Pod", ns.name())
                .await
                .map_err(|e| format!("{e:#}"))?;
            let mut nodes = BTreeSet::new();
            for pod in pods
                .iter()
                .filter(|pod| pod["metadata"]["labels"]["app"] == "load")
            {
                if pod["spec"]["schedulerName"] == "nobody" {
                    continue;
                }
                let node = pod["spec"]["nodeName"].as_str().ok_or("a pod waits for a node")?;
                nodes.insert(node.to_owned());
            }
            look(!nodes.is_empty(), || "no pods".to_owned()).map(|()| nodes)
        })
        .await?;
        let by_node = trigger(&json!({"groupByNode": "true", "value": "1"}));
        let spec = json!({"spec": {"triggers": [by_node]}});
        cluster
            .merge_patch("ScaledObject", ns.name(), "so", &spec)
            .await?;
        replicas(ns, i64::try_from(nodes.len())?.min(5)).await?;
        cluster
            .merge_patch("Deployment", ns.name(), "load", &load(0))
            .await?;
        replicas(ns, 0).await
    })
    .await
}
