//! The connection to the controller's metrics service.
//!
//! ```text
//!  Lease holder ─▶ pod address ─┐
//!  --metrics-service-address ───┼─▶ Endpoint (watched) ─▶ Feed: one connection, re-made when the endpoint moves
//!  Service keda-operator ───────┘
//! ```
//!
//! A read that meets a controller that is going away waits and asks the next one, within its three seconds.

pub(crate) mod endpoint;
pub(crate) mod lease;

use std::error::Error as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rpc::metrics::metrics_service_client::MetricsServiceClient;
use rpc::metrics::{ExternalMetricValueList, ScaledObjectRef};
use rpc::tls::{CertFolder, ClientTls};
use rpc::{Link, LinkState, Retry};
use tokio::sync::watch;
use tonic::Status;

pub(crate) use endpoint::Endpoint;

use crate::prometheus::CallMetrics;

/// Asks the controller.
pub(crate) struct Feed {
    certificates: Arc<CertFolder>,
    endpoint: watch::Receiver<Endpoint>,
    connection: Mutex<Option<Arc<Connection>>>,
    metrics: CallMetrics,
    retry: Retry,
}

/// A connection and what it leads to.
struct Connection {
    endpoint: Endpoint,
    link: Link,
    since: Timestamp,
}

/// An answer and how it was got.
pub(crate) struct Answer {
    /// What the controller said.
    pub(crate) result: Result<ExternalMetricValueList, Status>,
    /// Whom it was.
    pub(crate) endpoint: String,
    /// Attempts it took.
    pub(crate) attempts: u32,
}

/// State of the connection for the debug API.
pub(crate) struct State {
    /// Whom is asked.
    pub(crate) endpoint: Endpoint,
    /// Since when.
    pub(crate) since: Option<Timestamp>,
    /// Whether it is connected.
    pub(crate) link: LinkState,
}

impl Feed {
    /// A feed that follows `endpoint`. Connects at the first question.
    pub(crate) fn new(
        certificates: Arc<CertFolder>,
        endpoint: watch::Receiver<Endpoint>,
        metrics: CallMetrics,
    ) -> Self {
        Self {
            certificates,
            endpoint,
            connection: Mutex::default(),
            metrics,
            retry: Retry::default(),
        }
    }

    /// Asks for the values of a metric. Attempts are repeated while the controller is unavailable; when another one takes over, the
    /// attempt under way is given up for it.
    pub(crate) async fn values(&self, question: &ScaledObjectRef) -> Answer {
        let attempts = AtomicU32::new(0);
        let asked = Mutex::new(String::new());
        let call = self.metrics.started();
        let result = self
            .retry
            .run(|attempt| {
                attempts.store(attempt, Ordering::Relaxed);
                // First the mark, then the look: a move in between is noticed.
                let mut moved = self.endpoint.clone();
                moved.mark_unchanged();
                let connection = self.connection();
                let asked = &asked;
                async move {
                    let connection = connection?;
                    connection.endpoint.address.clone_into(&mut asked.lock().unwrap_or_else(PoisonError::into_inner));
                    let mut client = MetricsServiceClient::new(connection.link.channel.clone());
                    tokio::select! {
                        answer = client.get_metrics(question.clone()) => answer.map(tonic::Response::into_inner),
                        Ok(()) = moved.changed() => Err(Status::unavailable("another controller took over")),
                    }
                }
            })
            .await;
        call.finished(result.as_ref().err());
        let endpoint = asked.into_inner().unwrap_or_else(PoisonError::into_inner);
        Answer {
            result: result.map_err(|status| located(status, &endpoint)),
            endpoint,
            attempts: attempts.into_inner(),
        }
    }

    /// What the debug API tells.
    pub(crate) fn state(&self) -> State {
        let endpoint = self.endpoint.borrow().clone();
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match connection {
            Some(connection) if connection.endpoint == endpoint => {
                let link = connection.link.state.borrow().clone();
                State {
                    endpoint,
                    since: Some(connection.since),
                    link,
                }
            }
            _ => State {
                endpoint,
                since: None,
                link: LinkState::Idle,
            },
        }
    }

    /// The connection to the endpoint of now.
    fn connection(&self) -> Result<Arc<Connection>, Status> {
        let endpoint = self.endpoint.borrow();
        let mut current = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = current
            .as_ref()
            .filter(|connection| connection.endpoint == *endpoint)
        {
            return Ok(connection.clone());
        }
        let wrong = |error: &(dyn std::error::Error + 'static)| {
            Status::failed_precondition(format!("{}: {}", endpoint.address, crate::error_chain(error)))
        };
        let names: Vec<&str> = endpoint.names.iter().map(String::as_str).collect();
        let tls = ClientTls::mutual(self.certificates.clone(), &names).map_err(|error| wrong(&error))?;
        let link = rpc::connect(tls, endpoint.address.clone(), names[0]).map_err(|error| wrong(&error))?;
        tracing::info!(address = endpoint.address, source = %endpoint.source, holder = endpoint.holder, "asking this controller from now on");
        tokio::spawn(tell(endpoint.address.clone(), link.state.clone()));
        let connection = Arc::new(Connection {
            endpoint: endpoint.clone(),
            link,
            since: Timestamp::now(),
        });
        *current = Some(connection.clone());
        Ok(connection)
    }
}

/// Adds to an error of the transport where it happened; what the controller itself says stays as it is.
fn located(status: Status, address: &str) -> Status {
    if status.source().is_none() || address.is_empty() {
        return status;
    }
    Status::new(
        status.code(),
        format!("controller at {address}: {}", status.message()),
    )
}

/// Logs what becomes of a connection, each failure once.
async fn tell(address: String, mut state: watch::Receiver<LinkState>) {
    let mut last = String::new();
    while state.changed().await.is_ok() {
        let now = state.borrow_and_update().clone();
        match now {
            LinkState::Ready => {
                tracing::info!(address, "connected to the controller");
                last.clear();
            }
            LinkState::Failed(error) if error != last => {
                tracing::warn!(address, error, "no connection to the controller");
                last = error;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "feed/tests.rs"]
mod tests;
