//! The definitions of the custom resources on a real API server: served, structural, printed as KEDA's, and refusing
//! what KEDA's refuse.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use harness::bed::{self, Bed};
use harness::keda::{self, condition};
use harness::namespace::with_namespace;
use harness::source::{Answer, Source};
use harness::tier::Tier;
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

/// What `kubectl` calls the kinds by, and the headers of its wide table.
const PRINTED: &[(&str, &str)] = &[
    (
        "so",
        "NAME SCALETARGETKIND SCALETARGETNAME MIN MAX READY ACTIVE FALLBACK PAUSED TRIGGERS AUTHENTICATIONS AGE",
    ),
    (
        "sj",
        "NAME MIN MAX READY ACTIVE PAUSED TRIGGERS AUTHENTICATIONS AGE",
    ),
    (
        "ta",
        "NAME PODIDENTITY SECRET ENV VAULTADDRESS SCALEDOBJECTS SCALEDJOBS",
    ),
    (
        "triggerauth",
        "NAME PODIDENTITY SECRET ENV VAULTADDRESS SCALEDOBJECTS SCALEDJOBS",
    ),
];

/// The cases; they need the control plane alone.
pub(crate) fn tier() -> Tier {
    Tier::new("cluster::definitions")
        .needs(bed::binary())
        .case("are_served_and_structural", served)
        .case("print_the_columns_of_keda", columns)
        .case("refuse_what_keda_refuses", refusals)
        .case("the_bed_runs_pods_and_the_hpa_controller", hpa_runs)
        .case("the_source_answers_what_it_is_told", source_answers)
}

async fn served() -> Result<()> {
    let bed = Bed::shared().await?;
    keda::define(bed).await?;
    for definition in crds::definitions() {
        let name = definition.metadata.name.context("a definition has a name")?;
        let found = bed.cluster().need("CustomResourceDefinition", "", &name).await?;
        for (kind, want) in [("Established", "True"), ("NamesAccepted", "True")] {
            let status = condition(&found, kind)
                .map(|c| c["status"].clone())
                .unwrap_or_default();
            ensure!(status == want, "{name}: {kind} is {status}");
        }
        if let Some(found) = condition(&found, "NonStructuralSchema") {
            ensure!(found["status"] == "False", "{name}: {found}");
        }
    }
    Ok(())
}

async fn columns() -> Result<()> {
    let bed = Bed::shared().await?;
    keda::define(bed).await?;
    with_namespace(bed, "columns", async |ns| {
        ns.create_object(&scaled_object(json!({}))).await?;
        ns.create_object(&json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": "any"},
            "spec": {"secretTargetRef": [{"parameter": "a", "name": "b", "key": "c"}]},
        }))
        .await?;
        ns.create_object(&json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "metadata": {"name": "any"},
            "spec": {
                "jobTargetRef": {"template": {"spec": {"containers": [{"name": "c", "image": "registry.local/pause:1"}]}}},
                "triggers": [{"type": "cron", "metadata": {}}],
            },
        }))
        .await?;
        for (short, headers) in PRINTED {
            let output = bed.kubectl(&["get", short, "-o", "wide", "-n", ns.name()])?;
            let text = String::from_utf8_lossy(&output.stdout);
            let first: Vec<&str> = text.lines().next().unwrap_or_default().split_whitespace().collect();
            ensure!(first.join(" ") == *headers, "kubectl get {short}: {text}{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    })
    .await
}

async fn refusals() -> Result<()> {
    let bed = Bed::shared().await?;
    keda::define(bed).await?;
    with_namespace(bed, "refusals", async |ns| {
        let bad: &[(&str, Value)] = &[
            (
                "minReplicaCount must be less than or equal to maxReplicaCount",
                json!({"minReplicaCount": 5, "maxReplicaCount": 3}),
            ),
            ("spec.maxReplicaCount", json!({"maxReplicaCount": 0})),
            (
                "spec.triggers[0].metadata.targetValue",
                json!({"triggers": [{"type": "redis", "metadata": {"targetValue": 5}}]}),
            ),
            ("spec.triggers", json!({"triggers": null})),
            ("spec.scaleTargetRef", json!({"scaleTargetRef": null})),
            ("spec.cooldownPeriod", json!({"cooldownPeriod": "soon"})),
        ];
        for (words, spec) in bad {
            let answer = ns
                .cluster()
                .try_create(ns.name(), &scaled_object(spec.clone()))
                .await?;
            let message = answer.message.unwrap_or_default();
            if answer.status != 422 && answer.status != 400 || !message.contains(words) {
                bail!(
                    "{spec} was answered {}: {message:?}, which should name {words:?}",
                    answer.status
                );
            }
        }
        Ok(())
    })
    .await
}

async fn hpa_runs() -> Result<()> {
    let bed = Bed::shared().await?;
    with_namespace(bed, "selftest", async |ns| {
        ns.create_object(&crate::scenario::deployment("web", 2)).await?;
        ns.create_object(&json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 3, "maxReplicas": 4,
            },
        }))
        .await?;
        // Below the minimum the HPA controller acts without any metric.
        wait_for("three ready pods", Duration::from_mins(1), || async {
            let found = ns
                .cluster()
                .need("Deployment", ns.name(), "web")
                .await
                .map_err(|e| format!("{e:#}"))?;
            look(found["status"]["readyReplicas"] == 3, || {
                found["status"].to_string()
            })
        })
        .await
    })
    .await
}

async fn source_answers() -> Result<()> {
    let source = Source::start().await?;
    let read = async || keda::http_get(source.address().port(), "/v/key").await;
    ensure!(read().await? == (200, "{\"value\":0.0}".to_owned()));
    source.set("key", Answer::Value(7.5));
    ensure!(read().await? == (200, "{\"value\":7.5}".to_owned()));
    source.set("key", Answer::Fails);
    ensure!(read().await?.0 == 500);
    ensure!(source.reads("key") == 3, "three reads are counted");
    Ok(())
}

/// A ScaledObject whose spec is changed by a merge.
fn scaled_object(change: Value) -> Value {
    let mut spec = json!({
        "scaleTargetRef": {"name": "web"},
        "triggers": [{"type": "cron", "metadata": {"timezone": "UTC"}}],
    });
    if let (Some(spec), Value::Object(change)) = (spec.as_object_mut(), change) {
        for (key, value) in change {
            if value.is_null() {
                spec.remove(&key);
            } else {
                spec.insert(key, value);
            }
        }
    }
    json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "any"}, "spec": spec})
}
