//! What goes wrong must be named, with what to do next.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::keda::Keda;
use harness::namespace::with_namespace;
use harness::process::Launch;
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

use super::scaling::{condition_is, event};
use crate::scenario::{DEADLINE, deployment, scaled_object};

pub(crate) async fn wrong_manifest() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let cases: &[(&str, Value, &[&str])] = &[
        (
            "missing",
            json!({"type": "redis", "metadata": {"address": "localhost:6379"}}),
            &["listName"],
        ),
        (
            "number",
            json!({"type": "redis", "metadata": {"address": "localhost:6379", "listName": "a", "listLength": "many"}}),
            &["listLength", "many"],
        ),
        (
            "type",
            json!({"type": "reddis", "metadata": {}}),
            &["no scaler found for type: reddis"],
        ),
    ];
    for (name, trigger, words) in cases {
        with_namespace(bed, &format!("wrong-{name}"), async |ns| {
            ns.create_object(&deployment("web", 1)).await?;
            ns.create_object(&scaled_object(trigger, &json!({}))).await?;
            let ready = condition_is(ns, "Ready", "False").await?;
            for word in *words {
                ensure!(
                    ready["message"].as_str().unwrap_or_default().contains(word),
                    "{word} is not in {ready}"
                );
                event(ns, "KEDAScalerFailed", word).await?;
            }
            let hpas = ns.cluster().list("HorizontalPodAutoscaler", ns.name()).await?;
            ensure!(hpas.is_empty(), "an HPA was made of a wrong trigger: {hpas:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

pub(crate) async fn later_version() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let trigger = json!({"type": "cron", "name": "one", "metadata": {"timezone": "UTC", "start": "0 0 * * *", "end": "59 23 * * *", "desiredReplicas": "2"}});
    let parts: &[(&str, &str, Value)] = &[
        (
            "fallback",
            "fallback",
            json!({"fallback": {"failureThreshold": 2, "replicas": 4}}),
        ),
        (
            "modifiers",
            "scalingModifiers",
            json!({"advanced": {"scalingModifiers": {"formula": "one + 1", "target": "2"}}}),
        ),
    ];
    for (name, part, spec) in parts {
        with_namespace(bed, &format!("later-{name}"), async |ns| {
            ns.create_object(&deployment("web", 1)).await?;
            ns.create_object(&scaled_object(&trigger, spec)).await?;
            wait_for(format!("a Ready message that names {part}"), DEADLINE, || async {
                let found = ns
                    .cluster()
                    .need("ScaledObject", ns.name(), "so")
                    .await
                    .map_err(|e| format!("{e:#}"))?;
                let ready = harness::keda::condition(&found, "Ready")
                    .cloned()
                    .unwrap_or_default();
                look(
                    ready["message"].as_str().unwrap_or_default().contains(part),
                    || ready.to_string(),
                )
            })
            .await?;
            wait_for(format!("an Event that names {part}"), DEADLINE, || async {
                let events = ns
                    .cluster()
                    .list("Event", ns.name())
                    .await
                    .map_err(|e| format!("{e:#}"))?;
                let notes: Vec<_> = events.iter().filter_map(|e| e["note"].as_str()).collect();
                look(notes.iter().any(|n| n.contains(part)), || format!("{notes:?}"))
            })
            .await
        })
        .await?;
    }
    Ok(())
}

pub(crate) async fn later_kinds() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let job = json!({
        "jobTargetRef": { "template": { "spec": { "containers": [{ "name": "main", "image": "main" }] } } },
        "triggers": [{ "type": "cron", "metadata": {} }],
    });
    let events = json!({ "destination": { "http": { "uri": "http://127.0.0.1:1/" } } });
    let kinds = [
        ("keda.sh/v1alpha1", "ScaledJob", "Ready", &job),
        ("eventing.keda.sh/v1alpha1", "CloudEventSource", "Active", &events),
        (
            "eventing.keda.sh/v1alpha1",
            "ClusterCloudEventSource",
            "Active",
            &events,
        ),
    ];
    with_namespace(bed, "later-kinds", async |ns| {
        // The namespace's name is unique: so is that of an object that lives in none.
        let name = ns.name();
        for (version, kind, condition, spec) in kinds {
            let object =
                json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name }, "spec": spec });
            ns.cluster().create(name, &object).await?;
            wait_for(format!("an answer to a {kind}"), DEADLINE, || async {
                let found = ns.cluster().need(kind, name, name).await;
                let found = found.map_err(|e| format!("{e:#}"))?;
                let said = harness::keda::condition(&found, condition)
                    .cloned()
                    .unwrap_or_default();
                let named = said["message"]
                    .as_str()
                    .unwrap_or_default()
                    .contains("not in this version yet");
                look(named && said["status"] == "False", || said.to_string())
            })
            .await?;
            ns.cluster().delete(kind, name, name).await?;
        }
        Ok(())
    })
    .await
}

