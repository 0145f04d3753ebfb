//! What holds for every space and every landscape.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// A landscape without any order in it: a number that the point and the seed decide.
fn height(point: &[usize], seed: u64) -> u64 {
    point.iter().fold(seed ^ 0x51_7c_c1_b7, |sum, value| {
        let mixed = (sum ^ *value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    })
}

/// A score, now and then none at all, or one that is no number.
fn score(point: &[usize], seed: u64, rough: bool) -> Option<Score> {
    let height = height(point, seed);
    let even: usize = point.iter().sum();
    let objective = if rough {
        (height % 1000) as f64
    } else {
        even as f64
    };
    match height % 17 {
        0 => None,
        1 => Some(Score {
            objective: f64::NAN,
            violation: 0.0,
        }),
        kind => Some(Score {
            objective,
            violation: (kind % 3) as f64,
        }),
    }
}

prop_compose! {
    fn any_space()(axes in prop::collection::vec((1..40_usize, 0..40_usize), 0..6)) -> Space {
        Space::new(axes.into_iter().map(|(values, current)| Axis { values, current: current % values }))
    }
}

fn run(space: &Space, effort: Effort, landscape: u64, rough: bool) -> Found {
    let Ok(found) = search(space, effort, &mut |points| {
        Ok::<_, Infallible>(
            points
                .iter()
                .map(|point| score(point, landscape, rough))
                .collect(),
        )
    });
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_proposal_is_never_worse_than_what_is_there(
        space in any_space(), evaluations in 0..300_usize, seed in any::<u64>(), landscape in any::<u64>(), rough in any::<bool>(),
    ) {
        let effort = Effort { evaluations, seed };
        let found = run(&space, effort, landscape, rough);
        prop_assert_eq!(&found.tried[0].point, &space.current());
        prop_assert!(found.tried.len() <= evaluations.max(1));
        let best = found.tried[found.best].score;
        if let Some(now) = found.tried[0].score {
            let best = best.expect("a point that can be is proposed");
            prop_assert!(best.order(&now).is_le(), "{best:?} is worse than {now:?}");
        }
        let feasible = found.tried.iter().filter_map(|tried| tried.score).any(|score| score.is_feasible());
        prop_assert_eq!(feasible, best.is_some_and(|score| score.is_feasible()));
    }

    #[test]
    fn points_are_within_the_space_and_tried_once(
        space in any_space(), evaluations in 0..300_usize, seed in any::<u64>(), landscape in any::<u64>(),
    ) {
        let found = run(&space, Effort { evaluations, seed }, landscape, true);
        let mut seen = std::collections::BTreeSet::new();
        for tried in &found.tried {
            prop_assert_eq!(tried.point.len(), space.axes.len());
            prop_assert!(space.axes.iter().zip(&tried.point).all(|(axis, value)| *value < axis.values));
            prop_assert!(seen.insert(&tried.point), "{:?} twice", tried.point);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_search(
        space in any_space(), evaluations in 0..300_usize, seed in any::<u64>(), landscape in any::<u64>(),
    ) {
        let effort = Effort { evaluations, seed };
        let (one, other) = (run(&space, effort, landscape, true), run(&space, effort, landscape, true));
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn the_front_is_not_dominated_and_dominates_the_rest(
        points in prop::collection::vec((0..20_i32, 0..20_i32), 0..60),
    ) {
        let points: Vec<(f64, f64)> = points.into_iter().map(|(x, y)| (f64::from(x), f64::from(y))).collect();
        let front = front(&points);
        let beats = |one: (f64, f64), other: (f64, f64)| one.0 <= other.0 && one.1 <= other.1;
        for (position, &point) in points.iter().enumerate() {
            let beaten = points.iter().any(|&other| beats(other, point) && other != point);
            let first = points[..position].iter().all(|&other| other != point);
            prop_assert_eq!(front.contains(&position), !beaten && first, "{:?}", point);
        }
    }
}
