//! The HPA of a ScaledObject: how it is built, and when the live one differs from it.
//!
//! Upstream: `controllers/keda/hpa.go`; facts semantics §4.

use std::collections::{BTreeMap, BTreeSet};

use crds::{GroupVersionKindResource, label};
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, ExternalMetricSource, HPAScalingRules,
    HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricIdentifier,
    MetricSpec, MetricTarget as HpaTarget, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};

use crate::desired::{Desired, excluded_labels};
use crate::hpa::set_defaults_behavior;
use crate::metric::{ExternalMetric, MetricTarget, ResourceMetric, TriggerMetrics};
use crate::quantity::Quantity;
use crate::validate::MAX_LABEL;

/// API version of the owner reference.
const OWNER_API_VERSION: &str = "keda.sh/v1alpha1";
/// Kind of the owner reference.
const OWNER_KIND: &str = "ScaledObject";

/// Why no HPA can be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HpaError {
    /// Two metrics share a name, so the HPA could not tell them apart.
    #[error("the metric name `{0}` is used by more than one trigger")]
    MetricNameTwice(String),
    /// No trigger has a metric.
    #[error("no trigger has a metric for the HPA")]
    NoMetrics,
}

/// Builds the HPA of an object.
pub fn build(
    want: &Desired,
    target: &GroupVersionKindResource,
    metrics: &[TriggerMetrics],
    version: &str,
) -> Result<HorizontalPodAutoscaler, HpaError> {
    Ok(HorizontalPodAutoscaler {
        metadata: ObjectMeta {
            name: Some(want.hpa_name.clone()),
            namespace: Some(want.key.namespace.clone()),
            labels: Some(labels(want, version)),
            annotations: (!want.annotations.is_empty()).then(|| want.annotations.clone()),
            owner_references: Some(vec![OwnerReference {
                api_version: OWNER_API_VERSION.to_owned(),
                kind: OWNER_KIND.to_owned(),
                name: want.key.name.clone(),
                uid: want.uid.clone(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }]),
            ..ObjectMeta::default()
        },
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(api_version(target)),
                kind: target.kind.clone(),
                name: want.target.name.clone(),
            },
            min_replicas: Some(if want.min > 0 { want.min } else { 1 }),
            max_replicas: want.max,
            metrics: Some(metric_specs(want, metrics)?),
            behavior: behavior(want),
        },
        status: None,
    })
}

fn api_version(target: &GroupVersionKindResource) -> String {
    if target.group.is_empty() {
        target.version.clone()
    } else {
        format!("{}/{}", target.group, target.version)
    }
}

/// The four recommended labels, then those of the object, which may overwrite them.
fn labels(want: &Desired, version: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([
        (label::NAME.to_owned(), label_value(&want.hpa_name)),
        (label::VERSION.to_owned(), version.to_owned()),
        (label::PART_OF.to_owned(), want.key.name.clone()),
        (
            label::MANAGED_BY.to_owned(),
            label::MANAGED_BY_OPERATOR.to_owned(),
        ),
    ]);
    let excluded = excluded_labels(&want.annotations);
    let own = want
        .labels
        .iter()
        .filter(|(key, _)| !excluded.contains(&key.as_str()));
    labels.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    // The reconcile puts this label on the object before the HPA is built; the object that was read may be older.
    if !excluded.contains(&label::SCALED_OBJECT_NAME) {
        labels.insert(label::SCALED_OBJECT_NAME.to_owned(), want.key.name.clone());
    }
    labels
}

/// A name as a label value: cut to 63 characters, ending in a letter or digit.
fn label_value(name: &str) -> String {
    let cut = &name[..name.floor_char_boundary(MAX_LABEL)];
    cut.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_owned()
}

fn behavior(want: &Desired) -> Option<HorizontalPodAutoscalerBehavior> {
    let mut behavior = want.behavior.clone();
    let disable = |rules: &mut Option<HPAScalingRules>| {
        rules.get_or_insert_default().select_policy = Some("Disabled".to_owned());
    };
    if want.pause.stops_scale_in() {
        disable(&mut behavior.get_or_insert_default().scale_down);
    }
    if want.pause.stops_scale_out() {
        disable(&mut behavior.get_or_insert_default().scale_up);
    }
    behavior
}

/// The metrics in the order of the triggers, then by source type: `ContainerResource`, `External`, `Resource`.
fn metric_specs(want: &Desired, metrics: &[TriggerMetrics]) -> Result<Vec<MetricSpec>, HpaError> {
    let mut names = BTreeSet::new();
    let mut specs = Vec::new();
    for trigger in metrics {
        match trigger {
            TriggerMetrics::External(list) => {
                for metric in list {
                    if !names.insert(&metric.name) {
                        return Err(HpaError::MetricNameTwice(metric.name.to_string()));
                    }
                    specs.push(external(want, metric));
                }
            }
            TriggerMetrics::Resource(metric) => specs.push(resource(metric)),
        }
    }
    if specs.is_empty() {
        return Err(HpaError::NoMetrics);
    }
    specs.sort_by(|a, b| a.type_.cmp(&b.type_));
    Ok(specs)
}

/// A metric that the adapter serves.
pub(crate) fn external(want: &Desired, metric: &ExternalMetric) -> MetricSpec {
    MetricSpec {
        type_: "External".to_owned(),
        external: Some(ExternalMetricSource {
            metric: MetricIdentifier {
                name: metric.name.to_string(),
                selector: Some(LabelSelector {
                    match_labels: Some(
                        [(label::SCALED_OBJECT_NAME.to_owned(), want.key.name.clone())].into(),
                    ),
                    match_expressions: None,
                }),
            },
            target: hpa_target(&metric.target),
        }),
        ..MetricSpec::default()
    }
}

