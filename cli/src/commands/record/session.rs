//! One recording from its first question to its summary.

use std::time::Duration;

use engine::dry_run::DryRun;
use jiff::Timestamp;
use kube::ResourceExt as _;

use super::Args;
use super::clock::Clock;
use super::column::{self, Column, Found};
use super::file::{Existing, Recording};
use super::hpa::{Hpa, Measured};
use super::tally::Tally;
use crate::commands::dry_run::bundle::Bundle;
use crate::commands::dry_run::way::{Ground, Question, Way};
use crate::commands::validate;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::manifest;
use crate::simulate::print;
use crate::simulate::series::write::WriteFormat;
use crate::ui::Ui;
use crate::ui::progress::Progress;

/// How long one moment's questions may take before they count as failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often the clock is looked at while a row is waited for.
const LOOK: Duration = Duration::from_secs(5);

/// How a recording came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// `--for` is over.
    Done,
    /// By Ctrl-C.
    Interrupted,
}

/// A recording under way.
pub(super) struct Session<'a> {
    args: &'a Args,
    ui: Ui,
    progress: Option<Progress>,
    way: Way,
    hpa: Option<Hpa>,
    namespace: String,
    name: String,
    columns: Vec<Column>,
    tally: Tally,
    file: Recording,
    clock: Clock,
    rows: u64,
    /// First and last moment of the rows.
    span: Option<(Timestamp, Timestamp)>,
    /// The values of the last row.
    last: Option<Vec<Option<f64>>>,
    /// The last moment, where it had the values of the last row and was left out.
    held: Option<Timestamp>,
    /// Moments that were left out, as they had the values of the row before.
    left_out: u64,
}

impl<'a> Session<'a> {
    /// Asks once, which tells the columns, and opens the file.
    pub(super) async fn open(args: &'a Args, cx: &Context) -> Result<Self, Failure> {
        let format = args.format.map_or_else(|| WriteFormat::of(&args.series), Ok)?;
        let (ground, name) = ground(args, cx).await?;
        let namespace = match ground.bundle.objects().find(|object| object.name_any() == name) {
            Some(object) => object.namespace().unwrap_or_default(),
            None => ground.namespace.clone(),
        };
        // On one terminal the rows themselves are the progress.
        let silent = args.series.as_os_str() == "-" && cx.ui.stdout_is_tty;
        let progress = (cx.ui.stderr_is_tty && !silent).then(|| Progress::spinner(cx.ui));
        if let Some(progress) = &progress {
            progress.doing("asking the triggers");
        }
        let cluster = ground
            .cluster()
            .filter(|_| args.asked.filenames.is_empty())
            .cloned();
        let mut way = ground.way(args.asked.in_cluster, &args.debug).await?;
        let report = way.ask(&QUESTION, &namespace, &name).await?;
        let (columns, hpa, notes) = columns(cluster, &report).await?;
        if columns.is_empty() {
            return Err(nothing(&notes));
        }
        let names = columns.iter().map(|column| column.name.clone()).collect();
        let existing = match (args.append, args.force) {
            (true, _) => Existing::Append,
            (_, true) => Existing::Replace,
            _ => Existing::Keep,
        };
        let session = Self {
            ui: cx.ui,
            progress,
            way,
            hpa,
            namespace,
            name,
            tally: Tally::new(&columns),
            columns,
            file: Recording::open(&args.series, format, existing, names, cx.ui)?,
            clock: Clock::new(args.every, now(), args.length),
            rows: 0,
            span: None,
            last: None,
            held: None,
            left_out: 0,
            args,
        };
        session.announce(&notes);
        Ok(session)
    }

