//! Puts triggers to their event sources. Used by the scale loop and by reads of the HPA alike.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::{GroupVersionKindResource, ScaledObject};
use engine::desired::ObjectKey;
use engine::metric::{ExternalMetric, MetricName, Sample};
use jiff::Timestamp;

use crate::prometheus::{Metrics, Reading};
use crate::triggers::{Builder, Slot, Triggers};

/// One metric of one trigger, read or not.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Place of the trigger in `spec.triggers`.
    pub(crate) index: usize,
    /// The metric and its target.
    pub(crate) metric: ExternalMetric,
    /// The values, or why there are none.
    pub(crate) result: Result<Vec<Sample>, String>,
    /// When it was asked.
    pub(crate) at: Timestamp,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Answer {
    /// Whether the trigger is active.
    pub(crate) fn active(&self) -> bool {
        self.result
            .as_ref()
            .is_ok_and(|samples| samples.iter().any(|sample| sample.active == Some(true)))
    }

    /// The first value.
    pub(crate) fn value(&self) -> Option<f64> {
        self.result
            .as_ref()
            .ok()
            .and_then(|samples| samples.first())
            .map(|sample| sample.value)
    }
}

/// What a question is about.
#[derive(Clone)]
pub(crate) struct Subject {
    /// The object.
    pub(crate) object: Arc<ScaledObject>,
    /// Its key.
    pub(crate) key: ObjectKey,
    /// Its target, as resolved.
    pub(crate) target: Option<GroupVersionKindResource>,
    /// Its triggers.
    pub(crate) triggers: Arc<Triggers>,
}

/// Asks, retries once with fresh credentials, and counts.
#[derive(Clone)]
pub(crate) struct Asker {
    /// Builds triggers again.
    pub(crate) builder: Arc<Builder>,
    /// Prometheus metrics.
    pub(crate) metrics: Metrics,
}

impl Asker {
    /// Asks every external metric of every trigger, all at once.
    pub(crate) async fn all(&self, subject: &Subject) -> Vec<Answer> {
        let questions = subject
            .triggers
            .slots
            .iter()
            .enumerate()
            .flat_map(|(index, slot)| {
                let metrics = slot.metrics().externals().to_vec();
                metrics
                    .into_iter()
                    .map(move |metric| self.one(subject, index, slot, metric))
            });
        futures::future::join_all(questions).await
    }

    /// Asks one metric of one trigger.
    pub(crate) async fn one(
        &self,
        subject: &Subject,
        index: usize,
        slot: &Slot,
        metric: ExternalMetric,
    ) -> Answer {
        let (at, begin) = (Timestamp::now(), Instant::now());
        let result = self.twice(subject, index, slot, &metric.name, at).await;
        let answer = Answer {
            index,
            metric,
            result,
            at,
            took: begin.elapsed(),
        };
        self.count(subject, slot, &answer);
        answer
    }

    /// Upstream: `GetScaledObjectState`: a failed read is repeated once by a scaler that is built anew; the second error counts.
    async fn twice(
        &self,
        subject: &Subject,
        index: usize,
        slot: &Slot,
        metric: &MetricName,
        at: Timestamp,
    ) -> Result<Vec<Sample>, String> {
        let built = slot.built();
        let first = match self.builder.pool.ask(&built, metric, at).await {
            Ok(samples) => return Ok(samples),
            Err(error) => error,
        };
        tracing::debug!(namespace = subject.key.namespace, name = subject.key.name, %metric, error = first.chain(), "read failed; trying with fresh credentials");
        let built = self
            .builder
            .rebuild(&subject.object, subject.target.as_ref(), index, slot)
            .await
            .map_err(|error| error.message)?;
        self.builder
            .pool
            .ask(&built, metric, at)
            .await
            .map_err(|error| error.chain())
    }

    fn count(&self, subject: &Subject, slot: &Slot, answer: &Answer) {
        let reading = Reading {
            namespace: &subject.key.namespace,
            object: &subject.key.name,
            metric: answer.metric.name.as_str(),
            scaler: &slot.scaler,
            trigger_index: answer.index,
        };
        match answer.value() {
            Some(value) => {
                self.metrics.read(&reading, value, answer.took);
                self.metrics.active(&reading, answer.active());
            }
            None if answer.result.is_err() => self.metrics.read_failed(&reading),
            None => {}
        }
    }
}
