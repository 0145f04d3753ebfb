//! The way from a trigger to its source: who may ask, when, and for how long.

use std::hash::BuildHasher;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use super::breaker::{Admission, Attempt, Refusal};
use super::held::{Held, now};
use crate::ScalerError;
use crate::connect::Connect;
use crate::observer::Errand;
use crate::scaler::Source;

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
    pub(crate) now: Option<Timestamp>,
    /// Since when an equal question may have been put whose answer will do.
    pub(crate) since: Option<Instant>,
    /// The read it is put for, if somebody wants to know.
    pub(crate) errand: Option<Errand>,
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
        let due = Deadline {
            begin: now(),
            within: put.within,
            now: put.now,
        };
        let trial = admitted(&held, held.marks().hash_one(&question), &due).await?;
        let asked = now();
        let answer = held.answer(&connect, question.clone(), put.since, put.errand);
        let answer = timeout(due.left(), answer).await;
        let answer = answer.unwrap_or_else(|_| Err(held.late(&connect, question, asked, due.within)));
        if let Some(trial) = trial {
            trial.failed();
        }
        answer
    }

    /// Puts a question for a stream, which has the deadline of the process.
    pub(crate) async fn put(&self, question: S::Question) -> Result<S::Answer, ScalerError> {
        let put = Put {
            within: self.connect.timeout,
            now: None,
            since: None,
            errand: None,
        };
        self.clone().ask(question, put).await
    }

    /// The open source, for streams.
    pub(crate) async fn source(&self) -> Result<Arc<S>, ScalerError> {
        let (source, _) = self.held.source(&self.connect).await?;
        Ok(source)
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

/// When a read ends at the latest.
struct Deadline {
    begin: Instant,
    within: Duration,
    now: Option<Timestamp>,
}

impl Deadline {
    fn left(&self) -> Duration {
        self.within.saturating_sub(self.begin.elapsed())
    }

    /// The time of day by now.
    fn told(&self) -> Option<Timestamp> {
        self.now?.checked_add(self.begin.elapsed()).ok()
    }
}

/// Waits while somebody's trial is under way. Then the read may ask, maybe as the next trial; or it has its error.
async fn admitted<'a, S: Source>(
    held: &'a Held<S>,
    question: u64,
    due: &Deadline,
) -> Result<Option<Finding<'a, S>>, ScalerError> {
    loop {
        let outcome = match held.admit(question, due.told()) {
            Admission::Ask => return Ok(None),
            Admission::Trial(trial) => return Ok(Some(Finding::new(held, trial))),
            Admission::Refuse(refusal) => return Err(silent(held, refusal)),
            Admission::Wait(outcome) => outcome,
        };
        let failed = timeout(due.left(), outcome.failed()).await;
        // A question without any time left is not put: it would count as one that the source was too slow for.
        if failed.unwrap_or(true) || due.left().is_zero() {
            match held.refuse(due.told()) {
                Some(refusal) => return Err(silent(held, refusal)),
                None if due.left().is_zero() => return Err(held.timed_out(due.within)),
                // Somebody else was answered meanwhile.
                None => {}
            }
        }
    }
}

fn silent<S: Source>(held: &Held<S>, refusal: Refusal) -> ScalerError {
    ScalerError::Silent {
        endpoint: held.endpoint(),
        since: refusal.since,
        within: refusal.within,
        source: refusal.failure,
    }
}

/// A read that finds out about an open source. If it is given up, the next may try.
pub(super) struct Finding<'a, S: Source> {
    held: &'a Held<S>,
    attempt: Attempt,
}

impl<'a, S: Source> Finding<'a, S> {
    pub(super) fn new(held: &'a Held<S>, attempt: Attempt) -> Self {
        Self { held, attempt }
    }

    /// It ended by itself; if the breaker is still open, it failed.
    fn failed(self) {
        self.held.breaker(|breaker| breaker.end(self.attempt, true));
    }
}

impl<S: Source> Drop for Finding<'_, S> {
    fn drop(&mut self) {
        self.held.breaker(|breaker| breaker.end(self.attempt, false));
    }
}
