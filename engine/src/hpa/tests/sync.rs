//! Whole syncs: conditions, Events, status.

use super::*;

/// The conditions as type, status and reason.
fn conditions(status: &Status) -> Vec<(&'static str, bool, &'static str)> {
    let conditions = status.conditions.iter();
    conditions
        .map(|condition| {
            let message = &condition.message;
            (message.type_().as_str(), message.status(), message.reason())
        })
        .collect()
}

fn events(outcome: &Outcome) -> Vec<(bool, &'static str, String)> {
    let events = outcome.events.iter();
    events
        .map(|event| (event.is_warning(), event.reason(), event.to_string()))
        .collect()
}

fn sync(spec: &Spec, status: &mut Status, world: &World<'_>) -> Outcome {
    Controller::new(Options::default()).reconcile(at(0), spec, status, world)
}

#[test]
fn a_change_is_told() {
    let five = spec(&json!([external("AverageValue", "5")]), &json!({}));
    let mut status = Status::default();
    let outcome = sync(&five, &mut status, &world(3, &[], &[Reading::Values(&[28_000])]));
    let told = "New size: 6; reason: external metric jobs(nil) above target";
    assert_eq!(events(&outcome), [(false, "SuccessfulRescale", told.to_owned())]);
    assert_eq!(
        (outcome.before, outcome.replicas, outcome.desired),
        (3, Some(6), 6)
    );
    assert_eq!(
        (outcome.metric, outcome.limit),
        (Some(0), Some(Limit::DesiredWithinRange))
    );
    assert_eq!(
        conditions(&status),
        [
            ("AbleToScale", true, "SucceededRescale"),
            ("ScalingActive", true, "ValidMetricFound"),
            ("ScalingLimited", false, "DesiredWithinRange"),
        ]
    );
    assert_eq!(
        serde_json::to_value(status.to_api().current_metrics).unwrap(),
        json!([{"type": "External", "external": {"metric": {"name": "jobs"}, "current": {"averageValue": "9334m"}}}])
    );
    assert_eq!(status.last_scale_time, Some(at(0)));
}

#[test]
fn outside_the_bounds_metrics_are_not_looked_at() {
    let five = spec(
        &json!([external("AverageValue", "5")]),
        &json!({"minReplicas": 2}),
    );
    for (replicas, after, reason) in [
        (12, 10, "Current number of replicas above Spec.MaxReplicas"),
        (1, 2, "Current number of replicas below Spec.MinReplicas"),
    ] {
        let mut status = Status::default();
        let outcome = sync(&five, &mut status, &world(replicas, &[], &[]));
        assert_eq!(outcome.replicas, Some(after));
        assert_eq!(
            events(&outcome)[0].2,
            format!("New size: {after}; reason: {reason}")
        );
        assert_eq!((status.current_metrics, outcome.limit), (None, None));
    }
}

#[test]
fn at_zero_the_hpa_rests() {
    let five = spec(&json!([external("AverageValue", "5")]), &json!({}));
    let mut status = Status::default();
    let outcome = sync(&five, &mut status, &world(0, &[], &[Reading::Values(&[28_000])]));
    assert_eq!((outcome.replicas, outcome.desired), (None, 0));
    assert_eq!(
        conditions(&status),
        [
            ("AbleToScale", true, "SucceededGetScale"),
            ("ScalingActive", false, "ScalingDisabled")
        ]
    );
}

#[test]
fn with_the_gate_the_hpa_goes_to_zero_and_back_but_not_from_a_zero_of_others() {
    let five = spec(
        &json!([external("AverageValue", "5")]),
        &json!({"minReplicas": 0, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}),
    );
    let options = Options {
        scale_to_zero: true,
        ..Options::default()
    };
    let mut controller = Controller::new(options);
    let mut status = Status::default();
    let mut after = |second, spec: &Spec, replicas, values: &[i64]| {
        let metrics = [Reading::Values(values)];
        controller
            .reconcile(at(second), spec, &mut status, &world(replicas, &[], &metrics))
            .replicas
    };
    assert_eq!(after(0, &five, 0, &[28_000]), None);
    assert_eq!(after(15, &five, 2, &[0]), Some(0));
    assert_eq!(after(30, &five, 0, &[0]), None);
    assert_eq!(after(45, &five, 0, &[14_000]), Some(3));
    assert_eq!(after(60, &five, 3, &[0]), Some(0));
    // A minimum that is raised meanwhile counts.
    let raised = Spec {
        min_replicas: 2,
        ..five
    };
    assert_eq!(after(75, &raised, 0, &[0]), Some(2));
}

