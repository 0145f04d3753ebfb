//! `kubectl keda record` on a cluster: with no more than the right to read, and by the controller.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use harness::bed::Bed;
use harness::keda::{self, Keda, NAMESPACE};
use harness::namespace::{Namespace, with_namespace};
use harness::process::{Launch, Process, signal};
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Api;
use kube::api::PostParams;
use rpc::AUDIENCE;
use serde_json::{Value, json};

use super::debug_api::{Ran, cli, grant};
use super::dry_run::{by_the_controller, report, run};
use super::faults::{Breakable, breakable, workload};
use super::scaling::condition_is;
use crate::scenario::{DEADLINE, deployment, scaled_object};

/// The rows of a series without their times.
fn rows(text: &str) -> Vec<&str> {
    let rows = text.lines().skip(1);
    rows.map(|row| row.split_once(',').map_or(row, |(_, cells)| cells))
        .collect()
}

/// The text of a series that was recorded well.
fn recorded(ran: &Ran, file: &Path) -> Result<String> {
    ensure!(ran.code == 0, "exit {} {}", ran.code, ran.stderr);
    Ok(std::fs::read_to_string(file)?)
}

/// Records an object and the cpu that its HPA measured, and simulates on it. The HPA's target is not there, so what is
/// written into its status stays.
pub(super) async fn with_the_right_to_read(
    bed: &Bed,
    ns: &Namespace,
    source: &Source,
    kubeconfig: &Path,
) -> Result<()> {
    source.set("queue", Answer::Value(25.0));
    busy(ns).await?;
    let file = bed.dir().join("busy.csv");
    let path = file.display().to_string();
    let record = |more: &[&str]| {
        let fixed = [
            "record",
            "so/busy",
            "-n",
            ns.name(),
            "--every",
            "1s",
            "--for",
            "1s",
        ];
        cli(kubeconfig, &[&fixed[..], &["--series", &path], more].concat())
    };

    // Without an HPA its column is left out.
    let ran = record(&[])?;
    let text = recorded(&ran, &file)?;
    ensure!(text.starts_with("t,queue\n") && rows(&text) == ["25"], "{text}");
    ensure!(ran.stderr.contains("note: `cpu` is left out: "), "{}", ran.stderr);

    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "not-there"});
    ns.create_object(&json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "keda-hpa-busy"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 5},
    }))
    .await?;
    let current = json!({"averageUtilization": 63, "averageValue": "63m"});
    measure(
        bed,
        ns,
        &json!([{"type": "Resource", "resource": {"name": "cpu", "current": current}}]),
    )?;
    let text = recorded(&record(&["--force"])?, &file)?;
    ensure!(
        text.starts_with("t,queue,cpu\n") && rows(&text) == ["25,63"],
        "{text}"
    );
    let manifest = bed.dir().join("busy.json");
    let object = bed.kubectl(&["get", "so", "busy", "-n", ns.name(), "-o", "json"])?;
    std::fs::write(&manifest, object.stdout)?;
    let manifest = manifest.display().to_string();
    let arguments = ["simulate", "-f", &manifest, "--series", &path, "--for", "1m"];
    let form = ["-o", "json", "--every-step"];
    let told = report(&cli(kubeconfig, &[&arguments[..], &form].concat())?)?;
    let steps = told["steps"].as_array().context("there are steps")?;
    let read = |step: &Value| step["metrics"]["cpu"].as_f64() == Some(63.0);
    ensure!(steps.iter().any(read), "{told:#}");

    // What the HPA did not measure is a source that fails.
    measure(bed, ns, &json!([]))?;
    let ran = record(&["--append"])?;
    let text = recorded(&ran, &file)?;
    ensure!(rows(&text) == ["25,63", "25,"], "{text}");
    let why = "`cpu` fails: the HPA keda-hpa-busy measured nothing";
    ensure!(ran.stderr.contains(why), "{}", ran.stderr);
    ensure!(!(text + &ran.stderr).contains("sesame"), "a credential is told");
    Ok(())
}

/// An object with the trigger of `so` and cpu.
async fn busy(ns: &Namespace) -> Result<()> {
    let so = ns.cluster().need("ScaledObject", ns.name(), "so").await?;
    let mut trigger = so["spec"]["triggers"][0].clone();
    trigger["name"] = json!("queue");
    let cpu = json!({"type": "cpu", "metricType": "Utilization", "metadata": {"value": "50"}});
    let target = json!({"name": "not-there"});
    let mut object = scaled_object(
        &trigger,
        &json!({"scaleTargetRef": target, "triggers": [trigger, cpu]}),
    );
    object["metadata"]["name"] = json!("busy");
    ns.create_object(&object).await?;
    Ok(())
}

