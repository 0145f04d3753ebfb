//! The scenarios: an object, what its source says over time, and what would be wrong.

use harness::source::{Answer, Source};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::scenario::{deployment, scaled_object};

/// The polling interval of the object with cached metrics, whose source only polls read.
pub(super) const CACHED_SECONDS: i64 = 15;

/// Seconds after the common start, and what the source says from then on; `None` is a source that fails.
pub(super) type Steps = &'static [(i64, Option<f64>)];

/// One object and what happens to it.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Replicas of the target when the object comes.
    replicas: u32,
    spec: Value,
    annotations: Value,
    triggers: Vec<Value>,
    /// What each trigger with a source reads.
    pub(super) steps: Vec<Steps>,
    /// A place in the object and what would be wrong there: a simulation of that must be told from what was observed.
    wrong: (&'static str, Value),
    /// Milliseconds within which polls or syncs may fall anywhere.
    pub(super) phases: i64,
}

/// Whether an object is the one that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    Right,
    Wrong,
}

impl Scenario {
    fn new(name: &'static str, steps: Steps) -> Self {
        Self {
            name,
            replicas: 1,
            spec: json!({}),
            annotations: json!({}),
            triggers: vec![trigger("5")],
            steps: vec![steps],
            wrong: ("", Value::Null),
            phases: 1000,
        }
    }

    fn starts_with(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Fields of the spec.
    fn spec(mut self, spec: Value) -> Self {
        self.spec = spec;
        self
    }

    /// One more field of the spec.
    fn spec_field(mut self, name: &str, value: Value) -> Self {
        self.spec[name] = value;
        self
    }

    /// The HPA's behavior.
    fn behavior(self, behavior: &Value) -> Self {
        self.spec_field(
            "advanced",
            json!({"horizontalPodAutoscalerConfig": {"behavior": behavior}}),
        )
    }

    fn annotated(mut self, annotations: Value) -> Self {
        self.annotations = annotations;
        self
    }

    /// Fields of the first trigger.
    fn trigger(mut self, pointer: &str, value: Value) -> Self {
        put(&mut self.triggers[0], pointer, value);
        self
    }

    fn second(mut self, target: &str, steps: Steps) -> Self {
        self.triggers.push(trigger(target));
        self.steps.push(steps);
        self
    }

    fn polled_every(mut self, seconds: i64) -> Self {
        self.phases = seconds * 1000;
        self.spec_field("pollingInterval", json!(seconds))
    }

    fn wrong(mut self, pointer: &'static str, value: Value) -> Self {
        self.wrong = (pointer, value);
        self
    }

    /// The key of a trigger at the source.
    pub(super) fn key(&self, trigger: usize) -> String {
        format!("{}-{trigger}", self.name)
    }

    /// The target, then the object.
    pub(super) fn manifests(&self, source: &Source, variant: Variant) -> [Value; 2] {
        let mut triggers = self.triggers.clone();
        for (position, trigger) in triggers.iter_mut().enumerate() {
            if trigger["type"] == "metrics-api" {
                trigger["metadata"]["url"] = json!(source.url(&self.key(position)));
            }
        }
        let mut object = scaled_object(&Value::Null, &self.spec);
        object["metadata"] = json!({"name": self.name, "annotations": self.annotations});
        object["spec"]["scaleTargetRef"]["name"] = json!(self.name);
        object["spec"]["triggers"] = json!(triggers);
        if variant == Variant::Wrong {
            put(&mut object, self.wrong.0, self.wrong.1.clone());
        }
        [deployment(self.name, self.replicas), object]
    }

    /// What all sources say over time, as a series has it: moments, and a value a trigger.
    pub(super) fn rows(&self, begin: Timestamp) -> Vec<(i64, Vec<Option<f64>>)> {
        let mut seconds: Vec<i64> = self
            .steps
            .iter()
            .flat_map(|steps| steps.iter())
            .map(|step| step.0)
            .collect();
        seconds.sort_unstable();
        seconds.dedup();
        let at = |steps: &Steps, second: i64| {
            let reached = steps.partition_point(|step| step.0 <= second);
            steps[reached.saturating_sub(1)].1
        };
        let rows = seconds.into_iter().map(|second| {
            let values = self.steps.iter().map(|steps| at(steps, second));
            (begin.as_millisecond() + second * 1000, values.collect())
        });
        rows.collect()
    }

    /// Lets the source say what the scenario has, from a moment on.
    pub(super) fn play(&self, source: &Source, start: Timestamp) {
        for (position, steps) in self.steps.iter().enumerate() {
            let answers = steps.iter().map(|&(second, value)| {
                let answer = value.map_or(Answer::Fails, Answer::Value);
                (start + jiff::SignedDuration::from_secs(second), answer)
            });
            source.play(&self.key(position), answers.collect());
        }
    }
}

fn trigger(target: &str) -> Value {
    json!({"type": "metrics-api", "metadata": {"valueLocation": "value", "targetValue": target}})
}

/// Sets a field of an object, which need not be there.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
    let parent = object.pointer_mut(parent).expect("the scenario has the parent");
    parent[field.replace("~1", "/")] = value;
}

