//! What the HPA makes of metric values: how many replicas it wants between the bounds. Pure.
//!
//! This is where the HPA settles while the values stay. Its behavior, its stabilization windows and pods that are not
//! ready yet set the pace on the way there, and are not looked at.
//!
//! Upstream: `horizontal.go` and `replica_calculator.go` in Kubernetes' `pkg/controller/podautoscaler`, whose names the
//! functions carry.

use crate::metric::MetricTarget;
use crate::quantity::Quantity;

/// How far from its target a metric may be before anything happens.
///
/// Upstream: `--horizontal-pod-autoscaler-tolerance`.
const TOLERANCE: f64 = 0.1;

/// The workload as the HPA sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The replicas it has.
    pub current: i32,
    /// The replicas that are ready.
    pub ready: i32,
    /// Fewest replicas of the HPA, which is never 0.
    pub min: i32,
    /// Most replicas.
    pub max: i32,
}

/// Where the HPA reads a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The metrics adapter: the value is that of the whole.
    External,
    /// The kubelets: the value is that of one replica, or percent of its request.
    Resource,
}

/// What is known of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// It was read.
    Read(Quantity),
    /// It could not be read.
    Failed,
    /// Nobody looked; the HPA itself will.
    Unknown,
}

/// One metric of the HPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Where it is read.
    pub kind: Kind,
    /// What it is compared with.
    pub target: MetricTarget,
    /// Its value.
    pub value: Value,
}

/// What one metric asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The replicas, before the bounds.
    pub replicas: i32,
    /// How they come about: `ceil(37 / 5) = 8`.
    pub arithmetic: String,
}

/// Why the number of replicas is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// It is what the metric at this position asks for.
    Metric(usize),
    /// A metric asks for more than the maximum.
    Max(usize),
    /// All metrics ask for less than the minimum.
    Min(usize),
    /// Some metric could not be read, and the others ask for less than there is.
    HeldByFailure,
    /// No metric has a value.
    NoValue,
}

/// What the HPA wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// The replicas.
    pub replicas: i32,
    /// What each metric asks for, in order; `None` where there is no value.
    pub proposals: Vec<Option<Proposal>>,
    /// Why.
    pub limit: Limit,
}

/// Works out what the HPA wants: the most that any metric asks for, within the bounds.
///
/// Upstream: `computeReplicasForMetrics` and `normalizeDesiredReplicas`.
pub fn compute_replicas_for_metrics(workload: Workload, metrics: &[Metric]) -> Recommendation {
    let proposals: Vec<Option<Proposal>> = metrics
        .iter()
        .map(|metric| match metric.value {
            Value::Read(value) => Some(compute_replicas_for_metric(workload, metric, value)),
            Value::Failed | Value::Unknown => None,
        })
        .collect();
    let mut highest: Option<(usize, i32)> = None;
    for (position, proposal) in proposals.iter().enumerate() {
        if let Some(proposal) = proposal
            && highest.is_none_or(|(_, most)| proposal.replicas > most)
        {
            highest = Some((position, proposal.replicas));
        }
    }
    let failed = metrics.iter().any(|metric| metric.value == Value::Failed);
    let Workload {
        current, min, max, ..
    } = workload;
    let bounded = |replicas: i32| replicas.min(max).max(min.min(max));
    let (replicas, limit) = match highest {
        None => (bounded(current), Limit::NoValue),
        Some((_, most)) if failed && most < current => (bounded(current), Limit::HeldByFailure),
        Some((position, most)) if most > max => (bounded(most), Limit::Max(position)),
        Some((position, most)) if most < min => (bounded(most), Limit::Min(position)),
        Some((position, most)) => (most, Limit::Metric(position)),
    };
    Recommendation {
        replicas,
        proposals,
        limit,
    }
}

