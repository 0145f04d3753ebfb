//! One trigger of an object, with the credentials it has and, while they have not proved themselves, those it had.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::metric::TriggerMetrics;
use scalers::Built;

/// One trigger.
pub(crate) struct Slot {
    metrics: Mutex<TriggerMetrics>,
    versions: Mutex<Versions>,
    /// Whether the HPA gets the value of the last poll.
    pub(crate) use_cached_metrics: bool,
    /// The trigger's name, else upstream's name of the scaler: the `scaler` label of Prometheus metrics.
    pub(crate) scaler: String,
}

/// The trigger as built last, and as it was before.
struct Versions {
    current: Arc<Built>,
    /// Whether the last read of the current one was answered.
    works: bool,
    /// The last one that worked, until the current one does.
    former: Option<Arc<Built>>,
}

impl Slot {
    /// A trigger that nobody asked yet.
    pub(crate) fn new(
        built: Built,
        metrics: TriggerMetrics,
        use_cached_metrics: bool,
        scaler: String,
    ) -> Self {
        let versions = Versions {
            current: Arc::new(built),
            works: false,
            former: None,
        };
        Self {
            metrics: Mutex::new(metrics),
            versions: Mutex::new(versions),
            use_cached_metrics,
            scaler,
        }
    }

    fn versions(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trigger as built last.
    pub(crate) fn built(&self) -> Arc<Built> {
        Arc::clone(&self.versions().current)
    }

    /// The trigger as it last worked, while the one built since has not.
    pub(crate) fn former(&self) -> Option<Arc<Built>> {
        self.versions().former.clone()
    }

    /// Takes the trigger as built again. If it asks elsewhere or with other credentials, the one that works is kept until it
    /// does too, so that a credential may be changed before the source knows it.
    pub(crate) fn replace(&self, built: Built, elsewhere: bool) -> Arc<Built> {
        let built = Arc::new(built);
        let mut versions = self.versions();
        let former = std::mem::replace(&mut versions.current, Arc::clone(&built));
        if elsewhere && std::mem::take(&mut versions.works) {
            versions.former = Some(former);
        }
        built
    }

    /// Says that a read was answered.
    pub(crate) fn answered(&self, by: &Arc<Built>) {
        let mut versions = self.versions();
        if Arc::ptr_eq(&versions.current, by) {
            versions.works = true;
            versions.former = None;
        }
    }

    /// Says that a read failed. A former trigger that fails is of no more use.
    pub(crate) fn failed(&self, by: &Arc<Built>) {
        let mut versions = self.versions();
        if Arc::ptr_eq(&versions.current, by) {
            versions.works = false;
        } else if versions
            .former
            .as_ref()
            .is_some_and(|former| Arc::ptr_eq(former, by))
        {
            versions.former = None;
        }
    }

    /// Its metrics.
    pub(crate) fn metrics(&self) -> TriggerMetrics {
        self.metrics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes new metrics that a push trigger announced; says whether they differ.
    pub(crate) fn set_metrics(&self, metrics: TriggerMetrics) -> bool {
        let mut present = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let differ = *present != metrics;
        *present = metrics;
        differ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(password: &str) -> Built {
        let mut input = scalers::TriggerInput {
            type_: "redis".to_owned(),
            ..scalers::TriggerInput::default()
        };
        input
            .metadata
            .insert("address".to_owned(), "redis:6379".to_owned());
        input.metadata.insert("listName".to_owned(), "jobs".to_owned());
        input.auth.insert("password", password);
        scalers::read(&input).unwrap()
    }

    fn slot() -> Slot {
        Slot::new(
            built("old"),
            TriggerMetrics::External(Vec::new()),
            false,
            "redisScaler".to_owned(),
        )
    }

    #[tokio::test]
    async fn only_another_source_or_credential_counts_as_elsewhere() {
        let pool = scalers::Pool::new(scalers::Connect::default());
        assert_eq!(pool.mark(&built("old")), pool.mark(&built("old")));
        assert_ne!(pool.mark(&built("old")), pool.mark(&built("new")));
    }

    #[test]
    fn what_works_is_kept_until_its_successor_does() {
        let slot = slot();
        let old = slot.built();
        slot.answered(&old);
        let new = slot.replace(built("new"), true);
        assert!(Arc::ptr_eq(&slot.built(), &new));
        assert!(slot.former().is_some_and(|former| Arc::ptr_eq(&former, &old)));
        // Another change before the first one worked: still the one that does.
        slot.failed(&new);
        let newer = slot.replace(built("newer"), true);
        assert!(slot.former().is_some_and(|former| Arc::ptr_eq(&former, &old)));
        slot.answered(&newer);
        assert!(slot.former().is_none());
    }

    #[test]
    fn what_does_not_work_is_not_kept() {
        let slot = slot();
        let old = slot.built();
        slot.replace(built("new"), true);
        assert!(slot.former().is_none(), "it never answered");
        slot.answered(&slot.built());
        slot.replace(built("old"), true);
        let former = slot.former().unwrap();
        slot.failed(&former);
        assert!(slot.former().is_none(), "it failed as well");
        slot.failed(&old);
    }

    #[test]
    fn the_same_credentials_leave_nothing_to_keep() {
        let slot = slot();
        slot.answered(&slot.built());
        slot.replace(built("old"), false);
        assert!(slot.former().is_none());
    }
}