    fn announce(&self, notes: &[String]) {
        for note in notes {
            self.note(note);
        }
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("`{}`", column.name))
            .collect();
        let until = match self.args.length {
            Some(length) => format!("for {}", duration(length)),
            None => "until Ctrl-C".to_owned(),
        };
        self.say(&format!(
            "recording {} of {}/{} every {} into {} {until}",
            names.join(", "),
            self.namespace,
            self.name,
            duration(self.args.every),
            self.file.name,
        ));
        if let Some(from) = self.file.goes_on_from {
            self.note(&format!(
                "{} has rows until {from}; their last values hold until the first row of now",
                self.file.name
            ));
        }
    }

    /// Writes rows until `--for` is over.
    pub(super) async fn go_on(&mut self) -> Result<(), Failure> {
        while let Some(due) = self.clock.next(now()) {
            self.show(due);
            until(due).await;
            let at = self.clock.wake(due, now());
            let at = Timestamp::from_millisecond(at)
                .map_err(|error| Failure::new(exit::UNEXPECTED, "the clock shows no time").because(error))?;
            let answers = self.ask().await;
            let written = self.tally.take(answers);
            for remark in &written.remarks {
                self.note(remark);
            }
            self.row(at, written.values)?;
        }
        Ok(())
    }

    /// One answer a column.
    async fn ask(&mut self) -> Vec<Result<f64, String>> {
        self.way.begin_round();
        let (way, hpa) = (&mut self.way, self.hpa.as_ref());
        let both = async {
            let looked = async {
                match hpa {
                    Some(hpa) => hpa.look().await,
                    None => Err("no HPA is looked at".to_owned()),
                }
            };
            futures::join!(way.ask(&QUESTION, &self.namespace, &self.name), looked)
        };
        let Ok((report, measured)) = tokio::time::timeout(PATIENCE, both).await else {
            let late = format!("no answer within {} s", PATIENCE.as_secs());
            return self.columns.iter().map(|_| Err(late.clone())).collect();
        };
        let report = report.map_err(|failure| exit::chain(&failure));
        let columns = self.columns.iter();
        columns
            .map(|column| self.answer(column, &report, &measured))
            .collect()
    }

    fn answer(
        &self,
        column: &Column,
        report: &Result<DryRun, String>,
        measured: &Measured,
    ) -> Result<f64, String> {
        match &self.hpa {
            Some(hpa) if column.measured => hpa.value(column, measured),
            _ => column.value(report.as_ref().map_err(Clone::clone)?),
        }
    }

    /// Writes a row, or leaves it out where only changes are wanted.
    fn row(&mut self, at: Timestamp, values: Vec<Option<f64>>) -> Result<(), Failure> {
        self.tally.count(&values);
        if self.args.changes && self.last.as_ref() == Some(&values) {
            self.held = Some(at);
            self.left_out += 1;
            return Ok(());
        }
        self.held = None;
        self.put(at, &values)?;
        self.last = Some(values);
        Ok(())
    }

    fn put(&mut self, at: Timestamp, values: &[Option<f64>]) -> Result<(), Failure> {
        self.file.write(at, values)?;
        self.rows += 1;
        let first = self.span.map_or(at, |(first, _)| first);
        self.span = Some((first, at));
        Ok(())
    }

    /// Says what comes next, where somebody looks.
    fn show(&self, due: i64) {
        let Some(progress) = &self.progress else {
            return;
        };
        let next = Timestamp::from_millisecond(due).map(|due| due.strftime("%H:%M:%S UTC").to_string());
        let values = self.last.as_ref().map_or(String::new(), |values| {
            let cells = self
                .columns
                .iter()
                .zip(values)
                .map(|(column, value)| match value {
                    Some(value) => format!(" · {} {value}", column.name),
                    None => format!(" · {} fails", column.name),
                });
            cells.collect()
        });
        progress.doing(&format!(
            "next row {} · {}{values}",
            next.unwrap_or_default(),
            counted(self.rows, "row"),
        ));
    }

    /// Writes what is still held, and tells what there is now.
    pub(super) fn close(mut self, ended: Result<Ended, Failure>) -> Result<u8, Failure> {
        self.progress = None;
        let ended = match ended {
            Ok(ended) => ended,
            Err(failure) => {
                // What could not be written is no row that was not due.
                if self.rows > 0 {
                    self.summary();
                }
                return Err(failure);
            }
        };
        if let (Some(at), Some(values)) = (self.held.take(), self.last.take()) {
            self.left_out -= 1;
            self.put(at, &values)?;
        }
        self.summary();
        if self.rows > 0 && !self.tally.has_values() {
            let errors: Vec<&str> = self.tally.errors().into_iter().collect();
            let message = format!("no trigger gave a value: {}", errors.join("; "));
            return Err(Failure::new(exit::CHECK_FAILED, message));
        }
        match (ended, self.args.length) {
            (Ended::Interrupted, Some(_)) => Ok(exit::INTERRUPTED),
            _ => Ok(exit::OK),
        }
    }

    fn summary(&self) {
        let Some((first, last)) = self.span else {
            self.say(&format!("no row was due yet: nothing is in {}", self.file.name));
            return;
        };
        self.say(&format!(
            "{} of {} in {}, {first} to {last}{}",
            counted(self.rows, "row"),
            counted(self.columns.len() as u64, "column"),
            self.file.name,
            match self.left_out {
                0 => String::new(),
                same => format!("; {same} without a change were left out"),
            }
        ));
        for line in self.tally.lines() {
            self.say(&line);
        }
        match self.clock.missed() {
            0 => {}
            missed => self.note(&format!(
                "{} skipped, as the answers took longer than {}",
                match missed {
                    1 => "1 moment was".to_owned(),
                    missed => format!("{missed} moments were"),
                },
                duration(self.args.every),
            )),
        }
    }

    fn note(&self, line: &str) {
        self.say(&self.ui.remark(line));
    }

    fn say(&self, line: &str) {
        match &self.progress {
            Some(progress) => progress.say(line),
            None => self.ui.say(line),
        }
    }
}

