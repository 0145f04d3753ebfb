//! `kubectl keda validate`: every mistake in the given manifests, each with its place in the file.

use std::path::PathBuf;

use engine::diagnostic::{Diagnostic, Severity};
use serde::Serialize;

use crate::check::{self, Finding};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::manifest;
use crate::output::OutputArgs;
use crate::ui::diagnostic::{self, Excerpt};

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda validate -f orders.yaml
  kustomize build overlays/prod | kubectl keda validate -f -
  kubectl keda validate -f manifests/ --strict -o json")]
pub struct Args {
    /// File or folder with manifests, or `-` for standard input; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", required = true)]
    pub filenames: Vec<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    pub strict: bool,
    /// How to print the answer
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The answer for machines.
#[derive(Serialize)]
struct Report<'a> {
    diagnostics: Vec<Placed<'a>>,
}

/// A diagnostic with its place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Placed<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    /// `Kind/name`, empty where the document is not understood so far.
    object: &'a str,
    code: &'a str,
    severity: Severity,
    path: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let sources = manifest::read(&args.filenames)?;
    let namespace = cx.kube.namespace.as_deref().unwrap_or("default");
    let mut checked = check::all(&sources, namespace).await;
    if args.strict {
        checked
            .findings
            .iter_mut()
            .for_each(|found| raise(&mut found.diagnostic));
    }
    checked
        .findings
        .iter()
        .for_each(|found| show(cx, found, &sources));
    let report = Report {
        diagnostics: checked
            .findings
            .iter()
            .map(|found| place(found, &sources))
            .collect(),
    };
    let value = serde_json::to_value(&report)
        .map_err(|e| Failure::new(exit::UNEXPECTED, "cannot print").because(e))?;
    if let Some(text) = args.output.form.render(&value)? {
        cx.ui.data(&text)?;
    }
    cx.ui.say(&summary(&checked));
    let failed = checked.findings.iter().any(|found| found.diagnostic.is_error());
    Ok(if failed { exit::DIAGNOSTICS } else { exit::OK })
}

/// `--strict`: what may be meant must be meant.
fn raise(diagnostic: &mut Diagnostic) {
    if diagnostic.severity == Severity::Warning {
        diagnostic.severity = Severity::Error;
    }
}

/// Says every mistake with its place; with one, `what` came of it.
pub(crate) async fn check_sound(
    sources: &[manifest::Source],
    namespace: &str,
    what: &str,
    cx: &Context,
) -> Result<(), Failure> {
    let checked = check::all(sources, namespace).await;
    let mistakes = checked
        .findings
        .iter()
        .filter(|found| found.diagnostic.is_error());
    let count = mistakes.map(|found| show(cx, found, sources)).count();
    if count == 0 {
        return Ok(());
    }
    let message = format!("the manifest has mistakes, so {what}");
    Err(Failure::new(exit::DIAGNOSTICS, message))
}

/// Says what was found, with its place.
fn show(cx: &Context, found: &Finding, sources: &[manifest::Source]) {
    let colour = cx.ui.colour && cx.ui.stderr_is_tty;
    let at = excerpt(found, sources);
    cx.ui.say(&diagnostic::render(
        &found.diagnostic,
        at,
        found.span.clone(),
        colour,
    ));
}

fn excerpt<'a>(found: &Finding, sources: &'a [manifest::Source]) -> Excerpt<'a> {
    let source = &sources[found.source];
    Excerpt {
        file: &source.name,
        text: &source.text[found.document.range.clone()],
        line: found.document.line,
    }
}

fn place<'a>(found: &'a Finding, sources: &'a [manifest::Source]) -> Placed<'a> {
    let at = excerpt(found, sources);
    let (line, column) = diagnostic::line_and_column(at, found.span.start);
    Placed {
        file: at.file,
        line,
        column,
        object: &found.object,
        code: &found.diagnostic.code,
        severity: found.diagnostic.severity,
        path: found.diagnostic.path.to_string(),
        message: &found.diagnostic.message,
        help: found.diagnostic.help.as_deref(),
    }
}

fn summary(checked: &check::Checked) -> String {
    let count = |severity| {
        checked
            .findings
            .iter()
            .filter(|found| found.diagnostic.severity == severity)
            .count()
    };
    let some = |n: usize, what: &str| match n {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    };
    let other = match checked.other {
        0 => String::new(),
        n => format!(", {} of other kinds left alone", some(n, "object")),
    };
    if checked.objects == 0 && checked.findings.is_empty() {
        return format!("no KEDA objects to check{other}");
    }
    let mistakes = format!(
        "{}, {}",
        some(count(Severity::Error), "error"),
        some(count(Severity::Warning), "warning")
    );
    format!(
        "{} checked: {mistakes}{other}",
        some(checked.objects, "KEDA object")
    )
}
