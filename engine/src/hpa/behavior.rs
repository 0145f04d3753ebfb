//! How fast a workload may follow its metrics: stabilization windows, rates, bounds.

use std::fmt;
use std::time::Duration;

use super::go::int32;
use super::pods::{Nanos, span};
use super::spec::{Behavior, Policy, PolicyType, ScalingRules, SelectPolicy};
use super::status::Message;

/// What bounds and rates did to the wanted replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Nothing.
    DesiredWithinRange,
    /// Scaling out is not that fast.
    ScaleUpLimit,
    /// Scaling in is not that fast.
    ScaleDownLimit,
    /// The maximum is less.
    TooManyReplicas,
    /// The minimum is more.
    TooFewReplicas,
}

impl Limit {
    /// The reason of the condition `ScalingLimited`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::DesiredWithinRange => "DesiredWithinRange",
            Self::ScaleUpLimit => "ScaleUpLimit",
            Self::ScaleDownLimit => "ScaleDownLimit",
            Self::TooManyReplicas => "TooManyReplicas",
            Self::TooFewReplicas => "TooFewReplicas",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DesiredWithinRange => "the desired count is within the acceptable range",
            Self::ScaleUpLimit => {
                "the desired replica count is increasing faster than the maximum scale rate"
            }
            Self::ScaleDownLimit => {
                "the desired replica count is decreasing faster than the maximum scale rate"
            }
            Self::TooManyReplicas => "the desired replica count is more than the maximum replica count",
            Self::TooFewReplicas => "the desired replica count is less than the minimum replica count",
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Recommendation {
    replicas: i32,
    at: Nanos,
}

/// A change that was made; a policy counts those of its period.
#[derive(Clone, Copy, Debug)]
struct ScaleEvent {
    /// Replicas added or removed, never negative.
    change: i32,
    at: Nanos,
    /// No policy looks that far back any more: the place can be used again.
    outdated: bool,
}

/// What an HPA remembers from sync to sync.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    recommendations: Vec<Recommendation>,
    scale_up_events: Vec<ScaleEvent>,
    scale_down_events: Vec<ScaleEvent>,
}

/// The wanted replicas and what they have to fit into.
#[derive(Clone, Copy)]
pub(super) struct Normalization {
    pub(super) now: Nanos,
    pub(super) min: i32,
    pub(super) max: i32,
    pub(super) current: i32,
    pub(super) desired: i32,
}

/// What became of the wanted replicas.
pub(super) struct Normalized {
    pub(super) replicas: i32,
    /// What the condition `AbleToScale` says.
    pub(super) stabilization: Message,
    pub(super) limit: Limit,
}

impl Memory {
    /// Upstream: `recordInitialRecommendation`.
    pub(super) fn record_initial_recommendation(&mut self, now: Nanos, replicas: i32) {
        if self.recommendations.is_empty() {
            self.recommendations.push(Recommendation { replicas, at: now });
        }
    }

    fn record(&mut self, args: &Normalization, old: Option<usize>) {
        let new = Recommendation {
            replicas: args.desired,
            at: args.now,
        };
        match old {
            Some(old) => self.recommendations[old] = new,
            None => self.recommendations.push(new),
        }
    }

    /// Without a behavior.
    ///
    /// Upstream: `normalizeDesiredReplicas`.
    pub(super) fn normalize_desired_replicas(&mut self, args: Normalization, window: Duration) -> Normalized {
        let stabilized = self.stabilize_recommendation(&args, window);
        let stabilization = if stabilized == args.desired {
            Message::ReadyForNewScale
        } else {
            Message::ScaleDownStabilized
        };
        let (replicas, limit) = convert_desired_replicas_with_rules(&args, stabilized);
        Normalized {
            replicas,
            stabilization,
            limit,
        }
    }

    /// Upstream: `stabilizeRecommendation`.
    fn stabilize_recommendation(&mut self, args: &Normalization, window: Duration) -> i32 {
        let cutoff = args.now - span(window);
        let mut most = args.desired;
        let mut old = None;
        for (position, recommendation) in self.recommendations.iter().enumerate() {
            if recommendation.at < cutoff {
                old = Some(position);
            } else {
                most = most.max(recommendation.replicas);
            }
        }
        self.record(args, old);
        most
    }

