//! Serves gRPC on a TLS port.

use std::future::Future;
use std::time::Duration;

use tonic::service::Routes;
use tonic::transport::Server;

use crate::tls::Listener;

/// How often a silent client is probed, and how long it may take to answer.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// Serves `routes` on `listener` until `shutdown` is done; calls in flight are answered first.
///
/// # Errors
/// Fails when the transport does; a broken client connection is not a failure.
pub async fn serve(
    listener: Listener,
    routes: Routes,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE.0))
        .http2_keepalive_timeout(Some(KEEP_ALIVE.1))
        .add_routes(routes)
        .serve_with_incoming_shutdown(listener, shutdown)
        .await
}
