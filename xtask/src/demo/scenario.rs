//! What the demo deploys: Redis, a worker at zero, a ScaledObject, and the Job that pushes.

use serde_json::{Value, json};

use super::place::Place;

/// Namespace of everything that the demo deploys.
pub(crate) const NAMESPACE: &str = "keda-demo";
/// The Deployment that is scaled.
pub(crate) const WORKER: &str = "worker";
const LIST: &str = "jobs";
const REDIS: &str = "redis.keda-demo.svc.cluster.local:6379";

/// The demo's objects in one place.
pub(crate) struct Scenario<'a> {
    place: &'a Place,
}

impl<'a> Scenario<'a> {
    pub(crate) fn new(place: &'a Place) -> Self {
        Self { place }
    }

    /// Applies everything and waits until Redis answers and the ScaledObject is ready.
    pub(crate) fn deploy(&self) -> anyhow::Result<()> {
        self.place
            .apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }))?;
        for object in [self.redis(), service(), self.worker(), scaled_object()] {
            self.place.apply(&object)?;
        }
        let wait = |what: &str, condition: &str| {
            self.place.run(&[
                "wait",
                what,
                "--for",
                condition,
                "--timeout=120s",
                "--namespace",
                NAMESPACE,
            ])
        };
        wait("deployment/redis", "condition=Available")?;
        wait("scaledobject/worker", "condition=Ready")
    }

    /// Takes the adapter away, so that the HPA sees no metric.
    pub(crate) fn stop_adapter(&self) -> anyhow::Result<()> {
        self.place.run(&[
            "scale",
            "deployment/keda-metrics-apiserver",
            "--replicas=0",
            "--namespace",
            "keda",
        ])?;
        let selector = "app.kubernetes.io/name=keda-metrics-apiserver";
        self.place.run(&[
            "wait",
            "pod",
            "--selector",
            selector,
            "--for=delete",
            "--timeout=120s",
            "--namespace",
            "keda",
        ])
    }

    /// Pushes from inside the cluster.
    pub(crate) fn push(&self, count: u32) -> anyhow::Result<()> {
        let container = json!({
            "name": "push",
            "image": self.place.image("workload"),
            "imagePullPolicy": "IfNotPresent",
            "args": ["push", "--redis", REDIS, "--list", LIST, "--count", count.to_string()],
            "securityContext": security(),
        });
        self.place.create(&json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "generateName": "push-", "namespace": NAMESPACE },
            "spec": {
                "backoffLimit": 2,
                "ttlSecondsAfterFinished": 600,
                "template": { "spec": { "restartPolicy": "Never", "containers": [container] } },
            },
        }))
    }

    fn redis(&self) -> Value {
        let container = json!({
            "name": "redis",
            "image": self.place.image("redis"),
            "imagePullPolicy": "IfNotPresent",
            "args": ["--save", "", "--protected-mode", "no"],
            "ports": [{ "containerPort": 6379 }],
            "readinessProbe": { "tcpSocket": { "port": 6379 }, "periodSeconds": 1 },
            "securityContext": security(),
        });
        deployment("redis", 1, &container)
    }

    fn worker(&self) -> Value {
        let container = json!({
            "name": "worker",
            "image": self.place.image("workload"),
            "imagePullPolicy": "IfNotPresent",
            "args": ["worker", "--redis", REDIS, "--list", LIST, "--job-milliseconds", "500"],
            "securityContext": security(),
        });
        deployment(WORKER, 0, &container)
    }
}

fn security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
    })
}

fn deployment(name: &str, replicas: u32, container: &Value) -> Value {
    let labels = json!({ "app": name });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "terminationGracePeriodSeconds": 3, "containers": [container] },
            },
        },
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "redis", "namespace": NAMESPACE },
        "spec": { "selector": { "app": "redis" }, "ports": [{ "port": 6379 }] },
    })
}

fn scaled_object() -> Value {
    let behavior = json!({ "scaleDown": { "stabilizationWindowSeconds": 5 } });
    json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": { "name": "worker", "namespace": NAMESPACE },
        "spec": {
            "scaleTargetRef": { "name": WORKER },
            "pollingInterval": 2,
            "cooldownPeriod": 5,
            "minReplicaCount": 0,
            "maxReplicaCount": 5,
            "advanced": { "horizontalPodAutoscalerConfig": { "behavior": behavior } },
            "triggers": [{
                "type": "redis",
                "metadata": { "address": REDIS, "listName": LIST, "listLength": "20" },
            }],
        },
    })
}
