//! Controller and adapter as host processes behind Services of a bed, with the certificates a kubelet would mount.
//!
//! ```text
//! HPA controller ─▶ kube-apiserver ─(Service, EndpointSlice)─▶ adapter ─mutual TLS─▶ controller
//!                                                         --cert-dir ◀─(mirror)─ Secret kedaorg-certs
//! ```
//!
//! The binaries are ours by default; `KEDA_BIN_DIR` names another folder, `KEDA_CONTROLLER_BIN` and `KEDA_ADAPTER_BIN`
//! name any that take KEDA's flags.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::bed::Bed;
use crate::cluster::Cluster;
use crate::process::{Launch, Process, signal};
use crate::wait::{look, wait_for};
use crate::{free_port, target_dir, workspace};

/// The namespace of KEDA's own objects.
pub const NAMESPACE: &str = "keda";
/// The Secret with CA and certificate.
pub const CERT_SECRET: &str = "kedaorg-certs";
/// The APIService that the adapter answers for.
pub const API_SERVICE: &str = "v1beta1.external.metrics.k8s.io";

const START: Duration = Duration::from_secs(90);

/// Where the two processes listen.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The controller's metrics service (gRPC).
    pub metrics_service: u16,
    /// The controller's Prometheus metrics.
    pub controller_metrics: u16,
    /// The controller's probes.
    pub probes: u16,
    /// The controller's debug API.
    pub controller_debug: u16,
    /// The adapter's aggregated API.
    pub api: u16,
    /// The adapter's Prometheus metrics.
    pub adapter_metrics: u16,
    /// The adapter's debug API.
    pub adapter_debug: u16,
}

/// The pair of processes on one bed.
pub struct Keda {
    ports: Ports,
    dir: PathBuf,
    certs: PathBuf,
    controller: Mutex<Process>,
    adapter: Mutex<Process>,
    mirror: tokio::task::JoinHandle<()>,
}

static SHARED: OnceCell<Keda> = OnceCell::const_new();

impl Keda {
    /// The pair on the shared bed.
    pub async fn shared() -> Result<(&'static Bed, &'static Self)> {
        let bed = Bed::shared().await?;
        let keda = SHARED.get_or_try_init(|| Self::start(bed)).await?;
        keda.check_alive()?;
        Ok((bed, keda))
    }

    /// Installs what stands beside the processes, starts both and waits until the API server trusts the adapter.
    pub async fn start(bed: &Bed) -> Result<Self> {
        let ports = Ports {
            metrics_service: free_port(),
            controller_metrics: free_port(),
            probes: free_port(),
            controller_debug: free_port(),
            api: free_port(),
            adapter_metrics: free_port(),
            adapter_debug: free_port(),
        };
        let dir = bed.dir().join("keda");
        let certs = dir.join("certs");
        std::fs::create_dir_all(&certs)?;
        install(bed, ports).await?;
        let mirror = crate::runtime().spawn(mirror_certificates(bed.cluster().clone(), certs.clone()));
        let controller = controller(bed, ports)?.start()?;
        ready(&controller, ports.probes).await?;
        let adapter = adapter(bed, &certs, ports)?.start()?;
        let keda = Self {
            ports,
            dir,
            certs,
            controller: Mutex::new(controller),
            adapter: Mutex::new(adapter),
            mirror,
        };
        keda.available(bed.cluster()).await?;
        Ok(keda)
    }

    /// Where the processes listen.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The folder with their logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder the adapter reads its certificates from.
    pub fn certs(&self) -> &Path {
        &self.certs
    }

    /// Process ids of controller and adapter.
    pub fn pids(&self) -> (u32, u32) {
        (lock(&self.controller).pid(), lock(&self.adapter).pid())
    }

    /// Asks the controller to stop and waits until it has.
    pub async fn stop_controller(&self) -> Result<()> {
        signal(lock(&self.controller).pid(), "TERM")?;
        wait_for("the controller to stop", START, || async {
            look(lock(&self.controller).status().is_some(), || "it runs".to_owned())
        })
        .await
    }

    /// Ends the controller as a crash would.
    pub fn kill_controller(&self) {
        lock(&self.controller).kill();
    }

    /// Ends the adapter as a crash would.
    pub fn kill_adapter(&self) {
        lock(&self.adapter).kill();
    }

    /// Starts the controller again and waits until it is ready.
    pub async fn restart_controller(&self) -> Result<()> {
        let launch = lock(&self.controller).launch().clone();
        let next = launch.start()?;
        ready(&next, self.ports.probes).await?;
        *lock(&self.controller) = next;
        Ok(())
    }

