//! The flags that `install` and `upgrade` share.

use std::time::Duration;

use super::options::{Options, PullPolicy};
use crate::args::parse_duration;
use crate::output::Output;

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DryRun {
    /// Only render; the cluster is not asked.
    Client,
    /// Let the API server check every object and write none.
    Server,
}

/// Flags of `install` and `upgrade`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Flags {
    /// Registry that the images come from, such as `registry.example:5000/keda`
    #[arg(long, value_name = "HOST/PATH", help_heading = "Images")]
    pub(crate) registry: Option<String>,
    /// Tag of the images; the version of this command by default
    #[arg(long, value_name = "TAG", help_heading = "Images")]
    pub(crate) image_tag: Option<String>,
    /// Secret in the installation's namespace with the credentials of the registry
    #[arg(long, value_name = "NAME", help_heading = "Images")]
    pub(crate) image_pull_secret: Option<String>,
    /// When the kubelet pulls the images
    #[arg(long, value_enum, value_name = "WHEN", help_heading = "Images")]
    pub(crate) image_pull_policy: Option<PullPolicy>,
    /// Replicas of controller and adapter, each; one controller leads, the others stand by
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) replicas: Option<i32>,
    /// Wait until everything is up and the API server reads metrics; say what is missing, and why
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait, such as `90s` or `5m`
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    /// Write nothing: `client` only renders, `server` lets the API server check every object
    #[arg(long, value_enum, value_name = "WHO")]
    pub(crate) dry_run: Option<DryRun>,
    /// Form of the answer: yaml, json, name or jsonpath=TEMPLATE print the objects
    #[arg(
        long,
        short,
        value_name = "FORM",
        default_value = "table",
        hide_default_value = true
    )]
    pub(crate) output: Output,
    /// Replace what somebody else installed under these names: the Deployments of another KEDA, an APIService that
    /// leads elsewhere
    #[arg(long)]
    pub(crate) replace: bool,
}

impl Flags {
    /// The options, with the flags over `base`.
    pub(crate) fn over(&self, mut base: Options) -> Options {
        if let Some(registry) = &self.registry {
            base.registry.clone_from(registry);
        }
        if let Some(tag) = &self.image_tag {
            base.tag.clone_from(tag);
        }
        if let Some(secret) = &self.image_pull_secret {
            base.pull_secret = Some(secret.clone());
        }
        if let Some(policy) = self.image_pull_policy {
            base.pull_policy = policy;
        }
        if let Some(replicas) = self.replicas {
            base.replicas = replicas;
        }
        base
    }
}
