//! One run: the series goes in row by row, and lines for the plot come out.

use std::ops::ControlFlow;

use engine::simulate::{Closed, Input, Rows, Settings, Simulation, Source, Step, Summary};
use jiff::Timestamp;

use crate::exit::{self, Failure};
use crate::simulate::columns::{self, Bound, Metric};
use crate::simulate::feed::{Feed, Take};
use crate::simulate::object::{self, Subject};
use crate::simulate::series::Series;
use crate::simulate::trace::Line;

/// What is said of a series that is over where it begins.
const STANDSTILL: &str =
    "no time passes: the series is one moment, and `--for` says how long its values hold";

/// A queue that the replicas work off.
#[derive(Clone, Debug)]
pub(crate) struct Loop {
    /// Messages a second of one ready replica.
    pub(crate) service_rate: f64,
    /// Messages at the start.
    pub(crate) backlog: f64,
    /// What triggers show, where it was said.
    pub(crate) inputs: Vec<(String, Input)>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// First and last moment, as the series counts time.
    pub(crate) span: (i64, i64),
    /// Remarks about the object.
    pub(crate) warnings: Vec<String>,
    /// Its figures.
    pub(crate) summary: Summary,
    /// Replicas over time.
    pub(crate) replicas: Line,
    /// Each metric over time.
    pub(crate) metrics: Vec<Line>,
    /// Messages that wait, in a closed loop.
    pub(crate) backlog: Option<Line>,
}

/// A series that is ready for the engine, and the settings that go with it.
pub(crate) struct Ready {
    /// What the engine is told.
    pub(crate) settings: Settings,
    /// The time of the first row, which every step counts from.
    pub(crate) zero: i64,
    /// The rows.
    pub(crate) rows: Feed,
}

/// Finds out what of a series is for what of an object, and reads its first row.
pub(crate) fn ready(
    subject: &Subject,
    mut settings: Settings,
    closed: Option<&Loop>,
    mut series: Series,
    bound: &Bound,
) -> Result<Ready, Failure> {
    settings.source = source(subject, closed, &series, bound)?;
    let first = series.next().transpose()?;
    let zero = first.as_ref().map_or(0, |row| row.at);
    settings.start = Timestamp::from_millisecond(zero)
        .map_err(|error| Failure::new(exit::DIAGNOSTICS, "the series begins at no time").because(error))?;
    let order = order(subject, &settings.source, &series, bound);
    let end = settings.length.map(|length| zero + length);
    Ok(Ready {
        settings,
        zero,
        rows: Feed::new(first, series, order, end),
    })
}

/// Runs an object on a series. `each` gets the time of the first row, which every step counts from, and the step.
pub(crate) fn run(
    subject: &Subject,
    settings: Settings,
    closed: Option<&Loop>,
    series: Series,
    bound: &Bound,
    each: &mut dyn FnMut(i64, &Step<'_>) -> Result<(), Failure>,
) -> Result<Run, Failure> {
    let Ready { settings, zero, rows } = ready(subject, settings, closed, series, bound)?;
    play(subject, settings, zero, rows, each)
}

/// Runs an object on rows.
pub(crate) fn play<R: Rows<Error = Failure>>(
    subject: &Subject,
    settings: Settings,
    zero: i64,
    rows: R,
    each: &mut dyn FnMut(i64, &Step<'_>) -> Result<(), Failure>,
) -> Result<Run, Failure> {
    let closed = matches!(settings.source, Source::Closed(_));
    let simulation = Simulation::new(&subject.object, &subject.triggers, settings)
        .map_err(|found| object::mistakes(&subject.object, &found))?;
    let mut warnings: Vec<String> = simulation.warnings().iter().map(ToString::to_string).collect();
    let mut lines = Lines {
        replicas: Line::default(),
        metrics: vec![Line::default(); simulation.columns().len()],
        backlog: closed.then(Line::default),
    };
    let mut failed = None;
    let summary = simulation.run(rows, &mut |step| {
        lines.take(zero, step);
        match each(zero, step) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                failed = Some(failure);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    if summary.seconds <= 0.0 {
        warnings.push(STANDSTILL.to_owned());
    }
    Ok(Run {
        span: (zero, zero + (summary.seconds * 1000.0) as i64),
        warnings,
        summary,
        replicas: lines.replicas,
        metrics: lines.metrics,
        backlog: lines.backlog,
    })
}

/// Where each metric has its values from.
fn source(
    subject: &Subject,
    closed: Option<&Loop>,
    series: &Series,
    bound: &Bound,
) -> Result<Source, Failure> {
    let missing = |metric: &Metric| columns::missing_column(&series.name, &series.columns, metric);
    let Some(closed) = closed else {
        let mut metrics = subject.metrics.iter().zip(&bound.metrics);
        let without = metrics.find(|(metric, column)| column.is_none() && metric.schedule.is_none());
        return without.map_or(Ok(Source::Open), |(metric, _)| Err(missing(metric)));
    };
    let arrivals = bound.arrivals.ok_or_else(|| {
        let message = format!("{} has no column `{}`", series.name, columns::ARRIVALS);
        Failure::new(exit::DIAGNOSTICS, message)
            .help("with `--service-rate` it says how many messages arrive a second")
            .help("`--column arrivals=COLUMN` takes another column for it")
    })?;
    let mut told: Vec<Option<Input>> = vec![None; subject.metrics.len()];
    for (trigger, input) in &closed.inputs {
        let metric = columns::find(&subject.metrics, trigger)
            .ok_or_else(|| columns::unknown_trigger("--input", &subject.metrics, trigger))?;
        told[metric] = Some(*input);
    }
    let mut schedules = series.columns.len()..;
    let inputs = subject.metrics.iter().zip(&bound.metrics).zip(told);
    let inputs = inputs.map(|((metric, column), told)| {
        let schedule = metric.schedule.as_ref().and_then(|_| schedules.next());
        match (told, column, schedule) {
            (Some(input), ..) => input,
            (None, Some(column), _) => Input::Column(*column),
            (None, None, Some(column)) => Input::Column(column),
            (None, None, None) if metric.resource => Input::Busy,
            (None, None, None) => Input::Backlog,
        }
    });
    Ok(Source::Closed(Closed {
        arrivals,
        service_rate: closed.service_rate,
        backlog: closed.backlog,
        inputs: inputs.collect(),
    }))
}

/// What stands in each cell that the engine gets: a metric in an open loop, in a closed one all columns and all schedules.
fn order(subject: &Subject, source: &Source, series: &Series, bound: &Bound) -> Vec<Take> {
    let schedule = |metric: &Metric| metric.schedule.clone().map(|own| Take::Schedule(Box::new(own)));
    let metrics = subject.metrics.iter();
    match source {
        Source::Open => metrics
            .zip(&bound.metrics)
            .filter_map(|(metric, column)| column.map(Take::Column).or_else(|| schedule(metric)))
            .collect(),
        Source::Closed(_) => {
            let columns = (0..series.columns.len()).map(Take::Column);
            columns.chain(metrics.filter_map(schedule)).collect()
        }
    }
}

/// The lines of the plot.
struct Lines {
    replicas: Line,
    metrics: Vec<Line>,
    backlog: Option<Line>,
}

impl Lines {
    fn take(&mut self, zero: i64, step: &Step<'_>) {
        let at = zero + step.t();
        self.replicas.push(at, Some(f64::from(step.replicas())));
        for (line, value) in self.metrics.iter_mut().zip(step.values()) {
            line.push(at, *value);
        }
        if let Some(line) = &mut self.backlog {
            line.push(at, step.backlog());
        }
    }
}
