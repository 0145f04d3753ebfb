//! Requests that are under way, so that equal ones are made once; and answers that just came, for those who need none newer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Either, Ready, Shared, WeakShared, ready};
use tokio::time::Instant;

use super::held::now;
use crate::ScalerError;

type Request<A> = BoxFuture<'static, Result<A, ScalerError>>;
/// The answer to a question: one that is there already, or that of a request under way.
type Joined<A> = Either<Ready<Result<A, ScalerError>>, Shared<Request<A>>>;

/// Requests in flight, by what they ask.
///
/// The table holds them weakly: a request that everybody gave up on is dropped with its last waiter, so nobody can
/// join it later and get an answer to a question that was put before they asked. A request that ends, however it ends,
/// takes itself off the table.
///
/// Those who say since when an answer will do, as polls of one moment do, also share answers: a quick source has answered the
/// first of them before the last one asks. Only what they asked for themselves is kept, and only for a moment.
pub(super) struct Flights<Q, A> {
    table: Arc<Mutex<Table<Q, A>>>,
}

struct Table<Q, A> {
    flights: HashMap<Q, Flight<A>>,
    next: u64,
    kept: HashMap<Q, Kept<A>>,
    /// When answers were last cleared away.
    cleared: Option<Instant>,
}

struct Flight<A> {
    number: u64,
    asked: Instant,
    /// Whether somebody waits who shares answers.
    keep: bool,
    request: WeakShared<Request<A>>,
}

/// An answer that others may be given.
struct Kept<A> {
    asked: Instant,
    came: Instant,
    answer: A,
}

/// Room that an empty table may keep.
const ROOM: usize = 16;
/// How long an answer is kept: as long as it may take until the last of many that wake at the same moment has asked.
const KEPT: Duration = Duration::from_secs(2);

/// Takes a request off the table when it ends.
struct Landing<Q: Eq + Hash, A> {
    table: Weak<Mutex<Table<Q, A>>>,
    question: Option<Q>,
    number: u64,
    answer: Option<A>,
}

impl<Q: Eq + Hash, A> Drop for Landing<Q, A> {
    fn drop(&mut self) {
        let (Some(table), Some(question)) = (self.table.upgrade(), self.question.take()) else {
            return;
        };
        let mut table = lock(&table);
        let own = |flight: &Flight<A>| flight.number == self.number;
        if !table.flights.get(&question).is_some_and(own) {
            return;
        }
        let flight = table.flights.remove(&question).filter(|flight| flight.keep);
        shrink(&mut table.flights);
        if let (Some(flight), Some(answer)) = (flight, self.answer.take()) {
            let came = now();
            table.clear(came);
            let asked = flight.asked;
            table.kept.insert(question, Kept { asked, came, answer });
        }
    }
}

impl<Q: Eq + Hash, A> Table<Q, A> {
    /// Forgets answers that are no longer given to anybody; looks for them once a while only.
    fn clear(&mut self, now: Instant) {
        if self
            .cleared
            .is_none_or(|cleared| now.duration_since(cleared) >= KEPT)
        {
            self.cleared = Some(now);
            self.kept.retain(|_, kept| now.duration_since(kept.came) < KEPT);
            shrink(&mut self.kept);
        }
    }
}

fn shrink<Q, V>(table: &mut HashMap<Q, V>) {
    if table.is_empty() && table.capacity() > ROOM {
        *table = HashMap::new();
    }
}

impl<Q, A> Default for Flights<Q, A> {
    fn default() -> Self {
        let table = Table {
            flights: HashMap::new(),
            next: 0,
            kept: HashMap::new(),
            cleared: None,
        };
        Self {
            table: Arc::new(Mutex::new(table)),
        }
    }
}

