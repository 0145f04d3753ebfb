//! The replicas of Deployments and `StatefulSets` that objects scale, as the watch of their kind shows them.
//!
//! ```text
//! watch of a kind ─▶ Kind ─▶ Followed ◀── held by whoever polls
//!                             ▲ also: what was read or written by us
//! ```
//!
//! Nearly every poll finds its target as it was, so a live read each would cost more than all the rest of a poll. One watch a
//! kind is open while objects scale targets of it. Everything but the replicas is dropped while it is decoded, and of workloads
//! that no object scales nothing is kept.
//!
//! **Never a wrong write.** What is remembered only says whether there is something to write. A write reads `/scale` itself, and
//! is given up if the replicas are not those of the decision. And it only counts while its watch stands, and not for good:
//! otherwise whoever asks has to read `/scale`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crds::GroupVersionKindResource;
use engine::desired::ObjectKey;
use futures::{Stream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource};
use kube::core::DynamicResourceScope;
use kube::core::subresource::Scale;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource};
use serde::{Deserialize, Deserializer};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::target::replicas;
use crate::cache::{key, version};
use crate::failure;

/// How long a value counts that nothing confirmed: a connection may be dead without either side knowing.
const CONFIRMED: Duration = Duration::from_mins(10);
/// How long a watch stays open after the last object that needed it.
const LINGER: Duration = Duration::from_mins(1);
/// Pauses between two tries to watch; they double.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
/// Workloads a page of a list: a page is held as text while it is decoded.
const PAGE: u32 = 200;

/// Every kind that is watched.
pub(crate) struct Replicas(Vec<Arc<Kind>>);

/// One kind.
struct Kind {
    resource: ApiResource,
    targets: Mutex<BTreeMap<ObjectKey, Weak<Followed>>>,
    /// How many are followed.
    followed: watch::Sender<usize>,
    /// How many of its watches, one a watched namespace, do not stand.
    broken: AtomicUsize,
}

/// A target that is followed for as long as this is held.
pub(crate) struct Followed {
    key: ObjectKey,
    kind: Arc<Kind>,
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    version: u64,
    /// `None` once it is deleted.
    replicas: Option<i32>,
    at: Instant,
}

impl Replicas {
    /// Knows nothing yet; each kind will have so many watches.
    pub(crate) fn new(watches: usize) -> Self {
        let kind = |kind: &str, plural: &str| {
            Arc::new(Kind {
                resource: ApiResource {
                    group: "apps".to_owned(),
                    version: "v1".to_owned(),
                    api_version: "apps/v1".to_owned(),
                    kind: kind.to_owned(),
                    plural: plural.to_owned(),
                },
                targets: Mutex::default(),
                followed: watch::Sender::new(0),
                broken: AtomicUsize::new(watches),
            })
        };
        Self(vec![
            kind("Deployment", "deployments"),
            kind("StatefulSet", "statefulsets"),
        ])
    }

    /// Opens the watches, each once it is needed.
    pub(crate) fn watch(
        &self,
        client: &Client,
        namespaces: &[String],
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) {
        for kind in &self.0 {
            let scopes = if namespaces.is_empty() {
                vec![None]
            } else {
                namespaces.iter().cloned().map(Some).collect()
            };
            for scope in scopes {
                tracker.spawn(Arc::clone(kind).keep(client.clone(), scope, stop.clone()));
            }
        }
    }

    /// Follows a target, if it is of a kind that is watched.
    pub(crate) fn follow(
        &self,
        gvkr: &GroupVersionKindResource,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Followed>> {
        let is_of = |kind: &&Arc<Kind>| {
            let resource = &kind.resource;
            (gvkr.group.as_str(), gvkr.version.as_str(), gvkr.resource.as_str())
                == (
                    resource.group.as_str(),
                    resource.version.as_str(),
                    resource.plural.as_str(),
                )
        };
        let kind = self.0.iter().find(is_of)?;
        Some(kind.follow(ObjectKey::new(namespace, name)))
    }
}

impl Kind {
    fn targets(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Weak<Followed>>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(self: &Arc<Self>, key: ObjectKey) -> Arc<Followed> {
        let mut targets = self.targets();
        if let Some(followed) = targets.get(&key).and_then(Weak::upgrade) {
            return followed;
        }
        let followed = Arc::new(Followed {
            key: key.clone(),
            kind: Arc::clone(self),
            known: Mutex::new(None),
        });
        targets.insert(key, Arc::downgrade(&followed));
        drop(targets);
        self.followed.send_modify(|count| *count += 1);
        followed
    }

    /// The target, if it is followed. The lock is free again, since the last to hold a target takes it when it lets go.
    fn followed(&self, key: &ObjectKey) -> Option<Arc<Followed>> {
        self.targets().get(key).and_then(Weak::upgrade)
    }

    /// Watches while targets are followed.
    async fn keep(self: Arc<Self>, client: Client, namespace: Option<String>, stop: CancellationToken) {
        let api = match &namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.resource),
            None => Api::all_with(client, &self.resource),
        };
        let mut count = self.followed.subscribe();
        let watching = async {
            // An error means that the sender is gone, which is this very kind.
            while count.wait_for(|count| *count > 0).await.is_ok() {
                let open = || watcher(api.clone(), watcher::Config::default().page_size(PAGE));
                tokio::select! {
                    () = self.watch(open, namespace.as_deref()) => {}
                    () = unneeded(self.followed.subscribe()) => {}
                }
            }
        };
        tokio::select! {
            () = watching => {}
            () = stop.cancelled() => {}
        }
    }

