//! `cron`: so many replicas between one schedule and another.

mod schedule;

use jiff::Timestamp;
use scalers_derive::TriggerMetadata;

use crate::ScalerError;
use crate::metadata::Reader;
use crate::scaler::{Metric, Reading, ScalerType, Target, Timed};
use schedule::Schedule;

pub(super) const CRON: ScalerType = ScalerType::timed::<Cron>(
    "cron",
    "A number of replicas between two schedules",
    "{ timezone: Europe/Oslo, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: \"10\" }",
)
.noting(
    "A schedule has five fields: minute, hour, day of the month, month, day of the week (0 is Sunday). A field holds \
     `*`, `?`, numbers, names (`JAN`, `mon`), ranges, lists and steps. Where both days are restricted, either is enough. \
     A time that the change to summer time skips does not fire. Where the windows of several `cron` triggers overlap, \
     the largest number counts.",
);

/// Settings of a `cron` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct Cron {
    /// When the replicas start to be wanted.
    start: String,
    /// When they cease to be wanted.
    end: String,
    /// Name of the time zone in the IANA database, such as `Europe/Oslo`.
    timezone: String,
    /// How many replicas are wanted in between.
    desired_replicas: i64,
}

impl Timed for Cron {
    fn check(&self, reader: &mut Reader<'_>) {
        for (key, text) in [("start", &self.start), ("end", &self.end)] {
            if let Err(error) = Schedule::parse(text) {
                reader.error(key, format!("`{key}` {error}"));
            }
        }
        if self.start == self.end {
            reader.error("end", "`start` and `end` must not be the same");
        }
        if self.desired_replicas == 0 {
            reader.error("desiredReplicas", "`desiredReplicas` must not be 0");
        }
        if schedule::zone(&self.timezone).is_err() {
            // Upstream finds this out when the metric is read.
            reader.warning(
                "timezone",
                format!("the time zone `{}` is not in the IANA database", self.timezone),
            );
        }
    }

    fn metric(&self) -> Metric {
        let Self {
            timezone, start, end, ..
        } = self;
        let name = format!("cron-{timezone}-{}-{}", encoded(start), encoded(end));
        Metric::new(name, Target::Whole(1))
    }

    /// Inside the window means that the end fires before the next start, or together with it.
    ///
    /// Upstream: `GetMetricsAndActivity` in `cron_scaler.go`. A schedule that never fires again counts as one that
    /// fires first, as Go's zero time is long ago.
    fn at(&self, now: Timestamp) -> Result<Reading, ScalerError> {
        let zone = schedule::zone(&self.timezone)?;
        let next = |text: &str| -> Result<Option<Timestamp>, ScalerError> {
            let schedule = Schedule::parse(text).map_err(|error| ScalerError::Setting(error.to_string()))?;
            Ok(schedule.next(now, &zone))
        };
        let inside = next(&self.start)? >= next(&self.end)?;
        let value = if inside { self.desired_replicas as f64 } else { 0.0 };
        Ok(Reading {
            value,
            active: Some(inside),
        })
    }
}

/// A schedule as it stands in the metric's name. Upstream: `parseCronTimeFormat`.
fn encoded(schedule: &str) -> String {
    let mut text = String::new();
    for letter in schedule.chars().filter(|letter| *letter != ' ') {
        match letter {
            '*' => text.push('x'),
            '/' => text.push_str("Sl"),
            '?' => text.push_str("Qm"),
            ',' => text.push_str("Cm"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests;
