//! cpu and memory: the HPA's own metrics, measured by metrics-server on real containers under real load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use harness::keda::condition;
use harness::namespace::{Namespace, with_namespace};
use harness::wait::{Look, look, wait_for};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::Node;

type HttpClient = Client<HttpConnector, Empty<bytes::Bytes>>;

/// metrics-server measures every ten seconds, kubelet does too, and the machine may be busy.
const DEADLINE: Duration = Duration::from_mins(4);
/// Requests under way at once.
const CLIENTS: usize = 4;

pub(super) async fn cpu() -> Result<()> {
    let node = Node::shared().await?;
    with_namespace(&node.bed, "cpu", async |namespace| {
        let trigger = json!({ "type": "cpu", "metricType": "Utilization", "metadata": { "value": "50" } });
        let address = web(node, namespace, &trigger).await?;
        replicas(namespace, "1 replica before the load", |n| n == 1).await?;
        let hpa = namespace
            .cluster()
            .need("HorizontalPodAutoscaler", namespace.name(), "web-by-name")
            .await?;
        anyhow::ensure!(
            hpa.pointer("/spec/scaleTargetRef/name") == Some(&json!("web")),
            "{hpa}"
        );
        let load = Load::start(&format!("http://{address}:8080/burn?ms=100"));
        replicas(namespace, "more replicas under load", |n| n > 1).await?;
        load.stop().await;
        replicas(namespace, "1 replica after the load", |n| n == 1).await
    })
    .await
}

pub(super) async fn memory() -> Result<()> {
    let node = Node::shared().await?;
    with_namespace(&node.bed, "memory", async |namespace| {
        let trigger =
            json!({ "type": "memory", "metricType": "AverageValue", "metadata": { "value": "40Mi" } });
        let address = web(node, namespace, &trigger).await?;
        let client = client();
        let hold = async |mib: u32| asked(&client, &format!("http://{address}:8080/hold?mib={mib}")).await;
        wait_for("the web server to answer", DEADLINE, async || {
            look(hold(70).await, || "no answer".to_owned())
        })
        .await?;
        replicas(namespace, "more replicas while memory is held", |n| n > 1).await?;
        // Any of the pods may answer: asking until it is over reaches the one that holds.
        wait_for("1 replica after the memory is given back", DEADLINE, async || {
            let _ = hold(0).await;
            let object = web_deployment(namespace).await?;
            look(wanted(&object) == 1, || format!("{} replicas", wanted(&object)))
        })
        .await
    })
    .await
}

/// Runs a case beside a ScaledObject whose cron trigger is not active.
pub(super) async fn with_idle_object(node: &Node, case: impl AsyncFnOnce(&str) -> Result<()>) -> Result<()> {
    with_namespace(&node.bed, "idle", async |namespace| {
        namespace.create_object(&deployment(node, "idle", 0)).await?;
        let trigger = json!({
            "type": "cron",
            "metadata": { "timezone": "Etc/UTC", "start": "0 0 29 2 *", "end": "1 0 29 2 *", "desiredReplicas": "1" },
        });
        let spec = json!({ "scaleTargetRef": { "name": "idle" }, "triggers": [trigger] });
        namespace.create_object(&scaled_object("idle", &spec)).await?;
        wait_for("the ScaledObject to be ready", DEADLINE, async || {
            let object = namespace.cluster().need("ScaledObject", namespace.name(), "idle").await;
            let object = object.map_err(|error| format!("{error:#}"))?;
            let active = condition(&object, "Active").and_then(|c| c.get("status").cloned());
            look(active == Some(json!("False")), || format!("{object}"))
        })
        .await?;
        case(namespace.name()).await
    })
    .await
}

