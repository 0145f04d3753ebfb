//! What was observed beside what `simulate` says of it, now or, from a file, at any time later.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use harness::keda::cli_bin;
use harness::tier::Tier;
use harness::trace::{Millis, Trace};
use harness::workspace;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scenario::CACHED_SECONDS;

/// The HPA controller's period, and the interval of most polls.
const PERIOD: Millis = 1000;
/// Between two beginnings that are tried.
const GRID: Millis = 250;
/// From a write until the watch tells it, and from a question until the write: API server, adapter and controller compute
/// beside other tests on the same two cores.
const LATENCY: Millis = 250;
/// The longest chain of decisions of which each counts from the one before, in syncs.
const CHAIN: usize = 20;

/// How much later than their interval syncs and polls came.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Lag {
    /// The most that it added up to in a chain of syncs.
    syncs: Millis,
    /// The most of a poll.
    polls: Millis,
}

impl Lag {
    /// From the moments at which a source was read that only syncs read, and one that only polls read.
    pub(super) fn of(syncs: &[Timestamp], polls: &[Timestamp]) -> Result<Self> {
        ensure!(syncs.len() > CHAIN, "the HPA looked only {} times", syncs.len());
        ensure!(polls.len() > 2, "there were only {} polls", polls.len());
        let late = |moments: &[Timestamp], interval: Millis| -> Vec<Millis> {
            let gaps = moments
                .windows(2)
                .map(|two| two[1].as_millisecond() - two[0].as_millisecond());
            gaps.map(|gap| (gap - interval).max(0)).collect()
        };
        let sums = late(syncs, PERIOD);
        Ok(Self {
            syncs: sums
                .windows(CHAIN)
                .map(|chain| chain.iter().sum())
                .max()
                .unwrap_or_default(),
            polls: late(polls, CACHED_SECONDS * 1000)
                .into_iter()
                .max()
                .unwrap_or_default(),
        })
    }

    /// By how much the two may differ.
    fn allowed(self) -> Millis {
        PERIOD + LATENCY + self.syncs + self.polls
    }
}

/// One scenario as it was observed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) name: String,
    /// The target and the object.
    pub(super) right: [Value; 2],
    /// The same with a mistake.
    pub(super) wrong: [Value; 2],
    /// What the sources said.
    pub(super) rows: Vec<(Millis, Vec<Option<f64>>)>,
    /// The target's replicas as they changed.
    pub(super) changes: Vec<(Millis, i64)>,
    /// When the object came.
    pub(super) created: Millis,
    /// Until when it was watched.
    pub(super) end: Millis,
    /// Within how long polls or syncs may fall anywhere.
    pub(super) phases: Millis,
    pub(super) lag: Lag,
}

/// The largest delay at which a wrong object must be told from the right one. On a machine that lags more behind, both may
/// explain what is seen; the recorded runs, which are replayed each time, lag less.
const KEPT_UP: Millis = 4_000;

/// What came of a comparison.
pub(super) struct Verdict {
    name: String,
    observed: Vec<i64>,
    /// The distance from the simulation; `None` where they have other numbers.
    distance: Option<Millis>,
    /// The distance from the simulation of the wrong object.
    wrong: Option<Millis>,
    allowed: Millis,
    /// What the simulation has.
    simulated: Vec<i64>,
}

impl Verdict {
    /// What is not as it should be.
    pub(super) fn complaint(&self) -> Option<String> {
        let Self {
            name,
            observed,
            simulated,
            allowed,
            ..
        } = self;
        match self.distance {
            None => Some(format!(
                "{name}: {observed:?} was observed, {simulated:?} simulated"
            )),
            Some(distance) if distance > *allowed => Some(format!(
                "{name}: {observed:?} was observed up to {distance} ms apart from what is simulated, {allowed} ms are allowed"
            )),
            Some(_) if *allowed <= KEPT_UP && self.wrong.is_some_and(|wrong| wrong <= *allowed) => {
                Some(format!("{name}: the wrong object passes for the right one"))
            }
            Some(_) => None,
        }
    }
}

impl Run {
    /// Simulates, at each beginning that may explain the run, and takes the nearest.
    pub(super) fn compare(&self) -> Result<Verdict> {
        let folder = tempfile::tempdir()?;
        let observed = Trace::between(&self.changes, self.created, self.end);
        let nearest = |manifests: &[Value; 2]| -> Result<(Option<Millis>, Vec<i64>)> {
            let mut best: (Option<Millis>, Vec<i64>) = (None, Vec::new());
            for earlier in (0..self.phases).step_by(GRID as usize) {
                let simulated = self.simulate(folder.path(), manifests, self.created - earlier)?;
                let distance = observed.distance(&simulated, self.lag.allowed());
                if best.1.is_empty() || distance.is_some_and(|near| best.0.is_none_or(|best| near < best)) {
                    best = (distance, simulated.values());
                }
            }
            Ok(best)
        };
        let (distance, simulated) = nearest(&self.right)?;
        Ok(Verdict {
            name: self.name.clone(),
            observed: observed.values(),
            distance,
            wrong: nearest(&self.wrong)?.0,
            allowed: self.lag.allowed(),
            simulated,
        })
    }

