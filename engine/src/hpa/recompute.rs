//! The decisions of a live HPA, recomputed from what it was served. Pure.
//!
//! ```text
//! values served ─▶ Served ─┐
//! status of the HPA ───────┴▶ what each metric asks for ─▶ windows, rates, bounds ─▶ Verdict
//!                                                               ▲ History: earlier syncs
//! ```
//!
//! Each change of an HPA's status is one sync of its controller, and it was made with the very spec that stands beside it: the
//! write carries the resource version. What nobody tells is taken as a range: when exactly the sync was, by how many replicas
//! a value was divided, which pods are ready, what an earlier sync recommended. A difference is only what lies outside the
//! range, so that a sync which cannot be followed is never called wrong.

mod history;
mod metrics;
mod served;
mod sighting;
mod sync;
#[cfg(test)]
mod tests;
mod verdict;

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use super::spec::{Source, Spec};
use super::world::Options;
use history::{History, Past, Span, longest, reach};
use served::{Millis, Served};
use sync::{Sync, Wanted, reason};

pub use sighting::{Sighting, mark};
pub use verdict::{Recomputed, Unseen, Verdict};

/// How late a status may be seen, and how far a sync's own reads may lie apart.
const SLACK: Millis = 3_000;
/// Without a read to go by, a sync was at most so long before its status was seen.
const LATE: Millis = 30_000;
/// Own writes of the scale that are remembered.
const WRITES: usize = 4;

/// Numbers of replicas from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    least: i32,
    most: i32,
}

impl Range {
    const fn exactly(replicas: i32) -> Self {
        Self {
            least: replicas,
            most: replicas,
        }
    }

    const fn is_exact(self) -> bool {
        self.least == self.most
    }

    const fn holds(self, replicas: i32) -> bool {
        self.least <= replicas && replicas <= self.most
    }

    fn or(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            least: self.least.max(other.least),
            most: self.most.max(other.most),
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_sub(other.most),
            most: self.most.saturating_sub(other.least),
        }
    }
}

/// How far an HPA has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// It was not seen.
    #[default]
    Unseen,
    /// It was seen before its first sync.
    Fresh,
    /// It has synced.
    Synced,
}

/// Follows one HPA from outside.
#[derive(Clone, Debug, Default)]
pub struct Mirror {
    served: Served,
    history: History,
    /// What the HPA set last, or left.
    scale: Option<i32>,
    /// What the controller set since.
    own: Vec<i32>,
    /// Whether the HPA was seen, and had synced.
    stage: Stage,
    /// Whether the last sync recommended something.
    recommended: bool,
    /// Whether a status has shown a value that was served.
    in_step: bool,
    /// Whether a status may have been lost since the last one.
    disturbed: bool,
}

impl Mirror {
    /// A metric of the HPA is served with this value, in thousandths.
    pub fn serve(&mut self, metric: &str, milli: i64, at: Timestamp) {
        self.served.note(metric, milli, at.as_millisecond());
    }

    /// The controller is about to set the scale itself.
    pub fn set_scale(&mut self, replicas: i32) {
        if self.own.len() == WRITES {
            self.own.remove(0);
        }
        self.own.push(replicas);
    }

    /// The HPA was seen, which is `seen`; `before` is how it was seen last. Gives what came of a sync in between, if it decided
    /// anything.
    pub fn observe(
        &mut self,
        options: &Options,
        before: Option<&Sighting>,
        seen: &Sighting,
        after: &HorizontalPodAutoscaler,
        at: Timestamp,
    ) -> Option<Recomputed> {
        let now = at.as_millisecond();
        let same = before.filter(|before| self.stage != Stage::Unseen && before.is_same(seen));
        let Some(before) = same else {
            self.begin(after, now);
            return None;
        };
        if before.spec != seen.spec || before.status == seen.status {
            // A write by somebody else may have cost a sync its status.
            self.disturbed = true;
            self.history.unknown_before = Some(now);
        }
        if before.status == seen.status {
            return None;
        }
        let status = after.status.as_ref()?;
        let namespace = after.metadata.namespace.as_deref().unwrap_or_default();
        let spec = Spec::new(namespace, &after.spec).ok()?;
        let able = reason(status, "AbleToScale");
        if matches!(able, "FailedGetScale" | "") {
            return None;
        }
        self.served.keep(|name| {
            let of = |source: &Source| matches!(source, Source::External { metric, .. } if metric == name);
            spec.metrics.iter().any(|metric| of(&metric.source))
        });
        let sync = Sync {
            options,
            spec: &spec,
            status,
            able,
            current: status.current_replicas.unwrap_or(0),
            now,
        };
        let found = self.recompute(&sync);
        self.disturbed = false;
        found
    }

