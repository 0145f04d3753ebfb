//! What a simulation comes to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::load::{Load, MICRO};
use super::sketch::Sketch;
use super::step::{number, optional};
use super::{Millis, Settings};

const HOUR: f64 = 3_600_000.0;

/// Half of the values are at most `p50`, 95 of 100 at most `p95`. Whole numbers below 2048 are exact, others at most 0.1 % too
/// high; the maximum is exact.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// Median.
    #[serde(serialize_with = "number")]
    pub p50: f64,
    /// 95th percentile.
    #[serde(serialize_with = "number")]
    pub p95: f64,
    /// Maximum.
    #[serde(serialize_with = "number")]
    pub max: f64,
}

/// What a simulation comes to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Simulated time, in seconds.
    #[serde(serialize_with = "number")]
    pub seconds: f64,
    /// Pods that there were, over time: those that start or drain are paid for too.
    #[serde(serialize_with = "number")]
    pub replica_hours: f64,
    /// Most replicas.
    pub peak: i32,
    /// Time without replicas, in seconds.
    #[serde(serialize_with = "number")]
    pub seconds_at_zero: f64,
    /// Changes from no replicas to some.
    pub cold_starts: u64,
    /// Changes of the replicas against the direction of the change before, not later than [`Settings::flap_window`] after it.
    ///
    /// Kubernetes calls it flapping, or thrashing, when the number of replicas keeps fluctuating, and gives no measure
    /// (<https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>, "Flapping").
    pub flaps: u64,
    /// Changes of the replicas.
    pub changes: u64,
    /// Polls of the scale loop.
    pub polls: u64,
    /// Syncs of the HPA.
    pub hpa_syncs: u64,
    /// Reads of a metric, by a poll or by the HPA, that failed.
    pub failed_reads: u64,
    /// How often a fallback began to stand for a metric.
    pub fallbacks: u64,
    /// Messages that waited, in a closed loop, looked at once a sync period; the maximum is that of every moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Spread>,
    /// The values of each metric as they were read, looked at once a sync period. A metric that never had one is left out.
    pub metrics: BTreeMap<String, Spread>,
    /// Messages that arrived, in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional")]
    pub arrived: Option<f64>,
    /// Messages that were served, in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional")]
    pub served: Option<f64>,
    /// Messages that still wait at the end, in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional")]
    pub left: Option<f64>,
    /// What the pods cost, if there is a price.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional")]
    pub cost: Option<f64>,
}

/// The sums behind a [`Summary`].
#[derive(Debug)]
pub(super) struct Tally {
    flap_window: Millis,
    pod_time: i128,
    zero_time: Millis,
    peak: i32,
    cold_starts: u64,
    flaps: u64,
    changes: u64,
    last_change: Option<(Millis, bool)>,
    /// Polls of the scale loop.
    pub(super) polls: u64,
    /// Syncs of the HPA.
    pub(super) syncs: u64,
    /// Failed reads.
    pub(super) failed_reads: u64,
    /// Fallbacks that began.
    pub(super) fallbacks: u64,
    backlog: Sketch,
    metrics: Vec<Sketch>,
}

impl Tally {
    pub(super) fn new(flap_window: Millis, columns: usize, replicas: i32) -> Self {
        Self {
            flap_window,
            pod_time: 0,
            zero_time: 0,
            peak: replicas,
            cold_starts: 0,
            flaps: 0,
            changes: 0,
            last_change: None,
            polls: 0,
            syncs: 0,
            failed_reads: 0,
            fallbacks: 0,
            backlog: Sketch::default(),
            metrics: (0..columns).map(|_| Sketch::default()).collect(),
        }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Millis, pods: i64, replicas: i32) {
        self.pod_time += i128::from(time) * i128::from(pods);
        if replicas == 0 {
            self.zero_time += time;
        }
    }

    /// The replicas change.
    pub(super) fn change(&mut self, now: Millis, before: i32, after: i32) {
        let up = after > before;
        self.peak = self.peak.max(after);
        self.changes += 1;
        self.cold_starts += u64::from(before == 0);
        let turned = |(time, was_up): (Millis, bool)| was_up != up && now - time <= self.flap_window;
        self.flaps += u64::from(self.last_change.is_some_and(turned));
        self.last_change = Some((now, up));
    }

    /// A sync period is over.
    pub(super) fn sample(&mut self, values: &[Option<f64>], load: Option<&Load>) {
        for (sketch, value) in self.metrics.iter_mut().zip(values) {
            if let Some(value) = value {
                sketch.add(*value);
            }
        }
        if let Some(load) = load {
            self.backlog.add(load.backlog() as f64 / MICRO as f64);
        }
    }

    /// Sums up.
    pub(super) fn finish(
        self,
        end: Millis,
        names: &[String],
        settings: &Settings,
        load: Option<&Load>,
    ) -> Summary {
        let hours = self.pod_time as f64 / HOUR;
        let messages = |micro: i128| micro as f64 / MICRO as f64;
        let spread = |sketch: &Sketch, max| Spread {
            p50: sketch.percentile(50),
            p95: sketch.percentile(95),
            max,
        };
        let metrics = names.iter().zip(&self.metrics);
        Summary {
            seconds: end as f64 / 1000.0,
            replica_hours: hours,
            peak: self.peak,
            seconds_at_zero: self.zero_time as f64 / 1000.0,
            cold_starts: self.cold_starts,
            flaps: self.flaps,
            changes: self.changes,
            polls: self.polls,
            hpa_syncs: self.syncs,
            failed_reads: self.failed_reads,
            fallbacks: self.fallbacks,
            backlog: load.map(|load| spread(&self.backlog, messages(load.peak()))),
            metrics: metrics
                .filter(|(_, sketch)| sketch.total() > 0)
                .map(|(name, sketch)| (name.clone(), spread(sketch, sketch.max())))
                .collect(),
            arrived: load.map(|load| messages(load.totals().0)),
            served: load.map(|load| messages(load.totals().1)),
            left: load.map(|load| messages(load.backlog())),
            cost: settings.replica_hour_price.map(|price| price * hours),
        }
    }
}
