//! Prometheus metrics with KEDA's names and labels, so that dashboards and alerts go on working.
//!
//! The text is `OpenMetrics`; counters carry `_total` as upstream's do.

mod hpa;
mod labels;
mod sources;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use labels::Labels;

type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Seconds, as upstream's gRPC histogram has them.
const RPC_BUCKETS: [f64; 14] = [
    0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0,
];

/// Every metric of the operator. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    value: Gauges,
    latency: Gauges,
    active: Gauges,
    scaler_errors: Counters,
    object_errors: Counters,
    job_errors: Counters,
    paused: Gauges,
    loop_latency: Gauges,
    triggers: Gauges,
    resources: Gauges,
    leader: Gauges,
    queue_depth: Gauges,
    reconciles: Counters,
    rpc: Rpc,
    hpa: hpa::Hpa,
    sources: sources::Sources,
    written: Mutex<Written>,
}

/// The labels that name each object, by namespace and name: they are made once, and taken back when the object goes.
type Written = BTreeMap<String, BTreeMap<String, Vec<Labels>>>;

/// Calls of the metrics service.
#[derive(Debug)]
struct Rpc {
    started: Counters,
    handled: Counters,
    received: Counters,
    sent: Counters,
    seconds: Histograms,
}

impl Rpc {
    fn register(registry: &mut Registry) -> Self {
        let seconds = Histograms::new_with_constructor(|| Histogram::new(RPC_BUCKETS));
        let name = "keda_internal_metricsservice_grpc_server_handling_seconds";
        registry.register(name, "Time that a call took", seconds.clone());
        Self {
            started: rpc(registry, "started"),
            handled: rpc(registry, "handled"),
            received: rpc(registry, "msg_received"),
            sent: rpc(registry, "msg_sent"),
            seconds,
        }
    }
}

/// One trigger's metric, as the common labels name it.
#[derive(Clone, Debug)]
pub(crate) struct Reading<'a> {
    /// Namespace of the object.
    pub(crate) namespace: &'a str,
    /// Name of the ScaledObject.
    pub(crate) object: &'a str,
    /// Name of the metric, with its index prefix.
    pub(crate) metric: &'a str,
    /// The trigger's name, else the scaler's name as upstream prints it.
    pub(crate) scaler: &'a str,
    /// Place in `spec.triggers`.
    pub(crate) trigger_index: usize,
}

