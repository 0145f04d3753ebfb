//! What sources see of many objects: connections at the server, and queries an interval when all put the same question.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::redis::{Access, Redis};
use harness::wait::{look, wait_for};
use serde_json::json;

use crate::creation::ready;
use crate::field::{Field, scaled_object, target};
use crate::figures::watch_for;
use crate::report::{Report, Row};

/// Objects of each sort.
const OBJECTS: usize = 200;
/// Seconds between two polls.
const INTERVAL: u32 = 4;
/// Intervals that are watched.
const INTERVALS: u32 = 5;
/// A bound for a machine that hangs.
const DEADLINE: Duration = Duration::from_mins(5);
/// Namespace of these objects.
const NAMESPACE: &str = "sources";
/// The key of the source that all objects of one sort read.
const SHARED: &str = "shared";

/// Objects with lists of their own on one Redis server, and objects that all ask the same.
pub(crate) async fn measure(field: &Field, report: &mut Report) -> Result<()> {
    field.namespace(NAMESPACE).await?;
    let redis = Redis::start(field.keda.dir(), Access::default()).await?;
    let names = |sort: &str| -> Vec<String> { (0..OBJECTS).map(|index| format!("{sort}-{index}")).collect() };
    let (own, same) = (names("own"), names("same"));
    let own_trigger =
        |name: &str| json!({"type": "redis", "metadata": {"address": redis.address(), "listName": name}});
    let objects = own
        .iter()
        .map(|name| scaled_object(name, INTERVAL, &own_trigger(name)))
        .chain(same.iter().map(|name| {
            let trigger = field.trigger(SHARED, 0.0);
            scaled_object(name, INTERVAL, &trigger)
        }));
    let targets = own.iter().chain(&same).map(|name| target(name));
    field
        .each(
            targets
                .chain(objects)
                .map(|object| (NAMESPACE.to_owned(), object)),
        )
        .await?;
    let all: BTreeSet<String> = own.iter().chain(&same).cloned().collect();
    ready(field, all).await?;
    let (mut most, queries) = watch(field, &redis).await?;
    most = most.max(connections(&redis)?);
    let what = format!("connections at Redis, {OBJECTS} objects with lists of their own");
    report.add(Row::new(what, "", most as f64).at_most(1.0).keda(OBJECTS as f64));
    let what = format!("queries an interval, {OBJECTS} objects with the same trigger");
    report.add(Row::new(what, "", queries).at_most(1.0).keda(OBJECTS as f64));
    Ok(())
}

/// The most connections at the server, and the queries an interval for the shared key.
async fn watch(field: &Field, redis: &Redis) -> Result<(usize, f64)> {
    // From the middle between two polls to the middle between two later ones, there is a whole number of them.
    let before = field.source.reads(SHARED);
    wait_for("the next poll of the shared key", DEADLINE, || async {
        let now = field.source.reads(SHARED);
        look(now > before, || format!("{now} reads"))
    })
    .await?;
    watch_for(Duration::from_secs(u64::from(INTERVAL)) / 2).await;
    let (start, before) = (Instant::now(), field.source.reads(SHARED));
    let mut most = 0;
    while start.elapsed() < Duration::from_secs((INTERVAL * INTERVALS).into()) {
        most = most.max(connections(redis)?);
        watch_for(Duration::from_millis(500)).await;
    }
    let queries = field.source.reads(SHARED) - before;
    Ok((most, queries as f64 / f64::from(INTERVALS)))
}

/// Connections that the server counts, without that of whoever asks.
pub(crate) fn connections(redis: &Redis) -> Result<usize> {
    let clients = redis.cli(&["CLIENT", "LIST"])?;
    Ok(clients
        .lines()
        .filter(|client| !client.contains(" cmd=client"))
        .count())
}