/// A web server behind a Service, scaled by one trigger between 1 and 3; returns the Service's address.
async fn web(node: &Node, namespace: &Namespace, trigger: &Value) -> Result<String> {
    namespace.create_object(&deployment(node, "web", 1)).await?;
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "web" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 8080 }] },
    });
    let service = namespace.create_object(&service).await?;
    let behavior = json!({ "scaleDown": { "stabilizationWindowSeconds": 5 } });
    let spec = json!({
        "scaleTargetRef": { "name": "web" },
        "minReplicaCount": 1,
        "maxReplicaCount": 3,
        "advanced": { "horizontalPodAutoscalerConfig": { "name": "web-by-name", "behavior": behavior } },
        "triggers": [trigger],
    });
    namespace.create_object(&scaled_object("web", &spec)).await?;
    wait_for("the HPA to be made", DEADLINE, async || {
        let hpa = namespace
            .cluster()
            .get("HorizontalPodAutoscaler", namespace.name(), "web-by-name")
            .await;
        look(hpa.is_ok_and(|hpa| hpa.is_some()), || {
            "there is no HPA `web-by-name`".to_owned()
        })
    })
    .await?;
    let address = service.pointer("/spec/clusterIP").and_then(Value::as_str);
    Ok(address.context("the Service has no address")?.to_owned())
}

pub(super) fn scaled_object(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": name }, "spec": spec })
}

pub(super) fn deployment(node: &Node, name: &str, replicas: u32) -> Value {
    let container = json!({
        "name": "web",
        "image": node.image("workload"),
        "imagePullPolicy": "Never",
        "args": ["web"],
        "readinessProbe": { "httpGet": { "path": "/", "port": 8080 }, "periodSeconds": 1 },
        "resources": { "requests": { "cpu": "100m", "memory": "16Mi" }, "limits": { "cpu": "300m", "memory": "256Mi" } },
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "terminationGracePeriodSeconds": 1, "containers": [container] },
            },
        },
    })
}

/// Waits until the Deployment wants, and has ready, as many replicas as `right` says.
pub(super) async fn replicas(namespace: &Namespace, what: &str, right: fn(i64) -> bool) -> Result<()> {
    wait_for(what, DEADLINE, async || {
        let object = web_deployment(namespace).await?;
        let ready = object
            .pointer("/status/readyReplicas")
            .and_then(Value::as_i64)
            .unwrap_or(0);
        look(right(ready) && right(wanted(&object)), || {
            format!("{ready} ready replicas")
        })
    })
    .await
}

async fn web_deployment(namespace: &Namespace) -> Look<Value> {
    let object = namespace
        .cluster()
        .need("Deployment", namespace.name(), "web")
        .await;
    object.map_err(|error| format!("{error:#}"))
}

pub(super) fn wanted(deployment: &Value) -> i64 {
    deployment
        .pointer("/spec/replicas")
        .and_then(Value::as_i64)
        .unwrap_or(1)
}

/// Plain HTTP, a connection a request: so the Service spreads them over the pods.
fn client() -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(Duration::from_secs(5)));
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector)
}

/// Whether the server answered with success.
async fn asked(client: &HttpClient, url: &str) -> bool {
    let Ok(url) = url.parse() else { return false };
    let answer = tokio::time::timeout(Duration::from_secs(10), client.get(url)).await;
    matches!(answer, Ok(Ok(response)) if response.status().is_success())
}

/// Clients that ask until they are stopped; the case's deadlines bound them.
struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(url: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let client = client();
        let one = |_| {
            let (over, client, url) = (Arc::clone(&over), client.clone(), url.to_owned());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    // A pod that is starting or ending refuses; the next request may find another.
                    asked(&client, &url).await;
                    tokio::task::yield_now().await;
                }
            })
        };
        let clients = (0..CLIENTS).map(one).collect();
        Self { over, clients }
    }

    async fn stop(mut self) {
        self.over.store(true, Ordering::Relaxed);
        for client in std::mem::take(&mut self.clients) {
            // A client that panicked has stopped, too.
            let _ = client.await;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
