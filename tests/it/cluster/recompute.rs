//! Decisions of the real HPA controller, recomputed from what it was served.

use anyhow::{Context as _, Result, ensure};
use harness::bed::Bed;
use harness::keda::{self, Keda};
use harness::namespace::{Namespace, with_namespace};
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

use super::debug_api::cli;
use crate::scenario::{DEADLINE, deployment, replicas, scaled_object};

/// A workload at zero that wants a tenth of what the source says, a replica each; `change` overwrites fields of its spec.
async fn workload(ns: &Namespace, source: &Source, change: &Value) -> Result<()> {
    ns.create_object(&deployment("web", 0)).await?;
    let metadata = json!({"url": source.url(ns.name()), "valueLocation": "value", "targetValue": "10"});
    let trigger = json!({"type": "metrics-api", "metadata": metadata});
    ns.create_object(&scaled_object(&trigger, change)).await?;
    Ok(())
}

/// The output of `explain` in a form.
fn explain(bed: &Bed, keda: &Keda, ns: &Namespace, form: &[&str]) -> Result<String> {
    let address = format!("127.0.0.1:{}", keda.ports().controller_debug);
    let object = ["explain", "so/so", "-n", ns.name(), "--debug-address", &address];
    let ran = cli(bed.kubeconfig(), &[&object[..], form].concat())?;
    ensure!(
        ran.code == 0 && ran.stderr.is_empty(),
        "exit {}: {}{}",
        ran.code,
        ran.stdout,
        ran.stderr
    );
    Ok(ran.stdout)
}

/// Replicas before and after, and the verdict.
type Decision = (i64, i64, String);

/// The last decision of the HPA, and what the ledger has of it.
fn decisions(bed: &Bed, keda: &Keda, ns: &Namespace) -> Result<(Value, Vec<Decision>)> {
    let told: Value = serde_json::from_str(&explain(bed, keda, ns, &["-o", "json"])?)?;
    let ledger = told["report"]["ledger"].as_array().context("a ledger")?;
    let decided = ledger
        .iter()
        .map(|record| &record["what"])
        .filter(|what| what["kind"] == "hpa");
    let decided = decided.map(|what| {
        let number = |name: &str| what[name].as_i64().unwrap_or(-1);
        let verdict = what["verdict"]["is"].as_str().unwrap_or_default();
        (number("current"), number("desired"), verdict.to_owned())
    });
    Ok((told["report"]["hpa"]["recomputed"].clone(), decided.collect()))
}

/// The differences that the controller has counted for the object.
async fn differences(keda: &Keda, ns: &Namespace) -> Result<Option<String>> {
    let (_, text) = keda::http_get(keda.ports().controller_metrics, "/metrics").await?;
    let name = format!("keda_hpa_differences_total{{namespace=\"{}\"", ns.name());
    Ok(text
        .lines()
        .find(|line| line.starts_with(&name))
        .map(str::to_owned))
}

pub(crate) async fn explain_agrees() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "recompute", async |ns| {
        source.set(ns.name(), Answer::Value(25.0));
        workload(ns, &source, &json!({})).await?;
        replicas(ns, 3).await?;
        source.set(ns.name(), Answer::Value(45.0));
        replicas(ns, 5).await?;
        source.set(ns.name(), Answer::Value(12.0));
        replicas(ns, 2).await?;
        let agrees = |before, after| (before, after, "agrees".to_owned());
        let wanted = [agrees(1, 3), agrees(3, 5), agrees(5, 2)];
        wait_for("three decisions in the ledger", DEADLINE, || async {
            let (_, found) = decisions(bed, keda, ns).map_err(|e| format!("{e:#}"))?;
            look(found == wanted, || format!("{found:?}"))
        })
        .await?;
        let text = explain(bed, keda, ns, &[])?;
        let line = "scaled by the HPA: 1 -> 3, as recomputed (s0-metric-api-value: ceil(25 / 10) = 3)";
        ensure!(text.contains(line), "{text}");
        ensure!(!text.contains("Warning"), "{text}");
        // From now on no two reads are alike, so that each sync is one to follow.
        source.set(ns.name(), Answer::Reads);
        replicas(ns, 5).await?;
        let seen = source.reads(ns.name());
        wait_for("many syncs", DEADLINE, || async {
            look(source.reads(ns.name()) > seen + 50, || {
                source.reads(ns.name()).to_string()
            })
        })
        .await?;
        let (last, found) = decisions(bed, keda, ns)?;
        ensure!(last["verdict"]["is"] == "agrees", "{last}");
        ensure!(
            found.iter().all(|(_, _, verdict)| verdict == "agrees"),
            "{found:?}"
        );
        let counted = differences(keda, ns).await?;
        ensure!(counted.is_none(), "{counted:?}");
        Ok(())
    })
    .await
}

pub(crate) async fn another_writer() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "recompute-writer", async |ns| {
        source.set(ns.name(), Answer::Value(35.0));
        workload(ns, &source, &json!({})).await?;
        replicas(ns, 4).await?;
        // The HPA has seen what it set.
        wait_for("a steady HPA", DEADLINE, || async {
            let (last, _) = decisions(bed, keda, ns).map_err(|e| format!("{e:#}"))?;
            look(last["current"] == 4, || last.to_string())
        })
        .await?;
        let patch = json!({"spec": {"replicas": 2}});
        ns.cluster()
            .merge_patch("Deployment", ns.name(), "web", &patch)
            .await?;
        wait_for("a warning", DEADLINE, || async {
            let text = explain(bed, keda, ns, &[]).map_err(|e| format!("{e:#}"))?;
            let told = text.contains("set by somebody else: 4 -> 2; then scaled by the HPA: 2 -> ");
            look(
                told && text.contains("Possible cause: something else writes"),
                || text.clone(),
            )
        })
        .await?;
        let counted = differences(keda, ns).await?;
        ensure!(counted.is_some_and(|line| line.ends_with(" 1")));
        Ok(())
    })
    .await
}

pub(crate) async fn other_flags() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "recompute-flags", async |ns| {
        // Without a window of its own the HPA has that of its controller: a few seconds here, and not the five minutes that
        // ours takes for granted.
        source.set(ns.name(), Answer::Value(35.0));
        workload(ns, &source, &json!({"advanced": null})).await?;
        replicas(ns, 4).await?;
        source.set(ns.name(), Answer::Value(15.0));
        replicas(ns, 2).await?;
        wait_for("a warning", DEADLINE, || async {
            let text = explain(bed, keda, ns, &[]).map_err(|e| format!("{e:#}"))?;
            let told = text.contains("scaled by the HPA: 4 -> 2, but recomputed it is 4");
            look(told && text.contains("--hpa-downscale-stabilization"), || {
                text.clone()
            })
        })
        .await?;
        let log = std::fs::read_to_string(keda.controller_log())?;
        let told = log
            .lines()
            .filter(|line| line.contains("otherwise than recomputed") && line.contains(ns.name()));
        ensure!(told.count() == 1, "the log does not tell it once");
        ensure!(differences(keda, ns).await?.is_some());
        Ok(())
    })
    .await
}
