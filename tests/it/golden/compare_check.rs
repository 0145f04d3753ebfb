//! The comparison itself: a recording equals itself, and each change that counts is found.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::compare::{Scene, answers, differences};
use super::recordings;

fn read(file: &str) -> Result<Value> {
    let path = recordings().join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// Changes that must count, by what they change in `active-scales-0-1/1.json`.
fn changes() -> Vec<(&'static str, Value)> {
    vec![
        ("/scaledobjects/0/status/hpaName", json!("other")),
        ("/scaledobjects/0/status/conditions/0/status", json!("False")),
        (
            "/scaledobjects/0/status/conditions/1/message",
            json!("other words"),
        ),
        ("/scaledobjects/0/status/lastActiveTime", Value::Null),
        ("/scaledobjects/0/status/originalReplicaCount", json!(1)),
        ("/scaledobjects/0/metadata/finalizers", json!([])),
        ("/scaledobjects/0/spec/pollingInterval", json!(3)),
        ("/hpas/0/spec/maxReplicas", json!(10)),
        ("/hpas/0/spec/metrics/0/external/target/averageValue", json!("11")),
        ("/hpas/0/metadata/ownerReferences/0/controller", json!(false)),
        (
            "/hpas/0/metadata/labels/app.kubernetes.io~1part-of",
            json!("other"),
        ),
        ("/targets/0/spec.replicas", json!(0)),
        ("/events_keda/3/reason", json!("Other")),
        ("/events_keda/3/note", json!("other words")),
        ("/hpas", json!([])),
        ("/jobs", json!([{}])),
    ]
}

/// Changes that are free.
fn free() -> Vec<(&'static str, Value)> {
    vec![
        ("/scaledobjects/0/metadata/uid", json!("another")),
        ("/scaledobjects/0/metadata/generation", json!(7)),
        ("/scaledobjects/0/spec/advanced", json!({"scalingModifiers": {}})),
        (
            "/scaledobjects/0/status/lastActiveTime",
            json!("2026-01-01T00:00:00Z"),
        ),
        ("/hpas/0/status/currentReplicas", json!(9)),
        (
            "/hpas/0/metadata/labels/app.kubernetes.io~1version",
            json!("9.9.9"),
        ),
        ("/events_keda/3/count", json!(5)),
    ]
}

pub(crate) async fn counts_what_counts() -> Result<()> {
    let recorded = read("active-scales-0-1/1.json")?;
    let scene = Scene {
        case: "any".to_owned(),
        namespace: "NS".to_owned(),
        source: "127.0.0.1:18080".to_owned(),
    };
    ensure!(
        differences(&scene, &recorded, &recorded).is_empty(),
        "a recording differs from itself"
    );
    for (pointer, value) in changes() {
        let found = differences(&scene, &recorded, &changed(&recorded, pointer, &value)?);
        ensure!(
            !found.is_empty(),
            "a change of {pointer} to {value} was not found"
        );
    }
    for (pointer, value) in free() {
        let found = differences(&scene, &recorded, &changed(&recorded, pointer, &value)?);
        ensure!(found.is_empty(), "{pointer} is free, and yet: {found:?}");
    }
    let scaler_error = read("invalid-metadata/1.json")?;
    let worded = json!(
        "failed to ensure HPA is correctly created for ScaledObject: `metrics-api` needs `valueLocation`"
    );
    let ours = changed(
        &scaler_error,
        "/scaledobjects/0/status/conditions/0/message",
        &worded,
    )?;
    ensure!(
        differences(&scene, &scaler_error, &ours).is_empty(),
        "the words of a scaler's error are ours"
    );
    let nothing = changed(
        &scaler_error,
        "/scaledobjects/0/status/conditions/0/message",
        &json!("failed"),
    )?;
    ensure!(
        !differences(&scene, &scaler_error, &nothing).is_empty(),
        "the framework's words are not"
    );
    ensure!(
        !answers(&json!([{"http": 422, "message": "no"}]), &[json!({"http": 201})]).is_empty(),
        "a lost refusal was not found"
    );
    Ok(())
}

fn changed(recorded: &Value, pointer: &str, value: &Value) -> Result<Value> {
    let mut out = recorded.clone();
    let (parent, key) = pointer.rsplit_once('/').context("a pointer has a slash")?;
    let key = key.replace("~1", "/");
    match out.pointer_mut(parent).with_context(|| format!("no {parent}"))? {
        Value::Array(items) => items[key.parse::<usize>()?] = value.clone(),
        place => place[&key] = value.clone(),
    }
    Ok(out)
}
