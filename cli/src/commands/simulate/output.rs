//! What a simulation prints and draws.

use std::fs;
use std::path::Path;

use engine::simulate::{Step, StepReport, Summary};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Args, Form, Verdict};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::simulate::object::Subject;
use crate::simulate::plot::html::{self, Change, Changes};
use crate::simulate::plot::{svg, terminal};
use crate::simulate::print;
use crate::simulate::run::Run;
use crate::simulate::trace::{Curve, Line, Panel, Picture};
use crate::ui::Ui;

/// Characters that are collected before they are written.
const CHUNK: usize = 64 << 10;
/// Columns of a plot that no terminal shows.
const WIDTH: usize = 100;

/// What `-o json` prints, piece by piece.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "it is written while the run goes on, and only described as a whole"
)]
pub(crate) struct Report {
    /// The start, every change, and with `--every-step` every poll and every sync of the HPA.
    steps: Vec<StepReport>,
    /// The figures.
    summary: SummaryReport,
    /// The same of the other manifest, with `--compare`.
    compare: Option<Box<OtherReport>>,
}

/// What is printed of the other manifest.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as its owner")]
struct OtherReport {
    /// Its steps.
    steps: Vec<StepReport>,
    /// Its figures.
    summary: Summary,
}

/// Figures and rules.
#[derive(Serialize, JsonSchema)]
struct SummaryReport {
    #[serde(flatten)]
    summary: Summary,
    /// What became of the rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assertions: Vec<AssertionReport>,
}

/// What became of a rule.
#[derive(Serialize, JsonSchema)]
struct AssertionReport {
    /// The rule as it was given.
    assert: String,
    /// Whether it holds.
    holds: bool,
}

/// Writes the steps as they come, and keeps the changes that a page tells.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what was asked for on the command line"
)]
pub(super) struct Steps {
    ui: Ui,
    json: bool,
    every: bool,
    page: bool,
    pending: String,
    first: bool,
    run: usize,
    changes: Changes,
}

impl Steps {
    pub(super) fn new(args: &Args, cx: &Context) -> Self {
        Self {
            ui: cx.ui,
            json: args.output == Form::Json,
            every: args.every_step,
            page: args.html.is_some(),
            pending: String::new(),
            first: true,
            run: 0,
            changes: Changes::default(),
        }
    }

    /// A run begins.
    pub(super) fn begin(&mut self, run: usize) -> Result<(), Failure> {
        (self.run, self.first) = (run, true);
        let open = if run == 0 {
            "{\"steps\":["
        } else {
            ",\"compare\":{\"steps\":["
        };
        self.write(open)
    }

    /// A step; `zero` is the time of the first row, from which it counts.
    pub(super) fn take(&mut self, zero: i64, step: &Step<'_>) -> Result<(), Failure> {
        let change = step.is_change();
        if self.page && change && self.run == 0 {
            self.changes.push(|| Change::of(zero, step));
        }
        if !self.json || !(change || self.every) {
            return Ok(());
        }
        let mut report = step.report();
        report.t = (zero + step.t()) as f64 / 1000.0;
        let gap = if std::mem::take(&mut self.first) {
            "\n"
        } else {
            ",\n"
        };
        let text = format!("{gap}{}", text(&report)?);
        self.write(&text)
    }

    /// A run is over.
    pub(super) fn end(&mut self, run: &Run, verdicts: &[Verdict]) -> Result<(), Failure> {
        let told = verdicts.iter().map(|verdict| AssertionReport {
            assert: verdict.rule.clone(),
            holds: verdict.holds,
        });
        let summary = SummaryReport {
            summary: run.summary.clone(),
            assertions: told.collect(),
        };
        let text = format!("\n],\"summary\":{}", text(&summary)?);
        self.write(&text)
    }

    /// All runs are over.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        let close = if self.run == 0 { "}\n" } else { "}}\n" };
        self.write(close)?;
        self.flush()
    }

    /// The changes of the first run.
    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        self.pending.push_str(text);
        if self.pending.len() > CHUNK {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.ui.data(&std::mem::take(&mut self.pending))
    }
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(unprintable)
}

