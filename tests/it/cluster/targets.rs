//! Scale targets that others change, and what is asked of a source that many objects share.

use anyhow::{Context as _, Result, ensure};
use harness::keda::Keda;
use harness::namespace::{Namespace, with_namespace};
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use serde_json::json;

use super::dry_run::told;
use super::scaling::condition_is;
use super::shared::ready;
use crate::scenario::{DEADLINE, deployment, replicas, scaled_object};

/// Scales the Deployment by hand.
async fn by_hand(ns: &Namespace, replicas: u32) -> Result<()> {
    let patch = json!({"spec": {"replicas": replicas}});
    ns.cluster()
        .merge_patch("Deployment", ns.name(), "web", &patch)
        .await?;
    Ok(())
}

pub(crate) async fn changed_by_others() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "by-hand", async |ns| {
        ns.create_object(&deployment("web", 0)).await?;
        let metadata = json!({"url": source.url(ns.name()), "valueLocation": "value", "targetValue": "10"});
        let trigger = json!({"type": "metrics-api", "metadata": metadata});
        ns.create_object(&scaled_object(&trigger, &json!({}))).await?;
        condition_is(ns, "Active", "False").await?;
        // Nothing is active: what somebody adds goes again.
        by_hand(ns, 3).await?;
        replicas(ns, 0).await?;
        // Active: what somebody takes away comes back.
        source.set(ns.name(), Answer::Value(15.0));
        replicas(ns, 2).await?;
        by_hand(ns, 0).await?;
        replicas(ns, 2).await?;
        // Made anew under the same name.
        ns.cluster().delete("Deployment", ns.name(), "web").await?;
        condition_is(ns, "Ready", "False").await?;
        ns.create_object(&deployment("web", 0)).await?;
        replicas(ns, 2).await?;
        condition_is(ns, "Ready", "True").await?;
        Ok(())
    })
    .await
}

/// Objects that all ask the same.
const ALIKE: usize = 30;

pub(crate) async fn asked_once() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "alike", async |ns| {
        let metadata = json!({"url": source.url(ns.name()), "valueLocation": "value", "targetValue": "10"});
        let trigger = json!({"type": "metrics-api", "metadata": metadata});
        for index in 0..ALIKE {
            let name = format!("web-{index}");
            ns.create_object(&deployment(&name, 0)).await?;
            let mut object = scaled_object(&trigger, &json!({"pollingInterval": 4}));
            object["metadata"]["name"] = json!(name);
            object["spec"]["scaleTargetRef"]["name"] = json!(name);
            ns.create_object(&object).await?;
        }
        ready(ns, ALIKE).await?;
        let figures = || async {
            let told = told(bed, keda, ns)?;
            let figure = |name: &str| told["items"][0][name].as_u64().context(told.to_string());
            anyhow::Ok((figure("requests")?, figure("shared")?))
        };
        // Two looks cut one moment in two at most, and the HPA reads nothing of what rests at zero.
        let before = figures().await?;
        let moments = 4;
        let (asked, shared) = wait_for("some moments to pass", DEADLINE, || async {
            let (asked, shared) = figures().await.map_err(|e| format!("{e:#}"))?;
            let since = (asked - before.0, shared - before.1);
            look(since.0 + since.1 >= (moments * ALIKE) as u64, || {
                format!("{since:?}")
            })?;
            Ok(since)
        })
        .await?;
        let polls = asked + shared;
        ensure!(
            asked <= polls / ALIKE as u64 + 1,
            "{polls} polls of {ALIKE} objects that ask the same made {asked} questions"
        );
        Ok(())
    })
    .await
}
