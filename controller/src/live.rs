//! What this process knows of one ScaledObject beyond the cluster's own record. All of it may be lost at any time without changing a
//! decision: what must outlive a restart is in the object's status.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::{GroupVersionKindResource, ScaledObject};
use engine::action::{Action, Failure};
use engine::activate::{self, Observed, Source};
use engine::desired::ObjectKey;
use engine::explain;
use engine::hpa::{Mirror, Options, Recomputed, Sighting};
use engine::ledger::{Record, Ring, What};
use engine::reconcile::{self, Outcome};
use engine::report::DecisionReport;
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::ask::Answer;
use crate::cache::version;
use crate::observe::replicas::{Followed, Replicas};
use crate::triggers::Triggers;
use crate::trim::Trim as _;

/// One ScaledObject of this process.
pub(crate) struct Live {
    /// Which one.
    pub(crate) key: ObjectKey,
    /// Held while the object is reconciled or an iteration of its loop acts: one at a time writes its status.
    pub(crate) work: tokio::sync::Mutex<()>,
    /// Held while triggers are built, so that they are built once.
    pub(crate) building: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    ledgers: Arc<Ledgers>,
}

/// What all ledgers share.
pub(crate) struct Ledgers {
    /// Name of this process's pod.
    instance: String,
    /// Bytes that all of them take.
    total: AtomicUsize,
    /// Tells which object has something new.
    changes: broadcast::Sender<ObjectKey>,
}

/// Bytes that all ledgers together may take; beyond, the one that grows gives up its older half.
const CAP: usize = 32 * 1024 * 1024;
/// Changes that a slow listener may lag behind before it is told to start over.
const LAG: usize = 1024;

impl Ledgers {
    /// No ledgers yet.
    pub(crate) fn new(instance: &str) -> Arc<Self> {
        Arc::new(Self {
            instance: instance.to_owned(),
            total: AtomicUsize::new(0),
            changes: broadcast::Sender::new(LAG),
        })
    }

    /// Tells of every object that has something new.
    pub(crate) fn changes(&self) -> broadcast::Receiver<ObjectKey> {
        self.changes.subscribe()
    }

    /// Says that an object has something new.
    pub(crate) fn changed(&self, key: &ObjectKey) {
        if self.changes.receiver_count() > 0 {
            // An error means that the last listener just left.
            drop(self.changes.send(key.clone()));
        }
    }
}

#[derive(Default)]
struct State {
    /// The newest state of the object that we know.
    latest: Option<Arc<ScaledObject>>,
    target: Option<Arc<GroupVersionKindResource>>,
    /// The target, where its kind is watched.
    followed: Option<Arc<Followed>>,
    triggers: Option<Arc<Triggers>>,
    /// The last answer to a poll of each metric. A list: most objects have one metric, and a map makes room for eleven.
    polled: Vec<Answer>,
    running: Option<Running>,
    /// Resource version of the HPA that we wrote last.
    hpa_version: Option<String>,
    /// Whether the HPA could not be created because there is one.
    hidden_hpa: bool,
    /// The last live read of each metric by the HPA.
    read: Vec<Answer>,
    ring: Ring,
    decision: Option<DecisionReport>,
    replicas: Option<i32>,
    next: Option<Timestamp>,
    /// What the HPA was served and showed.
    mirror: Option<Box<Mirror>>,
    /// The last decision of the HPA that was followed.
    recomputed: Option<Box<Recomputed>>,
}

/// What is remembered for people.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The last answer of each metric, by name.
    pub(crate) answers: BTreeMap<String, Answer>,
    /// The last decision.
    pub(crate) decision: Option<DecisionReport>,
    /// The replicas as last read.
    pub(crate) replicas: Option<i32>,
    /// When the next poll begins.
    pub(crate) next: Option<Timestamp>,
    /// The last decision of the HPA that was followed.
    pub(crate) recomputed: Option<Recomputed>,
    /// The ledger, oldest first.
    pub(crate) records: Vec<Record>,
}

/// A scale loop that runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// Generation of the object that it was started with.
    pub(crate) generation: i64,
    /// Ends it.
    pub(crate) stop: CancellationToken,
}

