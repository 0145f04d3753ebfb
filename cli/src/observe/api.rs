//! A report from what the API server has, for when the controller cannot be asked. Pure.

use crds::{Condition, ConditionStatus, ScaledObject, Trigger};
use engine::desired::TargetRef;
use engine::diagnostic::{Diagnostic, FieldPath};
use engine::pause::Pause;
use engine::report::{HpaCondition, HpaReport, ObjectReport, ReplicasReport, TriggerReport};
use engine::validate::DEFAULT_MAX_REPLICAS;
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
};
use kube::ResourceExt;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;

/// Name of the HPA that belongs to an object.
///
/// Upstream: `getHPAName`; the status says it once the HPA was made.
pub(crate) fn hpa_name(object: &ScaledObject) -> String {
    let in_status = object.status.as_ref().and_then(|status| status.hpa_name.clone());
    let advanced = object.spec.advanced.as_ref();
    let in_spec = advanced.and_then(|a| a.horizontal_pod_autoscaler_config.as_ref()?.name.clone());
    in_status
        .or(in_spec)
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("keda-hpa-{}", object.name_any()))
}

/// The resource that the target is: as the controller resolved it, or by the usual plural.
pub(crate) fn target_resource(object: &ScaledObject) -> ApiResource {
    if let Some(known) = object
        .status
        .as_ref()
        .and_then(|status| status.scale_target_gvkr.as_ref())
    {
        let kind = GroupVersionKind::gvk(&known.group, &known.version, &known.kind);
        return ApiResource::from_gvk_with_plural(&kind, &known.resource);
    }
    let target = TargetRef::of(object);
    let (group, version) = target.group_version();
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &target.kind))
}

/// Replicas of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replicas {
    /// How many it should have.
    pub(crate) wanted: i32,
    /// How many are ready, where the target tells.
    pub(super) ready: Option<i32>,
}

impl Replicas {
    /// By its `/scale`, which does not tell what is ready. The API server leaves a zero out.
    pub(crate) fn of_scale(scale: &Scale) -> Self {
        Self {
            wanted: scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0),
            ready: None,
        }
    }

    /// By a workload of `apps` itself: one replica is wanted where it does not say, and a zero is left out of a status.
    pub(super) fn of_workload(object: &DynamicObject) -> Self {
        let number = |pointer: &str| {
            let number = object.data.pointer(pointer).and_then(Value::as_i64);
            number.and_then(|number| i32::try_from(number).ok())
        };
        Self {
            wanted: number("/spec/replicas").unwrap_or(1),
            ready: Some(number("/status/readyReplicas").unwrap_or(0)),
        }
    }
}

/// The report of an object that is not one.
pub(super) fn unreadable(namespace: &str, name: &str, error: &serde_json::Error) -> ObjectReport {
    let message = format!("the object cannot be read: {error}");
    ObjectReport {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        diagnostics: vec![Diagnostic::error("unreadable", FieldPath::root(), message)],
        ..ObjectReport::default()
    }
}

/// The report of an object.
pub(super) fn report(
    object: &ScaledObject,
    hpa: Option<&HorizontalPodAutoscaler>,
    replicas: Option<Replicas>,
) -> ObjectReport {
    let target = TargetRef::of(object);
    let status = object.status.clone().unwrap_or_default();
    let mut diagnostics = engine::validate::scaled_object(object).into_vec();
    let pause = Pause::read(object.annotations()).unwrap_or_else(|found| {
        diagnostics.push(found);
        Pause::Full
    });
    ObjectReport {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        generation: object.metadata.generation.unwrap_or_default(),
        target: format!("{target} {}", target.name),
        replicas: ReplicasReport {
            current: replicas.map(|replicas| replicas.wanted),
            ready: replicas.and_then(|replicas| replicas.ready),
            min: object.spec.min_replica_count.unwrap_or_default(),
            max: object.spec.max_replica_count.unwrap_or(DEFAULT_MAX_REPLICAS),
            idle: object.spec.idle_replica_count,
        },
        triggers: triggers(object, hpa),
        hpa: Some(hpa_report(object, hpa)),
        conditions: status.conditions,
        pause,
        last_active: status
            .last_active_time
            .and_then(|time| Timestamp::from_second(time.0.as_second()).ok()),
        diagnostics,
        ..ObjectReport::default()
    }
}

fn hpa_report(object: &ScaledObject, hpa: Option<&HorizontalPodAutoscaler>) -> HpaReport {
    let status = hpa.and_then(|hpa| hpa.status.as_ref());
    let conditions = status
        .and_then(|status| status.conditions.clone())
        .unwrap_or_default();
    HpaReport {
        name: hpa_name(object),
        exists: hpa.is_some(),
        current: status.map(|status| status.current_replicas.unwrap_or(0)),
        desired: status.map(|status| status.desired_replicas),
        recomputed: None,
        conditions: conditions
            .into_iter()
            .map(|condition| HpaCondition {
                type_: condition.type_,
                status: match condition.status.as_str() {
                    "True" => ConditionStatus::True,
                    "False" => ConditionStatus::False,
                    _ => ConditionStatus::Unknown,
                },
                reason: condition.reason.unwrap_or_default(),
                message: condition.message.unwrap_or_default(),
            })
            .collect(),
    }
}

