//! External scalers over real sockets: plain and TLS, asked and listening.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::metric::{MetricName, MetricTarget, TriggerMetrics};
use engine::quantity::Quantity;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use rpc::externalscaler::external_scaler_server::{ExternalScaler, ExternalScalerServer};
use rpc::externalscaler::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef,
};
use scalers::{Built, Connect, ObjectKey, Pool, PushEvent, Retry, TriggerInput};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, TcpListenerStream};
use tonic::{Request, Response, Status};

/// A scaler that answers what the test set, and remembers who asked.
#[derive(Clone)]
struct Scaler {
    asked: Arc<Mutex<Vec<ScaledObjectRef>>>,
    calls: Arc<AtomicU32>,
    active: Arc<AtomicBool>,
    activity: broadcast::Sender<bool>,
    specs: broadcast::Sender<f64>,
    has_specs: bool,
}

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn spec(target: f64) -> GetMetricSpecResponse {
    let metric = MetricSpec {
        metric_name: "Orders.open".to_owned(),
        target_size_float: target,
        ..MetricSpec::default()
    };
    GetMetricSpecResponse {
        metric_specs: vec![metric],
    }
}

#[tonic::async_trait]
impl ExternalScaler for Scaler {
    type StreamIsActiveStream = Messages<IsActiveResponse>;
    type StreamMetricSpecStream = Messages<GetMetricSpecResponse>;

    async fn is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<IsActiveResponse>, Status> {
        self.asked.lock().expect("the list").push(request.into_inner());
        Ok(Response::new(IsActiveResponse {
            result: self.active.load(Ordering::Relaxed),
        }))
    }

    async fn get_metric_spec(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        Ok(Response::new(spec(2.5)))
    }

    async fn get_metrics(
        &self,
        request: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let metric_name = request.into_inner().metric_name;
        if metric_name != "Orders.open" {
            return Err(Status::not_found(metric_name));
        }
        let value = MetricValue {
            metric_name,
            metric_value_float: 7.25,
            ..MetricValue::default()
        };
        Ok(Response::new(GetMetricsResponse {
            metric_values: vec![value],
        }))
    }

    async fn stream_is_active(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        let messages = BroadcastStream::new(self.activity.subscribe()).map(|message| match message {
            Ok(result) => Ok(IsActiveResponse { result }),
            Err(error) => Err(Status::internal(error.to_string())),
        });
        Ok(Response::new(messages.boxed()))
    }

    async fn stream_metric_spec(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamMetricSpecStream>, Status> {
        if !self.has_specs {
            return Err(Status::unimplemented("no such method"));
        }
        let messages = BroadcastStream::new(self.specs.subscribe()).map(|message| match message {
            Ok(target) => Ok(spec(target)),
            Err(error) => Err(Status::internal(error.to_string())),
        });
        Ok(Response::new(messages.boxed()))
    }
}

/// A scaler that is served.
struct Served {
    scaler: Scaler,
    address: String,
    /// A runtime of its own: with it end the listener and every connection.
    runtime: Option<Runtime>,
}

impl Scaler {
    fn new(has_specs: bool) -> Self {
        Self {
            asked: Arc::default(),
            calls: Arc::default(),
            active: Arc::new(AtomicBool::new(true)),
            activity: broadcast::channel(8).0,
            specs: broadcast::channel(8).0,
            has_specs,
        }
    }