/// All of them. `cron` is the moment at which the schedule of one begins, a whole minute.
pub(super) fn all(cron: Timestamp) -> Vec<Scenario> {
    let mut all = activation();
    all.extend(ups());
    all.extend(downs());
    all.extend(metrics());
    all.push(schedule(cron));
    all
}

/// KEDA's part: 0 ↔ 1, bounds, idle replicas, pauses.
fn activation() -> Vec<Scenario> {
    let paused = |name: &str, value: &str| json!({format!("autoscaling.keda.sh/{name}"): value});
    vec![
        Scenario::new(
            "activation-and-cooldown",
            &[(0, Some(0.0)), (8, Some(18.0)), (40, Some(0.0))],
        )
        .starts_with(0)
        .spec(json!({"cooldownPeriod": 10}))
        // A cooldown of whole intervals ends at a poll, and not at the one after it.
        .polled_every(5)
        .wrong("/spec/cooldownPeriod", json!(60)),
        Scenario::new(
            "activation-value",
            &[(0, Some(0.0)), (10, Some(8.0)), (30, Some(12.0)), (50, Some(9.0))],
        )
        .starts_with(0)
        .spec(json!({"cooldownPeriod": 4}))
        .trigger("/metadata/activationTargetValue", json!("10"))
        .wrong("/spec/triggers/0/metadata/activationTargetValue", json!("0")),
        Scenario::new(
            "fewest-and-most",
            &[(0, Some(4.0)), (10, Some(60.0)), (40, Some(2.0))],
        )
        .spec(json!({"minReplicaCount": 2, "maxReplicaCount": 4}))
        .wrong("/spec/maxReplicaCount", json!(5)),
        Scenario::new(
            "idle-replicas",
            &[(0, Some(0.0)), (10, Some(13.0)), (45, Some(0.0))],
        )
        .spec(json!({"minReplicaCount": 2, "idleReplicaCount": 0, "cooldownPeriod": 4}))
        .wrong("/spec/idleReplicaCount", Value::Null),
        Scenario::new("initial-cooldown", &[(0, Some(0.0))])
            .starts_with(2)
            .spec(json!({"initialCooldownPeriod": 30}))
            .wrong("/spec/initialCooldownPeriod", json!(60)),
        Scenario::new("paused-replicas", &[(0, Some(0.0)), (10, Some(20.0))])
            .annotated(paused("paused-replicas", "3"))
            .wrong(
                "/metadata/annotations/autoscaling.keda.sh~1paused-replicas",
                json!("2"),
            ),
        Scenario::new(
            "paused-scale-in",
            &[(0, Some(5.0)), (10, Some(15.0)), (30, Some(5.0))],
        )
        .annotated(paused("paused-scale-in", "true"))
        .wrong(
            "/metadata/annotations/autoscaling.keda.sh~1paused-scale-in",
            json!("false"),
        ),
    ]
}

/// Scaling out as the HPA's behavior says.
fn ups() -> Vec<Scenario> {
    let quick_down = json!({"stabilizationWindowSeconds": 0});
    let up = |rules: Value| json!({"scaleUp": rules, "scaleDown": quick_down});
    vec![
        Scenario::new("up-by-pods", &[(0, Some(1.0)), (8, Some(30.0)), (45, Some(5.0))])
            .spec(json!({"maxReplicaCount": 8}))
            .behavior(&up(
                json!({"policies": [{"type": "Pods", "value": 1, "periodSeconds": 3}]}),
            ))
            .wrong(
                "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleUp/policies/0/value",
                json!(2),
            ),
        Scenario::new(
            "up-by-least-policy",
            &[(0, Some(8.0)), (8, Some(60.0)), (50, Some(8.0))],
        )
        .starts_with(2)
        .spec(json!({"minReplicaCount": 2, "maxReplicaCount": 12}))
        .behavior(&up(json!({"selectPolicy": "Min", "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 2},
            {"type": "Percent", "value": 50, "periodSeconds": 4},
        ]})))
        .wrong(
            "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleUp/selectPolicy",
            json!("Max"),
        ),
        Scenario::new(
            "up-disabled",
            &[(0, Some(8.0)), (10, Some(40.0)), (40, Some(8.0))],
        )
        .starts_with(2)
        .spec(json!({"minReplicaCount": 2}))
        .behavior(&up(json!({"selectPolicy": "Disabled"})))
        .wrong(
            "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleUp/selectPolicy",
            json!("Max"),
        ),
        Scenario::new(
            "up-stabilized",
            &[
                (0, Some(5.0)),
                (10, Some(15.0)),
                (14, Some(5.0)),
                (30, Some(15.0)),
            ],
        )
        .behavior(&up(json!({"stabilizationWindowSeconds": 8})))
        .wrong(
            "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleUp/stabilizationWindowSeconds",
            json!(0),
        ),
        Scenario::new(
            "tolerance",
            &[
                (0, Some(10.0)),
                (10, Some(12.5)),
                (30, Some(14.0)),
                (50, Some(11.5)),
            ],
        )
        .starts_with(2)
        .behavior(&json!({
            "scaleUp": {"tolerance": "0.3"},
            "scaleDown": {"tolerance": "0.3", "stabilizationWindowSeconds": 0},
        }))
        // Hardly ever polled, so that its reads tell when the HPA looks.
        .spec_field("pollingInterval", json!(600))
        .wrong(
            "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleUp/tolerance",
            json!("0.2"),
        ),
    ]
}

