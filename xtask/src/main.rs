//! `cargo xtask`: the only entry to everything done with this repository.
#![expect(clippy::print_stdout, reason = "a command line prints")]

mod bench;
mod cluster;
mod demo;
mod deps;
mod generate;
mod go;
mod images;
mod lint;
mod oracle;
mod packages;
mod servers;
mod steps;
mod test;

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
    /// Measures what the parts cost, beside baselines of the same run, and writes `docs/bench`.
    ///
    /// Example: cargo xtask bench --objects 100,1000
    Bench(bench::BenchArgs),
    /// Starts, stops and asks a real Kubernetes on this machine.
    Cluster(cluster::ClusterArgs),
    /// Shows an event scale a real workload 0 → 1 → N → 0, on a cluster of its own or on yours.
    ///
    /// Example: cargo xtask demo --keep
    Demo(demo::DemoArgs),
    /// Fails on a dependency between crates that ARCHITECTURE.md does not allow.
    Deps,
    /// Writes every generated file; `--check` says which is out of date.
    Gen(generate::GenArgs),
    /// Builds the container images into `target/images`.
    Images(images::ImagesArgs),
    /// Checks layers, format, lengths and lints.
    Lint,
    /// Compares the engine's HPA with Kubernetes' own controller, sync by sync, in scenarios from seeds.
    ///
    /// Example: cargo xtask oracle --seeds 10000 --from 1
    Oracle(oracle::OracleArgs),
    /// Runs every tier of tests.
    ///
    /// Example: cargo xtask test --only unit
    Test(test::TestArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    match Args::parse().command {
        Command::Bench(args) => bench::run(&args)?,
        Command::Cluster(args) => return cluster::run(&args),
        Command::Demo(args) => demo::run(&args)?,
        Command::Deps => deps::check()?,
        Command::Gen(args) => generate::run(&args)?,
        Command::Images(args) => images::run(&args)?,
        Command::Lint => lint::run()?,
        Command::Oracle(args) => oracle::run(&args)?,
        Command::Test(args) => test::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
