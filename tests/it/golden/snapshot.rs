//! What a namespace looks like now, in the form of the recordings.

use anyhow::Result;
use harness::namespace::Namespace;
use serde_json::{Value, json};

/// The controller that KEDA's Events name.
const REPORTER: &str = "keda-operator";

/// Reads everything that a snapshot holds.
pub(crate) async fn take(namespace: &Namespace) -> Result<Value> {
    let cluster = namespace.cluster();
    let list = async |kind: &str| cluster.list(kind, namespace.name()).await;
    let mut targets = list("Deployment").await?;
    targets.extend(list("StatefulSet").await?);
    let events: Vec<Value> = list("Event")
        .await?
        .iter()
        .filter(|e| e["reportingController"] == REPORTER)
        .map(event)
        .collect();
    Ok(json!({
        "scaledobjects": list("ScaledObject").await?,
        "scaledjobs": list("ScaledJob").await?,
        "hpas": list("HorizontalPodAutoscaler").await?,
        "triggerauthentications": list("TriggerAuthentication").await?,
        "jobs": list("Job").await?,
        "targets": targets.iter().map(target).collect::<Vec<_>>(),
        "events_keda": events,
    }))
}

fn target(object: &Value) -> Value {
    // A list leaves the kind of its items out; only StatefulSets have a service name.
    let kind = if object["spec"]["serviceName"].is_null() {
        "Deployment"
    } else {
        "StatefulSet"
    };
    json!({
        "kind": kind,
        "name": object["metadata"]["name"],
        "spec.replicas": object["spec"]["replicas"],
        "status.replicas": object["status"]["replicas"].as_i64().unwrap_or(0),
    })
}

fn event(event: &Value) -> Value {
    let regarding = &event["regarding"];
    let part = |key: &str| regarding[key].as_str().unwrap_or_default().to_owned();
    json!({
        "type": event["type"],
        "reason": event["reason"],
        "note": event["note"],
        "reportingController": REPORTER,
        "regarding": format!("{} {}/{}", part("apiVersion"), part("kind"), part("name")),
    })
}
