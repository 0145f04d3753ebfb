//! What is wrong with a ScaledObject, as far as the object alone can tell.
//!
//! Upstream: `apis/keda/v1alpha1/scaledobject_webhook.go` and the checks of the controller; facts api.yaml
//! `webhookRules`. Rules that only the admission webhook enforces are warnings here: without the webhook upstream
//! accepts such an object.

use std::collections::BTreeSet;

use crds::{ScaledObject, ScaledObjectSpec, ScalingModifiers, Trigger};

use crate::diagnostic::{Diagnostic, Diagnostics, FieldPath};

/// Most replicas when the spec does not say.
pub const DEFAULT_MAX_REPLICAS: i32 = 100;
/// Longest name that fits into a label value.
pub const MAX_LABEL: usize = 63;

/// The step of the reconcile that finds a mistake; its text begins the Ready message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The scale target.
    Target,
    /// Idle, min and max replicas.
    Replicas,
    /// The list of triggers.
    Triggers,
    /// The HPA and what goes into it.
    Hpa,
}

impl Step {
    /// KEDA's text of the step.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Target => "ScaledObject doesn't have correct scaleTargetRef specification",
            Self::Replicas => "ScaledObject doesn't have correct Idle/Min/Max Replica Counts specification",
            Self::Triggers => "ScaledObject doesn't have correct triggers specification",
            Self::Hpa => "failed to ensure HPA is correctly created for ScaledObject",
        }
    }

    /// The step that a finding of this code belongs to.
    pub fn of(diagnostic: &Diagnostic) -> Self {
        match diagnostic.code.as_ref() {
            "target-name-missing" => Self::Target,
            "replica-count" | "idle-below-min" | "bounds" => Self::Replicas,
            "triggers-empty"
            | "trigger-type-missing"
            | "trigger-name-duplicate"
            | "cached-metrics-unsupported" => Self::Triggers,
            _ => Self::Hpa,
        }
    }
}

/// The message of a failed reconcile: the first step that finds errors, and all it finds.
pub fn first_failure(diagnostics: &[Diagnostic]) -> Option<String> {
    let step = diagnostics.iter().filter(|d| d.is_error()).map(Step::of).min()?;
    let found: Vec<&str> = diagnostics
        .iter()
        .filter(|d| d.is_error() && Step::of(d) == step)
        .map(|d| d.message.as_str())
        .collect();
    Some(format!("{}: {}", step.as_str(), found.join("; ")))
}

/// Finds all mistakes of a ScaledObject.
pub fn scaled_object(object: &ScaledObject) -> Diagnostics {
    let mut found = Diagnostics::new();
    let spec = &object.spec;
    target(spec, &mut found);
    bounds(spec, &mut found);
    replicas(spec, &mut found);
    triggers(&spec.triggers, &mut found);
    names(object, &mut found);
    irrelevant(spec, &mut found);
    resource_only(spec, &mut found);
    found.extend(gaps(spec));
    found
}

fn spec_path() -> FieldPath {
    FieldPath::root().field("spec")
}

fn target(spec: &ScaledObjectSpec, found: &mut Diagnostics) {
    if spec.scale_target_ref.name.is_empty() {
        let path = spec_path().field("scaleTargetRef").field("name");
        found.push(Diagnostic::error(
            "target-name-missing",
            path,
            "the name of the scale target must be given",
        ));
    }
}

fn bounds(spec: &ScaledObjectSpec, found: &mut Diagnostics) {
    let fields = [
        ("pollingInterval", spec.polling_interval, 1),
        ("cooldownPeriod", spec.cooldown_period, 0),
        ("initialCooldownPeriod", spec.initial_cooldown_period, 0),
        ("idleReplicaCount", spec.idle_replica_count, 0),
        ("minReplicaCount", spec.min_replica_count, 0),
        ("maxReplicaCount", spec.max_replica_count, 1),
    ];
    for (name, value, least) in fields {
        if let Some(value) = value.filter(|value| *value < least) {
            let message = format!("{name}={value} must be at least {least}");
            found.push(Diagnostic::error("bounds", spec_path().field(name), message));
        }
    }
}

