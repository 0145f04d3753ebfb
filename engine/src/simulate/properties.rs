//! What holds for every manifest and every series.

use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{Play, average, cpu, external, play};
use super::*;
use crate::metric::MetricTarget;

prop_compose! {
    fn any_spec()(
        min in 0..5_i32, above in 1..20_i32, idle in proptest::option::of(0..4_i32), polling in 1..90_i32,
        cooldown in 0..600_i32, initial in 0..200_i32, fallback in proptest::option::of((0..4_i32, 0..12_i32, 0..5_usize)),
        window in proptest::option::of(0..400_i32), cached in any::<bool>(),
    ) -> Value {
        let mut spec = json!({
            "minReplicaCount": min, "maxReplicaCount": min + above, "pollingInterval": polling,
            "cooldownPeriod": cooldown, "initialCooldownPeriod": initial,
            "triggers": [{ "type": "redis", "useCachedMetrics": cached, "metadata": {} }, { "type": "redis", "metadata": {} }],
        });
        if let Some(idle) = idle.filter(|idle| *idle < min) {
            spec["idleReplicaCount"] = json!(idle);
        }
        if let Some((threshold, replicas, behavior)) = fallback {
            let behavior = ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower", "scalingModifiers"][behavior];
            spec["fallback"] = json!({ "failureThreshold": threshold, "replicas": replicas, "behavior": behavior });
        }
        if let Some(window) = window {
            let behavior = json!({ "scaleDown": { "stabilizationWindowSeconds": window } });
            spec["advanced"] = json!({ "horizontalPodAutoscalerConfig": { "behavior": behavior } });
        }
        spec
    }
}

prop_compose! {
    fn any_settings()(
        replicas in 0..30_i32, sync in 1_000..60_000_i64, startup in 0..120_000_i64, drain in 0..60_000_i64,
        phases in (0..20_000_i64, 0..20_000_i64), rate in 0.001..50.0_f64, inputs in proptest::option::of([0..5_usize, 0..5_usize]),
    ) -> Settings {
        let input = |index: usize| [Input::Column(0), Input::Backlog, Input::InSystem, Input::Arrivals, Input::Busy][index];
        Settings {
            replicas,
            sync_period: sync,
            pod_startup: startup,
            pod_drain: drain,
            poll_phase: phases.0,
            sync_phase: phases.1,
            source: inputs.map_or(Source::Open, |[first, second]| Source::Closed(Closed {
                arrivals: 1,
                service_rate: rate,
                backlog: 7.25,
                inputs: vec![input(first), input(second)],
            })),
            ..Settings::default()
        }
    }
}

type Row = (Millis, Vec<Option<f64>>);

/// Rows over about an hour; their cells are mostly ordinary.
fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let cell = prop_oneof![8 => (0.0..400.0_f64).prop_map(Some), 2 => Just(Some(0.0)), 2 => Just(None)];
    let row = (0..300_000_i64, prop::collection::vec(cell, 0..3));
    prop::collection::vec(row, 0..24).prop_map(|rows| {
        let mut now = 0;
        let later = rows.into_iter().map(|(gap, row)| {
            now += gap;
            (now, row)
        });
        later.collect()
    })
}

fn any_triggers() -> impl Strategy<Value = Vec<SimulatedTrigger>> {
    let second = prop_oneof![
        Just(external(1, average("2500m"))),
        Just(external(1, MetricTarget::Value("30".parse().unwrap()))),
        Just(cpu(60)),
    ];
    second.prop_map(|second| vec![external(0, average("7")), second])
}

prop_compose! {
    fn any_play()(spec in any_spec(), settings in any_settings(), triggers in any_triggers()) -> Play {
        Play { triggers, settings, ..play(&spec, 0) }
    }
}

/// Runs and writes everything down.
fn told(play: &Play, list: &[Row]) -> (Vec<String>, Summary) {
    let mut lines = Vec::new();
    let simulation = play.prepare().expect("the object can be simulated");
    let Ok(summary) = simulation.run(rows(list.to_vec()), &mut |step| {
        lines.push(serde_json::to_string(&step.report()).unwrap());
        ControlFlow::Continue(())
    });
    (lines, summary)
}