/// A metric that the kubelets measure.
pub(crate) fn resource(metric: &ResourceMetric) -> MetricSpec {
    let (name, target) = (metric.resource.as_str().to_owned(), hpa_target(&metric.target));
    match metric.container.clone().filter(|container| !container.is_empty()) {
        Some(container) => MetricSpec {
            type_: "ContainerResource".to_owned(),
            container_resource: Some(ContainerResourceMetricSource {
                container,
                name,
                target,
            }),
            ..MetricSpec::default()
        },
        None => MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(ResourceMetricSource { name, target }),
            ..MetricSpec::default()
        },
    }
}

fn hpa_target(target: &MetricTarget) -> HpaTarget {
    let mut out = HpaTarget {
        type_: target.kind().as_str().to_owned(),
        ..HpaTarget::default()
    };
    match target {
        MetricTarget::AverageValue(quantity) => out.average_value = Some(ApiQuantity(quantity.to_string())),
        MetricTarget::Value(quantity) => out.value = Some(ApiQuantity(quantity.to_string())),
        MetricTarget::Utilization(percent) => out.average_utilization = Some(*percent),
    }
    out
}

/// Names of external and of resource metrics, as `status` lists them.
pub fn metric_names(metrics: &[TriggerMetrics]) -> (Vec<String>, Vec<String>) {
    let mut external = Vec::new();
    let mut resource: Vec<String> = Vec::new();
    for trigger in metrics {
        match trigger {
            TriggerMetrics::External(list) => {
                external.extend(list.iter().map(|metric| metric.name.to_string()));
            }
            TriggerMetrics::Resource(metric) => {
                let name = metric.resource.as_str().to_owned();
                if !resource.contains(&name) {
                    resource.push(name);
                }
            }
        }
    }
    (external, resource)
}

/// Whether an HPA's controller is the object of this uid.
pub fn is_owned(hpa: &HorizontalPodAutoscaler, uid: &str) -> bool {
    hpa.metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.controller == Some(true) && owner.uid == uid && owner.kind == OWNER_KIND)
}

/// Tells what makes a live HPA differ from the wanted one; `None` when nothing needs to be written.
///
/// The wanted HPA is compared as the API server would default it. Labels and annotations that others added to the
/// live HPA are no difference, but KEDA's own annotations must not outlive their origin.
pub fn differs(live: &HorizontalPodAutoscaler, wanted: &HorizontalPodAutoscaler) -> Option<&'static str> {
    let (live_meta, wanted_meta) = (&live.metadata, &wanted.metadata);
    if live_meta.owner_references != wanted_meta.owner_references {
        return Some("owner reference");
    }
    if !covers(live_meta.labels.as_ref(), wanted_meta.labels.as_ref()) {
        return Some("labels");
    }
    if !covers(live_meta.annotations.as_ref(), wanted_meta.annotations.as_ref()) {
        return Some("annotations");
    }
    // DEVIATION: upstream only looks for what is missing, so that a removed pause annotation stays on the HPA.
    let kept = |key: &str| {
        wanted_meta
            .annotations
            .as_ref()
            .is_some_and(|wanted| wanted.contains_key(key))
    };
    if live_meta
        .annotations
        .iter()
        .flatten()
        .any(|(key, _)| is_ours(key) && !kept(key))
    {
        return Some("annotations");
    }
    let (live, wanted) = (&live.spec, defaulted(&wanted.spec));
    if live.scale_target_ref != wanted.scale_target_ref {
        return Some("scale target");
    }
    if live.min_replicas.unwrap_or(1) != wanted.min_replicas.unwrap_or(1)
        || live.max_replicas != wanted.max_replicas
    {
        return Some("replica bounds");
    }
    if defaulted(live).behavior != wanted.behavior {
        return Some("behavior");
    }
    let (live_metrics, wanted_metrics) = (canonical(live), canonical(&wanted));
    (live_metrics != wanted_metrics).then_some("metrics")
}

fn covers(live: Option<&BTreeMap<String, String>>, wanted: Option<&BTreeMap<String, String>>) -> bool {
    wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| live.and_then(|live| live.get(key)) == Some(value))
}

/// Whether an annotation belongs to KEDA.
fn is_ours(key: &str) -> bool {
    key.split_once('/')
        .is_some_and(|(domain, _)| domain == "keda.sh" || domain.ends_with(".keda.sh"))
}

/// The spec as the API server stores it.
fn defaulted(spec: &HorizontalPodAutoscalerSpec) -> HorizontalPodAutoscalerSpec {
    let mut spec = spec.clone();
    if let Some(behavior) = &mut spec.behavior {
        set_defaults_behavior(behavior);
    }
    spec
}

/// The metrics with quantities in canonical form and in an order of their own.
fn canonical(spec: &HorizontalPodAutoscalerSpec) -> Vec<String> {
    let mut list: Vec<String> = spec
        .metrics
        .iter()
        .flatten()
        .map(|metric| {
            let mut metric = metric.clone();
            let targets = [
                metric.external.as_mut().map(|source| &mut source.target),
                metric.resource.as_mut().map(|source| &mut source.target),
                metric
                    .container_resource
                    .as_mut()
                    .map(|source| &mut source.target),
            ];
            for target in targets.into_iter().flatten() {
                for quantity in [&mut target.value, &mut target.average_value]
                    .into_iter()
                    .flatten()
                {
                    if let Ok(parsed) = quantity.0.parse::<Quantity>() {
                        quantity.0 = parsed.nano().to_string();
                    }
                }
            }
            serde_json::to_string(&metric).unwrap_or_default()
        })
        .collect();
    // The order inside one type is the API server's business, not a difference.
    list.sort();
    list
}

#[cfg(test)]
mod tests;
