//! `-o jsonpath`: the same template over the same data must print what kubectl prints.

use anyhow::{Result, ensure};
use harness::keda::Keda;
use harness::namespace::with_namespace;
use harness::source::Source;
use serde_json::json;

use super::debug_api::cli;
use super::scaling::condition_is;
use crate::scenario::{deployment, scaled_object};

/// Templates over the list of ScaledObjects in a namespace.
const TEMPLATES: &[&str] = &[
    "{.items[*].metadata.name}",
    "{.items[0].metadata.name}",
    "{.items[-1].spec.scaleTargetRef.name}",
    "{range .items[*]}{.metadata.name}{\"\\t\"}{.spec.pollingInterval}{\"\\n\"}{end}",
    "{range .items[*]}{.metadata.name}: {range .spec.triggers[*]}{.type} {.metadata.targetValue}{end}{end}",
    "{.items[*].spec..targetValue}",
    "{.items[?(@.metadata.name==\"so\")].spec.scaleTargetRef.name}",
    "{.items[?(@.spec.pollingInterval>100)].metadata.name}",
    "{.items[*]['metadata.name','spec.maxReplicaCount']}",
    "{.items[0:1].metadata.name}",
    "{.items[0].spec.triggers}",
    "{.items[0].spec.triggers[0].metadata}",
    "{.items[0].status.conditions[?(@.type=='Ready')].status}",
    "{.items[*].metadata.labels.scaledobject\\.keda\\.sh/name}",
    "{.items[*].metadata.labels['scaledobject\\.keda\\.sh/name']}",
    "count: {.items[*].metadata.name} end",
    "{'text'}{.items[0].kind}",
    "{.items[0].spec.maxReplicaCount}",
    "{.nothing}",
    "{.items[7].metadata.name}",
    "{$.items[0].metadata.name}",
    "{@.kind}",
    "{.items[*].spec.triggers[*].useCachedMetrics}",
];

pub(crate) async fn as_kubectl() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "jsonpath", async |ns| {
        ns.create_object(&deployment("web", 1)).await?;
        for key in ["a", "b"] {
            let metadata = json!({"url": source.url(key), "valueLocation": "value", "targetValue": "10"});
            let mut object = scaled_object(
                &json!({"type": "metrics-api", "metadata": metadata}),
                &json!({"pollingInterval": 3600}),
            );
            if key == "b" {
                object["metadata"]["name"] = json!("other");
                object["spec"]["scaleTargetRef"]["name"] = json!("missing");
            }
            ns.create_object(&object).await?;
        }
        condition_is(ns, "Active", "False").await?;
        let mut printed = 0;
        for template in TEMPLATES {
            let form = format!("jsonpath={template}");
            let ours = cli(bed.kubeconfig(), &["status", "-n", ns.name(), "-o", &form])?;
            let theirs = bed.kubectl(&["get", "scaledobjects", "-n", ns.name(), "-o", &form])?;
            let (stdout, stderr) = (
                String::from_utf8_lossy(&theirs.stdout),
                String::from_utf8_lossy(&theirs.stderr),
            );
            ensure!(
                (ours.code == 0) == theirs.status.success(),
                "{template}: ours {} {} / kubectl {stdout} {stderr}",
                ours.stdout,
                ours.stderr
            );
            ensure!(
                ours.stdout == stdout,
                "{template}:\nours    {:?}\nkubectl {stdout:?}",
                ours.stdout
            );
            printed += usize::from(!stdout.is_empty());
        }
        ensure!(
            printed * 2 > TEMPLATES.len(),
            "only {printed} templates printed anything"
        );
        Ok(())
    })
    .await
}
