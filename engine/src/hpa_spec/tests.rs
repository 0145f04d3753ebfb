//! Table cases of HPA construction and comparison. Recorded HPAs are compared in `tests/it/goldens.rs`.

use serde_json::{Value, json};

use super::*;
use crate::desired::validate;
use crate::metric::{MetricName, Resource};

fn want(meta: &Value, spec: &Value) -> Desired {
    let mut object = json!({
        "metadata": { "name": "so", "namespace": "ns", "uid": "UID" },
        "spec": { "scaleTargetRef": { "name": "web" }, "triggers": [{ "type": "redis", "metadata": {} }] },
    });
    for (part, fields) in [("metadata", meta), ("spec", spec)] {
        object[part]
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
    }
    validate(&serde_json::from_value(object).unwrap()).unwrap()
}

fn deployment() -> GroupVersionKindResource {
    GroupVersionKindResource {
        group: "apps".to_owned(),
        version: "v1".to_owned(),
        kind: "Deployment".to_owned(),
        resource: "deployments".to_owned(),
    }
}

fn redis(index: usize) -> TriggerMetrics {
    TriggerMetrics::external(
        MetricName::indexed(index, "redis"),
        MetricTarget::AverageValue(Quantity::from_i64(5)),
    )
}

fn cpu(container: Option<&str>) -> TriggerMetrics {
    TriggerMetrics::Resource(ResourceMetric {
        resource: Resource::Cpu,
        container: container.map(str::to_owned),
        target: MetricTarget::Utilization(50),
    })
}

fn built(meta: &Value, spec: &Value) -> HorizontalPodAutoscaler {
    build(&want(meta, spec), &deployment(), &[redis(0)], "v").unwrap()
}

#[test]
fn metrics_are_sorted_by_source_type() {
    let metrics = [cpu(None), redis(1), cpu(Some("main")), redis(3)];
    let hpa = build(&want(&json!({}), &json!({})), &deployment(), &metrics, "v").unwrap();
    let types: Vec<String> = hpa
        .spec
        .metrics
        .unwrap()
        .into_iter()
        .map(|metric| metric.type_)
        .collect();
    assert_eq!(types, ["ContainerResource", "External", "External", "Resource"]);
    assert_eq!(
        metric_names(&metrics),
        (
            vec!["s1-redis".to_owned(), "s3-redis".to_owned()],
            vec!["cpu".to_owned()]
        )
    );
}

#[test]
fn metrics_that_cannot_be_told_apart_are_refused() {
    let want = want(&json!({}), &json!({}));
    let twice = build(&want, &deployment(), &[redis(0), redis(0)], "v");
    assert_eq!(
        twice.unwrap_err(),
        HpaError::MetricNameTwice("s0-redis".to_owned())
    );
    assert_eq!(
        build(&want, &deployment(), &[], "v").unwrap_err(),
        HpaError::NoMetrics
    );
}

#[track_caller]
fn bounds(spec: &Value, min: i32, max: i32) {
    let hpa = built(&json!({}), spec);
    assert_eq!((hpa.spec.min_replicas, hpa.spec.max_replicas), (Some(min), max));
}

#[test]
fn bounds_of_the_hpa() {
    bounds(&json!({}), 1, 100);
    bounds(&json!({ "minReplicaCount": 0 }), 1, 100);
    bounds(&json!({ "minReplicaCount": 3, "maxReplicaCount": 7 }), 3, 7);
    bounds(&json!({ "minReplicaCount": 3, "idleReplicaCount": 0 }), 3, 100);
}

#[test]
fn labels_are_copied_but_for_the_excluded() {
    let meta = json!({
        "labels": { "team": "a", "secret": "b", "app.kubernetes.io/part-of": "shop" },
        "annotations": { "scaledobject.keda.sh/hpa-excluded-labels": "secret, other" },
    });
    let labels = built(&meta, &json!({})).metadata.labels.unwrap();
    assert_eq!(labels.get("team").map(String::as_str), Some("a"));
    assert_eq!(labels.get("secret"), None);
    assert_eq!(labels["app.kubernetes.io/part-of"], "shop");
    assert_eq!(labels["scaledobject.keda.sh/name"], "so");
    assert_eq!(labels["app.kubernetes.io/managed-by"], "keda-operator");
}

