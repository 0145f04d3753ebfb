//! `cargo xtask bench`: release builds of what is measured, and of the program that measures it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::lint::cargo;
use crate::steps::Steps;
use crate::{cluster, go, packages};

/// The three binaries and the benchmark, in one selection: Cargo unifies features over what is selected.
const BUILD: &[&str] = &[
    "build",
    "--quiet",
    "--release",
    "--bins",
    "--package",
    "kubectl-keda",
    "--package",
    "kubectl-keda-controller",
    "--package",
    "kubectl-keda-metrics-adapter",
    "--package",
    "kubectl-keda-tests",
];

/// Arguments of `cargo xtask bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchArgs {
    /// Folder for `bench.json`, `bench.md` and `bench.svg`.
    #[arg(long, default_value = "docs/bench", value_name = "DIR")]
    out: PathBuf,
    /// Numbers of ScaledObjects at which memory and processor time are measured, ascending.
    #[arg(long, default_value = "100,1000,3000", value_name = "N,…")]
    objects: String,
    /// Passed to the benchmark after `--`; `-- --help` lists what it takes.
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// Builds and measures.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let steps = Steps::new();
    steps.run("Debian packages", packages::install_for_bench)?;
    go::build_bed(&steps)?;
    go::build_oracle(&steps)?;
    steps.run("release binaries", || cargo(BUILD))?;
    let folder = cluster::target().join("release");
    let status = Command::new(folder.join("keda-bench"))
        .arg("--out")
        .arg(cluster::root().join(&args.out))
        .args(["--objects", &args.objects])
        .args(&args.arguments)
        .env("KEDA_BIN_DIR", &folder)
        .envs(go::environment())
        .current_dir(cluster::root())
        .status()
        .context("cannot run the benchmark")?;
    if !status.success() {
        bail!("the benchmark ended with {status}");
    }
    Ok(())
}
