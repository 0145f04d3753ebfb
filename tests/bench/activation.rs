//! From an event at the source to the first replica that is asked for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use harness::redis::{Access, Redis};
use harness::source::Answer;
use harness::wait::{look, wait_for};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::creation;
use crate::field::{Field, scaled_object, target};
use crate::figures::{median, since, worst};
use crate::report::{Report, Row};
use crate::sources;
use harness::watch::Changes;

/// Objects that wait for an event; their polls fall anywhere in the interval.
const OBJECTS: usize = 40;
/// Polling intervals in seconds, with the median that KEDA has.
const INTERVALS: [(u32, f64); 3] = [(1, 0.44), (5, 2.7), (30, 17.0)];
/// What may come on top of one interval, and what a push may take.
const SLACK: f64 = 0.1;
/// No poll comes while a push is waited for.
const HARDLY_EVER: u32 = 3600;
/// A bound for a machine that hangs.
const DEADLINE: Duration = Duration::from_mins(5);
/// Namespace of these objects.
const NAMESPACE: &str = "activation";

/// Measures each polling interval, and push.
pub(crate) async fn measure(field: &Field, report: &mut Report) -> Result<()> {
    field.namespace(NAMESPACE).await?;
    for (interval, _) in INTERVALS {
        let names = names(&interval.to_string());
        for name in &names {
            field.source.set(name, Answer::Value(0.0));
        }
        let object = |name: &str| scaled_object(name, interval, &field.trigger(name, 0.0));
        create(field, &names, object).await?;
    }
    for (interval, keda) in INTERVALS {
        let mut latencies = polled(field, &names(&interval.to_string())).await?;
        let row = |which: &str, measured: f64| {
            let what = format!("event → first replica, polled every {interval} s, {which} of {OBJECTS}");
            Row::new(what, "s", measured)
        };
        report.add(row("worst", worst(&mut latencies)).at_most(f64::from(interval) + SLACK));
        report.add(row("median", median(&mut latencies)).keda(keda));
    }
    let mut by_hand = by_hand(field).await?;
    let mut latencies = pushed(field, report).await?;
    let row = |which: &str, measured: f64, by_hand: f64| {
        let what = format!("event → first replica, pushed (redis), {which} of {OBJECTS}");
        Row::new(what, "s", measured).beside("one patch by hand", by_hand)
    };
    report.add(row("worst", worst(&mut latencies), worst(&mut by_hand)).at_most(SLACK));
    report.add(row("median", median(&mut latencies), median(&mut by_hand)));
    Ok(())
}

fn names(group: &str) -> Vec<String> {
    (0..OBJECTS).map(|index| format!("act-{group}-{index}")).collect()
}

async fn create(field: &Field, names: &[String], object: impl Fn(&str) -> Value) -> Result<()> {
    let all = names
        .iter()
        .flat_map(|name| [target(name), object(name)])
        .map(|object| (NAMESPACE.to_owned(), object));
    field.each(all).await
}

/// Seconds from one event for all of them to `spec.replicas` above zero, an object each.
async fn polled(field: &Field, names: &[String]) -> Result<Vec<f64>> {
    wait_for("every object to be polled twice", DEADLINE, || async {
        let waiting = names.iter().filter(|name| field.source.reads(name) < 2).count();
        look(waiting == 0, || format!("{waiting} were not"))
    })
    .await?;
    let mut changes = deployments(field).await?;
    let start = Instant::now();
    for name in names {
        field.source.set(name, Answer::Value(5.0));
    }
    let mut latencies: BTreeMap<String, f64> = BTreeMap::new();
    while latencies.len() < names.len() {
        let activated = next_active(&mut changes).await?;
        if names.contains(&activated) {
            latencies.entry(activated).or_insert_with(|| since(start));
        }
    }
    Ok(latencies.into_values().collect())
}

/// The same from elements of Redis lists, one after the other, to objects that listen.
async fn pushed(field: &Field, report: &mut Report) -> Result<Vec<f64>> {
    let on = ["--notify-keyspace-events", "Kl"];
    let redis = Redis::start_with(field.keda.dir(), Access::default(), &on).await?;
    let names = names("push");
    let trigger = |name: &str| json!({"type": "redis", "metadata": {"address": redis.address(), "listName": name, "push": "true"}});
    create(field, &names, |name| {
        scaled_object(name, HARDLY_EVER, &trigger(name))
    })
    .await?;
    // What their creation causes is no part of a push.
    creation::ready(field, names.iter().cloned().collect()).await?;
    wait_for("every object to listen", DEADLINE, || async {
        let found = redis
            .cli(&["PUBSUB", "CHANNELS"])
            .map_err(|error| format!("{error:#}"))?;
        look(found.lines().count() == OBJECTS, || found.clone())
    })
    .await?;
    let what = format!("connections at Redis, {OBJECTS} lists with push");
    let row = Row::new(what, "", sources::connections(&redis)? as f64);
    report.add(row.at_most(2.0));
    let mut producer = TcpStream::connect(("127.0.0.1", redis.port())).await?;
    producer.set_nodelay(true)?;
    let mut changes = deployments(field).await?;
    let mut latencies = Vec::new();
    for name in &names {
        let start = Instant::now();
        producer
            .write_all(format!("RPUSH {name} job\r\n").as_bytes())
            .await?;
        while next_active(&mut changes).await? != *name {}
        latencies.push(since(start));
        // The answer is `:1`; the next command follows when it is read.
        producer.read_exact(&mut [0; 4]).await?;
    }
    Ok(latencies)
}

/// Seconds for a client that just writes the replicas, an object each: what the API server alone takes.
async fn by_hand(field: &Field) -> Result<Vec<f64>> {
    let names = names("hand");
    let targets = names.iter().map(|name| (NAMESPACE.to_owned(), target(name)));
    field.each(targets).await?;
    let mut changes = deployments(field).await?;
    let patch = json!({"spec": {"replicas": 1}});
    let mut latencies = Vec::new();
    for name in &names {
        let start = Instant::now();
        field
            .bed
            .cluster()
            .merge_patch("Deployment", NAMESPACE, name, &patch)
            .await?;
        while next_active(&mut changes).await? != *name {}
        latencies.push(since(start));
    }
    Ok(latencies)
}

/// The Deployments' changes from now on. The list that a watch begins with is read before the event.
async fn deployments(field: &Field) -> Result<Changes<Deployment>> {
    let api: Api<Deployment> = Api::namespaced(field.bed.cluster().client(), NAMESPACE);
    let mut changes = Changes::of(api);
    changes.caught_up().await?;
    Ok(changes)
}

/// The name of the next Deployment that changes and wants replicas.
async fn next_active(changes: &mut Changes<Deployment>) -> Result<String> {
    loop {
        let next = tokio::time::timeout(DEADLINE, changes.next()).await;
        let object = next.context("not every object was activated")??;
        if object.spec.and_then(|spec| spec.replicas).unwrap_or(0) > 0 {
            return Ok(object.metadata.name.unwrap_or_default());
        }
    }
}
