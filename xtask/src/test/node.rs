//! The tier on a real node: the tests of the test bed, the demo as a user runs it, and the demo when its adapter is taken away.

use std::process::Command;

use anyhow::Context;

use super::tally::Counts;
use crate::go;
use crate::steps::Steps;

/// One run of the demo, and how it must end.
struct Run {
    what: &'static str,
    args: &'static [&'static str],
    succeeds: bool,
}

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

/// Runs the demos; each counts as one test.
pub(crate) fn run(steps: &Steps) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    (counts.passed, counts.failed) = steps.run("the test bed itself", go::test_bed)?;
    for run in RUNS {
        let program = std::env::current_exe().context("cannot find this program")?;
        let result = steps.run(run.what, || {
            let status = Command::new(program)
                .arg("demo")
                .args(run.args)
                .status()
                .context("cannot run the demo")?;
            anyhow::ensure!(status.success() == run.succeeds, "the demo ended with {status}");
            Ok(())
        });
        match result {
            Ok(()) => counts.passed += 1,
            Err(error) => {
                eprintln!("{error:#}");
                counts.failed += 1;
            }
        }
    }
    Ok(counts)
}
