//! One sync: what its metrics want, and what windows, rates and bounds make of it.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerStatus;

use super::history::{History, Past, Span};
use super::metrics::{self, Asks, Known, Metrics};
use super::served::{Millis, Served};
use super::verdict::{Unseen, Verdict};
use super::{LATE, Range};
use crate::hpa::behavior::{
    Limit, Normalization, Rates, convert_desired_replicas_with_rates, convert_desired_replicas_with_rules,
    scale_down_limit, scale_up_limit,
};
use crate::hpa::replica_calculator::{ReplicaCalculator, Tolerances};
use crate::hpa::spec::{Metric, Source, Spec};
use crate::hpa::world::{Options, World};

/// A sync as its status shows it.
pub(super) struct Sync<'a> {
    pub(super) options: &'a Options,
    pub(super) spec: &'a Spec,
    pub(super) status: &'a HorizontalPodAutoscalerStatus,
    /// The reason of the condition `AbleToScale`: it tells how the sync ended.
    pub(super) able: &'a str,
    pub(super) current: i32,
    pub(super) now: Millis,
}

/// What the metrics ask for together.
pub(super) struct Wanted {
    pub(super) seen: Range,
    pub(super) possible: Range,
    pub(super) unseen: Option<Unseen>,
    /// A value that was not served.
    pub(super) other: Option<Verdict>,
    /// Whether a metric has no value.
    failed: bool,
    /// Whether no metric has one.
    none: bool,
    pub(super) words: String,
    /// The values that were used, by metric.
    pub(super) used: Vec<(String, i64)>,
    since: Option<Millis>,
}

impl Wanted {
    pub(super) fn span(&self, now: Millis) -> Span {
        let from = self.since.unwrap_or_else(|| now.saturating_sub(LATE));
        Span {
            from: from.min(now),
            to: now,
        }
    }

    /// While a metric fails, the others can only scale out.
    pub(super) fn held(&self, found: Range, current: i32) -> Range {
        let stays = Range::exactly(current);
        if self.none || (self.failed && self.possible.most < current) {
            stays
        } else if self.failed && self.possible.least < current {
            stays.or(found)
        } else {
            found
        }
    }

    fn add(&mut self, metric: &Metric, asks: Asks) {
        if self.none || asks.seen.most > self.seen.most {
            self.words = asks.words;
        }
        self.none = false;
        self.seen = self.seen.max(asks.seen);
        self.possible = self.possible.max(asks.possible);
        // That a value came from elsewhere weighs more than that pods are not seen.
        if self.unseen.is_none() || asks.unseen == Some(Unseen::Served) {
            self.unseen = asks.unseen.or(self.unseen);
        }
        if let (Some(used), Source::External { metric, .. }) = (asks.used, &metric.source) {
            self.since = self.since.max(Some(used.since));
            self.used.push((metric.clone(), used.milli));
        }
    }
}

impl<'a> Sync<'a> {
    /// Whether the sync ended with a number of replicas.
    pub(super) fn decided(&self) -> bool {
        matches!(
            self.able,
            "ReadyForNewScale" | "ScaleDownStabilized" | "ScaleUpStabilized" | "SucceededRescale"
        )
    }

    pub(super) fn window(&self) -> Millis {
        Millis::try_from(self.options.downscale_stabilization.as_millis()).unwrap_or(Millis::MAX)
    }

