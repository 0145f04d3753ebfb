//! What people read while an installation does not get ready.
#![expect(clippy::needless_pass_by_value, reason = "the callers write `json!` in place")]

use serde_json::{Value, json};

use super::*;

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn deployed(name: &str, available: i32, conditions: Value) -> Deployment {
    read(json!({
        "metadata": { "name": name, "generation": 1 },
        "spec": { "replicas": 1, "selector": {}, "template": {} },
        "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available,
            "conditions": conditions,
        },
    }))
}

fn available() -> APIService {
    api(json!({ "type": "Available", "status": "True", "reason": "Passed", "message": "all checks passed" }))
}

fn api(condition: Value) -> APIService {
    read(json!({ "metadata": {}, "status": { "conditions": [condition] } }))
}

fn pod(status: Value) -> Pod {
    read(
        json!({ "metadata": { "name": "keda-operator-1", "labels": { "app": "keda-operator" } }, "status": status }),
    )
}

fn waiting_container(reason: &str, message: &str) -> Value {
    json!({ "containerStatuses": [{
        "name": "keda-operator", "image": "registry.example/keda/controller:9", "imageID": "", "ready": false,
        "restartCount": 0, "state": { "waiting": { "reason": reason, "message": message } },
    }] })
}

/// An installation whose controller has one pod in that state.
fn with_pod(status: Value, events: Value) -> Vec<Missing> {
    missing(&Seen {
        deployments: vec![
            deployed(names::OPERATOR, 0, json!([])),
            deployed(names::ADAPTER, 1, json!([])),
        ],
        pods: vec![pod(status)],
        events: read(events),
        api_service: Some(available()),
    })
}

#[track_caller]
fn says(missing: &[Missing], why: &str, help: &str) {
    assert_eq!(missing.len(), 1, "{missing:#?}");
    assert!(missing[0].why.contains(why), "{:#?}", missing[0]);
    assert!(
        missing[0].help.as_deref().unwrap_or_default().contains(help),
        "{:#?}",
        missing[0]
    );
    assert_eq!(missing[0].trouble, !help.is_empty(), "{:#?}", missing[0]);
}

#[test]
fn a_ready_installation_misses_nothing() {
    let seen = Seen {
        deployments: vec![
            deployed(names::OPERATOR, 1, json!([])),
            deployed(names::ADAPTER, 1, json!([])),
        ],
        api_service: Some(available()),
        ..Seen::default()
    };
    assert_eq!(missing(&seen), []);
}

#[test]
fn an_old_replica_set_is_not_the_new_version() {
    let mut operator = deployed(names::OPERATOR, 1, json!([]));
    operator.metadata.generation = Some(2);
    let seen = Seen {
        deployments: vec![operator, deployed(names::ADAPTER, 1, json!([]))],
        api_service: Some(available()),
        ..Seen::default()
    };
    says(&missing(&seen), "1 of 1 available", "");
}

#[test]
fn names_an_image_that_cannot_be_pulled() {
    let text = "failed to resolve reference: no such host";
    let missing = with_pod(waiting_container("ErrImagePull", text), json!([]));
    says(
        &missing,
        "ErrImagePull: registry.example/keda/controller:9: failed to resolve",
        "--registry",
    );
    assert_eq!(missing[0].what, "deployment.apps/keda-operator");
}

#[test]
fn names_why_a_pod_is_pending() {
    let status = json!({ "phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory.",
    }] });
    says(
        &with_pod(status, json!([])),
        "is Pending: 0/1 nodes are available: 1 Insufficient memory.",
        "node",
    );
}

#[test]
fn names_a_quota() {
    let text = "pods \"keda-operator-1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1";
    let conditions =
        json!([{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": text }]);
    let seen = Seen {
        deployments: vec![
            deployed(names::OPERATOR, 0, conditions),
            deployed(names::ADAPTER, 1, json!([])),
        ],
        api_service: Some(available()),
        ..Seen::default()
    };
    says(&missing(&seen), "exceeded quota: small", "ResourceQuota");
}

#[test]
fn names_a_pod_that_keeps_ending() {
    let mut status = waiting_container("CrashLoopBackOff", "back-off 10s");
    status["containerStatuses"][0]["lastState"] = json!({ "terminated": { "exitCode": 5 } });
    says(
        &with_pod(status, json!([])),
        "CrashLoopBackOff: exit code 5",
        "kubectl logs keda-operator-1 --previous",
    );
}

#[test]
fn a_volume_that_is_not_there_is_named_and_our_own_secret_is_waited_for() {
    let event = |text: &str| {
        json!([{
            "metadata": {}, "reason": "FailedMount", "message": text, "type": "Warning",
            "involvedObject": { "kind": "Pod", "name": "keda-operator-1" },
            "lastTimestamp": "2026-03-01T10:00:00Z",
        }])
    };
    let creating = || waiting_container("ContainerCreating", "");
    says(
        &with_pod(creating(), event("no such volume")),
        "FailedMount: no such volume",
        "describe pod",
    );
    let secret = "MountVolume.SetUp failed for volume \"certificates\" : secret \"kedaorg-certs\" not found";
    says(
        &with_pod(creating(), event(secret)),
        "waits until the controller writes",
        "",
    );
}

#[test]
fn names_what_the_api_server_says_of_a_dead_api_service() {
    let condition = json!({
        "type": "Available", "status": "False", "reason": "FailedDiscoveryCheck",
        "message": "failing or missing response from https://10.0.0.5:6443: connection refused",
    });
    let seen = Seen {
        deployments: vec![
            deployed(names::OPERATOR, 1, json!([])),
            deployed(names::ADAPTER, 1, json!([])),
        ],
        api_service: Some(api(condition)),
        ..Seen::default()
    };
    says(
        &missing(&seen),
        "FailedDiscoveryCheck: failing or missing response",
        "port 6443",
    );
}

#[test]
fn what_is_not_there_is_said() {
    let missing = missing(&Seen::default());
    let lines: Vec<String> = missing
        .iter()
        .map(|one| format!("{} {}", one.what, one.why))
        .collect();
    assert_eq!(
        lines,
        [
            "deployment.apps/keda-operator is not there",
            "deployment.apps/keda-metrics-apiserver is not there",
            "apiservice/v1beta1.external.metrics.k8s.io is not there",
        ]
    );
}
