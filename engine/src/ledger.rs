//! The ledger: what was polled, read, decided and written for one object, small enough to be always on.
//!
//! A [`Ring`] keeps the newest records within a budget of bytes. Equal neighbours become one record with a count, so
//! that a quiet day is one line. No record ever holds a resolved credential: errors come from types that do not print
//! them.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::activate::{Decision, Reading, TriggerReading};
use crate::hpa::Recomputed;
use crate::metric::MetricName;

/// Bytes that the ring of one object may hold.
pub const BUDGET: usize = 8 * 1024;

/// How many records are looked at for an equal one: a poll and a few reads by the HPA take turns.
const NEIGHBOURS: usize = 6;

/// Records that a ring makes room for at a time.
const GROWTH: usize = 8;

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

impl What {
    /// Records that may be merged across each other's neighbours; writes and pushes are never passed over.
    fn lane(&self) -> Option<(u8, Option<&MetricName>)> {
        match self {
            Self::Poll { .. } => Some((0, None)),
            Self::Read { metric, .. } => Some((1, Some(metric))),
            Self::Reconcile { .. } => Some((2, None)),
            Self::Note { .. } => Some((3, None)),
            Self::Hpa(_) => Some((4, None)),
            Self::Push { .. } | Self::Write { .. } => None,
        }
    }

    fn heap(&self) -> usize {
        match self {
            Self::Poll { readings, .. } => readings.iter().map(reading_size).sum(),
            Self::Push { metric, .. } => metric.as_str().len(),
            Self::Read { metric, value, .. } => {
                metric.as_str().len() + value.as_ref().map_or_else(String::len, String::len)
            }
            Self::Hpa(recomputed) => recomputed.size(),
            Self::Write { action, error } => action.len() + error.as_ref().map_or(0, String::len),
            Self::Reconcile { outcome: text } | Self::Note { text } => text.len(),
        }
    }
}

fn reading_size(reading: &TriggerReading) -> usize {
    let error = match &reading.reading {
        Reading::Failed(error) => error.len(),
        Reading::Active | Reading::Inactive | Reading::Resource => 0,
    };
    size_of::<TriggerReading>() + reading.metric.as_str().len() + error
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

    /// The bytes it takes, heap included.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.what.heap()
    }
}

/// The newest records of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Ring {
    records: VecDeque<Record>,
    size: usize,
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
            records: VecDeque::new(),
            size: 0,
            budget,
        }
    }

    /// Adds a record, or counts it on an equal neighbour; the oldest records go when the budget is used up.
    ///
    /// A record larger than the whole budget is not kept.
    pub fn push(&mut self, record: Record) {
        if let Some(equal) = self.neighbour(&record.what) {
            equal.count = equal.count.saturating_add(record.count);
            equal.until = equal.until.max(record.until);
            return;
        }
        self.size += record.size();
        if self.records.len() == self.records.capacity() {
            // Doubling would leave nearly half of every object's ring empty for good.
            self.records.reserve_exact(GROWTH);
        }
        self.records.push_back(record);
        self.shrink(self.budget);
    }

    /// Adds something that happened now.
    pub fn record(&mut self, at: Timestamp, what: What) {
        self.push(Record::new(at, what));
    }

    /// Drops the oldest records until the ring takes no more than this; a global cap is kept with it.
    pub fn shrink(&mut self, bytes: usize) {
        while self.size > bytes
            && let Some(oldest) = self.records.pop_front()
        {
            self.size -= oldest.size();
        }
    }

    /// The newest record of the same lane, if it is equal and no write or push came after it.
    fn neighbour(&mut self, what: &What) -> Option<&mut Record> {
        let lane = what.lane()?;
        for record in self.records.iter_mut().rev().take(NEIGHBOURS) {
            match record.what.lane() {
                None => return None,
                Some(other) if other == lane => return (record.what == *what).then_some(record),
                Some(_) => {}
            }
        }
        None
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter()
    }

    /// The last decision of a poll or push, with its record.
    pub fn last_decision(&self) -> Option<(&Record, &Decision)> {
        self.records.iter().rev().find_map(|record| match &record.what {
            What::Poll { decision, .. } | What::Push { decision, .. } => Some((record, decision)),
            _ => None,
        })
    }

    /// The bytes all records take.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn poll(value: f64) -> What {
        let reading = TriggerReading {
            trigger: 0,
            metric: MetricName::new("s0-x"),
            value: Some(value),
            reading: Reading::Active,
        };
        What::Poll {
            readings: vec![reading],
            replicas: Some(1),
            decision: Decision::StayActive,
        }
    }

    fn read(value: &str) -> What {
        What::Read {
            metric: MetricName::new("s0-x"),
            value: Ok(value.to_owned()),
            cached: false,
        }
    }

    #[test]
    fn equal_neighbours_are_counted() {
        let mut ring = Ring::default();
        for second in 0..10 {
            ring.record(at(second), poll(5.0));
            ring.record(at(second), read("5"));
        }
        assert_eq!(ring.len(), 2);
        let first = ring.iter().next().unwrap();
        assert_eq!((first.count, first.at, first.until), (10, at(0), at(9)));
    }

    #[test]
    fn a_change_or_a_write_ends_the_count() {
        let mut ring = Ring::default();
        let write = What::Write {
            action: "scale".to_owned(),
            error: None,
        };
        for what in [
            poll(5.0),
            poll(6.0),
            poll(5.0),
            write.clone(),
            poll(5.0),
            write.clone(),
            write,
        ] {
            ring.record(at(1), what);
        }
        assert_eq!(ring.len(), 7);
    }

    #[test]
    fn the_last_decision_is_found_behind_reads() {
        let mut ring = Ring::default();
        ring.record(at(1), poll(5.0));
        ring.record(at(2), read("7"));
        assert_eq!(ring.last_decision().unwrap().1, &Decision::StayActive);
    }

    #[test]
    fn a_record_above_the_budget_is_not_kept() {
        let mut ring = Ring::default();
        ring.record(
            at(1),
            What::Note {
                text: "x".repeat(BUDGET),
            },
        );
        assert!(ring.is_empty() && ring.size() == 0);
    }

    #[test]
    fn a_full_ring_holds_hardly_more_room_than_records() {
        let mut ring = Ring::default();
        for second in 0_i32..500 {
            ring.record(at(second.into()), poll(second.into()));
        }
        let (length, room) = (ring.len(), ring.records.capacity());
        assert!(length > 10 && room <= length + GROWTH + 1, "{length} of {room}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_budget_holds(texts in proptest::collection::vec("[a-c]{0,400}", 0..90)) {
            let mut ring = Ring::default();
            for (second, text) in (0_i64..).zip(&texts) {
                let what = if text.len() % 2 == 0 { What::Note { text: text.clone() } } else { read(text) };
                ring.record(at(second), what);
                prop_assert!(ring.size() <= BUDGET);
                prop_assert_eq!(ring.size(), ring.iter().map(Record::size).sum::<usize>());
            }
        }
    }
}
