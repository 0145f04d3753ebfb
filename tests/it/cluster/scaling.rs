//! 0→N→0 through the real HPA controller, by each kind of source.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use harness::external_scaler::ExternalScaler;
use harness::keda::{Keda, condition};
use harness::namespace::{Namespace, with_namespace};
use harness::redis::{Access, Redis};
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

use crate::scenario::{DEADLINE, deployment, replicas, scaled_object};

fn folder(keda: &Keda, case: &str) -> PathBuf {
    keda.dir().join(case)
}

pub(crate) async fn redis_list() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let redis = Redis::start(
        &folder(keda, "redis-list"),
        Access {
            password: Some("secret".to_owned()),
            tls: None,
        },
    )
    .await?;
    with_namespace(bed, "redis", async |ns| {
        ns.create_object(&deployment("web", 0)).await?;
        ns.create_object(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis"}, "stringData": {"password": "secret"}})).await?;
        ns.create_object(&json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": "redis"},
            "spec": {"secretTargetRef": [{"parameter": "password", "name": "redis", "key": "password"}]},
        }))
        .await?;
        let metadata = json!({"address": redis.address(), "listName": "jobs", "listLength": "5"});
        let trigger = json!({"type": "redis", "metadata": metadata, "authenticationRef": {"name": "redis"}});
        ns.create_object(&scaled_object(&trigger, &json!({}))).await?;
        condition_is(ns, "Active", "False").await?;
        replicas(ns, 0).await?;
        redis.push("jobs", 18)?;
        replicas(ns, 4).await?;
        redis.pop("jobs", 12)?;
        replicas(ns, 2).await?;
        redis.pop("jobs", 6)?;
        replicas(ns, 0).await?;
        condition_is(ns, "Active", "False").await?;
        Ok(())
    })
    .await
}

pub(crate) async fn metrics_api() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "metrics-api", async |ns| {
        let mut web = deployment("web", 0);
        web["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "WHERE", "value": source.url("queue")}]);
        ns.create_object(&web).await?;
        let metadata = json!({"url": source.url("queue"), "valueLocation": "value", "targetValue": "2.5", "activationTargetValue": "4"});
        ns.create_object(&scaled_object(&json!({"type": "metrics-api", "metadata": metadata}), &json!({}))).await?;
        condition_is(ns, "Ready", "True").await?;
        // At the activation value it must stay at zero; a read after the change proves that it was seen.
        source.set("queue", Answer::Value(4.0));
        let seen = source.reads("queue");
        wait_for("two polls", DEADLINE, || async { look(source.reads("queue") > seen + 1, || "no read".to_owned()) }).await?;
        replicas(ns, 0).await?;
        source.set("queue", Answer::Value(7.5));
        replicas(ns, 3).await?;
        source.set("queue", Answer::Value(0.0));
        replicas(ns, 0).await
    })
    .await
}

fn external_trigger(type_: &str, scaler: &ExternalScaler, queue: &str) -> Value {
    json!({"type": type_, "metadata": {"scalerAddress": scaler.address(), "queue": queue, "target": "10"}})
}

pub(crate) async fn external() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let scaler = ExternalScaler::start(&folder(keda, "external")).await?;
    with_namespace(bed, "external", async |ns| {
        ns.create_object(&deployment("web", 0)).await?;
        ns.create_object(&scaled_object(
            &external_trigger("external", &scaler, "q"),
            &json!({}),
        ))
        .await?;
        condition_is(ns, "Ready", "True").await?;
        scaler.set("q", 35.0, true).await?;
        replicas(ns, 4).await?;
        scaler.fail("q").await?;
        condition_is(ns, "Ready", "False").await?;
        replicas(ns, 4).await?;
        scaler.set("q", 0.0, false).await?;
        replicas(ns, 0).await?;
        condition_is(ns, "Ready", "True").await?;
        Ok(())
    })
    .await
}

pub(crate) async fn external_push() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let scaler = ExternalScaler::start(&folder(keda, "external-push")).await?;
    with_namespace(bed, "external-push", async |ns| {
        ns.create_object(&deployment("web", 0)).await?;
        // No second poll comes within this test: what activates is the push.
        let slow = json!({"pollingInterval": 3600});
        ns.create_object(&scaled_object(
            &external_trigger("external-push", &scaler, "q"),
            &slow,
        ))
        .await?;
        condition_is(ns, "Active", "False").await?;
        scaler.listened("q").await?;
        scaler.set("q", 25.0, true).await?;
        scaler.push("q").await?;
        replicas(ns, 3).await?;
        condition_is(ns, "Active", "True").await?;
        scaler.set("q", 0.0, false).await?;
        let quick = json!({"spec": {"pollingInterval": 1}});
        ns.cluster()
            .merge_patch("ScaledObject", ns.name(), "so", &quick)
            .await?;
        replicas(ns, 0).await
    })
    .await
}