/// Mostly what is allowed, somewhere in its range.
fn any_number() -> impl Strategy<Value = i64> {
    prop_oneof![9 => 0..i64::MAX, 1 => any::<i64>()]
}

fn any_fraction() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..2.0_f64, 4 => 0.0..1e12_f64, 1 => any::<f64>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_input_gives_the_same_bytes(play in any_play(), list in any_rows()) {
        let ((first, sums), (second, again)) = (told(&play, &list), told(&play, &list));
        prop_assert_eq!(first, second);
        prop_assert_eq!(serde_json::to_string(&sums).unwrap(), serde_json::to_string(&again).unwrap());
    }

    #[test]
    fn changes_stay_within_the_bounds(play in any_play(), list in any_rows()) {
        let simulation = play.prepare().unwrap();
        let (least, most) = (simulation.want.dormant_floor(), simulation.max());
        let (mut now, mut replicas) = (0, play.settings.replicas);
        let mut wrong = Vec::new();
        let Ok(summary) = simulation.run(rows(list), &mut |step| {
            let ordered = step.t() >= now && step.before() == replicas;
            let within = step.before() == step.replicas() || (least..=most).contains(&step.replicas());
            if !ordered || !within || step.ready() > step.replicas() {
                wrong.push(step.report());
            }
            (now, replicas) = (step.t(), step.replicas());
            ControlFlow::Continue(())
        });
        prop_assert!(wrong.is_empty(), "{wrong:?}");
        prop_assert!(summary.peak <= most.max(play.settings.replicas));
        prop_assert!(summary.seconds_at_zero <= summary.seconds);
        prop_assert!(summary.flaps < summary.changes.max(1) && summary.cold_starts <= summary.changes);
    }

    #[test]
    fn what_arrives_is_served_or_waits(play in any_play(), list in any_rows()) {
        let (_, summary) = told(&play, &list);
        if let (Some(arrived), Some(served), Some(left)) = (summary.arrived, summary.served, summary.left) {
            prop_assert!((arrived + 7.25 - served - left).abs() < 1e-6, "{arrived} + 7.25 != {served} + {left}");
            let backlog = summary.backlog.unwrap();
            prop_assert!(backlog.p50 <= backlog.p95 && backlog.p95 <= backlog.max && left <= backlog.max);
        }
    }

    #[test]
    fn absurd_input_is_refused_or_run(
        spec in any_spec(), bits in prop::collection::vec((any::<i64>(), any::<u64>()), 0..6), replicas in any_number(),
        numbers in prop::collection::vec(any_number(), 8), tolerance in any_fraction(), rate in any_fraction(),
        max in 5..i32::MAX, open in any::<bool>(),
    ) {
        let mut spec = spec;
        spec["maxReplicaCount"] = json!(max);
        let replicas = (replicas >> 32) as i32;
        let mut play = play(&spec, replicas);
        play.triggers.push(external(1, average("1n")));
        // At most an hour, so that the test ends.
        let length = numbers[0] % 3_600_000;
        let closed = Closed { arrivals: 0, service_rate: rate, backlog: rate, inputs: vec![Input::Backlog, Input::InSystem] };
        play.settings = Settings {
            replicas,
            length: Some(length),
            sync_period: 100 + numbers[1] % 100_000,
            downscale_stabilization: numbers[2] % 1_000_000,
            pod_startup: numbers[3] % 1_000_000,
            pod_drain: numbers[4] % 1_000_000,
            poll_phase: numbers[5] % 1_000_000,
            sync_phase: numbers[6] % 1_000_000,
            flap_window: numbers[7] % MAX_LENGTH,
            tolerance,
            replica_hour_price: Some(rate),
            source: if open { Source::Open } else { Source::Closed(closed) },
            ..Settings::default()
        };
        let list = bits.iter().map(|(time, bits)| (time % 4_000_000, vec![Some(f64::from_bits(*bits)), None])).collect();
        if let Ok(simulation) = play.prepare() {
            let Ok(summary) = simulation.run(rows(list), &mut |_| ControlFlow::Continue(()));
            prop_assert_eq!(Some(summary.seconds), Some(length as f64 / 1000.0));
        }
    }
}
