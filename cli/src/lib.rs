//! `kubectl keda`: installs event-driven autoscaling, shows what it does and why, and checks manifests.
//!
//! ```text
//! args ─▶ commands/* ─▶ kubeconfig (client, built only when a command needs it)
//!             │      └▶ debug (controller and adapter, over the API server's port-forward)
//!             ▼
//!         output (-o) ─▶ ui (tables, progress, diagnostics, prompts) ─▶ stdout: data, stderr: talk
//! ```
//!
//! The library exists beside the binary so that the completions and the reference page are generated from the
//! same command tree ([`command`]).

pub mod args;
pub mod exit;

mod check;
mod commands;
mod context;
mod debug;
mod install;
mod jsonpath;
mod kubeconfig;
mod manifest;
mod observe;
mod output;
mod reference;
mod simulate;
mod tune;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use crate::reference::files as generated_files;

use crate::args::Args;

/// The whole command tree, for completions and the reference page.
pub fn command() -> clap::Command {
    Args::command()
}

/// Parses the command line, runs the verb and says how it ended.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == commands::complete::WORD) {
        let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        return ExitCode::from(commands::complete::run(&words));
    }
    let args = Args::parse();
    ExitCode::from(commands::run(args))
}
