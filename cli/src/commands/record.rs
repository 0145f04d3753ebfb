//! `kubectl keda record`: writes down what the triggers of an object say over time, as a series that `simulate` reads.
//!
//! ```text
//! dry_run::way ─▶ DryRun ┐
//!                        ├─ column ─▶ tally ─▶ file (a whole row at each multiple of `--every`)
//! HPA's status ──────────┘
//! ```
//!
//! Nothing is written to a cluster. A source that fails is an empty cell, never the end.

mod clock;
mod column;
mod file;
mod hpa;
mod session;
mod tally;

use std::path::PathBuf;
use std::pin::pin;

use crate::commands::dry_run::way::AskedArgs;
use crate::context::Context;
use crate::debug::DebugArgs;
use crate::exit::{self, Failure};
use crate::simulate::length;
use crate::simulate::series::write::WriteFormat;
use session::{Ended, Session};

/// Arguments of `record`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda record so/orders --series orders.csv
  kubectl keda record so/orders --in-cluster --every 30s --for 8h --series monday.csv
  kubectl keda record -f orders.yaml --series orders.csv --append
  kubectl keda record so/orders --for 1h --changes > orders.csv
  kubectl keda simulate -f orders.yaml --series orders.csv")]
pub struct Args {
    /// What is asked about, and by whom
    #[command(flatten)]
    pub asked: AskedArgs,
    /// File to write the values into, or `-` for standard output: CSV, or JSON lines where it ends in `.jsonl`
    #[arg(long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    pub series: PathBuf,
    /// How the file is written, where its name does not tell
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<WriteFormat>,
    /// Time between two rows, whole seconds
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = length::whole_seconds, allow_hyphen_values = true)]
    pub every: i64,
    /// How long to record, such as `1h` or `7d`: until Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = length::some, allow_hyphen_values = true)]
    pub length: Option<i64>,
    /// Go on with a file that has the same columns
    #[arg(long, conflicts_with = "force")]
    pub append: bool,
    /// Write a file anew that exists already
    #[arg(long)]
    pub force: bool,
    /// Leave out rows that say what the row before says
    #[arg(long)]
    pub changes: bool,
    /// How to reach the controller
    #[command(flatten)]
    pub debug: DebugArgs,
}

/// Runs the verb. Ctrl-C is how a recording without `--for` ends.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    if args.length.is_some_and(|length| length < args.every) {
        let message = "`--for` is shorter than `--every`, so there would be no row";
        return Err(Failure::new(exit::USAGE, message));
    }
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let opened = tokio::select! {
        opened = Session::open(args, cx) => opened,
        _ = &mut interrupt => Err(Failure::new(exit::INTERRUPTED, "")),
    };
    let mut session = opened?;
    let ended = tokio::select! {
        ended = session.go_on() => ended.map(|()| Ended::Done),
        _ = &mut interrupt => Ok(Ended::Interrupted),
    };
    session.close(ended)
}
