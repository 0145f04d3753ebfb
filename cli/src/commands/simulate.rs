//! `kubectl keda simulate`: what an object would have done with a recorded load, or a made-up one. No cluster is asked.

pub(crate) mod options;
pub(crate) mod output;

use std::path::{Path, PathBuf};

use engine::simulate::Settings;
use jiff::Timestamp;

use crate::commands::status::parse_name;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::simulate::assertion::Assertion;
use crate::simulate::columns::{self, Bound};
use crate::simulate::figures::{self, Known};
use crate::simulate::keep;
use crate::simulate::load;
use crate::simulate::object::{self, Subject};
use crate::simulate::prometheus::{self, Fetched, Past};
use crate::simulate::run::{self, Loop, Run};
use crate::simulate::series::{self, Series};
use options::World;
use output::Steps;

/// How long it takes where no record ends it, unless told otherwise, in milliseconds.
const DAY: i64 = 86_400_000;

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda simulate -f orders.yaml --series monday.csv
  kubectl keda simulate -f orders.yaml --load 'day(peak=500,base=20)' --write-series day.csv
  kubectl keda simulate -f orders.yaml --series monday.csv --assert 'peak <= 20 && flaps <= 4'
  kubectl keda simulate -f orders.yaml --series arrivals.csv --service-rate 5 --assert 'max(backlog) < 1000'
  kubectl keda simulate -f orders.yaml --prometheus http://localhost:9090 --query 'sum(orders_waiting)' --since 7d
  kubectl keda simulate -f office-hours.yaml --start 2026-03-02 --for 7d
  kubectl keda simulate -f orders.yaml --compare slower.yaml --series monday.csv --html monday.html
  kubectl keda simulate -f orders.yaml --series monday.csv -o json --every-step")]
pub struct Args {
    /// ScaledObject of the files, where there are several
    #[arg(value_name = "so/NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// File or folder with manifests, or `-` for standard input; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", required = true)]
    pub filenames: Vec<PathBuf>,
    /// Manifest to run on the same series, to be seen beside the first
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Rule that must hold, such as `max(backlog) < 1000 && flaps <= 4`; may be given several times
    #[arg(long = "assert", value_name = "RULE")]
    pub assertions: Vec<Assertion>,
    /// File to draw the plot into, as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// File to write a page with a plot to look around in; it needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How to print it: table or json
    #[arg(
        short,
        long,
        value_name = "FORM",
        default_value = "table",
        hide_default_value = true
    )]
    pub output: Form,
    /// With -o json: a step for every poll and every sync of the HPA, instead of one a change
    #[arg(long)]
    pub every_step: bool,
    /// What a replica costs an hour
    #[arg(long, value_name = "PRICE", value_parser = options::amount, allow_negative_numbers = true)]
    pub replica_hour_price: Option<f64>,
    /// The series, the workers and the cluster
    #[command(flatten)]
    pub world: World,
}

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Figures and a plot
    Table,
    /// Steps and figures
    Json,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    check_streams(args)?;
    let mut subjects = vec![object::read(&args.filenames, args.name.as_deref(), cx)?];
    if let Some(other) = &args.compare {
        subjects.push(other_subject(args, other, &subjects[0], cx)?);
    }
    let closed = args.world.closed.closed();
    for assertion in &args.assertions {
        let known = Known {
            metrics: &subjects[0].metrics,
            closed: closed.is_some(),
            priced: args.replica_hour_price.is_some(),
        };
        known.check(assertion)?;
    }
    let plans = plans(&args.world, &subjects, closed.as_ref())?;
    let mut steps = Steps::new(args, cx);
    let mut runs = Vec::new();
    for (position, (subject, (series, bound))) in subjects.iter().zip(plans).enumerate() {
        steps.begin(position)?;
        let done = run::run(
            subject,
            settings(&args.world, subject, args.replica_hour_price),
            closed.as_ref(),
            series,
            &bound,
            &mut |zero, step| steps.take(zero, step),
        )?;
        let verdicts = if position == 0 {
            verdicts(args, subject, &done)
        } else {
            Vec::new()
        };
        steps.end(&done, &verdicts)?;
        runs.push((done, verdicts));
    }
    steps.finish()?;
    let verdicts = runs
        .first()
        .map(|(_, verdicts)| verdicts.clone())
        .unwrap_or_default();
    let runs: Vec<Run> = runs.into_iter().map(|(run, _)| run).collect();
    output::pictures(args, cx, &subjects, &runs, steps.changes())?;
    let mut code = exit::OK;
    for verdict in verdicts.iter().filter(|verdict| !verdict.holds) {
        cx.ui
            .failure(&Failure::new(exit::CHECK_FAILED, verdict.to_string()));
        code = exit::CHECK_FAILED;
    }
    Ok(code)
}

/// The JSON schema of `-o json`, as it is published.
pub(crate) fn schema() -> String {
    crate::output::schema::<output::Report>("kubectl keda simulate -o json")
}

