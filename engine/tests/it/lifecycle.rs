//! Sequences: pause and unpause, rename, delete, edits, as recorded for KEDA.

use crds::{ConditionType, ScaledObject, find_condition};
use engine::action::{Action, Failure};
use engine::activate::HpaScaling;
use engine::reconcile::{self, Outcome, Seen, Target, Triggers};
use serde_json::{Value, json};

use crate::model::World;

/// Deployment `web` with the given replicas, one metrics-api trigger.
pub(crate) fn world(replicas: i32, spec: &Value) -> World {
    let mut object: ScaledObject = serde_json::from_value(json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {
            "name": "so", "namespace": "NS", "uid": "UID", "generation": 0, "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "scaleTargetRef": { "name": "web" },
            "triggers": [{ "type": "metrics-api", "metadata": {} }],
        },
    }))
    .unwrap();
    object.metadata.generation = Some(0);
    let target: Target = serde_json::from_value(json!({ "found": {
        "gvkr": { "group": "apps", "version": "v1", "kind": "Deployment", "resource": "deployments" },
        "replicas": replicas,
    } }))
    .unwrap();
    let triggers: Triggers = serde_json::from_value(json!({
        "metrics": { "Ok": [{ "external": [{ "name": "s0-metric-api-value", "target": { "averageValue": "10" } }] }] },
        "built": ["metrics-api"], "warnings": [],
    }))
    .unwrap();
    let mut world = World::new(object, target, triggers);
    world.edit(spec);
    world
}

fn running(replicas: i32) -> World {
    let mut world = world(replicas, &json!({}));
    world.active = vec![Some(true)];
    world.reconcile();
    world.scaling = Some(HpaScaling {
        status: "True".into(),
        reason: String::new(),
        message: String::new(),
    });
    world.poll();
    world
}

fn condition(world: &World, type_: &ConditionType) -> String {
    let status = world.status();
    let condition = find_condition(&status.conditions, type_).expect("the condition is there");
    format!("{}/{}/{}", condition.status, condition.reason, condition.message)
}

fn reasons(world: &World) -> Vec<&str> {
    world.events.iter().map(|event| event.reason.as_ref()).collect()
}

fn texts(actions: &[Action]) -> Vec<String> {
    actions.iter().map(ToString::to_string).collect()
}

#[test]
fn paused_and_unpaused() {
    let mut world = running(1);
    world.events.clear();
    world.annotate("autoscaling.keda.sh/paused", Some("true"));
    world.reconcile();
    assert_eq!(reasons(&world), ["ScaledObjectPaused", "KEDAScalersStopped"]);
    assert!(world.hpas.is_empty() && world.running.is_none());
    assert_eq!(
        condition(&world, &ConditionType::Ready),
        "True/ScaledObjectReady/ScaledObject is paused"
    );
    assert_eq!(
        condition(&world, &ConditionType::Paused),
        "True/ScaledObjectPaused/ScaledObject is paused"
    );
    assert!(condition(&world, &ConditionType::HpaActive).starts_with("False/"));
    assert_eq!(world.reconcile(), []);

    world.events.clear();
    world.annotate("autoscaling.keda.sh/paused", None);
    world.reconcile();
    assert_eq!(
        reasons(&world),
        ["ScaledObjectUnpaused", "KEDAScalersStarted", "KEDAScalersStarted"]
    );
    assert_eq!(
        condition(&world, &ConditionType::Paused),
        "False/ScaledObjectUnpaused/pause annotation removed for ScaledObject"
    );
    assert_eq!((world.hpas.len(), world.running), (1, Some(1)));
    world.poll();
    assert_eq!(
        condition(&world, &ConditionType::HpaActive),
        "True/HPAActive/HPA is actively scaling"
    );
    assert_eq!(world.reconcile(), []);
}

#[test]
fn paused_at_a_number_of_replicas() {
    let mut world = running(1);
    for replicas in [3, 0] {
        world.annotate("autoscaling.keda.sh/paused-replicas", Some(&replicas.to_string()));
        world.reconcile();
        assert_eq!(
            (world.replicas(), world.status().paused_replica_count),
            (Some(replicas), Some(replicas))
        );
        assert_eq!(world.reconcile(), []);
    }
    world.annotate("autoscaling.keda.sh/paused-replicas", None);
    world.reconcile();
    assert_eq!(world.status().paused_replica_count, None);
    world.poll();
    assert_eq!(world.replicas(), Some(1));
    assert_eq!(world.events.last().unwrap().reason, "KEDAScaleTargetActivated");
}

