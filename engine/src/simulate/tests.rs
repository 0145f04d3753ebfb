//! Each rule in virtual time, to the second.

use serde_json::{Value, json};

use super::*;
use crate::metric::{ExternalMetric, MetricName, MetricTarget, Resource, ResourceMetric};

mod workload;

/// A simulation in the making: one trigger, whose target is 10 a replica.
#[derive(Debug)]
pub(super) struct Play {
    pub(super) spec: Value,
    pub(super) annotations: Value,
    pub(super) triggers: Vec<SimulatedTrigger>,
    pub(super) settings: Settings,
}

pub(super) fn external(trigger: usize, target: MetricTarget) -> SimulatedTrigger {
    SimulatedTrigger {
        metrics: TriggerMetrics::External(vec![ExternalMetric {
            name: MetricName::indexed(trigger, "jobs"),
            target,
        }]),
        activation: 0.0,
    }
}

pub(super) fn average(target: &str) -> MetricTarget {
    MetricTarget::AverageValue(target.parse().unwrap())
}

pub(super) fn cpu(percent: i32) -> SimulatedTrigger {
    SimulatedTrigger {
        metrics: TriggerMetrics::Resource(ResourceMetric {
            resource: Resource::Cpu,
            container: None,
            target: MetricTarget::Utilization(percent),
        }),
        activation: 0.0,
    }
}

/// A play with these fields in its spec, from so many replicas on.
pub(super) fn play(spec: &Value, replicas: i32) -> Play {
    Play {
        spec: spec.clone(),
        annotations: json!({}),
        triggers: vec![external(0, average("10"))],
        settings: Settings {
            replicas,
            ..Settings::default()
        },
    }
}

impl Play {
    pub(super) fn object(&self) -> crds::ScaledObject {
        let trigger = json!({ "type": "redis", "metadata": {} });
        let mut spec = json!({
            "scaleTargetRef": { "name": "web" },
            "triggers": self.triggers.iter().map(|_| trigger.clone()).collect::<Vec<_>>(),
        });
        let fields = self.spec.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(fields);
        let metadata = json!({ "name": "orders", "namespace": "shop", "annotations": self.annotations });
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap()
    }

    pub(super) fn prepare(&self) -> Result<Simulation, Vec<Diagnostic>> {
        Simulation::new(&self.object(), &self.triggers, self.settings.clone())
    }

    /// Runs it; the times of the rows are seconds. Gives the changes, as `second actor before->after`.
    pub(super) fn run(&self, series: &[(i64, &[Option<f64>])]) -> (Vec<String>, Summary) {
        let list = series.iter().map(|(second, row)| (second * 1000, row.to_vec()));
        let mut changes = Vec::new();
        let simulation = self.prepare().expect("the object can be simulated");
        let Ok(summary) = simulation.run(rows(list.collect()), &mut |step| {
            if step.before() != step.replicas() {
                let by = if step.by() == By::Hpa { "hpa" } else { "keda" };
                changes.push(format!(
                    "{} {by} {}->{}",
                    step.t() as f64 / 1000.0,
                    step.before(),
                    step.replicas()
                ));
            }
            std::ops::ControlFlow::Continue(())
        });
        (changes, summary)
    }

    /// Runs it with one column and compares the changes.
    #[track_caller]
    pub(super) fn check(&self, values: &[(i64, Option<f64>)], expected: &[&str]) -> Summary {
        let cells: Vec<(i64, [Option<f64>; 1])> =
            values.iter().map(|(second, value)| (*second, [*value])).collect();
        let list: Vec<(i64, &[Option<f64>])> = cells
            .iter()
            .map(|(second, row)| (*second, row.as_slice()))
            .collect();
        let (changes, summary) = self.run(&list);
        assert_eq!(changes, expected);
        summary
    }
}

#[test]
fn activation_waits_for_a_poll_and_deactivation_for_the_cooldown() {
    let polled = json!({ "pollingInterval": 10, "cooldownPeriod": 60 });
    let values = [(0, Some(0.0)), (25, Some(5.0)), (41, Some(0.0)), (200, Some(0.0))];
    play(&polled, 0).check(&values, &["30 keda 0->1", "100 keda 1->0"]);
    // The cooldown counts from the last active poll, that of second 40, and the status keeps its whole seconds: the poll at its end
    // comes after it.
    let polled = json!({ "pollingInterval": 1, "cooldownPeriod": 60 });
    play(&polled, 0).check(&values, &["25 keda 0->1", "100 keda 1->0"]);
}

