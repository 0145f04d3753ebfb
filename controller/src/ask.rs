//! Puts triggers to their event sources. Used by the scale loop and by reads of the HPA alike.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::{GroupVersionKindResource, ScaledObject};
use engine::desired::ObjectKey;
use engine::metric::{ExternalMetric, MetricName, Sample};
use jiff::Timestamp;
use scalers::{Built, Moment, Pool, ScalerError};

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
    pub(crate) target: Option<Arc<GroupVersionKindResource>>,
    /// Its triggers.
    pub(crate) triggers: Arc<Triggers>,
}

/// Who wants a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// The scale loop, which has time. A poll of a moment takes an answer that another poll of the moment was given.
    Loop(Option<tokio::time::Instant>),
    /// The HPA controller, whose few workers wait, and whose request ends after a deadline.
    Hpa,
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
    /// Asks every external metric of every trigger, all at once. What was asked since the moment that this is the poll of need
    /// not be asked again.
    pub(crate) async fn all(&self, subject: &Subject, since: Option<tokio::time::Instant>) -> Vec<Answer> {
        let questions = subject
            .triggers
            .slots
            .iter()
            .enumerate()
            .flat_map(|(index, slot)| {
                let metrics = slot.metrics().externals().to_vec();
                metrics
                    .into_iter()
                    .map(move |metric| self.counted(subject, index, slot, metric, Caller::Loop(since)))
            });
        futures::future::join_all(questions).await
    }

    /// Asks one metric of one trigger for the HPA.
    pub(crate) async fn one(
        &self,
        subject: &Subject,
        index: usize,
        slot: &Slot,
        metric: ExternalMetric,
    ) -> Answer {
        self.counted(subject, index, slot, metric, Caller::Hpa).await
    }

    async fn counted(
        &self,
        subject: &Subject,
        index: usize,
        slot: &Slot,
        metric: ExternalMetric,
        caller: Caller,
    ) -> Answer {
        let (at, begin) = (Timestamp::now(), Instant::now());
        // Boxed, as nearly no read needs it: it would be most of what each read takes while it is under way.
        let anew = async {
            let (object, target) = (&subject.object, subject.target.as_deref());
            let rebuilt = Box::pin(self.builder.rebuild(object, target, index, slot)).await;
            rebuilt.map_err(|error| error.message)
        };
        let result = twice(&self.builder.pool, slot, (&metric.name, at), caller, anew).await;
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

    fn count(&self, subject: &Subject, slot: &Slot, answer: &Answer) {
        let reading = Reading {
            namespace: &subject.key.namespace,
            object: &subject.key.name,
            metric: answer.metric.name.as_str(),
            scaler: &slot.scaler,
            trigger_index: answer.index,
        };
        let value = answer.value().map(|value| (value, answer.active()));
        if value.is_some() || answer.result.is_err() {
            self.metrics.read(&reading, value, answer.took);
        }
    }
}

/// Reads a trigger, and once more `anew` if that failed; the second error counts. Upstream: `GetScaledObjectState`.
///
/// While new credentials do not work, those that did go on serving.
///
/// DEVIATION: a read of the HPA whose source said nothing within the deadline is not repeated: upstream repeats it too, but the
/// adapter has hung up by then. The next poll builds the trigger anew.
async fn twice(
    pool: &Pool,
    slot: &Slot,
    read: (&MetricName, Timestamp),
    caller: Caller,
    anew: impl Future<Output = Result<Arc<Built>, String>>,
) -> Result<Vec<Sample>, String> {
    let (metric, now) = read;
    let since = match caller {
        Caller::Loop(since) => since,
        Caller::Hpa => None,
    };
    let mut error = match once(pool, slot, &slot.built(), metric, Moment { now, since }).await {
        Ok(samples) => return Ok(samples),
        Err(error) => error,
    };
    if matches!(caller, Caller::Loop(_)) || !error.is_silence() {
        tracing::debug!(%metric, error = error.chain(), "read failed; trying with fresh credentials");
        error = match once(pool, slot, &anew.await?, metric, now.into()).await {
            Ok(samples) => return Ok(samples),
            Err(error) => error,
        };
    }
    let why = error.chain();
    let Some(former) = slot.former() else {
        return Err(why);
    };
    tracing::debug!(%metric, error = why, "the new credentials do not work; asking with the former ones");
    once(pool, slot, &former, metric, now.into())
        .await
        .map_err(|_| why)
}

/// Asks once, and lets the slot know how it went.
async fn once(
    pool: &Pool,
    slot: &Slot,
    built: &Arc<Built>,
    metric: &MetricName,
    moment: Moment,
) -> Result<Vec<Sample>, ScalerError> {
    let result = pool.ask(built, metric, moment).await;
    match &result {
        Ok(_) => slot.answered(built),
        Err(_) => slot.failed(built),
    }
    result
}

#[cfg(test)]
mod tests;
