//! Real time beside virtual time: twenty objects run on the real cluster, and `simulate` runs them on what their sources said.
//!
//! ```text
//! schedule ─▶ Source ─▶ controller, HPA controller ─▶ spec.replicas, watched ──┐
//!     └─────▶ CSV ─▶ kubectl keda simulate ─▶ steps ─────────────────────────▶ Trace::distance
//! ```
//! A cluster's polls and syncs fall at moments that nobody chooses. So `simulate` begins at several moments within one
//! interval before the object came, and one of them must explain the whole run.

mod replay;
mod scenario;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::keda::{Keda, condition};
use harness::namespace::{Namespace, with_namespace};
use harness::source::Source;
use harness::trace::Millis;
use harness::wait::{look, wait_for};
use harness::watch::Changes;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::Value;

use crate::scenario::DEADLINE;
use replay::{Lag, Run, Verdict};
use scenario::{Scenario, Variant};

pub(crate) use replay::recorded;

/// From the moment that everything is ready until the sources begin; they say the same before it.
const LEAD: SignedDuration = SignedDuration::from_secs(3);
/// What the longest schedule takes, with what follows its last step.
const LASTS: SignedDuration = SignedDuration::from_secs(75);
/// From the beginning of the minute in which `cron` wants replicas until they are gone.
const CRON_LASTS: SignedDuration = SignedDuration::from_secs(75);

/// Runs all scenarios at once, and compares.
pub(crate) async fn twenty() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "simulated", async |ns| {
        let runs = observe(ns, &source).await?;
        replay::keep(&runs)?;
        judge(&runs)
    })
    .await
}

/// Compares each run with its simulation, prints the account, and fails with all that differ.
fn judge(runs: &[Run]) -> Result<()> {
    let verdicts = runs
        .iter()
        .map(|run| run.compare().with_context(|| run.name.clone()))
        .collect::<Result<Vec<Verdict>>>()?;
    replay::tell(&verdicts);
    ensure!(verdicts.len() == 20, "{} scenarios were compared", verdicts.len());
    let wrong: Vec<String> = verdicts.iter().filter_map(Verdict::complaint).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The replicas of each target as they were seen to change.
type Seen = BTreeMap<String, Vec<(Millis, i64)>>;

/// Creates the objects, plays the schedules, and watches.
async fn observe(ns: &Namespace, source: &Source) -> Result<Vec<Run>> {
    let cron = next_minute();
    let scenarios = scenario::all(cron);
    let mut watch = Changes::of(Api::namespaced(ns.cluster().client(), ns.name()));
    watch.caught_up().await?;
    let mut seen = Seen::new();
    let (begin, created) = tokio::select! {
        begun = begin(ns, source, &scenarios) => begun?,
        ended = follow(&mut watch, &mut seen) => return Err(ended),
    };
    let end = (begin + LASTS).max(cron + CRON_LASTS);
    // The schedules have an end: until then, what the watch tells is noted.
    let left = Duration::try_from(end - Timestamp::now()).unwrap_or_default();
    if let Ok(ended) = tokio::time::timeout(left, follow(&mut watch, &mut seen)).await {
        return Err(ended);
    }
    let lag = Lag::of(&source.moments("tolerance-0"), &source.moments("cached-0"))?;
    let runs = scenarios.iter().zip(created).map(|(scenario, created)| Run {
        name: scenario.name.to_owned(),
        right: scenario.manifests(source, Variant::Right),
        wrong: scenario.manifests(source, Variant::Wrong),
        rows: scenario.rows(begin),
        changes: seen.remove(scenario.name).unwrap_or_default(),
        created,
        end: end.as_millisecond(),
        phases: scenario.phases,
        lag,
    });
    Ok(runs.collect())
}

/// Creates the objects, waits until each is watched over, and starts the sources' clocks: when they start, and when each object
/// was created.
async fn begin(ns: &Namespace, source: &Source, scenarios: &[Scenario]) -> Result<(Timestamp, Vec<Millis>)> {
    let mut created = Vec::new();
    for scenario in scenarios {
        scenario.play(source, Timestamp::now() + SignedDuration::from_hours(24));
        for manifest in scenario.manifests(source, Variant::Right) {
            ns.create_object(&manifest).await?;
        }
        created.push(Timestamp::now().as_millisecond());
    }
    wait_for("every object to be ready or paused", DEADLINE, || async {
        let found = ns.cluster().list("ScaledObject", ns.name()).await;
        let found = found.map_err(|error| format!("{error:#}"))?;
        let settled = |object: &&Value| {
            ["Ready", "Paused"]
                .iter()
                .any(|name| condition(object, name).is_some_and(|found| found["status"] == "True"))
        };
        let waiting: Vec<&Value> = found.iter().filter(|object| !settled(object)).collect();
        look(waiting.is_empty(), || format!("{waiting:?}"))
    })
    .await?;
    let begin = Timestamp::now() + LEAD;
    for scenario in scenarios {
        scenario.play(source, begin);
    }
    Ok((begin, created))
}

/// Notes every change until the watch fails.
async fn follow(watch: &mut Changes<Deployment>, seen: &mut Seen) -> anyhow::Error {
    loop {
        match watch.next().await {
            Err(error) => return error,
            Ok(object) => {
                let now = Timestamp::now().as_millisecond();
                let replicas = object.spec.and_then(|spec| spec.replicas).unwrap_or(1);
                let name = object.metadata.name.unwrap_or_default();
                let changes = seen.entry(name).or_default();
                if changes
                    .last()
                    .is_none_or(|(_, before)| *before != i64::from(replicas))
                {
                    changes.push((now, i64::from(replicas)));
                }
            }
        }
    }
}

/// A whole minute, late enough for everything to be ready.
fn next_minute() -> Timestamp {
    let soon = (Timestamp::now() + SignedDuration::from_secs(30)).as_second();
    Timestamp::from_second((soon.div_euclid(60) + 1) * 60).expect("it is near")
}
