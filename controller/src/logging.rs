//! The log: one line an event, to standard error, as `console` or `json`, at the level that zap's flags name.

use std::fmt;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::args::Args;

/// Starts the log. `RUST_LOG`, where set, wins over `--zap-log-level`.
pub(crate) fn start(args: &Args) {
    let clock = Clock(args.zap_time_encoding.clone());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // Libraries say at `info` what only their developers need; failed requests are told where their meaning is known.
        EnvFilter::new(format!(
            "warn,async_nats=off,kube_client=off,lapin=off,keda_controller={0},scalers={0},engine={0},rpc={0}",
            level(&args.zap_log_level)
        ))
    });
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_timer(clock)
        .with_target(false);
    let layer = if args.zap_encoder == "json" {
        layer.json().flatten_event(true).with_ansi(false).boxed()
    } else {
        layer.with_ansi(false).boxed()
    };
    // A second start (in tests) keeps the first subscriber.
    drop(
        tracing_subscriber::registry()
            .with(layer.with_filter(filter))
            .try_init(),
    );
}

/// Reads zap's level names; a number is how much more than `info` to say.
fn level(text: &str) -> LevelFilter {
    match text {
        "debug" | "1" => LevelFilter::DEBUG,
        "error" | "dpanic" | "panic" | "fatal" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        number if number.parse::<u8>().is_ok_and(|number| number > 1) => LevelFilter::TRACE,
        _ => LevelFilter::INFO,
    }
}

/// Prints the time as `--zap-time-encoding` asks.
struct Clock(String);

impl FormatTime for Clock {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let now = jiff::Timestamp::now();
        match self.0.as_str() {
            "epoch" => write!(w, "{}", now.as_nanosecond() as f64 / 1e9),
            "millis" => write!(w, "{}", now.as_nanosecond() as f64 / 1e6),
            "nano" => write!(w, "{}", now.as_nanosecond()),
            "iso8601" => write!(w, "{now:.3}"),
            "rfc3339nano" => write!(w, "{now:.9}"),
            _ => write!(w, "{now:.0}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_zaps() {
        assert_eq!(level("info"), LevelFilter::INFO);
        assert_eq!(level("debug"), LevelFilter::DEBUG);
        assert_eq!(level("4"), LevelFilter::TRACE);
        assert_eq!(level("error"), LevelFilter::ERROR);
    }
}
