//! From values to replicas, one kind of metric and target at a time.
//!
//! Upstream: `replica_calculator.go`, `metrics/utilization.go`.

use std::cmp::Ordering;

use super::calculation::{Amount, Calculation, Rule};
use super::error::Cause;
use super::go::{count, int32, int64};
use super::pods::{self, Fallback, Nanos, Readiness, Tally};
use super::spec::Spec;
use super::status::Current;
use super::world::{Options, Pod, PodMetric, World};
use crate::quantity::Quantity;

/// How far from 1 a ratio may be before anything happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tolerances {
    pub(super) scale_down: f64,
    pub(super) scale_up: f64,
}

impl Tolerances {
    /// Upstream: `tolerancesForHpa`; the gate `HPAConfigurableTolerance` is on by default since 1.35.
    pub(super) fn new(options: &Options, spec: &Spec) -> Self {
        let of = |tolerance: Option<f64>| tolerance.unwrap_or(options.tolerance);
        let behavior = spec.behavior.as_ref();
        Self {
            scale_down: of(behavior.and_then(|behavior| behavior.scale_down.tolerance)),
            scale_up: of(behavior.and_then(|behavior| behavior.scale_up.tolerance)),
        }
    }

    /// Upstream: `isWithin`.
    pub(super) fn is_within(self, usage_ratio: f64) -> bool {
        (1.0 - self.scale_down) <= usage_ratio && usage_ratio <= (1.0 + self.scale_up)
    }
}

/// What a metric asks for, and what shows in the status.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) replicas: i32,
    pub(super) current: Current,
    pub(super) calculation: Calculation,
}

/// Replicas from values in one sync.
#[derive(Clone, Copy)]
pub(super) struct ReplicaCalculator<'a> {
    now: Nanos,
    options: &'a Options,
    pods: &'a [Pod<'a>],
    tolerances: Tolerances,
}

/// What pods have, over what they should have.
pub(super) struct Ratio {
    pub(super) quotient: f64,
    pub(super) usage: Amount,
    pub(super) target: Amount,
}

impl<'a> ReplicaCalculator<'a> {
    pub(super) fn new(now: Nanos, options: &'a Options, spec: &Spec, world: &World<'a>) -> Self {
        Self {
            now,
            options,
            pods: world.pods,
            tolerances: Tolerances::new(options, spec),
        }
    }

