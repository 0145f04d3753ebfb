//! `cargo xtask bench`: release builds of everything, and the program that measures them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::lint::cargo;
use crate::steps::Steps;
use crate::{cluster, go, packages};

/// Arguments of `cargo xtask bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchArgs {
    /// Folder for `bench.json` and `bench.svg`.
    #[arg(long, default_value = "docs/bench", value_name = "DIR")]
    out: PathBuf,
    /// Numbers of ScaledObjects at which memory and CPU are measured, ascending.
    #[arg(long, default_value = "100,1000,3000", value_name = "N,…")]
    objects: String,
}

/// Builds and measures.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let steps = Steps::new();
    steps.run("Debian packages", packages::install_all)?;
    go::build_all(&steps)?;
    steps.run("release binaries", || {
        cargo(&["build", "--quiet", "--release", "--workspace", "--bins"])
    })?;
    let folder = cluster::root().join("target/release");
    let status = Command::new(folder.join("keda-bench"))
        .arg("--out")
        .arg(cluster::root().join(&args.out))
        .args(["--objects", &args.objects])
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
