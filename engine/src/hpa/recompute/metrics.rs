//! What each metric asks for, from what the HPA's status reports and what was served.

use k8s_openapi::api::autoscaling::v2::{MetricStatus, MetricValueStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::served::{Candidate, Millis, Served};
use super::verdict::Unseen;
use super::{Range, SLACK};
use crate::hpa::calculation::Amount;
use crate::hpa::replica_calculator::{Ratio, ReplicaCalculator, Tolerances};
use crate::hpa::spec::{Metric, Source, Target};
use crate::quantity::Quantity;

/// Above it a float of Go does not hold every whole number, and what it is rounded to says nothing exact.
const EXACT: i64 = 1 << 50;

/// What a metric asks for.
#[derive(Debug)]
pub(super) struct Asks {
    /// If nothing happened that was not seen.
    pub(super) seen: Range,
    /// Whatever happened that was not seen.
    pub(super) possible: Range,
    /// What was not seen.
    pub(super) unseen: Option<Unseen>,
    /// The arithmetic.
    pub(super) words: String,
    /// The value that was used, and since when it was there.
    pub(super) used: Option<Candidate>,
}

/// What is known of a metric.
#[derive(Debug)]
pub(super) enum Known {
    /// It asks for something.
    Asks(Asks),
    /// The HPA has no value.
    Failed,
    /// The HPA reports a value that it was not served.
    Other {
        /// What it reports.
        reported: String,
        /// What it was served.
        served: String,
    },
}

/// The metrics of a sync.
pub(super) struct Metrics<'a> {
    pub(super) calculator: ReplicaCalculator<'a>,
    pub(super) tolerances: Tolerances,
    pub(super) served: &'a Served,
    /// Whether a value that was not served is the HPA's fault: it has been served all its values so far.
    pub(super) in_step: bool,
    /// The replicas that the HPA saw.
    pub(super) current: i32,
    pub(super) now: Millis,
}

impl Metrics<'_> {
    /// Looks at one metric.
    pub(super) fn metric(&self, metric: &Metric, status: Option<&MetricStatus>) -> Known {
        let Some(status) = status else {
            return Known::Failed;
        };
        let reported = match &metric.source {
            Source::Resource { .. } => status.resource.as_ref().map(|found| &found.current),
            Source::ContainerResource { .. } => {
                status.container_resource.as_ref().map(|found| &found.current)
            }
            Source::Pods { .. } => status.pods.as_ref().map(|found| &found.current),
            Source::Object { .. } => status.object.as_ref().map(|found| &found.current),
            Source::External { .. } => status.external.as_ref().map(|found| &found.current),
        };
        let Some(reported) = reported else {
            return Known::Failed;
        };
        let known = match (&metric.source, metric.target) {
            (Source::External { metric, .. }, Target::AverageValue(target)) => {
                milli(reported.average_value.as_ref())
                    .map(|average| self.average(metric, target, average, reported))
            }
            (Source::External { metric, .. }, Target::Value(target)) => {
                milli(reported.value.as_ref()).map(|value| self.value(metric, target, value, reported))
            }
            (_, Target::Utilization(target)) => reported.average_utilization.map(|utilization| {
                let ratio = Ratio {
                    quotient: f64::from(utilization) / f64::from(target),
                    usage: Amount::Percent(utilization),
                    target: Amount::Percent(target),
                };
                Known::Asks(self.pods(name(metric), &ratio))
            }),
            (_, Target::AverageValue(target) | Target::Value(target)) => {
                let value = reported.average_value.as_ref().or(reported.value.as_ref());
                milli(value).map(|value| Known::Asks(self.pods(name(metric), &ratio(value, target))))
            }
            (_, Target::Missing) => None,
        };
        known.unwrap_or(Known::Failed)
    }

    /// For `AverageValue` of an external metric: the value was divided by a number of replicas that nobody tells.
    fn average(&self, metric: &str, target: Quantity, average: i64, reported: &MetricValueStatus) -> Known {
        let waiting = self.served.candidates(metric, self.now, SLACK);
        let fitting: Vec<(Candidate, Range)> = waiting
            .filter_map(|candidate| Some((candidate, status_replicas(candidate.milli, average)?)))
            .collect();
        if fitting.is_empty() {
            let whole = || display(reported.average_value.as_ref());
            return self.unserved(metric, &whole, &|| Asks {
                seen: ANY,
                possible: ANY,
                unseen: None,
                words: format!("{metric}: {} each", whole()),
                used: None,
            });
        }
        let mut asks = fitting.iter().map(|(candidate, status_replicas)| {
            let shown = if status_replicas.holds(self.current) {
                self.current
            } else {
                status_replicas.least
            };
            let found =
                self.calculator
                    .get_external_per_pod_metric_replicas(shown, target, &[candidate.milli]);
            let range = self.per_replica(*status_replicas, target, candidate.milli);
            Asks {
                seen: range,
                possible: range,
                unseen: None,
                words: format!("{metric}: {}", found.calculation),
                used: Some(*candidate),
            }
        });
        let first = asks.next().expect("one candidate fits");
        Known::Asks(asks.fold(first, |mut all, next| {
            all.seen = all.seen.or(next.seen);
            all.possible = all.possible.or(next.possible);
            all
        }))
    }

    /// What one value asks for, whatever replicas it was divided by.
    pub(super) fn whatever(&self, metric: &Metric, milli: i64) -> Range {
        match metric.target {
            Target::AverageValue(target) => self.per_replica(Range { least: 1, ..ANY }, target, milli),
            _ => ANY,
        }
    }

    /// Every number of replicas that may come out, over the replicas that the target may have had.
    fn per_replica(&self, status_replicas: Range, target: Quantity, usage: i64) -> Range {
        let asks = |replicas: i32| {
            let found = self
                .calculator
                .get_external_per_pod_metric_replicas(replicas, target, &[usage]);
            found.replicas
        };
        if status_replicas.is_exact() {
            return Range::exactly(asks(status_replicas.least));
        }
        let goal = target.milli_value() as f64;
        let ratio = |replicas: i32| usage as f64 / (goal * f64::from(replicas));
        if goal <= 0.0 {
            return Range::exactly(asks(status_replicas.least))
                .or(Range::exactly(asks(status_replicas.most)));
        }
        // The more replicas, the smaller the ratio: those close to their target are a run of neighbours.
        let first = partition(status_replicas, |replicas| {
            ratio(replicas) > 1.0 + self.tolerances.scale_up
        });
        let end = partition(status_replicas, |replicas| {
            ratio(replicas) >= 1.0 - self.tolerances.scale_down
        });
        let mut found =
            Range::exactly(asks(status_replicas.least)).or(Range::exactly(asks(status_replicas.most)));
        for replicas in [first.saturating_sub(1), first, end.saturating_sub(1), end] {
            if status_replicas.holds(replicas) {
                found = found.or(Range::exactly(asks(replicas)));
            }
        }
        found
    }

    /// For `Value` of an external metric: times the ready pods, which nobody counts here.
    fn value(&self, metric: &str, target: Quantity, value: i64, reported: &MetricValueStatus) -> Known {
        let mut waiting = self.served.candidates(metric, self.now, SLACK);
        let used = waiting.find(|candidate| candidate.milli == value);
        let mut asks = self.pods(metric, &ratio(value, target));
        if self
            .tolerances
            .is_within(value as f64 / target.milli_value() as f64)
        {
            asks.possible = asks.seen;
            asks.unseen = None;
        }
        if used.is_none() {
            return self.unserved(metric, &|| display(reported.value.as_ref()), &|| Asks {
                seen: asks.seen,
                possible: asks.possible,
                unseen: None,
                words: asks.words.clone(),
                used: None,
            });
        }
        asks.used = used;
        Known::Asks(asks)
    }

    /// For a metric that was served no value which fits the reported one.
    fn unserved(&self, metric: &str, reported: &dyn Fn() -> String, asks: &dyn Fn() -> Asks) -> Known {
        let served: Vec<String> = self
            .served
            .candidates(metric, self.now, SLACK)
            .map(|candidate| Quantity::from_milli(candidate.milli).to_string())
            .collect();
        if served.is_empty() || !self.in_step || !self.served.is_whole(metric) {
            return Known::Asks(Asks {
                unseen: Some(Unseen::Served),
                possible: ANY,
                ..asks()
            });
        }
        Known::Other {
            reported: reported(),
            served: served.join(", "),
        }
    }

    /// For what is measured pod by pod, as if all pods were ready and had a value.
    fn pods(&self, name: &str, ratio: &Ratio) -> Asks {
        let calculation = self
            .calculator
            .all_ready(self.current, ratio, i64::from(self.current));
        Asks {
            seen: Range::exactly(calculation.replicas),
            possible: ANY,
            unseen: Some(Unseen::Pods),
            words: format!("{name}: {calculation}"),
            used: None,
        }
    }
}

