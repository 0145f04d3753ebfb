//! The flags of `simulate` that are about the world: the series, the workers, the cluster.

use std::path::PathBuf;

use engine::simulate::{Input, LEAST_SYNC_PERIOD, Settings};

use crate::simulate::length::{milliseconds, some, whole_seconds};
use crate::simulate::load::Load;
use crate::simulate::prometheus::Query;
use crate::simulate::run::Loop;
use crate::simulate::series::{Format, moment};

/// The world that a manifest is put into.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct World {
    /// Where the values are from
    #[command(flatten)]
    pub series: SeriesArgs,
    /// What works the messages off
    #[command(flatten)]
    pub closed: ClosedArgs,
    /// How the cluster behaves
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Where the values are from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Series options")]
#[group(skip)]
pub struct SeriesArgs {
    /// File with the values over time, or `-`: CSV with the header `t,TRIGGER…`, JSON lines or OpenMetrics
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["loads", "prometheus"]
    )]
    pub series: Option<PathBuf>,
    /// How the file is written, where its name does not tell
    #[arg(long, value_name = "FORMAT", requires = "series")]
    pub format: Option<Format>,
    /// Column of a trigger (by name or position) that is called otherwise; columns of no trigger are then left out
    #[arg(long = "column", value_name = "TRIGGER=COLUMN", value_parser = pair, requires = "series")]
    pub columns: Vec<(String, String)>,
    /// Made-up load, such as `day(peak=500,base=20)` or `orders=steps(0,100,each=1h)`; may be given several times
    #[arg(long = "load", value_name = "[TRIGGER=]SHAPE", conflicts_with = "prometheus")]
    pub loads: Vec<Load>,
    /// Prometheus server to fetch the past from; a user may stand in the URL
    #[arg(long, value_name = "URL", value_parser = server)]
    pub prometheus: Option<String>,
    /// Query for a trigger, instead of those of the manifest's `prometheus` triggers; may be given several times
    #[arg(long = "query", value_name = "[TRIGGER=]PROMQL", requires = "prometheus")]
    pub queries: Vec<Query>,
    /// How far back to fetch
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = some, allow_hyphen_values = true, requires = "prometheus")]
    pub since: i64,
    /// Time between two values that are fetched
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = whole_seconds, allow_hyphen_values = true, requires = "prometheus")]
    pub step: i64,
    /// File to write a made-up load or what was fetched into, as CSV
    #[arg(long, value_name = "FILE", conflicts_with = "series")]
    pub write_series: Option<PathBuf>,
    /// When it begins, as a date or RFC 3339, such as `2026-03-02`: today in UTC for `cron` triggers alone, 1970 for a made-up load
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true, conflicts_with_all = ["series", "prometheus"])]
    pub start: Option<i64>,
    /// How long to simulate, such as `8h` or `7d`: until the last row of what was recorded, else a day
    #[arg(long = "for", value_name = "DURATION", value_parser = some, allow_hyphen_values = true)]
    pub length: Option<i64>,
}

/// What works the messages off.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Closed loop options")]
#[group(skip)]
pub struct ClosedArgs {
    /// Messages a second that one ready replica can do; the column `arrivals` says how many arrive a second
    #[arg(long, value_name = "RATE", value_parser = rate, allow_negative_numbers = true)]
    pub service_rate: Option<f64>,
    /// Messages that wait at the start
    #[arg(long, value_name = "N", value_parser = amount, allow_negative_numbers = true, requires = "service_rate")]
    pub initial_backlog: Option<f64>,
    /// What a trigger without a column shows: backlog, in-system, arrivals or busy; may be given several times
    #[arg(long = "input", value_name = "TRIGGER=WHAT", value_parser = input, requires = "service_rate")]
    pub inputs: Vec<(String, Input)>,
}

impl SeriesArgs {
    /// Whether the values end by themselves, with the last that was recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        self.series.is_some() || self.prometheus.is_some()
    }
}

impl ClosedArgs {
    /// The loop, if it is closed.
    pub(crate) fn closed(&self) -> Option<Loop> {
        Some(Loop {
            service_rate: self.service_rate?,
            backlog: self.initial_backlog.unwrap_or_default(),
            inputs: self.inputs.clone(),
        })
    }
}

