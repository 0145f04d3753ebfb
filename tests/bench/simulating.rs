//! What a simulation of a month costs: the engine alone, the whole command, its memory; beside them Kubernetes' own HPA
//! controller in virtual time.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use engine::metric::{MetricName, MetricTarget, TriggerMetrics};
use engine::simulate::{Millis, Settings, SimulatedTrigger, Simulation, rows};
use harness::keda::cli_bin;
use harness::target_dir;
use serde_json::{Value, json};

use crate::command::time;
use crate::figures::{median, peak, since};
use crate::report::{Report, Row};

/// Between two rows, and between two syncs of the HPA.
const STEP: Millis = 15_000;
/// Rows of 30 days.
const MONTH: u32 = 172_800;
/// How much longer the long series is.
const LONGER: u32 = 10;
/// Runs of the engine and of the command; the middle one counts.
const RUNS: usize = 11;
/// How often the memory of a command is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// Target of the metric, as text of the manifest.
const TARGET: &str = "20";

/// Measures engine, command, memory and oracle.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let oracle = oracle()?;
    let row = Row::new(
        "simulate, 30 days of 15 s steps, one metric: engine",
        "ms",
        engine()?,
    );
    report.add(
        row.at_most(100.0)
            .beside("Kubernetes' HPA controller in virtual time", oracle),
    );
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    std::fs::write(folder.join("orders.yaml"), serde_json::to_string(&object())?)?;
    write_series(&folder.join("month.csv"), MONTH)?;
    write_series(&folder.join("months.csv"), MONTH * LONGER)?;
    let command = |series: &str| -> [String; 5] {
        let path = |name: &str| folder.join(name).display().to_string();
        [
            "simulate".into(),
            "-f".into(),
            path("orders.yaml"),
            "--series".into(),
            path(series),
        ]
    };
    let (month, months) = (command("month.csv"), command("months.csv"));
    let (month, months) = (
        month.each_ref().map(String::as_str),
        months.each_ref().map(String::as_str),
    );
    let took = time(&cli_bin()?, &month, RUNS)?;
    let row = Row::new(
        "simulate, 30 days of 15 s steps, one metric: command",
        "ms",
        took.whole,
    );
    report.add(
        row.at_most(500.0)
            .beside("Kubernetes' HPA controller in virtual time", oracle),
    );
    let (short, long) = (memory(&month)?, memory(&months)?);
    report.add(Row::new("simulate, most memory, 30 days", "MiB", short));
    let row = Row::new("simulate, most memory, 300 days", "MiB", long);
    // Flat: what the allocator and the kernel round up, and nothing that grows with the rows.
    report.add(row.at_most(short + 1.0).beside("30 days", short));
    Ok(())
}

/// The value of a row: a day's wave, with a little noise.
fn value(row: u32) -> u32 {
    const DAY: u32 = 5760;
    let into = row % DAY;
    let wave = into.min(DAY - into) * 160 / (DAY / 2);
    wave + row.wrapping_mul(2_654_435_761) % 23
}

fn object() -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"name": "worker"},
            "minReplicaCount": 1,
            "maxReplicaCount": 10,
            "triggers": [{"type": "redis", "metadata": {
                "address": "redis.shop:6379", "listName": "jobs", "listLength": TARGET,
            }}],
        },
    })
}

fn write_series(path: &Path, count: u32) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "t,0")?;
    for row in 0..count {
        writeln!(file, "{},{}", i64::from(row) * STEP / 1000, value(row))?;
    }
    Ok(file.flush()?)
}

/// The engine alone, called as a library, in ms.
fn engine() -> Result<f64> {
    let object: crds::ScaledObject = serde_json::from_value(object())?;
    let target = TARGET.parse().context("the target is a quantity")?;
    let metrics = TriggerMetrics::external(
        MetricName::indexed(0, "redis-jobs"),
        MetricTarget::AverageValue(target),
    );
    let triggers = [SimulatedTrigger {
        metrics,
        activation: 0.0,
    }];
    let list: Vec<_> = (0..MONTH)
        .map(|row| (i64::from(row) * STEP, vec![Some(f64::from(value(row)))]))
        .collect();
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let rows = rows(list.clone());
        let start = Instant::now();
        let simulation = Simulation::new(&object, &triggers, Settings::default())
            .map_err(|found| anyhow::anyhow!("the object cannot be simulated: {found:?}"))?;
        let Ok(summary) = simulation.run(rows, &mut |_| ControlFlow::Continue(()));
        times.push(since(start) * 1000.0);
        ensure!(
            summary.changes > 100,
            "the replicas changed only {} times",
            summary.changes
        );
    }
    Ok(median(&mut times))
}

/// The most memory that a command ever has, in MiB.
fn memory(args: &[&str]) -> Result<f64> {
    let mut child = Command::new(cli_bin()?)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let mut most = 0.0;
    let status = loop {
        // What has ended has no memory any more; the last look counts.
        most = peak(child.id()).unwrap_or(most);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    ensure!(status.success(), "{args:?} ended with {status}");
    Ok(most)
}

/// The real controller on the same values, in ms: once, as it takes long.
fn oracle() -> Result<f64> {
    let path = std::env::var_os("KEDA_ORACLE_BIN")
        .map_or_else(|| target_dir().join("testbed/bin/hpa-oracle"), PathBuf::from);
    let mut complaints = tempfile::tempfile()?;
    let mut child = Command::new(&path)
        .arg("-serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(complaints.try_clone()?)
        .spawn()
        .with_context(|| format!("{}: `cargo xtask bench` builds it", path.display()))?;
    let mut input = child.stdin.take().context("it is piped")?;
    let scenario = scenario();
    let start = Instant::now();
    let feeder = std::thread::spawn(move || input.write_all(scenario.as_bytes()));
    let mut syncs = 0;
    let mut head = Vec::new();
    // The trace is one line of many megabytes: only its steps are counted.
    for piece in BufReader::new(child.stdout.take().context("it is piped")?).split(b'}') {
        let piece = piece?;
        syncs += usize::from(piece.windows(9).any(|found| found == b"\"before\":"));
        if head.is_empty() {
            head = piece;
        }
    }
    let status = child.wait()?;
    let took = since(start) * 1000.0;
    feeder
        .join()
        .map_err(|_| anyhow::anyhow!("feeding the oracle panicked"))??;
    if !status.success() || syncs != MONTH as usize {
        let mut text = String::from_utf8_lossy(&head).into_owned();
        complaints.rewind()?;
        complaints.read_to_string(&mut text)?;
        bail!("the oracle made {syncs} syncs and ended with {status}: {text}");
    }
    Ok(took)
}

/// The scenario as the oracle reads it: the HPA of the object, and a step a row.
fn scenario() -> String {
    let metric = json!({"type": "External", "external": {
        "metric": {"name": "s0-redis-jobs"}, "target": {"type": "AverageValue", "averageValue": TARGET},
    }});
    let spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"},
        "minReplicas": 1, "maxReplicas": 10, "metrics": [metric],
    });
    let mut steps = String::new();
    for row in 0..MONTH {
        let comma = if row == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(
            steps,
            "{comma}{{\"metrics\":[{{\"values\":[{}]}}]}}",
            value(row) * 1000
        );
    }
    format!("{{\"name\":\"month\",\"spec\":{spec},\"replicas\":1,\"steps\":[{steps}]}}\n")
}
