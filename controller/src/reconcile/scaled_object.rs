//! The reconcile of a ScaledObject: observe, plan (in the engine), apply, record.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::ScaledObject;
use engine::action::Failure;
use engine::desired::{self, ObjectKey};
use engine::event::Event;
use engine::reconcile::{self, Outcome, Phase, Seen, Target, Triggers};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::Api;
use kube::core::error_boundary::InvalidObject;
use kube::core::subresource::Scale;

use super::{EAGER, PATIENT, Verdict};
use crate::execute::{Executor, refused};
use crate::failure;
use crate::live::Live;
use crate::observe::{
    self,
    target::{TargetError, replicas},
};
use crate::operator::Operator;

/// What complaints are about: looking at the cluster, and what came of it.
const OBSERVE: &str = "observe";
const RECONCILE: &str = "reconcile";

/// Reconciles one ScaledObject.
pub(super) async fn reconcile(operator: &Arc<Operator>, key: &ObjectKey) -> Verdict {
    let Some(guarded) = operator.caches.scaled_objects.get(key) else {
        operator.forget(key);
        return Verdict::Done;
    };
    if let Err(invalid) = &guarded.0 {
        unreadable(operator, key, invalid);
        return Verdict::Done;
    }
    let live = operator.live_or_new(key);
    let _exclusive = live.work.lock().await;
    let Ok(object) = operator.object(key) else {
        return Verdict::Done;
    };
    let phase = Phase::of(&object);
    let (seen, scale) = match observe(operator, &live, &object, &phase).await {
        Ok(seen) => seen,
        Err(failure) => {
            if operator.complaints.is_news(key, OBSERVE, &failure.to_string()) {
                tracing::warn!(namespace = key.namespace, name = key.name, error = %failure, "cannot look at the world");
            }
            return Verdict::Again(EAGER);
        }
    };
    operator.complaints.settle(key, OBSERVE);
    let plan = reconcile::plan(&object, &seen);
    live.planned(&plan);
    record(operator, key, &phase, &plan.outcome);
    let mut executor = Executor::new(operator, &live, object, scale);
    if let Err((position, failure)) = executor.run(&plan.actions).await {
        // A failure of these as well is in log and ledger; the retry begins anew.
        drop(executor.run(&plan.after_failure(position, &failure)).await);
        return Verdict::Again(if matches!(failure, Failure::Stale(_)) {
            EAGER
        } else {
            PATIENT
        });
    }
    match plan.outcome {
        Outcome::Failed(_) if matches!(seen.target, Target::Found { .. } | Target::Unread) => {
            Verdict::Again(PATIENT)
        }
        Outcome::Failed(_) => Verdict::Again(EAGER),
        Outcome::Ready | Outcome::Paused | Outcome::Finished => Verdict::Done,
    }
}

fn record(operator: &Operator, key: &ObjectKey, phase: &Phase, outcome: &Outcome) {
    operator
        .metrics
        .paused(&key.namespace, &key.name, matches!(phase, Phase::Paused(_)));
    if let Outcome::Failed(message) = outcome {
        operator.metrics.object_failed(&key.namespace, &key.name);
        if operator.complaints.is_news(key, RECONCILE, message) {
            tracing::warn!(namespace = key.namespace, name = key.name, "{message}");
        }
    } else if operator.complaints.settle(key, RECONCILE) {
        tracing::info!(namespace = key.namespace, name = key.name, "reconciled again");
    }
}

/// An object that the API server accepted and we cannot read: said once a change, in an Event, and never silently skipped.
fn unreadable(operator: &Operator, key: &ObjectKey, invalid: &InvalidObject) {
    tracing::error!(
        namespace = key.namespace,
        name = key.name,
        error = invalid.error,
        "the ScaledObject cannot be read"
    );
    let regarding = ObjectReference {
        api_version: Some("keda.sh/v1alpha1".to_owned()),
        kind: Some("ScaledObject".to_owned()),
        namespace: Some(key.namespace.clone()),
        name: Some(key.name.clone()),
        uid: invalid.metadata.uid.clone(),
        resource_version: invalid.metadata.resource_version.clone(),
        ..ObjectReference::default()
    };
    operator.events.emit(
        &regarding,
        Event::check_failed(&format!("the object cannot be read: {}", invalid.error)),
    );
    operator.metrics.object_failed(&key.namespace, &key.name);
}

/// Reads what the phase needs.
async fn observe(
    operator: &Arc<Operator>,
    live: &Arc<Live>,
    object: &Arc<ScaledObject>,
    phase: &Phase,
) -> Result<(Seen, Option<Scale>), Failure> {
    let mut seen = Seen {
        running: live.running().map(|running| running.generation),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Seen::default()
    };
    let mut scale = None;
    if phase.needs_target() {
        (seen.target, scale) = target(operator, live, object).await;
    }
    if phase.needs_hpa() {
        seen.hpas = hpas(operator, live, object).await?;
    }
    if phase.needs_metrics()
        && matches!(seen.target, Target::Found { .. })
        && desired::validate(object).is_ok()
    {
        seen.triggers = Some(triggers(operator, live, object).await);
        seen.unlisted = unlisted(operator, object);
    }
    Ok((seen, scale))
}