impl<Q, A> Flights<Q, A>
where
    Q: Clone + Eq + Hash + Send + 'static,
    A: Clone + Send + Sync + 'static,
{
    /// Joins the request for a question, or starts it. With `since`, an answer to a question that was put no earlier will do.
    pub(super) fn join(
        &self,
        question: Q,
        since: Option<Instant>,
        start: impl FnOnce() -> Request<A>,
    ) -> Joined<A> {
        let now = now();
        let mut table = lock(&self.table);
        if let Some(since) = since
            && let Some(kept) = table.kept.get(&question)
            && kept.asked >= since
            && now.duration_since(kept.came) < KEPT
        {
            return Either::Left(ready(Ok(kept.answer.clone())));
        }
        if let Some(known) = table.flights.get_mut(&question)
            && let Some(request) = known.request.upgrade().filter(|request| request.peek().is_none())
        {
            known.keep |= since.is_some();
            return Either::Right(request);
        }
        let number = table.next;
        table.next += 1;
        let mut landing = Landing {
            table: Arc::downgrade(&self.table),
            question: Some(question.clone()),
            number,
            answer: None,
        };
        let request = start();
        let flight = async move {
            let answer = request.await;
            landing.answer = answer.as_ref().ok().cloned();
            // Its answer is kept before it leaves the table, so that whoever asks now finds the one or the other.
            drop(landing);
            answer
        };
        let flight = flight.boxed().shared();
        if let Some(request) = flight.downgrade() {
            let flight = Flight {
                number,
                asked: now,
                keep: since.is_some(),
                request,
            };
            table.flights.insert(question, flight);
        }
        Either::Right(flight)
    }

    /// Forgets answers that are no longer given to anybody.
    pub(super) fn forget_old(&self) {
        lock(&self.table).clear(now());
    }

    /// How many requests are under way.
    pub(super) fn count(&self) -> usize {
        lock(&self.table).flights.len()
    }

    /// How many questions the table has room for without growing.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        lock(&self.table).flights.capacity()
    }

    /// How many answers are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        lock(&self.table).kept.len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave the table half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    struct Bench {
        flights: Flights<String, u32>,
        started: Arc<AtomicU32>,
        gate: Arc<Notify>,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                flights: Flights::default(),
                started: Arc::default(),
                gate: Arc::default(),
            }
        }

        /// Asks; the answer is the number of the request, and comes once the gate opens.
        fn ask(&self, question: &str) -> Joined<u32> {
            self.ask_since(question, None)
        }

        /// The same, with an answer that was asked for since then.
        fn ask_since(&self, question: &str, since: Option<Instant>) -> Joined<u32> {
            let (started, gate) = (Arc::clone(&self.started), Arc::clone(&self.gate));
            self.flights.join(question.to_owned(), since, || {
                let number = started.fetch_add(1, Ordering::Relaxed) + 1;
                Box::pin(async move {
                    gate.notified().await;
                    Ok(number)
                })
            })
        }
    }

    #[tokio::test]
    async fn equal_questions_in_flight_are_asked_once() {
        let bench = Bench::new();
        let (first, second, other) = (bench.ask("a"), bench.ask("a"), bench.ask("b"));
        assert_eq!(bench.flights.count(), 2);
        bench.gate.notify_one();
        bench.gate.notify_one();
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.expect("answered"), second.expect("answered")), (1, 1));
        bench.gate.notify_one();
        assert_eq!(other.await.expect("answered"), 2);
        assert_eq!(bench.flights.count(), 0);
    }

    #[tokio::test]
    async fn an_answer_is_never_given_to_a_later_question() {
        let bench = Bench::new();
        let first = bench.ask("a");
        bench.gate.notify_one();
        assert_eq!(first.clone().await.expect("answered"), 1);
        bench.gate.notify_one();
        assert_eq!(bench.ask("a").await.expect("answered"), 2);
        drop(first);
    }

    #[tokio::test]
    async fn a_request_that_all_gave_up_on_is_started_anew() {
        let bench = Bench::new();
        drop(bench.ask("a"));
        assert_eq!(bench.flights.count(), 0);
        bench.gate.notify_one();
        assert_eq!(bench.ask("a").await.expect("answered"), 2);
    }

    #[tokio::test]
    async fn a_thousand_questions_leave_nothing_behind() {
        let bench = Bench::new();
        let mut asked: Vec<_> = (0..1000).map(|n| bench.ask(&n.to_string())).collect();
        assert_eq!(bench.flights.count(), 1000);
        // Half of them are given up, the others are answered.
        asked.truncate(500);
        assert_eq!(bench.flights.count(), 500);
        for flight in asked {
            bench.gate.notify_one();
            flight.await.expect("answered");
        }
        assert_eq!(bench.flights.count(), 0);
        assert!(bench.flights.room() <= ROOM, "{}", bench.flights.room());
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_one_moment_share_an_answer_that_came_meanwhile() {
        let bench = Bench::new();
        let moment = now();
        bench.gate.notify_one();
        assert_eq!(bench.ask_since("a", Some(moment)).await.expect("answered"), 1);
        for _ in 0..200 {
            tokio::time::advance(Duration::from_millis(5)).await;
            assert_eq!(bench.ask_since("a", Some(moment)).await.expect("answered"), 1);
        }
        // The next moment, and somebody who takes none but their own.
        for since in [Some(now()), None] {
            bench.gate.notify_one();
            let before = bench.started.load(Ordering::Relaxed);
            assert_eq!(
                bench.ask_since("a", since).await.expect("answered"),
                before + 1,
                "{since:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_joined_a_read_shares_its_answer_only_if_it_was_asked_in_time() {
        let bench = Bench::new();
        let read = bench.ask("a");
        tokio::time::advance(Duration::from_millis(1)).await;
        let moment = now();
        let poll = bench.ask_since("a", Some(moment));
        bench.gate.notify_one();
        let (read, poll) = tokio::join!(read, poll);
        assert_eq!((read.expect("answered"), poll.expect("answered")), (1, 1));
        bench.gate.notify_one();
        assert_eq!(bench.ask_since("a", Some(moment)).await.expect("answered"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_only_reads_asked_for_is_not_kept_and_what_polls_did_not_for_long() {
        let bench = Bench::new();
        let moment = now();
        bench.gate.notify_one();
        bench.ask("a").await.expect("answered");
        assert_eq!(bench.flights.kept(), 0);
        bench.gate.notify_one();
        bench.ask_since("a", Some(moment)).await.expect("answered");
        assert_eq!(bench.flights.kept(), 1);
        tokio::time::advance(KEPT).await;
        bench.gate.notify_one();
        assert_eq!(bench.ask_since("a", Some(moment)).await.expect("answered"), 3);
        tokio::time::advance(KEPT).await;
        bench.flights.forget_old();
        assert_eq!(bench.flights.kept(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_kept() {
        let flights = Flights::<u8, u32>::default();
        let since = Some(now());
        let failed = flights.join(1, since, || ready(Err(ScalerError::Closed)).boxed());
        assert!(failed.await.is_err());
        assert_eq!(
            flights
                .join(1, since, || ready(Ok(7)).boxed())
                .await
                .expect("answered"),
            7
        );
    }
}
