//! Puts the parts together and stops them in order.

use std::io;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use http::header;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use rpc::debug::adapter_debug_server::AdapterDebugServer;
use rpc::tls::{CertFiles, CertFolder, ClientAuth, Listener, Policy, Refused, ServerTls};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::api::openapi::Documents;
use crate::api::router::{App, router};
use crate::args::Args;
use crate::auth::{Reviewer, Trust, config_map};
use crate::debug_api::DebugApi;
use crate::feed::endpoint::Place;
use crate::feed::{Endpoint, Feed, lease};
use crate::prometheus::{CONTENT_TYPE, Metrics};
use crate::record::Record;
use crate::serve::{AnyCertificate, https};
use crate::{kubernetes, record};

/// Runs until a stop signal.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let started = Timestamp::now();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        keda = crate::KEDA_VERSION,
        "metrics adapter starts"
    );
    log_inert(&args);
    let stop = stop_signal().context("cannot listen for signals")?;
    let work = start(args, started, stop.clone());
    tokio::select! {
        result = work => result,
        // `work` ends by itself, unless a client of the debug API holds on.
        () = async { stop.cancelled().await; tokio::time::sleep(LAST_RESORT).await } => Ok(()),
    }
}

/// When everything should long have ended.
const LAST_RESORT: std::time::Duration = std::time::Duration::from_secs(9);

async fn start(args: Args, started: Timestamp, stop: CancellationToken) -> anyhow::Result<()> {
    let (client, config, certificates) = tokio::select! {
        prepared = prepare(&args) => prepared?,
        () = stop.cancelled() => return Ok(()),
    };
    let (trust_sender, trust) = watch::channel(Arc::new(Trust::default()));
    config_map::publish(config.as_ref(), certificates.client_ca.as_deref(), &trust_sender);
    tokio::spawn(config_map::follow(
        client.clone(),
        config,
        certificates.client_ca.clone(),
        trust_sender,
    ));

    let metrics = Metrics::new();
    let endpoint = endpoint(&args, &client);
    let app = Arc::new(App {
        trust,
        reviewer: Reviewer::new(client),
        feed: Feed::new(certificates.identity.clone(), endpoint, metrics.calls.clone()),
        record: Record::default(),
        metrics: metrics.clone(),
        documents: Documents::new(),
    });
    let api = api_listener(&args, &certificates, app.clone()).await?;
    let debug = debug_listener(&args, &certificates, app.clone()).await?;
    let plain = plain_listener(&args).await?;
    let debug_port = debug
        .as_ref()
        .map(|listener| tracing::field::display(listener.local_addr()));
    tracing::info!(api = %api.local_addr(), debug = debug_port, "serving");

    let debug_service = DebugApi {
        app: app.clone(),
        identity: certificates.identity,
        serving: certificates.serving,
        namespace: args.namespace,
        instance: instance(),
        started,
    };
    let ((), debug, plain) = tokio::join!(
        https(api, router(app), stop.clone()),
        serve_debug(debug, debug_service, stop.clone()),
        serve_plain(plain, metrics, stop),
    );
    debug?;
    plain?;
    tracing::info!("metrics adapter stopped");
    Ok(())
}

async fn serve_debug(
    listener: Option<Listener>,
    service: DebugApi,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let routes = Routes::new(AdapterDebugServer::new(service));
    rpc::serve(listener, routes, stop.cancelled_owned())
        .await
        .context("the debug API failed")
}

async fn serve_plain(
    listener: Option<TcpListener>,
    metrics: Metrics,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let text = async move || ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text());
    let router = Router::new().route("/metrics", get(text));
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .context("the metrics port failed")
}

/// What must be there before a port is opened: an API server that knows us, and certificates.
async fn prepare(args: &Args) -> anyhow::Result<(Client, Option<ConfigMap>, Certificates)> {
    let (client, url) = kubernetes::client(args.kubeconfig.as_deref()).await?;
    let config = kubernetes::first_answer(&url, config_map::fetch(&client)).await?;
    Ok((client, config, certificates(args).await))
}

/// The certificate files of the process.
struct Certificates {
    /// Towards the controller.
    identity: Arc<CertFolder>,
    /// Towards clients.
    serving: Arc<CertFolder>,
    /// `--client-ca-file`.
    client_ca: Option<Arc<CertFolder>>,
}

