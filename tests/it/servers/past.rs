//! `kubectl keda simulate --prometheus` asks a real server for a past that is known to the last value.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use harness::keda;
use harness::prometheus::{Access, PASSWORD, Prometheus, USER};
use serde_json::{Value, json};

use super::folder;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// At four values a minute these are more than a server answers to one request.
const PAST: u64 = 48 * HOUR;
/// How long a server goes on with the last sample of a metric that is gone.
const LOOKBACK: u64 = 5 * MINUTE;
/// Exit codes of `kubectl keda`, as its documentation gives them.
const USAGE: i32 = 2;
const CHECK_FAILED: i32 = 6;

/// Jobs in a minute since 1970.
fn jobs(minute: u64) -> u64 {
    minute % 100
}

/// One sample a minute; none in one hour of them.
struct Samples {
    from: u64,
    to: u64,
    gap: (u64, u64),
}

impl Samples {
    fn text(&self) -> String {
        let mut text = "# TYPE orders gauge\n".to_owned();
        for at in (self.from..=self.to).step_by(MINUTE as usize) {
            if at < self.gap.0 || at >= self.gap.1 {
                let _ = writeln!(text, "orders {} {at}", jobs(at / MINUTE));
            }
        }
        text + "# EOF\n"
    }

    /// The last sample at a moment.
    fn last(&self, at: u64) -> u64 {
        if at >= self.gap.0 && at < self.gap.1 {
            self.gap.0 - MINUTE
        } else {
            (at / MINUTE * MINUTE).min(self.to)
        }
    }

    /// What a query for `orders` answers at a moment.
    fn answer(&self, at: u64) -> Option<u64> {
        let last = self.last(at);
        (at - last < LOOKBACK).then(|| jobs(last / MINUTE))
    }
}

fn manifest() -> String {
    let metadata =
        json!({"serverAddress": "http://prometheus.nowhere:9090", "query": "orders", "threshold": "10"});
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"name": "worker"}, "pollingInterval": 15,
            "triggers": [{"type": "prometheus", "name": "jobs", "metadata": metadata}],
        },
    })
    .to_string()
}

fn simulate(dir: &Path, server: &str, more: &[&str]) -> Result<Output> {
    let mut command = Command::new(keda::cli_bin()?);
    command
        .args(["simulate", "-f", "orders.json", "--prometheus", server])
        .args(more);
    let output = command.current_dir(dir).env("NO_COLOR", "1").output()?;
    for text in [&output.stdout, &output.stderr] {
        ensure!(
            !String::from_utf8_lossy(text).contains(PASSWORD),
            "the password is told"
        );
    }
    Ok(output)
}

pub(super) async fn fetched() -> Result<()> {
    let dir = folder("past")?;
    std::fs::write(dir.join("orders.json"), manifest())?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs()
        / MINUTE
        * MINUTE;
    let samples = Samples {
        from: now - PAST - 10 * MINUTE,
        to: now,
        gap: (now - 30 * HOUR, now - 29 * HOUR),
    };
    let access = Access {
        guarded: true,
        tls: None,
    };
    let server = Prometheus::start_with_past(&dir, &access, Some(&samples.text())).await?;
    let url = server
        .url()
        .replace("http://", &format!("http://{USER}:{PASSWORD}@"));

    let output = simulate(&dir, &url, &["--since", "48h", "-o", "json", "--every-step"])?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    exact(&samples, &serde_json::from_slice(&output.stdout)?)?;
    for (query, code, words) in [
        ("sum(orders", CHECK_FAILED, "cannot fetch"),
        ("no_such_metric", CHECK_FAILED, "has no values for this time"),
        ("orders - 1000", CHECK_FAILED, "is below 0"),
        ("mails=orders", USAGE, "no trigger `mails`, which `--query` names"),
    ] {
        let output = simulate(&dir, &url, &["--since", "1h", "--query", query])?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(code) && said.contains(words),
            "{query}: {said}"
        );
        ensure!(output.stdout.is_empty(), "{query}: there is a plot");
    }
    let output = simulate(&dir, &server.url(), &["--since", "1h"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(CHECK_FAILED) && said.contains("401"),
        "{said}"
    );
    server.kill();
    let output = simulate(&dir, &url, &["--since", "1h"])?;
    ensure!(
        output.status.code() == Some(CHECK_FAILED),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Every moment has the value that the server was given for it, and the hour without one is a source that fails.
fn exact(samples: &Samples, told: &Value) -> Result<()> {
    let steps = told["steps"].as_array().context("there are steps")?;
    let (mut values, mut gaps) = (0, 0);
    // Nothing was read yet when it begins.
    for step in &steps[1..] {
        let at = step["t"].as_f64().context("a step has a time")?;
        let found = step["metrics"]["s0-prometheus"].as_f64();
        // Versions of Prometheus differ in whether a sample of exactly that age counts.
        if at as u64 - samples.last(at as u64) == LOOKBACK {
            continue;
        }
        let want = samples.answer(at as u64).map(|value| value as f64);
        ensure!(found == want, "{want:?} was expected: {step}");
        values += usize::from(found.is_some());
        gaps += usize::from(found.is_none());
    }
    ensure!(values > 11_000 && gaps >= 200, "{values} values, {gaps} gaps");
    ensure!(
        told["summary"]["failedReads"].as_u64() > Some(0),
        "{:#}",
        told["summary"]
    );
    Ok(())
}
