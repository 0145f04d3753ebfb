//! Tiers: groups of cases that need the same parts of the machine, and the account of what ran.
//!
//! A part that is absent is never silent: its cases are reported as skipped with the reason, and with `CI=true` the run
//! fails. The account ends the output, one line a tier, and goes as JSON to the file that `KEDA_TEST_SUMMARY` names.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::json;

use crate::{bed, in_ci, process, runtime};

/// Cases wait much and compute little, so more run at once than there are processors.
const THREADS: usize = 16;

type Run = Box<dyn FnOnce() -> Result<()> + Send>;

/// A group of cases with the same needs.
pub struct Tier {
    name: &'static str,
    missing: Vec<String>,
    cases: Vec<(String, Run)>,
    notes: Vec<String>,
}

/// How many cases of a tier did what.
#[derive(Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

type Counts = Arc<Mutex<BTreeMap<&'static str, Count>>>;

impl Tier {
    /// An empty tier.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            missing: Vec::new(),
            cases: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Requires a part of the machine, such as a server or a binary.
    #[must_use]
    pub fn needs<T>(mut self, part: Result<T>) -> Self {
        if let Err(reason) = part {
            self.missing.push(format!("{reason:#}"));
        }
        self
    }

    /// Adds a case; its name says the behaviour.
    #[must_use]
    pub fn case<F, Fut>(mut self, name: impl Into<String>, run: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>>,
    {
        self.cases
            .push((name.into(), Box::new(move || runtime().block_on(run()))));
        self
    }

    /// Adds a line that is printed with the account, such as what is not covered yet.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    fn trials(self, counts: &Counts) -> Vec<Trial> {
        let missing = !self.missing.is_empty();
        let (tier, counts) = (self.name, Arc::clone(counts));
        let trial = move |(name, run): (String, Run)| {
            let counts = Arc::clone(&counts);
            Trial::ignorable_test(format!("{tier}::{name}"), move || {
                attempt(tier, missing, run, &counts)
            })
        };
        self.cases.into_iter().map(trial).collect()
    }
}

fn attempt(tier: &'static str, missing: bool, run: Run, counts: &Counts) -> Result<Completion, Failed> {
    let record = |change: fn(&mut Count)| {
        change(
            counts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(tier)
                .or_default(),
        );
    };
    if missing {
        record(|c| c.skipped += 1);
        return Ok(Completion::ignored_with("a part is missing: see the end"));
    }
    // A panic is a failed case like any other, and must be counted as one.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Ok(())) => {
            record(|c| c.passed += 1);
            Ok(Completion::Completed)
        }
        Ok(Err(error)) => {
            record(|c| c.failed += 1);
            Err(Failed::from(format!("{error:#}")))
        }
        Err(panic) => {
            record(|c| c.failed += 1);
            std::panic::resume_unwind(panic)
        }
    }
}

/// Whether a tier is wanted: `KEDA_TIERS` names the wanted ones between commas, each with the tiers below it; without the
/// variable all are.
fn wanted(tier: &str) -> bool {
    let Ok(wanted) = std::env::var("KEDA_TIERS") else {
        return true;
    };
    let within = |name: &str| {
        tier.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    wanted.split(',').filter(|name| !name.is_empty()).any(within)
}

/// Runs the tiers as `cargo test` asks, ends every process the run has started, and prints the account.
pub fn run(tiers: Vec<Tier>) -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(THREADS);
    let counts = Counts::default();
    let mut absent = Vec::new();
    let mut notes = Vec::new();
    let mut trials = Vec::new();
    for mut tier in tiers.into_iter().filter(|tier| wanted(tier.name)) {
        absent.extend(tier.missing.iter().map(|reason| (tier.name, reason.clone())));
        notes.append(&mut tier.notes);
        trials.extend(tier.trials(&counts));
    }
    let conclusion = libtest_mimic::run(&args, trials);
    process::end_all();
    bed::end_all();
    if args.list {
        return conclusion.exit_code();
    }
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    report(&counts, &absent, &notes);
    let skipped = counts.values().any(|c| c.skipped > 0);
    if in_ci() && skipped {
        ExitCode::FAILURE
    } else {
        conclusion.exit_code()
    }
}

fn report(counts: &BTreeMap<&'static str, Count>, absent: &[(&str, String)], notes: &[String]) {
    let mut out = std::io::stdout().lock();
    let mut lines: Vec<String> = notes.to_vec();
    lines.extend(counts.iter().map(|(tier, c)| {
        format!(
            "tier {tier}: {} passed, {} failed, {} skipped",
            c.passed, c.failed, c.skipped
        )
    }));
    if counts.values().any(|c| c.skipped > 0) {
        let skipped = |tier: &str| counts.get(tier).is_some_and(|c| c.skipped > 0);
        let absent = absent.iter().filter(|(tier, _)| skipped(tier));
        lines.extend(absent.map(|(tier, reason)| format!("skipped {tier}: {reason}")));
        if in_ci() {
            lines.push("error: with CI=true nothing may be skipped".to_owned());
        }
    }
    for line in lines {
        // A closed output cannot be told that it is closed.
        let _ = writeln!(out, "{line}");
    }
    if let Some(path) = std::env::var_os("KEDA_TEST_SUMMARY") {
        let tier = |(name, c): (&&str, &Count)| json!({"tier": name, "passed": c.passed, "failed": c.failed, "skipped": c.skipped});
        let summary = json!({"tiers": counts.iter().map(tier).collect::<Vec<_>>(), "absent": absent});
        if let Err(error) = std::fs::write(&path, format!("{summary:#}\n")) {
            let _ = writeln!(out, "cannot write the summary to {}: {error}", path.display());
        }
    }
}
