//! Crashes in the middle of a scale-up. The run must end right, and say what happened.

use anyhow::{Result, ensure};
use harness::bed::Bed;
use harness::https::{self, Server};
use harness::keda::{Keda, condition};
use harness::namespace::{Namespace, with_namespace};
use harness::pki::Authority;
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use serde_json::json;
use tokio::sync::{Mutex, OnceCell};

use super::debug_api::bind;
use super::scaling::condition_is;
use crate::scenario::{DEADLINE, deployment, replicas, scaled_object};
use harness::aggregator::{MASTERS, proxy};

/// A cluster whose parts may be broken; one case at a time has it.
pub(super) struct Breakable {
    pub(super) bed: Bed,
    pub(super) keda: Keda,
    pub(super) source: Source,
}

static CLUSTER: OnceCell<Mutex<Breakable>> = OnceCell::const_new();

pub(super) async fn breakable() -> Result<&'static Mutex<Breakable>> {
    let start = async || {
        let bed = Bed::start("faults", &[]).await?;
        let keda = Keda::start(&bed).await?;
        Ok(Mutex::new(Breakable {
            bed,
            keda,
            source: Source::start().await?,
        }))
    };
    CLUSTER.get_or_try_init(start).await
}

/// A workload at zero that wants `value` / 10 replicas.
pub(super) async fn workload(ns: &Namespace, source: &Source) -> Result<()> {
    ns.create_object(&deployment("web", 0)).await?;
    let metadata = json!({"url": source.url(ns.name()), "valueLocation": "value", "targetValue": "10"});
    ns.create_object(&scaled_object(
        &json!({"type": "metrics-api", "metadata": metadata}),
        &json!({}),
    ))
    .await?;
    condition_is(ns, "Active", "False").await?;
    Ok(())
}

/// Waits until the scale-up has begun and has not ended.
async fn begun(ns: &Namespace) -> Result<()> {
    wait_for("the first replica", DEADLINE, || async {
        let found = ns
            .cluster()
            .need("Deployment", ns.name(), "web")
            .await
            .map_err(|e| format!("{e:#}"))?;
        look(found["spec"]["replicas"].as_i64() >= Some(1), || {
            found["spec"]["replicas"].to_string()
        })
    })
    .await
}

pub(crate) async fn controller_killed() -> Result<()> {
    let cluster = breakable().await?.lock().await;
    let Breakable { bed, keda, source } = &*cluster;
    with_namespace(bed, "kill-controller", async |ns| {
        workload(ns, source).await?;
        source.set(ns.name(), Answer::Value(45.0));
        begun(ns).await?;
        keda.kill_controller();
        // Without the controller the HPA reads nothing, and must keep what there is.
        let held = ns.cluster().need("Deployment", ns.name(), "web").await?["spec"]["replicas"]
            .as_i64()
            .unwrap_or(0);
        ensure!(held >= 1, "the workload was at {held}");
        keda.restart_controller().await?;
        replicas(ns, 5).await?;
        source.set(ns.name(), Answer::Value(0.0));
        replicas(ns, 0).await
    })
    .await
}

pub(crate) async fn adapter_killed() -> Result<()> {
    let cluster = breakable().await?.lock().await;
    let Breakable { bed, keda, source } = &*cluster;
    with_namespace(bed, "kill-adapter", async |ns| {
        workload(ns, source).await?;
        source.set(ns.name(), Answer::Value(45.0));
        begun(ns).await?;
        keda.kill_adapter();
        wait_for("the HPA to say that it reads nothing", DEADLINE, || async {
            let hpa = ns
                .cluster()
                .need("HorizontalPodAutoscaler", ns.name(), "keda-hpa-so")
                .await
                .map_err(|e| format!("{e:#}"))?;
            let scaling = condition(&hpa, "ScalingActive").cloned().unwrap_or_default();
            look(scaling["status"] == "False", || scaling.to_string())
        })
        .await?;
        condition_is(ns, "HPAActive", "False").await?;
        keda.restart_adapter()?;
        keda.available(bed.cluster()).await?;
        replicas(ns, 5).await?;
        condition_is(ns, "HPAActive", "True").await?;
        source.set(ns.name(), Answer::Value(0.0));
        replicas(ns, 0).await
    })
    .await
}

