//! Sizes of the binaries, time to start, and what the command line costs before it does anything.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::aggregator::{MASTERS, proxy, server};
use harness::keda::{adapter_bin, cli_bin, controller_bin};

use crate::field::Field;
use crate::figures::{median, since};
use crate::reads::Client;
use crate::report::{Report, Row, Target};

/// Starts of the command line; the middle one counts.
const STARTS: usize = 41;
/// Documents in the large file.
const DOCUMENTS: usize = 10_000;
/// How often a starting process is asked whether it is ready.
const PROBE: Duration = Duration::from_millis(1);

/// Sizes and the command line.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    for (name, path) in [
        ("keda-controller", controller_bin()?),
        ("keda-metrics-adapter", adapter_bin()?),
        ("kubectl-keda", cli_bin()?),
    ] {
        let bytes = std::fs::metadata(path)?.len() as f64;
        report.figure(format!("size of {name}"), "MB", bytes / 1e6, Target::AtMost(40.0));
    }
    let folder = tempfile::tempdir()?;
    let (one, many) = (folder.path().join("one.yaml"), folder.path().join("many.yaml"));
    std::fs::write(&one, documents(1))?;
    std::fs::write(&many, documents(DOCUMENTS))?;
    let nothing = milliseconds(Path::new("true"), &[], STARTS)?;
    let cli = cli_bin()?;
    let mut row = |what: &str, args: &[&str], runs: usize, most: f64| -> Result<()> {
        report.add(Row {
            what: what.to_owned(),
            unit: "ms",
            measured: milliseconds(&cli, args, runs)?,
            baseline: Some(("true".to_owned(), nothing)),
            target: Target::AtMost(most),
        });
        Ok(())
    };
    row("kubectl keda --help", &["--help"], STARTS, 10.0)?;
    row(
        "validate, one document",
        &["validate", "-f", &text(&one)],
        STARTS,
        15.0,
    )?;
    row(
        "validate, 10,000 documents",
        &["validate", "-f", &text(&many)],
        5,
        2000.0,
    )
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// ScaledObjects that are valid.
fn documents(count: usize) -> String {
    let mut out = String::new();
    for index in 0..count {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata:\n  name: app-{index}\nspec:\n  \
             scaleTargetRef:\n    name: app-{index}\n  triggers:\n    - type: redis\n      metadata:\n        \
             address: redis.default.svc:6379\n        listName: jobs-{index}\n"
        );
    }
    out
}

/// The middle time of some runs, which must succeed.
fn milliseconds(program: &Path, args: &[&str], runs: usize) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let status = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        times.push(since(start) * 1000.0);
        ensure!(
            status.success(),
            "{} {args:?} ended with {status}",
            program.display()
        );
    }
    Ok(median(&mut times))
}

/// From the start of each process until it answers.
pub(crate) async fn start_up(field: &Field, report: &mut Report) -> Result<()> {
    field.keda.stop_controller().await?;
    let start = Instant::now();
    let probes = field.keda.ports().probes;
    let (started, took) = futures::join!(field.keda.restart_controller(), async {
        while !matches!(harness::keda::http_get(probes, "/readyz").await, Ok((200, _))) {
            tokio::time::sleep(PROBE).await;
        }
        since(start)
    });
    started?;
    report.figure("controller, start → ready", "s", took, Target::AtMost(0.1));
    let server = server(&field.bed, &field.keda).await?;
    let pair = proxy(&field.bed)?;
    field.keda.kill_adapter();
    let start = Instant::now();
    field.keda.restart_adapter()?;
    loop {
        if let Ok(client) = Client::connect(&server, Some(&pair), MASTERS).await
            && client.get("/apis/external.metrics.k8s.io/v1beta1").await.is_ok()
        {
            break;
        }
        tokio::time::sleep(PROBE).await;
    }
    report.figure("adapter, start → ready", "s", since(start), Target::AtMost(0.1));
    field.keda.available(field.bed.cluster()).await
}
