//! The pool with a source that is told what to do, in virtual time.

mod batching;
mod moment;
mod opening;
mod silence;
mod trials;

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::pending;
use tokio::time::Instant;

use super::opener::Put;
use super::{ConnectionReport, Shelf, Shelves};
use crate::ScalerError;
use crate::connect::Connect;
use crate::scaler::Source;

/// What a source does, and what was done to it.
#[derive(Debug, Default)]
struct World {
    /// How many questions travel together.
    together: usize,
    state: Mutex<State>,
    opened: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    mode: Mode,
    /// How long an answer takes.
    latency: Duration,
    /// Questions that are answered with an error.
    wrong: BTreeSet<u32>,
    /// Questions that are never answered, and with them their batch.
    slow: BTreeSet<u32>,
    /// Every request: when it came, and what it asked.
    requests: Vec<(Duration, Vec<u32>)>,
    /// Requests that are under way, and the most there were at a time.
    under_way: usize,
    most: usize,
    born: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Mode {
    #[default]
    Answers,
    /// Takes connections and requests, and says nothing.
    Hangs,
    /// Takes no connection, and breaks those it has.
    Refuses,
    /// Leaves out the last answer.
    AnswersShort,
    /// Takes connections, and never gets as far as requests.
    NeverOpens,
}

/// Each world is a source of its own.
#[derive(Clone, Debug)]
struct Key(Arc<World>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl World {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, mode: Mode) {
        self.state().mode = mode;
    }

    /// The questions of every request so far.
    fn requests(&self) -> Vec<Vec<u32>> {
        let state = self.state();
        state.requests.iter().map(|(_, asked)| asked.clone()).collect()
    }

    /// How many requests asked one of these first.
    fn asked_of(&self, questions: impl RangeBounds<u32>) -> usize {
        let requests = self.requests();
        requests
            .iter()
            .filter(|asked| questions.contains(&asked[0]))
            .count()
    }
}

struct Fake(Arc<World>);

impl Source for Fake {
    type Key = Key;
    type Question = u32;
    type Answer = u32;
    const PROTOCOL: &'static str = "fake";

    fn shelf(_shelves: &Shelves) -> &Shelf<Self> {
        unreachable!("a bench has a shelf of its own")
    }

    fn endpoint(_key: &Key) -> String {
        "fake:1".to_owned()
    }

    fn together(key: &Key) -> usize {
        key.0.together
    }

    async fn open(key: &Key, _connect: &Connect) -> Result<Self, ScalerError> {
        key.0.opened.fetch_add(1, Ordering::Relaxed);
        if key.0.state().mode == Mode::Refuses {
            return Err(refused());
        }
        if key.0.state().mode == Mode::NeverOpens {
            pending::<()>().await;
        }
        Ok(Self(Arc::clone(&key.0)))
    }

    async fn ask(&self, questions: &[u32]) -> Vec<Result<u32, ScalerError>> {
        let (mode, latency, stuck) = {
            let mut state = self.0.state();
            let at = state.born.get_or_insert_with(Instant::now).elapsed();
            state.requests.push((at, questions.to_vec()));
            state.under_way += 1;
            state.most = state.most.max(state.under_way);
            let stuck = questions.iter().any(|question| state.slow.contains(question));
            (state.mode, state.latency, stuck)
        };
        let _request = Request(&self.0);
        if mode == Mode::Hangs || stuck {
            pending::<()>().await;
        }
        tokio::time::sleep(latency).await;
        let answer = |question: &u32| {
            if mode == Mode::Refuses {
                Err(refused())
            } else if self.0.state().wrong.contains(question) {
                Err(ScalerError::Answer {
                    endpoint: "fake:1".to_owned(),
                    answer: format!("that it has no {question}"),
                })
            } else {
                Ok(question * 10)
            }
        };
        let mut answers: Vec<_> = questions.iter().map(answer).collect();
        if mode == Mode::AnswersShort {
            answers.pop();
        }
        answers
    }
}

/// A request until it is answered or given up.
struct Request<'a>(&'a World);

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
    }
}

fn refused() -> ScalerError {
    ScalerError::unreachable("fake:1", std::io::Error::other("connection refused"))
}

/// A shelf with one world, or more.
struct Bench {
    shelf: Shelf<Fake>,
    connect: Arc<Connect>,
    world: Arc<World>,
}

/// A deadline of the process, as it is by default.
const DEADLINE: Duration = Duration::from_secs(3);

impl Bench {
    fn new(together: usize) -> Self {
        Self {
            shelf: Shelf::default(),
            connect: Arc::new(Connect::default()),
            world: world(together),
        }
    }

    /// Puts a question; says the answer and how long it took.
    async fn timed(&self, question: u32) -> (Result<u32, String>, Duration) {
        self.timed_on(&self.world, question).await
    }

    async fn timed_on(&self, world: &Arc<World>, question: u32) -> (Result<u32, String>, Duration) {
        self.within(world, question, DEADLINE).await
    }

    async fn within(
        &self,
        world: &Arc<World>,
        question: u32,
        within: Duration,
    ) -> (Result<u32, String>, Duration) {
        let begin = Instant::now();
        (self.put(world, question, within, None).await, begin.elapsed())
    }

    async fn put(
        &self,
        world: &Arc<World>,
        question: u32,
        within: Duration,
        since: Option<Instant>,
    ) -> Result<u32, String> {
        let put = Put {
            within,
            now: "2026-01-01T10:00:00Z".parse().ok(),
            since,
            errand: None,
        };
        let opener = self
            .shelf
            .get(&Key(Arc::clone(world)), &"shop/orders[0]".into(), &self.connect);
        opener.ask(question, put).await.map_err(|error| error.chain())
    }

    /// Puts a question as a poll of that moment does.
    async fn poll(&self, question: u32, moment: Instant) -> Result<u32, String> {
        self.put(&self.world, question, DEADLINE, Some(moment)).await
    }

    async fn ask(&self, question: u32) -> Result<u32, String> {
        self.timed(question).await.0
    }

    fn report(&self) -> ConnectionReport {
        let mut reports = Vec::new();
        self.shelf.report(&mut reports);
        reports.remove(0)
    }
}

fn world(together: usize) -> Arc<World> {
    Arc::new(World {
        together,
        ..World::default()
    })
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
