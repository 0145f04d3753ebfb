//! What the API server adds to an HPA.
//!
//! Upstream: `pkg/apis/autoscaling/v2/defaults.go`.

use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec,
    MetricSpec, MetricTarget, ResourceMetricSource,
};

/// CPU utilization of an HPA without metrics, in percent of the requests.
const CPU_UTILIZATION: i32 = 80;
/// Period of the default policies, in seconds.
const PERIOD: i32 = 15;

/// Upstream: `SetDefaults_HorizontalPodAutoscaler`.
pub(super) fn set_defaults(spec: &mut HorizontalPodAutoscalerSpec) {
    spec.min_replicas.get_or_insert(1);
    if spec.metrics.as_ref().is_none_or(Vec::is_empty) {
        spec.metrics = Some(vec![MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(ResourceMetricSource {
                name: "cpu".to_owned(),
                target: MetricTarget {
                    type_: "Utilization".to_owned(),
                    average_utilization: Some(CPU_UTILIZATION),
                    ..MetricTarget::default()
                },
            }),
            ..MetricSpec::default()
        }]);
    }
    if let Some(behavior) = &mut spec.behavior {
        set_defaults_behavior(behavior);
    }
}

/// Fills a behavior that is there; without one the HPA keeps to its old rules.
///
/// Upstream: `SetDefaults_HorizontalPodAutoscalerBehavior`, `GenerateHPAScaleUpRules`, `GenerateHPAScaleDownRules`.
pub(crate) fn set_defaults_behavior(behavior: &mut HorizontalPodAutoscalerBehavior) {
    let up = behavior.scale_up.get_or_insert_default();
    up.stabilization_window_seconds.get_or_insert(0);
    copy_scaling_rules(up, &[("Pods", 4), ("Percent", 100)]);
    // The window of scaling in stays open: it is a flag of the controller.
    copy_scaling_rules(behavior.scale_down.get_or_insert_default(), &[("Percent", 100)]);
}

/// Upstream: `copyHPAScalingRules`.
fn copy_scaling_rules(rules: &mut HPAScalingRules, policies: &[(&str, i32)]) {
    rules.select_policy.get_or_insert_with(|| "Max".to_owned());
    rules.policies.get_or_insert_with(|| {
        policies
            .iter()
            .map(|&(type_, value)| HPAScalingPolicy {
                type_: type_.to_owned(),
                value,
                period_seconds: PERIOD,
            })
            .collect()
    });
}
