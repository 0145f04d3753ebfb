//! The ledger: what was polled, read, decided and written for one object, small enough to be always on.
//!
//! A [`Ring`] keeps the newest records within a budget of bytes. Equal neighbours become one record with a count, so
//! that a quiet day is one line. No record ever holds a resolved credential: errors come from types that do not print
//! them.
//!
//! ```text
//! Record -> codec -> bytes of the ring, oldest first -> codec -> Record, when somebody asks
//! ```

mod bytes;
mod codec;
mod names;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::bytes::{Reader, Writer};
use self::names::Names;
use crate::activate::{Decision, TriggerReading};
use crate::hpa::Recomputed;
use crate::metric::MetricName;

/// Bytes that the ring of one object may hold: about a hundred polls and reads of one metric. As values of their types they took
/// 8 KiB for half as many, which was the largest part of the controller's memory.
pub const BUDGET: usize = 2 * 1024;

/// What part of the budget a text may take, or the errors of one poll together: a long one must not push out everything else.
const TEXTS: usize = 4;

/// Triggers whose polls the budget is made for.
const FEW: usize = 10;

/// How many records are looked at for an equal one: a poll and a few reads by the HPA take turns.
const NEIGHBOURS: usize = 6;

/// Bytes that a ring makes room for at a time.
const GROWTH: usize = 128;

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    /// The scale loop asked all triggers and decided.
    Poll {
        /// What the triggers said.
        readings: Vec<TriggerReading>,
        /// The replicas of the target, if they could be read.
        replicas: Option<i32>,
        /// What was decided.
        decision: Decision,
    },
    /// A push scaler reported activity.
    Push {
        /// The metric.
        metric: MetricName,
        /// The replicas of the target, if they could be read.
        replicas: Option<i32>,
        /// What was decided.
        decision: Decision,
    },
    /// The HPA asked for a metric.
    Read {
        /// The metric.
        metric: MetricName,
        /// The value as a quantity, or the error.
        value: Result<String, String>,
        /// Whether the value of the last poll answered.
        cached: bool,
    },
    /// The HPA changed the replicas, or did something else than what comes out when it is recomputed.
    Hpa(Box<Recomputed>),
    /// Something was written to the cluster.
    Write {
        /// What, as a sentence fragment.
        action: String,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// The object was reconciled.
    Reconcile {
        /// How it ended.
        outcome: String,
    },
    /// Anything else worth knowing.
    Note {
        /// The sentence.
        text: String,
    },
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When it happened first.
    pub at: Timestamp,
    /// When it happened last.
    pub until: Timestamp,
    /// How often.
    pub count: u32,
    /// What happened.
    pub what: What,
}

impl Record {
    /// A record of something that happened once.
    pub fn new(at: Timestamp, what: What) -> Self {
        Self {
            at,
            until: at,
            count: 1,
            what,
        }
    }
}

/// A record but for what happened. It stands before that, and changes while equal events come.
#[derive(Clone, Copy)]
struct Head {
    at: Timestamp,
    until: Timestamp,
    count: u32,
}

impl Head {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (count, at) = (u32::try_from(from.number()?).ok()?, from.time()?);
        let until = at.as_nanosecond().checked_add(from.signed()?)?;
        Some(Self {
            at,
            until: Timestamp::from_nanosecond(until).ok()?,
            count,
        })
    }

    /// The whole entry: its length, this, and what happened.
    fn entry(self, what: &[u8]) -> Vec<u8> {
        let mut body = Writer::default();
        body.number(self.count.into());
        body.time(self.at);
        body.signed(self.until.as_nanosecond() - self.at.as_nanosecond());
        body.raw(what);
        let mut entry = Writer::default();
        entry.bytes(&body.into_bytes());
        entry.into_bytes()
    }
}

/// The newest records of one object.
#[derive(Clone)]
pub struct Ring {
    /// The entries, oldest first.
    bytes: Vec<u8>,
    names: Names,
    len: usize,
    budget: usize,
}

impl Default for Ring {
    fn default() -> Self {
        Self::new(BUDGET)
    }
}

impl Ring {
    /// An empty ring with a budget of its own.
    pub fn new(budget: usize) -> Self {
        Self {
            bytes: Vec::new(),
            names: Names::default(),
            len: 0,
            budget,
        }
    }

    /// Makes room for polls of so many triggers, each of which a record of a poll names: with more than a few the budget grows, up
    /// to four times.
    pub fn expect_polls_of(&mut self, triggers: usize) {
        self.budget = BUDGET * (1 + triggers / FEW).min(4);
    }

