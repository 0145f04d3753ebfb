//! `/healthz` and `/readyz`, and the listener that every plain HTTP endpoint of the operator uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::args::Bind;
use crate::failure::{self, Failure};

/// Whether this process is ready to serve; shared by all who know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says from now on that the process is ready, or no longer.
    pub(crate) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Opens a port, or says which flag moves it.
pub(crate) async fn listen(bind: &Bind, flag: &str) -> Result<Option<TcpListener>, Failure> {
    let Bind::At(address) = bind else { return Ok(None) };
    let opened = match address.strip_prefix(':') {
        // One socket for both families where the machine has IPv6, as in Go.
        Some(port) => match TcpListener::bind(format!("[::]:{port}")).await {
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                TcpListener::bind(format!("0.0.0.0:{port}")).await
            }
            opened => opened,
        },
        None => TcpListener::bind(address).await,
    };
    opened.map(Some).map_err(|error| {
        Failure::new(
            failure::USAGE,
            format!("cannot listen on {address}"),
            format!("stop what listens there, or choose another address with {flag}"),
        )
        .because(error)
    })
}

/// The routes of the probes.
pub(crate) fn routes(readiness: Readiness) -> Router {
    let ready = move || {
        let readiness = readiness.clone();
        async move {
            if readiness.get() {
                (StatusCode::OK, "ok")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "not ready")
            }
        }
    };
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
}

/// Serves routes until `stop`.
pub(crate) async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let serving = axum::serve(listener, routes).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = serving.await {
        tracing::error!(%error, "the HTTP endpoint ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    async fn status(readiness: &Readiness, path: &str) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        routes(readiness.clone()).oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn ready_only_once_told() {
        let readiness = Readiness::default();
        assert_eq!(status(&readiness, "/healthz").await, StatusCode::OK);
        assert_eq!(
            status(&readiness, "/readyz").await,
            StatusCode::SERVICE_UNAVAILABLE
        );
        readiness.set(true);
        assert_eq!(status(&readiness, "/readyz").await, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_port_in_use_names_the_flag() {
        let first = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let taken = Bind::At(first.local_addr().unwrap().to_string());
        let failure = listen(&taken, "--metrics-bind-address").await.unwrap_err();
        assert_eq!(failure.code, failure::USAGE);
        assert!(failure.help.contains("--metrics-bind-address"));
    }
}