#[test]
fn an_unreadable_number_of_replicas_is_told() {
    let mut world = running(1);
    world.annotate("autoscaling.keda.sh/paused-replicas", Some("three"));
    world.reconcile();
    assert!(condition(&world, &ConditionType::Ready).contains("`three` must be a number of replicas"));
    assert_eq!((world.replicas(), world.hpas.len()), (Some(1), 1));
}

#[test]
fn leaving_full_for_partial_pause_stays_paused() {
    let mut world = running(1);
    world.annotate("autoscaling.keda.sh/paused-replicas", Some("2"));
    world.reconcile();
    world.annotate("autoscaling.keda.sh/paused-replicas", None);
    world.annotate("autoscaling.keda.sh/paused-scale-in", Some("true"));
    world.events.clear();
    world.reconcile();
    assert!(condition(&world, &ConditionType::Paused).starts_with("True/"));
    assert_eq!(world.status().paused_replica_count, None);
    assert!(!reasons(&world).contains(&"ScaledObjectPaused"));
}

#[test]
fn a_renamed_hpa_replaces_the_old_one() {
    let mut world = running(1);
    world.edit(&json!({ "advanced": { "horizontalPodAutoscalerConfig": { "name": "renamed" } } }));
    let actions = texts(&world.reconcile());
    assert_eq!(actions[..2], ["delete HPA keda-hpa-so", "create HPA renamed"]);
    assert_eq!(world.hpas.keys().collect::<Vec<_>>(), ["renamed"]);
    assert_eq!(world.status().hpa_name.as_deref(), Some("renamed"));
    assert_eq!(world.reconcile(), []);
}

#[test]
fn a_foreign_hpa_of_the_old_name_is_left_alone() {
    let mut world = running(1);
    world
        .hpas
        .values_mut()
        .for_each(|hpa| hpa.metadata.owner_references = None);
    world.edit(&json!({ "advanced": { "horizontalPodAutoscalerConfig": { "name": "renamed" } } }));
    world.reconcile();
    assert_eq!(world.hpas.len(), 2);
}

#[test]
fn a_deleted_hpa_comes_back_and_restarts_the_loop() {
    let mut world = running(1);
    world.hpas.clear();
    let actions = texts(&world.reconcile());
    assert_eq!(
        actions,
        ["create HPA keda-hpa-so", "start the scale loop for generation 1"]
    );
}

#[test]
fn a_meddled_hpa_is_put_right() {
    let mut world = running(1);
    world.hpas.values_mut().for_each(|hpa| hpa.spec.max_replicas = 7);
    assert_eq!(texts(&world.reconcile()), ["update HPA keda-hpa-so"]);
    assert_eq!(world.reconcile(), []);
}

#[test]
fn a_removed_annotation_leaves_the_hpa() {
    let mut world = running(1);
    world.annotate("autoscaling.keda.sh/force-activation", Some("true"));
    world.reconcile();
    assert!(world.hpas.values().all(|hpa| hpa.metadata.annotations.is_some()));
    world.annotate("autoscaling.keda.sh/force-activation", None);
    world.reconcile();
    assert!(world.hpas.values().all(|hpa| hpa.metadata.annotations.is_none()));
}

#[test]
fn deletion_puts_back_the_replicas() {
    let mut world = world(
        3,
        &json!({ "advanced": { "restoreToOriginalReplicaCount": true } }),
    );
    world.reconcile();
    world.poll();
    assert_eq!(
        (world.replicas(), world.status().original_replica_count),
        (Some(0), Some(3))
    );
    world.merge(&json!({ "metadata": { "deletionTimestamp": "2026-01-01T02:00:00Z" } }));
    assert_eq!(world.hpas.len(), 1);
    world.reconcile();
    // An HPA that outlived the object would scale the target once more.
    assert!(world.hpas.is_empty());
    assert_eq!(world.replicas(), Some(3));
    assert!(world.object.is_none() && world.running.is_none());
    assert_eq!(world.events.last().unwrap().note, "ScaledObject was deleted");
    assert!(reasons(&world).contains(&"KEDAScalersStopped"));
}

#[test]
fn a_failed_restore_does_not_block_deletion() {
    let mut world = world(
        3,
        &json!({ "advanced": { "restoreToOriginalReplicaCount": true } }),
    );
    world.reconcile();
    world.poll();
    world.merge(&json!({ "metadata": { "deletionTimestamp": "2026-01-01T02:00:00Z" } }));
    let seen = Seen {
        target: world.target.clone(),
        running: Some(1),
        ..Seen::default()
    };
    let plan = reconcile::plan(world.object(), &seen);
    let position = plan
        .actions
        .iter()
        .position(|action| matches!(action, Action::SetScale { .. }))
        .unwrap();
    let rest = plan.after_failure(position, &Failure::Refused("forbidden".to_owned()));
    assert_eq!(
        texts(&rest),
        [
            "remove the finalizer",
            "emit Event Warning ScaledObjectDeleted: ScaledObject was deleted"
        ]
    );
}

