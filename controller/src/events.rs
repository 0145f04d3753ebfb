//! Events through `events.k8s.io/v1`: written in the background, repeats counted in a series instead of written again.
//!
//! Upstream's broadcaster counts repeats too, by type, reason and action. Ours also compares the note, so that a series is always
//! one message, and writes a series at powers of two, so that a message repeated for days costs a few writes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::time::Duration;

use engine::event::{Event, EventType, REPORTING_CONTROLLER};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as ApiEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::apply::Writer;
use crate::failure;

/// Writers side by side; Events of one object always take the same one and keep their order.
const LANES: usize = 4;
/// Events that may wait in a lane; beyond, new ones are dropped and logged.
const WAITING: usize = 2048;
/// A message that was silent this long starts a new series (client-go's value).
const SERIES_ENDS: Duration = Duration::from_mins(6);
/// Series remembered by a lane.
const SERIES_KEPT: usize = 2048;

/// Takes Events about objects. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Events {
    lanes: Vec<mpsc::Sender<(ObjectReference, Event, Timestamp)>>,
}

/// The tasks that write; they end when every [`Events`] is gone.
pub(crate) struct EventWriters(Vec<JoinHandle<()>>);

impl Events {
    /// Starts the writers.
    pub(crate) fn start(writer: &Writer, instance: &str) -> (Self, EventWriters) {
        let (lanes, tasks) = (0..LANES)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(WAITING);
                let lane = Lane {
                    writer: writer.clone(),
                    instance: instance.to_owned(),
                    series: HashMap::new(),
                    marks: RandomState::new(),
                };
                (sender, tokio::spawn(lane.run(receiver)))
            })
            .unzip();
        (Self { lanes }, EventWriters(tasks))
    }

    /// Emits an Event about an object, without waiting.
    pub(crate) fn emit(&self, regarding: &ObjectReference, event: Event) {
        tracing::debug!(reason = %event.reason, note = event.note, name = regarding.name, namespace = regarding.namespace, "event");
        let mut hasher = DefaultHasher::new();
        regarding.uid.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default();
        if let Err(error) = self.lanes[lane].try_send((regarding.clone(), event, Timestamp::now())) {
            tracing::warn!(%error, name = regarding.name, namespace = regarding.namespace, "an Event is dropped");
        }
    }
}

impl EventWriters {
    /// Waits until everything emitted is written, or too long.
    pub(crate) async fn finish(self, patience: Duration) {
        let aborts: Vec<_> = self.0.iter().map(JoinHandle::abort_handle).collect();
        if tokio::time::timeout(patience, futures::future::join_all(self.0))
            .await
            .is_err()
        {
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }
}

/// A message that was written, and how often it was said since.
struct Series {
    /// When it was written, which ends the name of its Event.
    begun: Timestamp,
    count: i32,
    last: Instant,
}

struct Lane {
    writer: Writer,
    instance: String,
    /// By a hash of object and message: every object has a few of them, and their texts would be most of what is kept.
    series: HashMap<u64, Series>,
    marks: RandomState,
}

/// Name of the Event of a series.
fn name(regarding: &ObjectReference, begun: Timestamp) -> String {
    let of = regarding.name.as_deref().unwrap_or(REPORTING_CONTROLLER);
    format!("{of}.{:x}", begun.as_nanosecond())
}

impl Lane {
    async fn run(mut self, mut receiver: mpsc::Receiver<(ObjectReference, Event, Timestamp)>) {
        while let Some((regarding, event, at)) = receiver.recv().await {
            if let Err(error) = self.write(&regarding, &event, at).await {
                let namespace = regarding.namespace.as_deref();
                // The namespace is going away and takes no new objects: nothing to report.
                if !matches!(&error, kube::Error::Api(status) if status.code == 403 || status.code == 404) {
                    tracing::warn!(error = failure::chain(&error), namespace, reason = %event.reason, "cannot write an Event");
                }
            }
        }
    }

    async fn write(
        &mut self,
        regarding: &ObjectReference,
        event: &Event,
        at: Timestamp,
    ) -> Result<(), kube::Error> {
        let namespace = regarding.namespace.as_deref().unwrap_or("default");
        let warning = event.type_ == EventType::Warning;
        let key = (&regarding.uid, warning, &event.reason, &event.note);
        let key = self.marks.hash_one(key);
        self.forget_old();
        if let Some(series) = self.series.get_mut(&key) {
            series.count += 1;
            series.last = Instant::now();
            if !series.count.unsigned_abs().is_power_of_two() {
                return Ok(());
            }
            let patch = serde_json::json!({ "count": series.count, "lastObservedTime": MicroTime(at) });
            let name = name(regarding, series.begun);
            match self.writer.patch_event(namespace, &name, &patch).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    tracing::debug!(name, "the Event is gone; a new one is written");
                    self.series.remove(&key);
                }
                other => return other.map(drop),
            }
        }
        let name = name(regarding, at);
        self.writer
            .create_event(namespace, &self.api_event(&name, namespace, regarding, event, at))
            .await?;
        self.series.insert(
            key,
            Series {
                begun: at,
                count: 1,
                last: Instant::now(),
            },
        );
        Ok(())
    }

    fn api_event(
        &self,
        name: &str,
        namespace: &str,
        regarding: &ObjectReference,
        event: &Event,
        at: Timestamp,
    ) -> ApiEvent {
        ApiEvent {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some(event.action.clone()),
            reason: Some(event.reason.to_string()),
            note: Some(event.note.clone()),
            type_: Some(event.type_.to_string()),
            event_time: Some(MicroTime(at)),
            regarding: Some(regarding.clone()),
            reporting_controller: Some(REPORTING_CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..ApiEvent::default()
        }
    }

    fn forget_old(&mut self) {
        if self.series.len() >= SERIES_KEPT
            || self
                .series
                .values()
                .any(|series| series.last.elapsed() > SERIES_ENDS)
        {
            self.series
                .retain(|_, series| series.last.elapsed() <= SERIES_ENDS);
        }
        if self.series.len() >= SERIES_KEPT {
            self.series.clear();
        }
    }
}