/// Scaling in as the HPA's behavior says.
fn downs() -> Vec<Scenario> {
    let down = |rules: Value| json!({"scaleDown": rules});
    vec![
        Scenario::new("down-by-pods", &[(0, Some(30.0)), (15, Some(10.0))])
            .starts_with(6)
            .spec(json!({"maxReplicaCount": 6}))
            .behavior(&down(json!({"stabilizationWindowSeconds": 0, "policies": [
                {"type": "Pods", "value": 1, "periodSeconds": 3},
            ]})))
            .wrong(
                "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleDown/policies/0/value",
                json!(2),
            ),
        Scenario::new("down-by-percent", &[(0, Some(40.0)), (15, Some(3.0))])
            .starts_with(8)
            .spec(json!({"maxReplicaCount": 8}))
            .behavior(&down(json!({"stabilizationWindowSeconds": 0, "policies": [
                {"type": "Percent", "value": 50, "periodSeconds": 5},
            ]})))
            .wrong(
                "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleDown/policies/0/periodSeconds",
                json!(30),
            ),
        Scenario::new(
            "down-stabilized",
            &[
                (0, Some(20.0)),
                (10, Some(5.0)),
                (15, Some(20.0)),
                (30, Some(5.0)),
            ],
        )
        .starts_with(4)
        .behavior(&down(json!({"stabilizationWindowSeconds": 10})))
        .wrong(
            "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleDown/stabilizationWindowSeconds",
            json!(0),
        ),
    ]
}

/// Kinds of targets and of answers.
fn metrics() -> Vec<Scenario> {
    // Its steps fall at different phases of its polls: one of them waits long for the next.
    let cached = Scenario::new(
        "cached",
        &[
            (0, Some(5.0)),
            (10, Some(15.0)),
            (31, Some(25.0)),
            (52, Some(10.0)),
        ],
    )
    .polled_every(CACHED_SECONDS)
    .trigger("/useCachedMetrics", json!(true))
    .wrong("/spec/triggers/0/useCachedMetrics", json!(false));
    vec![
        Scenario::new(
            "larger-of-two",
            &[(0, Some(5.0)), (10, Some(15.0)), (40, Some(5.0))],
        )
        .second("5", &[(0, Some(5.0)), (25, Some(22.0)), (55, Some(5.0))])
        .wrong("/spec/triggers/1/metadata/targetValue", json!("7")),
        Scenario::new(
            "value",
            &[
                (0, Some(10.0)),
                (10, Some(20.0)),
                (30, Some(10.0)),
                (45, Some(2.0)),
            ],
        )
        .spec(json!({"maxReplicaCount": 4}))
        .trigger("/metadata/targetValue", json!("10"))
        .trigger("/metricType", json!("Value"))
        .wrong("/spec/triggers/0/metricType", json!("AverageValue")),
        Scenario::new(
            "failing-source",
            &[(0, Some(0.0)), (8, Some(14.0)), (20, None), (40, Some(0.0))],
        )
        .starts_with(0)
        .spec(json!({"cooldownPeriod": 5}))
        .wrong("/spec/triggers/0/metadata/targetValue", json!("7")),
        cached,
    ]
}

/// A window of one minute of the clock.
fn schedule(begin: Timestamp) -> Scenario {
    let at = |minute: i64| {
        let moment = (begin + jiff::SignedDuration::from_mins(minute)).to_zoned(TimeZone::UTC);
        moment.strftime("%-M %-H * * *").to_string()
    };
    let mut scenario = Scenario::new("cron", &[(0, Some(0.0))])
        .starts_with(0)
        .spec(json!({"cooldownPeriod": 5}))
        .wrong("/spec/triggers/1/metadata/desiredReplicas", json!("2"));
    scenario.triggers.push(json!({"type": "cron", "metadata": {
        "timezone": "Etc/UTC", "start": at(0), "end": at(1), "desiredReplicas": "3",
    }}));
    scenario
}
