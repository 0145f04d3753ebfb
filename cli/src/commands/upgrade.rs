//! `kubectl keda upgrade`.

use super::install::namespace;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::install::apply::is_ours;
use crate::install::flags::{DryRun, Flags};
use crate::install::options::{self, Options};
use crate::install::{names, present, run as installation};

const AFTER_HELP: &str = "\
Brings the custom resource definitions, the controller and the metrics adapter to the version of this command.
Registry, pull secret, pull policy and replicas stay as they were chosen unless a flag says otherwise.

Examples:
  # Upgrade and wait until the new version works
  kubectl keda upgrade --wait

  # See what would change
  kubectl keda upgrade --dry-run=server";

/// Arguments of `upgrade`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    flags: Flags,
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let namespace = namespace(cx);
    let cluster = cx.cluster().await?;
    let Some(installed) = present::operator(&cluster, &namespace).await? else {
        return Err(Failure::new(
            exit::CHECK_FAILED,
            format!(
                "there is no Deployment `{}` in namespace {namespace} to upgrade",
                names::OPERATOR
            ),
        )
        .help("`kubectl keda install` installs it")
        .help("name the namespace of the installation with `--namespace`"));
    };
    let base = if is_ours(&installed) {
        Options::of_installed(&namespace, &installed)
    } else {
        Options {
            namespace,
            ..Options::default()
        }
    };
    let options = args.flags.over(base);
    let before = options::installed_tag(&installed).unwrap_or("an unknown version");
    if before == options.tag {
        cx.ui.say(&format!(
            "version {before} is installed already; looking for differences"
        ));
    } else {
        cx.ui.say(&format!("upgrading from {before} to {}", options.tag));
    }
    if args.flags.dry_run == Some(DryRun::Client) {
        return installation::render(&options, &args.flags, cx);
    }
    installation::run(&options, &args.flags, &cluster, cx).await
}
