//! Counting tests per tier, and the committed minimum of each.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::ValueEnum;
use serde::Deserialize;

/// A kind of test, by what it needs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tier {
    /// Format, layers, lints.
    Lint,
    /// Unit, property and text tests: nothing but the crates.
    Unit,
    /// The HPA algorithm against Kubernetes' own controller.
    Oracle,
    /// Scalers against real servers on loopback.
    Servers,
    /// KEDA's recorded behaviour, on a real control plane with simulated nodes.
    Golden,
    /// Scenarios on a real control plane with simulated nodes.
    Cluster,
    /// Scenarios on a real node with real containers.
    Node,
}

impl Tier {
    const ALL: [Tier; 7] = [
        Self::Lint,
        Self::Unit,
        Self::Oracle,
        Self::Servers,
        Self::Golden,
        Self::Cluster,
        Self::Node,
    ];

    /// The module of `tests/it` that holds this tier.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Oracle => "oracle",
            Self::Servers => "servers",
            Self::Golden => "golden",
            Self::Cluster => "cluster",
            Self::Node => "node",
        }
    }
}

/// What one tier did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Counts {
    /// One check, passed or failed; a failed one is printed.
    pub(crate) fn of(check: &anyhow::Result<()>) -> Self {
        match check {
            Ok(()) => Self { passed: 1, failed: 0 },
            Err(error) => {
                eprintln!("{error:#}");
                Self { passed: 0, failed: 1 }
            }
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// The fewest tests that each tier may run; raised by the commit that adds tests.
const MINIMUM: &str = include_str!("../../../tests/minimum.json");

/// What every tier did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    tiers: BTreeMap<Tier, Counts>,
}

impl Tally {
    pub(crate) fn add(&mut self, tier: Tier, counts: Counts) {
        *self.tiers.entry(tier).or_default() += counts;
    }

    pub(crate) fn passed(&self) -> usize {
        self.tiers.values().map(|counts| counts.passed).sum()
    }

    pub(crate) fn failed(&self) -> usize {
        self.tiers.values().map(|counts| counts.failed).sum()
    }

    /// Whether any tier ran fewer tests than its committed minimum.
    pub(crate) fn is_short(&self) -> anyhow::Result<bool> {
        let minimum = minimum()?;
        Ok(Tier::ALL
            .iter()
            .any(|tier| self.of(*tier).passed < least(&minimum, *tier)))
    }

    /// A row a tier.
    pub(crate) fn table(&self, complete: bool) -> anyhow::Result<String> {
        let minimum = minimum()?;
        let mut lines = vec![format!(
            "{:<8}  {:>6}  {:>6}  {:>7}",
            "TIER", "PASSED", "FAILED", "MINIMUM"
        )];
        for tier in Tier::ALL {
            let counts = self.of(tier);
            let least = least(&minimum, tier);
            let short = if complete && counts.passed < least {
                "  short"
            } else {
                ""
            };
            let name = tier.module();
            lines.push(format!(
                "{name:<8}  {:>6}  {:>6}  {least:>7}{short}",
                counts.passed, counts.failed
            ));
        }
        Ok(lines.join("\n"))
    }

    fn of(&self, tier: Tier) -> Counts {
        self.tiers.get(&tier).copied().unwrap_or_default()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (tier, counts) in other.tiers {
            self.add(tier, counts);
        }
    }
}

fn minimum() -> anyhow::Result<BTreeMap<Tier, usize>> {
    serde_json::from_str(MINIMUM).context("cannot read tests/minimum.json")
}

fn least(minimum: &BTreeMap<Tier, usize>, tier: Tier) -> usize {
    minimum.get(&tier).copied().unwrap_or(0)
}

/// Runs tests, shows what they print, and adds up its `test result:` lines.
pub(crate) fn count(mut command: Command) -> anyhow::Result<Counts> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run a test executable")?;
    let output = child.stdout.take().context("the tests have no output")?;
    let mut counts = Counts::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read what the tests print")?;
        println!("{line}");
        if let Some(found) = result_line(&line) {
            counts += found;
        }
    }
    let status = child.wait().context("cannot wait for the tests")?;
    if !status.success() && counts.failed == 0 {
        // It died: that is one failure.
        counts.failed = 1;
    }
    Ok(counts)
}

/// Reads `test result: ok. 12 passed; 0 failed; …`.
fn result_line(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        rest.split(';').find_map(|part| {
            part.trim()
                .strip_suffix(word)?
                .trim()
                .rsplit(' ')
                .next()?
                .parse()
                .ok()
        })
    };
    Some(Counts {
        passed: number(" passed")?,
        failed: number(" failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Counts, result_line};

    #[test]
    fn reads_the_closing_line_of_libtest() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.1s";
        assert_eq!(
            result_line(line),
            Some(Counts {
                passed: 12,
                failed: 3
            })
        );
        assert_eq!(result_line("test diagnostic::prints ... ok"), None);
    }
}
