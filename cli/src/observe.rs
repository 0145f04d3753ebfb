//! What there is to see of ScaledObjects: from the controller where it can be asked, from the API server always.
//!
//! ```text
//! ScaledObjects ┐
//! HPAs          ├─ report (pure) ─▶ ObjectReport ◀─ replaced by ─ controller's own (debug API)
//! /scale        ┘
//! ```
//!
//! Whatever cannot be read is noted and left out; only the ScaledObjects themselves are indispensable.

pub(crate) mod api;

use std::collections::BTreeMap;

use crds::ScaledObject;
use engine::report::ObjectReport;
use futures::stream::{self, StreamExt};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{DynamicObject, ListParams, ObjectList};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use rpc::debug::ListObjectsRequest;
use serde_json::Value;

use crate::debug::Caller;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;

/// Requests for replicas in flight at once.
const AT_ONCE: usize = 16;

/// With more objects than this the replicas of the controller's last poll are good enough.
const LIVE: usize = 200;

/// What to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Namespace; `None` for all.
    pub(crate) namespace: Option<String>,
    /// Name; `None` for all.
    pub(crate) name: Option<String>,
    /// Label selector.
    pub(crate) selector: Option<String>,
}

/// One object.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The object as the API server gives it.
    pub(crate) object: Value,
    /// What is known about it.
    pub(crate) report: ObjectReport,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The objects by namespace and name.
    pub(crate) items: Vec<Item>,
    /// What could not be seen, and why.
    pub(crate) notes: Vec<String>,
}

impl Scope {
    /// The scope in words, for messages.
    pub(crate) fn words(&self) -> String {
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => format!("scaledobject {namespace}/{name}"),
            (Some(namespace), None) => format!("scaledobjects in namespace {namespace}"),
            (None, _) => "scaledobjects in all namespaces".to_owned(),
        }
    }
}

/// Looks at everything in scope. Without a controller the reports are made from what the API server has.
pub(crate) async fn look(
    cluster: &Cluster,
    scope: &Scope,
    controller: Option<&Caller>,
) -> Result<Seen, Failure> {
    let objects = scaled_objects(cluster, scope).await?;
    let mut seen = Seen::default();
    let reports = match controller {
        Some(caller) => reports(caller, scope).await.unwrap_or_else(|failure| {
            seen.notes.push(format!(
                "showing only what the API server knows: {}",
                exit::chain(&failure)
            ));
            BTreeMap::new()
        }),
        None => BTreeMap::new(),
    };
    let unreported = objects.iter().any(|object| !reports.contains_key(&key(object)));
    let hpas = if unreported {
        hpas(cluster, scope, &mut seen.notes).await
    } else {
        BTreeMap::new()
    };
    let live = objects.len() <= LIVE;
    let looked = stream::iter(objects)
        .map(|object| one(&cluster.client, object, &reports, &hpas, live))
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    for (item, note) in looked {
        seen.items.push(item);
        seen.notes.extend(note);
    }
    seen.notes.sort();
    seen.notes.dedup();
    seen.items
        .sort_by(|a, b| (&a.report.namespace, &a.report.name).cmp(&(&b.report.namespace, &b.report.name)));
    Ok(seen)
}

type Key = (String, String);

fn key(object: &DynamicObject) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

async fn one(
    client: &Client,
    mut object: DynamicObject,
    reports: &BTreeMap<Key, ObjectReport>,
    hpas: &BTreeMap<Key, HorizontalPodAutoscaler>,
    live: bool,
) -> (Item, Option<String>) {
    object.metadata.managed_fields = None;
    let key = key(&object);
    let value = serde_json::to_value(&object).unwrap_or_default();
    let typed = match serde_json::from_value::<ScaledObject>(value.clone()) {
        Ok(typed) => typed,
        Err(error) => {
            let report = api::unreadable(&key.0, &key.1, &error);
            return (
                Item {
                    object: value,
                    report,
                },
                None,
            );
        }
    };
    let told = reports.get(&key);
    let (replicas, note) = if live || told.is_none() {
        replicas(client, &typed).await
    } else {
        (None, None)
    };
    let report = match told {
        Some(told) => {
            let mut report = told.clone();
            // The controller's number is that of its last poll; the HPA may have changed it since.
            if let Some(replicas) = replicas {
                report.replicas.current = Some(replicas.wanted);
                report.replicas.ready = replicas.ready;
            }
            return (
                Item {
                    object: value,
                    report,
                },
                None,
            );
        }
        None => api::report(&typed, hpas.get(&(key.0, api::hpa_name(&typed))), replicas),
    };
    (
        Item {
            object: value,
            report,
        },
        note,
    )
}