/// One entry a metric; a trigger without a metric (as while nothing is active) has one of its own.
fn triggers(object: &ScaledObject, hpa: Option<&HorizontalPodAutoscaler>) -> Vec<TriggerReport> {
    let mut reports = Vec::new();
    for (index, trigger) in object.spec.triggers.iter().enumerate() {
        let before = reports.len();
        let specs = hpa.and_then(|hpa| hpa.spec.metrics.as_ref());
        for spec in specs
            .into_iter()
            .flatten()
            .filter_map(Measure::of_spec)
            .filter(|m| m.belongs_to(index, trigger))
        {
            let now = hpa
                .and_then(|hpa| hpa.status.as_ref()?.current_metrics.as_ref())
                .and_then(|metrics| {
                    metrics
                        .iter()
                        .filter_map(value)
                        .find(|(name, _)| *name == spec.name)
                });
            reports.push(TriggerReport {
                metric: Some(spec.name.to_owned()),
                value: now.and_then(|(_, value)| value),
                target: Some(spec.target),
                ..bare(object, index, trigger)
            });
        }
        if reports.len() == before {
            reports.push(bare(object, index, trigger));
        }
    }
    reports
}

fn bare(object: &ScaledObject, index: usize, trigger: &Trigger) -> TriggerReport {
    let status = object.status.as_ref();
    let prefix = format!("s{index}-");
    let activity = status.and_then(|status| {
        status
            .triggers_activity
            .iter()
            .find(|(name, _)| name.starts_with(&prefix))
    });
    let names = status
        .map(|status| status.external_metric_names.as_slice())
        .unwrap_or_default();
    TriggerReport {
        index,
        type_: trigger.type_.clone(),
        name: trigger.name.clone().filter(|name| !name.is_empty()),
        metric: names.iter().find(|name| name.starts_with(&prefix)).cloned(),
        active: activity.and_then(|(_, activity)| activity.is_active),
        ..TriggerReport::default()
    }
}

/// A metric of the HPA.
struct Measure<'a> {
    name: &'a str,
    target: String,
}

impl<'a> Measure<'a> {
    fn of_spec(spec: &'a MetricSpec) -> Option<Self> {
        let (name, target) = if let Some(external) = &spec.external {
            (external.metric.name.as_str(), &external.target)
        } else if let Some(resource) = &spec.resource {
            (resource.name.as_str(), &resource.target)
        } else {
            let container = spec.container_resource.as_ref()?;
            (container.name.as_str(), &container.target)
        };
        Some(Self {
            name,
            target: target_text(target),
        })
    }

    fn belongs_to(&self, index: usize, trigger: &Trigger) -> bool {
        self.name == trigger.type_ || self.name.starts_with(&format!("s{index}-"))
    }
}

fn target_text(target: &MetricTarget) -> String {
    let average = target
        .average_value
        .as_ref()
        .map(|quantity| format!("{} (avg)", quantity.0));
    let utilization = target.average_utilization.map(|percent| format!("{percent}%"));
    average
        .or(utilization)
        .or(target.value.as_ref().map(|quantity| quantity.0.clone()))
        .unwrap_or_default()
}

fn value(status: &MetricStatus) -> Option<(&str, Option<String>)> {
    if let Some(external) = &status.external {
        return Some((&external.metric.name, value_text(&external.current)));
    }
    if let Some(resource) = &status.resource {
        return Some((&resource.name, value_text(&resource.current)));
    }
    status
        .container_resource
        .as_ref()
        .map(|container| (container.name.as_str(), value_text(&container.current)))
}

fn value_text(value: &MetricValueStatus) -> Option<String> {
    let percent = value.average_utilization.map(|percent| format!("{percent}%"));
    percent
        .or(value.average_value.as_ref().map(|quantity| quantity.0.clone()))
        .or(value.value.as_ref().map(|quantity| quantity.0.clone()))
}

/// Why the object has the replicas it has, as far as its conditions tell.
pub(crate) fn why(report: &ObjectReport) -> String {
    let recomputed = report.hpa.as_ref().and_then(|hpa| hpa.recomputed.as_ref());
    if let Some(difference) = recomputed.filter(|found| found.is_difference()) {
        return difference.to_string();
    }
    if let Some(decision) = &report.decision {
        return decision.why.clone();
    }
    if let Some(found) = report.diagnostics.iter().find(|found| found.is_error()) {
        return found.to_string();
    }
    let said = |type_: &str, bad: ConditionStatus| {
        let condition = report
            .conditions
            .iter()
            .find(|c| c.type_.to_string() == type_ && c.status == bad);
        condition.map(sentence).filter(|sentence| !sentence.is_empty())
    };
    said("Ready", ConditionStatus::False)
        .or_else(|| said("Paused", ConditionStatus::True))
        .or_else(|| said("Fallback", ConditionStatus::True))
        .or_else(|| said("HPAActive", ConditionStatus::False))
        .or_else(|| said("Active", ConditionStatus::True))
        .or_else(|| said("Active", ConditionStatus::False))
        .or_else(|| said("Ready", ConditionStatus::Unknown))
        .unwrap_or_else(|| "no controller has looked at it yet".to_owned())
}

