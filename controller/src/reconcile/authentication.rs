//! TriggerAuthentication and ClusterTriggerAuthentication: the finalizer, and the Events that say what became of them.
//!
//! The list of objects that use one is written by the reconcile of those objects.

use std::fmt::Debug;
use std::sync::Arc;

use engine::action::ObjectPatch;
use engine::desired::ObjectKey;
use engine::event::{Event, EventType, reason};
use kube::api::Api;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::{EAGER, PATIENT, Verdict};
use crate::cache::Cache;
use crate::execute::{code, refused};
use crate::operator::Operator;
use crate::trim::Trim;

/// What the two kinds differ in.
struct Words {
    kind: &'static str,
    added: &'static str,
    deleted: &'static str,
}

/// Reconciles a TriggerAuthentication.
pub(super) async fn namespaced(operator: &Arc<Operator>, key: &ObjectKey) -> Verdict {
    let words = Words {
        kind: "TriggerAuthentication",
        added: reason::TRIGGER_AUTHENTICATION_ADDED,
        deleted: reason::TRIGGER_AUTHENTICATION_DELETED,
    };
    let api: Api<crds::TriggerAuthentication> = Api::namespaced(operator.client.clone(), &key.namespace);
    reconcile(operator, &operator.caches.auths, &api, key, &words).await
}

/// Reconciles a ClusterTriggerAuthentication.
pub(super) async fn cluster(operator: &Arc<Operator>, key: &ObjectKey) -> Verdict {
    let words = Words {
        kind: "ClusterTriggerAuthentication",
        added: reason::CLUSTER_TRIGGER_AUTHENTICATION_ADDED,
        deleted: reason::CLUSTER_TRIGGER_AUTHENTICATION_DELETED,
    };
    let api: Api<crds::ClusterTriggerAuthentication> = Api::all(operator.client.clone());
    reconcile(operator, &operator.caches.cluster_auths, &api, key, &words).await
}

async fn reconcile<K>(
    operator: &Operator,
    cache: &Cache<K>,
    api: &Api<K>,
    key: &ObjectKey,
    words: &Words,
) -> Verdict
where
    K: Resource<DynamicType = ()> + Trim<Kept = K> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let Some(seen) = cache.get(key) else {
        return Verdict::Done;
    };
    let going = seen.meta().deletion_timestamp.is_some();
    let patch = ObjectPatch {
        finalizer: Some(!going),
        label: None,
    };
    let Some(value) = patch.against(seen.meta()) else {
        // The first look after a start is no news; a new generation is.
        if !going
            && seen.meta().generation.is_some_and(|generation| generation > 1)
            && operator.is_news(key, &*seen)
        {
            let kind = words.kind;
            let note = format!("{kind} {} is updated", key.name);
            let event = Event::emitted(
                EventType::Normal,
                reason::CLUSTER_TRIGGER_AUTHENTICATION_UPDATED,
                note,
            );
            operator.events.emit(&seen.object_ref(&()), event);
        }
        return Verdict::Done;
    };
    match operator.writer.patch_metadata(api, &key.name, &value).await {
        Ok(object) => {
            let (reason, note) = if going {
                (words.deleted, format!("{} was deleted", words.kind))
            } else {
                (words.added, format!("New {} configured", words.kind))
            };
            operator.is_news(key, &object);
            operator.complaints.settle(key, words.kind);
            operator.events.emit(
                &object.object_ref(&()),
                Event::emitted(EventType::Normal, reason, note),
            );
            Verdict::Done
        }
        Err(error) if code(&error) == Some(404) => Verdict::Done,
        Err(error) if code(&error) == Some(409) => Verdict::Again(EAGER),
        Err(error) => {
            let error = refused(error).to_string();
            if operator.complaints.is_news(key, words.kind, &error) {
                tracing::warn!(
                    namespace = key.namespace,
                    name = seen.name_any(),
                    error,
                    "cannot write the authentication"
                );
            }
            Verdict::Again(PATIENT)
        }
    }
}