    /// What `kubectl keda simulate` says, as a user asks it.
    fn simulate(&self, folder: &Path, manifests: &[Value; 2], start: Millis) -> Result<Trace> {
        let (object, series) = (folder.join("object.yaml"), folder.join("series.csv"));
        let documents = manifests.iter().map(Value::to_string);
        std::fs::write(&object, documents.collect::<Vec<_>>().join("\n---\n"))?;
        std::fs::write(&series, self.series(start))?;
        let output = Command::new(cli_bin()?)
            .args(["simulate", "--hpa-sync-period", "1s", "-o", "json", "-f"])
            .arg(&object)
            .arg("--series")
            .arg(&series)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!("simulate: {}", String::from_utf8_lossy(&output.stderr));
        }
        let told: Value = serde_json::from_slice(&output.stdout)?;
        let steps = told["steps"].as_array().context("it tells steps")?;
        let changes = steps.iter().map(|step| {
            let at = step["t"].as_f64().context("a step has a time")?;
            let replicas = step["replicas"].as_i64().context("a step has replicas")?;
            Ok(((at * 1000.0).round() as Millis, replicas))
        });
        Ok(Trace::between(
            &changes.collect::<Result<Vec<_>>>()?,
            self.created,
            self.end,
        ))
    }

    /// The series as a file: from the start to the end.
    fn series(&self, start: Millis) -> String {
        let columns = self.rows.first().map_or(0, |(_, values)| values.len());
        let mut text = (0..columns).fold("t".to_owned(), |text, column| format!("{text},{column}"));
        let first = self.rows.iter().take(1).map(|(_, values)| (start, values));
        let last = self.rows.last().map(|(_, values)| (self.end, values));
        let rows = self.rows.iter().map(|(at, values)| (*at, values));
        for (at, values) in first.chain(rows).chain(last) {
            // Writing to a String cannot fail, here and below.
            let _ = write!(text, "\n{}.{:03}", at / 1000, at % 1000);
            for value in values {
                let _ = match value {
                    Some(value) => write!(text, ",{value}"),
                    None => write!(text, ","),
                };
            }
        }
        text.push('\n');
        text
    }
}

/// Prints the account, whatever the test runner captures.
pub(super) fn tell(verdicts: &[Verdict]) {
    let distance = |found: Option<Millis>| found.map_or("-".to_owned(), |millis| format!("{millis} ms"));
    let mut text = format!(
        "{:<26} {:>9} {:>9} {:>9}  replicas\n",
        "scenario", "apart", "allowed", "if wrong"
    );
    for verdict in verdicts {
        let replicas: Vec<String> = verdict.observed.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "{:<26} {:>9} {:>9} {:>9}  {}",
            verdict.name,
            distance(verdict.distance),
            distance(Some(verdict.allowed)),
            distance(verdict.wrong),
            replicas.join(" ")
        );
    }
    let _ = write!(std::io::stdout().lock(), "{text}");
}

fn file() -> PathBuf {
    workspace().join("tests/fixtures/simulated/runs.jsonl")
}

/// With `KEDA_GEN=write`, keeps what was observed for [`recorded`].
pub(super) fn keep(runs: &[Run]) -> Result<()> {
    if std::env::var("KEDA_GEN").is_ok_and(|mode| mode == "write") {
        let lines = runs.iter().map(|run| Ok(serde_json::to_string(run)? + "\n"));
        std::fs::create_dir_all(file().parent().context("it has a folder")?)?;
        std::fs::write(file(), lines.collect::<Result<String>>()?)?;
    }
    Ok(())
}

/// Runs that were observed once, beside what `simulate` says today; needs no cluster.
pub(crate) fn recorded() -> Tier {
    Tier::new("cluster::recorded")
        .needs(cli_bin())
        .case("twenty_observed_runs_are_as_simulated", || async {
            let text = std::fs::read_to_string(file()).with_context(|| file().display().to_string())?;
            let runs = text.lines().map(|line| Ok(serde_json::from_str(line)?));
            let runs = runs.collect::<Result<Vec<Run>>>()?;
            let kept_up = runs.iter().all(|run| run.lag.allowed() <= KEPT_UP);
            ensure!(
                kept_up,
                "recorded on a machine that lags: record it anew on an idle one"
            );
            super::judge(&runs)
        })
}
