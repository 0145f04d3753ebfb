//! `cargo xtask demo`: an event scales a real workload 0 → 1 → N → 0, and the timeline shows it.
//!
//! ```text
//! packages → test bed → images → kubectl keda install --wait → worker + ScaledObject → 200 jobs → watch → table, plot
//! ```
//! What is shown comes from watches on the Deployment and the HPA, never from our own processes.

mod place;
mod plot;
mod scenario;
mod timeline;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use crate::steps::Steps;
use place::Place;
use scenario::Scenario;
use timeline::{Phase, Timeline};

/// Arguments of `cargo xtask demo`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct DemoArgs {
    /// Leave the cluster up at the end and print what to try next.
    #[arg(long)]
    keep: bool,
    /// Use this context of your kubeconfig instead of the test bed.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// With `--context`: the registry that your cluster pulls from; images are pushed there.
    #[arg(long, requires = "context", value_name = "HOST/PATH")]
    registry: Option<String>,
    /// With `--context`: the images are in the cluster already (`kind load image-archive`, `ctr images import`).
    #[arg(long, requires = "context", conflicts_with = "registry")]
    images_loaded: bool,
    /// Jobs to push.
    #[arg(long, default_value = "200")]
    jobs: u32,
    /// Seconds to wait for each phase.
    #[arg(long, default_value = "180", value_name = "SECONDS")]
    phase_timeout: u64,
    /// Stop the metrics adapter before the jobs come: the demo must notice and fail (its own test uses this).
    #[arg(long, hide = true)]
    stop_adapter: bool,
    /// Take the binaries in `target/bed` as they are; the tests have just built them.
    #[arg(long, hide = true)]
    built: bool,
    /// Where the timeline goes.
    #[arg(long, default_value = "target/demo/timeline.svg", value_name = "FILE")]
    svg: PathBuf,
}

/// Runs the demo; an error names the phase that was not seen.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let steps = Steps::new();
    let place = Place::prepare(args, &steps)?;
    let result = show(args, &place, &steps);
    if let Err(error) = &result {
        eprintln!("\n{}", place.describe_failure(error));
    }
    if args.keep {
        println!("{}", place.what_next());
    } else {
        steps.run("leave nothing behind", || place.leave())?;
    }
    if result.is_ok() {
        println!("\nDone in {} s.", started.elapsed().as_secs());
    }
    result
}

/// Installs, deploys, pushes and watches.
fn show(args: &DemoArgs, place: &Place, steps: &Steps) -> anyhow::Result<()> {
    steps.run("kubectl keda install --wait", || place.install())?;
    let scenario = Scenario::new(place);
    steps.run("deploy Redis, a worker at 0 replicas, and a ScaledObject", || {
        scenario.deploy()
    })?;
    if args.stop_adapter {
        steps.run("stop the adapter", || scenario.stop_adapter())?;
    }
    let mut timeline = Timeline::watch(place)?;
    timeline.wait_for(Phase::Zero, Duration::from_secs(args.phase_timeout))?;
    println!(
        "\nPushing {} jobs; `kubectl keda status -w` shows what follows.\n",
        args.jobs
    );
    let status = place.live_status()?;
    timeline.mark_push();
    scenario.push(args.jobs)?;
    let seen = timeline.wait_for_all(Duration::from_secs(args.phase_timeout));
    drop(status);
    println!("\n{}", timeline.table());
    let svg = &args.svg;
    plot::write(&timeline, svg).with_context(|| format!("cannot write `{}`", svg.display()))?;
    println!("The same as a plot: {}", svg.display());
    seen?;
    if timeline.peak() < 2 {
        bail!("the worker never went beyond one replica");
    }
    Ok(())
}
