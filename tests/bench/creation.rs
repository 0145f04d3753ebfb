//! From the creation of many ScaledObjects to the moment when all have an HPA and are Ready, beside a bare client that makes
//! the same writes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::wait::{look, wait_for};
use http::Request;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;

use crate::field::{CREATORS, Field, NAMESPACE, name};
use crate::figures::since;
use crate::report::{Report, Row, Target};

/// The first batch of at least so many objects is measured.
pub(crate) const LEAST: usize = 500;
/// How the names of these figures begin.
pub(crate) const CREATION: &str = "creation";
/// A bound for a machine that hangs.
const DEADLINE: Duration = Duration::from_mins(15);

/// A kind of write: verb, resource, subresource.
type Write = (String, String, String);

/// Creates a batch and measures it; then lets a bare client do the same writes for as many objects.
pub(crate) async fn measure(field: &Field, batch: Range<usize>, report: &mut Report) -> Result<()> {
    let count = batch.len();
    field.create_targets(batch.clone()).await?;
    let before = writes(field).await?;
    let start = Instant::now();
    let (created, ready) = futures::join!(field.create_objects(batch.clone()), ready(field, batch.clone()));
    created?;
    ready?;
    let took = since(start);
    let made: BTreeMap<Write, u64> = difference(&before, &writes(field).await?);
    let ours: u64 = made.values().sum::<u64>() - count as u64;
    let bare = bare_client(field, count, &made).await?;
    report.add(Row {
        what: format!("{CREATION} of {count} objects → all HPAs there, all Ready, ÷ bare client"),
        unit: "×",
        measured: took / bare,
        baseline: Some(("the bare client's seconds".to_owned(), bare)),
        target: Target::AtMost(1.5),
    });
    report.figure(format!("{CREATION} of {count} objects"), "s", took, Target::None);
    report.figure(
        "writes an object, Events aside",
        "",
        ours as f64 / count as f64,
        Target::AtMost(5.0),
    );
    Ok(())
}

/// Waits until every object of the batch is Ready and has its HPA.
async fn ready(field: &Field, batch: Range<usize>) -> Result<()> {
    let names: BTreeSet<String> = batch.map(name).collect();
    let ready = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ready = conditions
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        ready && object.data["status"]["hpaName"].is_string()
    };
    let objects = seen(field, "keda.sh", "v1alpha1", "ScaledObject", names.clone(), ready);
    let hpas = names.iter().map(|name| format!("keda-hpa-{name}")).collect();
    let hpas = seen(
        field,
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        hpas,
        |_| true,
    );
    let both = futures::future::try_join(objects, hpas);
    tokio::time::timeout(DEADLINE, both)
        .await
        .context("not every object became Ready")??;
    Ok(())
}

/// Watches a kind until every name was seen in the wanted state.
async fn seen(
    field: &Field,
    group: &str,
    version: &str,
    kind: &str,
    mut missing: BTreeSet<String>,
    wanted: impl Fn(&DynamicObject) -> bool,
) -> Result<()> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::namespaced_with(field.bed.cluster().client(), NAMESPACE, &resource);
    let mut objects = pin!(watcher(api, watcher::Config::default()).applied_objects());
    while !missing.is_empty() {
        let object = objects.try_next().await?.context("the watch ended")?;
        if wanted(&object) {
            missing.remove(object.metadata.name.as_deref().unwrap_or_default());
        }
    }
    Ok(())
}

/// Writes that the API server has answered, of the kinds that a ScaledObject causes.
async fn writes(field: &Field) -> Result<BTreeMap<Write, u64>> {
    let request = Request::get("/metrics").body(Vec::new())?;
    let text = field.bed.cluster().client().request_text(request).await?;
    let mut counts = BTreeMap::new();
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("apiserver_request_total{"))
    {
        let Some((labels, number)) = line.rsplit_once("} ") else {
            continue;
        };
        let label = |key: &str| {
            let value = labels.split(',').find_map(|label| label.strip_prefix(key));
            value
                .map(|value| value.trim_matches('"').to_owned())
                .unwrap_or_default()
        };
        let write = (label("verb="), label("resource="), label("subresource="));
        // The HPA controller writes the status of HPAs; everything else is done for the ScaledObject.
        let counted = matches!(
            (write.1.as_str(), write.2.as_str()),
            ("scaledobjects", _) | ("horizontalpodautoscalers", "") | ("deployments", "scale")
        );
        if counted && matches!(write.0.as_str(), "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE") {
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

/// Makes as many writes of each kind, for objects of its own that nobody else looks at; returns the seconds it took.
async fn bare_client(field: &Field, count: usize, made: &BTreeMap<Write, u64>) -> Result<f64> {
    field.keda.stop_controller().await?;
    let of = |resource: &str, subresource: &str, verbs: &[&str]| {
        let total: u64 = made
            .iter()
            .filter(|((verb, r, s), _)| r == resource && s == subresource && verbs.contains(&verb.as_str()))
            .map(|(_, count)| *count)
            .sum();
        (total as f64 / count as f64).round() as usize
    };
    let metadata = of("scaledobjects", "", &["PATCH", "PUT", "APPLY"]);
    let status = of("scaledobjects", "status", &["PATCH", "PUT", "APPLY"]);
    let start = Instant::now();
    let done = stream::iter(0..count)
        .map(|index| one(field, index, metadata, status))
        .buffer_unordered(CREATORS)
        .collect::<Vec<_>>()
        .await;
    let took = since(start);
    done.into_iter().collect::<Result<Vec<()>>>()?;
    clean(field, count).await?;
    field.keda.restart_controller().await?;
    Ok(took)
}

/// Creates an object and its HPA, and patches it as often as the controller does.
async fn one(field: &Field, index: usize, metadata: usize, status: usize) -> Result<()> {
    let cluster = field.bed.cluster();
    let name = bare_name(index);
    cluster.create(NAMESPACE, &field.object(&name, 30)).await?;
    for round in 0..metadata {
        let patch = json!({"metadata": {"annotations": {"bench": round.to_string()}}});
        cluster
            .merge_patch("ScaledObject", NAMESPACE, &name, &patch)
            .await?;
    }
    let hpa = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": format!("keda-hpa-{name}"), "labels": {"scaledobject.keda.sh/name": name}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": 100,
            "metrics": [{"type": "External", "external": {
                "metric": {"name": "s0-metric-api-value"},
                "target": {"type": "AverageValue", "averageValue": "10"},
            }}],
        },
    });
    cluster.create(NAMESPACE, &hpa).await?;
    let address = format!("/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/scaledobjects/{name}/status");
    for round in 0..status {
        let patch = json!({"status": {
            "hpaName": format!("keda-hpa-{name}"),
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

/// Removes what the bare client made.
async fn clean(field: &Field, count: usize) -> Result<()> {
    let cluster = field.bed.cluster();
    let removed = stream::iter(0..count).map(|index| async move {
        let name = bare_name(index);
        cluster.delete("ScaledObject", NAMESPACE, &name).await?;
        cluster
            .delete("HorizontalPodAutoscaler", NAMESPACE, &format!("keda-hpa-{name}"))
            .await
    });
    let removed: Vec<Result<_>> = removed.buffer_unordered(CREATORS).collect().await;
    removed.into_iter().collect::<Result<Vec<_>>>()?;
    wait_for("the bare client's objects to go", DEADLINE, || async {
        let left = cluster
            .get("ScaledObject", NAMESPACE, &bare_name(count - 1))
            .await;
        look(matches!(left, Ok(None)), || "one is left".to_owned())
    })
    .await
}
