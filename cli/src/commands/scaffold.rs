//! `kubectl keda scaffold`: a commented manifest to start from, written from what the scaler type says of itself.

mod render;

use scalers::SCALERS;

use crate::commands::scalers as catalog;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::ui::{prompt, table};

/// Arguments of `scaffold`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda scaffold redis > orders.yaml
  kubectl keda scaffold cron --name office-hours --target statefulset/web -n shop")]
pub struct Args {
    /// Scaler type; without it the types are listed, or asked for on a terminal
    #[arg(value_name = "TYPE")]
    pub type_: Option<String>,
    /// Name of the ScaledObject
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What to scale, as KIND/NAME (deployment or statefulset) or NAME
    #[arg(long, value_name = "KIND/NAME", default_value = "deployment/my-app", value_parser = parse_target)]
    pub target: Target,
}

/// A workload to scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

fn parse_target(text: &str) -> Result<Target, String> {
    let (kind, name) = text.split_once('/').unwrap_or(("deployment", text));
    let kind = match kind.to_lowercase().trim_end_matches('s') {
        "deployment" | "deploy" => "Deployment",
        "statefulset" | "st" => "StatefulSet",
        _ => return Err("must be deployment/NAME or statefulset/NAME".to_owned()),
    };
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(legal) {
        return Err("needs the name of a workload, as in `deployment/web`".to_owned());
    }
    Ok(Target {
        kind,
        name: name.to_owned(),
    })
}

/// Runs the verb.
pub(crate) fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let scaler = match &args.type_ {
        Some(name) => catalog::find(name)?,
        None if cx.ui.can_ask() => {
            let choices: Vec<String> = SCALERS
                .iter()
                .map(|s| format!("{:18}{}", s.name, s.summary))
                .collect();
            SCALERS[prompt::choose(cx.ui, "Scaler type", &choices, "the scaler type as an argument")?]
        }
        None => {
            let rows: Vec<Vec<&str>> = SCALERS
                .iter()
                .map(|scaler| vec![scaler.name, scaler.summary])
                .collect();
            cx.ui.data(&table::render(&["TYPE", "SCALES ON"], &rows))?;
            return Ok(exit::OK);
        }
    };
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| format!("{}-{}", args.target.name, scaler.name));
    cx.ui.data(&render::manifest(
        scaler,
        &name,
        cx.kube.namespace.as_deref(),
        &args.target,
    ))?;
    Ok(exit::OK)
}
