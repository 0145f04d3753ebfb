//! The tier on a real node: the tests of the test bed, those of `tests/it/node`, and the demo as a user runs it: on a
//! cluster of its own, on a cluster of the user's, and when its adapter is taken away.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::TestArgs;
use super::executables::Executables;
use super::foreign::{CONTEXT, Foreign};
use super::tally::{Counts, Tier};
use crate::images::{self, Image};
use crate::steps::Steps;
use crate::{cluster, go};

/// This program, by a name that outlives its file: building the workspace replaces the file that runs.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// The demo on a cluster of its own.
const OWN: &[&str] = &["--built", "--svg", "target/demo/test.svg"];
/// The demo on a cluster that holds the images already.
const FOREIGN: &[&str] = &[
    "--context",
    CONTEXT,
    "--images-loaded",
    "--built",
    "--svg",
    "target/demo/foreign.svg",
];
/// Takes the adapter away before the jobs come.
const STOPPED: &[&str] = &["--stop-adapter", "--phase-timeout", "45"];
/// What a demo without an adapter must end with: the HPA has no metric to scale by.
const NOT_SEEN: &str = "not seen within 45 s: 1 → N, the HPA's scaling";

/// Where the tests find the images, and how they are named.
fn images_environment() -> [(&'static str, OsString); 3] {
    [
        ("KEDA_IMAGES", cluster::root().join("target/images").into()),
        ("KEDA_IMAGE_REGISTRY", images::LOCAL_REGISTRY.into()),
        ("KEDA_IMAGE_TAG", images::TAG.into()),
    ]
}

/// Runs the tests of the bed, those on its real node, and the demos, each of which counts as one test.
pub(crate) fn run(args: &TestArgs, tests: &Executables, steps: &Steps) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    (counts.passed, counts.failed) = steps.run("the test bed itself", go::test_bed)?;
    let images = steps.run("images", || {
        images::build(&super::binaries(), images::LOCAL_REGISTRY)
    })?;
    let tests = super::integration(Tier::Node, args.filter(), tests, &images_environment())?;
    counts += super::tally::count(tests)?;
    demos(&images, steps, &mut counts);
    Ok(counts)
}

/// Runs the demos. The one that must fail comes last on the cluster of the user's: it must leave nothing there, either.
fn demos(images: &[Image], steps: &Steps, counts: &mut Counts) {
    let mut count = |what: &str, test: &dyn Fn() -> anyhow::Result<()>| match steps.run(what, test) {
        Ok(()) => counts.passed += 1,
        Err(error) => {
            eprintln!("{error:#}");
            counts.failed += 1;
        }
    };
    count("the demo shows 0 → 1 → N → 0", &|| {
        succeeds(Command::new(THIS_PROGRAM).arg("demo").args(OWN))
    });
    let foreign = match steps.run("a cluster as a user has it", || Foreign::start(images)) {
        Ok(foreign) => foreign,
        Err(error) => return count("the demo with `--context`", &|| bail!("{error:#}")),
    };
    let on_foreign = || {
        let mut command = foreign.command(THIS_PROGRAM)?;
        command.arg("demo").args(FOREIGN);
        anyhow::Ok(command)
    };
    count(
        "the demo shows the same on a user's cluster and leaves nothing",
        &|| {
            succeeds(&mut on_foreign()?)?;
            foreign.check_clean()
        },
    );
    count(
        "the demo fails when the adapter is stopped under it, and leaves nothing",
        &|| {
            fails(on_foreign()?.args(STOPPED), NOT_SEEN)?;
            foreign.check_clean()
        },
    );
    if let Err(error) = steps.run("stop the cluster", || foreign.down()) {
        count("the cluster stops", &|| bail!("{error:#}"));
    }
}

fn succeeds(demo: &mut Command) -> anyhow::Result<()> {
    let status = demo.status().context("cannot run the demo")?;
    ensure!(status.success(), "the demo ended with {status}");
    Ok(())
}

/// Fails unless the demo does, for the reason given.
fn fails(demo: &mut Command, reason: &str) -> anyhow::Result<()> {
    let output = demo.output().context("cannot run the demo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "the demo succeeded: {said}");
    ensure!(
        said.contains(reason),
        "the demo failed for another reason: {said}"
    );
    Ok(())
}