/// Any number of replicas.
const ANY: Range = Range {
    least: 0,
    most: i32::MAX,
};

/// The name of a metric or resource.
pub(super) fn name(metric: &Metric) -> &str {
    match &metric.source {
        Source::Resource { resource } | Source::ContainerResource { resource, .. } => resource,
        Source::Pods { metric, .. } | Source::Object { metric, .. } | Source::External { metric, .. } => {
            metric
        }
    }
}

fn ratio(usage: i64, target: Quantity) -> Ratio {
    Ratio {
        quotient: usage as f64 / target.milli_value() as f64,
        usage: Amount::Quantity(Quantity::from_milli(usage)),
        target: Amount::Quantity(target),
    }
}

fn milli(quantity: Option<&ApiQuantity>) -> Option<i64> {
    let parsed: Quantity = quantity?.0.parse().ok()?;
    Some(parsed.milli())
}

fn display(quantity: Option<&ApiQuantity>) -> String {
    quantity.map(|quantity| quantity.0.clone()).unwrap_or_default()
}

/// The first number of a range for which a condition does not hold, which holds for a first part of it; past the end if it
/// holds for all.
fn partition(range: Range, holds: impl Fn(i32) -> bool) -> i32 {
    let (mut low, mut high) = (i64::from(range.least), i64::from(range.most) + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(i32::try_from(middle).expect("it lies within the range")) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    i32::try_from(low).unwrap_or(i32::MAX)
}

/// The numbers of replicas by which a value becomes an average, rounded up; none if it cannot.
fn status_replicas(usage: i64, average: i64) -> Option<Range> {
    if usage >= EXACT {
        return Some(Range { least: 1, ..ANY });
    }
    if average < 0 {
        // Go's answer to a division by no replicas.
        return (average == i64::MIN).then_some(Range::exactly(0));
    }
    if usage == 0 {
        return (average == 0).then_some(Range { least: 1, ..ANY });
    }
    if average == 0 {
        return None;
    }
    let least = usage / average + i64::from(usage % average != 0);
    let most = match average - 1 {
        0 => i64::from(i32::MAX),
        below => (usage / below + i64::from(usage % below != 0) - 1).min(i64::from(i32::MAX)),
    };
    let narrow = |number: i64| i32::try_from(number).ok();
    (least <= most).then_some(Range {
        least: narrow(least)?,
        most: narrow(most)?,
    })
}
