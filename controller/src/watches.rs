//! Opens the watches and turns changes into work.
//!
//! Level-triggered: a change only says *that* an object needs a look, never *what* to do. Changes that no rule reads, such as those of
//! our own status writes, are left out.

mod guarded;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::desired::ObjectKey;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::watcher;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::{Cache, Change};
use crate::operator::{Operator, Work};
use crate::recompute;
use crate::trim::Trim;

pub(crate) use guarded::Guarded;

/// Kinds that this version only answers with "not yet": their metadata is enough.
pub(crate) type Later<K> = PartialObjectMeta<K>;

/// Everything that is watched.
pub(crate) struct Caches {
    /// ScaledObjects.
    pub(crate) scaled_objects: Arc<Cache<Guarded>>,
    /// HPAs that carry our label.
    pub(crate) hpas: Arc<Cache<HorizontalPodAutoscaler>>,
    /// Every TriggerAuthentication.
    pub(crate) auths: Arc<Cache<crds::TriggerAuthentication>>,
    /// Every ClusterTriggerAuthentication.
    pub(crate) cluster_auths: Arc<Cache<crds::ClusterTriggerAuthentication>>,
    /// ScaledJobs, by metadata.
    pub(crate) scaled_jobs: Arc<Cache<Later<crds::ScaledJob>>>,
    /// Every CloudEventSource, by metadata.
    pub(crate) cloud_event_sources: Arc<Cache<Later<crds::CloudEventSource>>>,
    /// Every ClusterCloudEventSource, by metadata.
    pub(crate) cluster_cloud_event_sources: Arc<Cache<Later<crds::ClusterCloudEventSource>>>,
}

impl Caches {
    /// Empty caches for so many namespaces (at least one watch each).
    pub(crate) fn new(watches: usize) -> Self {
        Self {
            scaled_objects: Cache::new(watches),
            hpas: Cache::new(watches),
            auths: Cache::new(watches),
            cluster_auths: Cache::new(1),
            scaled_jobs: Cache::new(watches),
            cloud_event_sources: Cache::new(watches),
            cluster_cloud_event_sources: Cache::new(1),
        }
    }

    /// Waits for the first lists of everything that decisions need.
    pub(crate) async fn ready(&self) {
        tokio::join!(
            self.scaled_objects.ready(),
            self.hpas.ready(),
            self.auths.ready(),
            self.cluster_auths.ready()
        );
    }
}

/// One [`Api`] a watched namespace, or one for all.
fn scopes<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces
        .iter()
        .map(|namespace| Api::namespaced(client.clone(), namespace))
        .collect()
}

/// Opens every watch.
pub(crate) fn open(operator: &Arc<Operator>, tracker: &TaskTracker, stop: &CancellationToken) {
    let (client, caches, environment) = (&operator.client, &operator.caches, &operator.environment);
    let namespaces = &environment.watch_namespaces;
    let objects = selected(environment.watch_selector.as_deref(), None);
    let auths = selected(environment.watch_selector_auth.as_deref(), None);
    let ours = format!("{}={}", crds::label::MANAGED_BY, crds::label::MANAGED_BY_OPERATOR);
    let hpas = selected(environment.watch_selector.as_deref(), Some(&ours));

    let watch = Watch {
        operator,
        tracker,
        stop,
    };
    for api in scopes(client, namespaces) {
        watch.start(
            &caches.scaled_objects,
            api,
            objects.clone(),
            "ScaledObject",
            scaled_object_changed,
        );
    }
    for api in scopes(client, namespaces) {
        watch.start(
            &caches.hpas,
            api,
            hpas.clone(),
            "HorizontalPodAutoscaler",
            |operator, change| {
                hpa_changed(operator, &change);
            },
        );
    }
    for api in scopes(client, namespaces) {
        watch.start(
            &caches.auths,
            api,
            auths.clone(),
            "TriggerAuthentication",
            |operator, change| {
                auth_changed(operator, change, Work::TriggerAuthentication);
            },
        );
    }
    let cluster = Api::all(client.clone());
    watch.start(
        &caches.cluster_auths,
        cluster,
        auths,
        "ClusterTriggerAuthentication",
        |operator, change| {
            auth_changed(operator, change, Work::ClusterTriggerAuthentication);
        },
    );
    open_later(&watch, &objects);
    operator.replicas.watch(client, namespaces, tracker, stop);
}

/// Opens the watches of kinds that this version only answers.
fn open_later(watch: &Watch<'_>, objects: &watcher::Config) {
    let (client, caches) = (&watch.operator.client, &watch.operator.caches);
    let namespaces = &watch.operator.environment.watch_namespaces;
    for api in scopes(client, namespaces) {
        watch.start(
            &caches.scaled_jobs,
            api,
            objects.clone(),
            "ScaledJob",
            |operator, change| {
                later_changed(operator, change, Work::ScaledJob);
            },
        );
    }
    for api in scopes(client, namespaces) {
        watch.start(
            &caches.cloud_event_sources,
            api,
            selected(None, None),
            "CloudEventSource",
            |operator, change| {
                later_changed(operator, change, Work::CloudEventSource);
            },
        );
    }
    watch.start(
        &caches.cluster_cloud_event_sources,
        Api::all(client.clone()),
        selected(None, None),
        "ClusterCloudEventSource",
        |operator, change| {
            later_changed(operator, change, Work::ClusterCloudEventSource);
        },
    );
}

