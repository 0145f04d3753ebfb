//! From an event at the source to the first replica that is asked for.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use harness::source::Answer;
use harness::wait::{look, wait_for};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher};

use crate::field::{Field, NAMESPACE, target};
use crate::figures::{percentile, since};
use crate::report::{Report, Row, Target};

/// Objects that wait for an event at the same time; their polls fall anywhere in the interval.
const OBJECTS: usize = 40;
/// Polling intervals in seconds, with the median that KEDA has (design, cost targets).
const INTERVALS: [(u32, f64); 3] = [(1, 0.44), (5, 2.7), (30, 17.0)];
/// What may come on top of one interval.
const SLACK: f64 = 0.1;
/// A bound for a machine that hangs.
const DEADLINE: Duration = Duration::from_mins(5);

/// Measures each polling interval.
pub(crate) async fn measure(field: &Field, report: &mut Report) -> Result<()> {
    for (interval, keda) in INTERVALS {
        let mut latencies = polled(field, interval).await?;
        report.add(Row {
            what: format!("event → first replica, polled every {interval} s, worst of {OBJECTS}"),
            unit: "s",
            measured: percentile(&mut latencies, 1.0),
            baseline: Some(("median".to_owned(), percentile(&mut latencies, 0.5))),
            target: Target::AtMost(f64::from(interval) + SLACK),
        });
        report.figure(
            format!("event → first replica, polled every {interval} s, median"),
            "s",
            percentile(&mut latencies, 0.5),
            Target::AtMost(keda),
        );
    }
    Ok(())
}

/// Seconds from the event to `spec.replicas` above zero, an object each.
async fn polled(field: &Field, interval: u32) -> Result<Vec<f64>> {
    let names: Vec<String> = (0..OBJECTS)
        .map(|index| format!("act-{interval}-{index}"))
        .collect();
    let cluster = field.bed.cluster();
    for name in &names {
        field.source.set(name, Answer::Value(0.0));
        cluster.create(NAMESPACE, &target(name)).await?;
        cluster.create(NAMESPACE, &field.object(name, interval)).await?;
    }
    wait_for("every object to be polled twice", DEADLINE, || async {
        let waiting = names.iter().filter(|name| field.source.reads(name) < 2).count();
        look(waiting == 0, || format!("{waiting} were not"))
    })
    .await?;
    let api: Api<Deployment> = Api::namespaced(cluster.client(), NAMESPACE);
    let mut changes = pin!(watcher(api, watcher::Config::default()).applied_objects());
    // The list that a watch begins with is read before the event.
    let mut known = 0;
    while known < OBJECTS {
        let object = changes.try_next().await?.context("the watch ended")?;
        known += usize::from(object.metadata.name.is_some_and(|name| names.contains(&name)));
    }
    let start = Instant::now();
    for name in &names {
        field.source.set(name, Answer::Value(5.0));
    }
    let mut latencies: BTreeMap<String, f64> = BTreeMap::new();
    while latencies.len() < OBJECTS {
        let next = tokio::time::timeout(DEADLINE, changes.try_next()).await;
        let object = next
            .context("not every object was activated")??
            .context("the watch ended")?;
        let name = object.metadata.name.unwrap_or_default();
        let replicas = object.spec.and_then(|spec| spec.replicas).unwrap_or(0);
        if replicas > 0 && names.contains(&name) {
            latencies.entry(name).or_insert_with(|| since(start));
        }
    }
    for name in &names {
        cluster.delete("ScaledObject", NAMESPACE, name).await?;
        cluster.delete("Deployment", NAMESPACE, name).await?;
    }
    Ok(latencies.into_values().collect())
}