fn sentence(condition: &Condition) -> String {
    if condition.message.is_empty() {
        condition.reason.clone()
    } else {
        condition.message.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(status: Value) -> ScaledObject {
        let mut object = json!({
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": "orders", "namespace": "shop"},
            "spec": {
                "scaleTargetRef": {"name": "worker"},
                "maxReplicaCount": 10,
                "triggers": [
                    {"type": "redis", "metadata": {"listName": "jobs"}},
                    {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}},
                    {"type": "cron", "metadata": {}},
                ],
            },
        });
        object["status"] = status;
        serde_json::from_value(object).expect("is a ScaledObject")
    }

    fn hpa() -> HorizontalPodAutoscaler {
        serde_json::from_value(json!({
            "metadata": {"name": "keda-hpa-orders"},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "worker"},
                "maxReplicas": 10,
                "metrics": [
                    {"type": "External", "external": {
                        "metric": {"name": "s0-redis-jobs"}, "target": {"type": "AverageValue", "averageValue": "5"}}},
                    {"type": "Resource", "resource": {
                        "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}},
                ],
            },
            "status": {
                "desiredReplicas": 4,
                "currentMetrics": [
                    {"type": "External", "external": {
                        "metric": {"name": "s0-redis-jobs"}, "current": {"averageValue": "50"}}},
                    {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12}}},
                ],
            },
        }))
        .expect("is an HPA")
    }

    #[test]
    fn the_hpa_tells_values_and_targets() {
        let report = report(&object(json!({})), Some(&hpa()), None);
        let told: Vec<_> = report
            .triggers
            .iter()
            .map(|t| (t.type_.as_str(), t.value.as_deref(), t.target.as_deref()))
            .collect();
        let want = [
            ("redis", Some("50"), Some("5 (avg)")),
            ("cpu", Some("12%"), Some("60%")),
            ("cron", None, None),
        ];
        assert_eq!(told, want);
        let hpa = report.hpa.expect("there is one");
        assert_eq!((hpa.exists, hpa.current, hpa.desired), (true, Some(0), Some(4)));
    }

    #[test]
    fn a_workload_tells_what_is_ready() {
        let check = |object: Value, wanted: i32, ready: i32| {
            let object = serde_json::from_value(object).expect("is an object");
            let replicas = Replicas::of_workload(&object);
            assert_eq!((replicas.wanted, replicas.ready), (wanted, Some(ready)));
        };
        let status = json!({"readyReplicas": 2});
        check(
            json!({"metadata": {}, "spec": {"replicas": 3}, "status": status}),
            3,
            2,
        );
        check(
            json!({"metadata": {}, "spec": {"replicas": 0}, "status": {}}),
            0,
            0,
        );
        check(json!({"metadata": {}, "spec": {}}), 1, 0);
    }

    #[test]
    fn the_status_tells_activity_and_names() {
        let status = json!({
            "hpaName": "mine",
            "externalMetricNames": ["s0-redis-jobs"],
            "triggersActivity": {"s0-redis-jobs": {"isActive": true}},
        });
        let report = report(&object(status), None, None);
        assert_eq!(report.triggers[0].active, Some(true));
        assert_eq!(report.triggers[0].metric.as_deref(), Some("s0-redis-jobs"));
        assert_eq!(
            report.hpa.map(|hpa| (hpa.name, hpa.exists)),
            Some(("mine".to_owned(), false))
        );
        assert_eq!(report.target, "apps/v1.Deployment worker");
    }

    #[test]
    fn the_worst_condition_says_why() {
        let condition = |type_: &str, status: &str, message: &str| json!({"type": type_, "status": status, "reason": "R", "message": message});
        let check = |conditions: Value, want: &str| {
            let report = report(&object(json!({"conditions": conditions})), None, None);
            assert_eq!(why(&report), want);
        };
        check(json!([]), "no controller has looked at it yet");
        check(
            json!([
                condition("Ready", "True", "fine"),
                condition("Active", "False", "quiet")
            ]),
            "quiet",
        );
        check(
            json!([
                condition("Active", "True", "busy"),
                condition("Ready", "False", "no target")
            ]),
            "no target",
        );
        check(
            json!([
                condition("Paused", "True", ""),
                condition("Active", "True", "busy")
            ]),
            "R",
        );
    }
}