fn selected(selector: Option<&str>, and: Option<&str>) -> watcher::Config {
    let both: Vec<&str> = selector.into_iter().chain(and).collect();
    if both.is_empty() {
        watcher::Config::default()
    } else {
        watcher::Config::default().labels(&both.join(","))
    }
}

struct Watch<'a> {
    operator: &'a Arc<Operator>,
    tracker: &'a TaskTracker,
    stop: &'a CancellationToken,
}

impl Watch<'_> {
    fn start<K>(
        &self,
        cache: &Arc<Cache<K>>,
        api: Api<K>,
        config: watcher::Config,
        what: &'static str,
        changed: impl Fn(&Operator, Change<'_, K>) + Send + 'static,
    ) where
        K: Resource
            + Trim<Kept: Send + Sync>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug
            + Send
            + Sync
            + 'static,
    {
        let operator = Arc::clone(self.operator);
        let namespace = api.namespace().map(str::to_owned);
        let follow = Arc::clone(cache).follow(
            watcher::watcher(api, config),
            namespace,
            what,
            self.stop.clone(),
            move |change| changed(&operator, change),
        );
        self.tracker.spawn(follow);
    }
}

/// What of an object's metadata a reconcile reads.
#[derive(PartialEq)]
struct Relevant<'a> {
    uid: Option<&'a str>,
    generation: Option<i64>,
    going: bool,
    annotations: Option<&'a BTreeMap<String, String>>,
    labels: BTreeMap<&'a str, &'a str>,
}

impl<'a> Relevant<'a> {
    fn of(meta: &'a ObjectMeta) -> Self {
        // The label that we put there ourselves is no reason for another look.
        let foreign = meta
            .labels
            .iter()
            .flatten()
            .filter(|(key, _)| *key != crds::label::SCALED_OBJECT_NAME);
        Self {
            uid: meta.uid.as_deref(),
            generation: meta.generation,
            going: meta.deletion_timestamp.is_some(),
            annotations: meta.annotations.as_ref(),
            labels: foreign
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
        }
    }
}

fn scaled_object_changed(operator: &Operator, change: Change<'_, Guarded>) {
    let same = match (&change.old, change.new) {
        (Some(old), Some(new)) => Relevant::of(old.meta()) == Relevant::of(new.meta()),
        _ => false,
    };
    if !same {
        operator.queue.add(Work::ScaledObject(change.key));
    }
}

/// Somebody else wrote an HPA of ours, or it is gone: its ScaledObject looks after it.
fn hpa_changed(operator: &Operator, change: &Change<'_, HorizontalPodAutoscaler>) {
    let Some(owner) = change
        .kept
        .or(change.old.as_ref())
        .and_then(|hpa| hpa.owner.clone())
    else {
        return;
    };
    let key = ObjectKey::new(change.key.namespace.clone(), owner);
    let before = change.old.as_ref().map(|hpa| &hpa.sighting);
    let after = change.new.zip(change.kept);
    let after = after.map(|(hpa, kept)| (hpa.as_ref(), &kept.sighting));
    recompute::hpa_changed(operator, &key, before, after);
    let untouched = match (&change.old, change.kept, change.new) {
        (Some(old), Some(kept), _) => old.is_written_as(kept),
        (None, _, Some(new)) => operator
            .live(&key)
            .is_some_and(|live| live.is_own_hpa(new.metadata.resource_version.as_ref())),
        _ => false,
    };
    if !untouched {
        operator.queue.add(Work::ScaledObject(key));
    }
}

fn auth_changed<K: Resource + Trim<Kept = K>>(
    operator: &Operator,
    change: Change<'_, K>,
    work: fn(ObjectKey) -> Work,
) {
    let same = match (&change.old, change.new) {
        (Some(old), Some(new)) => {
            let (old, new) = (old.meta(), new.meta());
            old.uid == new.uid
                && old.generation == new.generation
                && old.deletion_timestamp.is_some() == new.deletion_timestamp.is_some()
        }
        _ => false,
    };
    if same {
        return;
    }
    // Objects that refer to it are built again: from the new parameters, or without any. At the start they are on their way anyway.
    if change.old.is_some() || change.new.is_none() {
        operator.authentication_changed(&change.key);
    }
    operator.queue.add(work(change.key));
}

fn later_changed<K: Resource + Trim<Kept = K>>(
    operator: &Operator,
    change: Change<'_, K>,
    work: fn(ObjectKey) -> Work,
) {
    let same = match (&change.old, change.new) {
        (Some(old), Some(new)) => {
            old.meta().generation == new.meta().generation && old.meta().uid == new.meta().uid
        }
        _ => false,
    };
    if !same {
        operator.queue.add(work(change.key));
    }
}
