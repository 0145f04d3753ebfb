//! From the creation of many ScaledObjects to the moment when all have an HPA and are Ready, beside a bare client that makes
//! the same writes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream};
use harness::wait::{look, wait_for};
use http::Request;
use kube::api::{DynamicObject, GroupVersionKind};
use serde_json::json;

use crate::field::{CREATORS, Field, name, target};
use crate::figures::{resident, since};
use crate::report::{Report, Row};
use crate::watching::seen;

/// How the names of these figures begin.
pub(crate) const CREATION: &str = "creation";
/// KEDA's seconds for 1,000 objects, its client limits raised.
const KEDA: (usize, f64) = (1000, 51.0);
/// KEDA's writes for an object.
const KEDA_WRITES: f64 = 15.0;
/// A bound for a machine that hangs.
const DEADLINE: Duration = Duration::from_mins(15);
/// Namespace of what the bare client makes.
const BARE: &str = "bare";

/// A kind of write: verb, resource, subresource.
type Write = (String, String, String);

/// Creates a batch and measures it; then lets a bare client do the same writes for as many objects.
pub(crate) async fn measure(field: &Field, batch: Range<usize>, report: &mut Report) -> Result<()> {
    let count = batch.len();
    let names: BTreeSet<String> = batch.clone().map(name).collect();
    field.create_targets(batch.clone()).await?;
    settled(field, names.clone()).await?;
    let before = writes(field).await?;
    let start = Instant::now();
    let (created, ready) = futures::join!(field.create_objects(batch), ready(field, names));
    created?;
    ready?;
    let took = since(start);
    let made: BTreeMap<Write, u64> = difference(&before, &writes(field).await?);
    let held = resident(field.keda.pids().0)?;
    let copied = Copied::of(&made, count);
    let bare = bare_client(field, count, copied).await?;
    let ratio = Row::new(
        format!("{CREATION} of {count} objects → all HPAs there, all Ready, ÷ bare client"),
        "×",
        took / bare,
    );
    report.add(ratio.at_most(1.5));
    let seconds = Row::new(format!("{CREATION} of {count} objects"), "s", took).beside("bare client", bare);
    report.add(if count == KEDA.0 {
        seconds.keda(KEDA.1)
    } else {
        seconds
    });
    // The first write of an object is the user's.
    let ours = made.values().sum::<u64>() as f64 / count as f64 - 1.0;
    let row = Row::new("writes an object, Events aside", "", ours);
    report.add(
        row.at_most(5.0)
            .keda(KEDA_WRITES)
            .beside("bare client", copied.total() as f64),
    );
    let what = format!("controller memory, {count} objects more, just created");
    report.add(Row::new(what, "MiB", held));
    Ok(())
}

/// Waits until the Deployment controller has looked at each target: its work is not what is measured.
async fn settled(field: &Field, names: BTreeSet<String>) -> Result<()> {
    let looked_at = |object: &DynamicObject| object.data["status"]["observedGeneration"].is_number();
    let all = seen(
        field,
        GroupVersionKind::gvk("apps", "v1", "Deployment"),
        names,
        looked_at,
    );
    tokio::time::timeout(DEADLINE, all)
        .await
        .context("the Deployment controller did not look at every target")?
}

/// Waits until every object is Ready and has its HPA.
pub(crate) async fn ready(field: &Field, names: BTreeSet<String>) -> Result<()> {
    let is_ready = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"].as_array();
        let ready = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        ready && object.data["status"]["hpaName"].is_string()
    };
    let hpas = names.iter().map(|name| format!("keda-hpa-{name}")).collect();
    let objects = seen(
        field,
        GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject"),
        names,
        is_ready,
    );
    let hpas = seen(
        field,
        GroupVersionKind::gvk("autoscaling", "v2", "HorizontalPodAutoscaler"),
        hpas,
        |_| true,
    );
    let both = futures::future::try_join(objects, hpas);
    tokio::time::timeout(DEADLINE, both)
        .await
        .context("not every object became Ready")??;
    Ok(())
}

/// Writes that the API server has answered, of the kinds that a ScaledObject causes.
async fn writes(field: &Field) -> Result<BTreeMap<Write, u64>> {
    let request = Request::get("/metrics").body(Vec::new())?;
    let text = field.bed.cluster().client().request_text(request).await?;
    counted(&text)
}

/// The writes in the API server's metrics.
fn counted(metrics: &str) -> Result<BTreeMap<Write, u64>> {
    let mut counts = BTreeMap::new();
    for line in metrics
        .lines()
        .filter_map(|line| line.strip_prefix("apiserver_request_total{"))
    {
        let Some((labels, number)) = line.rsplit_once("} ") else {
            continue;
        };
        let label = |key: &str| {
            let value = labels.split(',').find_map(|label| label.strip_prefix(key));
            value.map_or("", |value| value.trim_matches('"')).to_owned()
        };
        let write = (label("verb="), label("resource="), label("subresource="));
        // The HPA controller writes the status of HPAs; everything else is done for the ScaledObject.
        let caused = matches!(
            (write.1.as_str(), write.2.as_str()),
            ("scaledobjects", _) | ("horizontalpodautoscalers", "") | ("deployments", "scale")
        );
        if caused && matches!(write.0.as_str(), "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE") {
            *counts.entry(write).or_default() += number.parse::<f64>()? as u64;
        }
    }
    Ok(counts)
}

