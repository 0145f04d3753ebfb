//! What the debug API tells of the recent past: reads and refusals, in rings of fixed size.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Reads that are kept: about a minute of a busy cluster, some hundred kilobytes.
const READS: usize = 1024;
/// Refusals that are kept.
const REFUSALS: usize = 256;

/// One read of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// When the request came.
    pub(crate) time: Timestamp,
    /// Who asked.
    pub(crate) user: String,
    /// Namespace of the metric.
    pub(crate) namespace: String,
    /// ScaledObject that the selector named.
    pub(crate) scaled_object: String,
    /// Metric.
    pub(crate) metric: String,
    /// Values answered.
    pub(crate) values: Vec<String>,
    /// Error answered, empty for none.
    pub(crate) error: String,
    /// HTTP status answered.
    pub(crate) status: u16,
    /// Microseconds from question to answer.
    pub(crate) latency_micros: u64,
    /// Which controller was asked.
    pub(crate) endpoint: String,
    /// Attempts it took.
    pub(crate) attempts: u32,
}

/// One refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// When it came.
    pub(crate) time: Timestamp,
    /// Who asked, empty when unknown.
    pub(crate) user: String,
    /// Verb.
    pub(crate) verb: String,
    /// Path.
    pub(crate) path: String,
    /// HTTP status answered; 0 when the connection was refused.
    pub(crate) status: u16,
    /// Why.
    pub(crate) reason: String,
    /// Address of the peer.
    pub(crate) peer: String,
}

/// The recent past.
#[derive(Debug, Default)]
pub(crate) struct Record {
    reads: Ring<Read>,
    refusals: Ring<Refusal>,
    answered: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
}

impl Record {
    /// Keeps a read.
    pub(crate) fn read(&self, read: Read) {
        let counter = if read.error.is_empty() {
            &self.answered
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.reads.push(read, READS);
    }

    /// Keeps a refusal.
    pub(crate) fn refusal(&self, refusal: Refusal) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.refusals.push(refusal, REFUSALS);
    }

    /// Reads that satisfy `wanted`, newest first, at most `limit` unless that is 0.
    pub(crate) fn recent_reads(&self, limit: u32, wanted: impl Fn(&Read) -> bool) -> Vec<Read> {
        self.reads.newest(limit, wanted)
    }

    /// Refusals, newest first, at most `limit` unless that is 0.
    pub(crate) fn recent_refusals(&self, limit: u32) -> Vec<Refusal> {
        self.refusals.newest(limit, |_| true)
    }

    /// Reads answered with values, reads answered with errors, refusals; since start.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.answered), load(&self.failed), load(&self.refused))
    }
}

#[derive(Debug)]
struct Ring<T>(Mutex<VecDeque<T>>);

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Ring<T> {
    fn push(&self, item: T, limit: usize) {
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() >= limit {
            items.pop_front();
        }
        items.push_back(item);
    }

    fn newest(&self, limit: u32, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let limit = if limit == 0 { usize::MAX } else { limit as usize };
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        items
            .iter()
            .rev()
            .filter(|item| wanted(item))
            .take(limit)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(number: u64, error: &str) -> Read {
        Read {
            time: Timestamp::UNIX_EPOCH,
            user: String::new(),
            namespace: String::new(),
            scaled_object: String::new(),
            metric: String::new(),
            values: Vec::new(),
            error: error.into(),
            status: 200,
            latency_micros: number,
            endpoint: String::new(),
            attempts: 1,
        }
    }

    #[test]
    fn keeps_the_newest_and_counts_all() {
        let record = Record::default();
        for number in 0..READS as u64 + 5 {
            record.read(read(number, if number % 2 == 0 { "" } else { "broken" }));
        }
        let newest = record.recent_reads(2, |read| read.error.is_empty());
        assert_eq!(
            newest.iter().map(|read| read.latency_micros).collect::<Vec<_>>(),
            [1028, 1026]
        );
        assert_eq!(record.recent_reads(0, |_| true).len(), READS);
        assert_eq!(record.totals(), (515, 514, 0));
    }
}
