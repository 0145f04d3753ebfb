//! Requests that are under way, so that equal ones are made once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::ScalerError;

type Request<A> = BoxFuture<'static, Result<A, ScalerError>>;

/// Requests in flight, by what they ask.
///
/// The table holds them weakly: a request that everybody gave up on is dropped with its last waiter, so nobody can
/// join it later and get an answer to a question that was put before they asked. A request that ends, however it ends,
/// takes itself off the table.
pub(super) struct Flights<Q, A> {
    table: Arc<Mutex<Table<Q, A>>>,
}

struct Table<Q, A> {
    flights: HashMap<Q, Flight<A>>,
    next: u64,
}

struct Flight<A> {
    number: u64,
    request: WeakShared<Request<A>>,
}

/// Room that an empty table may keep.
const ROOM: usize = 16;

/// Takes a request off the table when it ends.
struct Landing<Q: Eq + Hash, A> {
    table: Weak<Mutex<Table<Q, A>>>,
    question: Q,
    number: u64,
}

impl<Q: Eq + Hash, A> Drop for Landing<Q, A> {
    fn drop(&mut self) {
        let Some(table) = self.table.upgrade() else {
            return;
        };
        let mut table = lock(&table);
        let own = |flight: &Flight<A>| flight.number == self.number;
        if table.flights.get(&self.question).is_some_and(own) {
            table.flights.remove(&self.question);
        }
        if table.flights.is_empty() && table.flights.capacity() > ROOM {
            table.flights = HashMap::new();
        }
    }
}

impl<Q, A> Default for Flights<Q, A> {
    fn default() -> Self {
        let table = Table {
            flights: HashMap::new(),
            next: 0,
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
    /// Joins the request for a question, or starts it.
    pub(super) fn join(&self, question: Q, start: impl FnOnce() -> Request<A>) -> Shared<Request<A>> {
        let mut table = lock(&self.table);
        let known = table.flights.get(&question);
        let under_way = known.and_then(|flight| flight.request.upgrade());
        if let Some(flight) = under_way.filter(|flight| flight.peek().is_none()) {
            return flight;
        }
        let number = table.next;
        table.next += 1;
        let landing = Landing {
            table: Arc::downgrade(&self.table),
            question: question.clone(),
            number,
        };
        let request = start();
        let flight = async move {
            let answer = request.await;
            drop(landing);
            answer
        };
        let flight = flight.boxed().shared();
        if let Some(request) = flight.downgrade() {
            table.flights.insert(question, Flight { number, request });
        }
        flight
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
        fn ask(&self, question: &str) -> Shared<Request<u32>> {
            let (started, gate) = (Arc::clone(&self.started), Arc::clone(&self.gate));
            self.flights.join(question.to_owned(), || {
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
}
