//! What the HPA controller must remember of earlier syncs, as far as it can be told from outside. Each time is a span, as
//! nobody says when exactly a sync was.

use std::collections::VecDeque;

use super::Range;
use super::served::Millis;
use crate::hpa::behavior::longest_policy_period;
use crate::hpa::spec::{Behavior, Policy, ScalingRules};

/// Recommendations that are kept apart; beyond, the oldest are taken together.
const MOST: usize = 48;

/// A recommendation before windows, rates and bounds, and when the HPA made it last.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Recommendation {
    /// If nothing happened that was not seen.
    seen: Range,
    /// Whatever happened that was not seen.
    possible: Range,
    /// Not before; nothing if it is not certain that there was such a sync.
    sure: Option<Millis>,
    /// Not after.
    last: Millis,
}

impl Recommendation {
    fn replicas(&self, past: Past) -> Range {
        if past == Past::Seen {
            self.seen
        } else {
            self.possible
        }
    }
}

/// A change of the scale by the HPA.
#[derive(Clone, Copy, Debug)]
struct ScaleEvent {
    /// Below zero for scaling in.
    change: i32,
    at: Span,
    /// Whether its place cannot have been given to a later one.
    kept: bool,
}

/// When a sync was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Millis,
    pub(super) to: Millis,
}

/// How much of the past counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// What was seen.
    Seen,
    /// Also what may have been before anybody looked.
    Possible,
    /// Nothing but the replicas there are, as for a controller that was just started.
    None,
}

/// Earlier syncs.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    recommendations: VecDeque<Recommendation>,
    events: Vec<ScaleEvent>,
    /// What was before is not known.
    pub(super) unknown_before: Option<Millis>,
    /// Since when the controller's memory may be a new one.
    pub(super) renewed: Option<Millis>,
}

impl History {
    /// Adds what a sync recommended: if nothing happened that was not seen, and whatever did.
    pub(super) fn recommend(&mut self, seen: Range, possible: Range, sure: Option<Millis>, last: Millis) {
        if let Some(newest) = self.recommendations.back_mut()
            && (newest.seen, newest.possible) == (seen, possible)
            && newest.sure.is_some() == sure.is_some()
        {
            newest.sure = newest.sure.max(sure);
            newest.last = newest.last.max(last);
            return;
        }
        if self.recommendations.len() == MOST
            && let Some(oldest) = self.recommendations.pop_front()
            && let Some(next) = self.recommendations.front_mut()
        {
            next.seen = next.seen.or(oldest.seen);
            next.possible = next.possible.or(oldest.possible);
            next.last = next.last.max(oldest.last);
        }
        if self.recommendations.len() == self.recommendations.capacity() {
            self.recommendations.reserve_exact(4);
        }
        self.recommendations.push_back(Recommendation {
            seen,
            possible,
            sure,
            last,
        });
    }

    /// The newest recommendation was still made at that time: at the latest at `last`, at the earliest at `sure`.
    pub(super) fn repeat(&mut self, sure: Millis, last: Millis) {
        if let Some(newest) = self.recommendations.back_mut() {
            newest.sure = newest.sure.map(|known| known.max(sure));
            newest.last = newest.last.max(last);
        }
    }

    /// The newest recommendation: what was seen, and what is possible.
    pub(super) fn newest(&self) -> Option<(Range, Range)> {
        let newest = self.recommendations.back()?;
        Some((newest.seen, newest.possible))
    }

    /// Drops recommendations that a window for scaling in needs no more, as a later one is as high.
    pub(super) fn forget_lower(&mut self, than: Range) {
        while let Some(newest) = self.recommendations.back()
            && newest.possible.most <= than.least
        {
            self.recommendations.pop_back();
        }
    }

    /// Adds a change of the scale; `period` is the longest of the policies for its direction.
    ///
    /// Events of a direction that are older give up their places, although policies for the other direction may look back further.
    pub(super) fn scaled(&mut self, change: i32, at: Span, period: Millis) {
        let outdated = at.to.saturating_sub(period);
        for event in &mut self.events {
            event.kept &= (event.change < 0) != (change < 0) || event.at.from >= outdated;
        }
        self.events.push(ScaleEvent {
            change,
            at,
            kept: true,
        });
    }

    /// Drops what no window and no policy looks back to.
    pub(super) fn forget_before(&mut self, recommendations: Millis, events: Millis) {
        while self
            .recommendations
            .front()
            .is_some_and(|oldest| oldest.last < recommendations)
        {
            self.recommendations.pop_front();
        }
        self.events.retain(|event| event.at.to >= events);
        if self
            .unknown_before
            .is_some_and(|since| since < recommendations.min(events))
        {
            self.unknown_before = None;
        }
    }

