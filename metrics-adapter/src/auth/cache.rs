//! Answers that stay valid for a moment.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most entries that are kept; beyond it the cache starts over, which costs a few questions.
const LIMIT: usize = 4096;

/// Remembers answers for a fixed time.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    lifetime: Duration,
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// An empty cache.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            entries: Mutex::default(),
        }
    }

    /// The answer to `key`, unless it is too old at `now`.
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, value) = entries.get(key)?;
        (now.saturating_duration_since(*since) < self.lifetime).then(|| value.clone())
    }

    /// Remembers an answer that was got at `now`.
    pub(crate) fn put(&self, key: K, value: V, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= LIMIT {
            let lifetime = self.lifetime;
            entries.retain(|_, (since, _)| now.saturating_duration_since(*since) < lifetime);
            if entries.len() >= LIMIT {
                entries.clear();
            }
        }
        entries.insert(key, (now, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_after_its_lifetime() {
        let cache = Cache::new(Duration::from_secs(10));
        let start = Instant::now();
        cache.put("a", 1, start);
        assert_eq!(cache.get(&"a", start + Duration::from_secs(9)), Some(1));
        assert_eq!(cache.get(&"a", start + Duration::from_secs(10)), None);
        assert_eq!(cache.get(&"b", start), None);
    }

    #[test]
    fn stays_bounded() {
        let cache = Cache::new(Duration::from_secs(10));
        let start = Instant::now();
        for key in 0..=LIMIT * 2 {
            cache.put(key, (), start);
        }
        assert!(cache.entries.lock().expect("no panic").len() <= LIMIT);
        assert_eq!(cache.get(&(LIMIT * 2), start), Some(()));
    }
}