    /// Starts the adapter again.
    pub fn restart_adapter(&self) -> Result<()> {
        let launch = lock(&self.adapter).launch().clone();
        *lock(&self.adapter) = launch.start()?;
        Ok(())
    }

    /// Waits until the API server calls the adapter available.
    pub async fn available(&self, cluster: &Cluster) -> Result<()> {
        let condition = || async {
            self.check_alive().map_err(|e| format!("{e:#}"))?;
            let service = cluster
                .need("APIService", "", API_SERVICE)
                .await
                .map_err(|e| format!("{e:#}"))?;
            let found = condition(&service, "Available").cloned().unwrap_or_default();
            look(found["status"] == "True", || found.to_string())
        };
        wait_for("the APIService to be available", START, condition).await
    }

    /// An error with the end of the log of whichever process has ended.
    pub fn check_alive(&self) -> Result<()> {
        lock(&self.controller).check_alive()?;
        lock(&self.adapter).check_alive()
    }

    /// The last lines of both logs.
    pub fn log_tails(&self, lines: usize) -> String {
        let controller = lock(&self.controller).log_tail(lines);
        let adapter = lock(&self.adapter).log_tail(lines);
        format!("---- controller\n{controller}\n---- adapter\n{adapter}")
    }

    /// The log of the controller that runs.
    pub fn controller_log(&self) -> PathBuf {
        lock(&self.controller).log().to_owned()
    }

    /// The adapter's launch, to start one that is expected to fail.
    pub fn adapter_launch(&self) -> Launch {
        lock(&self.adapter).launch().clone()
    }

    /// The controller's launch, to start one that is expected to fail.
    pub fn controller_launch(&self) -> Launch {
        lock(&self.controller).launch().clone()
    }
}

impl Drop for Keda {
    fn drop(&mut self) {
        self.mirror.abort();
    }
}

/// A condition of an object by its type.
pub fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|c| c["type"] == name)
}

/// The controller's executable.
pub fn controller_bin() -> Result<PathBuf> {
    executable("KEDA_CONTROLLER_BIN", "keda-controller")
}

/// The adapter's executable.
pub fn adapter_bin() -> Result<PathBuf> {
    executable("KEDA_ADAPTER_BIN", "keda-metrics-adapter")
}

/// The command line tool's executable.
pub fn cli_bin() -> Result<PathBuf> {
    executable("KUBECTL_KEDA_BIN", "kubectl-keda")
}

/// Reads a page of a plain HTTP server on this host.
pub async fn http_get(port: u16, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())
        .await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .context("not an HTTP answer")?;
    let body = text
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default();
    Ok((status, body))
}

fn executable(variable: &str, name: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable).map_or_else(
        || {
            std::env::var_os("KEDA_BIN_DIR")
                .map_or_else(|| target_dir().join("bed"), PathBuf::from)
                .join(name)
        },
        PathBuf::from,
    );
    if !path.is_file() {
        bail!(
            "{} is not built (`cargo build --profile bed --bin {name}`)",
            path.display()
        );
    }
    Ok(path)
}

fn foreign() -> bool {
    std::env::var_os("KEDA_CONTROLLER_BIN").is_some()
}

/// The controller's command line. It keeps its own certificates; the adapter's come from the Secret, as in a pod.
fn controller(bed: &Bed, ports: Ports) -> Result<Launch> {
    let certs = bed.dir().join("keda").join("controller-certs");
    std::fs::create_dir_all(&certs)?;
    let mut args = vec![
        "--leader-elect".to_owned(),
        "--enable-cert-rotation=true".to_owned(),
        format!("--cert-dir={}", certs.display()),
        format!("--metrics-bind-address=127.0.0.1:{}", ports.controller_metrics),
        format!("--health-probe-bind-address=127.0.0.1:{}", ports.probes),
        format!(
            "--metrics-service-bind-address=127.0.0.1:{}",
            ports.metrics_service
        ),
        "--enable-webhook-patching=false".to_owned(),
    ];
    if !foreign() {
        args.push(format!(
            "--debug-bind-address=127.0.0.1:{}",
            ports.controller_debug
        ));
        // Readers look at their folders every few seconds: a short overlap is enough on one machine.
        args.push("--cert-overlap=10s".to_owned());
    }
    Ok(environment(
        Launch::new("controller", controller_bin()?, &bed.dir().join("keda")).args(args),
        bed,
    ))
}