fn difference(before: &BTreeMap<Write, u64>, after: &BTreeMap<Write, u64>) -> BTreeMap<Write, u64> {
    after
        .iter()
        .map(|(write, count)| (write.clone(), count - before.get(write).unwrap_or(&0)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// How often the bare client writes what, for one object, after it has created the object and its HPA.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Copied {
    object: usize,
    status: usize,
    hpa: usize,
}

impl Copied {
    /// As often as was written for each of `count` objects, to the nearest whole: two states that follow each other closely
    /// become one write now and then.
    fn of(made: &BTreeMap<Write, u64>, count: usize) -> Self {
        let of = |resource: &str, subresource: &str| {
            let changes = made.iter().filter(|((verb, r, s), _)| {
                matches!(verb.as_str(), "PUT" | "PATCH" | "APPLY") && r == resource && s == subresource
            });
            let total: u64 = changes.map(|(_, count)| *count).sum();
            (total as f64 / count as f64).round() as usize
        };
        Self {
            object: of("scaledobjects", ""),
            status: of("scaledobjects", "status"),
            hpa: of("horizontalpodautoscalers", ""),
        }
    }

    /// Writes beside the user's own.
    fn total(self) -> usize {
        self.object + self.status + self.hpa + 1
    }
}

/// Makes as many writes of each kind, for objects of its own that nobody else looks at; returns the seconds it took.
async fn bare_client(field: &Field, count: usize, copied: Copied) -> Result<f64> {
    field.keda.stop_controller().await?;
    field.namespace(BARE).await?;
    let targets = (0..count).map(|index| (BARE.to_owned(), target(&bare_name(index))));
    field.each(targets).await?;
    settled(field, (0..count).map(bare_name).collect()).await?;
    let start = Instant::now();
    let done = stream::iter(0..count)
        .map(|index| one(field, index, copied))
        .buffer_unordered(CREATORS)
        .collect::<Vec<_>>()
        .await;
    let took = since(start);
    done.into_iter().collect::<Result<Vec<()>>>()?;
    clean(field).await?;
    field.keda.restart_controller().await?;
    Ok(took)
}

/// Creates an object and its HPA, and changes them as often as the controller does.
async fn one(field: &Field, index: usize, copied: Copied) -> Result<()> {
    let cluster = field.bed.cluster();
    let name = bare_name(index);
    let hpa_name = format!("keda-hpa-{name}");
    cluster.create(BARE, &field.resting(&name)).await?;
    let changed = |round: usize| json!({"metadata": {"annotations": {"bench": round.to_string()}}});
    for round in 0..copied.object {
        cluster
            .merge_patch("ScaledObject", BARE, &name, &changed(round))
            .await?;
    }
    let hpa = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": hpa_name, "labels": {"scaledobject.keda.sh/name": name}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": 100,
            "metrics": [{"type": "External", "external": {
                "metric": {
                    "name": "s0-metric-api-value",
                    "selector": {"matchLabels": {"scaledobject.keda.sh/name": name}},
                },
                "target": {"type": "AverageValue", "averageValue": "10"},
            }}],
        },
    });
    cluster.create(BARE, &hpa).await?;
    for round in 0..copied.hpa {
        cluster
            .merge_patch("HorizontalPodAutoscaler", BARE, &hpa_name, &changed(round))
            .await?;
    }
    let address = format!("{}/{name}/status", collection("scaledobjects"));
    for round in 0..copied.status {
        let patch = json!({"status": {
            "hpaName": hpa_name,
            "externalMetricNames": ["s0-metric-api-value"],
            "conditions": [{"type": "Ready", "status": "True", "reason": round.to_string(), "message": ""}],
        }});
        let request = Request::patch(&address)
            .header("content-type", "application/merge-patch+json")
            .body(serde_json::to_vec(&patch)?)?;
        cluster.client().request_text(request).await?;
    }
    Ok(())
}

fn bare_name(index: usize) -> String {
    format!("bare-{index}")
}

fn collection(resource: &str) -> String {
    let group = match resource {
        "scaledobjects" => "keda.sh/v1alpha1",
        _ => "autoscaling/v2",
    };
    format!("/apis/{group}/namespaces/{BARE}/{resource}")
}

/// Removes what the controller would take for its own.
async fn clean(field: &Field) -> Result<()> {
    let cluster = field.bed.cluster();
    for resource in ["scaledobjects", "horizontalpodautoscalers"] {
        let request = Request::delete(collection(resource)).body(Vec::new())?;
        cluster.client().request_text(request).await?;
    }
    wait_for("the bare client's objects to go", DEADLINE, || async {
        let left = cluster
            .list("ScaledObject", BARE)
            .await
            .map_err(|error| format!("{error:#}"))?;
        look(left.is_empty(), || format!("{} are left", left.len()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_writes_that_a_scaled_object_causes() {
        let line = |verb: &str, resource: &str, subresource: &str, count: u64| {
            format!(
                "apiserver_request_total{{code=\"200\",component=\"apiserver\",dry_run=\"\",group=\"g\",resource=\"{resource}\",\
                 scope=\"resource\",subresource=\"{subresource}\",verb=\"{verb}\",version=\"v1\"}} {count}\n"
            )
        };
        let text = [
            line("POST", "scaledobjects", "", 10),
            line("PATCH", "scaledobjects", "", 11),
            line("PATCH", "scaledobjects", "status", 19),
            line("POST", "horizontalpodautoscalers", "", 10),
            line("PUT", "horizontalpodautoscalers", "status", 99),
            line("GET", "scaledobjects", "", 99),
            line("POST", "events", "", 99),
            "apiserver_request_total{} x\n".to_owned(),
        ]
        .concat();
        let made = counted(&text).unwrap();
        assert_eq!(made.values().sum::<u64>(), 50);
        let copied = Copied::of(&made, 10);
        assert_eq!(
            copied,
            Copied {
                object: 1,
                status: 2,
                hpa: 0
            }
        );
        assert_eq!(copied.total(), 4);
    }
}