    /// Adds a record, or counts it on an equal neighbour; the oldest records go when the budget is used up.
    ///
    /// Long texts are cut. A record that is larger than the whole budget even so is not kept.
    pub fn push(&mut self, record: &Record) {
        let what = codec::encode(&record.what, &mut self.names, self.budget / TEXTS);
        if let Some((place, equal)) = self.neighbour(&what) {
            let counted = Head {
                count: equal.count.saturating_add(record.count),
                until: equal.until.max(record.until),
                ..equal
            };
            self.put(place, &counted.entry(&what));
        } else {
            let &Record { at, until, count, .. } = record;
            let entry = Head { at, until, count }.entry(&what);
            if entry.len() + self.names.size() <= self.budget {
                self.forget(self.budget - entry.len());
                let end = self.bytes.len();
                self.put(end..end, &entry);
                self.len += 1;
            }
        }
        self.forget(self.budget);
        self.tidy();
    }

    /// Adds something that happened now.
    pub fn record(&mut self, at: Timestamp, what: What) {
        self.push(&Record::new(at, what));
    }

    /// Drops the oldest records until the ring takes no more than this, and gives back their room; a global cap is kept with it.
    pub fn shrink(&mut self, bytes: usize) {
        self.forget(bytes);
        self.tidy();
        self.bytes.shrink_to(self.bytes.len().next_multiple_of(GROWTH));
    }

    /// Drops the oldest records, but no name: a record that is about to be added may need it.
    fn forget(&mut self, most: usize) {
        let excess = self.size().saturating_sub(most);
        let (mut end, mut gone) = (0, 0);
        for (place, _) in self.entries().take_while(|(place, _)| place.start < excess) {
            end = place.end;
            gone += 1;
        }
        self.bytes.drain(..end);
        self.len -= gone;
    }

    /// Forgets the names once no record is left.
    fn tidy(&mut self) {
        if self.len == 0 {
            self.names.clear();
        }
    }

    /// Puts an entry in place of another, or at the end.
    fn put(&mut self, place: Range<usize>, entry: &[u8]) {
        let needed = self.bytes.len() - place.len() + entry.len();
        // Doubling would leave nearly half of every object's ring empty for good.
        let room = needed.next_multiple_of(GROWTH).min(self.budget.max(needed));
        self.bytes.reserve_exact(room.saturating_sub(self.bytes.len()));
        self.bytes.splice(place, entry.iter().copied());
    }

    /// Where each entry lies, and what follows its length, oldest first.
    fn entries(&self) -> impl Iterator<Item = (Range<usize>, &[u8])> {
        let (all, mut rest) = (self.bytes.len(), Reader::new(&self.bytes));
        std::iter::from_fn(move || {
            let start = all - rest.rest().len();
            let body = rest.bytes()?;
            Some((start..all - rest.rest().len(), body))
        })
    }

    /// The newest record of the same lane, if it is equal and no write or push came after it.
    fn neighbour(&self, what: &[u8]) -> Option<(Range<usize>, Head)> {
        let lane = codec::lane(what)?;
        let mut newest = None;
        for (place, body) in self.entries().skip(self.len.saturating_sub(NEIGHBOURS)) {
            let mut body = Reader::new(body);
            let head = Head::read(&mut body)?;
            match codec::lane(body.rest()) {
                None => newest = None,
                Some(other) if other == lane => newest = Some((place, head, body.rest())),
                Some(_) => {}
            }
        }
        let (place, head, other) = newest?;
        (other == what).then_some((place, head))
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Record> {
        self.entries().filter_map(move |(_, body)| {
            let mut body = Reader::new(body);
            let Head { at, until, count } = Head::read(&mut body)?;
            let what = codec::decode(body.rest(), &self.names)?;
            Some(Record {
                at,
                until,
                count,
                what,
            })
        })
    }

    /// The last decision of a poll or push, with its record.
    pub fn last_decision(&self) -> Option<(Record, Decision)> {
        let decided = self.iter().filter_map(|record| match &record.what {
            What::Poll { decision, .. } | What::Push { decision, .. } => {
                let decision = decision.clone();
                Some((record, decision))
            }
            _ => None,
        });
        decided.last()
    }

    /// The bytes all records take.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.names.size()
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Rings with the same records are equal, in whichever order they met the names in them.
impl PartialEq for Ring {
    fn eq(&self, other: &Self) -> bool {
        self.budget == other.budget && self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
