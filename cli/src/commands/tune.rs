//! `kubectl keda tune`: searches the settings of an object that would have done better on a load, and shows the change. No
//! cluster is asked, and no file is written unless `--write` is given.

mod diff;
mod output;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use engine::simulate::{Settings, Summary};
use engine::tune::Effort;

use crate::commands::simulate::options::{self, World};
use crate::commands::simulate::{self, check_stdin};
use crate::commands::status::parse_name;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::manifest;
use crate::simulate::assertion::Assertion;
use crate::simulate::columns;
use crate::simulate::figures::Known;
use crate::simulate::held::Held;
use crate::simulate::object::{self, Subject};
use crate::simulate::run::{self, Ready};
use crate::simulate::series;
use crate::tune::goal::{Direction, Goal};
use crate::tune::parameter::{self, Parameter, Vary};
use crate::tune::proposal::Search;
use crate::tune::trial::Trial;
use crate::ui::progress::Progress;

/// Arguments of `tune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda tune -f orders.yaml --series arrivals.csv --service-rate 5 --subject-to 'p95(backlog) < 500'
  kubectl keda tune -f orders.yaml --load 'day(peak=40,base=1)' --service-rate 5 --pod-startup 30s \\
    --subject-to 'max(backlog) < 2000' --subject-to 'flaps <= 4' --svg trade-off.svg
  kubectl keda tune -f orders.yaml --series monday.csv --holdout tuesday.csv --service-rate 5 \\
    --minimize 'p95(backlog)' --subject-to 'replica-hours <= 40'
  kubectl keda tune -f orders.yaml --series monday.csv --minimize flaps --subject-to 'replica-hours < 30' \\
    --vary cooldownPeriod=60..900 --vary scaleDown.stabilizationWindowSeconds --keep others
  kubectl keda tune -f orders.yaml --series arrivals.csv --service-rate 5 --subject-to 'p95(backlog) < 500' --write")]
pub struct Args {
    /// ScaledObject of the files, where there are several
    #[arg(value_name = "so/NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// File or folder with manifests, or `-` for standard input; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", required = true)]
    pub filenames: Vec<PathBuf>,
    /// Figure that should be small, one of those that rules speak of
    #[arg(
        long,
        value_name = "FIGURE",
        default_value = "replica-hours",
        conflicts_with = "maximize"
    )]
    pub minimize: String,
    /// Figure that should be large
    #[arg(long, value_name = "FIGURE")]
    pub maximize: Option<String>,
    /// Rule that must hold, such as `p95(backlog) < 500`; at least one, may be given several times
    #[arg(long = "subject-to", value_name = "RULE")]
    pub rules: Vec<Assertion>,
    /// Parameter to vary too, or in another range; may be given several times
    #[arg(long, value_name = "PARAMETER[=FROM..TO]")]
    pub vary: Vec<Vary>,
    /// Parameter to leave as it is, or `others` for all that --vary does not name; may be given several times
    #[arg(long, value_name = "PARAMETER")]
    pub keep: Vec<String>,
    /// Most simulations
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000), allow_negative_numbers = true)]
    pub evaluations: u32,
    /// Decides which combinations are tried first; the same seed gives the same answer
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64), allow_negative_numbers = true)]
    pub seed: u64,
    /// Series of another day, on which the proposal is shown too
    #[arg(long, value_name = "FILE")]
    pub holdout: Option<PathBuf>,
    /// Change the file: all of it or nothing
    #[arg(long)]
    pub write: bool,
    /// File to draw the trade-off into, as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// File to write a page with the trade-off and both runs to look around in; it needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How to print it: table, json or diff
    #[arg(
        short,
        long,
        value_name = "FORM",
        default_value = "table",
        hide_default_value = true
    )]
    pub output: Form,
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
    /// Figures, a plot and the difference
    Table,
    /// Everything that was tried
    Json,
    /// The difference alone, to be applied
    Diff,
}

