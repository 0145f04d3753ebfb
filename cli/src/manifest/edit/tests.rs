//! Edits as people would make them.

use serde_json::json;

use super::*;

const ORDERS: &str = "\
# Scales the workers.
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: orders}  # in shop
spec:
  scaleTargetRef:
    name: worker # the only one
  # The nights are quiet.
  cooldownPeriod: 300   # seconds

  maxReplicaCount: 10
  triggers:
    - type: redis
      metadata:
        address: redis.shop:6379
        listLength: \"5\"   # a replica
        listName: 'jobs'
    - {type: cpu, metricType: Utilization, metadata: {value: '60'}}
";

/// Edits a text, and tells the lines that differ as `-old` and `+new`.
#[track_caller]
fn check(text: &str, path: &str, value: Value, want: &[&str]) {
    let changes = [(FieldPath::parse(path), value)];
    let edited = edit(text, &changes).unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
    let diff = similar::TextDiff::from_lines(text, &edited);
    let found: Vec<String> = diff
        .iter_all_changes()
        .filter(|change| change.tag() != similar::ChangeTag::Equal)
        .map(|change| format!("{}{}", change.tag(), change.value().trim_end_matches('\n')))
        .collect();
    assert_eq!(found, want, "{path}");
}

#[track_caller]
fn refused(text: &str, path: &str, want: &str) {
    let refusal = edit(text, &[(FieldPath::parse(path), json!(7))]).expect_err(path);
    assert!(refusal.to_string().contains(want), "{refusal}");
}

#[test]
fn values_are_replaced_and_comments_stay() {
    check(
        ORDERS,
        "spec.cooldownPeriod",
        json!(60),
        &[
            "-  cooldownPeriod: 300   # seconds",
            "+  cooldownPeriod: 60   # seconds",
        ],
    );
    check(
        ORDERS,
        "spec.triggers[0].metadata.listLength",
        json!("12"),
        &[
            "-        listLength: \"5\"   # a replica",
            "+        listLength: \"12\"   # a replica",
        ],
    );
    check(
        ORDERS,
        "spec.triggers[1].metadata.value",
        json!("75"),
        &[
            "-    - {type: cpu, metricType: Utilization, metadata: {value: '60'}}",
            "+    - {type: cpu, metricType: Utilization, metadata: {value: '75'}}",
        ],
    );
    check(
        "a: 500m # cpu\n",
        "a",
        json!("250m"),
        &["-a: 500m # cpu", "+a: 250m # cpu"],
    );
    check("a: 500m\n", "a", json!("1"), &["-a: 500m", "+a: \"1\""]);
}

#[test]
fn keys_that_are_missing_go_where_people_look_for_them() {
    check(
        ORDERS,
        "spec.minReplicaCount",
        json!(2),
        &["+  minReplicaCount: 2"],
    );
    check(
        ORDERS,
        "spec.pollingInterval",
        json!(10),
        &["+  pollingInterval: 10"],
    );
    let edited =
        edit(ORDERS, &[(FieldPath::parse("spec.pollingInterval"), json!(10))]).expect("can be edited");
    assert!(
        edited.contains("    name: worker # the only one\n  pollingInterval: 10\n  # The nights"),
        "{edited}"
    );
    check(
        ORDERS,
        "spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.stabilizationWindowSeconds",
        json!(60),
        &[
            "+  advanced:",
            "+    horizontalPodAutoscalerConfig:",
            "+      behavior:",
            "+        scaleDown:",
            "+          stabilizationWindowSeconds: 60",
        ],
    );
    check(
        ORDERS,
        "spec.triggers[0].metadata.activationListLength",
        json!("2"),
        &["+        activationListLength: \"2\""],
    );
    check("a:\n    b: 1\n", "a.c.d", json!(2), &["+    c:", "+        d: 2"]);
    check(
        "spec:\n  triggers: []\n",
        "spec.maxReplicaCount",
        json!(2),
        &["+  maxReplicaCount: 2"],
    );
}

#[test]
fn a_mapping_between_braces_stays_one() {
    check(
        ORDERS,
        "spec.triggers[1].metadata.containerName",
        json!("app"),
        &[
            "-    - {type: cpu, metricType: Utilization, metadata: {value: '60'}}",
            "+    - {type: cpu, metricType: Utilization, metadata: {value: '60', containerName: \"app\"}}",
        ],
    );
    check(
        "spec: {a: {b: 1}} # all\n",
        "spec.c.d",
        json!(2),
        &["-spec: {a: {b: 1}} # all", "+spec: {a: {b: 1}, c: {d: 2}} # all"],
    );
    check(
        "spec: {}\n",
        "spec.c.d",
        json!(2),
        &["-spec: {}", "+spec: {c: {d: 2}}"],
    );
    check(
        "spec: {a: [1, {b: 2}]}\n",
        "spec.c",
        json!(2),
        &["-spec: {a: [1, {b: 2}]}", "+spec: {a: [1, {b: 2}], c: 2}"],
    );
}