/// Standard input can be read once. Says whether the series is it.
pub(crate) fn check_stdin<'a>(
    manifests: impl Iterator<Item = &'a PathBuf>,
    series: Option<&Path>,
) -> Result<bool, Failure> {
    let dash = |path: &Path| path == Path::new("-");
    let series = series.is_some_and(dash);
    if manifests.filter(|path| dash(path)).count() + usize::from(series) > 1 {
        let message = "standard input can be only one of the manifest and the series";
        return Err(Failure::new(exit::USAGE, message));
    }
    Ok(series)
}

fn check_streams(args: &Args) -> Result<(), Failure> {
    let manifests = args.filenames.iter().chain(&args.compare);
    let series = check_stdin(manifests, args.world.series.series.as_deref())?;
    if series && args.compare.is_some() {
        let message = "a series from standard input can be read for one manifest only";
        return Err(Failure::new(exit::USAGE, message).help("write it to a file for `--compare`"));
    }
    if args.every_step && args.output == Form::Table {
        let message = "`--every-step` is about the steps of `-o json`";
        return Err(Failure::new(exit::USAGE, message));
    }
    Ok(())
}

/// The object to compare with: the namesake of the first, else the only one.
fn other_subject(args: &Args, file: &Path, first: &Subject, cx: &Context) -> Result<Subject, Failure> {
    let paths = [file.to_owned()];
    let name = first.object.metadata.name.as_deref();
    let mut subject = match object::read(&paths, None, cx) {
        Ok(subject) => subject,
        Err(failure) if failure.code == exit::USAGE => {
            object::read(&paths, args.name.as_deref().or(name), cx)?
        }
        Err(failure) => return Err(failure),
    };
    if subject.file == first.file {
        subject.file.push_str(" (2)");
    }
    Ok(subject)
}

/// The series of each object, and which column is which metric.
pub(crate) fn plans(
    world: &World,
    subjects: &[Subject],
    closed: Option<&Loop>,
) -> Result<Vec<(Series, Bound)>, Failure> {
    check_names(world, subjects)?;
    let fetched = world
        .series
        .prometheus
        .as_ref()
        .map(|server| fetch(world, server, &subjects[0]))
        .transpose()?;
    let start = start(world);
    let mut plans = Vec::new();
    for subject in subjects {
        let mut series = match &fetched {
            Some(fetched) => fetched.series()?,
            None => open(world, subject, start, &whose(subject, subjects))?,
        };
        // Once: the second object would write anew what the first one reads.
        if let Some(file) = world.series.write_series.as_ref().filter(|_| plans.is_empty()) {
            series = keep::kept(series, file)?;
        }
        let bound = columns::bind(
            &series.name,
            &series.columns,
            &subject.metrics,
            &world.series.columns,
        )?;
        plans.push((series, bound));
    }
    let (first, bound) = &plans[0];
    for (column, name) in first.columns.iter().enumerate() {
        let spare = plans.iter().all(|(_, bound)| bound.spare.contains(&column));
        if spare && world.series.columns.is_empty() {
            return Err(columns::unknown_column(&first.name, name, &subjects[0].metrics));
        }
    }
    if closed.is_none() && bound.arrivals.is_some() {
        let message = format!(
            "{} has a column `{}`, and nothing works them off",
            first.name,
            columns::ARRIVALS
        );
        return Err(Failure::new(exit::USAGE, message)
            .help("`--service-rate` says how many messages a second one replica can do"));
    }
    Ok(plans)
}

/// Refuses a load or a query that is for no trigger of any object, before anything is fetched.
fn check_names(world: &World, subjects: &[Subject]) -> Result<(), Failure> {
    let loads = world.series.loads.iter().map(|load| ("--load", &load.trigger));
    let queries = world
        .series
        .queries
        .iter()
        .map(|query| ("--query", &query.trigger));
    for (flag, trigger) in loads.chain(queries) {
        let Some(trigger) = trigger else { continue };
        let known = |subject: &Subject| columns::find(&subject.metrics, trigger).is_some();
        if trigger != columns::ARRIVALS && !subjects.iter().any(known) {
            return Err(columns::unknown_trigger(flag, &subjects[0].metrics, trigger));
        }
    }
    Ok(())
}

/// When that begins which was not recorded: shapes count from 1970, and schedules from today.
fn start(world: &World) -> i64 {
    let usual = || match world.series.loads.as_slice() {
        [] => Timestamp::now().as_millisecond().div_euclid(DAY) * DAY,
        _ => 0,
    };
    world.series.start.unwrap_or_else(usual)
}

/// Which of several manifests an object is from, for messages.
fn whose(subject: &Subject, subjects: &[Subject]) -> String {
    match subjects {
        [_] => String::new(),
        _ => format!(" in {}", subject.file),
    }
}

