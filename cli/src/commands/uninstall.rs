//! `kubectl keda uninstall`.

use std::time::Duration;

use super::install::namespace;
use crate::args::parse_duration;
use crate::context::Context;
use crate::exit::Failure;
use crate::install::remove::{self, Choices};

const AFTER_HELP: &str = "\
Removes the APIService first, so that discovery never waits for a dead one, then the Deployments, then our finalizers
from custom resources, so that nothing can hang, then everything else, and waits until it is gone. Workloads keep the
replicas that they have.

Examples:
  # Remove everything; asks before custom resources are deleted
  kubectl keda uninstall

  # Remove controller and adapter, keep the custom resources for a later installation
  kubectl keda uninstall --keep-crds

  # See what would go, and whether you may remove it
  kubectl keda uninstall --dry-run

  # In a script
  kubectl keda uninstall --yes";

/// Arguments of `uninstall`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Keep the custom resource definitions and every ScaledObject, ScaledJob and TriggerAuthentication
    #[arg(long)]
    keep_crds: bool,
    /// Do not ask before custom resources are deleted
    #[arg(long, short)]
    yes: bool,
    /// Remove nothing: list what would go, and let the API server check that you may
    #[arg(long)]
    dry_run: bool,
    /// How long all of it may take, such as `90s` or `5m`
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    timeout: Duration,
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let cluster = cx.cluster().await?;
    let choices = Choices {
        namespace: namespace(cx),
        keep_crds: args.keep_crds,
        yes: args.yes,
        dry_run: args.dry_run,
        timeout: args.timeout,
    };
    remove::run(&choices, &cluster, cx).await
}