/// The adapter's command line.
fn adapter(bed: &Bed, certs: &Path, ports: Ports) -> Result<Launch> {
    let file = |name: &str| certs.join(name).display().to_string();
    let mut args = vec![
        format!("--secure-port={}", ports.api),
        format!("--port={}", ports.adapter_metrics),
        format!("--cert-dir={}", certs.display()),
        format!("--tls-cert-file={}", file("tls.crt")),
        format!("--tls-private-key-file={}", file("tls.key")),
        format!("--metrics-service-address=127.0.0.1:{}", ports.metrics_service),
        format!("--authentication-kubeconfig={}", bed.kubeconfig().display()),
        format!("--authorization-kubeconfig={}", bed.kubeconfig().display()),
    ];
    if !foreign() {
        args.push(format!("--debug-bind-address=127.0.0.1:{}", ports.adapter_debug));
    }
    Ok(environment(
        Launch::new("adapter", adapter_bin()?, &bed.dir().join("keda")).args(args),
        bed,
    ))
}

fn environment(launch: Launch, bed: &Bed) -> Launch {
    launch
        .env("KUBECONFIG", bed.kubeconfig().display().to_string())
        .env("WATCH_NAMESPACE", "")
        .env("POD_NAMESPACE", NAMESPACE)
        .env("KEDA_CLUSTER_OBJECT_NAMESPACE", NAMESPACE)
        .env("NO_COLOR", "1")
}

/// Applies the definitions of the custom resources and waits until they are served.
pub async fn define(bed: &Bed) -> Result<()> {
    let cluster = bed.cluster();
    for definition in crds::definitions() {
        let name = definition.metadata.name.clone().unwrap_or_default();
        cluster
            .apply(&serde_json::to_value(definition)?)
            .await
            .with_context(|| format!("definition {name}"))?;
        wait_for(format!("{name} to be served"), START, || async {
            let found = cluster
                .need("CustomResourceDefinition", "", &name)
                .await
                .map_err(|e| format!("{e:#}"))?;
            let established = condition(&found, "Established").is_some_and(|c| c["status"] == "True");
            look(established, || found["status"].to_string())
        })
        .await?;
    }
    Ok(())
}

/// Applies definitions and the objects beside the processes.
async fn install(bed: &Bed, ports: Ports) -> Result<()> {
    define(bed).await?;
    let cluster = bed.cluster();
    for object in documents(&workspace().join("tests/fixtures/keda/cluster.yaml"))? {
        cluster.apply(&object).await?;
    }
    let address = &bed.state().host_address;
    if address.is_empty() {
        bail!("this machine has no address that an EndpointSlice may hold, and the bed could not add one");
    }
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "keda-metrics-apiserver-host",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": "keda-metrics-apiserver"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "port": ports.api, "protocol": "TCP"}],
    });
    cluster.apply(&slice).await?;
    Ok(())
}

/// The documents of a YAML file as JSON.
pub fn documents(path: &Path) -> Result<Vec<Value>> {
    use serde::Deserialize as _;
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let documents = serde_yaml::Deserializer::from_str(&text).map(Value::deserialize);
    let all: std::result::Result<Vec<Value>, _> = documents.collect();
    Ok(all?.into_iter().filter(|d| !d.is_null()).collect())
}

async fn ready(process: &Process, port: u16) -> Result<()> {
    wait_for(format!("/readyz of {}", process.launch().name), START, || async {
        process.check_alive().map_err(|e| format!("{e:#}"))?;
        let (status, body) = http_get(port, "/readyz").await.map_err(|e| format!("{e:#}"))?;
        look(status == 200, || {
            format!("{status} {body}\n{}", process.log_tail(10))
        })
    })
    .await
}

/// Keeps a folder as a kubelet keeps the volume of a Secret: files are links into a folder that is exchanged whole.
async fn mirror_certificates(cluster: Cluster, dir: PathBuf) {
    let mut shown = Value::Null;
    loop {
        if let Ok(Some(secret)) = cluster.get("Secret", NAMESPACE, CERT_SECRET).await
            && secret["data"] != shown
            && !secret["data"]["tls.crt"].is_null()
            && publish(&dir, &secret).is_ok()
        {
            shown = secret["data"].clone();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn publish(dir: &Path, secret: &Value) -> Result<()> {
    use base64::Engine as _;
    let version = secret["metadata"]["resourceVersion"]
        .as_str()
        .context("a stored object has a version")?;
    let folder = format!("..{version}");
    std::fs::create_dir_all(dir.join(&folder))?;
    for (name, text) in secret["data"].as_object().context("a Secret has data")? {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap_or_default())?;
        std::fs::write(dir.join(&folder).join(name), bytes)?;
    }
    let (draft, current) = (dir.join("..draft"), dir.join("..data"));
    std::os::unix::fs::symlink(&folder, &draft)?;
    std::fs::rename(&draft, &current)?;
    for name in ["ca.crt", "tls.crt", "tls.key"] {
        if dir.join(name).symlink_metadata().is_err() {
            std::os::unix::fs::symlink(Path::new("..data").join(name), dir.join(name))?;
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