/// The replicas play no part in what a trigger says, so nobody counts them.
const QUESTION: Question<'static> = Question {
    given: &[],
    replicas: Some(1),
};

/// The files without mistakes, and the name of the one object.
async fn ground(args: &Args, cx: &Context) -> Result<(Ground, String), Failure> {
    let sources = manifest::read(&args.asked.filenames)?;
    let namespace = cx.kube.namespace.as_deref().unwrap_or("default");
    validate::check_sound(&sources, namespace, "nothing was recorded", cx).await?;
    let bundle = Bundle::of(&sources)?;
    let name = match &args.asked.name {
        Some(name) if args.asked.filenames.is_empty() => name.clone(),
        name => bundle.one(name.as_deref())?.name_any(),
    };
    Ok((Ground::of(bundle, &args.asked, cx).await?, name))
}

/// The columns, the HPA that measures some of them, and what is left out. `cluster` is where that HPA may be.
async fn columns(
    cluster: Option<Cluster>,
    report: &DryRun,
) -> Result<(Vec<Column>, Option<Hpa>, Vec<String>), Failure> {
    let Found {
        mut columns,
        resources,
    } = found(report)?;
    if resources.is_empty() {
        return Ok((columns, None, Vec::new()));
    }
    let looked = match cluster {
        Some(cluster) => Hpa::find(cluster, &report.namespace, &report.name).await,
        None => Err("only the HPA of an object in the cluster measures it, which `so/NAME` names".to_owned()),
    };
    match looked {
        Ok(hpa) => {
            columns.extend(resources);
            columns.sort_by_key(|column| column.trigger);
            Ok((columns, Some(hpa), Vec::new()))
        }
        Err(why) => {
            let left_out = |column: Column| format!("`{}` is left out: {why}", column.name);
            Ok((columns, None, resources.into_iter().map(left_out).collect()))
        }
    }
}

/// The columns, unless the object or a trigger cannot be set up at all.
fn found(report: &DryRun) -> Result<Found, Failure> {
    if report.has_errors() {
        let message = format!(
            "ScaledObject {}/{} has mistakes, so nothing was recorded",
            report.namespace, report.name
        );
        let failure = Failure::new(exit::DIAGNOSTICS, message);
        let errors = report
            .findings
            .iter()
            .filter(|finding| finding.severity == "error");
        return Err(errors.fold(failure, |failure, finding| {
            failure.help(format!("{}: {}", finding.path, finding.message))
        }));
    }
    if let Some(trigger) = report.triggers.iter().find(|trigger| trigger.metrics.is_empty()) {
        let error = trigger.error.as_deref().unwrap_or("it has no metric");
        let message = format!(
            "trigger {} (`{}`) cannot be asked: {error}",
            trigger.index, trigger.type_
        );
        let failure = Failure::new(exit::CHECK_FAILED, crate::ui::printable(&message));
        return Err(match &trigger.help {
            Some(help) => failure.help(help.clone()),
            None => failure,
        });
    }
    column::find(report)
}

fn nothing(notes: &[String]) -> Failure {
    let message = "there is nothing to record: no trigger has a source that can be asked";
    let failure = Failure::new(exit::USAGE, message);
    let failure = notes
        .iter()
        .fold(failure, |failure, note| failure.help(note.clone()));
    failure.help(
        "`cron` triggers need no series: `kubectl keda simulate` takes an object of them alone as it is",
    )
}

/// Waits for a time of day. A machine that sleeps stops the clock that waits, and a clock may be set: it is looked at often.
async fn until(due: i64) {
    while let Ok(wait @ 1..) = u64::try_from(due - now()) {
        tokio::time::sleep(LOOK.min(Duration::from_millis(wait))).await;
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

fn duration(milliseconds: i64) -> String {
    print::duration(milliseconds as f64 / 1000.0)
}
