//! How objects are read and written.

use serde_json::json;

use crate::{
    AuthenticationKind, ClusterTriggerAuthentication, Condition, ConditionStatus, ConditionType,
    FallbackBehavior, IdentityProvider, OAuth2Type, ScaledJob, ScaledObject, ScaledObjectSpec,
    TriggerAuthentication, find_condition,
};

fn scaled_object(extra: &serde_json::Value) -> serde_json::Value {
    let mut object = json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": { "name": "orders", "namespace": "shop" },
        "spec": {
            "scaleTargetRef": { "name": "orders" },
            "triggers": [{ "type": "cron", "metadata": { "desiredReplicas": "3" } }],
        },
    });
    for (name, value) in extra.as_object().into_iter().flatten() {
        object["spec"][name] = value.clone();
    }
    object
}

#[test]
fn writes_only_what_was_given() {
    let text = scaled_object(&json!({}));
    let object: ScaledObject = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(serde_json::to_value(object).unwrap(), text);
}

#[test]
fn reads_an_object_with_fields_of_another_version() {
    let object: ScaledObject = serde_json::from_value(scaled_object(&json!({
        "scaleMode": "new",
        "fallback": { "failureThreshold": 3, "replicas": 6, "behavior": "median" },
    })))
    .unwrap();
    let behavior = object.spec.fallback.unwrap().behavior.unwrap();
    assert_eq!(behavior, FallbackBehavior::Other("median".to_owned()));
    assert_eq!(serde_json::to_value(behavior).unwrap(), "median");
}

#[test]
fn reads_null_as_absent() {
    let object: ScaledObject = serde_json::from_value(scaled_object(
        &json!({ "maxReplicaCount": null, "advanced": null }),
    ))
    .unwrap();
    assert_eq!(
        (object.spec.max_replica_count, object.spec.advanced),
        (None, None)
    );
}

#[test]
fn reads_the_status_that_keda_writes() {
    let mut text = scaled_object(&json!({}));
    text["status"] = json!({
        "conditions": [
            { "type": "Ready", "status": "True", "reason": "ScaledObjectReady", "message": "fine" },
            { "type": "Paused", "status": "Unknown" },
        ],
        "scaleTargetGVKR": { "group": "apps", "version": "v1", "kind": "Deployment", "resource": "deployments" },
        "health": { "s0-redis-jobs": { "numberOfFailures": 2, "status": "Failing" } },
        "lastActiveTime": "2026-03-01T10:00:00Z",
        "authenticationsTypes": "redis-auth",
        "triggersActivity": { "s0-redis-jobs": { "isActive": true } },
    });
    let object: ScaledObject = serde_json::from_value(text.clone()).unwrap();
    let status = object.status.clone().unwrap();
    assert!(
        find_condition(&status.conditions, &ConditionType::Ready)
            .unwrap()
            .is_true()
    );
    let paused = Condition::unknown(ConditionType::Paused, "", "");
    assert_eq!(
        find_condition(&status.conditions, &ConditionType::Paused),
        Some(&paused)
    );
    assert_eq!(paused.status, ConditionStatus::Unknown);
    assert_eq!(serde_json::to_value(object).unwrap(), text);
}

#[test]
fn an_authentication_reference_without_kind_means_the_namespaced_one() {
    for (kind, wanted) in [
        (json!(null), AuthenticationKind::TriggerAuthentication),
        (json!(""), AuthenticationKind::TriggerAuthentication),
        (
            json!("ClusterTriggerAuthentication"),
            AuthenticationKind::ClusterTriggerAuthentication,
        ),
        (json!("Vault"), AuthenticationKind::Other("Vault".to_owned())),
    ] {
        let triggers = json!([{
            "type": "redis", "metadata": {}, "authenticationRef": { "name": "a", "kind": kind },
        }]);
        let object: ScaledObject =
            serde_json::from_value(scaled_object(&json!({ "triggers": triggers }))).unwrap();
        assert_eq!(
            object.spec.triggers[0]
                .authentication_ref
                .as_ref()
                .unwrap()
                .kind(),
            wanted
        );
    }
}

#[test]
fn the_cluster_kind_has_the_same_spec() {
    let spec = json!({
        "podIdentity": { "provider": "aws", "roleArn": "arn:aws:iam::1:role/reader", "identityOwner": "workload" },
        "secretTargetRef": [{ "parameter": "password", "name": "redis", "key": "password" }],
        "oauth2": { "tokenUrl": "https://id.example/token", "clientId": "keda" },
    });
    let object = |kind: &str| json!({ "apiVersion": "keda.sh/v1alpha1", "kind": kind, "metadata": { "name": "a" }, "spec": spec });
    let one: TriggerAuthentication = serde_json::from_value(object("TriggerAuthentication")).unwrap();
    let all: ClusterTriggerAuthentication =
        serde_json::from_value(object("ClusterTriggerAuthentication")).unwrap();
    assert_eq!(one.spec, all.spec.0);
    assert_eq!(
        one.spec.pod_identity.as_ref().unwrap().provider,
        IdentityProvider::Aws
    );
    // The API server fills this default in; a file that never saw it has to read the same.
    assert_eq!(
        one.spec.oauth2.as_ref().unwrap().type_,
        OAuth2Type::ClientCredentials
    );
    assert_eq!(
        serde_json::to_value(&all).unwrap()["spec"]["secretTargetRef"],
        spec["secretTargetRef"]
    );
}

#[test]
fn a_job_template_survives_the_round_trip() {
    let text = json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledJob",
        "metadata": { "name": "mails" },
        "spec": {
            "jobTargetRef": { "template": { "spec": {
                "containers": [{ "name": "send", "image": "mail:1", "resources": { "limits": { "cpu": "1" } } }],
                "restartPolicy": "Never",
            } } },
            "scalingStrategy": { "strategy": "eager", "pendingPodConditions": ["Ready"] },
            "triggers": [{ "type": "redis", "metadata": { "listName": "mails" } }],
        },
    });
    let object: ScaledJob = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(serde_json::to_value(object).unwrap(), text);
}

#[test]
fn a_wrong_type_names_the_field() {
    let error = serde_json::from_value::<ScaledObjectSpec>(json!({ "triggers": [] })).unwrap_err();
    assert!(error.to_string().contains("scaleTargetRef"), "{error}");
}