/// Upstream: `CheckReplicaCountBoundsAreValid`. An explicit minimum of 0 counts as 1 there, an absent one as 0.
fn replicas(spec: &ScaledObjectSpec, found: &mut Diagnostics) {
    let min = match spec.min_replica_count {
        None => 0,
        Some(0) => 1,
        Some(min) => min,
    };
    let max = spec.max_replica_count.unwrap_or(DEFAULT_MAX_REPLICAS);
    if min > max {
        let message = format!("MinReplicaCount={min} must not be above MaxReplicaCount={max}");
        found.push(Diagnostic::error(
            "replica-count",
            spec_path().field("minReplicaCount"),
            message,
        ));
    }
    if let Some(idle) = spec.idle_replica_count.filter(|idle| *idle >= min) {
        let message = format!("IdleReplicaCount={idle} must be less than MinReplicaCount={min}");
        let found_idle = Diagnostic::error("idle-below-min", spec_path().field("idleReplicaCount"), message);
        found.push(
            found_idle.with_help("set `minReplicaCount` above `idleReplicaCount`, or leave the latter out"),
        );
    }
}

/// Upstream: `ValidateTriggers`.
fn triggers(triggers: &[Trigger], found: &mut Diagnostics) {
    if triggers.is_empty() {
        let path = spec_path().field("triggers");
        found.push(Diagnostic::error(
            "triggers-empty",
            path,
            "at least one trigger must be given",
        ));
    }
    let mut names = BTreeSet::new();
    for (index, trigger) in triggers.iter().enumerate() {
        let path = |field| FieldPath::trigger(index).field(field);
        if trigger.type_.is_empty() {
            found.push(Diagnostic::error(
                "trigger-type-missing",
                path("type"),
                "the scaler type must be given",
            ));
        }
        if trigger.use_cached_metrics == Some(true)
            && matches!(trigger.type_.as_str(), "cpu" | "memory" | "cron")
        {
            let message = format!(
                "`useCachedMetrics` cannot be used with the scaler type `{}`",
                trigger.type_
            );
            found.push(Diagnostic::error(
                "cached-metrics-unsupported",
                path("useCachedMetrics"),
                message,
            ));
        }
        let name = trigger.name.as_deref().unwrap_or_default();
        if !name.is_empty() && !names.insert(name) {
            let message = format!(
                "triggerName \"{name}\" is defined multiple times in the ScaledObject/ScaledJob, but it must be unique"
            );
            found.push(Diagnostic::error("trigger-name-duplicate", path("name"), message));
        }
    }
}

fn names(object: &ScaledObject, found: &mut Diagnostics) {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    if name.len() > MAX_LABEL {
        let path = FieldPath::root().field("metadata").field("name");
        let message = format!(
            "the name has {} characters, a label value holds {MAX_LABEL}",
            name.len()
        );
        found.push(Diagnostic::error("name-length", path, message));
    }
    let hpa = hpa_name(name, &object.spec);
    if hpa.len() > MAX_LABEL {
        let path = spec_path()
            .field("advanced")
            .field("horizontalPodAutoscalerConfig")
            .field("name");
        let message = format!(
            "the HPA name `{hpa}` has {} characters, more than {MAX_LABEL}",
            hpa.len()
        );
        found.push(
            Diagnostic::warning("hpa-name-length", path, message)
                .with_help("name the HPA, or shorten the object's name"),
        );
    }
}

/// The name of the managed HPA.
pub fn hpa_name(object: &str, spec: &ScaledObjectSpec) -> String {
    spec.advanced
        .as_ref()
        .and_then(|advanced| advanced.horizontal_pod_autoscaler_config.as_ref())
        .and_then(|config| config.name.clone())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("keda-hpa-{object}"))
}

