//! Sizes of the binaries, time to start, and what the command line costs before it does anything.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::aggregator::{MASTERS, proxy, server};
use harness::keda::{adapter_bin, cli_bin, controller_bin};

use crate::field::Field;
use crate::figures::{median, processor_of_children, since};
use crate::reads::Client;
use crate::report::{Report, Row};

/// Starts of the command line; the middle one counts. So many, that the kernel's count of processor time is fine enough.
const STARTS: usize = 101;
/// Documents in the large file.
const DOCUMENTS: usize = 10_000;
/// Runs with the large file.
const RUNS: usize = 5;
/// Starts of each process; the middle one counts.
const RESTARTS: usize = 5;
/// How often a starting process is asked whether it is ready.
const PROBE: Duration = Duration::from_millis(1);
/// What each process may take to be ready, in seconds.
const READY: f64 = 0.1;

/// Sizes and the command line.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    for (name, path, keda) in [
        ("keda-controller", controller_bin()?, Some(177.0)),
        ("keda-metrics-adapter", adapter_bin()?, Some(123.0)),
        ("kubectl-keda", cli_bin()?, None),
    ] {
        let bytes = std::fs::metadata(path)?.len() as f64;
        let row = Row::new(format!("size of {name}"), "MB", bytes / 1e6).at_most(40.0);
        report.add(match keda {
            Some(keda) => row.keda(keda),
            None => row,
        });
    }
    let folder = tempfile::tempdir()?;
    let (one, many) = (folder.path().join("one.yaml"), folder.path().join("many.yaml"));
    std::fs::write(&one, documents(1))?;
    std::fs::write(&many, documents(DOCUMENTS))?;
    let nothing = time(Path::new("true"), &[], STARTS)?;
    let cli = cli_bin()?;
    let mut rows = |what: &str, args: &[&str], runs: usize, most: f64| -> Result<()> {
        let took = time(&cli, args, runs)?;
        let row = Row::new(what, "ms", took.whole).at_most(most);
        report.add(row.beside("true", nothing.whole));
        let row = Row::new(format!("{what}, processor time"), "ms", took.processor);
        report.add(row.beside("true", nothing.processor));
        Ok(())
    };
    rows("kubectl keda --help", &["--help"], STARTS, 10.0)?;
    let validate = |file: &Path| ["validate".to_owned(), "-f".to_owned(), file.display().to_string()];
    let (one, many) = (validate(&one), validate(&many));
    rows(
        "validate, one document",
        &one.each_ref().map(String::as_str),
        STARTS,
        15.0,
    )?;
    rows(
        "validate, 10,000 documents",
        &many.each_ref().map(String::as_str),
        RUNS,
        2000.0,
    )
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

/// What one run of a program takes, in ms.
pub(crate) struct Took {
    /// The middle time from start to end.
    pub(crate) whole: f64,
    /// Processor time, the average.
    pub(crate) processor: f64,
}

/// Runs a program some times, which must succeed.
pub(crate) fn time(program: &Path, args: &[&str], runs: usize) -> Result<Took> {
    let mut times = Vec::new();
    let before = processor_of_children()?;
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
    Ok(Took {
        whole: median(&mut times),
        processor: (processor_of_children()? - before) * 1000.0 / runs as f64,
    })
}

/// From the start of each process until it answers.
pub(crate) async fn start_up(field: &Field, report: &mut Report) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..RESTARTS {
        times.push(start_controller(field).await?);
    }
    let row = Row::new("controller, start → ready", "s", median(&mut times));
    report.add(row.at_most(READY).keda(0.27));
    times.clear();
    for _ in 0..RESTARTS {
        times.push(start_adapter(field).await?);
    }
    let row = Row::new("adapter, start → ready", "s", median(&mut times));
    report.add(row.at_most(READY).keda(0.25));
    field.keda.available(field.bed.cluster()).await
}

async fn start_controller(field: &Field) -> Result<f64> {
    field.keda.stop_controller().await?;
    let probes = field.keda.ports().probes;
    let start = Instant::now();
    let (started, took) = futures::join!(field.keda.restart_controller(), async {
        while !matches!(harness::keda::http_get(probes, "/readyz").await, Ok((200, _))) {
            tokio::time::sleep(PROBE).await;
        }
        since(start)
    });
    started?;
    Ok(took)
}

/// Ready is who answers a client whom the API server vouches for.
async fn start_adapter(field: &Field) -> Result<f64> {
    let server = server(&field.bed, &field.keda).await?;
    let pair = proxy(&field.bed)?;
    field.keda.kill_adapter();
    let start = Instant::now();
    field.keda.restart_adapter()?;
    loop {
        if let Ok(client) = Client::connect(&server, Some(&pair), MASTERS).await
            && client.get("/apis/external.metrics.k8s.io/v1beta1").await.is_ok()
        {
            return Ok(since(start));
        }
        field.keda.check_alive()?;
        tokio::time::sleep(PROBE).await;
    }
}