/// Upstream: `computeReplicasForMetric`.
fn compute_replicas_for_metric(workload: Workload, metric: &Metric, value: Quantity) -> Proposal {
    match (metric.kind, metric.target) {
        (Kind::External, MetricTarget::AverageValue(target)) => {
            get_external_per_pod_metric_replicas(workload, value, target)
        }
        (Kind::External, MetricTarget::Value(target)) => {
            get_external_metric_replicas(workload, value, target)
        }
        (_, MetricTarget::Utilization(percent)) => {
            calc_plain_metric_replicas(workload, value, Quantity::from_i64(i64::from(percent)))
        }
        (Kind::Resource, MetricTarget::AverageValue(target) | MetricTarget::Value(target)) => {
            calc_plain_metric_replicas(workload, value, target)
        }
    }
}

/// Upstream: `GetExternalPerPodMetricReplicas`.
fn get_external_per_pod_metric_replicas(workload: Workload, value: Quantity, target: Quantity) -> Proposal {
    let (usage, per_pod, current) = (milli(value), milli(target), workload.current);
    let usage_ratio = usage / (per_pod * f64::from(current));
    let (v, t) = (number(value), number(target));
    if is_within(usage_ratio) {
        return stays(current, &format!("{v} / ({t} * {current})"), usage_ratio);
    }
    let replicas = (usage / per_pod).ceil() as i32;
    Proposal {
        replicas,
        arithmetic: format!("ceil({v} / {t}) = {replicas}"),
    }
}

/// Upstream: `GetExternalMetricReplicas` and `getUsageRatioReplicaCount`.
fn get_external_metric_replicas(workload: Workload, value: Quantity, target: Quantity) -> Proposal {
    let usage_ratio = milli(value) / milli(target);
    let (v, t, current) = (number(value), number(target), workload.current);
    if current == 0 {
        let replicas = usage_ratio.ceil() as i32;
        return Proposal {
            replicas,
            arithmetic: format!("ceil({v} / {t}) = {replicas}"),
        };
    }
    ratio_of_ready(workload, usage_ratio, &v, &t)
}

/// Upstream: `calcPlainMetricReplicas` and `GetResourceReplicas`, with every pod measured.
fn calc_plain_metric_replicas(workload: Workload, value: Quantity, target: Quantity) -> Proposal {
    let usage_ratio = milli(value) / milli(target);
    ratio_of_ready(workload, usage_ratio, &number(value), &number(target))
}

fn ratio_of_ready(workload: Workload, usage_ratio: f64, value: &str, target: &str) -> Proposal {
    if is_within(usage_ratio) {
        return stays(workload.current, &format!("{value} / {target}"), usage_ratio);
    }
    let ready = workload.ready;
    let replicas = (usage_ratio * f64::from(ready)).ceil() as i32;
    Proposal {
        replicas,
        arithmetic: format!("ceil({ready} ready * {value} / {target}) = {replicas}"),
    }
}

/// Upstream: `Tolerances.isWithin`.
fn is_within(usage_ratio: f64) -> bool {
    (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&usage_ratio)
}

fn stays(current: i32, quotient: &str, usage_ratio: f64) -> Proposal {
    Proposal {
        replicas: current,
        arithmetic: format!("{quotient} = {usage_ratio:.2}, within 10 % of 1: stays at {current}"),
    }
}

/// Thousandths, as upstream reckons with them.
fn milli(quantity: Quantity) -> f64 {
    quantity.milli() as f64
}

