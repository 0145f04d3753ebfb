mod pace;
mod properties;
mod replicas;
mod spec;
mod sync;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

/// Seconds after the start, as a time.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

/// A spec with bounds of 1 and 10; `change` overwrites its fields.
fn spec(metrics: &Value, change: &Value) -> Spec {
    let mut spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 10,
        "metrics": metrics,
    });
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    Spec::new("shop", &serde_json::from_value(spec).unwrap()).unwrap()
}

fn external(kind: &str, target: &str) -> Value {
    let field = if kind == "Value" { "value" } else { "averageValue" };
    json!({"type": "External", "external": {"metric": {"name": "jobs"}, "target": {"type": kind, field: target}}})
}

fn cpu(percent: i32) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": percent});
    json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
}

const REQUESTS: &[Request<'_>] = &[
    Request {
        resource: "cpu",
        milli: 100,
    },
    Request {
        resource: "memory",
        milli: 1_048_576_000,
    },
];

const CONTAINERS: &[Container<'_>] = &[Container {
    name: "app",
    requests: REQUESTS,
}];

/// A pod that has been ready for long at second 0.
fn pod(name: &str) -> Pod<'_> {
    Pod {
        name,
        phase: Phase::Running,
        deleted: false,
        start_time: Some(at(-10_000)),
        ready: Some(Ready {
            status: ReadyStatus::True,
            since: at(-9_000),
        }),
        containers: CONTAINERS,
        pod_requests: None,
    }
}

/// A value of a pod, measured just now.
fn measured(pod: &str, value: i64) -> PodMetric<'_> {
    PodMetric {
        pod,
        value,
        timestamp: at(0),
        window: Duration::from_secs(30),
    }
}

fn world<'a>(replicas: i32, pods: &'a [Pod<'a>], metrics: &'a [Reading<'a>]) -> World<'a> {
    World {
        scale: Ok(Scale {
            replicas,
            status_replicas: replicas,
        }),
        update: Ok(()),
        pods,
        metrics,
    }
}
