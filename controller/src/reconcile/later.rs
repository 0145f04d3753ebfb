//! Kinds that this version does not work on yet: they get a condition and an Event that say so, never silence.

use std::fmt::Debug;
use std::sync::Arc;

use engine::action::Action;
use engine::desired::ObjectKey;
use engine::event::{Event, EventType, reason};
use engine::reconcile::{JOB_NOT_YET, scaled_job as plan_scaled_job};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::Api;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{PATIENT, Verdict};
use crate::execute::{code, refused};
use crate::operator::Operator;

/// What complaints are about.
const ANSWER: &str = "answer";
/// What a CloudEventSource and a ClusterCloudEventSource are told.
const SOURCE_NOT_YET: &str = "CloudEvents are not in this version yet: none is sent";

/// Answers a ScaledJob.
pub(super) async fn scaled_job(operator: &Arc<Operator>, key: &ObjectKey) -> Verdict {
    let api: Api<crds::ScaledJob> = Api::namespaced(operator.client.clone(), &key.namespace);
    let object = match api.get_opt(&key.name).await {
        Ok(Some(object)) => object,
        Ok(None) => {
            operator.metrics.forget_job(&key.namespace, &key.name);
            return Verdict::Done;
        }
        Err(error) => return later(operator, key, error),
    };
    operator.metrics.job_failed(&key.namespace, &key.name);
    let current = serde_json::to_value(&object.status).unwrap_or(Value::Null);
    for action in plan_scaled_job(&object).actions {
        let written = match &action {
            Action::PatchObject(patch) => match patch.against(&object.metadata) {
                Some(value) => operator
                    .writer
                    .patch_metadata(&api, &key.name, &value)
                    .await
                    .map(drop),
                None => Ok(()),
            },
            Action::PatchStatus(patch) => match patch.against(&current) {
                Some(value) => operator
                    .writer
                    .patch_status(&api, &key.name, &value)
                    .await
                    .map(drop),
                None => Ok(()),
            },
            Action::Emit(event) => {
                operator.events.emit(&object.object_ref(&()), event.clone());
                Ok(())
            }
            other => {
                tracing::debug!(%other, "a ScaledJob is only answered");
                Ok(())
            }
        };
        if let Err(error) = written {
            return later(operator, key, error);
        }
    }
    operator.complaints.settle(key, ANSWER);
    tracing::warn!(namespace = key.namespace, name = key.name, "{JOB_NOT_YET}");
    Verdict::Done
}

/// Answers a CloudEventSource, once a change.
pub(super) async fn cloud_event_source(operator: &Arc<Operator>, key: &ObjectKey) -> Verdict {
    let api: Api<crds::CloudEventSource> = Api::namespaced(operator.client.clone(), &key.namespace);
    let seen = operator.caches.cloud_event_sources.get(key);
    answer_source(operator, key, &api, seen.map(|object| object.metadata.clone())).await
}

/// Answers a ClusterCloudEventSource, once a change.
pub(super) async fn cluster_cloud_event_source(operator: &Arc<Operator>, key: &ObjectKey) -> Verdict {
    let api: Api<crds::ClusterCloudEventSource> = Api::all(operator.client.clone());
    let seen = operator.caches.cluster_cloud_event_sources.get(key);
    answer_source(operator, key, &api, seen.map(|object| object.metadata.clone())).await
}

/// Writes the condition and the Event of a source that was seen with this metadata.
async fn answer_source<K>(
    operator: &Arc<Operator>,
    key: &ObjectKey,
    api: &Api<K>,
    seen: Option<ObjectMeta>,
) -> Verdict
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let Some(metadata) = seen else {
        return Verdict::Done;
    };
    let regarding = ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        namespace: metadata.namespace,
        name: Some(key.name.clone()),
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        ..ObjectReference::default()
    };
    let condition = serde_json::json!({
        "type": "Active", "status": "False", "reason": "CloudEventSourceFailed", "message": SOURCE_NOT_YET,
    });
    let patch = serde_json::json!({ "status": { "conditions": [condition] } });
    match operator.writer.patch_status(api, &key.name, &patch).await {
        Ok(_) => {}
        Err(error) if code(&error) == Some(404) => return Verdict::Done,
        Err(error) => return later(operator, key, error),
    }
    operator.events.emit(
        &regarding,
        Event::emitted(EventType::Warning, reason::SCALER_INFO, SOURCE_NOT_YET),
    );
    operator.complaints.settle(key, ANSWER);
    tracing::warn!(namespace = key.namespace, name = key.name, "{SOURCE_NOT_YET}");
    Verdict::Done
}

fn later(operator: &Operator, key: &ObjectKey, error: kube::Error) -> Verdict {
    let error = refused(error).to_string();
    if operator.complaints.is_news(key, ANSWER, &error) {
        tracing::warn!(
            namespace = key.namespace,
            name = key.name,
            error,
            "cannot answer the object"
        );
    }
    Verdict::Again(PATIENT)
}