/// What a series came to for the engine.
#[derive(Debug)]
struct Day {
    settings: Settings,
    zero: i64,
    held: Held,
}

/// Everything that was found.
struct Tuned<'a> {
    subject: &'a Subject,
    proposed: Subject,
    parameters: &'a [Parameter],
    goal: &'a Goal<'a>,
    trial: &'a Trial<'a>,
    search: &'a Search,
    /// Figures on another day: now, and as proposed.
    holdout: Option<[Summary; 2]>,
    edit: Option<diff::Edit>,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    check(args)?;
    let sources = manifest::read(&args.filenames)?;
    let subject = object::of(&sources, &args.filenames, args.name.as_deref(), cx, "tuned")?;
    let goal = goal(args, &subject)?;
    let day = day(args, &subject)?;
    let parameters = parameter::all(&subject.object, &day.settings);
    let parameters = parameter::chosen(parameters, &args.vary, &args.keep)?;
    // A first run tells what cannot be simulated, and why.
    let first = run::play(
        &subject,
        day.settings.clone(),
        day.zero,
        day.held.rows(),
        &mut |_, _| Ok(()),
    )?;
    for warning in &first.warnings {
        cx.ui.note(&format!("{}: {warning}", subject.file));
    }
    let trial = Trial::new(&subject, &parameters, &day.settings, &day.held)?;
    let search = searched(args, cx, &trial, &parameters, &goal)?;
    let point = &search.proposal().point;
    let edit = (search.is_change() && search.feasible)
        .then(|| diff::edit(&sources, &subject, &trial.changes(point), cx))
        .transpose()?;
    let proposed = subject_of(&trial, &subject, point)?;
    let tuned = Tuned {
        holdout: holdout(args, &subject, &proposed)?,
        subject: &subject,
        proposed,
        parameters: &parameters,
        goal: &goal,
        trial: &trial,
        search: &search,
        edit,
    };
    output::show(args, cx, &tuned, &day)?;
    finish(args, cx, &tuned)
}

/// The JSON schema of `-o json`, as it is published.
pub(crate) fn schema() -> String {
    crate::output::schema::<report::Report>("kubectl keda tune -o json")
}

fn check(args: &Args) -> Result<(), Failure> {
    check_stdin(args.filenames.iter(), args.world.series.series.as_deref())?;
    if args.write && args.filenames.iter().any(|path| path.as_os_str() == "-") {
        let message = "`--write` cannot change standard input";
        return Err(Failure::new(exit::USAGE, message).help("`-o diff` prints the difference alone"));
    }
    if args.rules.is_empty() {
        let message = "without a rule the best manifest is one that never scales";
        return Err(Failure::new(exit::USAGE, message)
            .help("`--subject-to 'p95(backlog) < 500'` says what must hold, with `--service-rate` and a series of arrivals")
            .help("of a recorded backlog rules can limit `flaps`, `changes`, `cold-starts`, `mean(replicas)` and more"));
    }
    let drawn = args.svg.is_some() || args.html.is_some();
    if drawn && args.rules.iter().all(|rule| rule.bound().is_none()) {
        let message = "no rule compares a figure with a number, so there is no trade-off to draw";
        return Err(Failure::new(exit::USAGE, message));
    }
    Ok(())
}

fn goal<'a>(args: &'a Args, subject: &'a Subject) -> Result<Goal<'a>, Failure> {
    let goal = Goal {
        figure: args.maximize.as_deref().unwrap_or(&args.minimize),
        direction: if args.maximize.is_some() {
            Direction::Most
        } else {
            Direction::Least
        },
        rules: &args.rules,
        metrics: &subject.metrics,
    };
    goal.check(Known {
        metrics: &subject.metrics,
        closed: args.world.closed.service_rate.is_some(),
        priced: args.replica_hour_price.is_some(),
    })?;
    Ok(goal)
}

