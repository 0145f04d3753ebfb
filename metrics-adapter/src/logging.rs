//! Logs on standard error, set up by the zap flags.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Encoder, LogLevel};

/// Starts logging. The libraries below speak up from the second step beyond `debug` only.
pub(crate) fn start(level: LogLevel, encoder: Encoder) {
    let (ours, theirs) = match level {
        LogLevel::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        LogLevel::Info => (LevelFilter::INFO, LevelFilter::WARN),
        LogLevel::Verbose(1) => (LevelFilter::DEBUG, LevelFilter::WARN),
        LogLevel::Verbose(2) => (LevelFilter::TRACE, LevelFilter::INFO),
        LogLevel::Verbose(_) => (LevelFilter::TRACE, LevelFilter::DEBUG),
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
