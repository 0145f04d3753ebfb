//! Questions to one source that travel together.
//!
//! The first question opens a batch, those that come before it leaves join it. When it leaves depends on what the
//! source is doing, so that nobody waits for company that is not to be expected:
//!
//! | the source | the batch leaves |
//! | --- | --- |
//! | is quiet | after one turn of the scheduler, in which everything that is ready to ask does |
//! | was asked within the last window | at the end of the window |
//! | is answering another batch | when that is answered, at the latest at the end of the window |
//!
//! So a question waits one window at most, and one that comes alone does not wait at all.
//!
//! A batch is driven by those who wait for it: it goes on as long as one of them does, and ends with the last.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::ScalerError;

/// How long a batch waits for company.
pub(super) const WINDOW: Duration = Duration::from_millis(2);

/// The answers to a batch, one for each of its questions.
pub(super) type Answers<A> = Vec<Result<A, ScalerError>>;

type Batch<A> = BoxFuture<'static, Arc<Answers<A>>>;

/// The batches of one source.
pub(super) struct Batches<Q, A> {
    inner: Arc<Inner<Q, A>>,
}

struct Inner<Q, A> {
    state: Mutex<State<Q, A>>,
    /// Tells that a batch was answered.
    answered: Notify,
}

struct State<Q, A> {
    open: Option<Open<Q, A>>,
    /// Batches that are being answered.
    sent: usize,
    /// When the last question came.
    last: Option<Instant>,
}

/// A batch that takes questions.
struct Open<Q, A> {
    /// `None` once it has left.
    questions: Questions<Q>,
    batch: WeakShared<Batch<A>>,
}

type Questions<Q> = Arc<Mutex<Option<Vec<Q>>>>;

/// When a batch leaves.
#[derive(Clone, Copy)]
enum Leave {
    /// After one turn of the scheduler.
    Next,
    /// At the end of the window.
    Window,
    /// When another batch was answered, at the latest at the end of the window.
    Answer,
}

impl<Q, A> Default for Batches<Q, A> {
    fn default() -> Self {
        let state = State {
            open: None,
            sent: 0,
            last: None,
        };
        let inner = Inner {
            state: Mutex::new(state),
            answered: Notify::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl<Q: Send + 'static, A: Clone + Send + Sync + 'static> Batches<Q, A> {
    /// Adds a question to the batch that is open, or opens one of at most `most`, and waits for its answer.
    ///
    /// `send` must give one answer for each question.
    pub(super) fn join(
        &self,
        question: Q,
        most: usize,
        send: impl FnOnce(Vec<Q>) -> BoxFuture<'static, Answers<A>> + Send + 'static,
    ) -> BoxFuture<'static, Result<A, ScalerError>> {
        let (place, batch) = self.enter(question, most, send);
        let answer = batch.map(move |answers| answers.get(place).cloned());
        answer
            .map(|answer| answer.unwrap_or_else(|| Err(unanswered())))
            .boxed()
    }

    fn enter(
        &self,
        question: Q,
        most: usize,
        send: impl FnOnce(Vec<Q>) -> BoxFuture<'static, Answers<A>> + Send + 'static,
    ) -> (usize, Shared<Batch<A>>) {
        let now = Instant::now();
        let mut state = lock(&self.inner.state);
        let former = state.last.replace(now);
        if let Some(open) = &state.open
            && let Some(questions) = lock(&open.questions).as_mut().filter(|all| all.len() < most)
            // Last, as a batch must not end in here: it takes this lock when it does.
            && let Some(batch) = open.batch.upgrade()
        {
            questions.push(question);
            return (questions.len() - 1, batch);
        }
        let leave = match former {
            _ if state.sent > 0 => Leave::Answer,
            Some(former) if now.duration_since(former) < WINDOW => Leave::Window,
            _ => Leave::Next,
        };
        let questions: Questions<Q> = Arc::new(Mutex::new(Some(vec![question])));
        let (inner, taken) = (Arc::clone(&self.inner), Arc::clone(&questions));
        let batch = async move {
            inner.wait(leave).await;
            let questions = lock(&taken).take().unwrap_or_default();
            let _sent = Sent::new(inner);
            Arc::new(send(questions).await)
        };
        let batch = batch.boxed().shared();
        state.open = batch.downgrade().map(|batch| Open { questions, batch });
        (0, batch)
    }
}

impl<Q, A> Inner<Q, A> {
    async fn wait(&self, leave: Leave) {
        match leave {
            Leave::Next => turn().await,
            Leave::Window => tokio::time::sleep(WINDOW).await,
            Leave::Answer => {
                let answered = self.answered.notified();
                if lock(&self.state).sent > 0 {
                    // Either may end the wait, and neither is a failure.
                    let _ = tokio::time::timeout(WINDOW, answered).await;
                }
            }
        }
    }
}

/// Ends after one turn of the scheduler. Everybody who joins a batch polls it, so a poll alone must not end the turn, as it
/// would `yield_now`: only the scheduler's own wake-up does.
async fn turn() {
    let mut woken: Option<Arc<Woken>> = None;
    poll_fn(|context| match &woken {
        Some(woken) if woken.by_scheduler.load(Ordering::Acquire) => Poll::Ready(()),
        Some(_) => Poll::Pending,
        None => {
            let first = Arc::new(Woken {
                by_scheduler: AtomicBool::new(false),
                batch: context.waker().clone(),
            });
            woken = Some(Arc::clone(&first));
            // Pending, as it always is at first; the wake-up is what it is for.
            pin!(tokio::task::yield_now())
                .poll(&mut Context::from_waker(&Waker::from(first)))
                .map(drop)
        }
    })
    .await;
}

struct Woken {
    by_scheduler: AtomicBool,
    batch: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.by_scheduler.store(true, Ordering::Release);
        self.batch.wake_by_ref();
    }
}

/// A batch that is being answered.
struct Sent<Q, A>(Arc<Inner<Q, A>>);

impl<Q, A> Sent<Q, A> {
    fn new(inner: Arc<Inner<Q, A>>) -> Self {
        lock(&inner.state).sent += 1;
        Self(inner)
    }
}

impl<Q, A> Drop for Sent<Q, A> {
    fn drop(&mut self) {
        lock(&self.0.state).sent -= 1;
        self.0.answered.notify_waiters();
    }
}

/// Makes a reply fit its questions: a source that answers short has not answered the rest.
pub(super) fn fit<A>(mut answers: Answers<A>, questions: usize) -> Answers<A> {
    answers.truncate(questions);
    while answers.len() < questions {
        answers.push(Err(unanswered()));
    }
    answers
}

pub(super) fn unanswered() -> ScalerError {
    ScalerError::Value("the source gave no answer".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave these half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
