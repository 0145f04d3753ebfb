//! How fast a workload follows.

use super::*;

/// An HPA that is told, sync by sync, how many replicas one metric asks for.
struct Run {
    spec: Spec,
    controller: Controller,
    status: Status,
    replicas: i32,
    now: i64,
}

impl Run {
    fn new(replicas: i32, change: &Value) -> Self {
        let mut wide = json!({"maxReplicas": 100});
        wide.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        Self {
            spec: spec(&json!([external("AverageValue", "1")]), &wide),
            controller: Controller::new(Options::default()),
            status: Status::default(),
            replicas,
            now: 0,
        }
    }

    /// Runs a sync 15 seconds after the one before, and gives the replicas after it.
    fn wants(&mut self, replicas: i64) -> i32 {
        self.now += 15;
        let values = [replicas * 1000];
        let metrics = [Reading::Values(&values)];
        let world = world(self.replicas, &[], &metrics);
        let outcome = self
            .controller
            .reconcile(at(self.now), &self.spec, &mut self.status, &world);
        self.replicas = outcome.replicas.unwrap_or(self.replicas);
        self.replicas
    }

    fn all(&mut self, wants: &[i64]) -> Vec<i32> {
        wants.iter().map(|wants| self.wants(*wants)).collect()
    }

    fn reason(&self, type_: ConditionType) -> &'static str {
        self.status.condition(type_).unwrap().message.reason()
    }
}

#[track_caller]
fn check(behavior: Value, replicas: i32, wants: &[i64], after: &[i32]) {
    let mut run = Run::new(replicas, &Value::from_iter([("behavior", behavior)]));
    assert_eq!(run.all(wants), after);
}

#[test]
fn without_a_behavior_a_workload_doubles_and_waits_five_minutes_before_it_shrinks() {
    let mut run = Run::new(1, &json!({}));
    assert_eq!(run.all(&[50, 50, 50, 50, 50]), [4, 8, 16, 32, 50]);
    assert_eq!(run.reason(ConditionType::ScalingLimited), "DesiredWithinRange");
    // The fifth recommendation of 50 is from second 75: it counts to second 375 and no longer at 390.
    for _ in 0..20 {
        assert_eq!(run.wants(2), 50);
        assert_eq!(run.reason(ConditionType::AbleToScale), "ScaleDownStabilized");
    }
    assert_eq!(run.wants(2), 2);
}

#[test]
fn the_window_of_scaling_in_is_the_behaviors() {
    let window = |seconds| json!({"scaleDown": {"stabilizationWindowSeconds": seconds}});
    check(window(0), 10, &[5, 3], &[5, 3]);
    check(window(30), 10, &[10, 5, 3, 4, 4], &[10, 10, 5, 4, 4]);
    // Left open, the flag's five minutes hold.
    check(json!({}), 10, &[10, 5, 5], &[10, 10, 10]);
}

#[test]
fn the_window_of_scaling_out_takes_the_lowest() {
    let window = json!({"scaleUp": {"stabilizationWindowSeconds": 31}});
    check(window.clone(), 5, &[5, 9, 9, 9], &[5, 5, 5, 9]);
    let mut run = Run::new(5, &json!({"behavior": window}));
    run.all(&[5, 9]);
    assert_eq!(run.reason(ConditionType::AbleToScale), "ScaleUpStabilized");
}

fn policies(direction: &str, select: &str, policies: &[(&str, i32, i32)]) -> Value {
    let policy = |(type_, value, period): &(&str, i32, i32)| json!({"type": type_, "value": value, "periodSeconds": period});
    let policies: Vec<Value> = policies.iter().map(policy).collect();
    let other = if direction == "scaleUp" {
        "scaleDown"
    } else {
        "scaleUp"
    };
    json!({
        direction: {"stabilizationWindowSeconds": 0, "selectPolicy": select, "policies": policies},
        other: {"stabilizationWindowSeconds": 0},
    })
}

#[test]
fn policies_bound_the_change_of_their_period() {
    let up = |select, list: &[_]| policies("scaleUp", select, list);
    check(up("Max", &[("Pods", 2, 15)]), 1, &[50; 3], &[3, 5, 7]);
    check(up("Max", &[("Pods", 2, 30)]), 1, &[50; 4], &[3, 3, 5, 5]);
    check(up("Max", &[("Percent", 50, 15)]), 3, &[50; 3], &[5, 8, 12]);
    check(
        up("Max", &[("Percent", 50, 15), ("Pods", 4, 15)]),
        2,
        &[50; 4],
        &[6, 10, 15, 23],
    );
    check(
        up("Min", &[("Percent", 50, 15), ("Pods", 4, 15)]),
        2,
        &[50; 4],
        &[3, 5, 8, 12],
    );
    check(up("Disabled", &[("Pods", 4, 15)]), 2, &[50, 1], &[2, 1]);
    let down = |select, list: &[_]| policies("scaleDown", select, list);
    check(down("Max", &[("Pods", 2, 15)]), 9, &[1; 3], &[7, 5, 3]);
    check(down("Max", &[("Percent", 10, 15)]), 20, &[1; 3], &[18, 16, 14]);
    check(
        down("Max", &[("Percent", 50, 15), ("Pods", 4, 15)]),
        20,
        &[1; 4],
        &[10, 5, 1, 1],
    );
    check(
        down("Min", &[("Percent", 50, 15), ("Pods", 4, 15)]),
        20,
        &[1; 4],
        &[16, 12, 8, 4],
    );
    check(down("Disabled", &[("Pods", 4, 15)]), 9, &[1, 12], &[9, 12]);
}

#[test]
fn a_period_counts_both_directions() {
    let up = policies("scaleUp", "Max", &[("Pods", 4, 60)]);
    // 4 out, 3 in, and of the period's start 3 more may come.
    check(up, 2, &[50, 3, 50], &[6, 3, 6]);
}

#[test]
fn rates_and_bounds_are_told_apart() {
    let behavior = policies("scaleUp", "Max", &[("Pods", 4, 15)]);
    let mut run = Run::new(
        2,
        &json!({"maxReplicas": 8, "minReplicas": 2, "behavior": behavior}),
    );
    let mut limits = Vec::new();
    for wants in [50, 50, 50, 8, 0] {
        run.wants(wants);
        limits.push((run.replicas, run.reason(ConditionType::ScalingLimited)));
    }
    assert_eq!(
        limits,
        [
            (6, "ScaleUpLimit"),
            (8, "TooManyReplicas"),
            (8, "TooManyReplicas"),
            (8, "DesiredWithinRange"),
            (2, "TooFewReplicas"),
        ]
    );
    let down = policies("scaleDown", "Max", &[("Pods", 1, 15)]);
    let mut run = Run::new(5, &json!({"behavior": down}));
    run.wants(1);
    assert_eq!(
        (run.replicas, run.reason(ConditionType::ScalingLimited)),
        (4, "ScaleDownLimit")
    );
}

#[test]
fn what_is_remembered_does_not_grow() {
    let behavior = json!({"scaleUp": {"stabilizationWindowSeconds": 60}, "scaleDown": {"stabilizationWindowSeconds": 120}});
    let mut run = Run::new(5, &json!({"behavior": behavior}));
    let size = |run: &Run| format!("{:?}", run.controller).len();
    for round in 0..200 {
        run.wants(round % 7);
    }
    let after = size(&run);
    for round in 0..5000 {
        run.wants(round % 7);
    }
    // Numbers have more digits later on.
    assert!(size(&run) < after * 2, "{after} -> {}", size(&run));
}