    /// With a behavior. `window` is that of scaling in, if the behavior leaves it open.
    ///
    /// Upstream: `normalizeDesiredReplicasWithBehaviors`.
    pub(super) fn normalize_desired_replicas_with_behaviors(
        &mut self,
        args: Normalization,
        behavior: &Behavior,
        window: Duration,
    ) -> Normalized {
        let stabilized = self.stabilize_recommendation_with_behaviors(&args, behavior, window);
        let stabilization = if stabilized == args.desired {
            Message::ReadyForNewScale
        } else if args.desired >= args.current {
            Message::ScaleUpStabilized
        } else {
            Message::ScaleDownStabilized
        };
        let (replicas, limit) = self.convert_desired_replicas_with_behavior_rate(&args, stabilized, behavior);
        Normalized {
            replicas,
            stabilization,
            limit,
        }
    }

    /// Upstream: `stabilizeRecommendationWithBehaviors`, `maybeInitScaleDownStabilizationWindow`.
    fn stabilize_recommendation_with_behaviors(
        &mut self,
        args: &Normalization,
        behavior: &Behavior,
        window: Duration,
    ) -> i32 {
        let up_seconds = behavior.scale_up.stabilization_window_seconds.unwrap_or(0);
        let down_seconds = behavior.scale_down.stabilization_window_seconds;
        let up_cutoff = args.now - seconds(up_seconds);
        let down_cutoff = args.now - seconds(down_seconds.unwrap_or_else(|| int32(window.as_secs_f64())));
        let (mut up, mut down) = (args.desired, args.desired);
        let mut old = None;
        for (position, recommendation) in self.recommendations.iter().enumerate() {
            let Recommendation { replicas, at } = *recommendation;
            if at > up_cutoff {
                up = up.min(replicas);
            }
            if at > down_cutoff {
                down = down.max(replicas);
            }
            if at < up_cutoff && at < down_cutoff {
                old = Some(position);
            }
        }
        self.record(args, old);
        args.current.max(up).min(down)
    }

    /// Upstream: `convertDesiredReplicasWithBehaviorRate`.
    fn convert_desired_replicas_with_behavior_rate(
        &self,
        args: &Normalization,
        desired: i32,
        behavior: &Behavior,
    ) -> (i32, Limit) {
        let start = |policy: &Policy| self.period_start_replicas(args, policy);
        let rates = Rates {
            up: scale_up_limit(&behavior.scale_up, args.current, start),
            down: scale_down_limit(&behavior.scale_down, args.current, start),
        };
        convert_desired_replicas_with_rates(args, desired, rates)
    }

    fn period_start_replicas(&self, args: &Normalization, policy: &Policy) -> i32 {
        let cutoff = args.now - seconds(policy.period_seconds);
        args.current
            .wrapping_sub(replicas_change_per_period(&self.scale_up_events, cutoff))
            .wrapping_add(replicas_change_per_period(&self.scale_down_events, cutoff))
    }

    /// Upstream: `storeScaleEvent`.
    pub(super) fn store_scale_event(&mut self, now: Nanos, behavior: &Behavior, before: i32, after: i32) {
        let (events, rules, change) = if after > before {
            (
                &mut self.scale_up_events,
                &behavior.scale_up,
                after.wrapping_sub(before),
            )
        } else {
            (
                &mut self.scale_down_events,
                &behavior.scale_down,
                before.wrapping_sub(after),
            )
        };
        mark_scale_events_outdated(events, now - seconds(longest_policy_period(rules)));
        let event = ScaleEvent {
            change,
            at: now,
            outdated: false,
        };
        match events.iter_mut().rfind(|event| event.outdated) {
            Some(old) => *old = event,
            None => events.push(event),
        }
    }
}

/// How far the policies let the replicas go.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    pub(super) up: i32,
    pub(super) down: i32,
}

