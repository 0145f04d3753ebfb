use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(patch: &StatusPatch, current: &Value, expected: &Value) {
    let got = patch
        .against(current)
        .map_or(Value::Null, |mut patch| patch["status"].take());
    assert_eq!(&got, expected);
}

fn conditions() -> Value {
    json!(condition::initial())
}

#[test]
fn nothing_changed_writes_nothing() {
    let current =
        json!({ "conditions": conditions(), "hpaName": "keda-hpa-so", "externalMetricNames": ["a"] });
    let patch = StatusPatch {
        hpa_name: Some("keda-hpa-so".to_owned()),
        external_metrics: Some(vec!["a".to_owned()]),
        resource_metrics: Some(Vec::new()),
        paused_replicas: Some(PausedReplicas::Nowhere),
        ..StatusPatch::default()
    };
    check(&patch, &current, &Value::Null);
}

/// A status and a patch of a poll, each of few words, so that they often agree.
fn polled() -> impl Strategy<Value = (ScaledObjectStatus, StatusPatch)> {
    let condition = prop_oneof![
        Just(condition::active()),
        Just(condition::ready(&[])),
        Just(condition::ready_paused()),
        Just(condition::no_fallback()),
    ];
    let activities = || proptest::collection::btree_map("[ab]", any::<bool>(), 0..3);
    let status = (
        proptest::collection::vec(condition.clone(), 0..3),
        activities(),
        any::<bool>(),
    );
    let patch = (
        proptest::collection::vec(condition, 0..3),
        proptest::option::of((activities(), any::<bool>())),
    );
    (status, patch).prop_map(|((conditions, activities, complete), (wanted, activity))| {
        // Neither has two conditions of one type.
        let mut known = Vec::new();
        condition::merge(&mut known, &conditions);
        if complete {
            let absent = condition::missing(&known);
            known.extend(
                absent
                    .into_iter()
                    .filter(|initial| find_condition(&known, &initial.type_).is_none())
                    .collect::<Vec<_>>(),
            );
        }
        let triggers_activity = activities
            .into_iter()
            .map(|(name, active)| {
                (
                    name,
                    crds::TriggerActivity {
                        is_active: Some(active),
                    },
                )
            })
            .collect();
        let status = ScaledObjectStatus {
            conditions: known,
            triggers_activity,
            ..Default::default()
        };
        let activity = activity.map(|(activities, all)| {
            if all {
                Activity::All(activities)
            } else {
                Activity::Some(activities)
            }
        });
        (
            status,
            StatusPatch {
                activity,
                ..StatusPatch::default().with(wanted)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_settled_status_is_not_written((status, patch) in polled()) {
        let written = patch.against(&json!(status));
        prop_assert!(!patch.is_settled_in(&status) || written.is_none(), "{written:?}");
    }
}

#[test]
fn what_a_poll_finds_unchanged_is_settled() {
    let mut status = ScaledObjectStatus {
        conditions: condition::initial(),
        ..Default::default()
    };
    let active = |active| Activity::All([("s0-jobs".to_owned(), active)].into());
    let patch = StatusPatch {
        activity: Some(active(true)),
        ..StatusPatch::default()
    };
    assert!(!patch.is_settled_in(&status));
    status.triggers_activity.insert(
        "s0-jobs".to_owned(),
        crds::TriggerActivity {
            is_active: Some(true),
        },
    );
    assert!(patch.is_settled_in(&status));
    let patch = patch.with([condition::active()]);
    assert!(!patch.is_settled_in(&status));
    condition::merge(&mut status.conditions, &[condition::active()]);
    assert!(patch.is_settled_in(&status));
    let idle = StatusPatch {
        activity: Some(active(false)),
        ..patch.clone()
    };
    assert!(!idle.is_settled_in(&status));
    let named = StatusPatch {
        hpa_name: Some("x".to_owned()),
        ..patch
    };
    assert!(!named.is_settled_in(&status));
    status.conditions.pop();
    assert!(!StatusPatch::default().is_settled_in(&status));
}

#[test]
fn an_empty_status_gets_the_initial_conditions_first() {
    let patch = StatusPatch::of_conditions([condition::active()]);
    let written = patch.against(&Value::Null).unwrap();
    let types: Vec<_> = written["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["status"].clone())
        .collect();
    assert_eq!(
        types,
        [json!("Unknown"), json!("True"), json!("Unknown"), json!("False")]
    );
}

#[test]
fn a_missing_condition_is_filled_and_the_others_stay() {
    let ready = condition::ready(&[]);
    let written = StatusPatch::default()
        .against(&json!({ "conditions": [ready] }))
        .unwrap();
    assert_eq!(written["status"]["conditions"][0]["status"], "True");
    assert_eq!(written["status"]["conditions"].as_array().unwrap().len(), 4);
}

#[test]
fn original_replicas_are_written_once() {
    let patch = StatusPatch {
        original_replicas: Some(5),
        ..StatusPatch::default()
    };
    check(
        &patch,
        &json!({ "conditions": conditions() }),
        &json!({ "originalReplicaCount": 5 }),
    );
    check(
        &patch,
        &json!({ "conditions": conditions(), "originalReplicaCount": 0 }),
        &Value::Null,
    );
}

#[test]
fn vanished_metrics_lose_health_and_activity() {
    let patch = StatusPatch {
        external_metrics: Some(vec!["b".to_owned()]),
        activity: Some(Activity::All([("b".to_owned(), true)].into())),
        ..StatusPatch::default()
    };
    let current = json!({
        "conditions": conditions(), "externalMetricNames": ["a"], "compositeScalerName": "composite-metric",
        "health": { "a": {}, "b": {} }, "triggersActivity": { "a": { "isActive": true }, "b": { "isActive": true } },
    });
    let expected = json!({
        "externalMetricNames": ["b"], "compositeScalerName": null,
        "health": { "a": null }, "triggersActivity": { "a": null },
    });
    check(&patch, &current, &expected);
}

#[test]
fn a_push_changes_only_its_metric() {
    let patch = StatusPatch {
        activity: Some(Activity::Some([("b".to_owned(), true)].into())),
        ..StatusPatch::default()
    };
    let current = json!({ "conditions": conditions(), "triggersActivity": { "a": { "isActive": false } } });
    check(
        &patch,
        &current,
        &json!({ "triggersActivity": { "b": { "isActive": true } } }),
    );
}

#[test]
fn users_are_a_list_with_commas() {
    assert_eq!(with_user("", "a").as_deref(), Some("a"));
    assert_eq!(with_user("a", "b").as_deref(), Some("a,b"));
    assert_eq!(with_user("a,b", "b"), None);
    assert_eq!(without_user("a,b", "a").as_deref(), Some("b"));
    assert_eq!(without_user("a", "a").as_deref(), Some(""));
    assert_eq!(without_user("ab", "a"), None);
}

#[test]
fn kinds_of_the_core_group_have_no_slash() {
    let of = |group: &str| GroupVersionKindResource {
        group: group.into(),
        version: "v1".into(),
        kind: "X".into(),
        resource: "xs".into(),
    };
    assert_eq!(
        (target_kind(&of("")), target_kind(&of("apps"))),
        ("v1.X".to_owned(), "apps/v1.X".to_owned())
    );
}
