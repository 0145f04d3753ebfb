//! `cargo xtask oracle`: the engine's HPA against Kubernetes' own controller.
//!
//! The comparison is a tier of the integration tests: it makes scenarios of seeds, runs the engine and the controller
//! (`tests/oracle`) through them, and fails at the first sync in which they differ, with the smallest scenario found.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;

use crate::go;
use crate::steps::Steps;
use crate::test::{Executables, Tier, giving_way, integration, tally};

/// Scenarios of each `cargo xtask test`.
const SEEDS: u32 = 300;

/// Arguments of `cargo xtask oracle`.
#[derive(Args, Clone, Debug)]
pub(crate) struct OracleArgs {
    /// Compare in this many scenarios.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// The first seed; the others follow it. By default one that no run had before.
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// Compare in the scenarios of this file instead, a JSON object a line as `tests/oracle/README.md` describes them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "from"])]
    scenarios: Option<PathBuf>,
}

/// What the comparison is told in its environment.
type Environment = Vec<(&'static str, OsString)>;

/// Builds both sides and compares them.
pub(crate) fn run(args: &OracleArgs) -> anyhow::Result<()> {
    let environment = match &args.scenarios {
        Some(file) => {
            let file = file
                .canonicalize()
                .with_context(|| format!("cannot find `{}`", file.display()))?;
            vec![("KEDA_ORACLE_SCENARIOS", file.into())]
        }
        None => seeds(args.seeds, args.from),
    };
    let steps = Steps::new();
    go::build_oracle(&steps)?;
    let tests = steps.run("binaries and tests", Executables::build)?;
    let counts = tally::count(integration(Tier::Oracle, None, &tests, &environment)?)?;
    if counts.failed > 0 || counts.passed == 0 {
        bail!("{} comparisons passed, {} failed", counts.passed, counts.failed);
    }
    Ok(())
}

/// The tier of `cargo xtask test`: the oracle's own tests, and the comparison over fresh seeds. It gives way to what
/// runs beside it.
pub(crate) fn tier(
    filter: Option<&str>,
    tests: &Executables,
    steps: &Steps,
) -> anyhow::Result<tally::Counts> {
    let (passed, failed) = steps.run("the HPA oracle itself", go::test_oracle)?;
    let mut counts = tally::Counts { passed, failed };
    let comparison = integration(Tier::Oracle, filter, tests, &seeds(SEEDS, None))?;
    counts += tally::count(giving_way(&comparison))?;
    Ok(counts)
}

/// The environment for seeds, which are told with the command that repeats them.
fn seeds(count: u32, from: Option<u64>) -> Environment {
    let from = from.unwrap_or_else(fresh);
    eprintln!("again: cargo xtask oracle --seeds {count} --from {from}");
    vec![
        ("KEDA_ORACLE_SEEDS", count.to_string().into()),
        ("KEDA_ORACLE_FROM", from.to_string().into()),
    ]
}

/// A seed that no run had before, nor will have: the milliseconds since 1970.
fn fresh() -> u64 {
    Timestamp::now().as_millisecond().unsigned_abs()
}
