//! Replicas over time, and by how much time two such lines differ.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970.
pub type Millis = i64;

/// A number of replicas that held until the next change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Moments and what held from then on.
    changes: Vec<(Millis, i64)>,
    /// Until when anybody looked.
    end: Millis,
}

/// A while in which the replicas stayed.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Millis,
    to: Millis,
    replicas: i64,
}

impl Trace {
    /// What held between two moments, of changes in order. A change to what holds already is none.
    pub fn between(changes: &[(Millis, i64)], from: Millis, to: Millis) -> Self {
        let mut kept: Vec<(Millis, i64)> = Vec::new();
        for &(at, replicas) in changes.iter().filter(|(at, _)| *at < to) {
            let at = at.max(from);
            kept.pop_if(|(before, _)| *before == at);
            if kept.last().is_none_or(|(_, before)| *before != replicas) {
                kept.push((at, replicas));
            }
        }
        Self {
            changes: kept,
            end: to,
        }
    }

    /// The numbers in their order.
    pub fn values(&self) -> Vec<i64> {
        self.changes.iter().map(|(_, replicas)| *replicas).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let ends = self.changes.iter().skip(1).map(|(at, _)| *at).chain([self.end]);
        let spans = self.changes.iter().zip(ends);
        spans
            .map(|(&(from, replicas), to)| Span { from, to, replicas })
            .collect()
    }

    /// The least time `d` such that, at every moment, each of the two has a number which the other has at most `d` earlier
    /// or later. `None` where one of them has a number for at least `brief` that the other never has.
    ///
    /// What one of them has for less than `brief`, at first or on its way from a lower number to a higher one or back, the other
    /// may lack: two steps may fall into one.
    pub fn distance(&self, other: &Self, brief: Millis) -> Option<Millis> {
        let (one, two) = (self.spans(), other.spans());
        Some(farthest(&one, &two, brief)?.max(farthest(&two, &one, brief)?))
    }
}

/// How far the moments of one are at most from a moment at which the other has the same number.
fn farthest(one: &[Span], other: &[Span], brief: Millis) -> Option<Millis> {
    let mut most = 0;
    for (position, span) in one.iter().enumerate() {
        if span.to - span.from < brief && is_passing(one, position) {
            continue;
        }
        let same: Vec<Span> = other
            .iter()
            .copied()
            .filter(|own| own.replicas == span.replicas)
            .collect();
        if same.is_empty() {
            return None;
        }
        // The distance grows until the middle of a gap, and is largest there or at an end.
        let middles = same
            .windows(2)
            .map(|pair| i64::midpoint(pair[0].to, pair[1].from));
        let moments = middles
            .filter(|moment| (span.from..span.to).contains(moment))
            .chain([span.from, span.to]);
        for moment in moments {
            let nearest = same
                .iter()
                .map(|own| (own.from - moment).max(moment - own.to).max(0));
            most = most.max(nearest.min().unwrap_or(0));
        }
    }
    Some(most)
}

/// Whether a number is the first, or lies between the one before and the one after it.
fn is_passing(spans: &[Span], position: usize) -> bool {
    let own = spans[position].replicas;
    let Some(after) = spans.get(position + 1).map(|span| span.replicas) else {
        return false;
    };
    let before = position
        .checked_sub(1)
        .map_or(own, |before| spans[before].replicas);
    (before.min(after)..=before.max(after)).contains(&own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIEF: Millis = 1000;

    #[track_caller]
    fn check(one: &[(Millis, i64)], other: &[(Millis, i64)], expected: Option<Millis>) {
        let (one, other) = (Trace::between(one, 0, 60_000), Trace::between(other, 0, 60_000));
        assert_eq!(one.distance(&other, BRIEF), expected);
        assert_eq!(other.distance(&one, BRIEF), expected);
    }

    #[test]
    fn the_same_steps_at_other_times_differ_by_the_largest_delay() {
        check(&[(0, 1), (10_000, 3)], &[(0, 1), (10_000, 3)], Some(0));
        check(
            &[(0, 1), (10_000, 3), (20_000, 1)],
            &[(0, 1), (10_400, 3), (19_300, 1)],
            Some(700),
        );
    }

    #[test]
    fn a_number_that_the_other_never_has_is_no_delay() {
        check(&[(0, 1), (10_000, 3)], &[(0, 1), (10_000, 4)], None);
        check(&[(0, 1), (10_000, 3)], &[(0, 1)], None);
        check(&[(0, 1), (10_000, 2), (11_000, 3)], &[(0, 1), (10_500, 3)], None);
    }

    #[test]
    fn a_short_step_on_the_way_may_be_skipped_and_no_other() {
        check(
            &[(0, 1), (10_000, 2), (10_900, 3)],
            &[(0, 1), (10_500, 3)],
            Some(500),
        );
        check(
            &[(0, 0), (10_000, 1), (10_900, 3), (30_000, 1)],
            &[(0, 0), (10_200, 3), (30_000, 1)],
            Some(700),
        );
        check(&[(0, 1), (300, 3)], &[(0, 3)], Some(300));
        check(&[(0, 1), (10_000, 0), (10_900, 1)], &[(0, 1)], None);
        check(&[(0, 1), (10_000, 4), (10_900, 3)], &[(0, 1), (10_000, 3)], None);
    }

    #[test]
    fn a_missed_dip_is_as_far_as_the_dip_is_long() {
        check(
            &[(0, 3), (10_000, 1), (18_000, 3), (40_000, 1)],
            &[(0, 3), (40_000, 1)],
            Some(22_000 + 8_000),
        );
    }

    #[test]
    fn what_was_before_the_first_moment_counts_as_its_state() {
        let trace = Trace::between(&[(-5, 1), (-3, 2), (0, 3), (4, 3), (70, 9)], 0, 50);
        assert_eq!((trace.values(), trace.spans().len()), (vec![3], 1));
    }
}
