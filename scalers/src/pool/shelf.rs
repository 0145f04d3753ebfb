//! All sources of one type.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::held::{Held, lock};
use super::opener::Opener;
use super::report::ConnectionReport;
use crate::connect::Connect;
use crate::scaler::Source;

/// All sources of one type, by key.
pub(crate) struct Shelf<S: Source> {
    held: Mutex<HashMap<S::Key, Arc<Held<S>>>>,
    /// Keyed afresh in every process, so that the credential mark cannot be used to guess a credential.
    marks: RandomState,
}

impl<S: Source> Default for Shelf<S> {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            marks: RandomState::new(),
        }
    }
}

impl<S: Source> Shelf<S> {
    /// The source of a key, opened when first asked.
    pub(super) fn get(&self, key: &S::Key, user: &Arc<str>, connect: &Arc<Connect>) -> Opener<S> {
        let mut all = lock(&self.held);
        let held = if let Some(held) = all.get(key) {
            Arc::clone(held)
        } else {
            let held = Arc::new(Held::new(key.clone(), self.marks.clone(), connect.probing));
            all.insert(key.clone(), Arc::clone(&held));
            held
        };
        drop(all);
        held.used_by(user);
        Opener::new(held, connect)
    }

    /// Drops sources that were last used longer ago than `idle` and that nobody is using now; all of them for an `idle`
    /// of zero.
    pub(super) fn close_idle(&self, idle: Duration) {
        lock(&self.held).retain(|_, held| {
            // A stream of a push trigger keeps its opener, and with it the source.
            let kept = held.is_used(idle) || Arc::strong_count(held) > 1 && !idle.is_zero();
            if !kept {
                held.stop_probing();
            }
            kept
        });
    }

    /// Adds a report of every source.
    #[expect(clippy::iter_over_hash_type, reason = "the pool sorts the reports")]
    pub(super) fn report(&self, reports: &mut Vec<ConnectionReport>) {
        for (key, held) in &*lock(&self.held) {
            let credential = format!("{:04x}", self.marks.hash_one(key) as u16);
            reports.push(held.report(credential));
        }
    }
}
