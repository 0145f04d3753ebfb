//! One source with those who share it.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;

use super::batch::{self, Answers, Batches};
use super::breaker::{Admission, Breaker};
use super::flight::Flights;
use super::probe::Prober;
use super::rate::Rate;
use super::report::ConnectionReport;
use crate::ScalerError;
use crate::connect::{Connect, Probing};
use crate::observer::{Errand, on_behalf_of};
use crate::scaler::Source;

/// One source with those who share it.
pub(super) struct Held<S: Source> {
    key: S::Key,
    marks: RandomState,
    state: Mutex<State<S>>,
    opening: Flights<(), Arc<S>>,
    asking: Flights<S::Question, S::Answer>,
    batches: Batches<S::Question, S::Answer>,
    prober: Prober,
    figures: Figures,
}

struct State<S> {
    source: Option<Arc<S>>,
    since: Instant,
    last: Instant,
    answered: Instant,
    users: HashMap<Arc<str>, Instant>,
    last_error: Option<String>,
    breaker: Breaker,
    rate: Rate,
}

#[derive(Default)]
struct Figures {
    wanted: AtomicU64,
    asked: AtomicU64,
    batches: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
}

/// The way to one source for one trigger.
pub(crate) struct Opener<S: Source> {
    held: Arc<Held<S>>,
    connect: Arc<Connect>,
}

/// How a question is put.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    /// How long it may take.
    pub(crate) within: Duration,
    /// The time of day, for texts.
    pub(crate) now: Option<jiff::Timestamp>,
    /// The read it is put for, if somebody wants to know.
    pub(crate) errand: Option<Errand>,
}

impl<S: Source> Held<S> {
    pub(super) fn new(key: S::Key, marks: RandomState, probing: Probing) -> Self {
        let now = now();
        let state = State {
            source: None,
            since: now,
            last: now,
            answered: now,
            users: HashMap::new(),
            last_error: None,
            breaker: Breaker::new(probing),
            rate: Rate::new(now),
        };
        Self {
            key,
            marks,
            state: Mutex::new(state),
            opening: Flights::default(),
            asking: Flights::default(),
            batches: Batches::default(),
            prober: Prober::default(),
            figures: Figures::default(),
        }
    }

    pub(super) fn used_by(&self, user: &Arc<str>) {
        let now = now();
        let mut state = lock(&self.state);
        state.last = now;
        match state.users.get_mut(user) {
            Some(last) => *last = now,
            None => {
                state.users.insert(Arc::clone(user), now);
            }
        }
    }

    /// Whether it was used within that time. Forgets what is older.
    pub(super) fn is_used(&self, idle: Duration) -> bool {
        let now = now();
        let mut state = lock(&self.state);
        state.users.retain(|_, last| now.duration_since(*last) < idle);
        state.breaker.forget_old(now, idle);
        now.duration_since(state.last) < idle
    }

    pub(super) fn stop_probing(&self) {
        self.prober.stop();
    }

    pub(super) fn report(&self, credential: String) -> ConnectionReport {
        let (now, in_flight) = (now(), self.asking.count());
        let state = lock(&self.state);
        let mut users: Vec<String> = state.users.keys().map(ToString::to_string).collect();
        users.sort();
        let count = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let (asked, refused) = (count(&self.figures.asked), count(&self.figures.refused));
        let (breaker, next) = state.breaker.state();
        ConnectionReport {
            protocol: S::PROTOCOL,
            endpoint: S::endpoint(&self.key),
            credential,
            open: state.source.is_some(),
            age_seconds: now.duration_since(state.since).as_secs(),
            idle_seconds: now.duration_since(state.last).as_secs(),
            users,
            asked,
            batches: count(&self.figures.batches),
            shared: count(&self.figures.wanted).saturating_sub(asked + refused),
            failed: count(&self.figures.failed),
            refused,
            questions_per_minute: state.rate.a_minute(now),
            in_flight,
            last_error: state.last_error.clone(),
            breaker,
            next_probe_seconds: next.map(|next| next.saturating_duration_since(now).as_secs_f64()),
        }
    }

    /// What the breaker knows of this source.
    pub(super) fn breaker<T>(&self, look: impl FnOnce(&mut Breaker) -> T) -> T {
        look(&mut lock(&self.state).breaker)
    }

    pub(super) fn marks(&self) -> &RandomState {
        &self.marks
    }

