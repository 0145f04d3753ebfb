//! `kubectl keda dry-run`: what the triggers of an object say now, and what would follow. Nothing is written anywhere.
//!
//! ```text
//! files ┐                ┌─ here: scalers::dry_run, with the caller's own rights ─┐
//!       ├─ ScaledObject ─┤                                                        ├─ engine::dry_run ─▶ report
//! so/X  ┘                └─ --in-cluster: the controller's debug API ─────────────┘
//! ```

pub(crate) mod bundle;
pub(crate) mod hint;
mod print;
mod remote;
pub(crate) mod sources;
pub(crate) mod way;

use std::time::Duration;

use engine::dry_run::DryRun;
use engine::quantity::Quantity;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::context::Context;
use crate::debug::DebugArgs;
use crate::exit::{self, Failure};
use crate::manifest;
use crate::output::{self, Output, OutputArgs};
use crate::ui::progress::Progress;
use crate::ui::screen::Screen;
use bundle::Bundle;
use way::{AskedArgs, Ground, Question, Way};

/// The pause between two rounds of `--watch`.
const PAUSE: Duration = Duration::from_secs(2);

/// Arguments of `dry-run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda dry-run so/orders
  kubectl keda dry-run -f orders.yaml
  kubectl keda dry-run -f orders.yaml --replicas 3 --set 0=37
  kubectl keda dry-run so/orders --in-cluster --watch
  kubectl keda dry-run so/orders -o jsonpath={.after}")]
pub struct Args {
    /// What is asked about, and by whom
    #[command(flatten)]
    pub asked: AskedArgs,
    /// Take this value for a trigger (by name or position) instead of asking; may be given several times
    #[arg(long = "set", value_name = "TRIGGER=VALUE", value_parser = parse_given)]
    pub set: Vec<(String, f64)>,
    /// Start from so many replicas, instead of those that the target has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..), allow_negative_numbers = true)]
    pub replicas: Option<i32>,
    /// Go on asking until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// How to print the answer
    #[command(flatten)]
    pub output: OutputArgs,
    /// How to reach the controller
    #[command(flatten)]
    pub debug: DebugArgs,
}

/// Reads `TRIGGER=VALUE`; the value is a quantity, or percent for cpu and memory.
fn parse_given(text: &str) -> Result<(String, f64), String> {
    let rule = || "must be TRIGGER=VALUE, as in `0=37` or `orders=2.5`".to_owned();
    let (trigger, value) = text.rsplit_once('=').ok_or_else(rule)?;
    let value = value.strip_suffix('%').unwrap_or(value);
    let value: Quantity = value.parse().map_err(|_| rule())?;
    if trigger.is_empty() {
        return Err(rule());
    }
    Ok((trigger.to_owned(), value.to_f64()))
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let bundle = Bundle::of(&manifest::read(&args.asked.filenames)?)?;
    let ground = Ground::of(bundle, &args.asked, cx).await?;
    let names = names(args, &ground)?;
    let progress = cx.ui.stderr_is_tty.then(|| Progress::spinner(cx.ui));
    let doing = |what: &str| {
        if let Some(progress) = &progress {
            progress.doing(what);
        }
    };
    if args.asked.in_cluster {
        doing("connecting to the controller");
    }
    let mut way = ground.way(args.asked.in_cluster, &args.debug).await?;
    doing("asking the triggers");
    let mut reports = round(args, &mut way, &names).await?;
    drop(progress);
    if !args.watch {
        show(args, cx, &reports, None)?;
        return Ok(code(&reports));
    }
    let mut screen = Screen::default();
    loop {
        show(args, cx, &reports, Some(&mut screen))?;
        tokio::time::sleep(PAUSE).await;
        reports = round(args, &mut way, &names).await?;
    }
}

/// Namespaces and names of the objects to try: the one that is named, else all of the files.
fn names(args: &Args, ground: &Ground) -> Result<Vec<(String, String)>, Failure> {
    let wanted = args.asked.name.as_deref();
    if args.asked.filenames.is_empty() {
        let named = wanted.map(|name| (ground.namespace.clone(), name.to_owned()));
        return Ok(named.into_iter().collect());
    }
    let objects = ground.bundle.objects();
    let names = objects.map(|object| (object.namespace().unwrap_or_default(), object.name_any()));
    let names: Vec<_> = names
        .filter(|(_, name)| wanted.is_none_or(|wanted| name == wanted))
        .collect();
    if names.is_empty() {
        return Err(ground.bundle.without(wanted));
    }
    let twice = (1..names.len()).find(|&position| names[..position].contains(&names[position]));
    if let Some(position) = twice {
        let (namespace, name) = &names[position];
        let message = format!("ScaledObject {namespace}/{name} is in the files more than once");
        return Err(Failure::new(exit::USAGE, message).help("leave all but one of them out"));
    }
    Ok(names)
}

/// Asks about every object once.
async fn round(args: &Args, way: &mut Way, names: &[(String, String)]) -> Result<Vec<DryRun>, Failure> {
    let question = Question {
        given: &args.set,
        replicas: args.replicas,
    };
    way.begin_round();
    let mut reports = Vec::new();
    for (namespace, name) in names {
        reports.push(way.ask(&question, namespace, name).await?);
    }
    Ok(reports)
}

/// Prints a round, over the one before where there is a screen.
fn show(args: &Args, cx: &Context, reports: &[DryRun], screen: Option<&mut Screen>) -> Result<(), Failure> {
    let value = value(reports)?;
    let text = args.output.form.render(&value)?.unwrap_or_else(|| {
        let texts: Vec<String> = reports.iter().map(print::text).collect();
        texts.join("\n")
    });
    let people = args.output.form == Output::Table;
    match screen {
        Some(screen) if people && cx.ui.stdout_is_tty => screen.redraw(cx.ui, &text),
        Some(_) if people => cx.ui.data(&format!("{text}\n")),
        _ => cx.ui.data(&text),
    }
}

fn value(reports: &[DryRun]) -> Result<Value, Failure> {
    let failed = |e| Failure::new(exit::UNEXPECTED, "cannot print the answer").because(e);
    match reports {
        [report] => serde_json::to_value(report).map_err(failed),
        several => {
            let items = serde_json::to_value(several).map_err(failed)?;
            Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
        }
    }
}

/// A mistake in an object counts more than a source that does not answer.
fn code(reports: &[DryRun]) -> u8 {
    if reports.iter().any(DryRun::has_errors) {
        exit::DIAGNOSTICS
    } else if reports.iter().any(DryRun::has_failures) {
        exit::CHECK_FAILED
    } else {
        exit::OK
    }
}

/// The JSON schema of `-o json`, as it is published.
pub(crate) fn schema() -> String {
    output::schema::<DryRun>("kubectl keda dry-run -o json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quantities_or_percent() {
        for (text, trigger, value) in [
            ("0=37", "0", 37.0),
            ("orders=2500m", "orders", 2.5),
            ("cpu=80%", "cpu", 80.0),
            ("a=b=1", "a=b", 1.0),
        ] {
            assert_eq!(parse_given(text), Ok((trigger.to_owned(), value)), "{text}");
        }
        for text in ["", "37", "=37", "0=", "0=many"] {
            assert!(parse_given(text).is_err(), "{text}");
        }
    }
}