/// A quantity as a plain number, unless it has a suffix that reads better.
fn number(quantity: Quantity) -> String {
    let text = quantity.to_string();
    if text.ends_with('m') {
        quantity.to_f64().to_string()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_THREE: Workload = Workload {
        current: 3,
        ready: 3,
        min: 1,
        max: 10,
    };

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    fn external(value: &str, target: MetricTarget) -> Metric {
        Metric {
            kind: Kind::External,
            target,
            value: Value::Read(quantity(value)),
        }
    }

    fn average(value: &str, target: &str) -> Metric {
        external(value, MetricTarget::AverageValue(quantity(target)))
    }

    #[track_caller]
    fn check(workload: Workload, metric: Metric, replicas: i32, arithmetic: &str) {
        let wanted = compute_replicas_for_metrics(workload, &[metric]);
        let proposal = wanted.proposals[0].as_ref().expect("the metric has a value");
        assert_eq!(
            (proposal.replicas, proposal.arithmetic.as_str()),
            (replicas, arithmetic)
        );
    }

    #[test]
    fn an_average_value_is_divided_by_the_target() {
        check(AT_THREE, average("37", "5"), 8, "ceil(37 / 5) = 8");
        check(
            AT_THREE,
            average("7500m", "2.5"),
            3,
            "7.5 / (2.5 * 3) = 1.00, within 10 % of 1: stays at 3",
        );
        check(AT_THREE, average("0", "5"), 0, "ceil(0 / 5) = 0");
        let at_zero = Workload {
            current: 0,
            ..AT_THREE
        };
        check(at_zero, average("1", "5"), 1, "ceil(1 / 5) = 1");
    }

    #[test]
    fn a_value_is_a_ratio_of_the_ready_replicas() {
        let value = |value, target| external(value, MetricTarget::Value(quantity(target)));
        check(AT_THREE, value("20", "10"), 6, "ceil(3 ready * 20 / 10) = 6");
        let starting = Workload { ready: 1, ..AT_THREE };
        check(starting, value("20", "10"), 2, "ceil(1 ready * 20 / 10) = 2");
        check(
            AT_THREE,
            value("10.9", "10"),
            3,
            "10.9 / 10 = 1.09, within 10 % of 1: stays at 3",
        );
        let at_zero = Workload {
            current: 0,
            ready: 0,
            ..AT_THREE
        };
        check(at_zero, value("25", "10"), 3, "ceil(25 / 10) = 3");
    }

    #[test]
    fn a_resource_is_measured_by_the_replica() {
        let cpu = |value, target| Metric {
            kind: Kind::Resource,
            target,
            value: Value::Read(quantity(value)),
        };
        check(
            AT_THREE,
            cpu("120", MetricTarget::Utilization(60)),
            6,
            "ceil(3 ready * 120 / 60) = 6",
        );
        let memory = cpu("300Mi", MetricTarget::AverageValue(quantity("200Mi")));
        check(AT_THREE, memory, 5, "ceil(3 ready * 300Mi / 200Mi) = 5");
    }

    #[test]
    fn the_highest_within_the_bounds_counts() {
        let wanted = |metrics: &[Metric]| {
            let wanted = compute_replicas_for_metrics(AT_THREE, metrics);
            (wanted.replicas, wanted.limit)
        };
        assert_eq!(
            wanted(&[average("10", "5"), average("37", "5")]),
            (8, Limit::Metric(1))
        );
        assert_eq!(wanted(&[average("370", "5")]), (10, Limit::Max(0)));
        assert_eq!(wanted(&[average("0", "5")]), (1, Limit::Min(0)));
        assert_eq!(wanted(&[]), (3, Limit::NoValue));
    }

    #[test]
    fn nothing_is_scaled_in_while_a_metric_fails() {
        let failed = Metric {
            value: Value::Failed,
            ..average("0", "5")
        };
        let wanted = |metrics: &[Metric]| {
            let wanted = compute_replicas_for_metrics(AT_THREE, metrics);
            (wanted.replicas, wanted.limit)
        };
        assert_eq!(wanted(&[failed, average("5", "5")]), (3, Limit::HeldByFailure));
        assert_eq!(wanted(&[failed, average("37", "5")]), (8, Limit::Metric(1)));
        let unknown = Metric {
            value: Value::Unknown,
            ..failed
        };
        assert_eq!(wanted(&[unknown, average("5", "5")]), (1, Limit::Metric(1)));
    }

    #[test]
    fn senseless_numbers_stay_within_the_bounds() {
        for (value, target) in [("0", "0"), ("5", "0"), ("9E", "1m")] {
            let wanted = compute_replicas_for_metrics(AT_THREE, &[average(value, target)]);
            assert!(
                (1..=10).contains(&wanted.replicas),
                "{value} / {target}: {wanted:?}"
            );
        }
    }
}
