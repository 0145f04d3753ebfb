//! The command line: the flags every verb takes, and the verbs.

use clap::{Args as ClapArgs, Parser, Subcommand};
use scalers::Secret;

use crate::commands;

/// Installs event-driven autoscaling, shows what it does and why, and checks manifests.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-keda",
    bin_name = "kubectl keda",
    version,
    disable_version_flag = true,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
pub struct Args {
    /// Flags that say which cluster to talk to and as whom.
    #[command(flatten)]
    pub kube: KubeArgs,

    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs, in the order in which a newcomer meets them.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Install the controller, the metrics adapter and the custom resources
    Install(commands::install::Args),
    /// Bring an installation to this version
    Upgrade(commands::upgrade::Args),
    /// Remove an installation
    Uninstall(commands::uninstall::Args),
    /// Show what is scaled, by what, and why
    Status(commands::status::Args),
    /// Tell what happened to one object, why, and what comes next
    #[command(alias = "why")]
    Explain(commands::explain::Args),
    /// Show the connections to event sources, and who shares them
    Connections(commands::connections::Args),
    /// Find the mistakes in manifests, without a cluster
    Validate(commands::validate::Args),
    /// Ask the triggers now and tell what would follow, without writing anything
    DryRun(commands::dry_run::Args),
    /// Tell what a manifest would have done with a recorded load, or a made-up one
    Simulate(Box<commands::simulate::Args>),
    /// Write down what the triggers say over time, as a series for `simulate`
    Record(commands::record::Args),
    /// Search thresholds, windows and bounds that would have done better on a load
    Tune(Box<commands::tune::Args>),
    /// Print a commented manifest for a scaler type
    Scaffold(commands::scaffold::Args),
    /// List the scaler types, or the settings of one
    Scalers(commands::scalers::Args),
    /// Show the versions of this command, the cluster and the controller
    Version(commands::version::Args),
    /// Print the completion script of a shell
    Completion(commands::completion::Args),
}

/// Which cluster to talk to and as whom: the flags of kubectl, with the same meaning.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Cluster options")]
pub struct KubeArgs {
    /// Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub kubeconfig: Option<std::path::PathBuf>,
    /// Context of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub context: Option<String>,
    /// Cluster of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub cluster: Option<String>,
    /// User of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub user: Option<String>,
    /// Namespace to work in, instead of the context's
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Address of the API server
    #[arg(long, short = 's', global = true, value_name = "URL", hide_short_help = true)]
    pub server: Option<String>,
    /// Bearer token to show to the API server
    #[arg(long, global = true, value_name = "TOKEN", hide_short_help = true, value_parser = parse_secret)]
    pub token: Option<Secret<String>>,
    /// User to act as
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true)]
    pub impersonate: Option<String>,
    /// Group to act as a member of; may be given several times
    #[arg(
        long = "as-group",
        global = true,
        value_name = "GROUP",
        hide_short_help = true
    )]
    pub impersonate_groups: Vec<String>,
    /// Uid to act as
    #[arg(long = "as-uid", global = true, value_name = "UID", hide_short_help = true)]
    pub impersonate_uid: Option<String>,
    /// File with the certificates of the authority that signed the API server's certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub certificate_authority: Option<String>,
    /// File with the client certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_certificate: Option<String>,
    /// File with the key of the client certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_key: Option<String>,
    /// Do not check the API server's certificate, which lets anybody in between read and change everything
    #[arg(
        long,
        global = true,
        hide = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub insecure_skip_tls_verify: Option<bool>,
    /// Name to expect in the API server's certificate, instead of its host name
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub tls_server_name: Option<String>,
    /// How long one request may take, such as `10s` or `2m`; `0` means for ever
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true, value_parser = parse_duration)]
    pub request_timeout: Option<std::time::Duration>,
}

/// A credential on the command line: never printed again.
#[expect(clippy::unnecessary_wraps, reason = "a value parser returns a result")]
fn parse_secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

/// Reads kubectl's way of writing a duration: Go's (`1m30s`, `500ms`), or a bare number of seconds.
pub(crate) fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let rule = || format!("must be a duration such as `10s`, `2m` or `1h30m`, not `{text}`");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(std::time::Duration::from_secs(seconds));
    }
    let mut total = std::time::Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(rule)?;
        let number: f64 = rest[..digits].parse().map_err(|_| rule())?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |i| digits + i);
        let seconds = match &rest[digits..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(rule()),
        };
        total += std::time::Duration::try_from_secs_f64(number * seconds).map_err(|_| rule())?;
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(rule()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn durations_are_read_as_kubectl_reads_them() {
        for (text, want) in [
            ("0", 0),
            ("30", 30_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(want)), "{text}");
        }
        for text in ["", "s", "10x", "-1s", "1m30", "1..5s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
