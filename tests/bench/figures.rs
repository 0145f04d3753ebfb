//! What the kernel and a run of samples say: memory, processor time, percentiles.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Ticks of processor time a second, as Linux counts them for user space on every architecture.
const TICKS: f64 = 100.0;

/// Resident memory of a process in MiB.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line
        .and_then(|line| line.split_whitespace().next())
        .context("no VmRSS")?;
    Ok(kibibytes.parse::<f64>()? / 1024.0)
}

/// Processor time that a process has used, in seconds.
pub(crate) fn processor(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may hold blanks.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .context("no program name")?
        .1
        .split_whitespace()
        .collect();
    let ticks =
        |index: usize| -> Result<f64> { Ok(fields.get(index).context("too few fields")?.parse::<f64>()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// The value below which a share of the samples lies.
pub(crate) fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let index = ((samples.len() as f64 - 1.0) * share).round() as usize;
    samples.get(index).copied().unwrap_or(f64::NAN)
}

/// The middle of the samples.
pub(crate) fn median(samples: &mut [f64]) -> f64 {
    percentile(samples, 0.5)
}

/// Seconds since a moment.
pub(crate) fn since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

/// Lets processes work for a while: what is measured is what they do in that time.
pub(crate) async fn watch_for(time: Duration) {
    tokio::time::sleep(time).await;
}