/// Reads the series into memory.
fn day(args: &Args, subject: &Subject) -> Result<Day, Failure> {
    let closed = args.world.closed.closed();
    let plans = simulate::plans(&args.world, std::slice::from_ref(subject), closed.as_ref())?;
    let (series, bound) = plans.into_iter().next().expect("there is one for each subject");
    let settings = simulate::settings(&args.world, subject, args.replica_hour_price);
    day_of(args, subject, settings, series, &bound)
}

fn day_of(
    args: &Args,
    subject: &Subject,
    settings: Settings,
    series: series::Series,
    bound: &columns::Bound,
) -> Result<Day, Failure> {
    let closed = args.world.closed.closed();
    let name = series.name.clone();
    let Ready { settings, zero, rows } = run::ready(subject, settings, closed.as_ref(), series, bound)?;
    Ok(Day {
        settings,
        zero,
        held: Held::read(rows, &name)?,
    })
}

fn searched(
    args: &Args,
    cx: &Context,
    trial: &Trial<'_>,
    parameters: &[Parameter],
    goal: &Goal<'_>,
) -> Result<Search, Failure> {
    let progress = Progress::bar(cx.ui, u64::from(args.evaluations));
    if cx.ui.stderr_is_tty {
        progress.doing("simulations");
    }
    let effort = Effort {
        evaluations: args.evaluations as usize,
        seed: args.seed,
    };
    let stop = interrupted()?;
    Search::run(trial, parameters, goal, effort, &stop, &|| progress.step())
}

/// A flag that Ctrl-C raises from now on.
fn interrupted() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(exit::UNEXPECTED, "cannot start").because(error))?;
    // It waits for as long as the process lives.
    thread::spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            raised.store(true, Ordering::Relaxed);
        }
    });
    Ok(flag)
}

/// The object of a point, ready to be run.
fn subject_of(trial: &Trial<'_>, subject: &Subject, point: &[usize]) -> Result<Subject, Failure> {
    let (object, triggers) = trial
        .object(point)
        .ok_or_else(|| Failure::new(exit::UNEXPECTED, "the proposal cannot be read"))?;
    Ok(Subject {
        file: "proposed".to_owned(),
        object,
        triggers,
        metrics: subject.metrics.clone(),
        replicas: subject.replicas,
    })
}

/// The figures of another day.
fn holdout(args: &Args, subject: &Subject, proposed: &Subject) -> Result<Option<[Summary; 2]>, Failure> {
    let Some(path) = &args.holdout else {
        return Ok(None);
    };
    let series = series::open(path, args.world.series.format)?;
    let given = &args.world.series.columns;
    let bound = columns::bind(&series.name, &series.columns, &subject.metrics, given)?;
    let settings = Settings {
        // A made-up load has a length of its own; a file ends with its last row.
        length: args.world.series.length,
        ..simulate::settings(&args.world, subject, args.replica_hour_price)
    };
    let day = day_of(args, subject, settings, series, &bound)?;
    let figures = |subject: &Subject| {
        let run = run::play(
            subject,
            day.settings.clone(),
            day.zero,
            day.held.rows(),
            &mut |_, _| Ok(()),
        );
        run.map(|run| run.summary)
    };
    Ok(Some([figures(subject)?, figures(proposed)?]))
}

/// Writes what is to be written, and says how it ended.
fn finish(args: &Args, cx: &Context, tuned: &Tuned<'_>) -> Result<u8, Failure> {
    if !tuned.search.feasible {
        cx.ui.failure(&output::infeasible(tuned));
        return Ok(exit::CHECK_FAILED);
    }
    let Some(edit) = &tuned.edit else {
        cx.ui.say("no change is better than what is there now");
        return Ok(exit::OK);
    };
    if args.write {
        manifest::replace(&edit.file, &edit.new)?;
        cx.ui.say(&format!("{} is changed", edit.file));
    }
    Ok(exit::OK)
}
