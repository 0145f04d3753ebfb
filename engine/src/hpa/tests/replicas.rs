//! What metrics ask for.

use super::*;

/// What the first metric asks for at second 0, and how; or why it asks for nothing.
fn asks(spec: &Spec, replicas: i32, pods: &[Pod<'_>], reading: Reading<'_>) -> Result<(i32, String), String> {
    asks_with(&Options::default(), spec, replicas, pods, reading)
}

fn asks_with(
    options: &Options,
    spec: &Spec,
    replicas: i32,
    pods: &[Pod<'_>],
    reading: Reading<'_>,
) -> Result<(i32, String), String> {
    let metrics = [reading];
    let world = world(replicas, pods, &metrics);
    let mut proposals = Vec::new();
    compute_replicas_for_metrics(at(0), options, spec, world.scale.unwrap(), &world, &mut proposals);
    match proposals.remove(0) {
        Ok(proposal) => Ok((proposal.replicas, proposal.calculation.to_string())),
        Err(error) => Err(error.to_string()),
    }
}

#[track_caller]
fn check(found: Result<(i32, String), String>, replicas: i32, arithmetic: &str) {
    let (got, told) = found.unwrap();
    assert_eq!((got, told.as_str()), (replicas, arithmetic));
}

const THREE: [&str; 3] = ["a", "b", "c"];

#[test]
fn an_average_value_is_divided_by_the_target() {
    let five = spec(&json!([external("AverageValue", "5")]), &json!({}));
    let values = |values| asks(&five, 3, &[], Reading::Values(values));
    check(values(&[37_000]), 8, "ceil(37 / 5) = 8");
    check(values(&[30_000, 7_000]), 8, "ceil(37 / 5) = 8");
    check(values(&[]), 0, "ceil(0 / 5) = 0");
    check(
        values(&[16_000]),
        3,
        "16 / (5 * 3) = 1.07, within 10 % of 1: stays at 3",
    );
    check(
        values(&[16_500]),
        3,
        "16.5 / (5 * 3) = 1.10, within 10 % of 1: stays at 3",
    );
    check(values(&[16_501]), 4, "ceil(16.501 / 5) = 4");
    check(
        values(&[13_500]),
        3,
        "13.5 / (5 * 3) = 0.90, within 10 % of 1: stays at 3",
    );
    check(values(&[10_000]), 2, "ceil(10 / 5) = 2");
    check(
        asks(&five, 0, &[], Reading::Values(&[1_000])),
        1,
        "ceil(1 / 5) = 1",
    );
}

#[test]
fn a_value_is_a_ratio_of_the_ready_pods() {
    let ten = spec(&json!([external("Value", "10")]), &json!({}));
    let ready = THREE.map(pod);
    let mut starting = ready;
    starting[1].ready = None;
    starting[2].ready = Some(Ready {
        status: ReadyStatus::Unknown,
        since: at(-5),
    });
    check(
        asks(&ten, 3, &ready, Reading::Values(&[20_000])),
        6,
        "ceil(3 ready * 20 / 10) = 6",
    );
    check(
        asks(&ten, 3, &starting, Reading::Values(&[20_000])),
        2,
        "ceil(1 ready * 20 / 10) = 2",
    );
    check(
        asks(&ten, 3, &[], Reading::Values(&[10_900])),
        3,
        "10.9 / 10 = 1.09, within 10 % of 1: stays at 3",
    );
    check(
        asks(&ten, 0, &[], Reading::Values(&[25_000])),
        3,
        "ceil(25 / 10) = 3",
    );
    assert_eq!(
        asks(&ten, 3, &[], Reading::Values(&[20_000])),
        Err(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count"
                .to_owned()
        )
    );
}

#[test]
fn an_object_is_like_an_external_metric() {
    let object = |kind: &str, field: &str| {
        let object = json!({
            "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
            "metric": {"name": "hits"},
            "target": {"type": kind, field: "10"},
        });
        spec(&json!([{"type": "Object", "object": object}]), &json!({}))
    };
    let ready = THREE.map(pod);
    let value = object("Value", "value");
    check(
        asks(&value, 3, &ready, Reading::Value(20_000)),
        6,
        "ceil(3 ready * 20 / 10) = 6",
    );
    let average = object("AverageValue", "averageValue");
    check(
        asks(&average, 3, &[], Reading::Value(75_000)),
        8,
        "ceil(75 / 10) = 8",
    );
    let neither = "invalid object metric source: neither a value target nor an average value target was set";
    let mixed = object("Value", "averageValue");
    assert_eq!(
        asks(&mixed, 3, &ready, Reading::Value(1)),
        Err(neither.to_owned())
    );
    assert_eq!(
        asks(&value, 3, &ready, Reading::Failed("not found")),
        Err("unable to get metric hits: Service on shop web/not found".to_owned())
    );
}

#[test]
fn utilization_is_percent_of_what_pods_request() {
    let half = spec(&json!([cpu(50)]), &json!({}));
    let pods = THREE.map(pod);
    let of = |values: [i64; 3]| {
        let metrics: Vec<_> = THREE
            .iter()
            .zip(values)
            .map(|(pod, value)| measured(pod, value))
            .collect();
        asks(&half, 3, &pods, Reading::Pods(&metrics))
    };
    check(of([100, 90, 80]), 6, "ceil(3 ready * 90 / 50) = 6");
    check(
        of([50, 50, 50]),
        3,
        "50 / 50 = 1.00, within 10 % of 1: stays at 3",
    );
    check(of([10, 10, 11]), 1, "ceil(3 ready * 10 / 50) = 1");
}

#[test]
fn pods_without_a_value_are_idle_when_scaling_out_and_at_their_target_when_scaling_in() {
    let half = spec(&json!([cpu(50)]), &json!({}));
    let pods = THREE.map(pod);
    let of = |metrics: &[PodMetric<'_>]| asks(&half, 3, &pods, Reading::Pods(metrics));
    check(
        of(&[measured("a", 200), measured("c", 200)]),
        8,
        "ceil(3 pods * 2.66) = 8, with 1 without a value",
    );
    check(
        of(&[measured("a", 60), measured("c", 60)]),
        3,
        "60 / 50 turns to 0.80 with 1 without a value: stays at 3",
    );
    check(
        of(&[measured("a", 1), measured("b", 1)]),
        3,
        "ceil(3 pods * 0.68) = 3, with 1 without a value",
    );
}

#[test]
fn pods_that_are_not_ready_are_idle_when_scaling_out_and_left_aside_otherwise() {
    let half = spec(&json!([cpu(50)]), &json!({}));
    let mut pods = THREE.map(pod);
    pods[2].ready = Some(Ready {
        status: ReadyStatus::False,
        since: at(-10_000),
    });
    let of = |pods: &[Pod<'_>], value| {
        let metrics = THREE.map(|pod| measured(pod, value));
        asks(&half, 3, pods, Reading::Pods(&metrics))
    };
    check(of(&pods, 200), 8, "ceil(3 pods * 2.66) = 8, with 1 not ready");
    check(of(&pods, 10), 1, "ceil(2 ready * 10 / 50) = 1");
    pods[1].phase = Phase::Pending;
    check(
        of(&pods, 80),
        3,
        "80 / 50 turns to 0.52 with 2 not ready: stays at 3",
    );
    pods[1].phase = Phase::Failed;
    pods[2].deleted = true;
    check(of(&pods, 80), 2, "ceil(1 ready * 80 / 50) = 2");
    pods[0].phase = Phase::Pending;
    assert_eq!(
        of(&pods, 80),
        Err(
            "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)"
                .to_owned()
        )
    );
}

/// Whether a pod's CPU counts, which started and changed its readiness at these seconds and is measured at second 0.
#[track_caller]
fn counts(started: i64, status: ReadyStatus, since: i64, counts: bool) {
    let half = spec(&json!([cpu(50)]), &json!({}));
    let changed = Pod {
        start_time: Some(at(started)),
        ready: Some(Ready {
            status,
            since: at(since),
        }),
        ..pod("a")
    };
    let metrics = [measured("a", 100)];
    let found = asks(&half, 1, &[changed], Reading::Pods(&metrics));
    assert_eq!(found.is_ok(), counts, "{started} {status:?} {since}: {found:?}");
}

#[test]
fn cpu_counts_once_a_pod_is_past_its_start() {
    use ReadyStatus::{False, True, Unknown};
    // Within the initialization period a whole window must have passed since the last change.
    counts(-299, True, -30, true);
    counts(-299, True, -29, false);
    counts(-299, False, -60, false);
    counts(-299, Unknown, -60, true);
    // Past it only a pod that never was ready is left out.
    counts(-300, True, 0, true);
    counts(-300, False, -270, true);
    counts(-300, False, -271, false);
}

#[test]
fn memory_does_not_ask_for_readiness() {
    let target = json!({"type": "AverageValue", "averageValue": "200Mi"});
    let memory = json!([{"type": "Resource", "resource": {"name": "memory", "target": target}}]);
    let mut pods = THREE.map(pod);
    pods[2].ready = None;
    let metrics = THREE.map(|pod| measured(pod, 300 * 1_048_576_000));
    check(
        asks(&spec(&memory, &json!({})), 3, &pods, Reading::Pods(&metrics)),
        5,
        "ceil(3 ready * 300Mi / 200Mi) = 5",
    );
}

#[test]
fn values_of_strange_pods_count_as_upstream_counts_them() {
    let target = json!({"type": "AverageValue", "averageValue": "10"});
    let hits = json!([{"type": "Pods", "pods": {"metric": {"name": "hits"}, "target": target}}]);
    let metrics = [measured("a", 40_000), measured("stranger", 20_000)];
    check(
        asks(&spec(&hits, &json!({})), 1, &[pod("a")], Reading::Pods(&metrics)),
        3,
        "ceil(1 ready * 30 / 10) = 3",
    );
}

#[test]
fn requests_must_be_there() {
    let container = |name: &str, resource: &str| {
        let target = json!({"type": "Utilization", "averageUtilization": 50});
        let source = json!({"name": resource, "container": name, "target": target});
        spec(
            &json!([{"type": "ContainerResource", "containerResource": source}]),
            &json!({}),
        )
    };
    let metrics = [measured("a", 100)];
    let of = |spec: &Spec, pod: Pod<'_>| {
        asks(spec, 1, &[pod], Reading::Pods(&metrics)).map_err(|text| text.replace("failed to get ", ""))
    };
    check(
        of(&container("app", "cpu"), pod("a")),
        2,
        "ceil(1 ready * 100 / 50) = 2",
    );
    assert_eq!(
        of(&container("proxy", "cpu"), pod("a")),
        Err("cpu utilization: container proxy not found in Pod a".to_owned())
    );
    assert_eq!(
        of(&container("app", "disk"), pod("a")),
        Err("disk utilization: missing request for disk in container app of Pod a".to_owned())
    );
    let whole = spec(&json!([cpu(50)]), &json!({}));
    let level = |requests| Pod {
        pod_requests: Some(requests),
        ..pod("a")
    };
    let double = [Request {
        resource: "cpu",
        milli: 200,
    }];
    check(
        of(&whole, level(&double)),
        1,
        "50 / 50 = 1.00, within 10 % of 1: stays at 1",
    );
    assert_eq!(
        of(&whole, level(&[])),
        Err("cpu utilization: missing pod-level request for cpu in Pod a".to_owned())
    );
    let nothing = [Request {
        resource: "cpu",
        milli: 0,
    }];
    assert_eq!(
        of(&whole, level(&nothing)),
        Err("cpu utilization: no metrics returned matched known pods".to_owned())
    );
}

#[test]
fn tolerance_may_differ_by_direction() {
    let behavior = json!({"behavior": {"scaleUp": {"tolerance": "500m"}, "scaleDown": {"tolerance": "0"}}});
    let five = spec(&json!([external("AverageValue", "5")]), &behavior);
    let values = |values| asks(&five, 4, &[], Reading::Values(values));
    check(
        values(&[30_000]),
        4,
        "30 / (5 * 4) = 1.50, within 50 % of 1: stays at 4",
    );
    check(values(&[30_001]), 7, "ceil(30.001 / 5) = 7");
    check(values(&[15_000]), 3, "ceil(15 / 5) = 3");
    let strict = Options {
        tolerance: 0.0,
        ..Options::default()
    };
    let plain = spec(&json!([external("AverageValue", "5")]), &json!({}));
    check(
        asks_with(&strict, &plain, 4, &[], Reading::Values(&[20_001])),
        5,
        "ceil(20.001 / 5) = 5",
    );
}

#[test]
fn numbers_out_of_range_end_as_on_amd64() {
    let tiny = spec(&json!([external("AverageValue", "1m")]), &json!({}));
    let replicas =
        |spec: &Spec, replicas, values| asks(spec, replicas, &[], Reading::Values(values)).unwrap().0;
    assert_eq!(replicas(&tiny, 3, &[i64::MAX]), i32::MAX);
    assert_eq!(replicas(&tiny, 3, &[i64::MAX, 1]), i32::MAX);
    assert_eq!(replicas(&tiny, 3, &[-1]), i32::MAX);
    let value = spec(&json!([external("Value", "1m")]), &json!({}));
    assert_eq!(replicas(&value, 0, &[i64::MAX]), i32::MIN);
    assert_eq!(replicas(&value, 0, &[-1_500]), -1_500);
    // The target's thousandths do not fit, and become 0 upstream.
    let huge = spec(&json!([external("AverageValue", "10P")]), &json!({}));
    assert_eq!(replicas(&huge, 3, &[1_000]), i32::MAX);
    assert_eq!(replicas(&huge, 3, &[0]), i32::MIN);
}