fn irrelevant(spec: &ScaledObjectSpec, found: &mut Diagnostics) {
    if spec.min_replica_count.unwrap_or(0) == 0 || spec.idle_replica_count.is_some() {
        return;
    }
    let cached = spec
        .triggers
        .iter()
        .any(|trigger| trigger.use_cached_metrics == Some(true));
    if spec.polling_interval.is_some() && !cached {
        let message = "`pollingInterval` has no effect: the workload never goes to zero and no trigger uses cached metrics";
        found.push(Diagnostic::warning(
            "polling-irrelevant",
            spec_path().field("pollingInterval"),
            message,
        ));
    }
    if spec.cooldown_period.is_some() {
        let message = "`cooldownPeriod` has no effect: the workload never goes to zero";
        found.push(Diagnostic::warning(
            "cooldown-irrelevant",
            spec_path().field("cooldownPeriod"),
            message,
        ));
    }
}

fn resource_only(spec: &ScaledObjectSpec, found: &mut Diagnostics) {
    let only = !spec.triggers.is_empty()
        && spec
            .triggers
            .iter()
            .all(|t| matches!(t.type_.as_str(), "cpu" | "memory"));
    if only && spec.min_replica_count.unwrap_or(0) == 0 {
        let message = "scale to zero cannot work with only `cpu` and `memory` triggers: the workload always counts as active";
        found.push(
            Diagnostic::warning(
                "resource-only-scale-to-zero",
                spec_path().field("minReplicaCount"),
                message,
            )
            .with_help("set `minReplicaCount` to 1 or more, or add another trigger"),
        );
    }
}

/// The parts of a spec that this version does not carry out; those that scaling can go without are warnings.
pub fn gaps(spec: &ScaledObjectSpec) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if spec.fallback.is_some() {
        let message =
            "`spec.fallback` is not in this version yet: failing triggers leave the replicas as they are";
        found.push(Diagnostic::warning(
            NOT_YET,
            spec_path().field("fallback"),
            message,
        ));
    }
    let modifiers = spec
        .advanced
        .as_ref()
        .and_then(|advanced| advanced.scaling_modifiers.as_ref());
    // An empty block is what upstream's own rewriting of a spec leaves behind.
    if modifiers.is_some_and(|modifiers| *modifiers != ScalingModifiers::default()) {
        let message = "`spec.advanced.scalingModifiers` is not in this version yet: the composite metric cannot be computed";
        found.push(Diagnostic::error(
            NOT_YET,
            spec_path().field("advanced").field("scalingModifiers"),
            message,
        ));
    }
    found
}

