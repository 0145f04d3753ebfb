//! Spares those who ask from waiting for a source that answers nobody.
//!
//! ```text
//! closed ──three failures in a row──▶ open ──time to probe──▶ half-open ──an answer──▶ closed
//!                                      ▲                          │
//!                                      └───────── none ───────────┘
//! ```
//!
//! Only what says that *nobody* would get an answer counts: a deadline that passed, a connection that did not come about
//! or broke, each begun after the one before it had failed, and no answer to anybody in between. So a burst of questions
//! is one failure, and what is wrong with one question (a missing queue, a statement that is refused, a URL that
//! answers 500, a query that is too slow) never keeps others from being asked.
//!
//! While it is open a read is answered at once with the failure. The source is asked a question that failed before, with
//! pauses that double: the probe. And a question that has *not* failed is let through as a trial, since it may be the others
//! that cannot be answered; also beside a probe, which says nothing about it. There is one trial at a time: such questions
//! that come meanwhile wait for its outcome, and share its failure. The first answer closes the breaker.
//!
//! DEVIATION: upstream asks at every read and waits for the deadline each time. A read that the breaker answers is a
//! failed read like those: one failure of that metric, so `fallback` begins with the same read. The one difference in value:
//! a source that came back is noticed by the next probe, [`Probing::most`] later at most.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ScalerError;
use crate::connect::Probing;

/// Failed questions that are remembered; each takes 24 bytes. One that is not may be asked, so nothing depends on it.
const REMEMBERED: usize = 1024;

/// Whether a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Every read asks it.
    Closed,
    /// Reads are answered with its last failure.
    Open,
    /// As open, and a question is under way to find out whether it answers again.
    HalfOpen,
}

impl BreakerState {
    /// As the debug API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What to do with a read.
#[derive(Debug)]
pub(super) enum Admission {
    /// Ask.
    Ask,
    /// Ask, and say how that ended: the source is open, and this read finds out about it.
    Trial(Attempt),
    /// Wait until somebody else's trial ended.
    Wait(Outcome),
    /// Answer with what is known of it.
    Refuse(Refusal),
}

/// What is known of a source that is not asked.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Since when it is not asked.
    pub(super) since: Option<Timestamp>,
    /// When it is probed at the latest, counted from the end of the last probe.
    pub(super) within: Duration,
    /// How the last question failed.
    pub(super) failure: Arc<ScalerError>,
}

/// A trial or a probe under way; no two have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt(u64);

/// The outcome of a trial, for those who wait for it.
#[derive(Debug)]
pub(super) struct Outcome(watch::Receiver<bool>);

impl Outcome {
    /// Waits for the end of the trial, and says whether it failed. One that did not was answered, or given up.
    pub(super) async fn failed(mut self) -> bool {
        // It changes once, to tell of a failure; every other end closes the channel.
        self.0.changed().await.is_ok()
    }
}

/// Watches one source.
#[derive(Debug)]
pub(super) struct Breaker {
    probing: Probing,
    /// Failures in a row.
    streak: u32,
    /// When the last of them was counted.
    counted: Option<Instant>,
    /// When somebody got an answer.
    answered: Option<Instant>,
    /// Questions that failed since they were last answered, by their hash.
    failing: HashMap<u64, Instant>,
    /// Trials and probes so far.
    attempts: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    /// The same as a time of day, once somebody brought one; kept, so that the text of the failure stays the same.
    told: Option<Timestamp>,
    failure: Arc<ScalerError>,
    /// How long the next pause is at most.
    pause: Duration,
    next: Instant,
    /// The probe that is under way.
    probe: Option<Attempt>,
    /// The trial that is under way, and what tells its outcome.
    trial: Option<(Attempt, watch::Sender<bool>)>,
}

impl Breaker {
    /// A closed one.
    pub(super) fn new(probing: Probing) -> Self {
        Self {
            probing,
            streak: 0,
            counted: None,
            answered: None,
            failing: HashMap::new(),
            attempts: 0,
            open: None,
        }
    }

    /// What to do with a read of that question.
    pub(super) fn admit(&mut self, question: u64, now: Instant, told: Option<Timestamp>) -> Admission {
        if !self.failing.contains_key(&question)
            && let Some(open) = &mut self.open
        {
            if let Some((_, outcome)) = &open.trial {
                return Admission::Wait(Outcome(outcome.subscribe()));
            }
            self.attempts += 1;
            let trial = Attempt(self.attempts);
            open.trial = Some((trial, watch::Sender::new(false)));
            return Admission::Trial(trial);
        }
        self.refusal(now, told).map_or(Admission::Ask, Admission::Refuse)
    }

