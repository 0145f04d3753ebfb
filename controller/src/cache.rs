//! Follows one kind of object and remembers the last state of each.
//!
//! Unlike a reflector's store, one cache takes several watches (one a watched namespace), and says what an object was before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use engine::desired::ObjectKey;
use futures::{Stream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::failure;
use crate::trim::Trim;

/// Remembers objects of one kind. Cluster-scoped ones have an empty namespace.
pub(crate) struct Cache<K: Trim> {
    objects: RwLock<BTreeMap<ObjectKey, Arc<K::Kept>>>,
    /// Watches that have not delivered their first list yet.
    pending: watch::Sender<usize>,
}

/// What became of an object: what it was, what it is.
pub(crate) struct Change<'a, K: Trim> {
    /// Which one.
    pub(crate) key: ObjectKey,
    /// What was kept of it before; absent if it is new.
    pub(crate) old: Option<Arc<K::Kept>>,
    /// Now; absent if it is gone.
    pub(crate) new: Option<&'a Arc<K>>,
    /// What is kept of that.
    pub(crate) kept: Option<&'a Arc<K::Kept>>,
}

impl<K> Cache<K>
where
    K: Resource + Trim<Kept: Send + Sync> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    /// An empty cache that waits for the first lists of so many watches.
    pub(crate) fn new(watches: usize) -> Arc<Self> {
        Arc::new(Self {
            objects: RwLock::default(),
            pending: watch::Sender::new(watches),
        })
    }

    /// The last state of an object.
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<K::Kept>> {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Every object, by key.
    pub(crate) fn all(&self) -> Vec<(ObjectKey, Arc<K::Kept>)> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects
            .iter()
            .map(|(key, object)| (key.clone(), Arc::clone(object)))
            .collect()
    }

    /// Looks at every object, by key. The cache stands still meanwhile.
    pub(crate) fn each(&self, look: impl FnMut((&ObjectKey, &Arc<K::Kept>))) {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.iter().for_each(look);
    }

    /// Waits until every watch has delivered its first list.
    pub(crate) async fn ready(&self) {
        // An error means that the sender is gone, which is this very cache.
        drop(self.pending.subscribe().wait_for(|pending| *pending == 0).await);
    }

    /// Follows `events` of one namespace, or of all, until `stop` and tells `changed` of every change. `what` names the kind in the
    /// log.
    pub(crate) async fn follow(
        self: Arc<Self>,
        events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
        namespace: Option<String>,
        what: &'static str,
        stop: CancellationToken,
        changed: impl Fn(Change<'_, K>) + Send,
    ) {
        use kube::runtime::WatchStreamExt as _;
        let mut stream = events.default_backoff().boxed();
        let mut listing = BTreeSet::new();
        let mut first = true;
        let mut complained = false;
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = stream.next() => event,
            };
            match event {
                Some(Ok(event)) => {
                    if complained {
                        tracing::info!(what, "watching again");
                        complained = false;
                    }
                    let done = self.take(event, &mut listing, namespace.as_deref(), &changed);
                    if done && std::mem::take(&mut first) {
                        self.pending
                            .send_modify(|pending| *pending = pending.saturating_sub(1));
                    }
                }
                Some(Err(error)) => {
                    // A watch that ended is opened again at once; that happens every few minutes and is no news.
                    if !std::mem::replace(&mut complained, true) {
                        tracing::warn!(
                            what,
                            error = failure::chain(&error),
                            "the watch broke; trying again"
                        );
                    }
                }
                None => return,
            }
        }
    }

    /// Takes one event in; says whether a list is complete now.
    fn take(
        &self,
        event: Event<K>,
        listing: &mut BTreeSet<ObjectKey>,
        namespace: Option<&str>,
        changed: &impl Fn(Change<'_, K>),
    ) -> bool {
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(object) => {
                listing.insert(key(&object));
                self.put(object, changed);
            }
            Event::Apply(object) => {
                self.put(object, changed);
            }
            Event::Delete(object) => {
                self.remove(key(&object), changed);
            }
            Event::InitDone => {
                // What this watch knew and the list did not name went away while nobody watched.
                for key in self.missing(listing, namespace) {
                    self.remove(key, changed);
                }
                listing.clear();
                return true;
            }
        }
        false
    }

    /// The objects of a namespace, or all, that a list does not name.
    fn missing(&self, list: &BTreeSet<ObjectKey>, namespace: Option<&str>) -> Vec<ObjectKey> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        let known = objects.keys().filter(|key| {
            namespace.is_none_or(|namespace| key.namespace == namespace) && !list.contains(*key)
        });
        known.cloned().collect()
    }

    fn put(&self, mut object: K, changed: &impl Fn(Change<'_, K>)) {
        object.trim();
        let key = key(&object);
        let new = Arc::new(object);
        let kept = new.keep();
        let old = {
            let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
            objects.insert(key.clone(), Arc::clone(&kept))
        };
        changed(Change {
            key,
            old,
            new: Some(&new),
            kept: Some(&kept),
        });
    }

    fn remove(&self, key: ObjectKey, changed: &impl Fn(Change<'_, K>)) {
        let old = self
            .objects
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
        if old.is_some() {
            changed(Change {
                key,
                old,
                new: None,
                kept: None,
            });
        }
    }
}

/// The version of an object. Versions of one resource grow; since Kubernetes 1.35 that is a promise, before it was so all the
/// same.
pub(crate) fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version
        .as_deref()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

/// The key of an object.
pub(crate) fn key<K: Resource>(object: &K) -> ObjectKey {
    ObjectKey {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trim::whole;
    use k8s_openapi::api::core::v1::ConfigMap;
    use std::cell::RefCell;

    impl Trim for ConfigMap {
        whole!();

        fn trim(&mut self) {}
    }

    fn object(name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some("ns".to_owned());
        object.metadata.name = Some(name.to_owned());
        object
    }

    #[test]
    fn a_list_of_a_namespace_says_nothing_of_others() {
        let cache = Cache::<ConfigMap>::new(2);
        let mut listing = BTreeSet::new();
        let mut list = |namespace| {
            for event in [Event::Init, Event::InitDone] {
                cache.take(event, &mut listing, Some(namespace), &|_| {});
            }
            cache.all().len()
        };
        cache.put(object("a"), &|_| {});
        assert_eq!(list("other"), 1);
        assert_eq!(list("ns"), 0);
    }

    fn run(events: Vec<Event<ConfigMap>>) -> (Vec<String>, Vec<String>) {
        let cache = Cache::<ConfigMap>::new(1);
        let log = RefCell::new(Vec::new());
        let mut listing = BTreeSet::new();
        for event in events {
            cache.take(event, &mut listing, None, &|change: Change<'_, ConfigMap>| {
                let what = match (change.old.is_some(), change.new.is_some()) {
                    (false, true) => "new",
                    (true, true) => "changed",
                    _ => "gone",
                };
                log.borrow_mut().push(format!("{what} {}", change.key.name));
            });
        }
        (
            log.into_inner(),
            cache.all().into_iter().map(|(key, _)| key.name).collect(),
        )
    }

    #[test]
    fn a_second_list_removes_what_it_does_not_name() {
        let (log, left) = run(vec![
            Event::Init,
            Event::InitApply(object("a")),
            Event::InitApply(object("b")),
            Event::InitDone,
            Event::Apply(object("c")),
            Event::Init,
            Event::InitApply(object("b")),
            Event::InitDone,
        ]);
        assert_eq!(left, ["b"]);
        assert_eq!(log, ["new a", "new b", "new c", "changed b", "gone a", "gone c"]);
    }

    #[test]
    fn deletions_are_told_once() {
        let (log, left) = run(vec![
            Event::Apply(object("a")),
            Event::Delete(object("a")),
            Event::Delete(object("a")),
        ]);
        assert!(left.is_empty());
        assert_eq!(log, ["new a", "gone a"]);
    }
}
