//! `cargo xtask test`: every tier of tests, and a summary that fails when a tier shrank.
//!
//! ```text
//! packages ─┬─ Maven: Kafka ─────────────────────────────────────────────────┐ ┌─ oracle, clippy ────────────────┐
//!           ├─ Go: test bed, node, metrics-server, CoreDNS, HPA oracle, … ───┤ │                                 │
//!           └─ Rust: format, layers, binaries, unit tests ───────────────────┴─┴─ servers, golden, cluster, node ┴─ summary
//! ```
//! With `CI=true` a part that is missing on this machine fails the run; elsewhere it is reported as skipped.

mod executables;
mod foreign;
mod node;
pub(crate) mod tally;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::steps::Steps;
use crate::{cluster, deps, go, lint, oracle, packages, servers};
pub(crate) use executables::Executables;
use tally::Tally;
pub(crate) use tally::Tier;

/// Arguments of `cargo xtask test`.
#[derive(Args, Clone, Debug)]
pub(crate) struct TestArgs {
    /// Run only these tiers.
    #[arg(long, value_enum, value_name = "TIER")]
    only: Vec<Tier>,
    /// Passed to the test binaries: run only the tests whose name contains this.
    filter: Option<String>,
}

impl TestArgs {
    fn wants(&self, tier: Tier) -> bool {
        self.only.is_empty() || self.only.contains(&tier)
    }

    fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }
}

/// Runs the tiers, prints the summary, fails when any test failed or any tier is short.
pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    let steps = Steps::new();
    steps.run("Debian packages", packages::install_all)?;
    let fetched = std::thread::spawn(|| Steps::new().run("servers", servers::prepare));
    let bed = std::thread::spawn(|| {
        let steps = Steps::new();
        go::build_bed(&steps)?;
        go::build_oracle(&steps)
    });
    let mut tally = Tally::default();
    if args.wants(Tier::Lint) {
        tally.add(Tier::Lint, lint_checks(&steps));
    }
    let tests = steps.run("binaries and tests", Executables::build)?;
    if args.wants(Tier::Unit) {
        tally.add(Tier::Unit, unit(args, &tests)?);
    }
    let built = bed
        .join()
        .map_err(|_| anyhow::anyhow!("the build of the test bed panicked"))?;
    built.context("cannot build the test bed")?;
    fetched
        .join()
        .map_err(|_| anyhow::anyhow!("fetching the servers panicked"))??;
    // The tiers on servers and clusters wait more than they compute: the processors are free for those that compute.
    let (waiting, computing) = std::thread::scope(|scope| {
        let computing = scope.spawn(|| computing(args, &tests));
        (waiting(args, &tests), computing.join())
    });
    tally += waiting?;
    tally += computing.map_err(|_| anyhow::anyhow!("the oracle or clippy panicked"))??;
    let complete = args.only.is_empty() && args.filter.is_none();
    println!("\n{}", tally.table(complete)?);
    println!("{} passed, {} failed", tally.passed(), tally.failed());
    if tally.failed() > 0 || (complete && tally.is_short()?) {
        bail!("the run failed");
    }
    Ok(())
}

/// Format, layers and lengths: each counts as one check.
fn lint_checks(steps: &Steps) -> tally::Counts {
    type Check = fn() -> anyhow::Result<()>;
    let checks: [(&str, Check); 3] = [
        ("layers between the crates", deps::check),
        ("format of Rust and Go", lint::format),
        ("length of files", lint::lengths),
    ];
    let mut counts = tally::Counts::default();
    for (what, check) in checks {
        counts += tally::Counts::of(&steps.run(what, check));
    }
    counts
}

/// Unit, property and text tests of every crate.
fn unit(args: &TestArgs, tests: &Executables) -> anyhow::Result<tally::Counts> {
    let mut counts = tally::Counts::default();
    for mut command in tests.of_crates() {
        command.args(&args.filter).env("PROPTEST_CASES", "128");
        counts += tally::count(command)?;
    }
    Ok(counts)
}

/// The tiers on servers and on control planes with simulated nodes.
fn waiting(args: &TestArgs, tests: &Executables) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for tier in [Tier::Servers, Tier::Golden, Tier::Cluster] {
        if args.wants(tier) {
            tally.add(tier, tally::count(integration(tier, args.filter(), tests, &[])?)?);
        }
    }
    if args.wants(Tier::Node) {
        tally.add(Tier::Node, node::run(args, tests, &Steps::new())?);
    }
    Ok(tally)
}

/// What runs beside [`waiting`] and gives way to it.
fn computing(args: &TestArgs, tests: &Executables) -> anyhow::Result<Tally> {
    let steps = Steps::new();
    let mut tally = Tally::default();
    if args.wants(Tier::Oracle) {
        tally.add(Tier::Oracle, oracle::tier(args.filter(), tests, &steps)?);
    }
    if args.wants(Tier::Lint) {
        let clippy = steps.run("clippy", lint::clippy_meanwhile);
        tally.add(Tier::Lint, tally::Counts::of(&clippy));
    }
    Ok(tally)
}

/// One tier of the integration tests.
pub(crate) fn integration(
    tier: Tier,
    filter: Option<&str>,
    tests: &Executables,
    more: &[(&str, OsString)],
) -> anyhow::Result<Command> {
    let mut command = tests.integration()?;
    command
        .args(filter)
        .env("KEDA_TIERS", tier.module())
        .env("KEDA_BIN_DIR", binaries())
        .envs([servers::environment()])
        .envs(more.iter().cloned())
        .envs(go::environment());
    Ok(command)
}

/// The same command, giving way to everything else that runs.
pub(crate) fn giving_way(command: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        nice.current_dir(folder);
    }
    nice
}

/// Folder of the binaries under test.
pub(crate) fn binaries() -> PathBuf {
    cluster::target().join("bed")
}
