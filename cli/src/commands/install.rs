//! `kubectl keda install`.

use crate::context::Context;
use crate::exit::Failure;
use crate::install::flags::{DryRun, Flags};
use crate::install::options::Options;
use crate::install::{names, run as installation};

const AFTER_HELP: &str = "\
Installs the custom resource definitions, the controller and the metrics adapter by server-side apply. Running it
again changes nothing. Custom resource definitions of an existing KEDA are taken over; its objects stay.

Examples:
  # Install into namespace keda and wait until it works
  kubectl keda install --wait

  # Look at everything first; let the API server check it
  kubectl keda install --dry-run=client -o yaml
  kubectl keda install --dry-run=server

  # Take the images from your own registry, with credentials
  kubectl keda install --wait --registry registry.example:5000/keda --image-pull-secret registry

  # Two replicas of each part, in a namespace of your choice
  kubectl keda install -n scaling --replicas 2";

/// Arguments of `install`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    flags: Flags,
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let options = args.flags.over(Options {
        namespace: namespace(cx),
        ..Options::default()
    });
    if args.flags.dry_run == Some(DryRun::Client) {
        return installation::render(&options, &args.flags, cx);
    }
    let cluster = cx.cluster().await?;
    installation::run(&options, &args.flags, &cluster, cx).await
}

/// The namespace to install into. That of the kubeconfig's context is where the user works, not where KEDA lives.
pub(crate) fn namespace(cx: &Context) -> String {
    cx.kube
        .namespace
        .clone()
        .unwrap_or_else(|| names::NAMESPACE.to_owned())
}