pub(crate) async fn redis_push() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let on = ["--notify-keyspace-events", "Kl"];
    let redis = Redis::start_with(&folder(keda, "redis-push"), Access::default(), &on).await?;
    with_namespace(bed, "redis-push", async |ns| {
        ns.create_object(&deployment("web", 0)).await?;
        // No second poll comes within this test: what activates is the push.
        let slow = json!({"pollingInterval": 3600});
        let metadata =
            json!({"address": redis.address(), "listName": "jobs", "listLength": "5", "push": "true"});
        ns.create_object(&scaled_object(
            &json!({"type": "redis", "metadata": metadata}),
            &slow,
        ))
        .await?;
        condition_is(ns, "Active", "False").await?;
        wait_for("the subscription", DEADLINE, || async {
            let found = redis
                .cli(&["PUBSUB", "NUMSUB", "__keyspace@0__:jobs"])
                .map_err(|e| format!("{e:#}"))?;
            look(found.lines().last() == Some("1"), || found.clone())
        })
        .await?;
        redis.push("jobs", 12)?;
        replicas(ns, 3).await?;
        condition_is(ns, "Active", "True").await?;
        Ok(())
    })
    .await
}

pub(crate) async fn redis_gone_and_back() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let mut redis = Redis::start(&folder(keda, "redis-gone"), Access::default()).await?;
    with_namespace(bed, "redis-gone", async |ns| {
        ns.create_object(&deployment("web", 0)).await?;
        let metadata = json!({"address": redis.address(), "listName": "jobs", "listLength": "5"});
        ns.create_object(&scaled_object(
            &json!({"type": "redis", "metadata": metadata}),
            &json!({}),
        ))
        .await?;
        redis.push("jobs", 15)?;
        replicas(ns, 3).await?;
        redis.kill();
        let failed = condition_is(ns, "Ready", "False").await?;
        ensure!(failed["reason"] == "TriggerError", "{failed}");
        event(ns, "KEDAScalerFailed", &redis.address()).await?;
        // Blind, it must never scale in: several polls and HPA rounds go by.
        let polls = scaler_errors(keda).await?;
        wait_for("three more failed polls", DEADLINE, || async {
            let now = scaler_errors(keda).await.map_err(|e| format!("{e:#}"))?;
            look(now >= polls + 3.0, || format!("{now} after {polls}"))
        })
        .await?;
        replicas(ns, 3).await?;
        redis.restart().await?;
        redis.push("jobs", 5)?;
        replicas(ns, 1).await?;
        condition_is(ns, "Ready", "True").await?;
        redis.pop("jobs", 5)?;
        replicas(ns, 0).await
    })
    .await
}

/// The controller's own count of failed readings.
async fn scaler_errors(keda: &Keda) -> Result<f64> {
    let (_, text) = harness::keda::http_get(keda.ports().controller_metrics, "/metrics").await?;
    let lines = text
        .lines()
        .filter(|l| l.starts_with("keda_scaler_detail_errors_total") || l.starts_with("keda_scaler_errors"));
    Ok(lines
        .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
        .sum())
}

/// Waits for a condition of the ScaledObject `so`, and returns it.
pub(crate) async fn condition_is(ns: &Namespace, kind: &str, status: &str) -> Result<Value> {
    wait_for(format!("{kind}={status}"), DEADLINE, || async {
        let found = ns
            .cluster()
            .need("ScaledObject", ns.name(), "so")
            .await
            .map_err(|e| format!("{e:#}"))?;
        let now = condition(&found, kind).cloned().unwrap_or_default();
        if now["status"] == status {
            Ok(now)
        } else {
            Err(found["status"]["conditions"].to_string())
        }
    })
    .await
}

/// Waits for an Event with a reason whose note names something, and returns its note.
pub(crate) async fn event(ns: &Namespace, reason: &str, words: &str) -> Result<String> {
    wait_for(
        format!("an Event {reason} that names {words}"),
        DEADLINE,
        || async {
            let events = ns
                .cluster()
                .list("Event", ns.name())
                .await
                .map_err(|e| format!("{e:#}"))?;
            let notes: Vec<String> = events
                .iter()
                .filter(|e| e["reason"] == reason)
                .map(|e| e["note"].as_str().unwrap_or_default().to_owned())
                .collect();
            notes
                .iter()
                .find(|n| n.contains(words))
                .cloned()
                .ok_or_else(|| format!("{notes:?}"))
        },
    )
    .await
}
