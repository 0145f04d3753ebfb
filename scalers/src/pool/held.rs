//! One source with those who share it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::flight::Flights;
use crate::ScalerError;
use crate::connect::Connect;
use crate::scaler::Source;

/// Figures of one source, as `kubectl keda connections` prints them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionReport {
    /// The protocol that is spoken.
    #[serde(skip_deserializing)]
    pub protocol: &'static str,
    /// Host and port, or URL, without credentials.
    pub endpoint: String,
    /// Tells apart sources at one endpoint with other credentials or TLS settings; says nothing about them.
    pub credential: String,
    /// Whether the connection stands.
    pub open: bool,
    /// Seconds since it was first needed.
    pub age_seconds: u64,
    /// Seconds since it was last asked.
    pub idle_seconds: u64,
    /// The triggers that asked it, as `namespace/name[index]`.
    pub users: Vec<String>,
    /// Requests so far.
    pub asked: u64,
    /// Requests that were saved because an equal one was in flight.
    pub shared: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests under way.
    pub in_flight: usize,
    /// How the last failed request failed.
    pub last_error: Option<String>,
}

/// All sources of one type, by key.
pub(crate) struct Shelf<S: Source> {
    held: Mutex<HashMap<S::Key, Arc<Held<S>>>>,
    /// Keyed afresh in every process, so that the credential mark cannot be used to guess a credential.
    marks: RandomState,
}

struct Held<S: Source> {
    key: S::Key,
    state: Mutex<State<S>>,
    opening: Flights<(), Arc<S>>,
    asking: Flights<S::Question, S::Answer>,
    asked: AtomicU64,
    joined: AtomicU64,
    failed: AtomicU64,
}

struct State<S> {
    source: Option<Arc<S>>,
    since: Instant,
    last: Instant,
    answered: Instant,
    users: HashMap<String, Instant>,
    last_error: Option<String>,
}

/// The way to one source for one trigger.
pub(crate) struct Opener<S: Source> {
    held: Arc<Held<S>>,
    connect: Arc<Connect>,
}

impl<S: Source> Default for Shelf<S> {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            marks: RandomState::new(),
        }
    }
}

impl<S: Source> Shelf<S> {
    /// The source of a key, opened when first asked.
    pub(super) fn get(&self, key: &S::Key, user: &str, connect: &Arc<Connect>) -> Opener<S> {
        let mut all = lock(&self.held);
        let held = if let Some(held) = all.get(key) {
            Arc::clone(held)
        } else {
            let held = Arc::new(Held::new(key.clone()));
            all.insert(key.clone(), Arc::clone(&held));
            held
        };
        drop(all);
        held.used_by(user);
        Opener {
            held,
            connect: Arc::clone(connect),
        }
    }

    /// Drops sources that were last used longer ago than `idle` and that nobody is using now.
    pub(super) fn close_idle(&self, idle: Duration) {
        lock(&self.held).retain(|_, held| {
            let mut state = lock(&held.state);
            state.users.retain(|_, last| last.elapsed() < idle);
            let used = state.last.elapsed() < idle;
            drop(state);
            // A stream of a push trigger keeps its opener, and with it the source.
            used || Arc::strong_count(held) > 1 && !idle.is_zero()
        });
    }

    /// Forgets the connection of a source that has not answered anybody for so long.
    pub(super) fn gave_up(&self, key: &S::Key, after: Duration) {
        let held = lock(&self.held).get(key).map(Arc::clone);
        let Some(held) = held else { return };
        held.failed.fetch_add(1, Ordering::Relaxed);
        let mut state = lock(&held.state);
        state.last_error = Some(format!("no answer within {after:?}"));
        if state.answered.elapsed() >= after {
            state.source = None;
        }
    }

    /// Adds a report of every source.
    #[expect(clippy::iter_over_hash_type, reason = "the pool sorts the reports")]
    pub(super) fn report(&self, reports: &mut Vec<ConnectionReport>) {
        for held in lock(&self.held).values() {
            let state = lock(&held.state);
            let mut users: Vec<String> = state.users.keys().cloned().collect();
            users.sort();
            reports.push(ConnectionReport {
                protocol: S::PROTOCOL,
                endpoint: S::endpoint(&held.key),
                credential: format!("{:04x}", self.marks.hash_one(&held.key) as u16),
                open: state.source.is_some(),
                age_seconds: state.since.elapsed().as_secs(),
                idle_seconds: state.last.elapsed().as_secs(),
                users,
                asked: held.asked.load(Ordering::Relaxed),
                shared: held
                    .joined
                    .load(Ordering::Relaxed)
                    .saturating_sub(held.asked.load(Ordering::Relaxed)),
                failed: held.failed.load(Ordering::Relaxed),
                in_flight: held.asking.count(),
                last_error: state.last_error.clone(),
            });
        }
    }
}