#[test]
fn a_failing_metric_keeps_the_others_from_scaling_in() {
    let two = spec(&json!([external("AverageValue", "5"), cpu(50)]), &json!({}));
    let failed = "failed to get cpu utilization: unable to get metrics for resource cpu: no route";
    let total =
        "invalid metrics (1 invalid out of 2), first error is: failed to get cpu resource metric value: ";
    let mut status = Status::default();
    let down = [Reading::Values(&[5_000]), Reading::Failed("no route")];
    let outcome = sync(&two, &mut status, &world(3, &[], &down));
    assert_eq!(
        (outcome.replicas, status.current_replicas, status.desired_replicas),
        (None, 3, 0)
    );
    assert_eq!(
        events(&outcome),
        [
            (true, "FailedGetResourceMetric", failed.to_owned()),
            (true, "FailedComputeMetricsReplicas", format!("{total}{failed}")),
        ]
    );
    assert_eq!(
        outcome.error.unwrap().to_string(),
        format!(
            "failed to compute desired number of replicas based on listed metrics for Deployment/shop/web: {total}{failed}"
        )
    );
    assert_eq!(
        conditions(&status)[1],
        ("ScalingActive", false, "FailedGetResourceMetric")
    );
    let read: Vec<bool> = status
        .current_metrics
        .iter()
        .flatten()
        .map(Option::is_some)
        .collect();
    assert_eq!(read, [true, false]);
    let up = [Reading::Values(&[25_000]), Reading::Failed("no route")];
    let outcome = sync(&two, &mut status, &world(3, &[], &up));
    assert_eq!((outcome.replicas, events(&outcome).len()), (Some(5), 2));
    assert_eq!(outcome.error.unwrap().to_string(), format!("{total}{failed}"));
}

#[test]
fn a_scale_that_cannot_be_read_or_written_is_told() {
    let five = spec(&json!([external("AverageValue", "5")]), &json!({}));
    let metrics = [Reading::Values(&[28_000])];
    let mut status = Status::default();
    let unread = World {
        scale: Err("not found"),
        ..world(3, &[], &metrics)
    };
    let outcome = sync(&five, &mut status, &unread);
    assert_eq!(
        events(&outcome),
        [(true, "FailedGetScale", "not found".to_owned())]
    );
    assert_eq!(conditions(&status), [("AbleToScale", false, "FailedGetScale")]);
    let unwritten = World {
        update: Err("conflict"),
        ..world(3, &[], &metrics)
    };
    let outcome = sync(&five, &mut status, &unwritten);
    assert_eq!(
        (outcome.replicas, status.desired_replicas, status.last_scale_time),
        (None, 0, None)
    );
    let told = "New size: 6; reason: external metric jobs(nil) above target; error: conflict";
    assert_eq!(events(&outcome), [(true, "FailedRescale", told.to_owned())]);
    assert_eq!(
        conditions(&status)[0],
        ("AbleToScale", false, "FailedUpdateScale")
    );
    assert_eq!(
        outcome.error.unwrap().to_string(),
        "failed to rescale Deployment/shop/web: conflict"
    );
}

#[test]
fn a_transition_is_a_change_of_status() {
    let five = spec(&json!([external("AverageValue", "5")]), &json!({}));
    let mut controller = Controller::new(Options::default());
    let mut status = Status::default();
    for (second, replicas, since) in [(0, 3, 0), (15, 3, 0), (30, 0, 30), (45, 0, 30), (60, 3, 60)] {
        let metrics = [Reading::Values(&[15_000])];
        controller.reconcile(at(second), &five, &mut status, &world(replicas, &[], &metrics));
        let active = status.condition(ConditionType::ScalingActive).unwrap();
        assert_eq!(active.last_transition_time, at(since), "{second}");
    }
}

#[test]
fn a_reading_of_another_kind_is_no_value() {
    let five = spec(&json!([external("AverageValue", "5")]), &json!({}));
    for metrics in [&[][..], &[Reading::Value(1)], &[Reading::Pods(&[])]] {
        let outcome = sync(&five, &mut Status::default(), &world(3, &[], metrics));
        assert!(outcome.replicas.is_none() && outcome.error.is_some());
    }
}
