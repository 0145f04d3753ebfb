//! A work queue: each key is worked on by one worker at a time, is never lost, and waits longer after each failure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// First pause after a failure; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A queue of keys. Cheap to clone.
pub(crate) struct Queue<K>(Arc<Shared<K>>);

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<K> {
    state: Mutex<State<K>>,
    wake: Notify,
}

struct State<K> {
    ready: VecDeque<K>,
    /// What is in `ready`, so that a key is in it once.
    waiting: BTreeSet<K>,
    /// Keys that become ready later.
    later: BTreeMap<K, Instant>,
    /// Keys in work, and whether something happened to them meanwhile.
    running: BTreeMap<K, bool>,
    failures: BTreeMap<K, u32>,
}

impl<K: Ord + Clone> Queue<K> {
    /// An empty queue.
    pub(crate) fn new() -> Self {
        let state = State {
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
            later: BTreeMap::new(),
            running: BTreeMap::new(),
            failures: BTreeMap::new(),
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            wake: Notify::new(),
        }))
    }

    /// Asks for work on a key, now or as soon as its present work ends.
    pub(crate) fn add(&self, key: K) {
        let mut state = self.lock();
        state.later.remove(&key);
        state.push(key);
        drop(state);
        self.0.wake.notify_one();
    }

    /// Asks for work on a key after a while; an earlier wish stays.
    pub(crate) fn add_after(&self, key: K, pause: Duration) {
        let mut state = self.lock();
        let due = Instant::now() + pause;
        state
            .later
            .entry(key)
            .and_modify(|at| *at = (*at).min(due))
            .or_insert(due);
        drop(state);
        self.0.wake.notify_one();
    }

    /// Counts a failure of a key and asks for another try after a pause that doubles up to `longest`.
    pub(crate) fn retry(&self, key: K, longest: Duration) {
        let failures = {
            let mut state = self.lock();
            let failures = state.failures.entry(key.clone()).or_default();
            *failures = failures.saturating_add(1);
            *failures
        };
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow((failures - 1).min(20)));
        self.add_after(key, pause.min(longest));
    }

    /// Forgets earlier failures of a key.
    pub(crate) fn succeeded(&self, key: &K) {
        self.lock().failures.remove(key);
    }

    /// Waits for a key to work on. The caller calls [`Queue::done`] afterwards.
    pub(crate) async fn next(&self) -> K {
        loop {
            let wait = {
                let mut state = self.lock();
                let next_due = state.ripen(Instant::now());
                if let Some(key) = state.take() {
                    if !state.ready.is_empty() {
                        self.0.wake.notify_one();
                    }
                    return key;
                }
                next_due
            };
            match wait {
                Some(due) => tokio::select! {
                    () = self.0.wake.notified() => {}
                    () = tokio::time::sleep_until(due) => {}
                },
                None => self.0.wake.notified().await,
            }
        }
    }

    /// Ends work on a key.
    pub(crate) fn done(&self, key: K) {
        let mut state = self.lock();
        if state.running.remove(&key) == Some(true) {
            state.push(key);
        }
        drop(state);
        self.0.wake.notify_one();
    }

    /// How many keys wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().ready.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Clone> State<K> {
    fn push(&mut self, key: K) {
        if let Some(again) = self.running.get_mut(&key) {
            *again = true;
        } else if self.waiting.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.waiting.remove(&key);
        self.running.insert(key.clone(), false);
        Some(key)
    }

    /// Moves what is due to `ready`; says when the next is.
    fn ripen(&mut self, now: Instant) -> Option<Instant> {
        let due: Vec<K> = self
            .later
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            self.later.remove(&key);
            self.push(key);
        }
        self.later.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_worked_on_once_at_a_time() {
        let queue = Queue::new();
        queue.add("a");
        queue.add("a");
        assert_eq!(queue.next().await, "a");
        queue.add("a");
        assert_eq!(queue.next().now_or_never(), None);
        queue.done("a");
        assert_eq!(queue.next().await, "a");
        queue.done("a");
        assert_eq!(queue.next().now_or_never(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time_up_to_a_limit() {
        let queue = Queue::new();
        let mut waited = Vec::new();
        for _ in 0..4 {
            let begin = Instant::now();
            queue.retry("a", Duration::from_millis(300));
            queue.next().await;
            queue.done("a");
            waited.push(begin.elapsed().as_millis());
        }
        assert!(waited.windows(2).all(|pair| pair[0] <= pair[1]), "{waited:?}");
        assert!(
            (100..110).contains(&waited[0]) && (300..310).contains(&waited[3]),
            "{waited:?}"
        );
        queue.succeeded(&"a");
        let begin = Instant::now();
        queue.retry("a", Duration::from_secs(9));
        queue.next().await;
        assert!(begin.elapsed() < Duration::from_millis(110));
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_overtakes_a_wait() {
        let queue = Queue::new();
        queue.add_after("a", Duration::from_hours(1));
        queue.add("a");
        assert_eq!(queue.next().now_or_never(), Some("a"));
        queue.done("a");
        assert_eq!(queue.next().now_or_never(), None);
    }
}