/// The code of findings about parts that a later version will bring.
pub const NOT_YET: &str = "not-in-this-version-yet";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(name: &str, spec: &Value) -> ScaledObject {
        let mut all = json!({
            "scaleTargetRef": { "name": "web" },
            "triggers": [{ "type": "redis", "metadata": {} }],
        });
        all.as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({ "metadata": { "name": name }, "spec": all })).unwrap()
    }

    /// What is found, as `severity code path`.
    #[track_caller]
    fn check(spec: &Value, expected: &[&str]) {
        let found: Vec<String> = scaled_object(&object("so", spec))
            .iter()
            .map(|finding| format!("{} {} {}", finding.severity, finding.code, finding.path))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_plain_object_is_fine() {
        check(&json!({}), &[]);
        check(&json!({ "advanced": { "scalingModifiers": {} } }), &[]);
        check(&json!({ "pollingInterval": 5, "cooldownPeriod": 5 }), &[]);
    }

    #[test]
    fn replica_bounds() {
        check(
            &json!({ "minReplicaCount": 5, "maxReplicaCount": 3 }),
            &["error replica-count spec.minReplicaCount"],
        );
        check(&json!({ "minReplicaCount": 3, "maxReplicaCount": 3 }), &[]);
        check(
            &json!({ "minReplicaCount": 101 }),
            &["error replica-count spec.minReplicaCount"],
        );
        check(
            &json!({ "idleReplicaCount": 2, "minReplicaCount": 2 }),
            &["error idle-below-min spec.idleReplicaCount"],
        );
        check(
            &json!({ "idleReplicaCount": 0 }),
            &["error idle-below-min spec.idleReplicaCount"],
        );
        check(&json!({ "idleReplicaCount": 0, "minReplicaCount": 0 }), &[]);
        check(&json!({ "idleReplicaCount": 0, "minReplicaCount": 1 }), &[]);
        check(
            &json!({ "pollingInterval": 0, "cooldownPeriod": -1 }),
            &[
                "error bounds spec.pollingInterval",
                "error bounds spec.cooldownPeriod",
            ],
        );
    }

    #[test]
    fn triggers_are_checked_all_at_once() {
        check(
            &json!({ "triggers": [] }),
            &["error triggers-empty spec.triggers"],
        );
        let twice = json!({ "triggers": [
            { "type": "redis", "name": "a", "metadata": {} },
            { "type": "", "name": "", "metadata": {} },
            { "type": "cron", "name": "a", "useCachedMetrics": true, "metadata": {} },
            { "type": "cron", "name": "", "useCachedMetrics": false, "metadata": {} },
        ] });
        check(
            &twice,
            &[
                "error trigger-type-missing spec.triggers[1].type",
                "error cached-metrics-unsupported spec.triggers[2].useCachedMetrics",
                "error trigger-name-duplicate spec.triggers[2].name",
            ],
        );
    }

    #[test]
    fn irrelevant_settings_are_warnings() {
        check(
            &json!({ "minReplicaCount": 1, "pollingInterval": 5, "cooldownPeriod": 5 }),
            &[
                "warning polling-irrelevant spec.pollingInterval",
                "warning cooldown-irrelevant spec.cooldownPeriod",
            ],
        );
        let cached = json!([{ "type": "redis", "useCachedMetrics": true, "metadata": {} }]);
        check(
            &json!({ "minReplicaCount": 1, "pollingInterval": 5, "triggers": cached }),
            &[],
        );
    }

    #[test]
    fn only_resource_triggers_cannot_scale_to_zero() {
        let cpu = json!([{ "type": "cpu", "metadata": {} }]);
        check(
            &json!({ "triggers": cpu }),
            &["warning resource-only-scale-to-zero spec.minReplicaCount"],
        );
        check(&json!({ "triggers": cpu, "minReplicaCount": 1 }), &[]);
    }

    #[test]
    fn parts_of_a_later_version_are_named() {
        let fallback = json!({ "fallback": { "failureThreshold": 1, "replicas": 1 } });
        check(&fallback, &["warning not-in-this-version-yet spec.fallback"]);
        let modifiers = json!({ "advanced": { "scalingModifiers": { "formula": "a" } } });
        check(
            &modifiers,
            &["error not-in-this-version-yet spec.advanced.scalingModifiers"],
        );
    }

    #[test]
    fn long_names_are_found() {
        let codes = |name: &str| -> Vec<String> {
            scaled_object(&object(name, &json!({})))
                .iter()
                .map(|finding| finding.code.to_string())
                .collect()
        };
        assert_eq!(codes(&"a".repeat(54)), [""; 0]);
        assert_eq!(codes(&"a".repeat(55)), ["hpa-name-length"]);
        assert_eq!(codes(&"a".repeat(64)), ["name-length", "hpa-name-length"]);
    }

    #[test]
    fn the_first_failing_step_speaks() {
        let broken = object(
            "so",
            &json!({ "idleReplicaCount": 2, "minReplicaCount": 2, "triggers": [] }),
        );
        let message = first_failure(&scaled_object(&broken).into_vec());
        assert_eq!(
            message.as_deref(),
            Some(
                "ScaledObject doesn't have correct Idle/Min/Max Replica Counts specification: \
                 IdleReplicaCount=2 must be less than MinReplicaCount=2"
            )
        );
    }
}