    /// The controller's memory may be a new one, with nothing in it but the replicas there are.
    pub(super) fn renew(&mut self, current: i32, at: Span) {
        self.recommendations.clear();
        self.events.clear();
        self.unknown_before = None;
        self.renewed = Some(at.to);
        let current = Range::exactly(current);
        self.recommend(current, current, None, at.to);
    }

    /// The highest recommendation of a window.
    pub(super) fn highest(&self, window: Millis, now: Span, past: Past, current: i32) -> Range {
        let window = Window::new(window, now);
        let mut found = Range {
            least: i32::MIN,
            most: i32::MIN,
        };
        if past == Past::None {
            return Range::exactly(if window.length > 0 { current } else { i32::MIN });
        }
        for recommendation in &self.recommendations {
            if window.holds(recommendation) {
                found.least = found.least.max(recommendation.replicas(past).least);
            }
            if window.may_hold(recommendation) {
                found.most = found.most.max(recommendation.replicas(past).most);
            }
        }
        if past == Past::Possible && window.reaches(self.unknown_before) {
            found.most = i32::MAX;
        }
        found
    }

    /// The lowest recommendation of a window.
    pub(super) fn lowest(&self, window: Millis, now: Span, past: Past, current: i32) -> Range {
        let window = Window::new(window, now);
        let mut found = Range {
            least: i32::MAX,
            most: i32::MAX,
        };
        if past == Past::None {
            return Range::exactly(if window.length > 0 { current } else { i32::MAX });
        }
        for recommendation in &self.recommendations {
            if window.holds(recommendation) {
                found.most = found.most.min(recommendation.replicas(past).most);
            }
            if window.may_hold(recommendation) {
                found.least = found.least.min(recommendation.replicas(past).least);
            }
        }
        if past == Past::Possible && window.reaches(self.unknown_before) {
            found.least = 0;
        }
        found
    }

    /// The replicas at the start of a policy's period.
    pub(super) fn period_start(&self, policy: &Policy, now: Span, past: Past, current: i32) -> Range {
        let start = Range::exactly(current);
        if past == Past::None {
            return start;
        }
        let window = Window::new(Millis::from(policy.period_seconds) * 1000, now);
        if past == Past::Possible && window.reaches(self.unknown_before) {
            return Range {
                least: 0,
                most: i32::MAX / 4,
            };
        }
        self.events.iter().fold(start, |start, event| {
            let before = Range::exactly(event.change);
            if event.kept && event.at.from > window.sure {
                start.less(before)
            } else if event.at.to >= window.possible {
                start.less(before.or(Range::exactly(0)))
            } else {
                start
            }
        })
    }
}

/// Which moments lie within a window that ends at a sync.
struct Window {
    length: Millis,
    /// What is later, is within.
    sure: Millis,
    /// What is earlier, is not.
    possible: Millis,
}

impl Window {
    fn new(length: Millis, now: Span) -> Self {
        Self {
            length,
            sure: now.to.saturating_sub(length),
            possible: now.from.saturating_sub(length),
        }
    }

    fn holds(&self, recommendation: &Recommendation) -> bool {
        self.length > 0 && recommendation.sure.is_some_and(|sure| sure > self.sure)
    }

    fn may_hold(&self, recommendation: &Recommendation) -> bool {
        self.length > 0 && recommendation.last >= self.possible
    }

    fn reaches(&self, unknown_before: Option<Millis>) -> bool {
        self.length > 0 && unknown_before.is_some_and(|time| time >= self.possible)
    }
}

/// The longest period of the policies for a direction.
pub(super) fn longest(rules: &ScalingRules) -> Millis {
    Millis::from(longest_policy_period(rules)) * 1000
}

/// How far windows and policies look back: (windows, policies), in milliseconds. `window` is the controller's for scaling in.
pub(super) fn reach(behavior: Option<&Behavior>, window: Millis) -> (Millis, Millis) {
    let Some(behavior) = behavior else {
        return (window, 0);
    };
    let seconds = |seconds: i32| Millis::from(seconds) * 1000;
    let up = behavior.scale_up.stabilization_window_seconds.map_or(0, seconds);
    let down = behavior
        .scale_down
        .stabilization_window_seconds
        .map_or(window, seconds);
    (
        up.max(down),
        longest(&behavior.scale_up).max(longest(&behavior.scale_down)),
    )
}