    /// For `Utilization`.
    ///
    /// Upstream: `GetResourceReplicas`.
    pub(super) fn get_resource_replicas(
        &self,
        current_replicas: i32,
        target_utilization: i32,
        metrics: &[PodMetric<'_>],
        resource: &str,
        container: Option<&str>,
    ) -> Result<Found, Cause> {
        let percent = i64::from(target_utilization.max(100));
        let request = |pod: &Pod<'_>| pods::request(pod, container, resource);
        let readiness = self.readiness(resource == "cpu");
        let (tally, failed) = pods::tally(readiness, self.pods, metrics, Fallback::Percent(percent), request);
        self.check(&tally)?;
        if let Some(cause) = failed {
            return Err(cause);
        }
        let requests = tally.ready_requests;
        let utilization = get_resource_utilization(tally.ready_total, requests)?;
        let average = tally.ready_total.wrapping_div(count(tally.ready.max(1)));
        let ratio_of = |utilization: i32| f64::from(utilization) / f64::from(target_utilization);
        let ratio = Ratio {
            quotient: ratio_of(utilization),
            usage: Amount::Percent(utilization),
            target: Amount::Percent(target_utilization),
        };
        let calculation = self.settle(current_replicas, &tally, &ratio, |assumed| {
            let total = tally.ready_total.wrapping_add(assumed.value);
            get_resource_utilization(total, requests.wrapping_add(assumed.requests)).map(ratio_of)
        })?;
        let current = Current::Utilization {
            percent: utilization,
            average,
        };
        Ok(Found {
            replicas: calculation.replicas,
            current,
            calculation,
        })
    }

    /// For `AverageValue` of what each pod has; `resource` is empty for `Pods` metrics.
    ///
    /// Upstream: `calcPlainMetricReplicas`, with `GetRawResourceReplicas` and `GetMetricReplicas`.
    pub(super) fn calc_plain_metric_replicas(
        &self,
        current_replicas: i32,
        target: Quantity,
        metrics: &[PodMetric<'_>],
        resource: &str,
    ) -> Result<Found, Cause> {
        let target_usage = target.milli_value();
        let readiness = self.readiness(resource == "cpu");
        let fallback = Fallback::Value(target_usage);
        let (tally, _) = pods::tally(readiness, self.pods, metrics, fallback, |_| Ok(0));
        self.check(&tally)?;
        let usage_of = |total: i64, metrics: usize| total.wrapping_div(count(metrics.max(1)));
        let usage = usage_of(tally.total, tally.metrics);
        let quantity = Quantity::from_milli(usage);
        let ratio = Ratio {
            quotient: usage as f64 / target_usage as f64,
            usage: Amount::Quantity(if resource == "memory" {
                quantity.binary()
            } else {
                quantity
            }),
            target: Amount::Quantity(target),
        };
        let calculation = self.settle(current_replicas, &tally, &ratio, |assumed| {
            let total = tally.total.wrapping_add(assumed.value);
            Ok(usage_of(total, tally.metrics + assumed.pods) as f64 / target_usage as f64)
        })?;
        Ok(Found {
            replicas: calculation.replicas,
            current: Current::AverageValue(usage),
            calculation,
        })
    }

    fn readiness(&self, cpu: bool) -> Readiness<'a> {
        Readiness {
            now: self.now,
            options: self.options,
            cpu,
        }
    }

    fn check(&self, tally: &Tally) -> Result<(), Cause> {
        if self.pods.is_empty() {
            return Err(Cause::NoPods);
        }
        if tally.metrics == 0 {
            return Err(Cause::NoMetrics);
        }
        Ok(())
    }

    /// The second half of `GetResourceReplicas` and `calcPlainMetricReplicas`: the replicas for a ratio, once more
    /// reckoned with values assumed for pods that have none. `again` gives the ratio with what is assumed.
    fn settle(
        &self,
        current_replicas: i32,
        tally: &Tally,
        first: &Ratio,
        again: impl FnOnce(&Assumed) -> Result<f64, Cause>,
    ) -> Result<Calculation, Cause> {
        let usage_ratio = first.quotient;
        let scale_up_with_unready = tally.unready > 0 && usage_ratio > 1.0;
        let calculation = self.all_ready(current_replicas, first, count(tally.ready));
        if !scale_up_with_unready && tally.missing == 0 {
            return Ok(calculation);
        }
        let assumed = Assumed::new(tally, usage_ratio, scale_up_with_unready);
        let new_usage_ratio = again(&assumed)?;
        let counted = tally.metrics + assumed.pods;
        let calculation = Calculation {
            ratio: new_usage_ratio,
            tolerance: self.tolerance(new_usage_ratio),
            replicas: current_replicas,
            counted: count(counted),
            unready: if scale_up_with_unready { tally.unready } else { 0 },
            missing: tally.missing,
            ..calculation
        };
        if self.tolerances.is_within(new_usage_ratio) {
            return Ok(calculation.stays(Rule::AssumedWithin));
        }
        let replicas = int32((new_usage_ratio * counted as f64).ceil());
        let turned =
            (usage_ratio < 1.0 && new_usage_ratio > 1.0) || (usage_ratio > 1.0 && new_usage_ratio < 1.0);
        if turned
            || (new_usage_ratio < 1.0 && replicas > current_replicas)
            || (new_usage_ratio > 1.0 && replicas < current_replicas)
        {
            return Ok(calculation.stays(Rule::AssumedTurned));
        }
        Ok(calculation.goes(Rule::Assumed, replicas))
    }

    /// The replicas for a ratio over pods that are all ready and all have a value.
    pub(super) fn all_ready(&self, current_replicas: i32, ratio: &Ratio, ready: i64) -> Calculation {
        let calculation = self.calculation(ratio, current_replicas, ready);
        if self.tolerances.is_within(ratio.quotient) {
            return calculation.stays(Rule::ReadyWithin);
        }
        calculation.goes(Rule::Ready, int32((ratio.quotient * ready as f64).ceil()))
    }

    fn tolerance(&self, ratio: f64) -> f64 {
        if ratio < 1.0 {
            self.tolerances.scale_down
        } else {
            self.tolerances.scale_up
        }
    }

    fn calculation(&self, ratio: &Ratio, current: i32, counted: i64) -> Calculation {
        Calculation {
            rule: Rule::Ready,
            usage: ratio.usage,
            target: ratio.target,
            ratio: ratio.quotient,
            tolerance: self.tolerance(ratio.quotient),
            current,
            replicas: current,
            counted,
            unready: 0,
            missing: 0,
        }
    }

    /// For `Value` of an object.
    ///
    /// Upstream: `GetObjectMetricReplicas`.
    pub(super) fn get_object_metric_replicas(
        &self,
        current_replicas: i32,
        target: Quantity,
        usage: i64,
    ) -> Result<Found, Cause> {
        let calculation = self.get_usage_ratio_replica_count(current_replicas, target, usage)?;
        Ok(Found {
            replicas: calculation.replicas,
            current: Current::Value(usage),
            calculation,
        })
    }

    /// For `AverageValue` of an object.
    ///
    /// Upstream: `GetObjectPerPodMetricReplicas`.
    pub(super) fn get_object_per_pod_metric_replicas(
        &self,
        status_replicas: i32,
        target: Quantity,
        usage: i64,
    ) -> Found {
        let calculation = self.per_replica(status_replicas, target, usage, int32);
        let average = int64((usage as f64 / f64::from(status_replicas)).ceil());
        Found {
            replicas: calculation.replicas,
            current: Current::AverageValue(average),
            calculation,
        }
    }

    /// For `Value` of an external metric.
    ///
    /// Upstream: `GetExternalMetricReplicas`.
    pub(super) fn get_external_metric_replicas(
        &self,
        current_replicas: i32,
        target: Quantity,
        values: &[i64],
    ) -> Result<Found, Cause> {
        let mut usage: i64 = 0;
        for &value in values {
            if value > 0 && usage > i64::MAX - value {
                usage = i64::MAX;
                break;
            }
            usage = usage.wrapping_add(value);
        }
        self.get_object_metric_replicas(current_replicas, target, usage)
    }

    /// For `AverageValue` of an external metric: what KEDA's triggers are by default.
    ///
    /// Upstream: `GetExternalPerPodMetricReplicas`.
    pub(super) fn get_external_per_pod_metric_replicas(
        &self,
        status_replicas: i32,
        target: Quantity,
        values: &[i64],
    ) -> Found {
        let mut usage: i64 = 0;
        for &value in values {
            usage = usage.wrapping_add(value);
            if usage < 0 {
                // So it is upstream, for values below zero as for an overflow.
                usage = i64::MAX;
                break;
            }
        }
        let calculation = self.per_replica(status_replicas, target, usage, capped);
        let average = if usage as f64 >= i64::MAX as f64 {
            i64::MAX
        } else {
            int64((usage as f64 / f64::from(status_replicas)).ceil())
        };
        Found {
            replicas: calculation.replicas,
            current: Current::AverageValue(average),
            calculation,
        }
    }

    fn per_replica(
        &self,
        status_replicas: i32,
        target: Quantity,
        usage: i64,
        to_int: fn(f64) -> i32,
    ) -> Calculation {
        let target_usage = target.milli_value() as f64;
        let ratio = Ratio {
            quotient: usage as f64 / (target_usage * f64::from(status_replicas)),
            usage: Amount::Quantity(Quantity::from_milli(usage)),
            target: Amount::Quantity(target),
        };
        let calculation = self.calculation(&ratio, status_replicas, 0);
        if self.tolerances.is_within(ratio.quotient) {
            return calculation.stays(Rule::PerReplicaWithin);
        }
        calculation.goes(Rule::PerReplica, to_int((usage as f64 / target_usage).ceil()))
    }

    /// Upstream: `getUsageRatioReplicaCount`.
    fn get_usage_ratio_replica_count(
        &self,
        current_replicas: i32,
        target: Quantity,
        usage: i64,
    ) -> Result<Calculation, Cause> {
        let usage_ratio = usage as f64 / target.milli_value() as f64;
        let ratio = Ratio {
            quotient: usage_ratio,
            usage: Amount::Quantity(Quantity::from_milli(usage)),
            target: Amount::Quantity(target),
        };
        let calculation = self.calculation(&ratio, current_replicas, 0);
        if current_replicas == 0 {
            return Ok(calculation.goes(Rule::FromZero, int32(usage_ratio.ceil())));
        }
        if self.tolerances.is_within(usage_ratio) {
            return Ok(calculation.stays(Rule::ReadyWithin));
        }
        let counted = pods::ready_pods(self.pods).ok_or(Cause::NoReadyPods)?;
        let replicas = usage_ratio * counted as f64;
        let calculation = Calculation {
            counted,
            ..calculation
        };
        Ok(calculation.goes(
            Rule::Ready,
            if replicas > f64::from(i32::MAX) {
                i32::MAX
            } else {
                int32(replicas.ceil())
            },
        ))
    }
}

impl Calculation {
    fn stays(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    fn goes(self, rule: Rule, replicas: i32) -> Self {
        Self {
            rule,
            replicas,
            ..self
        }
    }
}

fn capped(replicas: f64) -> i32 {
    if replicas > f64::from(i32::MAX) {
        i32::MAX
    } else {
        int32(replicas)
    }
}

/// What is assumed of pods without a value: idle when scaling out, at their target when scaling in.
struct Assumed {
    pods: usize,
    value: i64,
    requests: i64,
}

impl Assumed {
    fn new(tally: &Tally, usage_ratio: f64, scale_up_with_unready: bool) -> Self {
        let mut assumed = Self {
            pods: 0,
            value: 0,
            requests: 0,
        };
        // At exactly 1 nothing is assumed, nor where the ratio is no number.
        if usage_ratio.partial_cmp(&1.0).is_some_and(Ordering::is_ne) {
            assumed.pods = tally.missing;
            assumed.requests = tally.missing_requests;
            if usage_ratio < 1.0 {
                assumed.value = tally.missing_at_target;
            }
        }
        if scale_up_with_unready {
            assumed.pods += tally.unready;
            assumed.requests = assumed.requests.wrapping_add(tally.unready_requests);
        }
        assumed
    }
}

/// The used percent of what is requested.
///
/// Upstream: `GetResourceUtilizationRatio`.
fn get_resource_utilization(total: i64, requests: i64) -> Result<i32, Cause> {
    if requests == 0 {
        return Err(Cause::NoRequests);
    }
    Ok(total.wrapping_mul(100).wrapping_div(requests) as i32)
}
