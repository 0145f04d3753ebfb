//! `cargo xtask gen`: writes every generated file, or says which one is out of date.
//!
//! Each crate that generates files has a test named `generated_…` which compares them; with `KEDA_GEN=write` in
//! the environment the same test writes them instead. So plain `cargo test` finds drift, and there is one way of
//! making each file.

use anyhow::{Context, bail};
use clap::Args;

use crate::lint::cargo_command;

/// Crates with generated files.
const PACKAGES: &[&str] = &["kubectl-keda-crds", "kubectl-keda-scalers", "kubectl-keda"];

/// Arguments of `cargo xtask gen`.
#[derive(Args, Clone, Debug)]
pub(crate) struct GenArgs {
    /// Write nothing; fail where a file is out of date.
    #[arg(long)]
    check: bool,
}

/// Runs the generators.
pub(crate) fn run(args: &GenArgs) -> anyhow::Result<()> {
    let mut command = cargo_command();
    command.args(["test", "--quiet", "--profile", "bed"]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    command.arg("generated_");
    if !args.check {
        command.env("KEDA_GEN", "write");
    }
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("a generated file is out of date\nhelp: run `cargo xtask gen` and commit what it writes");
    }
    Ok(())
}
