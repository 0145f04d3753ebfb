//! The tier on a real node: the tests of the test bed, those of `tests/it/node`, the demo as a user runs it, and the demo when its adapter is taken away.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Context;

use super::TestArgs;
use super::executables::Executables;
use super::tally::{Counts, Tier};
use crate::steps::Steps;
use crate::{cluster, go, images};

/// One run of the demo, and how it must end.
struct Run {
    what: &'static str,
    args: &'static [&'static str],
    succeeds: bool,
}

/// This program, by a name that outlives its file: building the workspace replaces the file that runs.
const THIS_PROGRAM: &str = "/proc/self/exe";

const RUNS: &[Run] = &[
    Run {
        what: "the demo shows 0 → 1 → N → 0",
        args: &["--svg", "target/demo/test.svg"],
        succeeds: true,
    },
    Run {
        what: "the demo fails when the adapter is stopped under it",
        args: &[
            "--stop-adapter",
            "--phase-timeout",
            "45",
            "--svg",
            "target/demo/stopped.svg",
        ],
        succeeds: false,
    },
];

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
    steps.run("images", || {
        images::build(&super::binaries(), images::LOCAL_REGISTRY)
    })?;
    counts += super::integration(Tier::Node, args, tests, &images_environment())?;
    for run in RUNS {
        let result = steps.run(run.what, || {
            let status = Command::new(THIS_PROGRAM)
                .arg("demo")
                .args(run.args)
                .status()
                .context("cannot run the demo")?;
            anyhow::ensure!(status.success() == run.succeeds, "the demo ended with {status}");
            Ok(())
        });
        counts += Counts::of(&result);
    }
    Ok(counts)
}