/// How the cluster behaves.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster model options")]
#[group(skip)]
pub struct ModelArgs {
    /// Replicas at the start, instead of those of the target in the files, or 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..), allow_negative_numbers = true)]
    pub replicas: Option<i32>,
    /// Time from the creation of a pod until it is ready
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = milliseconds, allow_hyphen_values = true)]
    pub pod_startup: i64,
    /// Time from the deletion of a pod until it is gone
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = milliseconds, allow_hyphen_values = true)]
    pub pod_drain: i64,
    /// The HPA's `--horizontal-pod-autoscaler-sync-period`
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = sync_period, allow_hyphen_values = true)]
    pub hpa_sync_period: i64,
    /// The HPA's `--horizontal-pod-autoscaler-tolerance`
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = amount, allow_negative_numbers = true)]
    pub tolerance: f64,
    /// The HPA's `--horizontal-pod-autoscaler-downscale-stabilization`
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = milliseconds, allow_hyphen_values = true)]
    pub downscale_stabilization: i64,
    /// The HPA's `--horizontal-pod-autoscaler-cpu-initialization-period`
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = milliseconds, allow_hyphen_values = true)]
    pub cpu_initialization_period: i64,
    /// The HPA's `--horizontal-pod-autoscaler-initial-readiness-delay`
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = milliseconds, allow_hyphen_values = true)]
    pub initial_readiness_delay: i64,
}

impl ModelArgs {
    /// What of the settings the cluster decides.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            sync_period: self.hpa_sync_period,
            tolerance: self.tolerance,
            downscale_stabilization: self.downscale_stabilization,
            cpu_initialization_period: self.cpu_initialization_period,
            initial_readiness_delay: self.initial_readiness_delay,
            pod_startup: self.pod_startup,
            pod_drain: self.pod_drain,
            ..Settings::default()
        }
    }
}

/// Reads `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
        .ok_or("must be TRIGGER=COLUMN, as in `orders=depth`")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn input(text: &str) -> Result<(String, Input), String> {
    let rule = || "must be TRIGGER=WHAT, where WHAT is backlog, in-system, arrivals or busy".to_owned();
    let (trigger, what) = pair(text).map_err(|_| rule())?;
    let input = match what.as_str() {
        "backlog" => Input::Backlog,
        "in-system" => Input::InSystem,
        "arrivals" => Input::Arrivals,
        "busy" => Input::Busy,
        _ => return Err(rule()),
    };
    Ok((trigger, input))
}

/// A URL that can be asked.
fn server(text: &str) -> Result<String, String> {
    let url = text.parse::<http::Uri>().ok();
    let scheme = url.as_ref().and_then(http::Uri::scheme_str);
    match scheme {
        Some("http" | "https") => Ok(text.to_owned()),
        _ => Err("must be an HTTP URL, as in `http://localhost:9090`".to_owned()),
    }
}

/// A time between two syncs of an HPA.
fn sync_period(text: &str) -> Result<i64, String> {
    let period = milliseconds(text)?;
    if period < LEAST_SYNC_PERIOD {
        return Err(format!("must be at least {LEAST_SYNC_PERIOD}ms"));
    }
    Ok(period)
}

/// A number from 0.
pub(crate) fn amount(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1e12).contains(number));
    number.ok_or_else(|| "must be a number from 0 to 1e12".to_owned())
}

/// A number above 0.
fn rate(text: &str) -> Result<f64, String> {
    let number = amount(text).ok().filter(|number| *number > 0.0);
    number.ok_or_else(|| "must be a number above 0, and at most 1e12".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_bounds() {
        for text in ["-1", "NaN", "inf", "1e300", "many", ""] {
            assert!(amount(text).is_err(), "{text}");
        }
        assert!(rate("0").is_err());
        assert_eq!(rate("2.5"), Ok(2.5));
    }

    #[test]
    fn servers_have_a_scheme_and_syncs_a_period() {
        for text in ["http://localhost:9090", "https://me:hush@prom.example/x"] {
            assert_eq!(server(text).as_deref(), Ok(text));
        }
        for text in [
            "localhost:9090",
            "prom",
            "ftp://prom.example",
            "http://",
            "http://a b",
            "",
        ] {
            assert!(server(text).is_err(), "{text}");
        }
        assert_eq!(sync_period("100ms"), Ok(100));
        assert!(sync_period("0").is_err() && sync_period("99ms").is_err());
    }

    #[test]
    fn inputs_are_named() {
        assert_eq!(input("orders=busy"), Ok(("orders".to_owned(), Input::Busy)));
        assert!(input("orders").is_err() && input("orders=cpu").is_err());
    }
}
