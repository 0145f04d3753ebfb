//! The way to the debug API of controller and adapter.
//!
//! ```text
//! cli ── API server's port-forward ──▶ pod that holds the Lease :9667
//!  │        └── TLS inside it, trusted through the APIService's caBundle
//!  └── TokenRequest for `keda-debug` ──▶ token of audience `keda-debug`, shown in every call
//! ```
//!
//! Only the API server and the right to use it are needed, whatever kind of login the kubeconfig has. What is missing
//! is named together with how to grant it, so that a caller can go on with less.

mod find;
mod token;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use clap::ValueEnum;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use rpc::debug::adapter_debug_client::AdapterDebugClient;
use rpc::debug::debug_client::DebugClient;
use rpc::tls::{ClientTls, Policy};
use rpc::{ADAPTER_DEBUG_PORT, DEBUG_PORT, Link, LinkState, Token};
use tokio::io::DuplexStream;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;

/// How long setting up a forwarded connection may take before the command goes on without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How to reach the debug API where the usual way does not fit.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Debug API options")]
pub struct DebugArgs {
    /// Namespace of the installation, where the APIService does not tell
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub keda_namespace: Option<String>,
    /// Address of a controller that runs outside the cluster, instead of a forwarded port
    #[arg(long, value_name = "HOST:PORT", hide_short_help = true)]
    pub debug_address: Option<String>,
    /// File with the CA of the controller's certificate, instead of the APIService's caBundle
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub debug_ca: Option<PathBuf>,
    /// Token to show: a short-lived one of the service account `keda-debug`, or your own
    #[arg(long, value_enum, default_value_t, hide_short_help = true)]
    pub debug_token: TokenKind,
}

/// Which token is shown to the debug API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TokenKind {
    /// Made for this call, worthless elsewhere
    #[default]
    Minted,
    /// The one the kubeconfig gives you
    Own,
}

/// A connection to one debug API, and the token shown there.
pub(crate) struct Caller {
    link: Link,
    token: Token,
    /// Who answers, for messages: `pod keda/keda-operator-…`.
    pub(crate) peer: String,
}

/// Where an installation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    /// Its namespace.
    pub(crate) namespace: String,
    /// CA of its certificates, in PEM.
    pub(crate) ca: Option<Vec<u8>>,
}

/// Connects to the controller.
pub(crate) async fn controller(cluster: &Cluster, args: &DebugArgs) -> Result<Caller, Failure> {
    patiently("the controller", async {
        let at = find::installation(cluster, args).await?;
        let tls = trust(&at, args, "keda-operator")?;
        if let Some(address) = &args.debug_address {
            let token = token::get(cluster, args.debug_token, &at.namespace).await?;
            let link = rpc::connect(tls, address.clone(), "keda-operator")
                .map_err(|e| bad_address(address).because(e))?;
            return Ok(Caller {
                link,
                token,
                peer: format!("the controller at {address}"),
            });
        }
        let pod = find::controller_pod(cluster, &at.namespace).await?;
        forwarded(cluster, args, &at, &pod, DEBUG_PORT, tls).await
    })
    .await
}

/// Connects to every adapter.
pub(crate) async fn adapters(cluster: &Cluster, args: &DebugArgs) -> Result<Vec<Caller>, Failure> {
    patiently("the metrics adapter", async {
        let at = find::installation(cluster, args).await?;
        let mut callers = Vec::new();
        for pod in find::adapter_pods(cluster, &at.namespace).await? {
            let tls = trust(&at, args, "keda-metrics-apiserver")?;
            callers.push(forwarded(cluster, args, &at, &pod, ADAPTER_DEBUG_PORT, tls).await?);
        }
        Ok(callers)
    })
    .await
}

/// Whether the kubeconfig's user has a token that could be shown.
pub(crate) async fn has_own_token(cluster: &Cluster) -> bool {
    token::own(cluster).await.is_ok()
}

async fn patiently<T>(what: &str, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        Err(Failure::new(
            exit::TIMED_OUT,
            format!("no connection to {what} within {} s", PATIENCE.as_secs()),
        ))
    })
}

fn bad_address(address: &str) -> Failure {
    Failure::new(exit::USAGE, format!("`{address}` is no address"))
        .help("write it as HOST:PORT, as in `127.0.0.1:9667`")
}