#[test]
fn long_names_become_shorter_labels() {
    assert_eq!(label_value("keda-hpa-so"), "keda-hpa-so");
    assert_eq!(label_value(&format!("{}--tail", "a".repeat(61))), "a".repeat(61));
    assert_eq!(label_value(&"a".repeat(70)).len(), 63);
}

#[test]
fn pauses_disable_their_direction() {
    let select = |annotation: &str| {
        let hpa = built(&json!({ "annotations": { annotation: "true" } }), &json!({}));
        let behavior = hpa.spec.behavior.unwrap();
        let policy = |rules: Option<HPAScalingRules>| rules.and_then(|rules| rules.select_policy);
        (policy(behavior.scale_down), policy(behavior.scale_up))
    };
    assert_eq!(
        select("autoscaling.keda.sh/paused-scale-in"),
        (Some("Disabled".to_owned()), None)
    );
    assert_eq!(
        select("autoscaling.keda.sh/paused-scale-out"),
        (None, Some("Disabled".to_owned()))
    );
    assert_eq!(built(&json!({}), &json!({})).spec.behavior, None);
}

#[test]
fn a_target_in_the_core_group_has_no_slash() {
    let core = GroupVersionKindResource {
        group: String::new(),
        kind: "ReplicationController".to_owned(),
        ..deployment()
    };
    let hpa = build(&want(&json!({}), &json!({})), &core, &[redis(0)], "v").unwrap();
    assert_eq!(hpa.spec.scale_target_ref.api_version.as_deref(), Some("v1"));
}

#[track_caller]
fn check(change: impl Fn(&mut HorizontalPodAutoscaler), expected: Option<&str>) {
    let window = json!({ "scaleDown": { "stabilizationWindowSeconds": 15 } });
    let spec = json!({ "advanced": { "horizontalPodAutoscalerConfig": { "behavior": window } } });
    let wanted = built(&json!({ "annotations": { "note": "x" } }), &spec);
    let mut live = wanted.clone();
    change(&mut live);
    assert_eq!(differs(&live, &wanted), expected);
}

fn annotate(hpa: &mut HorizontalPodAutoscaler, key: &str) {
    hpa.metadata
        .annotations
        .get_or_insert_default()
        .insert(key.to_owned(), "true".to_owned());
}

#[test]
fn differences_are_named() {
    check(|_| (), None);
    check(|live| live.spec = defaulted(&live.spec), None);
    check(|live| annotate(live, "someone.else/says"), None);
    check(
        |live| annotate(live, "autoscaling.keda.sh/paused-scale-in"),
        Some("annotations"),
    );
    check(|live| live.metadata.annotations = None, Some("annotations"));
    check(|live| live.metadata.labels = None, Some("labels"));
    check(
        |live| live.metadata.owner_references = None,
        Some("owner reference"),
    );
    check(|live| live.spec.max_replicas = 3, Some("replica bounds"));
    check(|live| live.spec.min_replicas = None, None);
    check(|live| live.spec.behavior = None, Some("behavior"));
    check(
        |live| live.spec.scale_target_ref.name = "other".to_owned(),
        Some("scale target"),
    );
    check(|live| live.spec.metrics = None, Some("metrics"));
}

#[test]
fn quantities_compare_by_value() {
    let set = |quantity: &str| {
        let quantity = quantity.to_owned();
        move |live: &mut HorizontalPodAutoscaler| {
            let target = &mut live.spec.metrics.as_mut().unwrap()[0]
                .external
                .as_mut()
                .unwrap()
                .target;
            target.average_value = Some(ApiQuantity(quantity.clone()));
        }
    };
    check(set("5000m"), None);
    check(set("5.0"), None);
    check(set("5001m"), Some("metrics"));
}
