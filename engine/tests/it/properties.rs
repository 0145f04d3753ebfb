//! Whatever the spec says, a plan that was carried out leaves nothing to do.

use engine::action::Action;
use proptest::prelude::*;
use serde_json::json;

use crate::lifecycle::world;

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reconcile_is_a_fixed_point(
        min in proptest::option::of(0..4_i32),
        max in proptest::option::of(4..9_i32),
        annotation in prop::sample::select(vec![
            None, Some("paused"), Some("paused-replicas"), Some("paused-scale-in"), Some("paused-scale-out"),
            Some("force-activation"),
        ]),
        window in proptest::option::of(0..3_600_i32),
        replicas in 0..9_i32,
        active in any::<bool>(),
    ) {
        let mut world = world(replicas, &json!({ "minReplicaCount": min, "maxReplicaCount": max }));
        if let Some(window) = window {
            let behavior = json!({ "scaleDown": { "stabilizationWindowSeconds": window } });
            world.edit(&json!({ "advanced": { "horizontalPodAutoscalerConfig": { "behavior": behavior } } }));
        }
        if let Some(key) = annotation {
            world.annotate(&format!("autoscaling.keda.sh/{key}"), Some("2"));
        }
        world.active = vec![Some(active)];
        world.reconcile();
        let second = world.reconcile();
        prop_assert!(second.is_empty(), "{second:?}");
        if world.running.is_some() {
            world.poll();
            let again = world.poll();
            prop_assert!(!again.iter().any(Action::is_effect), "{again:?}");
            // What the loop does not touch is the HPA's, which is not in this model.
            let bounds = min.unwrap_or(0)..=max.unwrap_or(100);
            prop_assert!(world.replicas().is_some_and(|now| now == replicas || bounds.contains(&now)));
            let after = world.reconcile();
            prop_assert!(after.is_empty(), "{after:?}");
        }
    }
}