async fn certificates(args: &Args) -> Certificates {
    let policy = Policy::service(|name| std::env::var(name).ok());
    let identity = CertFolder::open(&args.cert_dir, policy.clone()).await;
    let own = CertFiles::in_folder(&args.cert_dir).pair;
    let given = args.tls_cert_file.clone().zip(args.tls_private_key_file.clone());
    let serving = match given {
        Some(pair) if Some(&pair) != own.as_ref() => {
            CertFolder::wait_for(
                CertFiles {
                    ca: None,
                    pair: Some(pair),
                },
                policy.clone(),
            )
            .await
        }
        _ => identity.clone(),
    };
    let client_ca = match args.client_ca_file.clone() {
        Some(path) => Some(
            CertFolder::wait_for(
                CertFiles {
                    ca: Some(path),
                    pair: None,
                },
                policy,
            )
            .await,
        ),
        None => None,
    };
    Certificates {
        identity,
        serving,
        client_ca,
    }
}

/// Where the controller is: as told, or wherever the Lease's holder is.
fn endpoint(args: &Args, client: &Client) -> watch::Receiver<Endpoint> {
    let place = Place {
        namespace: args.namespace.clone(),
        authority: args.metrics_service_grpc_authority.clone(),
    };
    if let Some(address) = args
        .metrics_service_address
        .as_deref()
        .filter(|address| !address.is_empty())
    {
        return watch::channel(place.given(address)).1;
    }
    let (sender, receiver) = watch::channel(place.service("", "the Lease was not seen yet"));
    tokio::spawn(lease::follow(
        client.clone(),
        place,
        args.leader_election_id.clone(),
        sender,
    ));
    receiver
}

async fn api_listener(args: &Args, certificates: &Certificates, app: Arc<App>) -> anyhow::Result<Listener> {
    let auth = ClientAuth::Custom(Arc::new(AnyCertificate::new()));
    let tls = ServerTls::new(certificates.serving.clone(), auth, &["h2", "http/1.1"])?;
    let address = args.listen_on(args.secure_port);
    Ok(Listener::bind_with(&address, "--secure-port", tls, refused(app, "the aggregated API")).await?)
}

async fn debug_listener(
    args: &Args,
    certificates: &Certificates,
    app: Arc<App>,
) -> anyhow::Result<Option<Listener>> {
    let Some(address) = args.debug_address() else {
        return Ok(None);
    };
    let tls = ServerTls::new(certificates.serving.clone(), ClientAuth::None, &["h2"])?;
    let listener = Listener::bind_with(
        &address,
        "--debug-bind-address",
        tls,
        refused(app, "the debug API"),
    )
    .await?;
    Ok(Some(listener))
}

async fn plain_listener(args: &Args) -> anyhow::Result<Option<TcpListener>> {
    if args.port == 0 {
        return Ok(None);
    }
    let host = if args.bind_address.is_empty() {
        "0.0.0.0"
    } else {
        &args.bind_address
    };
    let help = || {
        format!(
            "cannot listen on {host}:{}; is the port taken by another process (`ss -ltnp`)? Choose another with --port, or 0 for none",
            args.port
        )
    };
    Ok(Some(
        TcpListener::bind((host, args.port)).await.with_context(help)?,
    ))
}

/// Keeps a record of connections that came to nothing.
fn refused(app: Arc<App>, port: &'static str) -> Refused {
    Arc::new(move |peer, error| {
        app.record.refusal(record::Refusal {
            time: Timestamp::now(),
            user: String::new(),
            verb: "connect".into(),
            path: port.into(),
            status: 0,
            reason: error.to_string(),
            peer: peer.to_string(),
        });
    })
}

/// Name of the pod, or of the host.
fn instance() -> String {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    variable("POD_NAME")
        .or_else(|| variable("HOSTNAME"))
        .unwrap_or_default()
}

fn log_inert(args: &Args) {
    for flag in args.inert.given() {
        tracing::info!("--{flag} has no effect here");
    }
    for variable in [
        "WATCH_NAMESPACE",
        "KEDA_HTTP_DEFAULT_TIMEOUT",
        "RAW_METRICS_GRPC_PROTOCOL",
    ] {
        if std::env::var_os(variable).is_some_and(|value| !value.is_empty()) {
            tracing::info!("{variable} has no effect here, the controller obeys it");
        }
    }
}

/// Cancelled by SIGTERM or SIGINT.
fn stop_signal() -> io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stop signal");
        token.cancel();
    });
    Ok(stop)
}