#[test]
fn json_stays_json() {
    let text =
        "{\n  \"spec\": {\n    \"min\": 1,\n    \"triggers\": [{\"metadata\": {\"n\": \"5\"}}]\n  }\n}\n";
    check(
        text,
        "spec.max",
        json!(9),
        &[
            "-    \"triggers\": [{\"metadata\": {\"n\": \"5\"}}]",
            "+    \"triggers\": [{\"metadata\": {\"n\": \"5\"}}],",
            "+    \"max\": 9",
        ],
    );
    check(
        text,
        "spec.triggers[0].metadata.n",
        json!("6"),
        &[
            "-    \"triggers\": [{\"metadata\": {\"n\": \"5\"}}]",
            "+    \"triggers\": [{\"metadata\": {\"n\": \"6\"}}]",
        ],
    );
    check(
        text,
        "spec.advanced.a.b",
        json!(1),
        &[
            "-    \"triggers\": [{\"metadata\": {\"n\": \"5\"}}]",
            "+    \"triggers\": [{\"metadata\": {\"n\": \"5\"}}],",
            "+    \"advanced\": {\"a\": {\"b\": 1}}",
        ],
    );
}

#[test]
fn keys_without_a_value_are_filled() {
    check(
        "spec:\n  min:\n  max: 3\n",
        "spec.min",
        json!(1),
        &["-  min:", "+  min: 1"],
    );
    check(
        "spec:\n  min: ~\n",
        "spec.min",
        json!(1),
        &["-  min: ~", "+  min: 1"],
    );
    check(
        "spec:\n  advanced:\n  max: 3\n",
        "spec.advanced.a",
        json!(1),
        &["+    a: 1"],
    );
    check(
        "spec:\n  advanced: null\n",
        "spec.advanced.a",
        json!(1),
        &["-  advanced: null", "+  advanced: {a: 1}"],
    );
}

#[test]
fn line_ends_stay_what_they_are() {
    let text = "spec:\r\n  cooldownPeriod: 5\r\n  maxReplicaCount: 3\r\n";
    let changes = [
        (FieldPath::parse("spec.cooldownPeriod"), json!(7)),
        (FieldPath::parse("spec.minReplicaCount"), json!(1)),
    ];
    let want = "spec:\r\n  cooldownPeriod: 7\r\n  minReplicaCount: 1\r\n  maxReplicaCount: 3\r\n";
    assert_eq!(edit(text, &changes).as_deref(), Ok(want));
    let open = "spec:\n  maxReplicaCount: 3";
    check(open, "spec.minReplicaCount", json!(1), &["+  minReplicaCount: 1"]);
    check(
        "spec:\n  cooldownPeriod: 3",
        "spec.minReplicaCount",
        json!(1),
        &[
            "-  cooldownPeriod: 3",
            "+  cooldownPeriod: 3",
            "+  minReplicaCount: 1",
        ],
    );
}

#[test]
fn what_stands_elsewhere_is_refused() {
    refused("x: &n 5\nspec:\n  min: *n\n", "spec.min", "anchor");
    refused("x: &n 5\nspec:\n  min: *n\n", "x", "anchor");
    refused(
        "base: &b\n  min: 1\nspec:\n  <<: *b\n  max: 2\n",
        "spec.min",
        "`spec.min` comes from an anchor",
    );
    refused("base: &b\n  min: 1\nspec: *b\n", "spec.min", "anchor");
    refused("base: &b\n  min: 1\nspec: *b\n", "base.min", "anchor");
}

#[test]
fn what_has_no_place_is_refused() {
    refused(
        "spec:\n  triggers: []\n",
        "spec.triggers[0].metadata.n",
        "has no place",
    );
    refused("spec: 5\n", "spec.min", "`spec` has no place");
    refused("spec: [1]\n", "spec.min", "has no place");
    refused("spec: {min: {a: 1}}\n", "spec.min", "has no place");
}

/// Nothing that is given makes it panic, and what comes out says what was meant.
mod any {
    use super::*;

    const PIECES: [&str; 22] = [
        "spec:", "  min:", " 1", "\n", "  - ", "{", "}", "[", "]", ", ", "a: ", "\"x\"", "'y'", "# c", "&b ",
        "*b", "|\n", "    t\n", "\r\n", "~", "ü", "<<: ",
    ];

    #[test]
    fn texts_are_edited_right_or_refused() {
        // Every text of a few pieces; a generator that is written out, so that the crate needs none.
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..8 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                text.push_str(PIECES[(state >> 33) as usize % PIECES.len()]);
            }
            for path in ["spec.min", "spec.a.b", "a"] {
                let path = FieldPath::parse(path);
                if let Ok(edited) = edit(&text, &[(path.clone(), json!(7))]) {
                    let mut want = tree::parse(&text).expect("it was edited").to_json();
                    set(&mut want, &path, json!(7));
                    assert_eq!(
                        tree::parse(&edited).map(|edited| edited.to_json()),
                        Ok(want),
                        "{text:?}"
                    );
                }
            }
        }
    }
}
