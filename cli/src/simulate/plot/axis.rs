//! Where an axis has its marks, and how they are labelled.

use jiff::Timestamp;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Distances between two marks, as people divide time.
const STEPS: [i64; 23] = [
    SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    365 * DAY,
];

/// A time from here on (September 2001) is one since 1970; earlier ones count from the start of the series.
const CALENDAR: i64 = 1_000_000_000 * SECOND;

/// Marks of a time axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    from: i64,
    to: i64,
    step: i64,
}

impl Times {
    /// At most so many marks between two moments, in milliseconds.
    pub(super) fn new(from: i64, to: i64, most: usize) -> Self {
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        let fits = |step: &i64| (to - from) / step <= most;
        let longest = STEPS[STEPS.len() - 1];
        let step = STEPS.into_iter().find(fits);
        Self {
            from,
            to,
            step: step.unwrap_or_else(|| longest * ((to - from) / longest / most + 1)),
        }
    }

    /// The moments of the marks.
    pub(super) fn marks(self) -> impl Iterator<Item = i64> {
        let first = self.from.div_euclid(self.step) * self.step;
        (0..)
            .map(move |number| first + number * self.step)
            .skip_while(move |at| *at < self.from)
            .take_while(move |at| *at <= self.to)
    }

    /// What stands at a mark: the time of day (in UTC), or the time since the start of the series.
    pub(super) fn label(self, at: i64) -> String {
        if self.from < CALENDAR {
            return match self.step {
                DAY.. => format!("{}d", at / DAY),
                HOUR.. => format!("{}h", at / HOUR),
                MINUTE.. => format!("{}m", at / MINUTE),
                _ => format!("{}s", at / SECOND),
            };
        }
        let form = match self.step {
            DAY.. => "%b %-d",
            _ if at % DAY == 0 => "%b %-d",
            MINUTE.. => "%H:%M",
            _ => "%H:%M:%S",
        };
        Timestamp::from_millisecond(at).map_or_else(|_| String::new(), |at| at.strftime(form).to_string())
    }

    /// What the axis is of.
    pub(super) fn title(self) -> &'static str {
        if self.from < CALENDAR {
            "time since the start of the series"
        } else {
            "time (UTC)"
        }
    }
}

/// A value in as few characters as tell it.
pub(crate) fn number(value: f64) -> String {
    for (unit, letter) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")] {
        if value.abs() >= unit {
            let unit = if letter == "k" { 1e3 } else { unit };
            return format!("{}{letter}", short(value / unit));
        }
    }
    short(value)
}

fn short(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    crate::simulate::print::decimals(value, decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_at_round_times() {
        for (from, to, most, want) in [
            (0, DAY, 6, vec!["0h", "6h", "12h", "18h", "24h"]),
            (0, 90 * SECOND, 4, vec!["0s", "30s", "60s", "90s"]),
            (10 * MINUTE, 50 * MINUTE, 3, vec!["15m", "30m", "45m"]),
            (0, 0, 5, vec!["0s"]),
            (
                CALENDAR,
                CALENDAR + DAY,
                5,
                vec!["06:00", "12:00", "18:00", "Sep 10"],
            ),
            (0, 36_500 * DAY, 4, vec!["0d", "9490d", "18980d", "28470d"]),
        ] {
            let times = Times::new(from, to, most);
            let found: Vec<String> = times.marks().map(|at| times.label(at)).collect();
            assert_eq!(found, want, "{from}..{to}");
        }
    }

    #[test]
    fn numbers_are_short() {
        for (value, want) in [
            (0.0, "0"),
            (2.5, "2.5"),
            (0.333, "0.33"),
            (37.25, "37.2"),
            (1520.0, "1520"),
            (12_500.0, "12.5k"),
            (1e6, "1M"),
            (100.0, "100"),
        ] {
            assert_eq!(number(value), want);
        }
    }
}