/// A controller's launch under another name and on other ports.
fn elsewhere(keda: &Keda, name: &str) -> Launch {
    let mut launch = keda.controller_launch();
    name.clone_into(&mut launch.name);
    let ports = keda.ports();
    for port in [
        ports.metrics_service,
        ports.controller_metrics,
        ports.probes,
        ports.controller_debug,
    ] {
        let other = harness::free_port().to_string();
        launch.args = launch
            .args
            .iter()
            .map(|a| a.replace(&port.to_string(), &other))
            .collect();
    }
    let certs: PathBuf = keda.dir().join(format!("{name}-certs"));
    launch
        .args
        .retain(|a| !a.starts_with("--cert-dir") && !a.starts_with("--leader-elect"));
    launch.args.push(format!("--cert-dir={}", certs.display()));
    launch
}

/// The process must say these words, and either end with a failure or go on trying.
async fn says(launch: Launch, words: &[&str]) -> Result<()> {
    let process = launch.start()?;
    let all = words.join(", ");
    wait_for(
        format!("{} to say {all}", process.launch().name),
        DEADLINE,
        || async {
            let log = process.log_tail(40);
            look(words.iter().all(|w| log.contains(w)), || log.clone())
        },
    )
    .await?;
    if let Some(status) = process.status() {
        ensure!(
            !status.success(),
            "it ended as if nothing were wrong: {}",
            process.log_tail(40)
        );
    }
    Ok(())
}

pub(crate) async fn unreachable_api_server() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let port = harness::free_port();
    let server = &bed.state().server;
    let dead = format!("https://127.0.0.1:{port}");
    let kubeconfig = keda.dir().join("unreachable.kubeconfig");
    std::fs::write(
        &kubeconfig,
        std::fs::read_to_string(bed.kubeconfig())?.replace(server, &dead),
    )?;
    let path = kubeconfig.display().to_string();
    says(
        elsewhere(keda, "unreachable").env("KUBECONFIG", &path),
        &[&format!("127.0.0.1:{port}")],
    )
    .await?;
    let missing = keda.dir().join("no-such.kubeconfig").display().to_string();
    says(
        elsewhere(keda, "nokubeconfig").env("KUBECONFIG", &missing),
        &[&missing],
    )
    .await
}

pub(crate) async fn port_in_use() -> Result<()> {
    let (_, keda) = Keda::shared().await?;
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = taken.local_addr()?.to_string();
    for flag in [
        "metrics-bind-address",
        "health-probe-bind-address",
        "metrics-service-bind-address",
        "debug-bind-address",
    ] {
        let mut launch = elsewhere(keda, &format!("taken-{flag}"));
        launch.args.retain(|a| !a.starts_with(&format!("--{flag}")));
        launch.args.push(format!("--{flag}={address}"));
        let process = launch.start()?;
        let status = process.exited(Duration::from_mins(1)).await?;
        let log = process.log_tail(40);
        ensure!(
            !status.success() && log.contains(&address) && log.contains(flag),
            "--{flag}: {status} {log}"
        );
    }
    Ok(())
}

pub(crate) async fn missing_permission() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let kubeconfig = keda.dir().join("nobody.kubeconfig");
    bed.kubeconfig_for(&["--user", "nobody"], &kubeconfig)?;
    let launch = elsewhere(keda, "nobody").env("KUBECONFIG", kubeconfig.display().to_string());
    says(launch, &["keda", "permit"]).await
}