pub(crate) async fn api_server_restarted() -> Result<()> {
    let cluster = breakable().await?.lock().await;
    let Breakable { bed, keda, source } = &*cluster;
    with_namespace(bed, "restart-api", async |ns| {
        workload(ns, source).await?;
        source.set(ns.name(), Answer::Value(45.0));
        begun(ns).await?;
        bed.component("kill", "kube-apiserver")?;
        source.set(ns.name(), Answer::Value(25.0));
        bed.component("start", "kube-apiserver")?;
        wait_for("the API server", DEADLINE, || async {
            let answer = bed.cluster().read("/apis").await.map_err(|e| format!("{e:#}"))?;
            look(answer.status == 200, || answer.status.to_string())
        })
        .await?;
        replicas(ns, 3).await?;
        keda.check_alive()?;
        source.set(ns.name(), Answer::Value(0.0));
        replicas(ns, 0).await?;
        condition_is(ns, "Ready", "True").await?;
        Ok(())
    })
    .await
}

pub(crate) async fn targets_unwatched() -> Result<()> {
    let cluster = breakable().await?.lock().await;
    let Breakable { bed, keda, source } = &*cluster;
    let kubeconfig = keda.dir().join("narrow.kubeconfig");
    bed.kubeconfig_for(&["--user", "narrow"], &kubeconfig)?;
    // All that it does, but for watching what it scales.
    let groups = [
        "",
        "apiregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "eventing.keda.sh",
        "keda.sh",
    ];
    let rules = json!([
        {"apiGroups": groups, "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["get", "update"]},
    ]);
    let narrow = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "narrow"});
    bind(bed, "narrow", &rules, &narrow).await?;
    let mut launch = keda.controller_launch();
    "controller-narrow".clone_into(&mut launch.name);
    keda.stop_controller().await?;
    let narrow = launch
        .env("KUBECONFIG", kubeconfig.display().to_string())
        .start()?;
    let result = with_namespace(bed, "unwatched", async |ns| {
        workload(ns, source).await?;
        source.set(ns.name(), Answer::Value(25.0));
        replicas(ns, 3).await?;
        source.set(ns.name(), Answer::Value(0.0));
        replicas(ns, 0).await?;
        let log = narrow.log_from(0)?;
        let said = log.matches("scale targets are not watched").count();
        ensure!(said == 1, "the log says it {said} times:\n{log}");
        Ok(())
    })
    .await;
    narrow.terminate().await?;
    keda.restart_controller().await?;
    result
}

pub(crate) async fn wrong_certificate() -> Result<()> {
    let cluster = breakable().await?.lock().await;
    let Breakable { bed, keda, .. } = &*cluster;
    // An adapter whose certificate is by somebody else must be let into neither connection.
    let strangers = Authority::new(&keda.dir().join("strangers"), "ca")?;
    let pair = strangers.issue("keda-operator")?;
    let dir = keda.dir().join("strangers-certs");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("ca.crt"), strangers.pem())?;
    std::fs::write(dir.join("tls.crt"), &pair.crt)?;
    std::fs::write(dir.join("tls.key"), &pair.key)?;
    let mut launch = keda.adapter_launch();
    "adapter-strangers".clone_into(&mut launch.name);
    let dir_text = dir.display().to_string();
    let certs = keda.certs().display().to_string();
    launch.args = launch.args.iter().map(|a| a.replace(&certs, &dir_text)).collect();
    let api = harness::free_port();
    let moved = [
        (keda.ports().api, api),
        (keda.ports().adapter_metrics, harness::free_port()),
        (keda.ports().adapter_debug, harness::free_port()),
    ];
    for (port, other) in moved {
        launch.args = launch
            .args
            .iter()
            .map(|a| a.replace(&port.to_string(), &other.to_string()))
            .collect();
    }
    let adapter = launch.start()?;
    let server = Server {
        port: api,
        name: "localhost".to_owned(),
        ca: strangers.pem().to_owned(),
    };
    let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/s0-any?labelSelector=scaledobject.keda.sh%2Fname%3Dso";
    let proxy = proxy(bed)?;
    wait_for("an answer that names the certificate", DEADLINE, || async {
        adapter.check_alive().map_err(|e| format!("{e:#}"))?;
        let (status, body) = https::get(&server, path, MASTERS, Some(&proxy))
            .await
            .map_err(|e| format!("{e:#}"))?;
        look(status >= 500 && body.contains("certificate"), || {
            format!("{status} {body}")
        })
    })
    .await?;
    let log = adapter.log_tail(50);
    ensure!(
        log.lines()
            .any(|l| l.contains("WARN") && l.contains("certificate")),
        "the log does not name it: {log}"
    );
    keda.available(bed.cluster()).await
}