    /// Whether to ask. Counts the read either way.
    fn admit(&self, question: u64, now: Instant, told: Option<jiff::Timestamp>) -> Admission {
        self.figures.wanted.fetch_add(1, Ordering::Relaxed);
        let mut state = lock(&self.state);
        state.rate.count(now);
        let admission = state.breaker.admit(question, now, told);
        if let Admission::Refuse { .. } = admission {
            self.figures.refused.fetch_add(1, Ordering::Relaxed);
        }
        admission
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

    /// Joins the request that is in flight for a question, or starts one: alone, or with others where that helps.
    pub(super) fn answer(
        self: &Arc<Self>,
        connect: &Arc<Connect>,
        question: S::Question,
        errand: Option<Errand>,
    ) -> impl Future<Output = Result<S::Answer, ScalerError>> + Send + use<S> {
        let (held, connect) = (Arc::clone(self), Arc::clone(connect));
        let asked = question.clone();
        self.asking.join(question, move || {
            let most = S::together(&held.key);
            let hash = held.marks.hash_one(&asked);
            if most < 2 || held.breaker(|breaker| breaker.is_failing(hash)) {
                let request = async move {
                    let mut answers = held.request(connect, vec![asked]).await;
                    answers.pop().unwrap_or_else(|| Err(batch::unanswered()))
                };
                return on_behalf_of(errand, request).boxed();
            }
            let sender = Arc::clone(&held);
            held.batches.join(asked, most, move |questions| {
                on_behalf_of(errand, sender.request(connect, questions)).boxed()
            })
        })
    }

    /// Makes one request. One answer for each question.
    async fn request(
        self: Arc<Self>,
        connect: Arc<Connect>,
        questions: Vec<S::Question>,
    ) -> Answers<S::Answer> {
        let asked = now();
        self.figures
            .asked
            .fetch_add(questions.len() as u64, Ordering::Relaxed);
        self.figures.batches.fetch_add(1, Ordering::Relaxed);
        let answers = self.attempt(&connect, &questions).await;
        self.heed(&connect, &questions, &answers, asked);
        answers
    }

    /// Takes note of answers and failures.
    fn heed(
        self: &Arc<Self>,
        connect: &Arc<Connect>,
        questions: &[S::Question],
        answers: &[Result<S::Answer, ScalerError>],
        asked: Instant,
    ) {
        let silent = |error: &ScalerError| error.is_silence() || error.is_connection_lost();
        // Answers first: a failure beside one does not mean that the source is silent.
        for (question, answer) in questions.iter().zip(answers) {
            if !answer.as_ref().is_err_and(silent) {
                let (hash, now) = (self.marks.hash_one(question), now());
                let mut state = lock(&self.state);
                state.answered = now;
                state.breaker.answered(hash, now);
            }
        }
        let mut probe = None;
        for (question, answer) in questions.iter().zip(answers) {
            if let Err(error) = answer
                && self.failed(question, silent(error).then_some(asked), error)
            {
                probe = Some(question.clone());
            }
        }
        if let Some(question) = probe {
            self.prober.start(self, connect, question, connect.timeout);
        }
    }

    /// Counts a failed question; `silent_since` is when it was put, if nobody said anything. Says whether a probe is needed.
    fn failed(&self, question: &S::Question, silent_since: Option<Instant>, error: &ScalerError) -> bool {
        self.figures.failed.fetch_add(1, Ordering::Relaxed);
        let hash = self.marks.hash_one(question);
        let mut state = lock(&self.state);
        state.last_error = Some(error.chain());
        silent_since.is_some_and(|asked| state.breaker.failed(hash, asked, now(), error))
    }

    /// Asks, and asks what was lost with the connection once more over a new one.
    async fn attempt(
        self: &Arc<Self>,
        connect: &Arc<Connect>,
        questions: &[S::Question],
    ) -> Answers<S::Answer> {
        let (source, fresh) = match self.source(connect).await {
            Ok(opened) => opened,
            Err(error) => return vec![Err(error); questions.len()],
        };
        let mut answers = batch::fit(source.ask(questions).await, questions.len());
        let lost = lost(&answers);
        if lost.is_empty() {
            return answers;
        }
        self.forget(&source);
        if fresh {
            return answers;
        }
        let again: Vec<S::Question> = lost.iter().map(|&place| questions[place].clone()).collect();
        let second = match self.source(connect).await {
            Ok((source, _)) => {
                let second = batch::fit(source.ask(&again).await, again.len());
                if second
                    .iter()
                    .any(|answer| answer.as_ref().is_err_and(ScalerError::is_connection_lost))
                {
                    self.forget(&source);
                }
                second
            }
            Err(error) => vec![Err(error); again.len()],
        };
        for (place, answer) in lost.into_iter().zip(second) {
            answers[place] = answer;
        }
        answers
    }

    /// Takes note of a question whose deadline passed. A source that has not answered anybody meanwhile is dropped: its
    /// connection may be dead without either side knowing.
    pub(super) fn late(
        self: &Arc<Self>,
        connect: &Arc<Connect>,
        question: S::Question,
        asked: Instant,
        after: Duration,
    ) -> ScalerError {
        let error = ScalerError::TimedOut {
            endpoint: S::endpoint(&self.key),
            after,
        };
        if self.failed(&question, Some(asked), &error) {
            self.prober.start(self, connect, question, after);
        }
        let mut state = lock(&self.state);
        if !S::SHEDS && now().duration_since(state.answered) >= after {
            state.source = None;
        }
        error
    }
}

/// The places of the questions whose connection broke.
fn lost<A>(answers: &[Result<A, ScalerError>]) -> Vec<usize> {
    let broken =
        |answer: &Result<A, ScalerError>| answer.as_ref().is_err_and(ScalerError::is_connection_lost);
    (0..answers.len())
        .filter(|&place| broken(&answers[place]))
        .collect()
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
    pub(super) fn new(held: Arc<Held<S>>, connect: &Arc<Connect>) -> Self {
        Self {
            held,
            connect: Arc::clone(connect),
        }
    }

    /// The source, for those who must not keep it.
    pub(super) fn held(&self) -> Weak<Held<S>> {
        Arc::downgrade(&self.held)
    }

    /// Puts a question, unless the source is known to be silent.
    pub(super) async fn ask(self, question: S::Question, put: Put) -> Result<S::Answer, ScalerError> {
        let Self { held, connect } = self;
        let asked = now();
        let admission = held.admit(held.marks.hash_one(&question), asked, put.now);
        if let Admission::Refuse {
            since,
            within,
            failure,
        } = admission
        {
            return Err(ScalerError::Silent {
                endpoint: S::endpoint(&held.key),
                since,
                within,
                source: failure,
            });
        }
        let _trial = matches!(admission, Admission::Trial).then(|| Trial(&held));
        let answer = held.answer(&connect, question.clone(), put.errand);
        match tokio::time::timeout(put.within, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(held.late(&connect, question, asked, put.within)),
        }
    }

    /// Puts a question for a stream, which has the deadline of the process.
    pub(crate) async fn put(&self, question: S::Question) -> Result<S::Answer, ScalerError> {
        let put = Put {
            within: self.connect.timeout,
            now: None,
            errand: None,
        };
        self.clone().ask(question, put).await
    }

    /// The open source, for streams.
    pub(crate) async fn source(&self) -> Result<Arc<S>, ScalerError> {
        let (source, _) = self.in_time(self.held.source(&self.connect)).await?;
        Ok(source)
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, ScalerError>>) -> Result<T, ScalerError> {
        let done = tokio::time::timeout(self.connect.timeout, work).await;
        done.unwrap_or_else(|_| {
            Err(ScalerError::TimedOut {
                endpoint: S::endpoint(&self.held.key),
                after: self.connect.timeout,
            })
        })
    }

    /// The settings of the process.
    pub(crate) fn connect(&self) -> &Connect {
        &self.connect
    }

    /// How many failed questions are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.held.breaker(|breaker| breaker.remembered())
    }

    /// Says that the connection of a source broke.
    pub(crate) fn lost(&self, source: &Arc<S>) {
        self.held.forget(source);
    }
}

/// A read that finds out about an open source; whatever ends it, the next may try.
struct Trial<'a, S: Source>(&'a Held<S>);

impl<S: Source> Drop for Trial<'_, S> {
    fn drop(&mut self) {
        self.0.breaker(Breaker::end);
    }
}

/// The time that ages, idleness and pauses are counted from; it never decides a value.
pub(super) fn now() -> Instant {
    Instant::now()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave these tables half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
