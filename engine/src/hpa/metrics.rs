//! What the metrics ask for, each and together.
//!
//! Upstream: `computeReplicasForMetrics` and the functions it calls for each type of metric.

use std::sync::Arc;

use jiff::Timestamp;

use super::calculation::Calculation;
use super::error::{Cause, MetricError, MetricsError};
use super::pods::nanos;
use super::replica_calculator::{Found, ReplicaCalculator};
use super::spec::{Metric, Source, Spec, Target};
use super::status::MetricStatus;
use super::world::{Options, PodMetric, Reading, Scale, World};

/// What one metric asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The replicas, before windows, rates and bounds.
    pub replicas: i32,
    /// How they come about.
    pub calculation: Calculation,
    /// What the metric read.
    pub status: MetricStatus,
}

/// What the metrics ask for together.
#[derive(Clone, Debug, PartialEq)]
pub struct Computed {
    /// The replicas, and the metric they come from; none if the workload has to stay, as metrics failed.
    pub replicas: Option<(i32, Option<usize>)>,
    /// That metrics failed, though others may count.
    pub error: Option<MetricsError>,
}

/// Works out what each metric asks for and the most of it. `proposals` is overwritten with one entry a metric.
///
/// While a metric fails, the others can only scale out.
///
/// Upstream: `computeReplicasForMetrics`.
pub fn compute_replicas_for_metrics(
    now: Timestamp,
    options: &Options,
    spec: &Spec,
    scale: Scale,
    world: &World<'_>,
    proposals: &mut Vec<Result<Proposal, MetricError>>,
) -> Computed {
    proposals.clear();
    let calculator = ReplicaCalculator::new(nanos(now), options, spec, world);
    let mut replicas = 0;
    let mut highest = None;
    let mut error: Option<MetricsError> = None;
    for (position, metric) in spec.metrics.iter().enumerate() {
        let reading = world.metrics.get(position);
        let found = compute_replicas_for_metric(&calculator, metric, scale, reading);
        match found {
            Ok(found) => {
                if replicas == 0 || found.replicas > replicas {
                    replicas = found.replicas;
                    highest = Some(position);
                }
                proposals.push(Ok(Proposal {
                    replicas: found.replicas,
                    calculation: found.calculation,
                    status: MetricStatus {
                        metric: Arc::clone(metric),
                        current: found.current,
                    },
                }));
            }
            Err(cause) => {
                let failed = MetricError {
                    metric: Arc::clone(metric),
                    cause,
                };
                if let Some(error) = &mut error {
                    error.invalid += 1;
                } else {
                    error = Some(MetricsError {
                        invalid: 1,
                        total: spec.metrics.len(),
                        first: failed.clone(),
                    });
                }
                proposals.push(Err(failed));
            }
        }
    }
    let stays = error
        .as_ref()
        .is_some_and(|error| error.invalid >= error.total || replicas < scale.replicas);
    Computed {
        replicas: (!stays).then_some((replicas, highest)),
        error,
    }
}

/// Upstream: `computeReplicasForMetric`, `computeStatusFor…Metric`.
fn compute_replicas_for_metric(
    calculator: &ReplicaCalculator<'_>,
    metric: &Metric,
    scale: Scale,
    reading: Option<&Reading<'_>>,
) -> Result<Found, Cause> {
    if metric.target == Target::Missing {
        return Err(Cause::NoTarget);
    }
    let reading = reading.ok_or_else(unread)?;
    let Scale {
        replicas,
        status_replicas,
    } = scale;
    match (&metric.source, metric.target) {
        (Source::Resource { resource }, Target::Utilization(percent)) => {
            calculator.get_resource_replicas(replicas, percent, pods(reading)?, resource, None)
        }
        (Source::ContainerResource { resource, container }, Target::Utilization(percent)) => {
            calculator.get_resource_replicas(replicas, percent, pods(reading)?, resource, Some(container))
        }
        (
            Source::Resource { resource } | Source::ContainerResource { resource, .. },
            Target::AverageValue(target),
        ) => calculator.calc_plain_metric_replicas(replicas, target, pods(reading)?, resource),
        (Source::Pods { .. }, Target::AverageValue(target)) => {
            calculator.calc_plain_metric_replicas(replicas, target, pods(reading)?, "")
        }
        (Source::Object { .. }, Target::Value(target)) => {
            calculator.get_object_metric_replicas(replicas, target, value(reading)?)
        }
        (Source::Object { .. }, Target::AverageValue(target)) => {
            Ok(calculator.get_object_per_pod_metric_replicas(status_replicas, target, value(reading)?))
        }
        (Source::External { .. }, Target::Value(target)) => {
            calculator.get_external_metric_replicas(replicas, target, values(reading)?)
        }
        (Source::External { .. }, Target::AverageValue(target)) => {
            Ok(calculator.get_external_per_pod_metric_replicas(status_replicas, target, values(reading)?))
        }
        _ => Err(Cause::NoTarget),
    }
}

fn pods<'r>(reading: &Reading<'r>) -> Result<&'r [PodMetric<'r>], Cause> {
    match *reading {
        Reading::Pods(metrics) => Ok(metrics),
        _ => Err(failed(reading)),
    }
}

fn value(reading: &Reading<'_>) -> Result<i64, Cause> {
    match *reading {
        Reading::Value(value) => Ok(value),
        _ => Err(failed(reading)),
    }
}

fn values<'r>(reading: &Reading<'r>) -> Result<&'r [i64], Cause> {
    match *reading {
        Reading::Values(values) => Ok(values),
        _ => Err(failed(reading)),
    }
}

fn failed(reading: &Reading<'_>) -> Cause {
    match reading {
        Reading::Failed(text) => Cause::Unread((*text).into()),
        _ => unread(),
    }
}

/// The caller has no reading of the metric's kind.
fn unread() -> Cause {
    Cause::Unread("no value".into())
}
