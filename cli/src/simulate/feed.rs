//! Hands rows to the engine, whose time begins with the first of them, and adds what the time of day alone decides.

use std::fmt;

use engine::metric::MetricName;
use engine::simulate::{Cell, Rows};
use futures::FutureExt as _;
use jiff::Timestamp;
use scalers::{Built, Pool};

use crate::commands::dry_run::way::connect;
use crate::exit::Failure;
use crate::simulate::series::{Row, Series};

/// Schedules begin and end at whole minutes.
const MINUTE: i64 = 60_000;
/// The scaler type whose value the time of day decides.
const CRON: &str = "cron";

/// A trigger that needs no series.
#[derive(Clone)]
pub(crate) struct Schedule {
    built: Built,
    metric: MetricName,
    pool: Pool,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.metric.fmt(f)
    }
}

impl Schedule {
    /// The schedule behind a metric, if there is one.
    pub(crate) fn of(built: &Built, metric: &str) -> Option<Self> {
        (built.scaler().name == CRON).then(|| Self {
            built: built.clone(),
            metric: MetricName::new(metric),
            pool: Pool::new(connect()),
        })
    }

    /// Its value at a moment; nobody is asked, so the answer is there at once.
    fn at(&self, at: i64) -> Option<Cell> {
        let now = Timestamp::from_millisecond(at).ok()?;
        let samples = self
            .pool
            .ask(&self.built, &self.metric, now)
            .now_or_never()?
            .ok()?;
        let sample = samples.first()?;
        Some(Cell {
            value: sample.value,
            active: sample.active,
        })
    }
}

/// What stands in a cell.
#[derive(Debug)]
pub(crate) enum Take {
    /// A column of the series.
    Column(usize),
    /// A schedule.
    Schedule(Box<Schedule>),
}

/// Rows for the engine.
pub(crate) struct Feed {
    /// The row that comes next.
    next: Option<Row>,
    /// The row that holds.
    held: Option<Row>,
    series: Series,
    zero: i64,
    order: Vec<Take>,
    /// The next minute at which schedules are looked at, where there are any.
    minute: Option<i64>,
    /// Schedules go on until here after the last row.
    end: Option<i64>,
    /// What was handed over last.
    last: Vec<Option<Cell>>,
}

impl Feed {
    /// Begins with the first row, which was read already. `end` is where the simulation ends, if that is known.
    pub(crate) fn new(first: Option<Row>, series: Series, order: Vec<Take>, end: Option<i64>) -> Self {
        let zero = first.as_ref().map_or(0, |row| row.at);
        let schedules = order.iter().any(|take| matches!(take, Take::Schedule(_)));
        Self {
            next: first,
            held: None,
            series,
            zero,
            order,
            minute: schedules.then(|| (zero.div_euclid(MINUTE) + 1) * MINUTE),
            end,
            last: Vec::new(),
        }
    }

    /// The moment of the next row, and whether the series has it.
    fn due(&self) -> Option<(i64, bool)> {
        let row = self.next.as_ref().map(|row| (row.at, true));
        let minute = self
            .minute
            .filter(|minute| row.is_some() || self.end.is_some_and(|end| *minute <= end));
        match (row, minute) {
            (Some((at, _)), Some(minute)) if minute < at => Some((minute, false)),
            (None, Some(minute)) => Some((minute, false)),
            (row, _) => row,
        }
    }

    fn cells(&self, at: i64, cells: &mut Vec<Option<Cell>>) {
        let cell = |take: &Take| match take {
            Take::Column(column) => {
                let row = self.held.as_ref()?;
                row.values.get(*column).copied().flatten().map(Cell::from)
            }
            Take::Schedule(schedule) => schedule.at(at),
        };
        cells.extend(self.order.iter().map(cell));
    }
}

impl Rows for Feed {
    type Error = Failure;

    fn next_row(&mut self, cells: &mut Vec<Option<Cell>>) -> Result<Option<i64>, Failure> {
        while let Some((at, row)) = self.due() {
            if row {
                self.held = self.next.take();
                self.next = self.series.next().transpose()?;
            }
            if self.minute.is_some_and(|minute| minute <= at) {
                self.minute = Some((at.div_euclid(MINUTE) + 1) * MINUTE);
            }
            cells.clear();
            self.cells(at, cells);
            if self.minute.is_none() {
                return Ok(Some(at - self.zero));
            }
            // A minute that changes nothing is no row.
            if row || self.last != *cells {
                self.last.clone_from(cells);
                return Ok(Some(at - self.zero));
            }
        }
        Ok(None)
    }
}
