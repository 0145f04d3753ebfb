//! What the reads of a metric answer: a value, the fallback that stands for it, or a failure.

use crds::{Fallback, HealthStatus};

use super::prepare::{Column, Kind};
use super::series::Cell;
use super::summary::Tally;
use crate::activate::{Reading, TriggerReading};
use crate::fallback::{self, Outcome};
use crate::quantity::Quantity;

/// How a read ended. Values are thousandths, as the HPA gets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was not read yet.
    #[default]
    Unread,
    /// With a value, and whether the source is active.
    Value { milli: i64, active: bool },
    /// With an error, for which a fallback stands.
    Fallback { milli: i64 },
    /// With an error.
    Failed,
}

impl Answer {
    /// The value that the HPA gets.
    pub(super) fn milli(self) -> Option<i64> {
        match self {
            Self::Value { milli, .. } | Self::Fallback { milli } => Some(milli),
            Self::Failed | Self::Unread => None,
        }
    }

    /// The value as a number.
    pub(super) fn value(self) -> Option<f64> {
        self.milli().map(|milli| milli as f64 / 1000.0)
    }

    /// Puts the answer of an external metric into the reading of its trigger.
    ///
    /// Upstream: a trigger in fallback counts as active; facts semantics §7.
    pub(super) fn note(self, reading: &mut TriggerReading) {
        reading.value = self.value();
        let failed = matches!(reading.reading, Reading::Failed(_));
        reading.reading = match self {
            Self::Value { active: false, .. } => Reading::Inactive,
            Self::Value { active: true, .. } | Self::Fallback { .. } => Reading::Active,
            Self::Failed | Self::Unread if failed => return,
            Self::Failed | Self::Unread => Reading::Failed("the source failed".to_owned()),
        };
    }
}

/// The workload while a metric is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workload {
    pub(super) replicas: i32,
    pub(super) ready: i32,
}

/// What is kept of one metric between its reads.
#[derive(Debug, Default)]
pub(super) struct Metered {
    health: Option<HealthStatus>,
    falls_back: bool,
    /// The bits of the last value, and its thousandths.
    last: (u64, i64),
    /// The answer of the last poll.
    polled: Answer,
}

impl Metered {
    /// Reads for a poll.
    pub(super) fn poll(
        &mut self,
        column: &Column,
        cell: Option<Cell>,
        workload: Workload,
        fallback: Option<&Fallback>,
        tally: &mut Tally,
    ) -> Answer {
        self.polled = self.read(column, cell, workload, fallback, tally);
        self.polled
    }

    /// Reads for the HPA: the source, or with `useCachedMetrics` what the last poll got.
    // DEVIATION: upstream counts an answer that it serves again as a read of its own, so that a fallback which is served
    // from the last poll ends itself. Here only questions count.
    pub(super) fn serve(
        &mut self,
        column: &Column,
        cell: Option<Cell>,
        workload: Workload,
        fallback: Option<&Fallback>,
        tally: &mut Tally,
    ) -> Answer {
        match self.polled {
            Answer::Unread => self.read(column, cell, workload, fallback, tally),
            polled if column.cached => polled,
            _ => self.read(column, cell, workload, fallback, tally),
        }
    }

    fn read(
        &mut self,
        column: &Column,
        cell: Option<Cell>,
        workload: Workload,
        fallback: Option<&Fallback>,
        tally: &mut Tally,
    ) -> Answer {
        if let Some(cell) = cell {
            if self.health.is_some() {
                self.health = None;
                self.falls_back = false;
            }
            return Answer::Value {
                milli: self.milli(cell.value),
                active: cell.active.unwrap_or(cell.value > column.activation),
            };
        }
        tally.failed_reads += 1;
        if column.kind != Kind::External {
            return Answer::Failed;
        }
        let health = fallback::count(self.health.as_ref(), Outcome::Failed);
        let value = fallback
            .filter(|fallback| fallback::is_exceeded(&health, fallback))
            .and_then(|fallback| {
                fallback::value(fallback, &column.target, workload.replicas, workload.ready)
            });
        self.health = Some(health);
        tally.fallbacks += u64::from(value.is_some() && !self.falls_back);
        self.falls_back = value.is_some();
        value.map_or(Answer::Failed, |value| Answer::Fallback { milli: value.milli() })
    }

    /// The value in thousandths, as the metrics API gives it.
    fn milli(&mut self, value: f64) -> i64 {
        if self.last.0 != value.to_bits() {
            self.last = (value.to_bits(), Quantity::from_f64_milli(value).milli());
        }
        self.last.1
    }
}