#[test]
fn an_activation_threshold_has_to_be_exceeded() {
    let mut orders = play(&json!({ "pollingInterval": 5 }), 0);
    orders.triggers[0].activation = 5.0;
    let values = [(0, Some(5.0)), (12, Some(5.5)), (20, Some(5.5))];
    orders.check(&values, &["15 keda 0->1"]);
}

#[test]
fn an_object_that_was_never_active_waits_for_its_initial_cooldown() {
    let values = [(0, Some(0.0)), (300, Some(0.0))];
    let waits = json!({ "pollingInterval": 1, "initialCooldownPeriod": 120 });
    play(&waits, 1).check(&values, &["120 keda 1->0"]);
    play(&json!({ "pollingInterval": 1 }), 1).check(&values, &["0 keda 1->0"]);
}

#[test]
fn idle_replicas_wake_to_the_minimum() {
    let idle =
        json!({ "pollingInterval": 10, "cooldownPeriod": 60, "idleReplicaCount": 0, "minReplicaCount": 2 });
    let values = [(0, Some(5.0)), (10, Some(0.0)), (200, Some(0.0))];
    play(&idle, 0).check(&values, &["0 keda 0->2", "60 keda 2->0"]);
}

#[test]
fn too_few_replicas_are_raised_to_the_minimum() {
    let summary =
        play(&json!({ "minReplicaCount": 3 }), 1).check(&[(0, Some(0.0)), (60, Some(0.0))], &["0 keda 1->3"]);
    assert_eq!((summary.peak, summary.polls, summary.hpa_syncs), (3, 3, 4));
}

#[test]
fn pauses_hold_the_replicas() {
    let values = [(0, Some(100.0)), (60, Some(0.0)), (900, Some(0.0))];
    let spec = json!({ "minReplicaCount": 1 });
    let paused = |annotations: Value| Play {
        annotations,
        ..play(&spec, 2)
    };
    let summary = paused(json!({ "autoscaling.keda.sh/paused": "true" })).check(&values, &[]);
    assert_eq!((summary.polls, summary.hpa_syncs, summary.peak), (0, 0, 2));
    let summary = paused(json!({ "autoscaling.keda.sh/paused-replicas": "7" })).check(&values, &[]);
    assert_eq!((summary.peak, summary.replica_hours), (7, 7.0 / 4.0));
    paused(json!({ "autoscaling.keda.sh/paused-scale-in": "true" }))
        .check(&values, &["15 hpa 2->6", "30 hpa 6->10"]);
    paused(json!({ "autoscaling.keda.sh/paused-scale-out": "true" })).check(&values, &["345 hpa 2->1"]);
}

#[test]
fn the_hpa_doubles_at_most() {
    let values = [(0, Some(1000.0)), (120, Some(1000.0))];
    let steps = ["15 hpa 1->4", "30 hpa 4->8", "45 hpa 8->16", "60 hpa 16->32"];
    let spec = json!({ "minReplicaCount": 1, "maxReplicaCount": 30 });
    play(&spec, 1).check(
        &values,
        &["15 hpa 1->4", "30 hpa 4->8", "45 hpa 8->16", "60 hpa 16->30"],
    );
    let spec = json!({ "minReplicaCount": 1, "maxReplicaCount": 32 });
    play(&spec, 1).check(&values, &steps);
}

#[test]
fn scaling_in_waits_for_the_stabilization_window() {
    let values = [(0, Some(50.0)), (100, Some(10.0)), (500, Some(10.0))];
    let spec = json!({ "minReplicaCount": 1 });
    // The last time 5 were wanted was the sync of second 90.
    play(&spec, 1).check(&values, &["15 hpa 1->4", "30 hpa 4->5", "405 hpa 5->1"]);
    let mut quick = play(&spec, 1);
    quick.settings.downscale_stabilization = 60_000;
    quick.check(&values, &["15 hpa 1->4", "30 hpa 4->5", "165 hpa 5->1"]);
    let behavior = json!({ "scaleDown": { "stabilizationWindowSeconds": 0, "policies": [
        { "type": "Pods", "value": 1, "periodSeconds": 60 },
    ] } });
    let config = json!({ "horizontalPodAutoscalerConfig": { "behavior": behavior } });
    let slow = json!({ "minReplicaCount": 3, "advanced": config });
    play(&slow, 3).check(&values, &["15 hpa 3->5", "105 hpa 5->4", "165 hpa 4->3"]);
}

#[test]
fn a_small_deviation_is_tolerated() {
    let values = [(0, Some(21.0)), (60, Some(21.0))];
    let spec = json!({ "minReplicaCount": 1 });
    play(&spec, 2).check(&values, &[]);
    let mut exact = play(&spec, 2);
    exact.settings.tolerance = 0.0;
    exact.check(&values, &["15 hpa 2->3"]);
}