impl Live {
    /// Knows nothing yet.
    pub(crate) fn new(key: ObjectKey, ledgers: Arc<Ledgers>) -> Self {
        Self {
            key,
            work: tokio::sync::Mutex::default(),
            building: tokio::sync::Mutex::default(),
            state: Mutex::default(),
            ledgers,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest state of the object: what the watch saw, or what our own last write left behind. An object that was made anew
    /// under the same name has nothing of the former one. A ledger that another controller began elsewhere begins here with a
    /// note of that.
    pub(crate) fn newest(&self, watched: &Arc<ScaledObject>) -> Arc<ScaledObject> {
        let mut state = self.state();
        if let Some(known) = &state.latest {
            if known.metadata.uid != watched.metadata.uid {
                let (running, ring) = (state.running.take(), std::mem::take(&mut state.ring));
                *state = State {
                    running,
                    ring,
                    ..State::default()
                };
            } else if version(&known.metadata) > version(&watched.metadata) {
                return Arc::clone(known);
            }
        }
        // Of the same version it is the same: one copy is enough.
        let object = Arc::clone(watched);
        let first = state.latest.replace(Arc::clone(&object)).is_none();
        state.ring.expect_polls_of(object.spec.triggers.len());
        drop(state);
        let worked_on = watched
            .status
            .as_ref()
            .is_some_and(|status| status.hpa_name.is_some());
        if first && worked_on {
            let instance = &self.ledgers.instance;
            self.note(format!(
                "{instance} took over; what happened before is in the object's Events"
            ));
        }
        object
    }

    /// Remembers the object as a write of ours left it.
    pub(crate) fn wrote(&self, mut object: ScaledObject) -> Arc<ScaledObject> {
        object.trim();
        let object = Arc::new(object);
        self.state().latest = Some(Arc::clone(&object));
        object
    }

    /// The resolved type of its target.
    pub(crate) fn target(&self) -> Option<Arc<GroupVersionKindResource>> {
        self.state().target.clone()
    }

    /// Remembers the resolved type of its target.
    pub(crate) fn set_target(&self, target: GroupVersionKindResource) {
        self.state().target = Some(Arc::new(target));
    }

    /// The target as it is followed, if its kind is watched. Another one than before is followed in its place.
    pub(crate) fn follow(
        &self,
        replicas: &Replicas,
        gvkr: &GroupVersionKindResource,
        name: &str,
    ) -> Option<Arc<Followed>> {
        let mut state = self.state();
        let known = state.followed.as_ref();
        if !known.is_some_and(|followed| followed.is_of(gvkr, name)) {
            state.followed = replicas.follow(gvkr, &self.key.namespace, name);
        }
        state.followed.clone()
    }

    /// The target as it is followed.
    pub(crate) fn followed(&self) -> Option<Arc<Followed>> {
        self.state().followed.clone()
    }

    /// Follows the target no longer.
    pub(crate) fn unfollow(&self) {
        self.state().followed = None;
    }

    /// The triggers, if they were built for that generation.
    pub(crate) fn triggers(&self, generation: i64) -> Option<Arc<Triggers>> {
        self.state()
            .triggers
            .clone()
            .filter(|triggers| triggers.generation == generation)
    }

    /// Remembers the triggers, or forgets them.
    pub(crate) fn set_triggers(&self, triggers: Option<Arc<Triggers>>) {
        self.state().triggers = triggers;
    }

    /// What the last poll said of a metric.
    pub(crate) fn polled(&self, metric: &str) -> Option<Answer> {
        let state = self.state();
        let answer = state
            .polled
            .iter()
            .find(|answer| answer.metric.name.as_str() == metric);
        answer.cloned()
    }

    /// Remembers a poll. Metrics that are gone go with it.
    pub(crate) fn set_polled(&self, answers: &[Answer]) {
        self.state().polled = answers.to_vec();
    }

    /// The running loop.
    pub(crate) fn running(&self) -> Option<Running> {
        self.state().running.clone()
    }

    /// Remembers a loop, or that there is none; gives back the former one.
    pub(crate) fn set_running(&self, running: Option<Running>) -> Option<Running> {
        std::mem::replace(&mut self.state().running, running)
    }

    /// Whether an HPA that our watch does not show has to be looked for.
    pub(crate) fn take_hidden_hpa(&self) -> bool {
        let mut state = self.state();
        std::mem::take(&mut state.hidden_hpa) || state.hpa_version.is_some()
    }

    /// Remembers that an HPA exists which our watch does not show.
    pub(crate) fn set_hidden_hpa(&self) {
        self.state().hidden_hpa = true;
    }

    /// Remembers which HPA we wrote last; `None` once it is deleted.
    pub(crate) fn wrote_hpa(&self, version: Option<String>) {
        self.state().hpa_version = version;
    }

    /// Whether an HPA of that version is our own last write.
    pub(crate) fn is_own_hpa(&self, version: Option<&String>) -> bool {
        version.is_some() && self.state().hpa_version.as_ref() == version
    }

    /// Remembers when the next poll begins.
    pub(crate) fn set_next(&self, next: Timestamp) {
        self.state().next = Some(next);
    }

    /// Records what the loop saw and decided.
    pub(crate) fn decided(&self, seen: &Observed, plan: &activate::Plan, now: Timestamp) {
        let replicas = seen.replicas.as_ref().ok().copied();
        let what = match (seen.source, seen.readings.first()) {
            (Source::Push, Some(pushed)) => What::Push {
                metric: pushed.metric.clone(),
                replicas,
                decision: plan.decision.clone(),
            },
            _ => What::Poll {
                readings: seen.readings.clone(),
                replicas,
                decision: plan.decision.clone(),
            },
        };
        let why = explain::decision(&plan.decision, &seen.readings, replicas);
        {
            let mut state = self.state();
            state.replicas = replicas;
            state.decision = Some(DecisionReport {
                at: now,
                decision: plan.decision.clone(),
                why,
            });
        }
        self.record(now, what);
    }

    /// Records how a reconcile ended.
    pub(crate) fn planned(&self, plan: &reconcile::Plan) {
        let mut outcome = match &plan.outcome {
            Outcome::Ready => "ready".to_owned(),
            Outcome::Paused => "paused".to_owned(),
            Outcome::Finished => "finished".to_owned(),
            Outcome::Failed(message) => format!("failed: {message}"),
        };
        if let Some(change) = &plan.hpa_change {
            outcome.push_str("; the HPA is written because ");
            outcome.push_str(change);
        }
        self.record(Timestamp::now(), What::Reconcile { outcome });
    }

    /// Records a read by the HPA.
    pub(crate) fn note_read(&self, answer: &Answer, cached: bool) {
        let value = match &answer.result {
            Ok(samples) => Ok(samples
                .first()
                .map(|sample| sample.quantity().to_string())
                .unwrap_or_default()),
            Err(error) => Err(error.clone()),
        };
        if !cached {
            let read = &mut self.state().read;
            let known = read
                .iter_mut()
                .find(|known| known.metric.name == answer.metric.name);
            if let Some(known) = known {
                known.clone_from(answer);
            } else {
                read.reserve_exact(1);
                read.push(answer.clone());
            }
        }
        self.record(
            Timestamp::now(),
            What::Read {
                metric: answer.metric.name.clone(),
                value,
                cached,
            },
        );
    }

    /// Remembers the value of a metric that goes out to the HPA, in thousandths.
    pub(crate) fn serve(&self, metric: &str, milli: i64) {
        let mut state = self.state();
        let mirror = state.mirror.get_or_insert_default();
        mirror.serve(metric, milli, Timestamp::now());
    }

    /// Remembers that the scale is about to be set from here: what the HPA then finds is not somebody else's.
    pub(crate) fn will_scale(&self, replicas: i32) {
        self.state().mirror.get_or_insert_default().set_scale(replicas);
    }

    /// Recomputes what the HPA decided between two of its states. Gives it back, if it was followed.
    pub(crate) fn hpa_seen(
        &self,
        options: &Options,
        before: Option<&Sighting>,
        after: Option<(&HorizontalPodAutoscaler, &Sighting)>,
    ) -> Option<Recomputed> {
        let now = Timestamp::now();
        let mut state = self.state();
        let Some((after, seen)) = after else {
            (state.mirror, state.recomputed) = (None, None);
            return None;
        };
        let mirror = state.mirror.get_or_insert_default();
        let found = mirror.observe(options, before, seen, after, now)?;
        state.recomputed = Some(Box::new(found.clone()));
        drop(state);
        if found.is_news() {
            self.record(now, What::Hpa(Box::new(found.clone())));
        }
        Some(found)
    }

    /// Records an effect on the cluster.
    pub(crate) fn note_write(&self, action: &Action, failure: Option<&Failure>) {
        let what = What::Write {
            action: action.to_string(),
            error: failure.map(ToString::to_string),
        };
        self.record(Timestamp::now(), what);
    }

    /// Records a sentence.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.record(Timestamp::now(), What::Note { text: text.into() });
    }

    fn record(&self, at: Timestamp, what: What) {
        let mut state = self.state();
        let before = state.ring.size();
        state.ring.record(at, what);
        let total = &self.ledgers.total;
        if total.load(Ordering::Relaxed) + state.ring.size() > CAP + before {
            let half = state.ring.size() / 2;
            state.ring.shrink(half);
        }
        let after = state.ring.size();
        if after >= before {
            total.fetch_add(after - before, Ordering::Relaxed);
        } else {
            total.fetch_sub(before - after, Ordering::Relaxed);
        }
        drop(state);
        self.ledgers.changed(&self.key);
    }

    /// What is remembered for people; the ledger only on request, as it is most of it.
    pub(crate) fn memory(&self, records: bool) -> Memory {
        let state = self.state();
        let named = |answer: &Answer| (answer.metric.name.to_string(), answer.clone());
        let mut answers: BTreeMap<String, Answer> = state.polled.iter().map(named).collect();
        for (name, answer) in state.read.iter().map(named) {
            if answers.get(&name).is_none_or(|polled| polled.at < answer.at) {
                answers.insert(name, answer);
            }
        }
        Memory {
            answers,
            decision: state.decision.clone(),
            replicas: state.replicas,
            next: state.next.filter(|_| state.running.is_some()),
            recomputed: state.recomputed.as_deref().cloned(),
            records: if records {
                state.ring.iter().collect()
            } else {
                Vec::new()
            },
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.ledgers
            .total
            .fetch_sub(self.state().ring.size(), Ordering::Relaxed);
        self.ledgers.changed(&self.key);
    }
}

#[cfg(test)]
mod tests;