impl Metrics {
    /// Registers every metric.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let build = gauge(&mut registry, "keda_build_info", "Version of this build");
        build.get_or_create(&build_labels()).set(1.0);
        let inner = Inner {
            value: gauge(
                &mut registry,
                "keda_scaler_metrics_value",
                "Last metric value handed out",
            ),
            latency: gauge(
                &mut registry,
                "keda_scaler_metrics_latency_seconds",
                "Duration of the last metric read",
            ),
            active: gauge(&mut registry, "keda_scaler_active", "1 if the scaler is active"),
            scaler_errors: counter(
                &mut registry,
                "keda_scaler_detail_errors",
                "Failed reads of a scaler",
            ),
            object_errors: counter(
                &mut registry,
                "keda_scaled_object_errors",
                "Errors of a ScaledObject",
            ),
            job_errors: counter(&mut registry, "keda_scaled_job_errors", "Errors of a ScaledJob"),
            paused: gauge(
                &mut registry,
                "keda_scaled_object_paused",
                "1 if the ScaledObject is paused",
            ),
            loop_latency: gauge(
                &mut registry,
                "keda_internal_scale_loop_latency_seconds",
                "How late the last iteration of the scale loop began",
            ),
            triggers: gauge(&mut registry, "keda_trigger_registered_total", "Triggers by type"),
            resources: gauge(
                &mut registry,
                "keda_resource_registered_total",
                "Objects by type and namespace",
            ),
            leader: gauge(
                &mut registry,
                "leader_election_master_status",
                "1 if this process leads",
            ),
            queue_depth: gauge(
                &mut registry,
                "workqueue_depth",
                "Objects waiting for a reconcile",
            ),
            reconciles: counter(
                &mut registry,
                "controller_runtime_reconcile",
                "Reconciles by result",
            ),
            rpc: Rpc::register(&mut registry),
            hpa: hpa::Hpa::register(&mut registry),
            sources: sources::Sources::register(&mut registry),
            written: Mutex::default(),
            registry,
        };
        Self(Arc::new(inner))
    }

    /// The route that prints them.
    pub(crate) fn routes(&self) -> Router {
        let metrics = self.clone();
        let print = move || {
            let text = metrics.text();
            async move {
                (
                    [(
                        CONTENT_TYPE,
                        "application/openmetrics-text; version=1.0.0; charset=utf-8",
                    )],
                    text,
                )
            }
        };
        Router::new().route("/metrics", get(print))
    }

    /// The exposition text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.0.registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n# EOF\n"),
        }
    }

    /// Records a read: its value with the scaler's activity, or that it failed; and how long it took.
    pub(crate) fn read(&self, reading: &Reading<'_>, value: Option<(f64, bool)>, took: Duration) {
        let labels = self.keep(
            reading.namespace,
            reading.object,
            &[
                ("namespace", reading.namespace),
                ("metric", reading.metric),
                ("scaledObject", reading.object),
                ("scaler", reading.scaler),
                ("triggerIndex", &reading.trigger_index.to_string()),
                ("type", "scaledobject"),
            ],
        );
        // Upstream counts from zero at the first read, so that a rate exists before the first error.
        let failed = u64::from(value.is_none());
        self.0.scaler_errors.get_or_create(&labels).inc_by(failed);
        let Some((value, active)) = value else {
            return self.object_failed(reading.namespace, reading.object);
        };
        self.0.value.get_or_create(&labels).set(value);
        self.0.latency.get_or_create(&labels).set(took.as_secs_f64());
        self.0
            .active
            .get_or_create(&labels)
            .set(f64::from(u8::from(active)));
    }

    /// Counts an error of an object.
    pub(crate) fn object_failed(&self, namespace: &str, object: &str) {
        let labels = self.object(namespace, object);
        self.0.object_errors.get_or_create(&labels).inc();
    }

    /// Counts an error of a ScaledJob.
    pub(crate) fn job_failed(&self, namespace: &str, object: &str) {
        let labels = job_labels(namespace, object);
        self.0.job_errors.get_or_create(&labels).inc();
    }

    /// Takes back what names a ScaledJob that is gone.
    pub(crate) fn forget_job(&self, namespace: &str, object: &str) {
        self.0.job_errors.remove(&job_labels(namespace, object));
    }

    /// Records whether an object is paused.
    pub(crate) fn paused(&self, namespace: &str, object: &str, paused: bool) {
        let labels = self.object(namespace, object);
        self.0
            .paused
            .get_or_create(&labels)
            .set(f64::from(u8::from(paused)));
    }

    /// Records how late an iteration of an object's loop began.
    pub(crate) fn loop_began(&self, namespace: &str, object: &str, late: Duration) {
        let labels = self.keep(
            namespace,
            object,
            &[
                ("namespace", namespace),
                ("type", "scaledobject"),
                ("resource", object),
            ],
        );
        self.0.loop_latency.get_or_create(&labels).set(late.as_secs_f64());
    }

    /// Takes back everything that names an object that is gone.
    pub(crate) fn forget(&self, namespace: &str, object: &str) {
        let mut all = self.written();
        let Some(objects) = all.get_mut(namespace) else {
            return;
        };
        let written = objects.remove(object);
        if objects.is_empty() {
            all.remove(namespace);
        }
        drop(all);
        let inner = &self.0;
        for labels in written.into_iter().flatten() {
            for gauges in [
                &inner.value,
                &inner.latency,
                &inner.active,
                &inner.paused,
                &inner.loop_latency,
            ] {
                gauges.remove(&labels);
            }
            for counters in [&inner.scaler_errors, &inner.object_errors] {
                counters.remove(&labels);
            }
            inner.sources.remove(&labels);
            inner.hpa.remove(&labels);
        }
    }

    /// Replaces the counts of triggers by type.
    pub(crate) fn set_triggers(&self, counts: &BTreeMap<String, usize>) {
        self.0.triggers.clear();
        for (kind, count) in counts {
            self.0
                .triggers
                .get_or_create(&Labels::from(&[("type", kind.as_str())]))
                .set(*count as f64);
        }
    }

    /// Replaces the counts of objects by type and namespace; cluster-wide ones are shown under `default`, as upstream does.
    pub(crate) fn set_resources(&self, counts: &BTreeMap<&'static str, BTreeMap<String, usize>>) {
        self.0.resources.clear();
        let counts = counts
            .iter()
            .flat_map(|(kind, counts)| counts.iter().map(move |count| (kind, count)));
        for (kind, (namespace, count)) in counts {
            let namespace = if namespace.is_empty() {
                "default"
            } else {
                namespace
            };
            let labels = Labels::from(&[("type", *kind), ("namespace", namespace)]);
            self.0.resources.get_or_create(&labels).set(*count as f64);
        }
    }

    /// Records whether this process leads.
    pub(crate) fn leads(&self, lease: &str, leads: bool) {
        self.0
            .leader
            .get_or_create(&Labels::from(&[("name", lease)]))
            .set(f64::from(u8::from(leads)));
    }

    /// Records how many objects wait for a reconcile.
    pub(crate) fn queued(&self, queue: &'static str, waiting: usize) {
        self.0
            .queue_depth
            .get_or_create(&Labels::from(&[("name", queue)]))
            .set(waiting as f64);
    }

    /// Counts a reconcile.
    pub(crate) fn reconciled(&self, controller: &'static str, result: &'static str) {
        let labels = self.keep("", "", &[("controller", controller), ("result", result)]);
        self.0.reconciles.get_or_create(&labels).inc();
    }

    /// Counts one answered call of the metrics service.
    pub(crate) fn rpc(&self, method: &'static str, code: tonic::Code, took: Duration) {
        let call = [
            ("grpc_type", "unary"),
            ("grpc_service", "api.MetricsService"),
            ("grpc_method", method),
        ];
        let labels = self.keep("", "", &call);
        self.0.rpc.started.get_or_create(&labels).inc();
        self.0.rpc.received.get_or_create(&labels).inc();
        self.0
            .rpc
            .seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        if code == tonic::Code::Ok {
            self.0.rpc.sent.get_or_create(&labels).inc();
        }
        // Go prints `OK`; all other names are the same.
        let code = if code == tonic::Code::Ok {
            "OK".to_owned()
        } else {
            format!("{code:?}")
        };
        let [kind, service, method] = call;
        let labels = self.keep("", "", &[kind, service, method, ("grpc_code", &code)]);
        self.0.rpc.handled.get_or_create(&labels).inc();
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The labels of a ScaledObject's own metrics.
    fn object(&self, namespace: &str, object: &str) -> Labels {
        let labels = [("namespace", namespace), ("scaledObject", object)];
        self.keep(namespace, object, &labels)
    }

    /// Labels that name an object, so that they can be taken back; they are made once, and all metrics share them. Those of no
    /// object are kept under empty names.
    fn keep(&self, namespace: &str, object: &str, labels: &[(&'static str, &str)]) -> Labels {
        let mut all = self.written();
        let known = all.get(namespace).and_then(|objects| objects.get(object));
        if let Some(known) = known.and_then(|known| known.iter().find(|known| known.are(labels))) {
            return known.clone();
        }
        let objects = all.entry(namespace.to_owned()).or_default();
        let known = objects.entry(object.to_owned()).or_default();
        let labels = Labels::from(labels);
        known.reserve_exact(1);
        known.push(labels.clone());
        labels
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let family = Gauges::default();
    registry.register(name, help, family.clone());
    family
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counters {
    let family = Counters::default();
    registry.register(name, help, family.clone());
    family
}

fn rpc(registry: &mut Registry, what: &str) -> Counters {
    counter(
        registry,
        &format!("keda_internal_metricsservice_grpc_server_{what}"),
        "Calls of the metrics service",
    )
}

fn job_labels(namespace: &str, object: &str) -> Labels {
    Labels::from(&[("namespace", namespace), ("scaledJob", object)])
}

fn build_labels() -> Labels {
    Labels::from(&[
        ("version", env!("CARGO_PKG_VERSION")),
        ("git_commit", option_env!("GIT_COMMIT").unwrap_or("unknown")),
        ("goversion", "none"),
        ("goos", std::env::consts::OS),
        ("goarch", std::env::consts::ARCH),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Reading<'_> = Reading {
        namespace: "ns",
        object: "so",
        metric: "s0-jobs",
        scaler: "redisScaler",
        trigger_index: 0,
    };

    #[test]
    fn names_and_labels_are_upstreams() {
        let metrics = Metrics::new();
        metrics.read(&READING, Some((5.0, true)), Duration::from_millis(20));
        metrics.read(&READING, None, Duration::from_millis(3));
        let text = metrics.text();
        let labels = r#"{namespace="ns",metric="s0-jobs",scaledObject="so",scaler="redisScaler",triggerIndex="0",type="scaledobject"}"#;
        for line in [
            format!("keda_scaler_metrics_value{labels} 5.0"),
            format!("keda_scaler_metrics_latency_seconds{labels} 0.02"),
            format!("keda_scaler_active{labels} 1.0"),
            format!("keda_scaler_detail_errors_total{labels} 1"),
            r#"keda_scaled_object_errors_total{namespace="ns",scaledObject="so"} 1"#.to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_deleted_object_leaves_nothing() {
        let metrics = Metrics::new();
        metrics.read(&READING, Some((5.0, true)), Duration::ZERO);
        metrics.object_failed("ns", "so");
        metrics.recomputed("ns", "so", "differs");
        metrics.paused("ns", "so", true);
        metrics.loop_began("ns", "so", Duration::ZERO);
        metrics.job_failed("ns", "so");
        metrics.forget("ns", "so");
        assert!(metrics.text().contains(r#"scaledJob="so""#), "{}", metrics.text());
        metrics.forget_job("ns", "so");
        assert!(!metrics.text().contains(r#""so""#), "{}", metrics.text());
    }

    #[test]
    fn rpc_calls_are_counted_by_code() {
        let metrics = Metrics::new();
        metrics.rpc("GetMetrics", tonic::Code::Ok, Duration::from_millis(2));
        metrics.rpc("GetMetrics", tonic::Code::Unknown, Duration::from_millis(2));
        let text = metrics.text();
        for code in ["OK", "Unknown"] {
            let line = format!(
                r#"keda_internal_metricsservice_grpc_server_handled_total{{grpc_type="unary",grpc_service="api.MetricsService",grpc_method="GetMetrics",grpc_code="{code}"}} 1"#
            );
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }
}
