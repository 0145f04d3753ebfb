//! Requests that are under way, so that equal ones are made once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::ScalerError;

type Request<A> = BoxFuture<'static, Result<A, ScalerError>>;

/// Requests in flight, by what they ask.
///
/// The table holds them weakly: a request that everybody gave up on is dropped with its last waiter, so nobody can
/// join it later and get an answer to a question that was put before they asked.
pub(super) struct Flights<Q, A> {
    table: Mutex<Table<Q, A>>,
}

struct Table<Q, A> {
    flights: HashMap<Q, WeakShared<Request<A>>>,
    sweep_at: usize,
}

/// Below this many entries the table is not swept of finished requests.
const SMALL: usize = 64;

impl<Q, A> Default for Flights<Q, A> {
    fn default() -> Self {
        Self {
            table: Mutex::new(Table {
                flights: HashMap::new(),
                sweep_at: SMALL,
            }),
        }
    }
}

impl<Q: Eq + Hash, A: Clone> Flights<Q, A> {
    /// Joins the request for a question, or starts it.
    pub(super) fn join(&self, question: Q, start: impl FnOnce() -> Request<A>) -> Shared<Request<A>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = table.flights.get(&question).and_then(under_way) {
            return flight;
        }
        if table.flights.len() >= table.sweep_at {
            table.flights.retain(|_, flight| under_way(flight).is_some());
            table.sweep_at = SMALL.max(table.flights.len() * 2);
        }
        let flight = start().shared();
        if let Some(weak) = flight.downgrade() {
            table.flights.insert(question, weak);
        }
        flight
    }

    /// How many requests are under way.
    pub(super) fn count(&self) -> usize {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table
            .flights
            .values()
            .filter(|flight| under_way(flight).is_some())
            .count()
    }
}

fn under_way<A: Clone>(flight: &WeakShared<Request<A>>) -> Option<Shared<Request<A>>> {
    flight.upgrade().filter(|flight| flight.peek().is_none())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    struct Bench {
        flights: Flights<&'static str, u32>,
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
        fn ask(&self, question: &'static str) -> Shared<Request<u32>> {
            let (started, gate) = (Arc::clone(&self.started), Arc::clone(&self.gate));
            self.flights.join(question, || {
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
        bench.gate.notify_one();
        assert_eq!(bench.ask("a").await.expect("answered"), 2);
    }
}
