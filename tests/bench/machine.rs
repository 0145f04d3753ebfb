//! The machine, as far as it explains the figures, and the cores that everything is bound to.

use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

/// What the figures were measured on.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    /// Day of the run, UTC.
    pub(crate) date: String,
    pub(crate) processor: String,
    /// Cores that the machine lets this process have.
    pub(crate) cores: usize,
    /// Those that it, and every process it starts, keeps to.
    pub(crate) bound_to: String,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// Load averages over 1, 5 and 15 minutes.
    pub(crate) load_before: String,
    pub(crate) load_after: String,
}

impl Machine {
    /// Looks at the machine and binds this process to as many of its cores. Processes inherit that, so the bed, KEDA's two
    /// processes, the bare chain, the sources and whoever asks all share the same cores.
    ///
    /// # Errors
    /// When the machine has fewer cores, or `taskset` fails.
    pub(crate) fn bound(cores: usize) -> Result<Self> {
        let status = read("/proc/self/status");
        let allowed = core_list(&field(&status, "Cpus_allowed_list"))?;
        ensure!(
            (1..=allowed.len()).contains(&cores),
            "this machine has {} cores to bind to, not {cores}",
            allowed.len()
        );
        let chosen: Vec<String> = allowed.iter().take(cores).map(u32::to_string).collect();
        let bound_to = chosen.join(",");
        let output = Command::new("taskset")
            .args(["-a", "-p", "-c", &bound_to, &std::process::id().to_string()])
            .output()
            .context("cannot run `taskset` (Debian: util-linux)")?;
        if !output.status.success() {
            bail!("taskset: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kibibytes: Option<u64> = memory.split_whitespace().next().and_then(|kib| kib.parse().ok());
        Ok(Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: allowed.len(),
            bound_to,
            memory_mib: kibibytes.unwrap_or_default() / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: load(),
            load_after: String::new(),
        })
    }

    /// Notes the load once everything is measured.
    pub(crate) fn finish(&mut self) {
        self.load_after = load();
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What a file of `KEY: VALUE` lines says first about a key.
fn field(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(':'))
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

fn load() -> String {
    let text = read("/proc/loadavg");
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The cores of a list as the kernel writes it, such as `0-3,8`.
fn core_list(text: &str) -> Result<Vec<u32>> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let bound = |text: &str| {
            text.trim()
                .parse::<u32>()
                .with_context(|| format!("cores `{part}`"))
        };
        cores.extend(bound(first)?..=bound(last)?);
    }
    Ok(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_list_of_cores() {
        assert_eq!(core_list("0-1").unwrap(), [0, 1]);
        assert_eq!(core_list("3,5-7").unwrap(), [3, 5, 6, 7]);
        assert!(core_list("").is_err());
        assert!(core_list("x-2").is_err());
    }
}