fn trust(at: &Installation, args: &DebugArgs, service: &str) -> Result<ClientTls, Failure> {
    let ca = match &args.debug_ca {
        Some(path) => std::fs::read(path)
            .map_err(|e| Failure::new(exit::USAGE, format!("cannot read {}", path.display())).because(e))?,
        None => at.ca.clone().ok_or_else(|| {
            Failure::new(
                exit::CHECK_FAILED,
                "the APIService v1beta1.external.metrics.k8s.io has no caBundle",
            )
            .help("the controller writes it when it manages the certificates (`--enable-cert-rotation`)")
            .help("name the CA with `--debug-ca FILE`")
        })?,
    };
    let name = format!("{service}.{}.svc", at.namespace);
    ClientTls::trusting(&ca, Policy::default(), &[&name])
        .map_err(|e| Failure::new(exit::CHECK_FAILED, "cannot use the CA of the debug API").because(e))
}

async fn forwarded(
    cluster: &Cluster,
    args: &DebugArgs,
    at: &Installation,
    pod: &str,
    port: u16,
    tls: ClientTls,
) -> Result<Caller, Failure> {
    let token = token::get(cluster, args.debug_token, &at.namespace).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.streaming_client()?, &at.namespace);
    // The first stream is opened here, so that a refusal is told as what it is; gRPC asks for further ones if it breaks.
    let first = open(&pods, pod, port).await.map_err(|e| {
        let doing = format!("forward a port to pod {}/{pod}", at.namespace);
        let right = "get,create pods/portforward";
        find::lacking(cluster, &doing, e, right, &at.namespace)
    })?;
    let first = Mutex::new(Some(first));
    let name = pod.to_owned();
    let dial = move || {
        let ready = first.lock().map(|mut first| first.take()).unwrap_or_default();
        let (pods, name) = (pods.clone(), name.clone());
        async move {
            match ready {
                Some(stream) => Ok(stream),
                None => open(&pods, &name, port).await.map_err(std::io::Error::other),
            }
        }
    };
    let link = rpc::connect_with(tls, "keda-debug", dial)
        .map_err(|e| Failure::new(exit::UNEXPECTED, "cannot set up the connection").because(e))?;
    Ok(Caller {
        link,
        token,
        peer: format!("pod {}/{pod}", at.namespace),
    })
}

async fn open(pods: &Api<Pod>, pod: &str, port: u16) -> Result<DuplexStream, kube::Error> {
    let mut forwarder = pods.portforward(pod, &[port]).await?;
    Ok(forwarder
        .take_stream(port)
        .expect("the stream of the one port asked for is taken once"))
}

impl Caller {
    /// The controller's service.
    pub(crate) fn debug(&self) -> DebugClient<Channel> {
        DebugClient::new(self.link.channel.clone()).max_decoding_message_size(64 << 20)
    }

    /// The adapter's service.
    pub(crate) fn adapter_debug(&self) -> AdapterDebugClient<Channel> {
        AdapterDebugClient::new(self.link.channel.clone())
    }

    /// A call with the token on it.
    pub(crate) fn call<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.token.to_metadata());
        request
    }

    /// Says what a failed call means and what to do about it.
    pub(crate) fn failed(&self, doing: &str, status: &Status) -> Failure {
        let peer = &self.peer;
        let said = status.message();
        match status.code() {
            Code::PermissionDenied => {
                Failure::new(exit::NOT_PERMITTED, format!("{peer} refuses to {doing}: {said}"))
                    .help("the service account `keda-debug` needs the right to get what is asked about")
                    .help("ask in your own name with `--debug-token own`")
            }
            Code::Unauthenticated => Failure::new(
                exit::NOT_PERMITTED,
                format!("{peer} does not accept the token: {said}"),
            ),
            Code::NotFound => Failure::new(exit::CHECK_FAILED, format!("{peer} does not know it: {said}")),
            Code::Unimplemented => Failure::new(exit::CHECK_FAILED, format!("{peer} cannot {doing} yet"))
                .help("bring the installation to this version with `kubectl keda upgrade`"),
            _ => {
                let cause = match &*self.link.state.borrow() {
                    LinkState::Failed(cause) => format!(": {cause}"),
                    _ if said.is_empty() => String::new(),
                    _ => format!(": {said}"),
                };
                Failure::new(
                    exit::UNREACHABLE,
                    format!("{peer} does not answer on its debug port{cause}"),
                )
                .help("is it keda-controller of this project? upstream KEDA has no debug API")
            }
        }
    }
}