#[test]
fn a_fallback_begins_with_the_failure_after_the_tolerated_ones() {
    let fallback = json!({ "failureThreshold": 3, "replicas": 6 });
    let values = [(0, None), (120, None)];
    // Reads at 0 (poll), 15 (HPA), 30 (poll) and 30 (HPA): the fourth failure.
    let spec = json!({ "minReplicaCount": 1, "fallback": fallback });
    let summary = play(&spec, 1).check(&values, &["30 hpa 1->4", "45 hpa 4->6"]);
    assert_eq!((summary.fallbacks, summary.failed_reads), (1, 13));
    // At zero the HPA does not read, so only polls count; a fallback is activity.
    let spec = json!({ "fallback": fallback });
    play(&spec, 0).check(&values, &["90 keda 0->1", "90 hpa 1->4", "105 hpa 4->6"]);
    let spec = json!({ "minReplicaCount": 1 });
    let summary = play(&spec, 3).check(&values, &[]);
    assert_eq!((summary.fallbacks, summary.metrics.len()), (0, 0));
}

#[test]
fn an_answer_ends_the_count_of_failures() {
    let fallback = json!({ "failureThreshold": 3, "replicas": 6 });
    let spec = json!({ "minReplicaCount": 1, "fallback": fallback });
    // Three failures, then a value just before the fourth read.
    let values = [
        (0, None),
        (30, Some(10.0)),
        (31, None),
        (60, Some(10.0)),
        (90, Some(10.0)),
    ];
    let summary = play(&spec, 1).check(&values, &[]);
    assert_eq!((summary.fallbacks, summary.failed_reads), (0, 3));
}

#[test]
fn a_failing_trigger_never_empties_the_workload() {
    let spec = json!({ "pollingInterval": 10, "cooldownPeriod": 20 });
    let values = [(0, Some(100.0)), (20, None), (2000, Some(0.0)), (2100, Some(0.0))];
    let (changes, _) = play(&spec, 10).run(&[(0, &[Some(100.0)]), (20, &[None]), (2000, &[None])]);
    assert_eq!(changes, [""; 0]);
    play(&spec, 10).check(&values, &["2000 keda 10->0"]);
}

#[test]
fn cached_metrics_are_those_of_the_last_poll() {
    let cached = |extra: Value| {
        let trigger = json!([{ "type": "redis", "useCachedMetrics": true, "metadata": {} }]);
        let mut spec = json!({ "minReplicaCount": 1, "pollingInterval": 60, "triggers": trigger });
        spec.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        play(&spec, 1)
    };
    let values = [(0, Some(10.0)), (10, Some(50.0)), (90, Some(50.0))];
    cached(json!({})).check(&values, &["60 hpa 1->4", "75 hpa 4->5"]);
    let fresh = json!({ "minReplicaCount": 1, "pollingInterval": 60 });
    play(&fresh, 1).check(&values, &["15 hpa 1->4", "30 hpa 4->5"]);
    // An answer that is served again is no second failure, and no end of the fallback either.
    let fallback = json!({ "fallback": { "failureThreshold": 1, "replicas": 6 } });
    let summary = cached(fallback).check(&[(0, None), (150, None)], &["60 hpa 1->4", "75 hpa 4->6"]);
    assert_eq!((summary.fallbacks, summary.failed_reads), (1, 3));
}

#[test]
fn the_phases_of_polls_and_syncs_are_settings() {
    let mut late = play(&json!({ "pollingInterval": 30 }), 0);
    (late.settings.poll_phase, late.settings.sync_phase) = (7_000, 500);
    late.check(
        &[(0, Some(20.0)), (60, Some(20.0))],
        &["7 keda 0->1", "15.5 hpa 1->2"],
    );
}

#[test]
fn several_triggers_give_the_most_that_any_asks_for() {
    let mut two = play(&json!({ "minReplicaCount": 1 }), 1);
    two.triggers.push(external(1, average("5")));
    let (changes, summary) = two.run(&[(0, &[Some(10.0), Some(20.0)]), (30, &[Some(10.0), Some(20.0)])]);
    assert_eq!(changes, ["15 hpa 1->4"]);
    let names: Vec<&String> = summary.metrics.keys().collect();
    assert_eq!(names, ["s0-jobs", "s1-jobs"]);
}

