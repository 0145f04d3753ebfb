use crds::ScaledObject;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::metric::{ExternalMetric, MetricTarget, MetricType, Resource, ResourceMetric};
use crate::quantity::Quantity;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn object(change: &Value) -> ScaledObject {
    let mut object = json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"name": "worker"},
            "maxReplicaCount": 10,
            "triggers": [{"type": "redis", "metadata": {}}],
        },
    });
    for (path, value) in change.as_object().unwrap() {
        let (parent, key) = path.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn world(replicas: i32) -> World {
    World {
        replicas: Some(replicas),
        ready: Some(replicas),
        ..World::default()
    }
}

fn redis(index: usize, result: Result<f64, &str>) -> Asked {
    let metric = MetricName::indexed(index, "redis-jobs");
    let target = MetricTarget::external(MetricType::AverageValue, Quantity::from_i64(5));
    Asked {
        index,
        type_: "redis".to_owned(),
        name: None,
        endpoint: Some("redis:6379".to_owned()),
        metrics: Ok(TriggerMetrics::External(vec![ExternalMetric {
            name: metric.clone(),
            target,
        }])),
        answers: vec![MetricAnswer {
            metric,
            raw: Some("Length".to_owned()),
            activation: Some(0.0),
            result: result.map(|value| (value, value > 0.0)).map_err(str::to_owned),
            given: false,
            took_ms: Some(1.5),
        }],
        warnings: Vec::new(),
    }
}

fn cpu(index: usize, value: Option<f64>) -> Asked {
    let metric = ResourceMetric {
        resource: Resource::Cpu,
        container: None,
        target: MetricTarget::Utilization(50),
    };
    let answer = |value| MetricAnswer {
        metric: MetricName::new("cpu"),
        raw: None,
        activation: None,
        result: Ok((value, true)),
        given: true,
        took_ms: None,
    };
    Asked {
        type_: "cpu".to_owned(),
        endpoint: None,
        metrics: Ok(TriggerMetrics::Resource(metric)),
        answers: value.map(answer).into_iter().collect(),
        ..redis(index, Ok(0.0))
    }
}

/// The decision, the changes and the replicas after them.
#[track_caller]
fn check(
    change: &Value,
    replicas: i32,
    asked: &[Asked],
    decision: &str,
    steps: &[(Actor, i32, i32)],
    after: i32,
) {
    let report = predict(&object(change), &world(replicas), asked, at(1000));
    let told: Vec<_> = report
        .steps
        .iter()
        .map(|step| (step.by, step.from, step.to))
        .collect();
    assert_eq!(
        (report.decision.as_deref(), told.as_slice(), report.after),
        (Some(decision), steps, Some(after)),
        "{:#?}",
        report.why
    );
}

#[test]
fn work_wakes_the_target_and_the_hpa_takes_over() {
    use Actor::{Controller, Hpa};
    check(
        &json!({}),
        0,
        &[redis(0, Ok(37.0))],
        "Activate",
        &[(Controller, 0, 1), (Hpa, 1, 8)],
        8,
    );
    check(
        &json!({}),
        3,
        &[redis(0, Ok(37.0))],
        "StayActive",
        &[(Hpa, 3, 8)],
        8,
    );
    check(
        &json!({}),
        3,
        &[redis(0, Ok(370.0))],
        "StayActive",
        &[(Hpa, 3, 10)],
        10,
    );
    check(&json!({}), 0, &[redis(0, Ok(0.0))], "Hold", &[], 0);
}

#[test]
fn silence_takes_the_target_to_its_floor() {
    use Actor::{Controller, Hpa};
    let quiet = [redis(0, Ok(0.0))];
    check(&json!({}), 3, &quiet, "Deactivate", &[(Controller, 3, 0)], 0);
    check(
        &json!({"/spec/minReplicaCount": 2}),
        5,
        &quiet,
        "Hold",
        &[(Hpa, 5, 2)],
        2,
    );
    check(
        &json!({"/spec/minReplicaCount": 2}),
        1,
        &quiet,
        "RaiseToMin",
        &[(Controller, 1, 2)],
        2,
    );
    let idle = json!({"/spec/minReplicaCount": 3, "/spec/idleReplicaCount": 1});
    check(&idle, 5, &quiet, "Deactivate", &[(Controller, 5, 1)], 1);
}

#[test]
fn a_cooldown_is_waited_for() {
    let active = json!({"/status": {"lastActiveTime": "1970-01-01T00:15:00Z"}});
    let report = predict(&object(&active), &world(3), &[redis(0, Ok(0.0))], at(1000));
    assert_eq!(
        (report.decision.as_deref(), report.after),
        (Some("CoolDown"), Some(1))
    );
    assert_eq!(
        report.next,
        ["if no trigger becomes active, the target goes to 0 at 1970-01-01T00:20:00Z"]
    );
}

#[test]
fn nothing_is_scaled_in_blindly() {
    let failed = redis(0, Err("connection refused"));
    check(&json!({}), 3, std::slice::from_ref(&failed), "Hold", &[], 3);
    let two =
        json!({"/spec/triggers": [{"type": "redis", "metadata": {}}, {"type": "redis", "metadata": {}}]});
    check(&two, 3, &[failed.clone(), redis(1, Ok(5.0))], "Hold", &[], 3);
    check(
        &two,
        3,
        &[failed, redis(1, Ok(37.0))],
        "Hold",
        &[(Actor::Hpa, 3, 8)],
        8,
    );
    let broken = Asked {
        metrics: Err("missing `listName`".to_owned()),
        answers: Vec::new(),
        ..redis(0, Ok(0.0))
    };
    let report = predict(&object(&json!({})), &world(3), &[broken], at(1000));
    assert_eq!((report.after, report.hpa), (Some(3), None));
    assert!(
        report.notes[0].contains("missing `listName`"),
        "{:?}",
        report.notes
    );
}

#[test]
fn annotations_hold_the_target() {
    let busy = [redis(0, Ok(37.0))];
    let annotated = |name: &str, value: &str| json!({"/metadata/annotations": {name: value}});
    check(
        &annotated("autoscaling.keda.sh/paused", "true"),
        3,
        &busy,
        "Hold",
        &[],
        3,
    );
    let at_two = annotated("autoscaling.keda.sh/paused-replicas", "2");
    check(&at_two, 3, &busy, "Hold", &[(Actor::Controller, 3, 2)], 2);
    check(
        &annotated("autoscaling.keda.sh/paused-scale-out", "true"),
        3,
        &busy,
        "StayActive",
        &[],
        3,
    );
    let less = [redis(0, Ok(5.0))];
    check(
        &annotated("autoscaling.keda.sh/paused-scale-in", "true"),
        3,
        &less,
        "StayActive",
        &[],
        3,
    );
}

#[test]
fn what_the_hpa_measures_counts_when_it_is_given() {
    let both =
        json!({"/spec/triggers": [{"type": "redis", "metadata": {}}, {"type": "cpu", "metadata": {}}]});
    let report = predict(
        &object(&both),
        &world(3),
        &[redis(0, Ok(20.0)), cpu(1, None)],
        at(1000),
    );
    assert_eq!(report.after, Some(4));
    assert!(report.notes[0].contains("`--set 1=VALUE`"), "{:?}", report.notes);
    assert_eq!(report.triggers[1].metrics[0].active, None);
    let report = predict(
        &object(&both),
        &world(3),
        &[redis(0, Ok(20.0)), cpu(1, Some(90.0))],
        at(1000),
    );
    assert_eq!(report.after, Some(6));
    assert_eq!(
        report.why[1],
        "the HPA would go from 3 to 6 (cpu: ceil(3 ready * 90 / 50) = 6)"
    );
}

#[test]
fn without_the_replicas_only_the_arithmetic_is_told() {
    let unknown = World::default();
    let report = predict(&object(&json!({})), &unknown, &[redis(0, Ok(37.0))], at(1000));
    assert_eq!((report.after, report.steps.as_slice()), (None, &[][..]));
    assert_eq!(
        report.triggers[0].metrics[0].arithmetic.as_deref(),
        Some("ceil(37 / 5) = 8")
    );
}

#[test]
fn an_object_with_mistakes_is_left_alone() {
    let formula = json!({"/spec/advanced": {"scalingModifiers": {"formula": "a", "target": "1"}}});
    let report = predict(&object(&formula), &world(3), &[redis(0, Ok(37.0))], at(1000));
    assert_eq!(
        (report.decision.as_deref(), report.after, report.steps.len()),
        (None, Some(3), 0)
    );
    assert!(report.has_errors());
    assert!(
        report.why[0].contains("is not in this version yet"),
        "{:?}",
        report.why
    );
}

#[test]
fn raw_answers_can_be_withheld() {
    let mut report = predict(&object(&json!({})), &world(3), &[redis(0, Ok(37.0))], at(1000));
    report.withhold_raw("not for you");
    assert_eq!(report.triggers[0].metrics[0].raw, None);
    assert_eq!(report.notes, ["not for you"]);
    report.withhold_raw("not for you");
    assert_eq!(report.notes.len(), 1);
}

#[test]
fn a_report_survives_json() {
    let report = predict(
        &object(&json!({})),
        &world(0),
        &[redis(0, Ok(37.0)), cpu(1, None)],
        at(1000),
    );
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<DryRun>(&text).unwrap(), report);
}

#[test]
fn triggers_are_found_by_name_before_position() {
    let named = |name: Option<&str>| crds::Trigger {
        name: name.map(str::to_owned),
        ..crds::Trigger::default()
    };
    let triggers = [named(Some("1")), named(Some("jobs")), named(None)];
    for (text, want) in [
        ("1", Some(0)),
        ("jobs", Some(1)),
        ("2", Some(2)),
        ("3", None),
        ("", None),
    ] {
        assert_eq!(find_trigger(&triggers, text), want, "{text}");
    }
}
