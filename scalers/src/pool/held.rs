//! One source with those who share it.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, timeout};

use super::batch::{self, Answers, Batches};
use super::breaker::{Admission, Breaker, Refusal};
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
        self.asking.forget_old();
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
        let figure = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let (asked, refused) = (figure(&self.figures.asked), figure(&self.figures.refused));
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
            batches: figure(&self.figures.batches),
            shared: figure(&self.figures.wanted).saturating_sub(asked + refused),
            failed: figure(&self.figures.failed),
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

    /// Where the source is.
    pub(super) fn endpoint(&self) -> String {
        S::endpoint(&self.key)
    }

    pub(super) fn marks(&self) -> &RandomState {
        &self.marks
    }

    /// Whether to ask. Counts the read, unless it has to wait to know.
    pub(super) fn admit(&self, question: u64, told: Option<jiff::Timestamp>) -> Admission {
        let now = now();
        let mut state = lock(&self.state);
        let admission = state.breaker.admit(question, now, told);
        match admission {
            Admission::Wait(_) => return admission,
            Admission::Refuse(_) => count(&self.figures.refused),
            Admission::Ask | Admission::Trial(_) => {}
        }
        count(&self.figures.wanted);
        state.rate.count(now);
        admission
    }

    /// What a read is answered with that waited in vain; `None` once the source is asked again. Counts the read.
    pub(super) fn refuse(&self, told: Option<jiff::Timestamp>) -> Option<Refusal> {
        let now = now();
        let mut state = lock(&self.state);
        let refusal = state.breaker.refusal(now, told)?;
        count(&self.figures.wanted);
        count(&self.figures.refused);
        state.rate.count(now);
        Some(refusal)
    }

    /// The open source, and whether this call opened it.
    pub(super) async fn source(
        self: &Arc<Self>,
        connect: &Arc<Connect>,
    ) -> Result<(Arc<S>, bool), ScalerError> {
        if let Some(source) = lock(&self.state).source.clone() {
            return Ok((source, false));
        }
        let (held, connect) = (Arc::clone(self), Arc::clone(connect));
        let opening = self.opening.join((), None, move || {
            Box::pin(async move {
                // Those who ask give up at their own deadlines; but others join meanwhile, and would wait for the very
                // opening that does not end.
                let opened = timeout(connect.timeout, S::open(&held.key, &connect)).await;
                let source = Arc::new(opened.unwrap_or_else(|_| Err(held.timed_out(connect.timeout)))?);
                lock(&held.state).source = Some(Arc::clone(&source));
                Ok(source)
            })
        });
        opening.await.map(|source| (source, true))
    }

    /// Forgets a source whose connection broke, unless another took its place already.
    pub(super) fn forget(&self, broken: &Arc<S>) {
        let mut state = lock(&self.state);
        if state
            .source
            .as_ref()
            .is_some_and(|source| Arc::ptr_eq(source, broken))
        {
            state.source = None;
        }
    }

    /// Joins the request that is in flight for a question, or starts one: alone, or with others where that helps. With `since`,
    /// the answer to an equal question that was put no earlier will do.
    pub(super) fn answer(
        self: &Arc<Self>,
        connect: &Arc<Connect>,
        question: S::Question,
        since: Option<Instant>,
        errand: Option<Errand>,
    ) -> impl Future<Output = Result<S::Answer, ScalerError>> + Send + use<S> {
        let (held, connect) = (Arc::clone(self), Arc::clone(connect));
        let asked = question.clone();
        self.asking.join(question, since, move || {
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
        count(&self.figures.batches);
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
        count(&self.figures.failed);
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

    /// No answer came in that time.
    pub(super) fn timed_out(&self, after: Duration) -> ScalerError {
        ScalerError::TimedOut {
            endpoint: S::endpoint(&self.key),
            after,
        }
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
        let error = self.timed_out(after);
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

fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}

/// The places of the questions whose connection broke.
fn lost<A>(answers: &[Result<A, ScalerError>]) -> Vec<usize> {
    let broken =
        |answer: &Result<A, ScalerError>| answer.as_ref().is_err_and(ScalerError::is_connection_lost);
    (0..answers.len())
        .filter(|&place| broken(&answers[place]))
        .collect()
}

/// The time that ages, idleness and pauses are counted from; it never decides a value.
pub(super) fn now() -> Instant {
    Instant::now()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave these tables half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
