//! What holds for every course of things.

use proptest::prelude::*;

use super::*;

fn any_rules() -> impl Strategy<Value = Value> {
    let policy = (
        prop_oneof![Just("Pods"), Just("Percent")],
        1..150_i32,
        prop_oneof![Just(15), Just(30), Just(60), 1..200_i32],
    )
        .prop_map(|(type_, value, period)| json!({"type": type_, "value": value, "periodSeconds": period}));
    let select = prop_oneof![Just("Max"), Just("Min"), Just("Disabled")];
    let window = prop_oneof![Just(0), Just(60), Just(300), 0..400_i32];
    (select, window, proptest::collection::vec(policy, 1..3)).prop_map(|(select, window, policies)| {
        json!({"selectPolicy": select, "stabilizationWindowSeconds": window, "policies": policies})
    })
}

fn any_change() -> impl Strategy<Value = Value> {
    let behavior =
        (any_rules(), any_rules()).prop_map(|(up, down)| json!({"scaleUp": up, "scaleDown": down}));
    let bounds = (1..5_i32, 0..40_i32);
    (proptest::option::of(behavior), bounds).prop_map(|(behavior, (min, room))| {
        json!({"behavior": behavior, "minReplicas": min, "maxReplicas": min + room})
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        4 => (0..20_i64).prop_map(|jobs| Some(jobs * 10_000)),
        4 => (0..300_000_i64).prop_map(Some),
        1 => Just(None),
    ];
    let wait = prop_oneof![4 => Just(15_000), 2 => 14_500..15_500_i64, 1 => 1_000..90_000_i64];
    let set = prop_oneof![20 => Just(None), 1 => (0..6_i32).prop_map(|set| Some(Set::Own(set)))];
    let foreign = prop_oneof![
        6 => Just(Vec::new()),
        1 => proptest::collection::vec(0..100_000_i64, 1..3),
    ];
    let lag = proptest::option::weighted(0.1, 0..45_i32);
    (value, wait, set, foreign, lag, 0..900_i64).prop_map(
        |(value, wait, set, foreign, status_replicas, late)| Step {
            wait,
            value,
            status_replicas,
            set,
            foreign,
            late,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_hpa_that_keeps_to_its_rules_never_differs(
        change in any_change(),
        steps in proptest::collection::vec(any_step(), 1..80),
    ) {
        let mut rig = rig(Options::default(), &change);
        for step in &steps {
            if let Some(found) = rig.step(step) {
                prop_assert!(!found.is_difference(), "{found}");
            }
        }
    }

    #[test]
    fn more_than_the_maximum_always_differs(
        change in any_change(),
        steps in proptest::collection::vec(any_step(), 1..20),
        more in 1..5_i32,
    ) {
        let mut rig = rig(Options::default(), &change);
        for step in &steps {
            rig.step(step);
        }
        let before = rig.replicas;
        let mut after = rig.until_written(&Step::of(77_000));
        if before > 0 {
            after.status.as_mut().unwrap().desired_replicas = rig.spec.max_replicas + more;
            let found = rig.see(after, 5).unwrap();
            prop_assert!(matches!(found.verdict, Verdict::Differs { .. }), "{found}");
        }
    }

    /// While values only rise, nothing of the past counts, and no replica more or less goes unnoticed.
    #[test]
    fn rising_values_leave_no_room(
        steps in proptest::collection::vec(2_000..60_000_i64, 1..12),
        by in prop_oneof![Just(-1), Just(1)],
    ) {
        // Within a tolerance fewer may be wanted of more.
        let exact = Options { tolerance: 0.0, ..Options::default() };
        let mut rig = rig(exact, &json!({"maxReplicas": 1000}));
        let mut value = 0;
        for more in steps {
            value += more;
            let mut other = rig.clone();
            let agreed = rig.step(&Step::of(value)).unwrap();
            prop_assert_eq!(&agreed.verdict, &Verdict::Agrees);
            let mut after = other.until_written(&Step::of(value));
            let status = after.status.as_mut().unwrap();
            status.desired_replicas += by;
            let (least, most) = (agreed.desired, agreed.desired);
            let found = other.see(after, 5).unwrap();
            prop_assert_eq!(&found.verdict, &Verdict::Differs { least, most });
        }
    }
}