    fn begin(&mut self, hpa: &HorizontalPodAutoscaler, now: Millis) {
        let status = hpa.status.as_ref();
        let synced = status.is_some_and(|status| status.conditions.as_ref().is_some_and(|c| !c.is_empty()));
        *self = Self {
            served: std::mem::take(&mut self.served),
            own: std::mem::take(&mut self.own),
            scale: status.filter(|_| synced).map(|status| status.desired_replicas),
            stage: if synced { Stage::Synced } else { Stage::Fresh },
            disturbed: true,
            ..Self::default()
        };
        self.history.unknown_before = synced.then_some(now);
    }

    /// Looks at one sync, and takes its place in the history.
    fn recompute(&mut self, sync: &Sync<'_>) -> Option<Recomputed> {
        let current = sync.current;
        let wanted = sync.wants(&self.served, self.in_step);
        let span = wanted.span(sync.now);
        let window = sync.window();
        if std::mem::replace(&mut self.stage, Stage::Synced) == Stage::Fresh {
            let initial = Range::exactly(current);
            self.history.recommend(initial, initial, Some(span.from), span.to);
        }
        if self.recommended {
            self.repeat(sync);
        }
        self.take(sync, &wanted);
        let (recommendations, events) = reach(sync.spec.behavior.as_ref(), window);
        self.history.forget_before(
            span.from.saturating_sub(recommendations),
            span.from.saturating_sub(events),
        );
        let changed_from = self.changed_from(sync, &wanted, span);
        let decided = sync.decided();
        let mut arithmetic = wanted.words.clone();
        let verdict = if let Some(other) = &wanted.other {
            Some(other.clone())
        } else if decided {
            Some(self.verdict(sync, &wanted, span, &mut arithmetic))
        } else {
            None
        };
        self.remember(sync, &wanted, span);
        let desired = if decided {
            sync.status.desired_replicas
        } else {
            current
        };
        let verdict = verdict.or_else(|| changed_from.map(|_| Verdict::Agrees))?;
        Some(Recomputed {
            current,
            desired,
            verdict,
            changed_from,
            arithmetic,
        })
    }

    /// The syncs since the last status changed nothing: they recommended the same.
    fn repeat(&mut self, sync: &Sync<'_>) {
        let reads: Vec<_> = sync
            .externals()
            .filter_map(|metric| self.served.shown(metric))
            .collect();
        let (Some(previous), Some(last)) = (
            reads.iter().map(|reads| reads.previous).min(),
            reads.iter().map(|reads| reads.last).max(),
        ) else {
            return;
        };
        // The reads may be another's: then the HPA's own are up to a period older.
        let period = Millis::try_from(sync.options.sync_period.as_millis()).unwrap_or(Millis::MAX);
        self.history.repeat(
            previous.saturating_sub(period).saturating_sub(SLACK),
            last.saturating_add(SLACK),
        );
    }

    /// What the scale was before somebody else changed it, if somebody did.
    fn changed_from(&mut self, sync: &Sync<'_>, wanted: &Wanted, span: Span) -> Option<i32> {
        let current = sync.current;
        let own = self.own.iter().position(|own| *own == current);
        if let Some(own) = own {
            self.own.drain(..=own);
        }
        let before = self.scale?;
        if current == before || own.is_some() || self.disturbed {
            return None;
        }
        // A change of the HPA itself, whose status was lost.
        let lost = sync
            .normalize(&self.history, wanted.possible, before, span, Past::Possible)
            .0;
        let bounds = [sync.spec.min_replicas, sync.spec.max_replicas];
        (before == 0 || !(lost.holds(current) || bounds.contains(&current))).then_some(before)
    }

