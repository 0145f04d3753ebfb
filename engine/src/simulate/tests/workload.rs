//! Pods that take time, what the kubelet measures, and the closed loop.

use serde_json::json;

use super::*;

/// A closed loop in which every metric shows the same.
fn closed(play: &mut Play, service_rate: f64, input: Input) {
    play.settings.source = Source::Closed(Closed {
        arrivals: 0,
        service_rate,
        backlog: 0.0,
        inputs: vec![input; play.triggers.len()],
    });
}

#[test]
fn utilisation_counts_pods_once_they_are_ready_and_measured() {
    let mut busy = play(&json!({ "minReplicaCount": 1, "maxReplicaCount": 8 }), 2);
    busy.triggers = vec![cpu(50)];
    let values = [(0, Some(100.0)), (20, Some(100.0))];
    busy.check(&values, &["15 hpa 2->4"]);
    busy.settings.pod_startup = 60_000;
    // The new pods are ready at 75, and a whole window was measured 15 s later.
    let values = [(0, Some(100.0)), (100, Some(100.0))];
    busy.check(&values, &["15 hpa 2->4", "90 hpa 4->8"]);
}

#[test]
fn a_container_is_measured_by_itself() {
    let mut busy = play(&json!({ "minReplicaCount": 1 }), 2);
    let resource = |container: Option<&str>, target| SimulatedTrigger {
        metrics: TriggerMetrics::Resource(ResourceMetric {
            resource: Resource::Memory,
            container: container.map(str::to_owned),
            target,
        }),
        activation: 0.0,
    };
    busy.triggers = vec![
        resource(None, MetricTarget::Utilization(50)),
        resource(Some("app"), MetricTarget::Utilization(50)),
        resource(Some("proxy"), average("100")),
    ];
    let simulation = busy.prepare().unwrap();
    assert_eq!(simulation.columns(), ["memory", "memory/app", "memory/proxy"]);
    for (row, expected) in [
        ([Some(75.0), Some(10.0), Some(10.0)], "15 hpa 2->3"),
        ([Some(10.0), Some(100.0), Some(10.0)], "15 hpa 2->4"),
        ([Some(10.0), Some(10.0), Some(140.0)], "15 hpa 2->3"),
    ] {
        let (changes, _) = busy.run(&[(0, &row), (20, &row)]);
        assert_eq!(changes, [expected]);
    }
}

#[test]
fn a_value_is_shared_by_the_ready_pods() {
    let mut shared = play(&json!({ "minReplicaCount": 1, "maxReplicaCount": 20 }), 2);
    shared.triggers = vec![external(0, MetricTarget::Value("10".parse().unwrap()))];
    shared.settings.pod_startup = 20_000;
    let values = [(0, Some(20.0)), (46, Some(20.0))];
    shared.check(&values, &["15 hpa 2->4", "45 hpa 4->8"]);
    // The fallback is divided among the ready pods: 3 replicas of 2 ready ones are one and a half targets.
    shared.spec["fallback"] = json!({ "failureThreshold": 0, "replicas": 3 });
    shared.check(&[(0, None), (20, None)], &["15 hpa 2->3"]);
}

#[test]
fn many_pods_are_refused_only_where_each_is_looked_at() {
    let spec = json!({ "minReplicaCount": 1, "maxReplicaCount": 1_000_000 });
    let mut many = play(&spec, 1);
    let summary = many.check(
        &[(0, Some(1e12)), (60, Some(1e12))],
        &["15 hpa 1->4", "30 hpa 4->8", "45 hpa 8->16", "60 hpa 16->32"],
    );
    assert_eq!(summary.peak, 32);
    many.triggers = vec![cpu(50)];
    let found = many.prepare().expect_err("too many pods");
    assert_eq!(found[0].code, "simulate-pods");
    // It is told of whoever asks for them.
    many.spec["maxReplicaCount"] = json!(10);
    many.settings.replicas = 1_000_000;
    let found = many.prepare().expect_err("too many pods at the start");
    let paths: Vec<String> = found.iter().map(|found| found.path.to_string()).collect();
    assert_eq!(paths, ["simulate.replicas"]);
}

