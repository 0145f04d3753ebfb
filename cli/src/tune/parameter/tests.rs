//! What is varied of which object.

use serde_json::json;

use super::*;

fn object(spec: &Value, triggers: &Value) -> ScaledObject {
    let mut all = json!({ "scaleTargetRef": { "name": "worker" }, "triggers": triggers });
    let fields = spec.as_object().expect("a mapping").clone();
    all.as_object_mut().expect("a mapping").extend(fields);
    serde_json::from_value(json!({ "metadata": { "name": "orders", "namespace": "shop" }, "spec": all }))
        .expect("a ScaledObject")
}

fn redis(name: &str, target: Option<&str>) -> Value {
    let mut metadata = json!({ "address": "redis:6379", "listName": "jobs" });
    if let Some(target) = target {
        metadata["listLength"] = json!(target);
    }
    json!({ "type": "redis", "name": name, "metadata": metadata })
}

/// The parameters that are varied, as `name now least..most`.
fn told(object: &ScaledObject, vary: &[&str], keep: &[&str]) -> Result<Vec<String>, Failure> {
    let vary: Vec<Vary> = vary.iter().map(|text| text.parse().expect(text)).collect();
    let keep: Vec<String> = keep.iter().map(|&text| text.to_owned()).collect();
    let chosen = chosen(all(object, &Settings::default()), &vary, &keep)?;
    let one = |parameter: &Parameter| {
        let ends = [parameter.values.first(), parameter.values.last()];
        let [least, most] = ends.map(|end| end.map_or_else(String::new, |end| parameter.text(*end)));
        format!(
            "{} {} {least}..{most}",
            parameter.name,
            parameter.text(parameter.now)
        )
    };
    Ok(chosen.iter().map(one).collect())
}

#[test]
fn defaults_are_around_what_is_there() {
    let plain = object(&json!({}), &json!([redis("", None)]));
    assert_eq!(
        told(&plain, &[], &[]).expect("fits"),
        [
            "listLength 5 1..40",
            "cooldownPeriod 300 30..1200",
            "minReplicaCount 0 0..4",
            "maxReplicaCount 100 50..200",
            "scaleDown.stabilizationWindowSeconds 300 0..600",
            "scaleUp.stabilizationWindowSeconds 0 0..180",
        ]
    );
}

#[test]
fn what_has_no_effect_is_kept() {
    let awake = object(
        &json!({ "minReplicaCount": 3, "maxReplicaCount": 12 }),
        &json!([
            redis("orders", Some("10")),
            { "type": "cpu", "metricType": "Utilization", "metadata": { "value": "60" } },
            { "type": "cron", "metadata": { "timezone": "UTC", "start": "0 8 * * *", "end": "0 9 * * *", "desiredReplicas": "4" } },
        ]),
    );
    assert_eq!(
        told(&awake, &[], &["scaleUp.stabilizationWindowSeconds"]).expect("fits"),
        [
            "orders.listLength 10 2..80",
            "1.value 60 20..90",
            "minReplicaCount 3 1..8",
            "maxReplicaCount 12 6..24",
            "scaleDown.stabilizationWindowSeconds 300 0..600",
        ]
    );
    let idle = object(
        &json!({ "minReplicaCount": 3, "idleReplicaCount": 0 }),
        &json!([redis("", None)]),
    );
    let names = told(&idle, &[], &[]).expect("fits");
    assert!(
        names.iter().any(|name| name.starts_with("cooldownPeriod")),
        "{names:?}"
    );
    assert!(
        names.iter().all(|name| !name.starts_with("idleReplicaCount")),
        "{names:?}"
    );
}

#[test]
fn the_command_line_decides() {
    let plain = object(&json!({}), &json!([redis("", None)]));
    assert_eq!(
        told(
            &plain,
            &["pollingInterval", "spec.maxReplicaCount=5..20"],
            &["others"]
        )
        .expect("fits"),
        ["pollingInterval 30 7..120", "maxReplicaCount 100 5..100"]
    );
    assert_eq!(
        told(&plain, &["listLength=2..50"], &["others"]).expect("fits"),
        ["listLength 5 2..50"]
    );
}

#[test]
fn mistakes_name_what_there_is() {
    let plain = object(&json!({}), &json!([redis("", None)]));
    for (vary, keep, want) in [
        (vec!["cooldown"], vec![], "no parameter `cooldown`"),
        (vec![], vec!["max"], "no parameter `max`"),
        (vec!["listLength"], vec!["listLength"], "both varied and kept"),
        (vec!["listLength=0..5"], vec![], "must be from 1"),
        (
            vec!["scaleDown.stabilizationWindowSeconds=0..7200"],
            vec![],
            "must be from 0 to 3600",
        ),
        (vec!["minReplicaCount=0..2.5"], vec![], "must be a whole number"),
        (vec![], vec!["others"], "there is nothing to vary"),
    ] {
        let failure = told(&plain, &vary, &keep).expect_err(want);
        assert!(failure.to_string().contains(want), "{failure}");
        assert!(failure.code == exit::USAGE);
    }
    for text in [
        "a=",
        "a=5",
        "a=5..",
        "a=9..5",
        "a=-1..5",
        "a=NaN..5",
        "a=1..1e300",
    ] {
        assert!(text.parse::<Vary>().is_err(), "{text}");
    }
}
