//! How a spec is read.

use super::*;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerSpec;

fn read(spec: &Value) -> Result<Spec, SpecError> {
    let mut spec = spec.clone();
    spec["scaleTargetRef"] = json!({"kind": "Deployment", "name": "web"});
    let spec: HorizontalPodAutoscalerSpec = serde_json::from_value(spec).unwrap();
    Spec::new("shop", &spec)
}

#[test]
fn an_empty_spec_gets_the_api_servers_defaults() {
    let spec = read(&json!({"maxReplicas": 3})).unwrap();
    assert_eq!(
        (spec.min_replicas, spec.max_replicas, spec.behavior.is_none()),
        (1, 3, true)
    );
    let target: Vec<_> = spec
        .metrics()
        .iter()
        .map(|metric| (metric.resource(), metric.target))
        .collect();
    assert_eq!(target, [(Some("cpu"), Target::Utilization(80))]);
}

#[test]
fn a_behavior_is_filled_up() {
    let policy = |type_, value| Policy {
        type_,
        value,
        period_seconds: 15,
    };
    let spec = read(&json!({"maxReplicas": 3, "behavior": {"scaleUp": {"stabilizationWindowSeconds": 60}}}))
        .unwrap();
    let behavior = spec.behavior.unwrap();
    assert_eq!(
        behavior.scale_up,
        ScalingRules {
            stabilization_window_seconds: Some(60),
            select_policy: SelectPolicy::Max,
            policies: vec![policy(PolicyType::Pods, 4), policy(PolicyType::Percent, 100)],
            tolerance: None,
        }
    );
    assert_eq!(
        behavior.scale_down,
        ScalingRules {
            stabilization_window_seconds: None,
            select_policy: SelectPolicy::Max,
            policies: vec![policy(PolicyType::Percent, 100)],
            tolerance: None,
        }
    );
}

#[test]
fn mistakes_are_named() {
    let external = |target: Value| json!([{"type": "External", "external": {"metric": {"name": "m"}, "target": target}}]);
    let of = |metrics: Value, behavior: Value| {
        read(&json!({"maxReplicas": 3, "metrics": metrics, "behavior": behavior}))
            .unwrap_err()
            .to_string()
    };
    for (metrics, wanted) in [
        (
            json!([{"type": "Colour"}]),
            "`metrics[0].type`: `Colour` is no type of metric",
        ),
        (
            json!([{"type": "Pods"}]),
            "`metrics[0]` has the type `Pods` but no field of that name",
        ),
        (
            json!([{"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "1"}}}]),
            "`metrics[0].pods.target` needs an `averageValue`",
        ),
        (
            external(json!({"type": "Value", "value": "much"})),
            "`metrics[0].external.target.value`: `much` is no quantity",
        ),
    ] {
        assert_eq!(of(metrics, Value::Null), wanted);
    }
    for (behavior, wanted) in [
        (
            json!({"scaleUp": {"selectPolicy": "Most"}}),
            "`behavior.scaleUp.selectPolicy`: `Most` is neither `Max`, `Min` nor `Disabled`",
        ),
        (
            json!({"scaleDown": {"policies": [{"type": "Nodes", "value": 1, "periodSeconds": 1}]}}),
            "`behavior.scaleDown.policies`: `Nodes` is neither `Pods` nor `Percent`",
        ),
        (
            json!({"scaleDown": {"tolerance": "x"}}),
            "`behavior.scaleDown.tolerance`: `x` is no quantity",
        ),
    ] {
        assert_eq!(of(Value::Null, behavior), wanted);
    }
}
