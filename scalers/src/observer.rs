//! What a process learns of the work of sources, for its own metrics; sources themselves know nothing of Prometheus.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::connect::Connect;
use crate::input::TriggerInput;

/// Is told what sources do. Called in the middle of a read, so it must not wait.
pub trait Observer: Send + Sync {
    /// An HTTP request of a scaler ended. A request that answers several triggers is told of once, for the first of them.
    fn http_request(&self, on_behalf_of: &Errand, status: Option<u16>, took: Duration);

    /// A query found nothing.
    fn empty_answer(&self, on_behalf_of: &Errand, nulls: Nulls);
}

/// What a trigger makes of a query that finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Zero.
    Ignored,
    /// An error.
    Refused,
}

/// The trigger that a source works for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Namespace of its object.
    pub namespace: String,
    /// Name of its object.
    pub object: String,
    /// Its place in `spec.triggers`.
    pub index: usize,
    /// Its type.
    pub scaler: &'static str,
    /// Its name, or nothing.
    pub trigger: String,
    /// `namespace/name[index]`, as the connection report names it.
    pub(crate) label: Arc<str>,
}

impl Asker {
    pub(crate) fn new(input: &TriggerInput, scaler: &'static str) -> Self {
        Self {
            namespace: input.object.namespace.clone(),
            object: input.object.name.clone(),
            index: input.index,
            scaler,
            trigger: input.name.clone().unwrap_or_default(),
            label: format!("{}[{}]", input.object, input.index).into(),
        }
    }
}

/// One read: who wants it, and which metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// The trigger.
    pub asker: Arc<Asker>,
    /// The metric without the index in front, or nothing while the source is asked for its metrics.
    pub metric: String,
}

tokio::task_local! {
    /// The read that a request is made for. Requests are shared and polled by whoever waits for them, so it goes with the
    /// request, not with the task.
    static ERRAND: Errand;
}

/// Makes a request on behalf of a read.
pub(crate) async fn on_behalf_of<T>(errand: Option<Errand>, request: impl Future<Output = T>) -> T {
    match errand {
        Some(errand) => ERRAND.scope(errand, request).await,
        None => request.await,
    }
}

/// An HTTP request under way. The observer is told when it ends, also by everybody giving it up.
pub(crate) struct HttpRequest<'a> {
    connect: &'a Connect,
    begin: Instant,
    status: Option<u16>,
}

impl<'a> HttpRequest<'a> {
    pub(crate) fn begin(connect: &'a Connect) -> Self {
        Self {
            connect,
            begin: Instant::now(),
            status: None,
        }
    }

    /// The request was answered with a status.
    pub(crate) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for HttpRequest<'_> {
    fn drop(&mut self) {
        if let Some(observer) = &self.connect.observer {
            let took = self.begin.elapsed();
            // A request that is made for no read is nobody's.
            let _ = ERRAND.try_with(|errand| observer.http_request(errand, self.status, took));
        }
    }
}