async fn target(operator: &Operator, live: &Live, object: &ScaledObject) -> (Target, Option<Scale>) {
    let reference = &object.spec.scale_target_ref;
    if reference.name.is_empty() {
        return (Target::Unread, None);
    }
    let found = async {
        let gvkr = operator.targets.resolve(reference).await?;
        let scale = observe::scale(operator, live, &gvkr, &reference.name).await?;
        Ok::<_, TargetError>((gvkr, scale))
    };
    match found.await {
        Ok((gvkr, scale)) => {
            live.set_target(gvkr.clone());
            (
                Target::Found {
                    gvkr,
                    replicas: replicas(&scale),
                },
                Some(scale),
            )
        }
        Err(error) => {
            let text = failure::chain(&error);
            let target = match error {
                TargetError::UnknownKind { .. } => Target::UnknownKind(text),
                TargetError::NotFound(_) => Target::Missing(text),
                TargetError::NoScale(_) => Target::NoScale(text),
                TargetError::Api(_) => Target::Unreadable(text),
            };
            (target, None)
        }
    }
}

/// The HPA of the status and the one of the wanted name. Our watch sees only HPAs with our label, and may lag behind our own writes:
/// what we wrote ourselves, and what kept us from creating an HPA, is read. A name that nobody took costs no read.
async fn hpas(
    operator: &Operator,
    live: &Live,
    object: &ScaledObject,
) -> Result<BTreeMap<String, HorizontalPodAutoscaler>, Failure> {
    let namespace = &live.key.namespace;
    let recorded = object.status.as_ref().and_then(|status| status.hpa_name.clone());
    let wanted = desired::validate(object).ok().map(|want| want.hpa_name);
    let mut found = BTreeMap::new();
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(operator.client.clone(), namespace);
    let look = live.take_hidden_hpa();
    for name in recorded.into_iter().chain(wanted).filter(|name| !name.is_empty()) {
        if found.contains_key(&name) {
            continue;
        }
        let cached = operator
            .caches
            .hpas
            .get(&ObjectKey::new(namespace.clone(), name.clone()));
        let hpa = match cached {
            Some(hpa) => Some(hpa.as_written()),
            None if look => api.get_opt(&name).await.map_err(refused)?,
            None => None,
        };
        if let Some(hpa) = hpa {
            found.insert(name, hpa);
        }
    }
    Ok(found)
}

/// Builds the triggers, unless they are built for this generation.
async fn triggers(operator: &Operator, live: &Live, object: &ScaledObject) -> Triggers {
    let generation = object.metadata.generation.unwrap_or_default();
    let _once = live.building.lock().await;
    if let Some(triggers) = live.triggers(generation) {
        return Triggers {
            metrics: Ok(triggers.metrics()),
            built: Vec::new(),
            warnings: Vec::new(),
        };
    }
    match operator.builder.build(object, live.target().as_deref()).await {
        Ok((triggers, warnings)) => {
            let built = object
                .spec
                .triggers
                .iter()
                .map(|trigger| trigger.type_.clone())
                .collect();
            let metrics = Ok(triggers.metrics());
            live.set_triggers(Some(Arc::new(triggers)));
            // Upstream tells of keys that nobody reads only when asked to; what it could not resolve, always.
            let mut warnings = warnings;
            warnings.retain(|warning| {
                operator.environment.check_unexpected_parameters || warning.code != "unknown-metadata-key"
            });
            Triggers {
                metrics,
                built,
                warnings,
            }
        }
        Err(errors) => {
            live.set_triggers(None);
            let failed: Vec<usize> = errors.iter().map(|error| error.index).collect();
            let types = object.spec.triggers.iter().enumerate();
            let built = types
                .filter(|(index, _)| !failed.contains(index))
                .map(|(_, trigger)| trigger.type_.clone())
                .collect();
            let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            Triggers {
                metrics: Err(messages.join("; ")),
                built,
                warnings: Vec::new(),
            }
        }
    }
}

/// References whose authentication exists and does not list this object yet.
fn unlisted(operator: &Operator, object: &ScaledObject) -> Vec<crds::AuthenticationRef> {
    let key = crate::cache::key(object);
    let lists = |status: Option<&crds::TriggerAuthenticationStatus>| {
        let list = status
            .and_then(|status| status.scaledobjects.as_deref())
            .unwrap_or_default();
        engine::status::with_user(list, &key.name).is_none()
    };
    let is_unlisted = |reference: &crds::AuthenticationRef| match reference.kind() {
        crds::AuthenticationKind::TriggerAuthentication => {
            let auth = operator
                .caches
                .auths
                .get(&ObjectKey::new(key.namespace.clone(), reference.name.clone()));
            auth.is_some_and(|auth| !lists(auth.status.as_ref()))
        }
        crds::AuthenticationKind::ClusterTriggerAuthentication => {
            let auth = operator
                .caches
                .cluster_auths
                .get(&ObjectKey::new("", reference.name.clone()));
            auth.is_some_and(|auth| !lists(auth.status.as_ref()))
        }
        crds::AuthenticationKind::Other(_) => false,
    };
    desired::authentications(&object.spec.triggers)
        .into_iter()
        .filter(is_unlisted)
        .collect()
}
