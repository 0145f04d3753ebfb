//! Push triggers: one stream each, beside the scale loop. A message activates at once; what is not active is left to the polls.

use std::sync::Arc;

use engine::activate::{Reading, Source, TriggerReading};
use engine::desired;
use engine::reconcile::Phase;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use scalers::{Built, Pool, PushEvent};
use tokio_util::sync::CancellationToken;

use crate::ask::Subject;
use crate::live::Live;
use crate::operator::{Operator, Work};
use crate::scale_loop;
use crate::triggers::Triggers;

/// The streams of one scale loop. They end when it does.
#[derive(Default)]
pub(crate) struct Pushes {
    /// The triggers they were opened for.
    of: Option<Arc<Triggers>>,
    stop: Option<CancellationToken>,
}

impl Drop for Pushes {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.cancel();
        }
    }
}

impl Pushes {
    /// Opens the streams of an object's push triggers, once for the triggers it has now.
    pub(crate) fn follow(
        &mut self,
        operator: &Arc<Operator>,
        live: &Arc<Live>,
        subject: &Subject,
        stop: &CancellationToken,
    ) {
        if self
            .of
            .as_ref()
            .is_some_and(|of| Arc::ptr_eq(of, &subject.triggers))
        {
            return;
        }
        if let Some(former) = self.stop.take() {
            former.cancel();
        }
        let stop = stop.child_token();
        for (index, slot) in subject.triggers.slots.iter().enumerate() {
            let Some(listening) = Listening::open(&operator.builder.pool, &slot.built()) else {
                continue;
            };
            let (operator_, live, triggers, stop) = (
                Arc::clone(operator),
                Arc::clone(live),
                Arc::clone(&subject.triggers),
                stop.clone(),
            );
            operator.loops.spawn(async move {
                listen(&operator_, &live, &triggers, index, listening, &stop).await;
            });
        }
        self.of = Some(Arc::clone(&subject.triggers));
        self.stop = Some(stop);
    }
}

/// One stream, and what it was opened with.
struct Listening {
    events: BoxStream<'static, PushEvent>,
    mark: u64,
}

impl Listening {
    /// Opens the stream of a trigger that has one.
    fn open(pool: &Pool, built: &Built) -> Option<Self> {
        let events = pool.push(built)?;
        let mark = pool.mark(built);
        Some(Self { events, mark })
    }

    /// Opens the stream anew if the trigger, built again, is another; otherwise it opens itself again, with growing pauses.
    fn renew(&mut self, pool: &Pool, built: &Built) {
        if pool.mark(built) != self.mark
            && let Some(anew) = Self::open(pool, built)
        {
            *self = anew;
        }
    }
}

/// Takes what a stream sends, until it is stopped.
async fn listen(
    operator: &Arc<Operator>,
    live: &Arc<Live>,
    triggers: &Arc<Triggers>,
    index: usize,
    mut listening: Listening,
    stop: &CancellationToken,
) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = listening.events.next() => event,
        };
        let Some(event) = event else { return };
        let broke = matches!(event, PushEvent::Error(_));
        Box::pin(take(operator, live, triggers, index, event, stop)).await;
        if broke {
            let rebuilt = tokio::select! {
                () = stop.cancelled() => return,
                rebuilt = rebuilt(operator, live, triggers, index) => rebuilt,
            };
            if let Some(built) = rebuilt {
                listening.renew(&operator.builder.pool, &built);
            }
        }
    }
}

/// The trigger of a stream that broke, with the credentials that hold now.
async fn rebuilt(operator: &Operator, live: &Live, triggers: &Triggers, index: usize) -> Option<Arc<Built>> {
    let object = operator.object(&live.key).ok()?;
    if object.metadata.generation.unwrap_or_default() != triggers.generation {
        // Its triggers are being built anew, and with them its streams.
        return None;
    }
    let (target, slot) = (live.target(), &triggers.slots[index]);
    let rebuilt = operator
        .builder
        .rebuild(&object, target.as_deref(), index, slot)
        .await;
    rebuilt
        .inspect_err(|error| {
            live.note(format!(
                "trigger {index} cannot be built again: {}",
                error.message
            ));
        })
        .ok()
}

async fn take(
    operator: &Arc<Operator>,
    live: &Arc<Live>,
    triggers: &Arc<Triggers>,
    index: usize,
    event: PushEvent,
    stop: &CancellationToken,
) {
    match event {
        PushEvent::Active => activate(operator, live, triggers, index, stop).await,
        PushEvent::MetricSpecs(metrics) => {
            if triggers.slots[index].set_metrics(metrics) {
                live.note(format!(
                    "trigger {index} announced other metrics; the HPA follows"
                ));
                operator.queue.add(Work::ScaledObject(live.key.clone()));
            }
        }
        PushEvent::Error(error) => {
            tracing::debug!(
                namespace = live.key.namespace,
                name = live.key.name,
                index,
                error = error.chain(),
                "push stream"
            );
            live.note(format!(
                "the push stream of trigger {index} broke and is opened again: {}",
                error.chain()
            ));
        }
    }
}

/// Activates the target. Upstream: only metrics that the status knows already count; the reconcile has then made the HPA.
async fn activate(
    operator: &Arc<Operator>,
    live: &Arc<Live>,
    triggers: &Arc<Triggers>,
    index: usize,
    stop: &CancellationToken,
) {
    let _exclusive = live.work.lock().await;
    if stop.is_cancelled() {
        return;
    }
    let Ok(object) = operator.object(&live.key) else {
        return;
    };
    if Phase::of(&object) != Phase::Run {
        return;
    }
    let known = object
        .status
        .as_ref()
        .map(|status| status.external_metric_names.as_slice())
        .unwrap_or_default();
    let metrics = triggers.slots[index].metrics();
    let readings: Vec<TriggerReading> = metrics
        .externals()
        .iter()
        .filter(|metric| known.iter().any(|name| metric.name.matches(name)))
        .map(|metric| TriggerReading {
            trigger: index,
            metric: metric.name.clone(),
            value: None,
            reading: Reading::Active,
        })
        .collect();
    if readings.is_empty() {
        return;
    }
    if let Ok(want) = desired::validate(&object) {
        scale_loop::act(operator, live, &object, &want, readings, Source::Push).await;
    }
}

#[cfg(test)]
mod tests;
