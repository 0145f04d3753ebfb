//! Measures what the parts cost, beside baselines of the same run: `cargo xtask bench` builds everything and runs this.
//!
//! ```text
//! command line ─ simulate ─ one bed: start-up ─ creation ─ memory, CPU ─ reads ─ restart ─ activation ─ sources ─▶ Report ─▶ table, pages
//! ```
//! Nothing here passes or fails: a figure beyond its target is marked, and the reader decides.
#![expect(clippy::print_stdout, reason = "a command line prints")]

mod activation;
mod chain;
mod command;
mod creation;
mod field;
mod figures;
mod machine;
mod page;
mod plot;
mod reads;
mod report;
mod simulating;
mod sources;
mod steady;
mod watching;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

use field::Field;
use machine::Machine;
use report::Report;

/// Measures what the parts cost.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    bin_name = "cargo xtask bench",
    args_conflicts_with_subcommands = true
)]
struct Args {
    /// Numbers of ScaledObjects at which memory and processor time are measured, ascending.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "100,1000,3000",
        value_name = "N"
    )]
    objects: Vec<usize>,
    /// ScaledObjects whose creation is timed: the first of a batch that has so many.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    creation: u32,
    /// Objects of whose metrics reads are timed, once there are so many.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(64..))]
    read_objects: u32,
    /// Reads in each round of the throughput measurement.
    #[arg(long, default_value_t = 4000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..))]
    reads: u32,
    /// Cores that every process is bound to.
    #[arg(long, default_value_t = 2, value_name = "N")]
    cores: usize,
    /// Folder for `bench.json`, `bench.md` and `bench.svg`.
    #[arg(long, default_value = "docs/bench", value_name = "DIR")]
    out: PathBuf,
    /// Measure only this, and write no files; may be given several times.
    #[arg(long, value_name = "WHAT")]
    only: Vec<Section>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What can be measured without the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Section {
    /// Sizes, and what the command line costs.
    Command,
    /// What a simulation costs.
    Simulate,
    /// Controller and adapter on a control plane.
    Cluster,
}

impl Args {
    fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }
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
    match args.part {
        Some(Part::ChainFront(front)) => harness::runtime().block_on(chain::front(front)),
        Some(Part::ChainBack(back)) => harness::runtime().block_on(chain::back(back)),
        None => run(&args),
    }
}

/// Measures, shows and writes. What was measured before something failed is shown and written too, and says so.
fn run(args: &Args) -> Result<()> {
    ensure!(
        args.objects.is_sorted(),
        "the numbers of objects must ascend: more are added each time"
    );
    // Before the first thread: those of a process that is bound already are bound like it.
    let mut report = Report::new(Machine::bound(args.cores)?);
    let result = harness::runtime().block_on(measure(args, &mut report));
    harness::process::end_all();
    harness::bed::end_all();
    report.machine.finish();
    report.incomplete = result.as_ref().err().map(|error| format!("{error:#}"));
    println!("{}", report.table());
    // The pages tell all figures of one run, or why some are missing.
    if args.only.is_empty() {
        report.write(&args.out)?;
    }
    result
}

async fn measure(args: &Args, report: &mut Report) -> Result<()> {
    if args.wants(Section::Command) {
        command::measure(report)?;
    }
    if args.wants(Section::Simulate) {
        simulating::measure(report)?;
    }
    if args.wants(Section::Cluster) {
        cluster(args, report).await?;
    }
    Ok(())
}

async fn cluster(args: &Args, report: &mut Report) -> Result<()> {
    let field = Field::start().await?;
    command::start_up(&field, report).await?;
    steady::idle(&field, report).await?;
    let (creation, read) = (args.creation as usize, args.read_objects as usize);
    let mut made = 0;
    for &wanted in &args.objects {
        if wanted - made >= creation && !report.has(creation::CREATION) {
            creation::measure(&field, made..made + creation, report).await?;
            made += creation;
        }
        field.create(made..wanted).await?;
        made = wanted;
        steady::measure(&field, made, report).await?;
        if made >= read && !report.has(reads::THROUGHPUT) {
            reads::measure(&field, made, args.reads as usize, report).await?;
        }
    }
    steady::restart(&field, made, report).await?;
    activation::measure(&field, report).await?;
    sources::measure(&field, report).await
}