/// The kind as the API server knows it. Objects are read untyped, so that one that cannot be read hides no other.
pub(crate) fn scaled_object_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject"),
        "scaledobjects",
    )
}

pub(crate) fn scaled_object_api(cluster: &Cluster, scope: &Scope) -> Api<DynamicObject> {
    let resource = scaled_object_resource();
    match &scope.namespace {
        Some(namespace) => Api::namespaced_with(cluster.client.clone(), namespace, &resource),
        None => Api::all_with(cluster.client.clone(), &resource),
    }
}

async fn scaled_objects(cluster: &Cluster, scope: &Scope) -> Result<Vec<DynamicObject>, Failure> {
    let api = scaled_object_api(cluster, scope);
    if let Some(name) = &scope.name {
        let doing = format!("get {}", scope.words());
        let object = api.get(name).await.map_err(|e| cluster.failed(&doing, e))?;
        return Ok(vec![typed(object)]);
    }
    let mut wanted = ListParams::default();
    wanted.label_selector.clone_from(&scope.selector);
    let found = api
        .list(&wanted)
        .await
        .map_err(|e| cluster.failed(&format!("list {}", scope.words()), e))?;
    Ok(found.into_iter().map(typed).collect())
}

/// Items of a list do not say what they are.
fn typed(mut object: DynamicObject) -> DynamicObject {
    object.types = Some(kube::core::TypeMeta {
        api_version: "keda.sh/v1alpha1".to_owned(),
        kind: "ScaledObject".to_owned(),
    });
    object
}

async fn reports(caller: &Caller, scope: &Scope) -> Result<BTreeMap<Key, ObjectReport>, Failure> {
    let wanted = ListObjectsRequest {
        namespace: scope.namespace.clone().unwrap_or_default(),
        resource: "scaledobjects".to_owned(),
        name: scope.name.clone().unwrap_or_default(),
        records: false,
    };
    let doing = format!("list {}", scope.words());
    let answer = caller
        .debug()
        .list_objects(caller.call(wanted))
        .await
        .map_err(|s| caller.failed(&doing, &s))?;
    let items = answer.into_inner().items.into_iter().filter(|item| !item.deleted);
    Ok(items
        .filter_map(|item| {
            Some((
                (item.namespace, item.name),
                serde_json::from_slice(&item.report).ok()?,
            ))
        })
        .collect())
}

async fn hpas(
    cluster: &Cluster,
    scope: &Scope,
    notes: &mut Vec<String>,
) -> BTreeMap<Key, HorizontalPodAutoscaler> {
    let api: Api<HorizontalPodAutoscaler> = match &scope.namespace {
        Some(namespace) => Api::namespaced(cluster.client.clone(), namespace),
        None => Api::all(cluster.client.clone()),
    };
    let found = api.list(&ListParams::default()).await.unwrap_or_else(|error| {
        let failure = cluster.failed("list horizontalpodautoscalers", error);
        notes.push(format!("trigger values are missing: {}", exit::chain(&failure)));
        ObjectList {
            items: Vec::new(),
            metadata: kube::core::ListMeta::default(),
            types: kube::core::TypeMeta::default(),
        }
    });
    found
        .into_iter()
        .map(|hpa| ((hpa.namespace().unwrap_or_default(), hpa.name_any()), hpa))
        .collect()
}

/// The replicas of the target: by the workload itself, which tells what is ready, or by its `/scale`. A missing target is
/// no failure: conditions tell of it.
async fn replicas(client: &Client, object: &ScaledObject) -> (Option<api::Replicas>, Option<String>) {
    let resource = api::target_resource(object);
    let namespace = object.namespace().unwrap_or_default();
    let name = &object.spec.scale_target_ref.name;
    let targets: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let refused = |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.code == 403);
    if resource.group == "apps" {
        match targets.get_opt(name).await {
            Ok(found) => return (found.as_ref().map(api::Replicas::of_workload), None),
            // Who may not read it may still read its `/scale`.
            Err(error) if refused(&error) => {}
            Err(error) => {
                return (
                    None,
                    Some(format!("replicas are missing: {}", exit::chain(&error))),
                );
            }
        }
    }
    match targets.get_scale(name).await {
        Ok(scale) => (Some(api::Replicas::of_scale(&scale)), None),
        Err(kube::Error::Api(status)) if status.code == 404 => (None, None),
        Err(error) if refused(&error) => {
            let note = format!(
                "replicas are missing: you may not get `{}/scale` in `{namespace}`",
                resource.plural
            );
            (None, Some(note))
        }
        Err(error) => (
            None,
            Some(format!("replicas are missing: {}", exit::chain(&error))),
        ),
    }
}