fn unprintable(error: serde_json::Error) -> Failure {
    Failure::new(exit::UNEXPECTED, "cannot print the answer").because(error)
}

/// Prints the figures and draws what was asked for.
pub(super) fn pictures(
    args: &Args,
    cx: &Context,
    subjects: &[Subject],
    runs: &[Run],
    changes: &Changes,
) -> Result<(), Failure> {
    for (subject, run) in subjects.iter().zip(runs) {
        run.warnings
            .iter()
            .for_each(|warning| cx.ui.note(&format!("{}: {warning}", subject.file)));
    }
    let picture = picture(subjects, runs);
    let names: Vec<String> = subjects.iter().map(|subject| subject.file.clone()).collect();
    let summaries: Vec<&Summary> = runs.iter().map(|run| &run.summary).collect();
    let rows = print::summary(&names, &summaries);
    if args.output == Form::Table {
        let (columns, colour) = canvas(cx);
        let plot = terminal::render(&picture, columns, colour);
        cx.ui
            .data(&format!("{}\n\n{}\n{plot}", picture.title, print::text(&rows)))?;
    }
    if let Some(file) = &args.svg {
        write(file, &svg::render(&picture)?)?;
    }
    if let Some(file) = &args.html {
        write(file, &html::render(&picture, "", &rows, changes)?)?;
    }
    Ok(())
}

/// Columns of a plot, and whether it may have colours.
pub(crate) fn canvas(cx: &Context) -> (usize, bool) {
    let terminal = cx.ui.stdout_is_tty;
    let columns = if terminal { cx.ui.size().0 } else { WIDTH };
    (columns, cx.ui.colour && terminal)
}

/// Writes a picture.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text)
        .map_err(|error| Failure::new(exit::USAGE, format!("cannot write {}", file.display())).because(error))
}

/// Replicas on top, then the backlog, then each metric.
pub(crate) fn picture(subjects: &[Subject], runs: &[Run]) -> Picture {
    let first = &subjects[0].object.metadata;
    let namespace = first.namespace.as_deref().unwrap_or_default();
    let target = &subjects[0].object.spec.scale_target_ref.name;
    let title = format!(
        "ScaledObject {namespace}/{} on {target}, simulated",
        first.name.as_deref().unwrap_or_default()
    );
    let mut panels = vec![panel("replicas", subjects, runs, |_, run| Some(&run.replicas))];
    if runs.iter().any(|run| run.backlog.is_some()) {
        panels.push(panel("backlog", subjects, runs, |_, run| run.backlog.as_ref()));
    }
    let mut names: Vec<&str> = Vec::new();
    for metric in subjects.iter().flat_map(|subject| &subject.metrics) {
        if !names.contains(&metric.name.as_str()) {
            names.push(&metric.name);
        }
    }
    for name in names {
        panels.push(panel(name, subjects, runs, |subject, run| {
            let position = subject.metrics.iter().position(|metric| metric.name == name)?;
            run.metrics.get(position)
        }));
    }
    Picture {
        title,
        from: runs.iter().map(|run| run.span.0).min().unwrap_or_default(),
        to: runs.iter().map(|run| run.span.1).max().unwrap_or_default(),
        panels,
    }
}

/// A line a run. Two that are the same are drawn once and belong to no run, and neither do the values of the only run.
fn panel<'a>(
    title: &str,
    subjects: &'a [Subject],
    runs: &'a [Run],
    line: impl Fn(&'a Subject, &'a Run) -> Option<&'a Line>,
) -> Panel {
    let replicas = title == "replicas";
    let mut lines: Vec<Curve> = Vec::new();
    for (position, (subject, run)) in subjects.iter().zip(runs).enumerate() {
        let Some(line) = line(subject, run) else { continue };
        let mut drawn = lines.iter_mut();
        match drawn.find(|other| !replicas && other.line == *line) {
            Some(same) => same.run = None,
            None => lines.push(Curve::new(
                subject.file.clone(),
                (replicas || runs.len() > 1).then_some(position),
                line.clone(),
            )),
        }
    }
    if let [only] = lines.as_mut_slice() {
        title.clone_into(&mut only.name);
    }
    Panel {
        title: title.to_owned(),
        lines,
    }
}
