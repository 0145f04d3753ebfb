//! Reads while controllers come and go, over real connections.

use std::sync::atomic::{AtomicU64, Ordering};

use rpc::metrics::metrics_service_server::{MetricsService, MetricsServiceServer};
use rpc::metrics::{ExternalMetricValue, Quantity};
use rpc::tls::{Listener, ServerTls};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response};

use super::endpoint::Place;
use super::*;
use crate::prometheus::Metrics;
use crate::testing::{authority, folder};

/// A controller that answers with its own name, or not at all.
struct Controller {
    name: &'static str,
    silent: bool,
    asked: Arc<AtomicU64>,
}

#[tonic::async_trait]
impl MetricsService for Controller {
    async fn get_metrics(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<ExternalMetricValueList>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.silent {
            std::future::pending::<()>().await;
        }
        if request.get_ref().name == "broken" {
            return Err(Status::unknown("metric:s0-x encountered error"));
        }
        let value = ExternalMetricValue {
            metric_name: self.name.into(),
            value: Some(Quantity { string: "5".into() }),
            ..Default::default()
        };
        Ok(Response::new(ExternalMetricValueList {
            metadata: None,
            items: vec![value],
        }))
    }
}

fn certificates() -> (tempfile::TempDir, Arc<CertFolder>) {
    folder(&authority("KEDA"), &["keda-operator.keda.svc"])
}

struct Running {
    address: String,
    asked: Arc<AtomicU64>,
    stop: CancellationToken,
}

async fn controller(folder: &Arc<CertFolder>, name: &'static str, silent: bool) -> Running {
    let tls = ServerTls::mutual(folder.clone()).expect("a key pair");
    let listener = Listener::bind("127.0.0.1:0", "--test", tls)
        .await
        .expect("a free port");
    let address = listener.local_addr().to_string();
    let (asked, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let service = Controller {
        name,
        silent,
        asked: asked.clone(),
    };
    let routes = Routes::new(MetricsServiceServer::new(service));
    tokio::spawn(rpc::serve(listener, routes, stop.clone().cancelled_owned()));
    Running { address, asked, stop }
}

fn place() -> Place {
    Place {
        namespace: "keda".into(),
        authority: String::new(),
    }
}

fn feed(folder: Arc<CertFolder>, endpoint: Endpoint) -> (Arc<Feed>, watch::Sender<Endpoint>) {
    let (sender, receiver) = watch::channel(endpoint);
    (
        Arc::new(Feed::new(folder, receiver, Metrics::new().calls)),
        sender,
    )
}

fn question(name: &str) -> ScaledObjectRef {
    ScaledObjectRef {
        name: name.into(),
        namespace: "ns".into(),
        metric_name: "s0-x".into(),
    }
}

#[tokio::test]
async fn errors_of_the_controller_are_final() {
    let (_files, folder) = certificates();
    let one = controller(&folder, "one", false).await;
    let (feed, _) = feed(folder, place().given(&one.address));
    let answer = feed.values(&question("broken")).await;
    assert_eq!(
        answer.result.expect_err("broken").message(),
        "metric:s0-x encountered error"
    );
    assert_eq!((answer.attempts, one.asked.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(answer.endpoint, one.address);
}

#[tokio::test]
async fn a_read_under_way_follows_the_lease_to_the_next_holder() {
    let (_files, folder) = certificates();
    let one = controller(&folder, "one", true).await;
    let two = controller(&folder, "two", false).await;
    let (feed, endpoint) = feed(folder, place().given(&one.address));
    let read = tokio::spawn({
        let feed = feed.clone();
        async move { feed.values(&question("a")).await }
    });
    while one.asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    endpoint.send_replace(place().given(&two.address));
    let answer = read.await.expect("no panic");
    assert_eq!(
        answer.result.expect("the next holder answers").items[0].metric_name,
        "two"
    );
    assert_eq!(answer.endpoint, two.address);
    assert_eq!(feed.state().endpoint.address, two.address);
}

#[tokio::test]
async fn a_read_waits_for_a_controller_that_is_just_taking_over() {
    let (_files, folder) = certificates();
    let gone = controller(&folder, "gone", false).await;
    let (feed, endpoint) = feed(folder.clone(), place().given(&gone.address));
    feed.values(&question("a")).await.result.expect("still there");
    gone.stop.cancel();
    // Its port is closed by now or soon; either way the answer comes from the one that takes over.
    let two = controller(&folder, "two", false).await;
    endpoint.send_replace(place().given(&two.address));
    let answer = feed.values(&question("a")).await;
    assert_eq!(
        answer.result.expect("the next one answers").items[0].metric_name,
        "two"
    );
}

#[tokio::test]
async fn nobody_there_is_told_with_the_last_error() {
    let (_files, folder) = certificates();
    let reserved = tokio::net::TcpSocket::new_v4().expect("a socket");
    reserved
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    let address = reserved.local_addr().expect("bound").to_string();
    let (feed, _) = feed(folder, place().given(&address));
    let answer = feed.values(&question("a")).await;
    let status = answer.result.expect_err("nobody listens");
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert!(matches!(feed.state().link, LinkState::Failed(error) if error.contains("refused")));
    assert!(answer.attempts > 1);
}
