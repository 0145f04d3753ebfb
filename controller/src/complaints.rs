//! What was complained about and still is, so that the log has a line for each change of state and none for a retry that
//! ends as the one before it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::desired::ObjectKey;

/// Open complaints: about which object and what of it, and in which words.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<BTreeMap<ObjectKey, BTreeMap<String, String>>>);

impl Complaints {
    fn open(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, BTreeMap<String, String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `text` says something new about `what` of an object. From now on it is known.
    pub(crate) fn is_news(&self, about: &ObjectKey, what: &str, text: &str) -> bool {
        let mut open = self.open();
        let open = open.entry(about.clone()).or_default();
        match open.get_mut(what) {
            Some(known) if known == text => false,
            Some(known) => {
                text.clone_into(known);
                true
            }
            None => {
                open.insert(what.to_owned(), text.to_owned());
                true
            }
        }
    }

    /// Notes that `what` of an object is well; says whether it was not.
    pub(crate) fn settle(&self, about: &ObjectKey, what: impl Display) -> bool {
        let mut all = self.open();
        let Some(open) = all.get_mut(about) else {
            return false;
        };
        let was_open = open.remove(&what.to_string()).is_some();
        if open.is_empty() {
            all.remove(about);
        }
        was_open
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, about: &ObjectKey) {
        self.open().remove(about);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_news_once_until_it_changes_or_is_settled() {
        let complaints = Complaints::default();
        let (one, other) = (ObjectKey::new("ns", "a"), ObjectKey::new("ns", "b"));
        assert!(complaints.is_news(&one, "write", "refused"));
        assert!(!complaints.is_news(&one, "write", "refused"));
        assert!(complaints.is_news(&other, "write", "refused"));
        assert!(complaints.is_news(&one, "read", "refused"));
        assert!(complaints.is_news(&one, "write", "refused otherwise"));
        assert!(complaints.settle(&one, "write"));
        assert!(!complaints.settle(&one, "write"));
        assert!(complaints.is_news(&one, "write", "refused otherwise"));
        assert!(!complaints.is_news(&one, "read", "refused"));
        complaints.forget(&one);
        assert!(complaints.is_news(&one, "read", "refused"));
    }
}