    fn verdict(&mut self, sync: &Sync<'_>, wanted: &Wanted, span: Span, words: &mut String) -> Verdict {
        let desired = sync.status.desired_replicas;
        let (current, spec) = (sync.current, sync.spec);
        let bound = if current > spec.max_replicas {
            Some((spec.max_replicas, "maximum"))
        } else if current < spec.min_replicas {
            Some((spec.min_replicas, "minimum"))
        } else {
            None
        };
        if let Some((bound, name)) = bound {
            *words = format!("the {name} is {bound}");
            return Verdict::of(Range::exactly(bound), desired);
        }
        let (seen, limit) = sync.normalize(&self.history, wanted.seen, current, span, Past::Seen);
        let seen = wanted.held(seen, current);
        if let Some(limit) = limit {
            if !words.is_empty() {
                words.push_str("; ");
            }
            words.push_str(&limit);
        }
        if seen.holds(desired) && wanted.unseen != Some(Unseen::Served) {
            return Verdict::Agrees;
        }
        let possible = |past| {
            wanted.held(
                sync.normalize(&self.history, wanted.possible, current, span, past)
                    .0,
                current,
            )
        };
        if possible(Past::Possible).holds(desired) {
            let unseen = wanted.unseen.unwrap_or(Unseen::Past);
            return Verdict::Unknown { unseen };
        }
        let (window, period) = reach(spec.behavior.as_ref(), sync.window());
        let recently = span.to.saturating_sub(window.max(period).saturating_mul(2));
        let may_be_new = self.history.renewed.is_none_or(|time| time < recently);
        if may_be_new && possible(Past::None).holds(desired) {
            self.history.renew(current, span);
            return Verdict::Unknown {
                unseen: Unseen::Memory,
            };
        }
        Verdict::of(seen, desired)
    }

    /// Takes the values that the sync used, and adds to the history what others in between may have been used for: a sync whose
    /// status stayed the same.
    fn take(&mut self, sync: &Sync<'_>, wanted: &Wanted) {
        for (metric, milli) in &wanted.used {
            self.in_step = true;
            let skipped = self.served.show(metric, *milli);
            let Some((seen, possible)) = self.history.newest() else {
                continue;
            };
            for (milli, last) in skipped {
                let asks = sync.asks(metric, milli);
                let last = last.saturating_add(SLACK);
                self.history
                    .recommend(seen.or(asks), possible.or(asks), None, last);
            }
        }
    }

    /// Adds the sync to the history.
    fn remember(&mut self, sync: &Sync<'_>, wanted: &Wanted, span: Span) {
        let (current, desired) = (sync.current, sync.status.desired_replicas);
        self.scale = Some(if sync.decided() { desired } else { current });
        self.recommended = false;
        if wanted.other.is_some() {
            self.history.unknown_before = Some(sync.now);
            return;
        }
        let within = (sync.spec.min_replicas..=sync.spec.max_replicas).contains(&current);
        if within && (sync.decided() || sync.able == "FailedUpdateScale") {
            self.recommended = true;
            let up = sync.spec.behavior.as_ref();
            let up = up.and_then(|behavior| behavior.scale_up.stabilization_window_seconds);
            if up.unwrap_or(0) == 0 {
                self.history.forget_lower(wanted.possible);
            }
            self.history
                .recommend(wanted.seen, wanted.possible, Some(span.from), span.to);
        }
        if let Some(behavior) = sync
            .spec
            .behavior
            .as_ref()
            .filter(|_| sync.decided() && desired != current)
        {
            let up = desired > current;
            let rules = if up {
                &behavior.scale_up
            } else {
                &behavior.scale_down
            };
            let change = desired.saturating_sub(current);
            self.history.scaled(change, span, longest(rules));
        }
    }
}
