//! The values that a parameter may have: few, round, and further apart the larger they are.

/// Durations as people write them, in seconds.
const SECONDS: [f64; 28] = [
    0.0, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 150.0, 180.0, 240.0, 300.0, 420.0,
    600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0, 5400.0, 7200.0, 14_400.0, 43_200.0, 86_400.0,
];
/// What a decade is divided into.
const ROUND: [f64; 10] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
/// Whole numbers are all taken where there are not more of them.
const ALL: f64 = 24.0;

/// What a parameter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds.
    Seconds,
    /// Replicas, or anything else that is whole.
    Whole,
    /// Anything, with three decimals.
    Number,
}

/// The values from `least` to `most`, both included, and `now` wherever it lies; in order, each once.
pub(crate) fn values(unit: Unit, least: f64, most: f64, now: f64) -> Vec<f64> {
    let mut all = vec![least, most, now];
    match unit {
        Unit::Seconds => all.extend(SECONDS),
        Unit::Whole if most - least <= ALL => {
            let mut value = least;
            while value < most {
                all.push(value);
                value += 1.0;
            }
        }
        Unit::Whole => all.extend(round().filter(|value| value.fract() == 0.0)),
        Unit::Number => all.extend(round()),
    }
    all.retain(|value| (least..=most).contains(value) || value.total_cmp(&now).is_eq());
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// Round numbers from a thousandth to a billion.
fn round() -> impl Iterator<Item = f64> {
    let decade = |power: i32| {
        // Divided, not multiplied by a fraction: 12 / 1000 is the same as the literal 0.012.
        ROUND.into_iter().map(move |digits| {
            if power < 0 {
                (digits * 10.0).round() / 10_f64.powi(1 - power)
            } else {
                (digits * 10_f64.powi(power) * 10.0).round() / 10.0
            }
        })
    };
    (-3..=9).flat_map(decade)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: Unit, least: f64, most: f64, now: f64, want: &[f64]) {
        assert_eq!(values(unit, least, most, now), want);
    }

    #[test]
    fn values_are_round_and_within_the_range() {
        check(
            Unit::Seconds,
            30.0,
            130.0,
            60.0,
            &[30.0, 45.0, 60.0, 90.0, 120.0, 130.0],
        );
        check(Unit::Whole, 0.0, 4.0, 1.0, &[0.0, 1.0, 2.0, 3.0, 4.0]);
        check(
            Unit::Whole,
            5.0,
            40.0,
            7.0,
            &[5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0],
        );
        check(
            Unit::Number,
            0.01,
            0.03,
            0.02,
            &[0.01, 0.012, 0.015, 0.02, 0.025, 0.03],
        );
    }

    #[test]
    fn what_is_there_now_is_among_them_wherever_it_lies() {
        check(Unit::Whole, 2.0, 3.0, 9.0, &[2.0, 3.0, 9.0]);
        check(Unit::Number, 1.0, 1.2, 1.17, &[1.0, 1.17, 1.2]);
    }
}
