//! `cargo xtask`: the only entry to everything done with this repository.

mod deps;

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
    /// Fails on a dependency between crates that ARCHITECTURE.md does not allow.
    Deps,
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Deps => deps::check(),
    }
}