#[test]
fn pods_that_drain_are_paid_for() {
    let mut drain = play(&json!({ "pollingInterval": 10, "cooldownPeriod": 20 }), 1);
    let values = [(0, Some(0.0)), (100, Some(0.0))];
    let at_once = drain.check(&values, &["0 keda 1->0"]);
    drain.settings.pod_drain = 30_000;
    let drained = drain.check(&values, &["0 keda 1->0"]);
    let hours = |seconds: f64| seconds / 3600.0;
    assert_eq!((at_once.replica_hours, drained.replica_hours), (0.0, hours(30.0)));
    assert_eq!((at_once.seconds_at_zero, drained.seconds_at_zero), (100.0, 100.0));
}

#[test]
fn a_queue_is_worked_off() {
    // 10 messages a second arrive for a minute; a replica does 5. The queue is empty at 37.5, and was not at the poll of 30.
    let mut queue = play(
        &json!({ "pollingInterval": 10, "cooldownPeriod": 60, "maxReplicaCount": 4 }),
        0,
    );
    queue.settings.length = Some(600_000);
    queue.settings.pod_startup = 5_000;
    closed(&mut queue, 5.0, Input::Backlog);
    let summary = queue.check(
        &[(0, Some(10.0)), (60, Some(0.0))],
        &["10 keda 0->1", "15 hpa 1->4", "90 keda 4->0"],
    );
    assert_eq!((summary.arrived, summary.served), (Some(600.0), Some(600.0)));
    assert_eq!(summary.cold_starts, 1);
}

#[test]
fn a_queue_with_acknowledgements_shows_what_is_being_worked_on() {
    // Two replicas are enough for 8 messages a second, so nothing waits, yet there is always work.
    let mut queue = play(&json!({ "pollingInterval": 10, "cooldownPeriod": 30 }), 2);
    let values = [(0, Some(8.0)), (200, Some(8.0))];
    closed(&mut queue, 5.0, Input::Backlog);
    let waiting = queue.run(&[(0, &[Some(8.0)]), (200, &[Some(8.0)])]).1;
    assert!(waiting.seconds_at_zero > 0.0 && waiting.cold_starts > 0);
    closed(&mut queue, 5.0, Input::InSystem);
    queue.triggers = vec![external(0, average("1"))];
    let summary = queue.check(&values, &[]);
    assert_eq!(
        summary.metrics["s0-jobs"],
        Spread {
            p50: 1.6,
            p95: 1.6,
            max: 1.6
        }
    );
}

#[test]
fn cpu_follows_the_load() {
    // 12 messages a second, 4 a replica: at half load 6 replicas are wanted.
    let mut load = play(&json!({ "minReplicaCount": 3 }), 3);
    load.triggers = vec![cpu(50)];
    closed(&mut load, 4.0, Input::Busy);
    let summary = load.check(&[(0, Some(12.0)), (300, Some(12.0))], &["15 hpa 3->6"]);
    assert_eq!(
        summary.backlog,
        Some(Spread {
            p50: 0.0,
            p95: 0.0,
            max: 0.0
        })
    );
}

#[test]
fn messages_arrive_while_their_source_cannot_be_asked() {
    let mut queue = play(&json!({ "pollingInterval": 10 }), 0);
    closed(&mut queue, 5.0, Input::Backlog);
    queue.settings.length = Some(100_000);
    let values = [(0, Some(0.0)), (5, Some(2.0)), (10, None), (95, Some(2.0))];
    let summary = queue.check(&values, &["100 keda 0->1"]);
    assert_eq!((summary.arrived, summary.failed_reads), (Some(190.0), 9));
    assert_eq!(summary.backlog.map(|backlog| backlog.max), Some(190.0));
}
