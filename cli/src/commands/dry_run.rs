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
mod sources;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crds::ScaledObject;
use engine::dry_run::{DryRun, find_trigger, predict};
use engine::quantity::Quantity;
use jiff::Timestamp;
use kube::ResourceExt;
use scalers::{Connect, Pool, Proxies, Resolver};
use serde_json::{Value, json};

use crate::commands::status::parse_name;
use crate::context::Context;
use crate::debug::DebugArgs;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::manifest;
use crate::output::{self, Output};
use crate::ui::progress::Progress;
use crate::ui::screen::Screen;
use bundle::Bundle;
use remote::Remote;
use sources::Sources;

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
    /// ScaledObject of the cluster or of the files, as NAME or so/NAME
    #[arg(value_name = "so/NAME", value_parser = parse_name, required_unless_present = "filenames")]
    pub name: Option<String>,
    /// File or folder with manifests, or `-` for standard input; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-")]
    pub filenames: Vec<PathBuf>,
    /// Let the controller ask, from inside the cluster and with its credentials
    #[arg(long)]
    pub in_cluster: bool,
    /// Take this value for a trigger (by name or position) instead of asking; may be given several times
    #[arg(long = "set", value_name = "TRIGGER=VALUE", value_parser = parse_given)]
    pub set: Vec<(String, f64)>,
    /// Start from so many replicas, instead of those that the target has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub replicas: Option<i32>,
    /// Go on asking until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// How to print it: table, json, yaml or jsonpath=TEMPLATE
    #[arg(
        short,
        long,
        value_name = "FORM",
        default_value = "table",
        hide_default_value = true
    )]
    pub output: Output,
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

/// Where the answers come from.
enum Way {
    /// From this machine.
    Here { pool: Pool, sources: Box<Sources> },
    /// From the controller.
    Remote(Box<Remote>),
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let bundle = Bundle::of(&manifest::read(&args.filenames)?)?;
    // Files need no cluster, as long as everything is in them.
    let cluster = match cx.cluster().await {
        Ok(cluster) => Ok(cluster),
        Err(failure) if args.filenames.is_empty() || args.in_cluster => return Err(failure),
        Err(failure) => Err(failure),
    };
    let namespace = cluster.as_ref().map_or_else(
        |_| cx.kube.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        |cluster| cluster.namespace.clone(),
    );
    let bundle = bundle.in_namespace(&namespace);
    let names = names(args, &bundle)?;
    let progress = cx.ui.stderr_is_tty.then(|| Progress::spinner(cx.ui));
    let doing = |what: &str| {
        if let Some(progress) = &progress {
            progress.doing(what);
        }
    };
    let way = if args.in_cluster {
        doing("connecting to the controller");
        Way::Remote(Box::new(Remote::connect(cluster?, args, bundle).await?))
    } else {
        Way::Here {
            pool: Pool::new(connect()),
            sources: Box::new(Sources::new(bundle, cluster, args.debug.keda_namespace.clone())),
        }
    };
    doing("asking the triggers");
    let mut reports = round(args, &way, &namespace, &names).await?;
    drop(progress);
    if !args.watch {
        show(args, cx, &reports, None)?;
        return Ok(code(&reports));
    }
    let mut screen = Screen::default();
    loop {
        show(args, cx, &reports, Some(&mut screen))?;
        tokio::time::sleep(PAUSE).await;
        reports = round(args, &way, &namespace, &names).await?;
    }
}

/// Time limits and proxies as the controller has them by default.
pub(crate) fn connect() -> Connect {
    let proxy = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| std::env::var(name).ok());
        found.filter(|value| !value.is_empty())
    };
    Connect {
        proxies: Proxies {
            http: proxy(["HTTP_PROXY", "http_proxy"]),
            https: proxy(["HTTPS_PROXY", "https_proxy"]),
            except: proxy(["NO_PROXY", "no_proxy"]),
        },
        endpoints: Some(Arc::new(hint::NoPods)),
        pods: Some(Arc::new(hint::NoPods)),
        ..Connect::default()
    }
}

/// The objects to try: the one that is named, else all of the files.
fn names(args: &Args, bundle: &Bundle) -> Result<Vec<String>, Failure> {
    if args.filenames.is_empty() {
        return Ok(args.name.clone().into_iter().collect());
    }
    let mut names: Vec<String> = bundle.objects().map(ResourceExt::name_any).collect();
    if let Some(wanted) = &args.name {
        names.retain(|name| name == wanted);
    }
    if names.is_empty() {
        let what = args.name.as_ref().map_or("no ScaledObject".to_owned(), |name| {
            format!("no ScaledObject `{name}`")
        });
        return Err(Failure::new(exit::USAGE, format!("there is {what} in the files")));
    }
    Ok(names)
}

/// Asks about every object once.
async fn round(args: &Args, way: &Way, namespace: &str, names: &[String]) -> Result<Vec<DryRun>, Failure> {
    let mut reports = Vec::new();
    for name in names {
        reports.push(match way {
            Way::Here { pool, sources } => here(args, pool, sources, namespace, name).await?,
            Way::Remote(remote) => remote.ask(args, namespace, name).await?,
        });
    }
    Ok(reports)
}

async fn here(
    args: &Args,
    pool: &Pool,
    sources: &Sources,
    namespace: &str,
    name: &str,
) -> Result<DryRun, Failure> {
    let object = sources.object(namespace, name).await?;
    let given = given(args, &object)?;
    let seen = sources.world(&object, args.replicas).await;
    let resolver = Resolver {
        object: &object,
        pod: seen.pod.as_ref(),
        authentications: sources,
        secrets: sources,
    };
    let now = Timestamp::now();
    let asked = scalers::dry_run::ask(pool, &resolver, &given, now).await;
    let mut report = predict(&object, &seen.world, &asked, now);
    report.notes.splice(0..0, seen.notes);
    hint::add(&mut report).await;
    Ok(report)
}

/// The values that stand for those of triggers, by position.
fn given(args: &Args, object: &ScaledObject) -> Result<BTreeMap<usize, f64>, Failure> {
    let find = |(trigger, value): &(String, f64)| {
        find_trigger(&object.spec.triggers, trigger)
            .map(|index| (index, *value))
            .ok_or_else(|| unknown_trigger(object, trigger))
    };
    args.set.iter().map(find).collect()
}

fn unknown_trigger(object: &ScaledObject, text: &str) -> Failure {
    let triggers: Vec<String> = object
        .spec
        .triggers
        .iter()
        .enumerate()
        .map(|(index, trigger)| match &trigger.name {
            Some(name) => format!("{index} (`{name}`)"),
            None => format!("{index} ({})", trigger.type_),
        })
        .collect();
    Failure::new(
        exit::USAGE,
        format!("scaledobject {} has no trigger `{text}`", object.name_any()),
    )
    .help(format!("its triggers are {}", triggers.join(", ")))
}

/// Prints a round, over the one before where there is a screen.
fn show(args: &Args, cx: &Context, reports: &[DryRun], screen: Option<&mut Screen>) -> Result<(), Failure> {
    let value = value(reports)?;
    let text = args.output.render(&value)?.unwrap_or_else(|| {
        let texts: Vec<String> = reports.iter().map(print::text).collect();
        texts.join("\n")
    });
    let people = matches!(args.output, Output::Table | Output::Wide | Output::Name);
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

/// The cluster that answers for the files, or why there is none.
type MaybeCluster = Result<Cluster, Failure>;

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
