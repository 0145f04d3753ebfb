//! Table cases of phases and of the kinds that this version only answers. Whole plans are tested in `tests/it`,
//! where a model of a cluster carries them out.

use crds::{ScaledJob, ScaledObject};
use serde_json::{Value, json};

use super::*;

fn object(meta: &Value) -> ScaledObject {
    let mut all = json!({ "name": "so", "namespace": "ns" });
    all.as_object_mut()
        .unwrap()
        .extend(meta.as_object().unwrap().clone());
    let spec = json!({
        "scaleTargetRef": { "name": "web" }, "triggers": [],
        "advanced": { "restoreToOriginalReplicaCount": true },
    });
    serde_json::from_value(json!({ "metadata": all, "spec": spec })).unwrap()
}

#[track_caller]
fn check(meta: &Value, expected: &Phase) {
    assert_eq!(&Phase::of(&object(meta)), expected);
}

#[test]
fn the_phase_is_read_off_the_object() {
    check(&json!({}), &Phase::Run);
    let deleted = "2026-01-01T00:00:00Z";
    check(&json!({ "deletionTimestamp": deleted }), &Phase::Gone);
    check(
        &json!({ "deletionTimestamp": deleted, "finalizers": [FINALIZER] }),
        &Phase::Finalize { restore: true },
    );
    check(
        &json!({ "annotations": { "autoscaling.keda.sh/paused": "true" } }),
        &Phase::Paused(Pause::Full),
    );
    check(
        &json!({ "annotations": { "autoscaling.keda.sh/paused-replicas": "2" } }),
        &Phase::Paused(Pause::At(2)),
    );
    check(
        &json!({ "annotations": { "autoscaling.keda.sh/paused-scale-in": "true" } }),
        &Phase::Run,
    );
}

#[test]
fn only_what_is_needed_is_observed() {
    let needs = |phase: Phase| (phase.needs_target(), phase.needs_hpa(), phase.needs_metrics());
    assert_eq!(needs(Phase::Run), (true, true, true));
    assert_eq!(needs(Phase::Paused(Pause::Full)), (false, true, false));
    assert_eq!(needs(Phase::Paused(Pause::At(1))), (true, true, false));
    assert_eq!(needs(Phase::Finalize { restore: false }), (false, false, false));
    assert_eq!(needs(Phase::Finalize { restore: true }), (true, true, false));
    assert_eq!(needs(Phase::Gone), (false, false, false));
}

#[test]
fn a_target_without_scale_is_told_twice() {
    let seen = Seen {
        target: Target::NoScale("the server could not find it".to_owned()),
        ..Seen::default()
    };
    let mut object = object(&json!({}));
    object.spec.triggers.push(crds::Trigger {
        type_: "cron".to_owned(),
        ..crds::Trigger::default()
    });
    let plan = plan(&object, &seen);
    let events: Vec<&str> = plan
        .actions
        .iter()
        .filter_map(|action| {
            if let Action::Emit(event) = action {
                Some(event.reason.as_ref())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(events, [reason::SCALED_OBJECT_CHECK_FAILED; 2]);
    assert!(matches!(plan.outcome, Outcome::Failed(_)));
}

#[test]
fn a_name_too_long_for_a_label_is_told() {
    let mut object = object(&json!({ "name": "a".repeat(64) }));
    object.spec.triggers.push(crds::Trigger {
        type_: "cron".to_owned(),
        ..crds::Trigger::default()
    });
    let gvkr = GroupVersionKindResource::default();
    let seen = Seen {
        target: Target::Found { gvkr, replicas: 1 },
        ..Seen::default()
    };
    let plan = plan(&object, &seen);
    let Some(Action::PatchObject(patch)) = plan.actions.first() else {
        panic!("the finalizer comes first")
    };
    assert_eq!((patch.finalizer, &patch.label), (Some(true), &None));
    assert!(matches!(&plan.outcome, Outcome::Failed(message) if message.contains("a label value holds 63")));
}

fn job(value: &Value) -> ScaledJob {
    let mut job = json!({
        "metadata": { "name": "sj", "namespace": "ns" },
        "spec": { "jobTargetRef": { "template": {} }, "triggers": [] },
    });
    job.as_object_mut()
        .unwrap()
        .extend(value.as_object().unwrap().clone());
    serde_json::from_value(job).unwrap()
}

#[test]
fn a_scaled_job_is_answered_once() {
    let first = scaled_job(&job(&json!({})));
    let [Action::PatchStatus(patch), Action::Emit(event)] = first.actions.as_slice() else {
        panic!("a status and an Event: {:?}", first.actions);
    };
    assert_eq!(
        (event.type_, event.reason.as_ref()),
        (EventType::Warning, "ScaledJobCheckFailed")
    );
    let status = patch.against(&Value::Null).unwrap();
    assert!(
        status["status"]["conditions"][0]["message"]
            .as_str()
            .unwrap()
            .contains("not in this version yet")
    );
    assert!(scaled_job(&job(&status)).actions.is_empty());
}

#[test]
fn a_scaled_job_that_another_keda_finalises_can_go() {
    let meta = json!({ "metadata": {
        "name": "sj", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [FINALIZER],
    } });
    assert!(matches!(
        scaled_job(&job(&meta)).actions.as_slice(),
        [Action::PatchObject(_)]
    ));
}
