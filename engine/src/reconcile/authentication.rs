//! The reconcile of a TriggerAuthentication or ClusterTriggerAuthentication: finalizer and Events.
//!
//! Upstream: `controllers/keda/triggerauthentication_controller.go`; facts semantics §9, api.yaml events.

use crds::{AuthenticationKind, FINALIZER};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Outcome, Plan};
use crate::action::{Action, ObjectPatch};
use crate::event::{Event, EventType, reason};

/// Plans the reconcile of an authentication object.
///
/// `known` is the generation this process saw last, so that an Event is emitted once a generation. Upstream gives an
/// update of either kind the reason `ClusterTriggerAuthenticationUpdated`.
pub fn authentication(kind: &AuthenticationKind, meta: &ObjectMeta, known: Option<i64>) -> Plan {
    let cluster = *kind == AuthenticationKind::ClusterTriggerAuthentication;
    let emit = |reason, note| Action::Emit(Event::emitted(EventType::Normal, reason, note));
    if meta.deletion_timestamp.is_some() {
        if !meta.finalizers.iter().flatten().any(|name| name == FINALIZER) {
            return Plan::new(Outcome::Finished, Vec::new());
        }
        let deleted = if cluster {
            reason::CLUSTER_TRIGGER_AUTHENTICATION_DELETED
        } else {
            reason::TRIGGER_AUTHENTICATION_DELETED
        };
        let patch = ObjectPatch {
            finalizer: Some(false),
            label: None,
        };
        let actions = vec![
            Action::PatchObject(patch),
            emit(deleted, format!("{kind} was deleted")),
        ];
        return Plan::new(Outcome::Finished, actions);
    }
    let patch = ObjectPatch {
        finalizer: Some(true),
        label: None,
    };
    let mut actions = Vec::new();
    if patch.against(meta).is_some() {
        actions.push(Action::PatchObject(patch));
    }
    let generation = meta.generation.unwrap_or(1);
    if known != Some(generation) {
        let added = if cluster {
            reason::CLUSTER_TRIGGER_AUTHENTICATION_ADDED
        } else {
            reason::TRIGGER_AUTHENTICATION_ADDED
        };
        actions.push(if generation == 1 {
            emit(added, format!("New {kind} configured"))
        } else {
            emit(
                reason::CLUSTER_TRIGGER_AUTHENTICATION_UPDATED,
                format!("{kind} was updated"),
            )
        });
    }
    Plan::new(Outcome::Ready, actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &AuthenticationKind, meta: &ObjectMeta, known: Option<i64>, expected: &[&str]) {
        let texts: Vec<String> = authentication(kind, meta, known)
            .actions
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn events_come_once_a_generation() {
        let kind = AuthenticationKind::TriggerAuthentication;
        let cluster = AuthenticationKind::ClusterTriggerAuthentication;
        let mut meta = ObjectMeta {
            generation: Some(1),
            ..ObjectMeta::default()
        };
        let finalizer = "set the finalizer and the label of the object";
        let added = "emit Event Normal TriggerAuthenticationAdded: New TriggerAuthentication configured";
        check(&kind, &meta, None, &[finalizer, added]);
        meta.finalizers = Some(vec![FINALIZER.to_owned()]);
        check(&kind, &meta, Some(1), &[]);
        meta.generation = Some(2);
        let updated =
            "emit Event Normal ClusterTriggerAuthenticationUpdated: ClusterTriggerAuthentication was updated";
        check(&cluster, &meta, Some(1), &[updated]);
        meta.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            jiff::Timestamp::UNIX_EPOCH,
        ));
        let deleted = "emit Event Normal TriggerAuthenticationDeleted: TriggerAuthentication was deleted";
        check(&kind, &meta, Some(2), &["remove the finalizer", deleted]);
        meta.finalizers = None;
        check(&kind, &meta, Some(2), &[]);
    }
}
