//! Metrics of the work of event sources, under KEDA's names.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use scalers::{Errand, Nulls, Observer};

use super::labels::Labels;
use super::{Counters, Histograms, Metrics, counter};

/// Seconds, as upstream's histogram has them.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Metrics of the work of event sources.
#[derive(Debug)]
pub(super) struct Sources {
    requests: Counters,
    seconds: Histograms,
    empty: Counters,
}

impl Sources {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let seconds = Histograms::new_with_constructor(|| Histogram::new(BUCKETS));
        let name = "keda_scaler_http_request_duration_seconds";
        registry.register(
            name,
            "Time that an HTTP request of a scaler took",
            seconds.clone(),
        );
        Self {
            requests: counter(registry, "keda_scaler_http_requests", "HTTP requests of scalers"),
            seconds,
            empty: counter(
                registry,
                "keda_scaler_empty_upstream_responses",
                "Queries that found nothing",
            ),
        }
    }

    /// Takes back what carries these labels.
    pub(super) fn remove(&self, labels: &Labels) {
        self.requests.remove(labels);
        self.empty.remove(labels);
    }
}

impl Observer for Metrics {
    fn http_request(&self, errand: &Errand, status: Option<u16>, took: Duration) {
        let asker = &errand.asker;
        let code = status.map_or_else(|| "error".to_owned(), |status| status.to_string());
        let labels = [
            ("namespace", asker.namespace.as_str()),
            ("scaled_resource", &asker.object),
            ("scaler", asker.scaler),
            ("trigger_name", &asker.trigger),
            ("metric_name", &metric(errand)),
            ("status_code", &code),
        ];
        let labels = self.keep(&asker.namespace, &asker.object, &labels);
        self.0.sources.requests.get_or_create(&labels).inc();
        let labels = self.keep("", "", &[("scaler", asker.scaler), ("status_code", &code)]);
        let seconds = self.0.sources.seconds.get_or_create(&labels);
        seconds.observe(took.as_secs_f64());
    }

    fn empty_answer(&self, errand: &Errand, nulls: Nulls) {
        let asker = &errand.asker;
        let labels = [
            ("namespace", asker.namespace.as_str()),
            ("scaledResource", &asker.object),
            ("triggerName", &asker.trigger),
            ("metricName", &metric(errand)),
            ("resourceType", "scaledobject"),
            ("ignoreNullValues", &(nulls == Nulls::Ignored).to_string()),
        ];
        let labels = self.keep(&asker.namespace, &asker.object, &labels);
        self.0.sources.empty.get_or_create(&labels).inc();
    }
}

/// The metric's name as the HPA knows it.
fn metric(errand: &Errand) -> String {
    if errand.metric.is_empty() {
        return String::new();
    }
    format!("s{}-{}", errand.asker.index, errand.metric)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use engine::metric::MetricName;
    use scalers::{Connect, Pool, TriggerInput};

    use super::*;

    /// Hands on what it is told, and keeps the errand of it.
    struct Ear(Metrics, Mutex<Option<Errand>>);

    impl Observer for Ear {
        fn http_request(&self, errand: &Errand, status: Option<u16>, took: Duration) {
            *self.1.lock().unwrap() = Some(errand.clone());
            self.0.http_request(errand, status, took);
        }

        fn empty_answer(&self, errand: &Errand, nulls: Nulls) {
            self.0.empty_answer(errand, nulls);
        }
    }

    /// Asks an HTTP server that does not exist, or one that answers 404.
    async fn ask(connect: Connect, url: &str) {
        let mut input = TriggerInput {
            type_: "metrics-api".to_owned(),
            index: 1,
            name: Some("depth".to_owned()),
            ..TriggerInput::default()
        };
        input.object = scalers::ObjectKey {
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
        };
        for (key, value) in [("url", url), ("targetValue", "5"), ("valueLocation", "depth")] {
            input.metadata.insert(key.to_owned(), value.to_owned());
        }
        let built = scalers::read(&input).unwrap();
        let read = Pool::new(connect)
            .ask(
                &built,
                &MetricName::new("s1-metric-api-depth"),
                jiff::Timestamp::UNIX_EPOCH,
            )
            .await;
        assert!(read.is_err());
    }

    #[tokio::test]
    async fn requests_are_counted_by_trigger_and_status() {
        let metrics = Metrics::new();
        let ear = Arc::new(Ear(metrics.clone(), Mutex::default()));
        let connect = Connect {
            observer: Some(Arc::clone(&ear) as Arc<dyn Observer>),
            ..Connect::default()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
        ask(connect.clone(), &url).await;
        server.abort();
        drop(server.await);
        ask(connect, &url).await;
        let text = metrics.text();
        let trigger = r#"namespace="shop",scaled_resource="orders",scaler="metrics-api",trigger_name="depth",metric_name="s1-metric-api-depth""#;
        for line in [
            format!(r#"keda_scaler_http_requests_total{{{trigger},status_code="404"}} 1"#),
            format!(r#"keda_scaler_http_requests_total{{{trigger},status_code="error"}} 1"#),
            r#"keda_scaler_http_request_duration_seconds_count{scaler="metrics-api",status_code="404"} 1"#
                .to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }

        let errand = ear.1.lock().unwrap().clone().unwrap();
        metrics.empty_answer(&errand, Nulls::Ignored);
        metrics.empty_answer(&errand, Nulls::Refused);
        let trigger = r#"namespace="shop",scaledResource="orders",triggerName="depth",metricName="s1-metric-api-depth",resourceType="scaledobject""#;
        for ignored in ["true", "false"] {
            let line = format!(
                r#"keda_scaler_empty_upstream_responses_total{{{trigger},ignoreNullValues="{ignored}"}} 1"#
            );
            assert!(
                metrics.text().contains(&line),
                "{line} is missing in\n{}",
                metrics.text()
            );
        }
        metrics.forget("shop", "orders");
        assert!(!metrics.text().contains("orders"), "{}", metrics.text());
    }
}
