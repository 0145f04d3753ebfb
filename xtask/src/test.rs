//! `cargo xtask test`: every tier of tests, and a summary that fails when a tier shrank.
//!
//! ```text
//! packages ─┬─ Go: test bed, node, metrics-server, CoreDNS, external scaler ─┐
//!           └─ Rust: format, layers, lints, unit tests, binaries ────────────┴─ in-cluster tests ─ real node ─ summary
//! ```
//! With `CI=true` a part that is missing on this machine fails the run; elsewhere it is reported as skipped.

mod node;
mod tally;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::lint::{self, cargo};
use crate::steps::Steps;
use crate::{cluster, deps, go, packages};
use tally::{Tally, Tier};

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
}

/// Runs the tiers, prints the summary, fails when any test failed or any tier is short.
pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    let steps = Steps::new();
    steps.run("Debian packages", packages::install_all)?;
    let bed = std::thread::spawn(|| go::build_all(&Steps::new()));
    let mut tally = Tally::default();
    if args.wants(Tier::Lint) {
        tally.add(Tier::Lint, lint_checks(&steps));
    }
    if args.wants(Tier::Unit) {
        tally.add(Tier::Unit, unit(args, &steps)?);
    }
    steps.run("binaries", || {
        cargo(&["build", "--profile", "bed", "--workspace", "--bins"])
    })?;
    let built = bed
        .join()
        .map_err(|_| anyhow::anyhow!("the build of the test bed panicked"))?;
    built.context("cannot build the test bed")?;
    for tier in [Tier::Servers, Tier::Golden, Tier::Cluster] {
        if args.wants(tier) {
            tally.add(tier, integration(tier, args, &[])?);
        }
    }
    if args.wants(Tier::Node) {
        tally.add(Tier::Node, node::run(args, &steps)?);
    }
    let complete = args.only.is_empty() && args.filter.is_none();
    println!("\n{}", tally.table(complete)?);
    println!("{} passed, {} failed", tally.passed(), tally.failed());
    if tally.failed() > 0 || (complete && tally.is_short()?) {
        bail!("the run failed");
    }
    Ok(())
}

/// Format, layers, lints and generated files: each counts as one check.
fn lint_checks(steps: &Steps) -> tally::Counts {
    type Check = fn() -> anyhow::Result<()>;
    let checks: [(&str, Check); 4] = [
        ("layers between the crates", deps::check),
        ("format of Rust and Go", lint::format),
        ("clippy", lint::clippy),
        ("length of files", lint::lengths),
    ];
    let mut counts = tally::Counts::default();
    for (what, check) in checks {
        match steps.run(what, check) {
            Ok(()) => counts.passed += 1,
            Err(error) => {
                eprintln!("{error:#}");
                counts.failed += 1;
            }
        }
    }
    counts
}

/// Unit, property and text tests of every crate but the integration tests.
fn unit(args: &TestArgs, steps: &Steps) -> anyhow::Result<tally::Counts> {
    let base = [
        "test",
        "--profile",
        "bed",
        "--workspace",
        "--exclude",
        "kubectl-keda-tests",
    ];
    steps.run("unit tests: compile", || {
        cargo(&[&base[..], &["--no-run"]].concat())
    })?;
    let mut command = Command::new("cargo");
    command
        .args(base)
        .arg("--no-fail-fast")
        .env("INSTA_UPDATE", "no")
        .env("PROPTEST_CASES", "128");
    if let Some(filter) = &args.filter {
        command.arg(filter);
    }
    tally::count(command)
}

/// One tier of the integration tests: the tests below the module of its name.
fn integration(tier: Tier, args: &TestArgs, more: &[(&str, OsString)]) -> anyhow::Result<tally::Counts> {
    let filter = args
        .filter
        .clone()
        .unwrap_or_else(|| format!("{}::", tier.module()));
    let mut command = Command::new("cargo");
    command
        .args([
            "test",
            "--profile",
            "bed",
            "--package",
            "kubectl-keda-tests",
            "--test",
            "it",
            "--",
        ])
        .arg(filter)
        .env("KEDA_BIN_DIR", binaries())
        .env("INSTA_UPDATE", "no")
        .envs(more.iter().cloned());
    for (name, path) in go::environment() {
        command.env(name, path);
    }
    tally::count(command)
}

/// Folder of the binaries under test.
pub(crate) fn binaries() -> PathBuf {
    cluster::root().join("target/bed")
}
