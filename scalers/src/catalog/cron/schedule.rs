//! Schedules of five fields, and when they fire next.
//!
//! The rules are those of robfig/cron's standard parser, which KEDA uses (`parser.go`, `spec.go`): what it refuses is
//! refused here, and a schedule fires at every instant whose local time fits, so not at all in the hour that the
//! change to summer time skips, and twice in the hour that the change back repeats.
//! General cron libraries shift such instants, and accept more.

use jiff::civil::{Date, DateTime, time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::ScalerError;

/// How far ahead a firing is looked for. Upstream: `yearLimit` in `spec.go`.
const YEARS: i16 = 5;

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One of the five fields.
struct Range {
    what: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const FIELDS: [Range; 5] = [
    Range {
        what: "minute",
        min: 0,
        max: 59,
        names: &[],
    },
    Range {
        what: "hour",
        min: 0,
        max: 23,
        names: &[],
    },
    Range {
        what: "day of the month",
        min: 1,
        max: 31,
        names: &[],
    },
    Range {
        what: "month",
        min: 1,
        max: 12,
        names: MONTHS,
    },
    Range {
        what: "day of the week",
        min: 0,
        max: 6,
        names: DAYS,
    },
];

/// The numbers that a field allows, as bits.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Allowed {
    bits: u64,
    /// Whether the field holds a bare `*` or `?`, which matters for the two kinds of day.
    star: bool,
}

/// A schedule that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Schedule {
    /// A zone of its own, from `TZ=`.
    zone: Option<TimeZone>,
    fields: [Allowed; 5],
}

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScheduleError {
    #[error("must have five fields, not {0}")]
    Fields(usize),
    #[error("names the time zone `{0}`, which is not in the IANA database")]
    Zone(String),
    #[error("has `{text}` for the {what}, which must be {rule}")]
    Field {
        text: String,
        what: &'static str,
        rule: String,
    },
}

/// A time zone by name. Upstream: `time.LoadLocation`, where the empty name is UTC.
pub(super) fn zone(name: &str) -> Result<TimeZone, ScalerError> {
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name)
        .map_err(|_| ScalerError::Setting(format!("the time zone `{name}` is not in the IANA database")))
}

impl Schedule {
    /// Reads five fields, after an optional `TZ=Zone `.
    pub(super) fn parse(text: &str) -> Result<Self, ScheduleError> {
        let (zone, rest) = match text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) {
            Some(after) => {
                let (name, rest) = after.split_once(' ').unwrap_or((after, ""));
                let zone = self::zone(name).map_err(|_| ScheduleError::Zone(name.to_owned()))?;
                (Some(zone), rest)
            }
            None => (None, text),
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let five: [&str; 5] = words
            .as_slice()
            .try_into()
            .map_err(|_| ScheduleError::Fields(words.len()))?;
        let mut fields = [Allowed { bits: 0, star: false }; 5];
        for ((field, word), range) in fields.iter_mut().zip(five).zip(&FIELDS) {
            *field = range.parse(word)?;
        }
        Ok(Self { zone, fields })
    }

