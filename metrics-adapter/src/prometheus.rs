//! `/metrics`, with KEDA's names.

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tonic::Status;

use crate::api::status::code_name;

/// Buckets of call durations. Upstream: `pkg/metricsservice`, v2.20.
const BUCKETS: [f64; 14] = [
    0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0,
];

/// Labels of a call. One method is called, so they never differ.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "the fields are the labels' names")]
struct Method {
    grpc_type: &'static str,
    grpc_service: &'static str,
    grpc_method: &'static str,
}

const GET_METRICS: Method = Method {
    grpc_type: "unary",
    grpc_service: "api.MetricsService",
    grpc_method: "GetMetrics",
};

/// Labels of a finished call.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "the fields are the labels' names")]
struct Finished {
    grpc_type: &'static str,
    grpc_service: &'static str,
    grpc_method: &'static str,
    grpc_code: &'static str,
}

/// Labels of an answered request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    verb: &'static str,
    code: u16,
}

/// Counts calls to the controller.
#[derive(Clone)]
pub(crate) struct CallMetrics {
    started: Family<Method, Counter>,
    handled: Family<Finished, Counter>,
    received: Family<Method, Counter>,
    sent: Family<Method, Counter>,
    seconds: Family<Method, Histogram>,
}

/// A call under way.
pub(crate) struct Call<'a> {
    metrics: &'a CallMetrics,
    since: Instant,
}

impl CallMetrics {
    /// Counts a call that starts.
    pub(crate) fn started(&self) -> Call<'_> {
        self.started.get_or_create(&GET_METRICS).inc();
        self.sent.get_or_create(&GET_METRICS).inc();
        Call {
            metrics: self,
            since: Instant::now(),
        }
    }
}

impl Call<'_> {
    /// Counts its end.
    pub(crate) fn finished(self, error: Option<&Status>) {
        let Method {
            grpc_type,
            grpc_service,
            grpc_method,
        } = GET_METRICS;
        let grpc_code = code_name(error.map_or(tonic::Code::Ok, Status::code));
        let finished = Finished {
            grpc_type,
            grpc_service,
            grpc_method,
            grpc_code,
        };
        self.metrics.handled.get_or_create(&finished).inc();
        if error.is_none() {
            self.metrics.received.get_or_create(&GET_METRICS).inc();
        }
        self.metrics
            .seconds
            .get_or_create(&GET_METRICS)
            .observe(self.since.elapsed().as_secs_f64());
    }
}

/// All metrics of the process.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    /// Calls to the controller.
    pub(crate) calls: CallMetrics,
    requests: Family<Request, Counter>,
}

impl Metrics {
    /// Metrics that start at nothing.
    pub(crate) fn new() -> Self {
        let calls = CallMetrics {
            started: Family::default(),
            handled: Family::default(),
            received: Family::default(),
            sent: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        };
        let requests = Family::<Request, Counter>::default();
        let mut registry = Registry::default();
        // Counters get `_total` behind their names.
        let mut add = |name: &str, help: &str, counter: Family<Method, Counter>| {
            registry.register(
                format!("keda_internal_metricsservice_grpc_client_{name}"),
                help,
                counter,
            );
        };
        add("started", "Calls started on the client", calls.started.clone());
        add(
            "msg_received",
            "Messages received by the client",
            calls.received.clone(),
        );
        add("msg_sent", "Messages sent by the client", calls.sent.clone());
        registry.register(
            "keda_internal_metricsservice_grpc_client_handled",
            "Calls completed by the client, whether successfully or not",
            calls.handled.clone(),
        );
        registry.register(
            "keda_internal_metricsservice_grpc_client_handling_seconds",
            "Seconds until the client had its answer",
            calls.seconds.clone(),
        );
        registry.register(
            "apiserver_request",
            "Requests answered by the aggregated API",
            requests.clone(),
        );
        Self {
            registry: Arc::new(registry),
            calls,
            requests,
        }
    }

    /// Counts an answered request.
    pub(crate) fn request(&self, method: &http::Method, code: u16) {
        let verb = match *method {
            http::Method::GET => "GET",
            http::Method::POST => "POST",
            http::Method::PUT => "PUT",
            http::Method::PATCH => "PATCH",
            http::Method::DELETE => "DELETE",
            http::Method::HEAD => "HEAD",
            _ => "other",
        };
        self.requests.get_or_create(&Request { verb, code }).inc();
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("a String takes any text");
        text
    }
}

/// Content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kedas() {
        let metrics = Metrics::new();
        metrics.calls.started().finished(None);
        metrics
            .calls
            .started()
            .finished(Some(&Status::unavailable("gone")));
        metrics.request(&http::Method::GET, 200);
        let text = metrics.text();
        let method = r#"grpc_type="unary",grpc_service="api.MetricsService",grpc_method="GetMetrics""#;
        for (name, labels, value) in [
            ("started_total", method.to_owned(), 2),
            ("msg_sent_total", method.to_owned(), 2),
            ("msg_received_total", method.to_owned(), 1),
            ("handled_total", format!(r#"{method},grpc_code="OK""#), 1),
            ("handled_total", format!(r#"{method},grpc_code="Unavailable""#), 1),
            ("handling_seconds_count", method.to_owned(), 2),
        ] {
            let line = format!("keda_internal_metricsservice_grpc_client_{name}{{{labels}}} {value}\n");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
        assert!(
            text.contains("apiserver_request_total{verb=\"GET\",code=\"200\"} 1\n"),
            "{text}"
        );
    }
}
