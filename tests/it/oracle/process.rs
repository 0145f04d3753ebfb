//! The oracle's process: scenarios in, traces out.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::scenario::{Scenario, Trace};

/// The oracle's executable, which `cargo xtask oracle` builds and names.
pub(crate) fn binary() -> Result<PathBuf> {
    let path = std::env::var_os("KEDA_ORACLE_BIN")
        .context("KEDA_ORACLE_BIN names no oracle; `cargo xtask oracle` builds it")?;
    let path = PathBuf::from(path);
    ensure!(path.is_file(), "KEDA_ORACLE_BIN: {} is no file", path.display());
    Ok(path)
}

/// Asks the oracle for the traces of scenarios; each comes to `each` with the scenario's position, in order.
pub(crate) fn ask(scenarios: &[Scenario], mut each: impl FnMut(usize, Trace)) -> Result<()> {
    let mut child = Command::new(binary()?)
        .arg("-serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the oracle does not start")?;
    let mut stdin = child.stdin.take().context("the oracle has an input")?;
    let stdout = child.stdout.take().context("the oracle has an output")?;
    let mut count = 0;
    std::thread::scope(|scope| -> Result<()> {
        let feeder = scope.spawn(move || -> Result<()> {
            for scenario in scenarios {
                writeln!(stdin, "{}", serde_json::to_string(scenario)?)?;
            }
            Ok(())
        });
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            let trace = serde_json::from_str(&line).with_context(|| format!("no trace: {line}"))?;
            each(count, trace);
            count += 1;
        }
        feeder
            .join()
            .map_err(|_| anyhow::anyhow!("feeding the oracle panicked"))?
    })?;
    let status = child.wait()?;
    ensure!(status.success(), "the oracle ended with {status}");
    ensure!(
        count == scenarios.len(),
        "the oracle gave {count} traces for {} scenarios",
        scenarios.len()
    );
    Ok(())
}