#[test]
fn flaps_and_cold_starts_are_counted() {
    let spec = json!({ "pollingInterval": 10, "cooldownPeriod": 20 });
    let on_and_off = [
        (0, Some(0.0)),
        (100, Some(5.0)),
        (110, Some(0.0)),
        (200, Some(5.0)),
        (210, Some(0.0)),
        (1000, Some(5.0)),
        (1100, Some(5.0)),
    ];
    let mut orders = play(&spec, 0);
    let changes = [
        "100 keda 0->1",
        "120 keda 1->0",
        "200 keda 0->1",
        "220 keda 1->0",
        "1000 keda 0->1",
    ];
    let summary = orders.check(&on_and_off, &changes);
    // The last change comes 780 s after the one before it.
    assert_eq!((summary.cold_starts, summary.flaps, summary.changes), (3, 3, 5));
    assert_eq!(
        (summary.seconds, summary.seconds_at_zero, summary.replica_hours),
        (1100.0, 960.0, 140.0 / 3600.0)
    );
    orders.settings.flap_window = 30_000;
    orders.settings.replica_hour_price = Some(0.9);
    let summary = orders.check(&on_and_off, &changes);
    assert_eq!((summary.flaps, summary.cost), (2, Some(140.0 / 3600.0 * 0.9)));
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    #[track_caller]
    fn refused(play: &Play, expected: &[&str]) {
        let found = play.prepare().expect_err("it cannot be simulated");
        let found: Vec<String> = found
            .iter()
            .filter(|finding| finding.is_error())
            .map(|finding| format!("{} {}", finding.code, finding.path))
            .collect();
        assert_eq!(found, expected);
    }
    let formula = json!({ "scalingModifiers": { "formula": "a", "target": "5" } });
    refused(
        &play(&json!({ "advanced": formula }), 1),
        &["not-in-this-version-yet spec.advanced.scalingModifiers"],
    );
    refused(
        &play(&json!({ "minReplicaCount": 5, "maxReplicaCount": 3 }), 1),
        &["replica-count spec.minReplicaCount"],
    );
    let mut senseless = play(&json!({}), -1);
    senseless.settings.sync_period = 0;
    senseless.settings.tolerance = f64::NAN;
    senseless.settings.start = Timestamp::MAX;
    let paths = ["syncPeriod", "replicas", "tolerance", "start"];
    let expected: Vec<String> = paths
        .iter()
        .map(|field| format!("simulate-settings simulate.{field}"))
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    refused(&senseless, &expected);
    let mut missing = play(&json!({}), 1);
    let object = missing.object();
    missing.triggers.clear();
    let found = Simulation::new(&object, &missing.triggers, Settings::default()).expect_err("no trigger");
    assert_eq!(found[0].code, "simulate-triggers");
}

#[test]
fn the_fallback_is_said_to_be_simulated_only() {
    let fallback = json!({ "fallback": { "failureThreshold": 3, "replicas": 6 } });
    let simulation = play(&fallback, 1).prepare().unwrap();
    let warnings: Vec<&str> = simulation
        .warnings()
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!(
        warnings,
        [
            "`spec.fallback` is simulated as KEDA carries it out; the controller of this version does not yet, and leaves the replicas as they are"
        ]
    );
}

#[test]
fn steps_tell_why() {
    let simulation = play(&json!({}), 0).prepare().unwrap();
    let mut told = Vec::new();
    let series = rows(vec![(0, vec![Some(23.0)]), (46_000, vec![Some(23.0)])]);
    let Ok(summary) = simulation.run(series, &mut |step| {
        told.push(serde_json::to_string(&step.report()).unwrap());
        std::ops::ControlFlow::Continue(())
    });
    insta::assert_snapshot!(told.join("\n"));
    insta::assert_json_snapshot!(summary);
}

#[test]
fn a_run_can_be_broken_off() {
    let simulation = play(&json!({}), 1).prepare().unwrap();
    let series = rows(vec![(0, vec![Some(23.0)]), (90_000, vec![Some(23.0)])]);
    let Ok(summary) = simulation.run(series, &mut |step| {
        if step.t() == 30_000 {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    });
    assert_eq!((summary.seconds, summary.polls), (30.0, 2));
}

#[test]
fn a_length_cuts_the_series_or_goes_on_with_its_last_row() {
    let mut short = play(&json!({}), 1);
    for length in [0, 60, 200] {
        short.settings.length = Some(length * 1000);
        let (_, summary) = short.run(&[(0, &[Some(10.0)]), (90, &[Some(10.0)])]);
        assert_eq!(
            (summary.seconds, summary.polls, summary.hpa_syncs),
            (length as f64, 1 + length as u64 / 30, length as u64 / 15)
        );
    }
    let nothing = play(&json!({}), 1).check(&[], &[]);
    assert_eq!(
        (nothing.seconds, nothing.polls, nothing.failed_reads),
        (0.0, 1, 1)
    );
}