fn open(world: &World, subject: &Subject, start: i64, whose: &str) -> Result<Series, Failure> {
    if let Some(path) = &world.series.series {
        return series::open(path, world.series.format);
    }
    let loads = &world.series.loads;
    if loads.is_empty() {
        return begin(world, subject, start, whose);
    }
    let names = loads
        .iter()
        .map(|load| column(load.trigger.as_deref(), loads.len(), subject, world));
    load::series(
        loads,
        names.collect::<Result<_, _>>()?,
        start,
        world.series.length.unwrap_or(DAY),
    )
}

/// Begins without values, where none is needed.
fn begin(world: &World, subject: &Subject, start: i64, whose: &str) -> Result<Series, Failure> {
    if world.closed.service_rate.is_some() {
        let message = "nothing says how many messages arrive a second";
        return Err(Failure::new(exit::USAGE, message).help(
            "`--load 'day(peak=40,base=1)'` makes it up, `--series FILE` reads it from the column `arrivals`",
        ));
    }
    if let Some(failure) = columns::without_values(&subject.metrics, whose) {
        return Err(failure);
    }
    if world.series.write_series.is_some() {
        let message = "there is no series to write: the time of day decides what the triggers read";
        return Err(Failure::new(exit::USAGE, message).help("leave `--write-series` out"));
    }
    Ok(Series::begin(start))
}

/// Fetches the queries, else those of the manifest.
fn fetch(world: &World, server: &str, subject: &Subject) -> Result<Fetched, Failure> {
    let given = &world.series.queries;
    let mut queries = Vec::new();
    for query in given {
        let column = column(query.trigger.as_deref(), given.len(), subject, world)?;
        queries.push((column, query.text.clone()));
    }
    if given.is_empty() {
        for metric in &subject.metrics {
            let trigger = &subject.object.spec.triggers[metric.trigger];
            if let Some(query) = trigger
                .metadata
                .get("query")
                .filter(|_| trigger.type_ == "prometheus")
            {
                queries.push((metric.name.clone(), query.clone()));
            }
        }
    }
    if queries.is_empty() {
        let message = "there is nothing to ask the server: the object has no `prometheus` trigger";
        return Err(Failure::new(exit::USAGE, message)
            .help("`--query TRIGGER=PROMQL` says what a trigger would have read"));
    }
    let past = Past {
        server: server.to_owned(),
        since: world.series.since,
        step: world.series.step,
        until: Timestamp::now(),
    };
    prometheus::fetch(&past, &queries)
}

/// The column that a load or a query is; without a name it is the arrivals of a closed loop, else the only metric.
fn column(trigger: Option<&str>, count: usize, subject: &Subject, world: &World) -> Result<String, Failure> {
    if let Some(trigger) = trigger {
        return Ok(trigger.to_owned());
    }
    if world.closed.service_rate.is_some() {
        return Ok(columns::ARRIVALS.to_owned());
    }
    let metrics: Vec<_> = subject
        .metrics
        .iter()
        .filter(|metric| metric.schedule.is_none())
        .collect();
    match (metrics.as_slice(), count) {
        ([], _) => {
            let message = "no trigger takes a load or a query: the time of day decides what they read";
            Err(Failure::new(exit::USAGE, message).help("leave it out, and `--start` says when to begin"))
        }
        ([only], 1) => Ok(only.name.clone()),
        (metrics, _) => {
            let message = "which trigger is it for? A load or query must name it where there are several";
            let names: Vec<&str> = metrics.iter().map(|metric| metric.called()).collect();
            Err(Failure::new(exit::USAGE, message).help(format!(
                "write `TRIGGER=…`, where TRIGGER is one of {}",
                names.join(", ")
            )))
        }
    }
}

/// What the engine is told beside the object and the series.
pub(crate) fn settings(world: &World, subject: &Subject, replica_hour_price: Option<f64>) -> Settings {
    let endless = !world.series.is_recorded();
    Settings {
        length: world.series.length.or(endless.then_some(DAY)),
        replicas: world.model.replicas.or(subject.replicas).unwrap_or(1),
        replica_hour_price,
        ..world.model.settings()
    }
}

/// What became of an assertion.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    rule: String,
    holds: bool,
    /// The figures that it speaks of, with their values.
    figures: Vec<(String, Option<f64>)>,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values = self.figures.iter().map(|(name, value)| match value {
            Some(value) => format!("{name} is {}", (value * 1000.0).round() / 1000.0),
            None => format!("{name} has no value"),
        });
        let values: Vec<String> = values.collect();
        write!(f, "`{}` does not hold: {}", self.rule, values.join(", "))
    }
}

fn verdicts(args: &Args, subject: &Subject, run: &Run) -> Vec<Verdict> {
    let look = |figure: &str| figures::look(&run.summary, &subject.metrics, figure);
    let verdict = |assertion: &Assertion| Verdict {
        rule: assertion.to_string(),
        holds: assertion.holds(&look),
        figures: assertion
            .figures()
            .into_iter()
            .map(|figure| (figure.to_owned(), look(figure)))
            .collect(),
    };
    args.assertions.iter().map(verdict).collect()
}