    /// Watches, and begins anew with a list whenever that breaks.
    async fn watch<S>(&self, open: impl Fn() -> S, namespace: Option<&str>)
    where
        S: Stream<Item = watcher::Result<Event<Workload>>>,
    {
        let (mut pause, mut complained) = (PAUSES[0], false);
        let kind = self.resource.kind.as_str();
        loop {
            let mut events = pin!(open());
            let mut list = BTreeSet::new();
            let mut standing = None;
            let error = loop {
                match events.next().await {
                    None => return,
                    Some(Err(error)) => break error,
                    Some(Ok(event)) => {
                        if !self.take(event, &mut list, namespace) {
                            continue;
                        }
                        standing.get_or_insert_with(|| Standing::new(&self.broken));
                        pause = PAUSES[0];
                        if std::mem::take(&mut complained) {
                            tracing::info!(kind, "watching again");
                        }
                    }
                }
            };
            drop(standing);
            if !std::mem::replace(&mut complained, true) {
                tracing::warn!(
                    kind,
                    error = failure::chain(&error),
                    "scale targets are not watched; their replicas are read one by one until they are"
                );
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    /// Takes one event in; says whether a list is complete now.
    fn take(&self, event: Event<Workload>, list: &mut BTreeSet<ObjectKey>, namespace: Option<&str>) -> bool {
        match event {
            Event::Init => list.clear(),
            Event::InitApply(workload) => {
                let key = key(&workload);
                if let Some(followed) = self.followed(&key) {
                    followed.is(version(&workload.metadata), Some(workload.spec.replicas()));
                    list.insert(key);
                }
            }
            Event::Apply(workload) => {
                if let Some(followed) = self.followed(&key(&workload)) {
                    followed.is(version(&workload.metadata), Some(workload.spec.replicas()));
                }
            }
            Event::Delete(workload) => {
                if let Some(followed) = self.followed(&key(&workload)) {
                    followed.is(version(&workload.metadata), None);
                }
            }
            Event::InitDone => {
                let in_scope =
                    |key: &&ObjectKey| namespace.is_none_or(|namespace| key.namespace == namespace);
                let missing: Vec<ObjectKey> = self
                    .targets()
                    .keys()
                    .filter(in_scope)
                    .filter(|key| !list.contains(*key))
                    .cloned()
                    .collect();
                for followed in missing.iter().filter_map(|key| self.followed(key)) {
                    followed.forget();
                }
                list.clear();
                return true;
            }
        }
        false
    }
}

/// Ends once nobody has followed a target of a kind for a while.
async fn unneeded(mut count: watch::Receiver<usize>) {
    // An error means that the sender is gone, and with it the kind.
    while count.wait_for(|count| *count == 0).await.is_ok() {
        tokio::time::sleep(LINGER).await;
        if *count.borrow_and_update() == 0 {
            return;
        }
    }
}

/// A watch that has listed everything and has not broken since.
struct Standing<'a>(&'a AtomicUsize);

impl<'a> Standing<'a> {
    fn new(broken: &'a AtomicUsize) -> Self {
        broken.fetch_sub(1, Ordering::AcqRel);
        Self(broken)
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

impl Followed {
    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is that target.
    pub(crate) fn is_of(&self, gvkr: &GroupVersionKindResource, name: &str) -> bool {
        self.key.name == name && self.kind.resource.plural == gvkr.resource && gvkr.group == "apps"
    }

    /// The replicas it asks for; `None` if they have to be read.
    pub(crate) fn replicas(&self) -> Option<i32> {
        let known = (*self.known())?;
        let counts = known.at.elapsed() < CONFIRMED && self.kind.broken.load(Ordering::Acquire) == 0;
        known.replicas.filter(|_| counts)
    }

    /// Takes note of its `/scale` as it was read or written.
    pub(crate) fn saw(&self, scale: &Scale) {
        self.is(version(&scale.metadata), Some(replicas(scale)));
    }

    /// Takes note of what it was at a version. What is older than what is known says nothing: an answer may come after the
    /// event that outdates it. Whoever reads follows the target first, so that no event between goes unnoticed.
    fn is(&self, version: u64, replicas: Option<i32>) {
        let mut known = self.known();
        if known.is_none_or(|known| known.version <= version) {
            let at = Instant::now();
            *known = Some(Known {
                version,
                replicas,
                at,
            });
        }
    }

    /// It was not on a list: it went away while nobody watched, or is younger than the list.
    fn forget(&self) {
        if let Some(known) = self.known().as_mut() {
            known.replicas = None;
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let mut targets = self.kind.targets();
        // Somebody may have begun to follow it anew.
        if targets
            .get(&self.key)
            .is_some_and(|target| target.strong_count() == 0)
        {
            targets.remove(&self.key);
        }
        drop(targets);
        self.kind.followed.send_modify(|count| *count -= 1);
    }
}

/// What is decoded of a workload.
#[derive(Clone, Debug, Deserialize)]
struct Workload {
    #[serde(deserialize_with = "identity")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Spec {
    replicas: Option<i32>,
}

impl Spec {
    /// Absent is 1, as the API server's own default.
    fn replicas(&self) -> i32 {
        self.replicas.unwrap_or(1)
    }
}

/// Which object it is, and which version of it.
fn identity<'de, D: Deserializer<'de>>(metadata: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Identity {
        namespace: Option<String>,
        name: Option<String>,
        resource_version: Option<String>,
    }
    let Identity {
        namespace,
        name,
        resource_version,
    } = Identity::deserialize(metadata)?;
    Ok(ObjectMeta {
        namespace,
        name,
        resource_version,
        ..ObjectMeta::default()
    })
}

impl Resource for Workload {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests;
