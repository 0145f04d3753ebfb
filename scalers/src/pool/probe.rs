//! Finds out in the background when a silent source answers again.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::breaker::Breaker;
use super::held::{Held, lock, now};
use super::opener::Finding;
use crate::connect::Connect;
use crate::scaler::Source;

/// The task that probes one source, while there is one. It ends when the source answers, and with the source.
#[derive(Default)]
pub(super) struct Prober(Mutex<Option<AbortHandle>>);

impl Prober {
    /// Probes with a question that failed, until the breaker is closed.
    pub(super) fn start<S: Source>(
        &self,
        held: &Arc<Held<S>>,
        connect: &Arc<Connect>,
        question: S::Question,
        within: Duration,
    ) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        // Weak, so that a source that nobody asks any more is dropped, and this task with it.
        let task = runtime.spawn(probe(Arc::downgrade(held), Arc::clone(connect), question, within));
        if let Some(former) = lock(&self.0).replace(task.abort_handle()) {
            former.abort();
        }
    }

    /// Ends the task.
    pub(super) fn stop(&self) {
        if let Some(task) = lock(&self.0).take() {
            task.abort();
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn probe<S: Source>(
    held: Weak<Held<S>>,
    connect: Arc<Connect>,
    question: S::Question,
    within: Duration,
) {
    for number in 0_u64.. {
        let next = held.upgrade().and_then(|held| {
            let chance = held.marks().hash_one((number, Arc::as_ptr(&held) as usize));
            held.breaker(|breaker| breaker.schedule(now(), chance))
        });
        let Some(next) = next else { return };
        tokio::time::sleep_until(next).await;
        let Some(held) = held.upgrade() else { return };
        // Somebody's trial may be under way instead; then this turn is its.
        if let Some(probe) = held.breaker(Breaker::begin) {
            // However this ends, also with the task: the next may begin.
            let _probe = Finding::new(&held, probe);
            let asked = now();
            let answer = held.answer(&connect, question.clone(), None, None);
            if tokio::time::timeout(within, answer).await.is_err() {
                held.late(&connect, question.clone(), asked, within);
            }
        }
    }
}