    /// The first firing strictly after `now`, unless there is none within five years.
    pub(super) fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(zone);
        let today = zone.to_datetime(now).date();
        // Yesterday too: where the clock is set back over midnight, its last hour comes again after today began.
        let mut day = today.yesterday().unwrap_or(today);
        let last_year = today.year().saturating_add(YEARS);
        while day.year() <= last_year {
            if self.month_fits(day)
                && self.day_fits(day)
                && let Some(firing) = self.first_on(day, now, zone)
            {
                return Some(firing);
            }
            day = if self.month_fits(day) {
                day.tomorrow().ok()?
            } else {
                day.first_of_month().checked_add(1.month()).ok()?
            };
        }
        None
    }

    /// The first firing on a day that fits, after `now`.
    fn first_on(&self, day: Date, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut first: Option<Timestamp> = None;
        for hour in (0..24_i8).filter(|hour| self.fields[1].has(hour.unsigned_abs().into())) {
            for minute in (0..60_i8).filter(|minute| self.fields[0].has(minute.unsigned_abs().into())) {
                for instant in instants(day.to_datetime(time(hour, minute, 0, 0)), zone) {
                    if instant > now && first.is_none_or(|first| instant < first) {
                        first = Some(instant);
                    }
                }
            }
            // A later hour can only come first where the clock is set back, which is by at most a few hours.
            if let Some(first) = first
                && zone.to_datetime(first).hour() < hour
            {
                break;
            }
        }
        first
    }

    fn month_fits(&self, day: Date) -> bool {
        self.fields[3].has(day.month().unsigned_abs().into())
    }

    /// Upstream: `dayMatches`. Two restricted fields widen each other, otherwise both must fit.
    fn day_fits(&self, day: Date) -> bool {
        let [_, _, of_month, _, of_week] = &self.fields;
        let month = of_month.has(day.day().unsigned_abs().into());
        let week = of_week.has(day.weekday().to_sunday_zero_offset().unsigned_abs().into());
        if of_month.star || of_week.star {
            month && week
        } else {
            month || week
        }
    }
}

/// The instants at which a clock on the wall shows a time: one, none or two.
fn instants(wall: DateTime, zone: &TimeZone) -> impl Iterator<Item = Timestamp> {
    let offsets = match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
        AmbiguousOffset::Gap { .. } => [None, None],
        AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
    };
    offsets
        .into_iter()
        .flatten()
        .filter_map(move |offset| offset.to_timestamp(wall).ok())
}

impl Allowed {
    fn has(self, number: u32) -> bool {
        self.bits & 1_u64.checked_shl(number).unwrap_or(0) != 0
    }
}

impl Range {
    /// Reads a list. Upstream: `getField`, which skips empty elements.
    fn parse(&self, text: &str) -> Result<Allowed, ScheduleError> {
        let mut all = Allowed { bits: 0, star: false };
        for element in text.split(',').filter(|element| !element.is_empty()) {
            let one = self.element(element).map_err(|rule| ScheduleError::Field {
                text: element.to_owned(),
                what: self.what,
                rule,
            })?;
            all = Allowed {
                bits: all.bits | one.bits,
                star: all.star || one.star,
            };
        }
        Ok(all)
    }

    /// Reads `number | range [/ step]`. Upstream: `getRange`.
    fn element(&self, text: &str) -> Result<Allowed, String> {
        let Self { min, max, .. } = *self;
        let bounds = || format!("between {min} and {max}");
        let (range, step) = match text.split_once('/') {
            Some((_, step)) if step.contains('/') => return Err("a range with one step".to_owned()),
            Some((range, step)) => (range, Some(step)),
            None => (text, None),
        };
        let (low, high) = match range.split_once('-') {
            Some((_, high)) if high.contains('-') => return Err("a range with one hyphen".to_owned()),
            Some((low, high)) => (low, Some(high)),
            None => (range, None),
        };
        let any = low == "*" || low == "?";
        let (start, mut end) = match (any, high) {
            (true, _) => (min, max),
            (false, None) => {
                let number = self.number(low)?;
                (number, number)
            }
            (false, Some(high)) => (self.number(low)?, self.number(high)?),
        };
        let step = match step {
            None => 1,
            Some(step) => {
                if high.is_none() {
                    end = max;
                }
                number(step)?
            }
        };
        if start < min || end > max {
            return Err(bounds());
        }
        if start > end {
            return Err("a range that begins before it ends".to_owned());
        }
        if step == 0 {
            return Err("stepped by more than 0".to_owned());
        }
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let bits = (start..=end)
            .step_by(step)
            .fold(0, |bits, number| bits | 1 << number);
        Ok(Allowed {
            bits,
            star: any && step == 1,
        })
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let lower = text.to_ascii_lowercase();
        match self.names.iter().position(|name| *name == lower) {
            // The days count from 0, the months from 1: each from the least number of its field.
            Some(position) => Ok(position as u32 + self.min),
            None => number(text),
        }
    }
}

/// Go's `strconv.Atoi` without negative numbers.
fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "a number, a range or `*`".to_owned())
}
