//! The JSON of `dry-run` and `tune` has the form that is published: what the binary prints is held against
//! `docs/schema/dry-run.json` and `docs/schema/tune.json`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

/// What of a JSON schema the published one uses; anything else in it is found by `check_schema`.
const KEYWORDS: &[&str] = &[
    "$schema",
    "title",
    "description",
    "type",
    "format",
    "minimum",
    "maximum",
    "properties",
    "required",
    "items",
    "enum",
    "const",
    "oneOf",
    "anyOf",
    "default",
    "additionalProperties",
];

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => false,
    }
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a Vec<Value>> {
    schema.get(keyword).and_then(Value::as_array)
}

/// What is wrong with a value, with its place.
fn check(value: &Value, schema: &Value, at: &str, found: &mut Vec<String>) {
    let Value::Object(schema) = schema else {
        return; // `true` fits everything.
    };
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_type(value, name)) {
        found.push(format!("{at}: {value} is no {types:?}"));
    }
    if list(schema, "enum").is_some_and(|words| !words.contains(value))
        || schema.get("const").is_some_and(|only| only != value)
    {
        found.push(format!("{at}: {value} is none of the words"));
    }
    for keyword in ["oneOf", "anyOf"] {
        let fits = |schema: &Value| {
            let mut wrong = Vec::new();
            check(value, schema, at, &mut wrong);
            wrong.is_empty()
        };
        if list(schema, keyword).is_some_and(|all| !all.iter().any(fits)) {
            found.push(format!("{at}: {value} fits none of {keyword}"));
        }
    }
    if let Value::Array(items) = value {
        for (index, item) in items.iter().enumerate() {
            let each = schema.get("items").unwrap_or(&Value::Bool(true));
            check(item, each, &format!("{at}[{index}]"), found);
        }
    }
    if let (Value::Object(members), Some(others @ Value::Object(_))) =
        (value, schema.get("additionalProperties"))
    {
        for (name, member) in members {
            check(member, others, &format!("{at}.{name}"), found);
        }
    }
    if let (Value::Object(members), Some(Value::Object(properties))) = (value, schema.get("properties")) {
        for name in list(schema, "required")
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !members.contains_key(name) {
                found.push(format!("{at}: `{name}` is missing"));
            }
        }
        for (name, member) in members {
            match properties.get(name) {
                Some(schema) => check(member, schema, &format!("{at}.{name}"), found),
                None => found.push(format!("{at}: `{name}` is not described")),
            }
        }
    }
}

/// Keywords that `check` would pass over.
fn check_schema(schema: &Value, found: &mut Vec<String>) {
    let Value::Object(members) = schema else { return };
    for (keyword, value) in members {
        if !KEYWORDS.contains(&keyword.as_str()) {
            found.push(format!("`{keyword}` is not checked"));
        }
        let parts: Vec<&Value> = match (keyword.as_str(), value) {
            ("properties", Value::Object(all)) => all.values().collect(),
            ("items" | "additionalProperties", part) => vec![part],
            ("oneOf" | "anyOf", Value::Array(all)) => all.iter().collect(),
            _ => Vec::new(),
        };
        for part in parts {
            check_schema(part, found);
        }
    }
}

fn published(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schema/{name}.json"));
    serde_json::from_str(&fs::read_to_string(file).expect("the schema is published")).expect("it is JSON")
}

/// Runs a verb with `-o json` in the folder of a case.
fn printed(verb: &str, case: &str, args: &[&str]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(case);
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-keda"))
        .args([verb, "-o", "json", "-f"])
        .args(args)
        .current_dir(&folder)
        .env_clear()
        .env("HOME", &folder)
        .output()
        .expect("the binary was built for this test");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{case} {args:?} prints no JSON: {error}: {said}")
    })
}

#[test]
fn every_dry_run_has_the_published_form() {
    let schema = published("dry-run");
    let mut found = Vec::new();
    check_schema(&schema, &mut found);
    let runs: [(&str, &[&str]); 6] = [
        (
            "dry-run-set",
            &[
                "orders.yaml",
                "--replicas",
                "0",
                "--set",
                "orders=37",
                "--set",
                "1=0",
            ],
        ),
        ("dry-run-set", &["orders.yaml", "--replicas", "3"]),
        (
            "dry-run-no-replicas",
            &["orders.yaml", "--set", "orders=37", "--set", "1=0"],
        ),
        (
            "dry-run-missing-secret",
            &["orders.yaml", "--replicas", "1", "--set", "1=0"],
        ),
        (
            "dry-run-mistakes",
            &["mistakes.yaml", "--replicas", "3", "--set", "0=1"],
        ),
        ("dry-run-cpu", &["cpu.yaml", "--replicas", "3"]),
    ];
    for (case, args) in runs {
        check(&printed("dry-run", case, args), &schema, case, &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_search_has_the_published_form() {
    let schema = published("tune");
    let mut found = Vec::new();
    check_schema(&schema, &mut found);
    let day = [
        "orders.yaml",
        "--series",
        "day.csv",
        "--service-rate",
        "5",
        "--evaluations",
        "20",
    ];
    let runs: [&[&str]; 3] = [
        &["--subject-to", "max(backlog) < 4000", "--holdout", "day.csv"],
        &["--subject-to", "max(backlog) < 1", "--replica-hour-price", "2"],
        &["--subject-to", "flaps <= changes", "--maximize", "p95(backlog)"],
    ];
    for args in runs {
        let report = printed("tune", "tune-closed-loop", &[&day[..], args].concat());
        check(&report, &schema, &args.join(" "), &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_wrong_is_found() {
    let schema = published("dry-run");
    let of = |value: Value| {
        let mut found = Vec::new();
        check(&value, &schema, "x", &mut found);
        found
    };
    assert!(of(Value::Null)[0].contains("is no"));
    let wrong = of(serde_json::json!({"schema": "1", "askedBy": "nobody", "more": 1}));
    for part in [
        "x.schema: \"1\" is no",
        "x.askedBy: \"nobody\"",
        "`more` is not described",
        "`triggers` is missing",
    ] {
        assert!(wrong.iter().any(|line| line.contains(part)), "{part}: {wrong:#?}");
    }
}
