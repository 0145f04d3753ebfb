//! Measures what the parts cost, beside a baseline of the same run: `cargo xtask bench` builds everything and runs this.
//!
//! ```text
//! start-up ─ command line ─ one bed: creation ─ memory, CPU ─ reads ─ activation ─ restart ─▶ Report ─▶ table, JSON, SVG
//! ```
//! Nothing here passes or fails: a figure beyond its target is marked, and the reader decides.
#![expect(clippy::print_stdout, reason = "a command line prints")]

mod activation;
mod chain;
mod command;
mod creation;
mod field;
mod figures;
mod plot;
mod reads;
mod report;
mod steady;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use field::Field;
use report::Report;

/// Measures what the parts cost.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Args {
    /// Numbers of ScaledObjects at which memory and CPU are measured, ascending.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "100,1000,3000",
        value_name = "N"
    )]
    objects: Vec<usize>,
    /// Reads in each round of the throughput measurement.
    #[arg(long, default_value_t = 4000, value_name = "N")]
    reads: usize,
    /// Folder for `bench.json` and `bench.svg`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The two processes of the bare chain, which the benchmark starts itself.
#[derive(Debug, Subcommand)]
enum Part {
    /// Answers HTTPS by asking the other one.
    #[command(hide = true)]
    ChainFront(chain::FrontArgs),
    /// Answers gRPC by asking the source.
    #[command(hide = true)]
    ChainBack(chain::BackArgs),
}

fn main() -> Result<()> {
    let args = Args::parse();
    harness::runtime().block_on(async {
        match args.part {
            Some(Part::ChainFront(front)) => chain::front(front).await,
            Some(Part::ChainBack(back)) => chain::back(back).await,
            None => {
                let result = measure(&args).await;
                harness::process::end_all();
                harness::bed::end_all();
                result
            }
        }
    })
}

async fn measure(args: &Args) -> Result<()> {
    let mut report = Report::new();
    command::measure(&mut report)?;
    let field = Field::start().await?;
    command::start_up(&field, &mut report).await?;
    steady::idle(&field, &mut report).await?;
    let mut made = 0;
    for &wanted in &args.objects {
        if wanted - made >= creation::LEAST && !report.has(creation::CREATION) {
            creation::measure(&field, made..wanted, &mut report).await?;
        } else {
            field.create(made..wanted).await?;
        }
        made = wanted;
        steady::measure(&field, made, &mut report).await?;
        if made >= reads::OBJECTS && !report.has(reads::THROUGHPUT) {
            reads::measure(&field, args.reads, &mut report).await?;
        }
    }
    steady::restart(&field, made, &mut report).await?;
    activation::measure(&field, &mut report).await?;
    report.finish();
    println!("{}", report.table());
    report.write(&args.out)
}