    pub(super) fn externals(&self) -> impl Iterator<Item = &'a str> {
        let metrics = self.spec.metrics.iter();
        metrics.filter_map(|metric| match &metric.source {
            Source::External { metric, .. } => Some(metric.as_str()),
            _ => None,
        })
    }

    fn calculator(&self) -> ReplicaCalculator<'a> {
        let world = World {
            scale: Err(""),
            update: Ok(()),
            pods: &[],
            metrics: &[],
        };
        ReplicaCalculator::new(0, self.options, self.spec, &world)
    }

    /// What one value of an external metric asks for.
    pub(super) fn asks(&self, name: &str, milli: i64) -> Range {
        let served = Served::default();
        let metrics = self.metrics(&served, false);
        let of = |source: &Source| matches!(source, Source::External { metric, .. } if metric == name);
        let metric = self.spec.metrics.iter().find(|metric| of(&metric.source));
        metric.map_or(Range::exactly(self.current), |metric| {
            metrics.whatever(metric, milli)
        })
    }

    fn metrics<'s>(&'s self, served: &'s Served, in_step: bool) -> Metrics<'s> {
        Metrics {
            calculator: self.calculator(),
            tolerances: Tolerances::new(self.options, self.spec),
            served,
            in_step,
            current: self.current,
            now: self.now,
        }
    }

    pub(super) fn wants(&self, served: &Served, in_step: bool) -> Wanted {
        let metrics = self.metrics(served, in_step);
        let mut wanted = Wanted {
            seen: Range::exactly(0),
            possible: Range::exactly(0),
            unseen: None,
            other: None,
            failed: false,
            none: true,
            words: String::new(),
            used: Vec::new(),
            since: None,
        };
        let reported = self.status.current_metrics.as_deref().unwrap_or_default();
        for (position, metric) in self.spec.metrics.iter().enumerate() {
            match metrics.metric(metric, reported.get(position)) {
                Known::Asks(asks) => wanted.add(metric, asks),
                Known::Failed => wanted.failed = true,
                Known::Other { reported, served } => {
                    wanted.other.get_or_insert(Verdict::OtherValue {
                        metric: metrics::name(metric).to_owned(),
                        reported,
                        served,
                    });
                }
            }
        }
        wanted
    }

    /// Windows, rates and bounds, for the least and the most that may be wanted; and which of them changes it, in words.
    pub(super) fn normalize(
        &self,
        history: &History,
        wanted: Range,
        current: i32,
        now: Span,
        past: Past,
    ) -> (Range, Option<String>) {
        let window =
            |seconds: Option<i32>| seconds.map_or(self.window(), |seconds| Millis::from(seconds) * 1000);
        let behavior = self.spec.behavior.as_ref();
        let (up, down) = behavior.map_or((Some(0), None), |behavior| {
            let (up, down) = (&behavior.scale_up, &behavior.scale_down);
            (
                up.stabilization_window_seconds.or(Some(0)),
                down.stabilization_window_seconds,
            )
        });
        let lowest = history.lowest(window(up), now, past, current);
        let highest = history.highest(window(down), now, past, current);
        let one = |desired: i32, lowest: i32, highest: i32, end: fn(Range) -> i32| {
            let args = Normalization {
                now: 0,
                min: self.spec.min_replicas,
                max: self.spec.max_replicas,
                current,
                desired,
            };
            let Some(behavior) = behavior else {
                let stabilized = desired.max(highest);
                return (stabilized, convert_desired_replicas_with_rules(&args, stabilized));
            };
            let stabilized = current.max(desired.min(lowest)).min(desired.max(highest));
            let start = |policy: &_| end(history.period_start(policy, now, past, current));
            let rates = Rates {
                up: scale_up_limit(&behavior.scale_up, current, start),
                down: scale_down_limit(&behavior.scale_down, current, start),
            };
            (
                stabilized,
                convert_desired_replicas_with_rates(&args, stabilized, rates),
            )
        };
        let (_, (least, _)) = one(wanted.least, lowest.least, highest.least, |range| range.least);
        let (stabilized, (most, limit)) = one(wanted.most, lowest.most, highest.most, |range| range.most);
        let held = (stabilized != wanted.most).then(|| {
            let reason = if wanted.most >= current {
                "ScaleUpStabilized"
            } else {
                "ScaleDownStabilized"
            };
            format!("{reason}: {stabilized}")
        });
        let limited = words(limit, most);
        let words: Vec<String> = held.into_iter().chain(limited).collect();
        (
            Range { least, most },
            (!words.is_empty()).then(|| words.join("; ")),
        )
    }
}

fn words(limit: Limit, replicas: i32) -> Option<String> {
    let word = match limit {
        Limit::DesiredWithinRange => return None,
        Limit::ScaleUpLimit | Limit::TooManyReplicas => "at most",
        Limit::ScaleDownLimit | Limit::TooFewReplicas => "at least",
    };
    Some(format!("{}: {word} {replicas}", limit.reason()))
}

/// The reason of a condition; empty without it.
pub(super) fn reason<'a>(status: &'a HorizontalPodAutoscalerStatus, type_: &str) -> &'a str {
    let conditions = status.conditions.iter().flatten();
    let mut found = conditions.filter(|condition| condition.type_ == type_);
    found
        .next()
        .and_then(|condition| condition.reason.as_deref())
        .unwrap_or_default()
}