/// Writes what an HPA measured into its status.
fn measure(bed: &Bed, ns: &Namespace, metrics: &Value) -> Result<()> {
    let patch = json!({"status": {"currentMetrics": metrics}}).to_string();
    let args = [
        "patch",
        "hpa",
        "keda-hpa-busy",
        "-n",
        ns.name(),
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ];
    let output = bed.kubectl(&args)?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

pub(crate) async fn in_the_cluster() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "record", async |ns| {
        source.set(ns.name(), Answer::Value(25.0));
        ns.create_object(&deployment("web", 1)).await?;
        let metadata = json!({"url": source.url(ns.name()), "valueLocation": "value", "targetValue": "10"});
        let trigger = json!({"type": "metrics-api", "name": "queue", "metadata": metadata});
        let pods = json!({"type": "kubernetes-workload", "name": "pods", "metadata": {"podSelector": "app=web", "value": "1"}});
        let object = scaled_object(&trigger, &json!({"minReplicaCount": 1, "maxReplicaCount": 1, "triggers": [trigger, pods]}));
        ns.create_object(&object).await?;
        condition_is(ns, "Ready", "True").await?;
        crate::scenario::replicas(ns, 1).await?;
        let user = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "recorder"});
        let kubeconfig = keda.dir().join("recorder.kubeconfig");
        bed.kubeconfig_for(&["--user", "recorder"], &kubeconfig)?;
        grant(bed, ns.name(), &user).await?;
        let before = resource_version(ns).await?;

        let file = keda.dir().join("record.jsonl");
        let path = file.display().to_string();
        let mut args = vec!["record".to_owned()];
        let more = ["so/so", "--every", "1s", "--for", "2s", "--series", &path];
        args.extend(by_the_controller(keda, ns, &more));
        let text = recorded(&run(&kubeconfig, &args)?, &file)?;
        // Pods can be counted from inside only.
        let rows: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(!rows.is_empty(), "nothing was recorded");
        for row in &rows {
            ensure!(row["queue"] == 25 && row["pods"] == 1, "{text}");
        }
        ensure!(resource_version(ns).await? == before, "the object was written to");

        // A source that fails is an empty cell, and here that is all there is.
        source.set(ns.name(), Answer::Fails);
        args.extend(["--append", "--changes"].map(str::to_owned));
        let ran = run(&kubeconfig, &args)?;
        let text = recorded(&ran, &file)?;
        let last: Value = serde_json::from_str(text.lines().last().context("there are rows")?)?;
        ensure!(last["queue"].is_null() && last["pods"] == 1, "{text}");
        ensure!(ran.stderr.matches("`queue` fails: ").count() == 1 && ran.stderr.contains("500"), "{}", ran.stderr);
        Ok(())
    })
    .await
}

/// A token that counts no more, and a controller that was away, end no recording: it goes on over a new connection.
pub(crate) async fn outlives_its_token() -> Result<()> {
    let cluster = breakable().await?.lock().await;
    let Breakable { bed, keda, source } = &*cluster;
    with_namespace(bed, "record-on", async |ns| {
        workload(ns, source).await?;
        source.set(ns.name(), Answer::Value(25.0));
        let file = keda.dir().join("record-on.csv");
        let path = file.display().to_string();
        let more = ["so/so", "--every", "1s", "--series", &path];
        let recorder = Launch::new("recorder", keda::cli_bin()?, keda.dir())
            .args(["record"])
            .args(by_the_controller(keda, ns, &more))
            .env("KUBECONFIG", bed.kubeconfig().display().to_string())
            .start()?;
        row_comes(&recorder, &file, "25").await?;

        keda.stop_controller().await?;
        forget_tokens(bed).await?;
        keda.restart_controller().await?;
        source.set(ns.name(), Answer::Value(26.0));
        row_comes(&recorder, &file, "26").await?;

        signal(recorder.pid(), "INT")?;
        let status = recorder.exited(DEADLINE).await?;
        ensure!(status.success(), "{status}: {}", recorder.log_tail(20));
        Ok(())
    })
    .await
}

/// Waits until a recording has a row of a value.
async fn row_comes(recorder: &Process, file: &Path, value: &str) -> Result<()> {
    wait_for(format!("a row of {value}"), DEADLINE, || async {
        recorder.check_alive().map_err(|e| format!("{e:#}"))?;
        let text = std::fs::read_to_string(file).unwrap_or_default();
        look(rows(&text).contains(&value), || {
            format!("{text}{}", recorder.log_tail(5))
        })
    })
    .await
}

/// Makes the account anew that tokens are minted for, and waits until none of the old ones counts: the API server believes one
/// for a moment that it has just seen. The controller must be away, so that no token was seen after the one that is asked about.
async fn forget_tokens(bed: &Bed) -> Result<()> {
    let account = "keda-debug";
    let cluster = bed.cluster();
    let token = cluster.token(NAMESPACE, account, AUDIENCE).await?;
    let reviews: Api<TokenReview> = Api::all(cluster.client());
    let review = || async {
        let spec = TokenReviewSpec {
            token: token.clone(),
            audiences: Some(vec![AUDIENCE.to_owned()]),
        };
        let review = TokenReview {
            spec,
            ..TokenReview::default()
        };
        let made = reviews.create(&PostParams::default(), &review).await?;
        let status = made.status.unwrap_or_default();
        anyhow::Ok(status.authenticated == Some(true))
    };
    ensure!(review().await?, "a fresh token does not count");
    cluster.delete("ServiceAccount", NAMESPACE, account).await?;
    let metadata = json!({"name": account, "namespace": NAMESPACE});
    cluster
        .apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}))
        .await?;
    wait_for("the old tokens to count no more", DEADLINE, || async {
        let counts = review().await.map_err(|e| format!("{e:#}"))?;
        look(!counts, || "one does".to_owned())
    })
    .await
}

/// What the object is now, its status aside: the controller goes on writing that.
async fn resource_version(ns: &Namespace) -> Result<Value> {
    let object = ns.cluster().need("ScaledObject", ns.name(), "so").await?;
    Ok(json!([
        object["metadata"]["generation"],
        object["spec"],
        object["metadata"]["annotations"]
    ]))
}
