//! What holds for every input.

use super::*;
use proptest::prelude::*;

fn any_metric() -> impl Strategy<Value = Value> {
    let quantity = prop_oneof![
        Just("5"),
        Just("1m"),
        Just("1n"),
        Just("10P"),
        Just("9E"),
        Just("0"),
        Just("-3"),
        Just("1Gi")
    ];
    (0..7, quantity, prop_oneof![1..200_i32, any::<i32>()]).prop_map(|(kind, quantity, percent)| {
        let name = json!({"name": "jobs"});
        let average = json!({"type": "AverageValue", "averageValue": quantity});
        let object = json!({"kind": "Service", "name": "web"});
        match kind {
            0 => external("AverageValue", quantity),
            1 => external("Value", quantity),
            2 => cpu(percent),
            3 => json!({"type": "Resource", "resource": {"name": "memory", "target": average}}),
            4 => json!({"type": "Pods", "pods": {"metric": name, "target": average}}),
            5 => json!({"type": "Object", "object": {"metric": name, "describedObject": object, "target": average}}),
            _ => {
                let value = json!({"type": "Value", "value": quantity});
                json!({"type": "Object", "object": {"metric": name, "describedObject": object, "target": value}})
            }
        }
    })
}

fn any_rules(numbers: impl Strategy<Value = i32> + Clone + 'static) -> impl Strategy<Value = Value> {
    let policy = (
        prop_oneof![Just("Pods"), Just("Percent")],
        numbers.clone(),
        numbers.clone(),
    )
        .prop_map(|(type_, value, period)| json!({"type": type_, "value": value, "periodSeconds": period}));
    let select = prop_oneof![Just("Max"), Just("Min"), Just("Disabled")];
    (select, numbers, proptest::collection::vec(policy, 0..3)).prop_map(|(select, window, policies)| {
        json!({"selectPolicy": select, "stabilizationWindowSeconds": window, "policies": policies})
    })
}

/// A spec; with numbers that the API server lets through, or with any.
fn any_spec(sensible: bool) -> impl Strategy<Value = Spec> {
    let numbers = if sensible {
        (1..4000_i32).boxed()
    } else {
        any::<i32>().boxed()
    };
    let behavior = (any_rules(numbers.clone()), any_rules(numbers.clone()))
        .prop_map(|(up, down)| json!({"scaleUp": up, "scaleDown": down}));
    let bounds = (numbers.clone(), numbers)
        .prop_map(move |(min, room)| (min, if sensible { min + room } else { room }));
    let metrics = proptest::collection::vec(any_metric(), 1..4);
    (metrics, proptest::option::of(behavior), bounds).prop_map(|(metrics, behavior, (min, max))| {
        spec(
            &json!(metrics),
            &json!({"behavior": behavior, "minReplicas": min, "maxReplicas": max}),
        )
    })
}

/// What one sync sees.
#[derive(Clone, Debug)]
struct Seen {
    wait: i64,
    values: Vec<i64>,
    kind: u8,
    pods: usize,
    age: i64,
    works: bool,
    replicas: Option<i32>,
}

fn any_seen(replicas: impl Strategy<Value = i32>) -> impl Strategy<Value = Seen> {
    let values = proptest::collection::vec(prop_oneof![0..100_000_i64, any::<i64>()], 0..4);
    (
        0..4000_i64,
        values,
        0..5_u8,
        0..5_usize,
        -20_000..20_000_i64,
        any::<bool>(),
        proptest::option::weighted(0.1, replicas),
    )
        .prop_map(|(wait, values, kind, pods, age, works, replicas)| Seen {
            wait,
            values,
            kind,
            pods,
            age,
            works,
            replicas,
        })
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Runs the syncs; `each` sees the replicas before and the outcome.
fn run(spec: &Spec, replicas: i32, seen: &[Seen], mut each: impl FnMut(i32, &Outcome)) {
    let options = Options {
        scale_to_zero: replicas % 2 == 0,
        ..Options::default()
    };
    let (mut controller, mut status) = (Controller::new(options), Status::default());
    let (mut replicas, mut now) = (replicas, 0);
    for seen in seen {
        now += seen.wait;
        replicas = seen.replicas.unwrap_or(replicas);
        let pods: Vec<_> = NAMES[..seen.pods]
            .iter()
            .map(|name| Pod {
                start_time: Some(at(now - seen.age)),
                phase: if seen.kind == 4 {
                    Phase::Pending
                } else {
                    Phase::Running
                },
                ..pod(name)
            })
            .collect();
        let measured: Vec<_> = NAMES
            .iter()
            .zip(&seen.values)
            .map(|(name, value)| measured(name, *value))
            .collect();
        let reading = match seen.kind {
            0 => Reading::Failed("no route"),
            1 => Reading::Value(seen.values.first().copied().unwrap_or(0)),
            2 => Reading::Values(&seen.values),
            _ => Reading::Pods(&measured),
        };
        let metrics = [reading; 3];
        let world = World {
            update: if seen.works { Ok(()) } else { Err("conflict") },
            ..world(replicas, &pods, &metrics)
        };
        let outcome = controller.reconcile(at(now), spec, &mut status, &world);
        each(replicas, &outcome);
        let texts = (
            status.to_api(),
            outcome.events.iter().map(ToString::to_string).collect::<Vec<_>>(),
        );
        assert!(!texts.0.conditions.unwrap_or_default().is_empty());
        for proposal in controller.proposals().iter().flatten() {
            assert!(!proposal.calculation.to_string().is_empty());
        }
        replicas = outcome.replicas.unwrap_or(replicas);
    }
}

proptest! {
    #[test]
    fn the_bounds_hold(
        spec in any_spec(true),
        replicas in 0..5000_i32,
        seen in proptest::collection::vec(any_seen(0..5000_i32), 1..20),
    ) {
        let bounds = spec.min_replicas..=spec.max_replicas;
        run(&spec, replicas, &seen, |_, outcome| {
            if let Some(replicas) = outcome.replicas {
                assert!(bounds.contains(&replicas), "{replicas} is not within {bounds:?}");
            }
        });
    }

    #[test]
    fn nothing_panics(
        spec in any_spec(false),
        replicas in any::<i32>(),
        seen in proptest::collection::vec(any_seen(any::<i32>()), 1..10),
    ) {
        run(&spec, replicas, &seen, |before, outcome| assert_eq!(before, outcome.before));
    }

    #[test]
    fn the_same_input_gives_the_same_output(
        spec in any_spec(true),
        seen in proptest::collection::vec(any_seen(0..5000_i32), 1..10),
    ) {
        let record = || {
            let mut all = Vec::new();
            run(&spec, 3, &seen, |_, outcome| all.push(format!("{outcome:?}")));
            all
        };
        prop_assert_eq!(record(), record());
    }
}