#[test]
fn a_fallback_is_told_and_scaling_goes_on() {
    let mut world = world(
        0,
        &json!({ "fallback": { "failureThreshold": 3, "replicas": 6 } }),
    );
    world.active = vec![Some(true)];
    world.reconcile();
    world.poll();
    assert_eq!(world.replicas(), Some(1));
    assert!(condition(&world, &ConditionType::Ready).contains("`spec.fallback` is not in this version yet"));
    assert!(
        world
            .events
            .iter()
            .any(|event| event.reason == "KEDAScalerInfo" && event.note.contains("spec.fallback"))
    );
    assert_eq!(world.reconcile(), []);
}

#[test]
fn a_fallback_of_zero_does_not_drop_the_workload() {
    let mut world = world(
        3,
        &json!({ "fallback": { "failureThreshold": 3, "replicas": 0 } }),
    );
    world.reconcile();
    world.failing = Some("refused".to_owned());
    world.poll();
    assert_eq!(world.replicas(), Some(3));
    assert!(condition(&world, &ConditionType::Ready).starts_with("False/TriggerError/"));
}

#[test]
fn a_foreign_hpa_survives_a_pause() {
    let mut world = running(1);
    world
        .hpas
        .values_mut()
        .for_each(|hpa| hpa.metadata.owner_references = None);
    world.annotate("autoscaling.keda.sh/paused", Some("true"));
    world.reconcile();
    assert_eq!(world.hpas.len(), 1);
}

#[test]
fn scaling_modifiers_are_refused_by_name() {
    let mut world = world(
        0,
        &json!({ "advanced": { "scalingModifiers": { "formula": "a + b", "target": "2" } } }),
    );
    world.reconcile();
    assert!(
        condition(&world, &ConditionType::Ready)
            .contains("`spec.advanced.scalingModifiers` is not in this version yet")
    );
    assert_eq!(world.events.last().unwrap().reason, "ScaledObjectCheckFailed");
    assert!(world.hpas.is_empty() && world.running.is_none());
}

#[test]
fn an_edit_that_breaks_the_object_keeps_the_hpa() {
    let mut world = running(2);
    world.edit(&json!({ "idleReplicaCount": 3, "minReplicaCount": 2 }));
    world.reconcile();
    assert!(condition(&world, &ConditionType::Ready).starts_with("False/ScaledObjectCheckFailed"));
    assert_eq!((world.hpas.len(), world.replicas()), (1, Some(2)));
    world.edit(&json!({ "idleReplicaCount": 1 }));
    world.reconcile();
    assert!(condition(&world, &ConditionType::Ready).starts_with("True/"));
}

#[test]
fn a_refused_hpa_write_becomes_ready_false() {
    let world = world(1, &json!({}));
    let seen = Seen {
        target: world.target.clone(),
        triggers: Some(world.triggers.clone()),
        ..Seen::default()
    };
    let plan = reconcile::plan(world.object(), &seen);
    assert_eq!(plan.outcome, Outcome::Ready);
    let position = plan
        .actions
        .iter()
        .position(|action| matches!(action, Action::ApplyHpa(_)))
        .unwrap();
    let instead = plan.after_failure(position, &Failure::Refused("forbidden".to_owned()));
    assert_eq!(
        texts(&instead)[1],
        "emit Event Warning ScaledObjectCheckFailed: failed to ensure HPA is correctly created for ScaledObject: forbidden"
    );
    assert!(
        plan.after_failure(position, &Failure::Stale("conflict".to_owned()))
            .is_empty()
    );
}

#[test]
fn the_loops_verdict_outlives_a_reconcile() {
    let mut world = running(1);
    let verdict = engine::condition::trigger_error("s0-metric-api-value: refused");
    let conditions: Vec<Value> = world
        .status()
        .conditions
        .iter()
        .map(|condition| {
            if condition.type_ == ConditionType::Ready {
                json!(verdict)
            } else {
                json!(condition)
            }
        })
        .collect();
    world.merge(&json!({ "status": { "conditions": conditions } }));
    assert_eq!(world.reconcile(), []);
    world.edit(&json!({ "maxReplicaCount": 5 }));
    world.reconcile();
    assert!(condition(&world, &ConditionType::Ready).starts_with("True/"));
}