impl<S: Source> Held<S> {
    fn new(key: S::Key) -> Self {
        let now = now();
        let state = State {
            source: None,
            since: now,
            last: now,
            answered: now,
            users: HashMap::new(),
            last_error: None,
        };
        Self {
            key,
            state: Mutex::new(state),
            opening: Flights::default(),
            asking: Flights::default(),
            asked: AtomicU64::new(0),
            joined: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    fn used_by(&self, user: &str) {
        let now = now();
        let mut state = lock(&self.state);
        state.last = now;
        match state.users.get_mut(user) {
            Some(last) => *last = now,
            None => {
                state.users.insert(user.to_owned(), now);
            }
        }
    }

    /// The open source, and whether this call opened it.
    async fn source(self: &Arc<Self>, connect: &Arc<Connect>) -> Result<(Arc<S>, bool), ScalerError> {
        if let Some(source) = lock(&self.state).source.clone() {
            return Ok((source, false));
        }
        let (held, connect) = (Arc::clone(self), Arc::clone(connect));
        let opening = self.opening.join((), move || {
            Box::pin(async move {
                let source = Arc::new(S::open(&held.key, &connect).await?);
                lock(&held.state).source = Some(Arc::clone(&source));
                Ok(source)
            })
        });
        opening.await.map(|source| (source, true))
    }

    /// Forgets a source whose connection broke, unless another took its place already.
    fn forget(&self, broken: &Arc<S>) {
        let mut state = lock(&self.state);
        if state
            .source
            .as_ref()
            .is_some_and(|source| Arc::ptr_eq(source, broken))
        {
            state.source = None;
        }
    }

    /// Makes one request. A connection that broke since it was last used is replaced once.
    async fn request(
        self: Arc<Self>,
        connect: Arc<Connect>,
        question: S::Question,
    ) -> Result<S::Answer, ScalerError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let result = self.attempt(&connect, &question).await;
        match &result {
            Ok(_) => lock(&self.state).answered = now(),
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                lock(&self.state).last_error = Some(error.chain());
            }
        }
        result
    }

    async fn attempt(
        self: &Arc<Self>,
        connect: &Arc<Connect>,
        question: &S::Question,
    ) -> Result<S::Answer, ScalerError> {
        let (source, fresh) = self.source(connect).await?;
        let first = one(&*source, question).await;
        match first {
            Err(error) if error.is_connection_lost() => {
                self.forget(&source);
                if fresh {
                    return Err(error);
                }
                let (source, _) = self.source(connect).await?;
                let second = one(&*source, question).await;
                if second.as_ref().is_err_and(ScalerError::is_connection_lost) {
                    self.forget(&source);
                }
                second
            }
            other => other,
        }
    }
}

async fn one<S: Source>(source: &S, question: &S::Question) -> Result<S::Answer, ScalerError> {
    let mut answers = source.ask(std::slice::from_ref(question)).await;
    answers
        .pop()
        .unwrap_or_else(|| Err(ScalerError::Value("the source gave no answer".to_owned())))
}

impl<S: Source> Clone for Opener<S> {
    fn clone(&self) -> Self {
        Self {
            held: Arc::clone(&self.held),
            connect: Arc::clone(&self.connect),
        }
    }
}

impl<S: Source> Opener<S> {
    /// Puts a question.
    pub(super) async fn ask(self, question: S::Question) -> Result<S::Answer, ScalerError> {
        let Self { held, connect } = self;
        held.joined.fetch_add(1, Ordering::Relaxed);
        let flight = {
            let (held, connect) = (Arc::clone(&held), connect);
            let asked = question.clone();
            Arc::clone(&held)
                .asking
                .join(question, move || Box::pin(held.request(connect, asked)))
        };
        flight.await
    }

    /// The open source, for streams.
    pub(crate) async fn source(&self) -> Result<Arc<S>, ScalerError> {
        let opened = tokio::time::timeout(self.connect.timeout, self.held.source(&self.connect)).await;
        let late = |_| ScalerError::TimedOut {
            endpoint: S::endpoint(&self.held.key),
            after: self.connect.timeout,
        };
        opened.map_err(late)?.map(|(source, _)| source)
    }

    /// The settings of the process.
    pub(crate) fn connect(&self) -> &Connect {
        &self.connect
    }

    /// Says that the connection of a source broke.
    pub(crate) fn lost(&self, source: &Arc<S>) {
        self.held.forget(source);
    }
}

/// The time that ages and idleness are counted from; it never decides a value.
fn now() -> Instant {
    Instant::now()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave these tables half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
