//! `kubectl keda status`: what is scaled, by what, and why.

mod print;
mod watch;

use serde_json::{Value, json};

use crate::context::Context;
use crate::debug::{self, Caller, DebugArgs};
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::observe::{self, Item, Scope, Seen};
use crate::output::{ListOutputArgs, Output};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda status
  kubectl keda status -A -o wide
  kubectl keda status orders -n shop --watch
  kubectl keda status orders -o jsonpath={.report.replicas.current}")]
pub struct Args {
    /// ScaledObject to show, as NAME or so/NAME; all of the namespace without it
    #[arg(value_name = "NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// Show the objects of all namespaces
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub all_namespaces: bool,
    /// Show only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "name")]
    pub selector: Option<String>,
    /// How to print the answer
    #[command(flatten)]
    pub output: ListOutputArgs,
    /// Go on showing, as things change
    #[arg(short, long)]
    pub watch: bool,
    /// Leave the headings out
    #[arg(long)]
    pub no_headers: bool,
    /// Read objects from a file instead of a cluster
    #[arg(long, value_name = "FILE", hide = true, conflicts_with_all = ["watch", "name", "selector"])]
    pub file: Option<std::path::PathBuf>,
    /// How to reach the controller
    #[command(flatten)]
    pub debug: DebugArgs,
}

/// Reads `orders`, `so/orders` or `scaledobject.keda.sh/orders`.
pub(crate) fn parse_name(text: &str) -> Result<String, String> {
    let (kind, name) = text.split_once('/').unwrap_or(("so", text));
    match kind.split('.').next().unwrap_or_default().to_lowercase().as_str() {
        "so" | "scaledobject" | "scaledobjects" if !name.is_empty() => Ok(name.to_owned()),
        "sj" | "scaledjob" | "scaledjobs" => Err("ScaledJobs are not in this version yet".to_owned()),
        _ => Err("must be NAME or so/NAME".to_owned()),
    }
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    if let Some(path) = &args.file {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::new(exit::USAGE, format!("cannot read {}", path.display())).because(e))?;
        let value: Value = serde_yaml::from_str(&text)
            .map_err(|e| Failure::new(exit::USAGE, format!("cannot read {}", path.display())).because(e))?;
        cx.ui
            .data(&args.output.form.render(&value)?.unwrap_or_default())?;
        return Ok(exit::OK);
    }
    let cluster = cx.cluster().await?;
    let scope = Scope {
        namespace: (!args.all_namespaces).then(|| cluster.namespace.clone()),
        name: args.name.clone(),
        selector: args.selector.clone(),
    };
    let controller = reach(&cluster, &args.debug).await;
    if args.watch {
        return watch::run(args, cx, &cluster, &scope, controller).await;
    }
    let (controller, note) = controller.map_or_else(|note| (None, Some(note)), |caller| (Some(caller), None));
    let seen = observe::look(&cluster, &scope, controller.as_ref()).await?;
    if seen.items.is_empty()
        && !matches!(
            args.output.form,
            Output::Json | Output::Yaml | Output::JsonPath(_)
        )
    {
        cx.ui.say(&format!("no {}", scope.words()));
        return Ok(exit::OK);
    }
    cx.ui.data(&render(args, &scope, &seen)?)?;
    for note in note.iter().chain(&seen.notes) {
        cx.ui.note(note);
    }
    Ok(exit::OK)
}

/// The controller, or the remark that takes its place.
async fn reach(cluster: &Cluster, args: &DebugArgs) -> Result<Caller, String> {
    debug::controller(cluster, args).await.map_err(|failure| {
        let help = failure
            .helps()
            .first()
            .map_or(String::new(), |help| format!(" ({help})"));
        format!(
            "showing only what the API server knows: {}{help}",
            exit::chain(&failure)
        )
    })
}

/// The answer in the form asked for.
fn render(args: &Args, scope: &Scope, seen: &Seen) -> Result<String, Failure> {
    let value = || match (&scope.name, seen.items.as_slice()) {
        (Some(_), [item]) => whole(item),
        _ => json!({
            "apiVersion": "v1",
            "kind": "List",
            "items": seen.items.iter().map(whole).collect::<Vec<_>>(),
        }),
    };
    match &args.output.form {
        Output::Table | Output::Wide => Ok(print::table(
            &seen.items,
            scope.namespace.is_none(),
            args.output.form == Output::Wide,
            args.no_headers,
        )),
        Output::Name => Ok(seen
            .items
            .iter()
            .flat_map(|item| ["scaledobject.keda.sh/", &item.report.name, "\n"])
            .collect()),
        machine => Ok(machine.render(&value())?.unwrap_or_default()),
    }
}

/// The object with the report beside it.
fn whole(item: &Item) -> Value {
    let mut value = item.object.clone();
    if let Value::Object(members) = &mut value {
        members.insert(
            "report".to_owned(),
            serde_json::to_value(&item.report).unwrap_or_default(),
        );
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_carry_their_kind() {
        for text in [
            "orders",
            "so/orders",
            "scaledobjects/orders",
            "ScaledObject.keda.sh/orders",
        ] {
            assert_eq!(parse_name(text).as_deref(), Ok("orders"), "{text}");
        }
        for text in ["deploy/orders", "so/", "sj/orders"] {
            assert!(parse_name(text).is_err(), "{text}");
        }
    }
}