/// The end of `convertDesiredReplicasWithBehaviorRate`, once the rates are known.
pub(super) fn convert_desired_replicas_with_rates(
    args: &Normalization,
    desired: i32,
    rates: Rates,
) -> (i32, Limit) {
    let Normalization {
        current, min, max, ..
    } = *args;
    if desired > current {
        let rate = rates.up.max(current);
        let (most, limit) = if max > rate {
            (rate, Limit::ScaleUpLimit)
        } else {
            (max, Limit::TooManyReplicas)
        };
        if desired > most {
            return (most, limit);
        }
    } else if desired < current {
        let rate = rates.down.min(current);
        let (fewest, limit) = if min < rate {
            (rate, Limit::ScaleDownLimit)
        } else {
            (min, Limit::TooFewReplicas)
        };
        if desired < fewest {
            return (fewest, limit);
        }
    }
    (desired, Limit::DesiredWithinRange)
}

/// `start` gives the replicas at the start of a policy's period.
///
/// Upstream: `calculateScaleUpLimitWithScalingRules`.
pub(super) fn scale_up_limit(rules: &ScalingRules, current: i32, start: impl Fn(&Policy) -> i32) -> i32 {
    let proposals = rules.policies.iter().map(|policy| {
        let start = start(policy);
        match policy.type_ {
            PolicyType::Pods => start.wrapping_add(policy.value),
            // Rounded up, or else few replicas would never become more.
            PolicyType::Percent => int32((f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)).ceil()),
        }
    });
    match rules.select_policy {
        SelectPolicy::Disabled => current,
        SelectPolicy::Min => proposals.min().unwrap_or(i32::MAX),
        SelectPolicy::Max => proposals.max().unwrap_or(i32::MIN),
    }
}

/// Upstream: `calculateScaleDownLimitWithBehaviors`.
pub(super) fn scale_down_limit(rules: &ScalingRules, current: i32, start: impl Fn(&Policy) -> i32) -> i32 {
    let proposals = rules.policies.iter().map(|policy| {
        let start = start(policy);
        match policy.type_ {
            PolicyType::Pods => start.wrapping_sub(policy.value),
            PolicyType::Percent => int32(f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)),
        }
    });
    match rules.select_policy {
        SelectPolicy::Disabled => current,
        SelectPolicy::Min => proposals.max().unwrap_or(i32::MIN),
        SelectPolicy::Max => proposals.min().unwrap_or(i32::MAX),
    }
}

fn seconds(seconds: i32) -> Nanos {
    Nanos::from(seconds) * 1_000_000_000
}

/// Upstream: `getReplicasChangePerPeriod`.
fn replicas_change_per_period(events: &[ScaleEvent], cutoff: Nanos) -> i32 {
    let recent = events.iter().filter(|event| event.at > cutoff);
    recent.fold(0, |sum: i32, event| sum.wrapping_add(event.change))
}

/// Upstream: `getLongestPolicyPeriod`.
pub(super) fn longest_policy_period(rules: &ScalingRules) -> i32 {
    let periods = rules.policies.iter().map(|policy| policy.period_seconds);
    periods.max().unwrap_or(0).max(0)
}

/// Upstream: `markScaleEventsOutdated`.
fn mark_scale_events_outdated(events: &mut [ScaleEvent], cutoff: Nanos) {
    for event in events {
        event.outdated |= event.at < cutoff;
    }
}

/// Upstream: `convertDesiredReplicasWithRules`.
pub(super) fn convert_desired_replicas_with_rules(args: &Normalization, desired: i32) -> (i32, Limit) {
    let rate = calculate_scale_up_limit(args.current);
    let (most, limit) = if args.max > rate {
        (rate, Limit::ScaleUpLimit)
    } else {
        (args.max, Limit::TooManyReplicas)
    };
    if desired < args.min {
        (args.min, Limit::TooFewReplicas)
    } else if desired > most {
        (most, limit)
    } else {
        (desired, Limit::DesiredWithinRange)
    }
}

/// Upstream: `calculateScaleUpLimit`.
fn calculate_scale_up_limit(current: i32) -> i32 {
    /// A workload may double,
    const FACTOR: f64 = 2.0;
    /// or grow to this.
    const MINIMUM: f64 = 4.0;
    int32((FACTOR * f64::from(current)).max(MINIMUM))
}
