//! Properties of decisions and plans.

use proptest::prelude::*;

use super::tests::{at, reading, seen, want};
use super::*;
use crate::pause::Pause;

prop_compose! {
    fn any_desired()(
        min in 0..5_i32, above in 0..6_i32, idle in proptest::option::of(0..4_i32), forced in any::<bool>(),
        pause in prop::sample::select(vec![
            Pause::Off, Pause::ScaleIn, Pause::ScaleOut, Pause::BothDirections, Pause::Full, Pause::At(2),
        ]),
    ) -> Desired {
        let max = (min + above).max(1);
        // Validation refuses idle replicas that are not below the minimum.
        let idle = idle.filter(|idle| *idle < min);
        Desired { pause, forced, min, max, idle, ..want() }
    }
}

prop_compose! {
    fn any_seen()(
        replicas in 0..12_i32, letters in "[aifr]{0,4}", last_active in proptest::option::of(0..2_000_i64),
        push in any::<bool>(),
    ) -> Observed {
        let source = if push { Source::Push } else { Source::Poll };
        Observed { last_active: last_active.map(at), source, ..seen(replicas, &letters) }
    }
}

proptest! {
    #[test]
    fn replicas_stay_within_bounds(want in any_desired(), seen in any_seen(), now in 0..3_000_i64) {
        if let Some(to) = decide(&want, &seen, at(now)).scales_to() {
            prop_assert!(to <= want.max && to >= want.idle.unwrap_or(want.min));
        }
    }

    #[test]
    fn no_deactivation_while_any_reading_failed(want in any_desired(), mut seen in any_seen(), now in 0..3_000_i64) {
        seen.readings.push(reading(9, Reading::Failed("refused".to_owned())));
        let decision = decide(&want, &seen, at(now));
        let lowers = matches!(decision, Decision::Deactivate { .. });
        prop_assert!(!lowers);
        let fewer = decision.scales_to().is_some_and(|to| Ok(to) < seen.replicas);
        prop_assert!(!fewer, "{decision:?}");
    }

    #[test]
    fn pauses_are_kept(want in any_desired(), seen in any_seen(), now in 0..3_000_i64) {
        if let (Some(to), Ok(from)) = (decide(&want, &seen, at(now)).scales_to(), &seen.replicas) {
            prop_assert!(!(want.pause.is_full()));
            prop_assert!(to > *from || !want.pause.stops_scale_in());
        }
    }

    #[test]
    fn a_second_iteration_has_nothing_to_do(want in any_desired(), mut seen in any_seen(), now in 0..3_000_i64) {
        let first = plan(&want, &seen, at(now));
        if let Some(to) = first.decision.scales_to() {
            seen.replicas = Ok(to);
        }
        for action in &first.actions {
            if let Action::PatchStatus(patch) = action {
                condition::merge(&mut seen.conditions, &patch.conditions);
                seen.last_active = patch.last_active.or(seen.last_active);
            }
        }
        let second = plan(&want, &seen, at(now));
        prop_assert!(!second.actions.iter().any(Action::is_effect), "{:?} then {:?}", first.decision, second.decision);
        prop_assert!(!second.actions.iter().any(|action| matches!(action, Action::Emit(_))));
    }
}
