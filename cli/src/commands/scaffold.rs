//! `kubectl keda scaffold`: a commented manifest to start from, written from what the scaler type says of itself and,
//! with `--live`, from what the source says it has.

mod given;
mod live;
mod render;

use std::slice;

use scalers::SCALERS;

use crate::commands::scalers as catalog;
use crate::commands::validate;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::manifest::Source;
use crate::output::OutputArgs;
use crate::ui::{printable, prompt, table};
use given::Given;

/// Arguments of `scaffold`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda scaffold redis > orders.yaml
  kubectl keda scaffold cron --name office-hours --target statefulset/web -n shop
  kubectl keda scaffold redis --live --set address=127.0.0.1:6379 --auth password
  kubectl keda scaffold redis --live --list -o json --set address=127.0.0.1:6379 --auth password=@secret.txt")]
#[command(mut_arg("form", |form| form.help("How to list it: table, json, yaml or jsonpath=TEMPLATE").requires("live")))]
pub struct Args {
    /// Scaler type; without it the types are listed, or asked for on a terminal
    #[arg(value_name = "TYPE")]
    pub type_: Option<String>,
    /// Name of the ScaledObject
    #[arg(long, value_name = "NAME", value_parser = parse_own_name)]
    pub name: Option<String>,
    /// What to scale, as KIND/NAME (deployment or statefulset) or NAME
    #[arg(long, value_name = "KIND/NAME", default_value = "deployment/my-app", value_parser = parse_target)]
    pub target: Target,
    /// Value of a setting; may be given several times
    #[arg(long, value_name = "SETTING=VALUE", value_parser = given::parse_setting)]
    pub set: Vec<(String, String)>,
    /// Ask the source, from this machine, what it has that the trigger could name
    #[arg(long, requires = "type_")]
    pub live: bool,
    /// Parameter of the authentication for `--live`: asked for without VALUE, read from a file with @FILE; the manifest refers to
    /// a Secret and never holds the value
    #[arg(long, value_name = "PARAMETER[=VALUE|=@FILE]", value_parser = given::parse_parameter)]
    pub auth: Vec<given::Parameter>,
    /// Only list what the source has
    #[arg(long, requires = "live")]
    pub list: bool,
    /// How to print the list
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A workload to scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// Whether the API server accepts a name. Upstream: apimachinery `IsDNS1123Subdomain`.
fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |label: &str| {
        label.starts_with(letter) && label.ends_with(letter) && label.chars().all(|c| letter(c) || c == '-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn parse_own_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err("must be lowercase letters, digits, `-` and `.`, as in `orders`".to_owned())
}

fn parse_target(text: &str) -> Result<Target, String> {
    let (kind, name) = text.split_once('/').unwrap_or(("deployment", text));
    let kind = match kind.to_lowercase().trim_end_matches('s') {
        "deployment" | "deploy" => "Deployment",
        "statefulset" | "st" => "StatefulSet",
        _ => return Err("must be deployment/NAME or statefulset/NAME".to_owned()),
    };
    if !is_name(name) {
        return Err("needs the name of a workload, as in `deployment/web`".to_owned());
    }
    Ok(Target {
        kind,
        name: name.to_owned(),
    })
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
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
    if let Some(namespace) = &cx.kube.namespace
        && (!is_name(namespace) || namespace.contains('.'))
    {
        let message = format!("`{}` is no name of a namespace", printable(namespace));
        return Err(Failure::new(exit::USAGE, message).help("it must be lowercase letters, digits and `-`"));
    }
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| format!("{}-{}", args.target.name, scaler.name));
    let mut given = Given::of(args, scaler)?;
    if args.live {
        match live::offers(args, cx, &given, &name).await? {
            live::Answer::Listed => return Ok(exit::OK),
            live::Answer::Picked(picked) => given.pick(picked),
        }
    }
    let head = render::Head {
        name: &name,
        namespace: cx.kube.namespace.as_deref(),
        target: &args.target,
    };
    let manifest = Source {
        name: "manifest".to_owned(),
        text: render::manifest(scaler, &head, &given),
    };
    let namespace = head.namespace.unwrap_or("default");
    validate::check_sound(slice::from_ref(&manifest), namespace, "nothing was printed", cx).await?;
    cx.ui.data(&manifest.text)?;
    Ok(exit::OK)
}
