//! Logs on standard error, set up by the zap flags.

use tracing_subscriber::EnvFilter;

use crate::args::{Encoder, LogLevel};

/// Starts logging. The libraries below speak up from the second step beyond `debug` only; what they say of the API server is said here
/// already, in one line each.
pub(crate) fn start(level: LogLevel, encoder: Encoder) {
    const QUIET: &str = "warn,kube_runtime=off,kube_client=off";
    let (ours, theirs) = match level {
        LogLevel::Error => ("error", QUIET),
        LogLevel::Info => ("info", QUIET),
        LogLevel::Verbose(1) => ("debug", QUIET),
        LogLevel::Verbose(2) => ("trace", "info"),
        LogLevel::Verbose(_) => ("trace", "debug"),
    };
    let filter = EnvFilter::new(format!("{theirs},keda_metrics_adapter={ours},rpc={ours}"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match encoder {
        Encoder::Console => builder.with_ansi(false).init(),
        Encoder::Json => builder.json().flatten_event(true).init(),
    }
}
