//! Streams of a scaler that wants a token, over a real socket.

use std::pin::Pin;

use futures::{Stream, StreamExt as _, stream};
use rpc::externalscaler::external_scaler_server::{ExternalScaler, ExternalScalerServer};
use rpc::externalscaler::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, ScaledObjectRef,
};
use scalers::{Connect, Retry, ScalerError, TriggerInput};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::*;

/// Pushes one message to whoever brings the right token.
struct Guarded;

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ExternalScaler for Guarded {
    type StreamIsActiveStream = Messages<IsActiveResponse>;
    type StreamMetricSpecStream = Messages<GetMetricSpecResponse>;

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        let metadata = request.into_inner().scaler_metadata;
        if metadata.get("tokenFromEnv").map(String::as_str) != Some("right") {
            return Err(Status::unauthenticated("another token is needed"));
        }
        let one = stream::iter([Ok(IsActiveResponse { result: true })]);
        Ok(Response::new(one.chain(stream::pending()).boxed()))
    }

    async fn stream_metric_spec(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamMetricSpecStream>, Status> {
        Err(Status::unimplemented("no such method"))
    }

    async fn is_active(&self, _: Request<ScaledObjectRef>) -> Result<Response<IsActiveResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn get_metric_spec(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn get_metrics(
        &self,
        _: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }
}

fn trigger(address: &str, token: &str) -> Built {
    let mut input = TriggerInput {
        type_: "external-push".to_owned(),
        ..TriggerInput::default()
    };
    for (key, value) in [("scalerAddress", address), ("tokenFromEnv", "TOKEN")] {
        input.metadata.insert(key.to_owned(), value.to_owned());
    }
    input.env.insert("TOKEN".to_owned(), token.into());
    scalers::read(&input).unwrap()
}

#[tokio::test]
async fn a_stream_that_broke_is_opened_with_fresh_credentials() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tonic::transport::Server::builder()
        .add_service(ExternalScalerServer::new(Guarded))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(serving);
    // Opening itself again, the stream would keep the test waiting for an hour: only a new one helps.
    let hour = std::time::Duration::from_hours(1);
    let pool = Pool::new(Connect {
        push_retry: Retry {
            first: hour,
            most: hour,
        },
        ..Connect::default()
    });
    let mut listening = Listening::open(&pool, &trigger(&address, "old")).unwrap();
    let PushEvent::Error(ScalerError::Unauthorized { .. }) = listening.events.next().await.unwrap() else {
        panic!("the old token is refused");
    };
    let mark = listening.mark;
    listening.renew(&pool, &trigger(&address, "old"));
    assert_eq!(
        listening.mark, mark,
        "the same credentials leave the stream to its pauses"
    );
    listening.renew(&pool, &trigger(&address, "right"));
    assert_ne!(listening.mark, mark);
    assert!(matches!(listening.events.next().await, Some(PushEvent::Active)));
    server.abort();
}
