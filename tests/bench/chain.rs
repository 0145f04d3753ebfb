//! The least that any such chain must do: HTTPS → gRPC with mutual TLS → HTTP source, in two processes as ours.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clap::Args;
use futures::StreamExt as _;
use harness::aggregator::server;
use harness::https::Server;
use harness::process::{Launch, Process};
use harness::wait::wait_for;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rpc::metrics::metrics_service_client::MetricsServiceClient;
use rpc::metrics::metrics_service_server::{MetricsService, MetricsServiceServer};
use rpc::metrics::{ExternalMetricValue, ExternalMetricValueList, Quantity, ScaledObjectRef};
use rpc::tls::{CertFiles, CertFolder, ClientAuth, ClientTls, Listener, Policy, ServerTls};
use serde_json::json;
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Channel;

use crate::field::{Field, name};
use crate::reads::{Client, checked};

/// Arguments of the process that clients ask.
#[derive(Args, Debug)]
pub(crate) struct FrontArgs {
    /// Folder with the certificates.
    certs: PathBuf,
    /// Where to listen.
    listen: SocketAddr,
    /// Where the other process listens.
    back: SocketAddr,
}

/// Arguments of the process that asks the source.
#[derive(Args, Debug)]
pub(crate) struct BackArgs {
    /// Folder with the certificates.
    certs: PathBuf,
    /// Where to listen.
    listen: SocketAddr,
    /// Where the source listens.
    source: SocketAddr,
}

/// The chain, running, and a connection to it.
pub(crate) struct Chain {
    client: Client,
    processes: [Process; 2],
}

impl Chain {
    /// Starts both processes on the source of the field.
    pub(crate) async fn start(field: &Field) -> Result<Self> {
        let certs = field.keda.certs().display().to_string();
        let address = |port: u16| format!("127.0.0.1:{port}");
        let (front, back) = (harness::free_port(), harness::free_port());
        let launch = |part: &str, more: [String; 2]| -> Result<Process> {
            let program = std::env::current_exe()?;
            let [listen, next] = more;
            Launch::new(part, program, field.keda.dir())
                .args([part.to_owned(), certs.clone(), listen, next])
                .start()
        };
        let processes = [
            launch("chain-back", [address(back), field.source.address().to_string()])?,
            launch("chain-front", [address(front), address(back)])?,
        ];
        let trusted = server(&field.bed, &field.keda).await?;
        let entrance = Server {
            port: front,
            ..trusted
        };
        let client = wait_for("the bare chain", Duration::from_mins(1), || async {
            for process in &processes {
                process.check_alive().map_err(|error| format!("{error:#}"))?;
            }
            Client::connect(&entrance, None, &[])
                .await
                .map_err(|error| format!("{error:#}"))
        })
        .await?;
        checked(&client.get(&format!("/v/{}", name(0))).await?)?;
        Ok(Self { client, processes })
    }

    /// The connection.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Process ids.
    pub(crate) fn pids(&self) -> [u32; 2] {
        [self.processes[0].pid(), self.processes[1].pid()]
    }
}

async fn certificates(folder: &std::path::Path) -> Arc<CertFolder> {
    CertFolder::wait_for(CertFiles::in_folder(folder), Policy::service(|_| None)).await
}

/// Answers each HTTPS request with what the other process says.
pub(crate) async fn front(args: FrontArgs) -> Result<()> {
    let folder = certificates(&args.certs).await;
    let names = ["keda-operator.keda.svc"];
    let link = rpc::connect(
        ClientTls::mutual(Arc::clone(&folder), &names)?,
        args.back.to_string(),
        names[0],
    )?;
    let back = MetricsServiceClient::new(link.channel);
    let tls = ServerTls::new(folder, ClientAuth::None, &["h2"])?;
    let mut listener = Listener::bind(&args.listen.to_string(), "listen", tls).await?;
    while let Some(connection) = listener.next().await {
        let back = back.clone();
        let service = service_fn(move |request: Request<Incoming>| answer(back.clone(), request));
        harness::runtime().spawn(async move {
            let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection?), service);
            served.await.context("a connection of the bare chain")
        });
    }
    Ok(())
}

async fn answer(
    mut back: MetricsServiceClient<Channel>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = ScaledObjectRef {
        name: request.uri().path().to_owned(),
        ..ScaledObjectRef::default()
    };
    let answered = back.get_metrics(asked).await;
    let (status, body) = match answered {
        Ok(list) => {
            let items: Vec<_> = list
                .into_inner()
                .items
                .into_iter()
                .map(|item| json!({"metricName": item.metric_name, "value": item.value.unwrap_or_default().string}))
                .collect();
            (
                StatusCode::OK,
                json!({"kind": "ExternalMetricValueList", "items": items}),
            )
        }
        Err(status) => (StatusCode::BAD_GATEWAY, json!({"message": status.message()})),
    };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    Ok(response)
}

struct Back {
    source: SocketAddr,
    http: HttpClient<HttpConnector, Empty<Bytes>>,
}

impl Back {
    async fn value(&self, path: &str) -> Result<f64> {
        let uri = format!("http://{}{path}", self.source).parse()?;
        let body = self.http.get(uri).await?.into_body().collect().await?.to_bytes();
        let value: serde_json::Value = serde_json::from_slice(&body)?;
        value["value"].as_f64().context("no value")
    }
}

#[tonic::async_trait]
impl MetricsService for Back {
    async fn get_metrics(
        &self,
        request: tonic::Request<ScaledObjectRef>,
    ) -> Result<tonic::Response<ExternalMetricValueList>, Status> {
        let value = self
            .value(&request.into_inner().name)
            .await
            .map_err(|error| Status::internal(format!("{error:#}")))?;
        let item = ExternalMetricValue {
            metric_name: "s0-metric-api-value".to_owned(),
            value: Some(Quantity {
                string: value.to_string(),
            }),
            ..ExternalMetricValue::default()
        };
        Ok(tonic::Response::new(ExternalMetricValueList {
            items: vec![item],
            ..ExternalMetricValueList::default()
        }))
    }
}

/// Answers each gRPC call with what the source says.
pub(crate) async fn back(args: BackArgs) -> Result<()> {
    let tls = ServerTls::mutual(certificates(&args.certs).await)?;
    let listener = Listener::bind(&args.listen.to_string(), "listen", tls).await?;
    let back = Back {
        source: args.source,
        http: HttpClient::builder(TokioExecutor::new()).build_http(),
    };
    let routes = Routes::new(MetricsServiceServer::new(back));
    rpc::serve(listener, routes, std::future::pending()).await?;
    Ok(())
}
