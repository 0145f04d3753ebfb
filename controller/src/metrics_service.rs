//! KEDA's `MetricsService`: answers the metrics adapter, which asks on behalf of the HPA controller.
//!
//! A read is live, unless the trigger has `useCachedMetrics`; reads that arrive while the same question is in flight share its
//! answer (in the pool), nothing older is reused.

use std::sync::Arc;
use std::time::Instant;

use engine::desired::ObjectKey;
use engine::metric::Sample;
use futures::stream::BoxStream;
use jiff::Timestamp;
use rpc::metrics::metrics_service_server::MetricsService;
use rpc::metrics::raw_metrics_service_server::RawMetricsService;
use rpc::metrics::{
    ExternalMetricValue, ExternalMetricValueList, Quantity, RawMetricsRequest, RawMetricsResponse,
    ScaledObjectRef, SubscriptionAck, SubscriptionRequest, Time,
};
use tonic::{Request, Response, Status};

use crate::ask::Answer;
use crate::operator::Operator;

/// Serves the metrics of every object of this replica.
pub(crate) struct Feed(pub(crate) Arc<Operator>);

#[tonic::async_trait]
impl MetricsService for Feed {
    async fn get_metrics(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<ExternalMetricValueList>, Status> {
        let begin = Instant::now();
        let ScaledObjectRef {
            name,
            namespace,
            metric_name,
        } = request.into_inner();
        let answer = self.read(&ObjectKey::new(namespace, name), &metric_name).await;
        let code = answer.as_ref().map_or_else(Status::code, |_| tonic::Code::Ok);
        self.0.metrics.rpc("GetMetrics", code, begin.elapsed());
        answer.map(Response::new)
    }
}

impl Feed {
    /// Upstream: `GetScaledObjectMetrics`. Errors carry code `Unknown` and upstream's beginning, as Go's gRPC server makes of any error.
    async fn read(&self, key: &ObjectKey, metric: &str) -> Result<ExternalMetricValueList, Status> {
        let failed = |why: String| Status::unknown(format!("error when getting metric values {why}"));
        let subject = self.0.subject(key).await.map_err(failed)?;
        let Some(live) = self.0.live(key) else {
            return Err(failed(format!("no scale loop for {key}")));
        };
        let mut wanted = Vec::new();
        for (index, slot) in subject.triggers.slots.iter().enumerate() {
            let metrics = slot.metrics();
            let matching = metrics
                .externals()
                .iter()
                .filter(|external| external.name.matches(metric));
            wanted.extend(matching.cloned().map(|external| (index, slot, external)));
        }
        let answers = wanted.into_iter().map(|(index, slot, external)| {
            let (subject, live) = (&subject, &live);
            async move {
                if slot.use_cached_metrics
                    && let Some(polled) = live.polled(external.name.as_str())
                {
                    return (polled, true);
                }
                (self.0.asker.one(subject, index, slot, external).await, false)
            }
        });
        let answers = futures::future::join_all(answers).await;
        if answers.is_empty() {
            return Err(failed(format!("no matching metrics found for {metric}")));
        }
        let mut items = Vec::new();
        let mut broken = false;
        for (answer, cached) in &answers {
            live.note_read(answer, *cached);
            match &answer.result {
                Ok(samples) => items.extend(samples.iter().map(|sample| item(answer, sample))),
                Err(error) => {
                    tracing::debug!(%key, metric, error, "the HPA gets no value");
                    self.0.read_failed(&subject, answer);
                    broken = true;
                }
            }
        }
        if broken {
            return Err(failed(format!("metric:{metric} encountered error")));
        }
        if let Some((first, _)) = answers.first() {
            let values = answers
                .iter()
                .flat_map(|(answer, _)| answer.result.iter().flatten());
            let milli = values.map(|sample| sample.quantity().milli());
            live.serve(first.metric.name.as_str(), milli.fold(0, i64::saturating_add));
        }
        Ok(ExternalMetricValueList {
            metadata: None,
            items,
        })
    }
}

fn item(answer: &Answer, sample: &Sample) -> ExternalMetricValue {
    ExternalMetricValue {
        metric_name: answer.metric.name.to_string(),
        metric_labels: std::collections::HashMap::default(),
        timestamp: Some(time(answer.at)),
        window: None,
        value: Some(Quantity {
            string: sample.quantity().to_string(),
        }),
    }
}

fn time(at: Timestamp) -> Time {
    Time {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    }
}

/// KEDA's raw metrics stream, which it serves only when `RAW_METRICS_GRPC_PROTOCOL=enabled`.
pub(crate) struct Raw;

fn not_yet() -> Status {
    Status::unimplemented("the raw metrics stream is not in this version yet")
}

#[tonic::async_trait]
impl RawMetricsService for Raw {
    type GetRawMetricsStreamStream = BoxStream<'static, Result<RawMetricsResponse, Status>>;

    async fn get_raw_metrics_stream(
        &self,
        _: Request<RawMetricsRequest>,
    ) -> Result<Response<Self::GetRawMetricsStreamStream>, Status> {
        Err(not_yet())
    }

    async fn subscribe_metric(
        &self,
        _: Request<SubscriptionRequest>,
    ) -> Result<Response<SubscriptionAck>, Status> {
        Err(not_yet())
    }

    async fn unsubscribe_metric(
        &self,
        _: Request<SubscriptionRequest>,
    ) -> Result<Response<SubscriptionAck>, Status> {
        Err(not_yet())
    }
}
