//! `engine::hpa` beside Kubernetes' own HPA controller: the same scenarios, every step equal.
//!
//! Recorded scenarios are replayed without Go. With the oracle, which `cargo xtask oracle` builds, fresh seeds are compared;
//! a difference is made small, printed, and written where it can be kept from.

mod compare;
mod generate;
mod metrics;
mod process;
mod random;
mod replay;
mod scenario;
mod shrink;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use harness::tier::Tier;
use harness::{target_dir, workspace};
use serde::{Deserialize, Serialize};

use compare::{Difference, difference, side_by_side};
use scenario::{Scenario, Trace};

/// How many seeds a run compares unless `KEDA_ORACLE_SEEDS` says so.
const SEEDS: u64 = 300;
/// How many are compared at once: so many traces are held.
const AT_ONCE: u64 = 500;

/// A scenario with the trace of the real controller.
#[derive(Serialize, Deserialize)]
struct Fixture {
    scenario: Scenario,
    trace: Trace,
}

/// Replays what was recorded; needs no Go.
pub(crate) fn recorded() -> Tier {
    let mut tier = Tier::new("oracle::recorded");
    let fixtures = match fixtures() {
        Ok(fixtures) => fixtures,
        Err(error) => return tier.case("fixtures_can_be_listed", || async { Err(error) }),
    };
    for path in fixtures {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        tier = tier.case(name, move || async move { check_fixture(&path) });
    }
    tier
}

/// Compares with the real controller.
pub(crate) fn tier() -> Tier {
    Tier::new("oracle")
        .needs(process::binary())
        .case("recorded_traces_are_those_of_the_controller", || async {
            check_recordings()
        })
        .case("every_step_equals_the_controllers", || async { check_seeds() })
}

fn fixtures() -> Result<Vec<PathBuf>> {
    let folder = workspace().join("tests/it/oracle/fixtures");
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    ensure!(!paths.is_empty(), "no fixtures in {}", folder.display());
    Ok(paths)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), number + 1))
        })
        .collect()
}

fn check_fixture(path: &Path) -> Result<()> {
    let fixtures = read::<Fixture>(path)?;
    ensure!(!fixtures.is_empty(), "{} is empty", path.display());
    for Fixture { scenario, trace } in &fixtures {
        ensure!(
            difference(scenario, trace).is_none(),
            side_by_side(scenario, trace)
        );
    }
    Ok(())
}

/// The oracle still says what was recorded; `KEDA_GEN=write` records it anew.
fn check_recordings() -> Result<()> {
    let write = std::env::var("KEDA_GEN").is_ok_and(|mode| mode == "write");
    for path in fixtures()? {
        let recorded = read::<Fixture>(&path)?;
        let scenarios: Vec<Scenario> = recorded.iter().map(|fixture| fixture.scenario.clone()).collect();
        let mut traces = Vec::new();
        process::ask(&scenarios, |_, trace| traces.push(trace))?;
        if write {
            let mut lines = String::new();
            for (scenario, trace) in scenarios.into_iter().zip(traces) {
                lines.push_str(&serde_json::to_string(&Fixture { scenario, trace })?);
                lines.push('\n');
            }
            std::fs::write(&path, lines)?;
            continue;
        }
        for (fixture, trace) in recorded.iter().zip(&traces) {
            let name = &fixture.scenario.name;
            ensure!(
                fixture.trace == *trace,
                "{}: the controller's trace of {name} is another one; `KEDA_GEN=write cargo xtask oracle` records it",
                path.display()
            );
        }
    }
    Ok(())
}

fn number(name: &str) -> Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(
            text.parse()
                .with_context(|| format!("{name}: `{text}` is no number"))?,
        )),
        Err(_) => Ok(None),
    }
}

/// Compares `KEDA_ORACLE_SEEDS` seeds from `KEDA_ORACLE_FROM` on, by default other ones each day, or the scenarios of the
/// file `KEDA_ORACLE_SCENARIOS`.
fn check_seeds() -> Result<()> {
    if let Some(path) = std::env::var_os("KEDA_ORACLE_SCENARIOS") {
        let scenarios = read::<Scenario>(Path::new(&path))?;
        ensure!(!scenarios.is_empty(), "{} is empty", path.display());
        let account = compare(&scenarios, &|scenario| scenario.name.clone())?;
        ensure!(
            account.refused.is_empty(),
            "the oracle refuses {}",
            account.refused.join("; ")
        );
        return Ok(());
    }
    let days = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400;
    let from = number("KEDA_ORACLE_FROM")?.unwrap_or(days * 1_000_000);
    let seeds = number("KEDA_ORACLE_SEEDS")?.unwrap_or(SEEDS);
    let mut steps = 0;
    let mut begin = from;
    while begin < from + seeds {
        let end = (begin + AT_ONCE).min(from + seeds);
        let scenarios: Vec<Scenario> = (begin..end).map(generate::scenario).collect();
        let account = compare(&scenarios, &|scenario| {
            format!(
                "{} (`cargo xtask oracle --seeds 1 --from {}` repeats it)",
                scenario.name,
                &scenario.name[5..]
            )
        })?;
        ensure!(
            account.refused.is_empty(),
            "the oracle refuses {}",
            account.refused.join("; ")
        );
        steps += account.steps;
        begin = end;
    }
    say(&format!(
        "oracle: {seeds} scenarios from seed {from}, {steps} steps, all equal"
    ));
    Ok(())
}

/// What a comparison came to.
struct Account {
    steps: usize,
    refused: Vec<String>,
}

fn compare(scenarios: &[Scenario], name: &dyn Fn(&Scenario) -> String) -> Result<Account> {
    let mut account = Account {
        steps: 0,
        refused: Vec::new(),
    };
    let mut differing = None;
    process::ask(scenarios, |position, trace| {
        let scenario = &scenarios[position];
        match difference(scenario, &trace) {
            None => account.steps += trace.steps.len(),
            Some(Difference::Invalid(error)) => account.refused.push(format!("{}: {error}", scenario.name)),
            Some(_) if differing.is_none() => differing = Some((scenario.clone(), trace)),
            Some(_) => {}
        }
    })?;
    let Some((scenario, trace)) = differing else {
        return Ok(account);
    };
    let which = name(&scenario);
    let (scenario, trace) = shrink::shrink(scenario, trace)?;
    let kept = keep(&scenario, &trace)?;
    bail!(
        "engine and controller differ in {which}. Made small:\n{}\n{}\nTo keep it, move {} to tests/it/oracle/fixtures/",
        serde_json::to_string_pretty(&scenario)?,
        side_by_side(&scenario, &trace),
        kept.display()
    )
}

/// Writes a fixture of the difference.
fn keep(scenario: &Scenario, trace: &Trace) -> Result<PathBuf> {
    let folder = target_dir().join("oracle");
    std::fs::create_dir_all(&folder)?;
    let name: String = scenario
        .name
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect();
    let path = folder.join(format!("{name}.jsonl"));
    let fixture = Fixture {
        scenario: scenario.clone(),
        trace: trace.clone(),
    };
    std::fs::write(&path, format!("{}\n", serde_json::to_string(&fixture)?))?;
    Ok(path)
}

/// A line of the account, whatever the test runner captures.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
