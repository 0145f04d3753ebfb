//! Which pods count, and what they have and request. Integers wrap as in Go, so sums may be formed in any order.

use std::time::Duration;

use jiff::Timestamp;

use super::error::Cause;
use super::world::{Options, Phase, Pod, PodMetric, ReadyStatus, Request};

/// A moment in nanoseconds since 1970: additions cannot overflow.
pub(super) type Nanos = i128;

pub(super) fn nanos(time: Timestamp) -> Nanos {
    time.as_nanosecond()
}

pub(super) fn span(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX / 4)
}

/// What `groupPods` tells of a pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// It counts with its value.
    Ready,
    /// It counts as idle when scaling out.
    Unready,
    /// It has no value.
    Missing,
    /// It does not count at all.
    Ignored,
}

/// The pods of a target by group, with sums.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) ready: usize,
    pub(super) unready: usize,
    pub(super) missing: usize,
    /// Values that remain; those of pods that are not the target's are among them.
    pub(super) metrics: usize,
    /// Sum of the values that remain.
    pub(super) total: i64,
    /// Sum of the values of ready pods.
    pub(super) ready_total: i64,
    pub(super) ready_requests: i64,
    pub(super) unready_requests: i64,
    pub(super) missing_requests: i64,
    /// What pods without a value would have at the target.
    pub(super) missing_at_target: i64,
}

/// Who measures readiness how.
#[derive(Clone, Copy)]
pub(super) struct Readiness<'a> {
    pub(super) now: Nanos,
    pub(super) options: &'a Options,
    /// Only a pod's CPU depends on how ready it is.
    pub(super) cpu: bool,
}

/// What pods without a value are given when scaling in.
#[derive(Clone, Copy)]
pub(super) enum Fallback {
    Value(i64),
    Percent(i64),
}

/// Groups the pods and sums up their values and requests.
///
/// Upstream: `groupPods`, `removeMetricsForPods`. The second value is the first error that `request` gave.
pub(super) fn tally(
    readiness: Readiness<'_>,
    pods: &[Pod<'_>],
    metrics: &[PodMetric<'_>],
    fallback: Fallback,
    request: impl Fn(&Pod<'_>) -> Result<i64, Cause>,
) -> (Tally, Option<Cause>) {
    let mut tally = Tally {
        metrics: metrics.len(),
        total: metrics
            .iter()
            .fold(0, |sum: i64, metric| sum.wrapping_add(metric.value)),
        ..Tally::default()
    };
    let mut failed = None;
    for (position, pod) in pods.iter().enumerate() {
        let metric = find(metrics, position, pod.name);
        let request = request(pod).unwrap_or_else(|cause| {
            failed.get_or_insert(cause);
            0
        });
        let group = group(readiness, pod, metric);
        if let Some(metric) = metric
            && group != Group::Ready
        {
            tally.metrics = tally.metrics.saturating_sub(1);
            tally.total = tally.total.wrapping_sub(metric.value);
        }
        match group {
            Group::Ready => {
                tally.ready += 1;
                let value = metric.map_or(0, |metric| metric.value);
                tally.ready_total = tally.ready_total.wrapping_add(value);
                tally.ready_requests = tally.ready_requests.wrapping_add(request);
            }
            Group::Unready => {
                tally.unready += 1;
                tally.unready_requests = tally.unready_requests.wrapping_add(request);
            }
            Group::Missing => {
                tally.missing += 1;
                tally.missing_requests = tally.missing_requests.wrapping_add(request);
                let value = match fallback {
                    Fallback::Value(value) => value,
                    Fallback::Percent(percent) => request.wrapping_mul(percent) / 100,
                };
                tally.missing_at_target = tally.missing_at_target.wrapping_add(value);
            }
            Group::Ignored => {}
        }
    }
    (tally, failed)
}

/// Finds a pod's value, at once if values and pods have the same order.
fn find<'m>(metrics: &'m [PodMetric<'m>], position: usize, name: &str) -> Option<&'m PodMetric<'m>> {
    match metrics.get(position) {
        Some(metric) if metric.pod == name => Some(metric),
        _ => metrics.iter().find(|metric| metric.pod == name),
    }
}

fn group(readiness: Readiness<'_>, pod: &Pod<'_>, metric: Option<&PodMetric<'_>>) -> Group {
    if pod.deleted || pod.phase == Phase::Failed {
        return Group::Ignored;
    }
    if pod.phase == Phase::Pending {
        return Group::Unready;
    }
    let Some(metric) = metric else {
        return Group::Missing;
    };
    if readiness.cpu && is_unready(readiness, pod, metric) {
        return Group::Unready;
    }
    Group::Ready
}

/// Whether a pod's CPU says nothing yet of its load.
fn is_unready(readiness: Readiness<'_>, pod: &Pod<'_>, metric: &PodMetric<'_>) -> bool {
    let (Some(ready), Some(started)) = (pod.ready, pod.start_time) else {
        return true;
    };
    let (since, started) = (nanos(ready.since), nanos(started));
    let options = readiness.options;
    let down = ready.status == ReadyStatus::False;
    if started + span(options.cpu_initialization_period) > readiness.now {
        // A window that began before the last change has some of the start in it.
        down || nanos(metric.timestamp) < since + span(metric.window)
    } else {
        // Not ready, and it never was.
        down && started + span(options.initial_readiness_delay) > since
    }
}

/// Counts the pods that run and are ready; `None` when there is no pod at all.
///
/// Upstream: `getReadyPodsCount`.
pub(super) fn ready_pods(pods: &[Pod<'_>]) -> Option<i64> {
    let is_ready = |pod: &&Pod<'_>| {
        let ready = pod.ready.is_some_and(|ready| ready.status == ReadyStatus::True);
        pod.phase == Phase::Running && ready
    };
    let ready = pods.iter().filter(is_ready).count();
    (!pods.is_empty()).then_some(i64::try_from(ready).unwrap_or(i64::MAX))
}

/// Sums up what a pod requests, or what one of its containers does.
///
/// Upstream: `calculateRequests`, `calculatePodLevelRequests`, `calculatePodRequestsFromContainers`.
pub(super) fn request(pod: &Pod<'_>, container: Option<&str>, resource: &str) -> Result<i64, Cause> {
    if let (Some(requests), None) = (pod.pod_requests, container) {
        return of(requests, resource).ok_or_else(|| Cause::MissingPodRequest { pod: pod.name.into() });
    }
    let mut sum: i64 = 0;
    for candidate in pod.containers {
        if container.is_some_and(|container| container != candidate.name) {
            continue;
        }
        let request = of(candidate.requests, resource).ok_or_else(|| Cause::MissingRequest {
            container: candidate.name.into(),
            pod: pod.name.into(),
        })?;
        sum = sum.wrapping_add(request);
        if container.is_some() {
            return Ok(sum);
        }
    }
    match container {
        Some(_) => Err(Cause::MissingContainer { pod: pod.name.into() }),
        None => Ok(sum),
    }
}

fn of(requests: &[Request<'_>], resource: &str) -> Option<i64> {
    let request = requests.iter().find(|request| request.resource == resource);
    request.map(|request| request.milli)
}