    /// What to answer reads with; `None` once the breaker is closed. `told` is the time of day of `now`.
    pub(super) fn refusal(&mut self, now: Instant, told: Option<Timestamp>) -> Option<Refusal> {
        let open = self.open.as_mut()?;
        if open.told.is_none() {
            let ago = jiff::SignedDuration::try_from(now.duration_since(open.since)).unwrap_or_default();
            let since = told.and_then(|told| told.checked_sub(ago).ok());
            open.told = since.and_then(|since| Timestamp::from_second(since.as_second()).ok());
        }
        Some(Refusal {
            since: open.told,
            within: open.pause,
            failure: Arc::clone(&open.failure),
        })
    }

    /// Takes an answer to a question, whatever it said.
    pub(super) fn answered(&mut self, question: u64, now: Instant) {
        self.answered = Some(now);
        self.streak = 0;
        self.counted = None;
        self.failing.remove(&question);
        self.open = None;
    }

    /// Takes the failure of a question that was put at `asked`. Says whether that opened the breaker: it is then to be probed.
    pub(super) fn failed(
        &mut self,
        question: u64,
        asked: Instant,
        now: Instant,
        failure: &ScalerError,
    ) -> bool {
        if self.failing.len() < REMEMBERED {
            self.failing.insert(question, now);
        }
        if let Some(open) = &mut self.open {
            open.failure = Arc::new(failure.clone());
            return false;
        }
        if self.answered.is_some_and(|answered| answered > asked)
            || self.counted.is_some_and(|counted| asked < counted)
        {
            return false;
        }
        self.streak += 1;
        self.counted = Some(now);
        if self.streak < self.probing.after {
            return false;
        }
        self.open = Some(Open {
            since: now,
            told: None,
            failure: Arc::new(failure.clone()),
            pause: self.probing.first,
            next: now,
            probe: None,
            trial: None,
        });
        true
    }

    /// Whether a question failed when it was last asked: it is then asked alone, so that it cannot hold up others.
    pub(super) fn is_failing(&self, question: u64) -> bool {
        self.failing.contains_key(&question)
    }

    /// Sets when the next probe begins; `None` once the breaker is closed. `chance` is any number.
    pub(super) fn schedule(&mut self, now: Instant, chance: u64) -> Option<Instant> {
        let open = self.open.as_mut()?;
        // Between three quarters of the pause and all of it, so that sources that went together are not probed together.
        let part = 0.75 + 0.25 * (chance as f64 / u64::MAX as f64);
        open.next = now + open.pause.mul_f64(part);
        Some(open.next)
    }

    /// Begins a probe, unless the breaker is closed, or a question is under way that finds out the same.
    pub(super) fn begin(&mut self) -> Option<Attempt> {
        let open = self.open.as_mut().filter(|open| !open.is_asking())?;
        self.attempts += 1;
        let probe = Attempt(self.attempts);
        open.probe = Some(probe);
        open.pause = (open.pause * 2).min(self.probing.most);
        Some(probe)
    }

    /// Ends a probe or a trial. One that failed fails those who wait for it; of those who wait for one that was given up,
    /// the first is the next trial.
    pub(super) fn end(&mut self, attempt: Attempt, failed: bool) {
        // One that began before the breaker closed and opened again is none of the present ones.
        let Some(open) = &mut self.open else { return };
        if open.probe == Some(attempt) {
            open.probe = None;
        }
        if let Some((_, outcome)) = open.trial.take_if(|(trial, _)| *trial == attempt)
            && failed
        {
            // Nobody may be waiting.
            let _ = outcome.send(true);
        }
    }

    /// Forgets questions that failed long ago and were not asked since.
    pub(super) fn forget_old(&mut self, now: Instant, age: Duration) {
        self.failing.retain(|_, at| now.duration_since(*at) < age);
        if self.failing.is_empty() {
            self.failing.shrink_to_fit();
        }
    }

    /// Its state, and when the next probe begins.
    pub(super) fn state(&self) -> (BreakerState, Option<Instant>) {
        match &self.open {
            None => (BreakerState::Closed, None),
            Some(open) if open.is_asking() => (BreakerState::HalfOpen, None),
            Some(open) => (BreakerState::Open, Some(open.next)),
        }
    }

    /// How many failed questions it remembers.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.failing.len()
    }
}

impl Open {
    fn is_asking(&self) -> bool {
        self.probe.is_some() || self.trial.is_some()
    }
}