    async fn serve(self, at: &str) -> Served {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let listener = loop {
            // The address may still be held by a server that is ending.
            match runtime
                .spawn(TcpListener::bind(at.to_owned()))
                .await
                .expect("the task ends")
            {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let address = listener.local_addr().expect("an address").to_string();
        let service = ExternalScalerServer::new(self.clone());
        let incoming = TcpListenerStream::new(listener);
        runtime.spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming),
        );
        Served {
            scaler: self,
            address,
            runtime: Some(runtime),
        }
    }
}

impl Served {
    /// Ends the server with all its connections; the address can be served again.
    fn stop(mut self) -> Scaler {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.scaler.clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn trigger(type_: &str, address: &str) -> Built {
    let settings = [
        ("scalerAddress", address),
        ("shop", "north"),
        ("tokenFromEnv", "TOKEN"),
        ("goneFromEnv", "GONE"),
    ];
    let input = TriggerInput {
        type_: type_.to_owned(),
        index: 2,
        metadata: settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        env: [("TOKEN".to_owned(), "hush-hush".into())].into(),
        object: ObjectKey {
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
        },
        ..TriggerInput::default()
    };
    scalers::read(&input).expect("a trigger")
}

fn quick() -> Connect {
    let push_retry = Retry {
        first: Duration::from_millis(20),
        most: Duration::from_millis(50),
    };
    Connect {
        push_retry,
        ..Connect::default()
    }
}

async fn value(pool: &Pool, built: &Built) -> Result<(f64, Option<bool>), String> {
    let samples = pool
        .ask(built, &MetricName::new("s2-Orders.open"), Timestamp::UNIX_EPOCH)
        .await;
    samples
        .map(|samples| (samples[0].value, samples[0].active))
        .map_err(|error| error.chain())
}

#[tokio::test]
async fn is_asked_for_specs_and_values() {
    let served = Scaler::new(false).serve("127.0.0.1:0").await;
    let (pool, built) = (Pool::new(quick()), trigger("external", &served.address));
    assert_eq!(built.metrics(), None);
    assert!(pool.push(&built).is_none());

    let specs = built.specs(&pool).await.expect("specs");
    let target = MetricTarget::AverageValue(Quantity::from_milli(2500));
    assert_eq!(
        specs,
        TriggerMetrics::external(MetricName::new("s2-Orders.open"), target)
    );

    assert_eq!(value(&pool, &built).await, Ok((7.25, Some(true))));
    served.scaler.active.store(false, Ordering::Relaxed);
    assert_eq!(value(&pool, &built).await, Ok((7.25, Some(false))));

    let asked = served
        .scaler
        .asked
        .lock()
        .expect("the list")
        .first()
        .cloned()
        .expect("a question");
    assert_eq!(
        (asked.name.as_str(), asked.namespace.as_str()),
        ("orders", "shop")
    );
    let mut metadata: Vec<(&str, &str)> = asked
        .scaler_metadata
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    metadata.sort_unstable();
    let address = served.address.as_str();
    assert_eq!(
        metadata,
        [
            ("scalerAddress", address),
            ("shop", "north"),
            ("tokenFromEnv", "hush-hush")
        ]
    );

    let other = pool
        .ask(&built, &MetricName::new("s2-other"), Timestamp::UNIX_EPOCH)
        .await;
    let error = other.expect_err("no such metric").to_string();
    assert_eq!(error, format!("{address} answered with NotFound: other"));
    let connections = pool.connections();
    assert_eq!(connections.len(), 1);
    assert_eq!(
        (connections[0].endpoint.as_str(), connections[0].users.as_slice()),
        (address, &["shop/orders[2]".to_owned()][..])
    );
}

#[tokio::test]
async fn a_scaler_that_comes_back_answers_the_next_question() {
    let served = Scaler::new(false).serve("127.0.0.1:0").await;
    let (pool, built) = (Pool::new(quick()), trigger("external", &served.address));
    assert_eq!(value(&pool, &built).await, Ok((7.25, Some(true))));
    let address = served.address.clone();
    let scaler = served.stop();
    // The server ends in the background: an answer may still get through.
    let error = loop {
        if let Err(error) = value(&pool, &built).await {
            break error;
        }
    };
    assert!(error.starts_with(&format!("cannot reach {address}")), "{error}");
    let _again = scaler.serve(&address).await;
    assert_eq!(value(&pool, &built).await, Ok((7.25, Some(true))));
}

/// Waits for the next event that is no error.
async fn next(events: &mut (impl Stream<Item = PushEvent> + Unpin)) -> PushEvent {
    loop {
        match events.next().await.expect("the stream goes on") {
            PushEvent::Error(_) => {}
            event => return event,
        }
    }
}

/// Sends until somebody listens: the stream is opened by polling it.
async fn send<T: Copy>(sender: &broadcast::Sender<T>, value: T) {
    while sender.send(value).is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn activity_and_specs_are_pushed() {
    let served = Scaler::new(true).serve("127.0.0.1:0").await;
    let (pool, built) = (Pool::new(quick()), trigger("external-push", &served.address));
    let mut events = pool.push(&built).expect("it pushes");
    let Scaler { activity, specs, .. } = served.scaler.clone();

    let (event, ()) = tokio::join!(next(&mut events), async {
        send(&activity, false).await;
        send(&activity, true).await;
    });
    assert!(matches!(event, PushEvent::Active), "{event:?}");

    let (event, ()) = tokio::join!(next(&mut events), send(&specs, 9.5));
    let target = MetricTarget::AverageValue(Quantity::from_milli(9500));
    let wanted = TriggerMetrics::external(MetricName::new("s2-Orders.open"), target);
    assert!(
        matches!(&event, PushEvent::MetricSpecs(metrics) if *metrics == wanted),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_stream_is_opened_again() {
    let served = Scaler::new(false).serve("127.0.0.1:0").await;
    let (pool, built) = (Pool::new(quick()), trigger("external-push", &served.address));
    let mut events = pool.push(&built).expect("it pushes");
    let activity = served.scaler.activity.clone();
    let (event, ()) = tokio::join!(next(&mut events), send(&activity, true));
    assert!(matches!(event, PushEvent::Active), "{event:?}");

    let address = served.address.clone();
    let scaler = served.stop();
    let broken = events.next().await.expect("the stream goes on");
    assert!(matches!(broken, PushEvent::Error(_)), "{broken:?}");
    let again = scaler.serve(&address).await;
    let activity = again.scaler.activity.clone();
    let (event, ()) = tokio::join!(next(&mut events), send(&activity, true));
    assert!(matches!(event, PushEvent::Active), "{event:?}");
}
