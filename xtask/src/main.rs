//! `cargo xtask`: the only entry to everything done with this repository.
#![expect(clippy::print_stdout, reason = "a command line prints")]

mod cluster;
mod deps;
mod generate;
mod go;
mod lint;
mod packages;
mod steps;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, tests and shows kubectl-keda.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts, stops and asks a real Kubernetes on this machine.
    Cluster(cluster::ClusterArgs),
    /// Fails on a dependency between crates that ARCHITECTURE.md does not allow.
    Deps,
    /// Writes every generated file; `--check` says which is out of date.
    Gen(generate::GenArgs),
    /// Checks layers, format, lengths and lints.
    Lint,
}

fn main() -> anyhow::Result<ExitCode> {
    match Args::parse().command {
        Command::Cluster(args) => return cluster::run(&args),
        Command::Deps => deps::check()?,
        Command::Gen(args) => generate::run(&args)?,
        Command::Lint => lint::run()?,
    }
    Ok(ExitCode::SUCCESS)
}
