//! Objects and questions that several scenarios share.

use std::time::Duration;

use anyhow::Result;
use harness::namespace::Namespace;
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

/// A bound for a cluster that hangs; scaling takes a few seconds on an idle machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// A Deployment of containers that do nothing, on the simulated nodes.
pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{
                        "name": "main",
                        "image": "registry.local/pause:1",
                        "resources": {"requests": {"cpu": "10m", "memory": "8Mi"}},
                    }],
                },
            },
        },
    })
}

/// A ScaledObject `so` on the Deployment `web` with one trigger and a quick pace, changed by `change`.
pub(crate) fn scaled_object(trigger: &Value, change: &Value) -> Value {
    let mut spec = json!({
        "scaleTargetRef": {"name": "web"},
        "pollingInterval": 1,
        "cooldownPeriod": 2,
        "maxReplicaCount": 5,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}},
        "triggers": [trigger],
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "so"}, "spec": spec})
}

/// Waits until the Deployment `web` is asked to have a number of replicas, and has them.
pub(crate) async fn replicas(ns: &Namespace, want: i64) -> Result<()> {
    wait_for(format!("{want} replicas"), DEADLINE, || async {
        let found = ns
            .cluster()
            .need("Deployment", ns.name(), "web")
            .await
            .map_err(|e| format!("{e:#}"))?;
        let now = found["status"]["replicas"].as_i64().unwrap_or(0);
        look(found["spec"]["replicas"] == want && now == want, || {
            format!("spec {} status {now}", found["spec"]["replicas"])
        })
    })
    .await
}
