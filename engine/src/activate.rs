//! Activation (0↔1, or idle↔min) of one ScaledObject: one iteration of its scale loop, or one push.
//!
//! Upstream: `pkg/scaling/executor`, `RequestScale`; facts semantics §3.2 to §3.5.

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crds::{Condition, ConditionStatus, ConditionType, find_condition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::action::{Action, Failure, ScaleTarget};
use crate::condition::{self, seconds};
use crate::desired::Desired;
use crate::event::{Event, reason};
use crate::metric::MetricName;
use crate::status::{Activity, StatusPatch};

/// What one metric of one trigger says about activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reading {
    /// The event source wants replicas.
    Active,
    /// The event source wants none.
    Inactive,
    /// cpu and memory: measured by the HPA, they carry no activity.
    Resource,
    /// The event source could not be asked.
    Failed(String),
}

/// One metric of one trigger, as read in this iteration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerReading {
    /// The position of the trigger in the spec.
    pub trigger: usize,
    /// The metric; for cpu and memory that word.
    pub metric: MetricName,
    /// The value, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it says.
    pub reading: Reading,
}

/// The `ScalingActive` condition of the HPA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaScaling {
    /// Its status.
    pub status: ConditionStatus,
    /// Its reason.
    pub reason: String,
    /// Its message.
    pub message: String,
}

/// The world as one iteration saw it. It is serialisable, so that a bug report is a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// The workload.
    pub target: ScaleTarget,
    /// `spec.replicas` of the workload (absent counts as 1), or why it could not be read.
    pub replicas: Result<i32, String>,
    /// What the triggers said.
    pub readings: Vec<TriggerReading>,
    /// `status.lastActiveTime`.
    pub last_active: Option<Timestamp>,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// The HPA's `ScalingActive`, if there is an HPA that has one.
    pub hpa: Option<HpaScaling>,
    /// Whether the readings are those of a poll or a single push message.
    pub source: Source,
}

/// What led to the iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The polling interval.
    #[default]
    Poll,
    /// A message of a push scaler; only messages that say `true` act.
    Push,
}

/// What to do about the scale target, and why. Every variant is a sentence that `explain` can print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Leave zero or the idle replicas.
    Activate {
        /// The replicas to go to.
        to: i32,
    },
    /// Active, and the HPA does the rest.
    StayActive,
    /// Go to zero or to the idle replicas.
    Deactivate {
        /// The replicas to go to.
        to: i32,
    },
    /// Not active, but below the minimum.
    RaiseToMin {
        /// The replicas to go to.
        to: i32,
    },
    /// Not active; deactivation waits.
    CoolDown {
        /// The moment after which it may happen.
        until: Timestamp,
    },
    /// Leave the replicas as they are.
    Hold(Why),
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// An annotation pauses the object.
    Paused,
    /// An annotation forbids adding replicas.
    ScaleOutPaused,
    /// An annotation forbids removing replicas.
    ScaleInPaused,
    /// Active, though some trigger failed.
    SomeTriggersFailed,
    /// Blind: never scale a workload down.
    TriggersFailed,
    /// The current replicas are not known.
    ReplicasUnknown,
    /// The replicas are what they should be.
    AlreadyThere,
    /// A push that asks for nothing, or for a metric that is not known yet.
    NothingPushed,
}

/// Decides about one iteration. Upstream: facts semantics §3.2, in its order.
pub fn decide(want: &Desired, seen: &Observed, now: Timestamp) -> Decision {
    use Decision::{Activate, CoolDown, Deactivate, Hold, RaiseToMin, StayActive};
    let Ok(replicas) = seen.replicas else {
        return Hold(Why::ReplicasUnknown);
    };
    if want.pause.is_full() {
        return Hold(Why::Paused);
    }
    let failed = is_blind(want, seen);
    if want.forced || is_active(&seen.readings, failed) {
        let dormant = replicas == 0 || want.idle.is_some() && replicas < want.min;
        return match dormant {
            true if want.pause.stops_scale_out() => Hold(Why::ScaleOutPaused),
            true => Activate {
                to: want.active_floor(),
            },
            false if failed => Hold(Why::SomeTriggersFailed),
            false => StayActive,
        };
    }
    if seen.source == Source::Push {
        // The polls decide about inactivity.
        return Hold(Why::NothingPushed);
    }
    if failed {
        // DEVIATION: with a fallback of 0 replicas upstream goes on to deactivate. Fallback is not in this version
        // yet, and a workload is never dropped while its event source cannot be seen.
        return Hold(Why::TriggersFailed);
    }
    let above_floor = match want.idle {
        Some(idle) => replicas > idle,
        None => replicas > 0 && want.min == 0,
    };
    if above_floor {
        let until = cooldown_end(want, seen.last_active);
        return match until {
            _ if want.pause.stops_scale_in() => Hold(Why::ScaleInPaused),
            Some(until) if now <= until => CoolDown { until },
            _ => Deactivate {
                to: want.dormant_floor(),
            },
        };
    }
    if want.idle.is_none() && replicas < want.min {
        return RaiseToMin { to: want.min };
    }
    Hold(Why::AlreadyThere)
}

/// Whether any trigger failed; one of a poll that said nothing at all counts as failed.
fn is_blind(want: &Desired, seen: &Observed) -> bool {
    seen.readings
        .iter()
        .any(|trigger| matches!(trigger.reading, Reading::Failed(_)))
        || silent(want, seen).next().is_some()
}

/// The triggers of which a poll has no reading.
fn silent<'a>(want: &Desired, seen: &'a Observed) -> impl Iterator<Item = usize> + 'a {
    let count = if seen.source == Source::Poll {
        want.trigger_count
    } else {
        0
    };
    (0..count).filter(|index| seen.readings.iter().all(|trigger| trigger.trigger != *index))
}

/// Whether any trigger is active; an object with only cpu and memory always is, unless something failed.
fn is_active(readings: &[TriggerReading], failed: bool) -> bool {
    readings.iter().any(|trigger| trigger.reading == Reading::Active)
        || !failed
            && !readings.is_empty()
            && readings
                .iter()
                .all(|trigger| trigger.reading == Reading::Resource)
}

/// The last moment at which deactivation is not allowed; `None` if there is no such moment.
fn cooldown_end(want: &Desired, last_active: Option<Timestamp>) -> Option<Timestamp> {
    let (start, period) = match last_active {
        Some(time) => (time, want.cooldown),
        None => (want.created?, want.initial_cooldown),
    };
    Some(start.saturating_add(period).unwrap_or(Timestamp::MAX))
}

/// The effects of one iteration, and what to do if one of them fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[must_use = "a plan that nobody carries out changes nothing"]
pub struct Plan {
    /// What was decided.
    pub decision: Decision,
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// When the next poll begins.
    pub next: Timestamp,
}

/// Turns the decision into effects. Total, and the only place that knows which effects a decision has.
pub fn plan(want: &Desired, seen: &Observed, now: Timestamp) -> Plan {
    let decision = decide(want, seen, now);
    let mut actions = Vec::new();
    let scaled = |to| Action::SetScale {
        target: seen.target.clone(),
        from: seen.replicas.clone().unwrap_or(to),
        to,
    };
    actions.extend(decision.scales_to().map(scaled));
    match decision {
        Decision::Activate { to } => {
            actions.push(Action::Emit(Event::normal(
                reason::TARGET_ACTIVATED,
                activated(want, seen, to),
            )));
        }
        Decision::Deactivate { to } => {
            let from = seen.replicas.clone().unwrap_or(to);
            let note = format!("Deactivated {} from {from} to {to}", seen.target);
            actions.push(Action::Emit(Event::normal(reason::TARGET_DEACTIVATED, note)));
        }
        // Raising is without an Event, as upstream.
        Decision::RaiseToMin { .. }
        | Decision::StayActive
        | Decision::CoolDown { .. }
        | Decision::Hold(_) => {}
    }
    let mut status = status(want, seen, &decision);
    if decision.is_activity() {
        status.last_active = Some(now);
    }
    if status != StatusPatch::default() {
        actions.push(Action::PatchStatus(Box::new(status)));
    }
    let next = now
        .saturating_add(want.polling_interval)
        .unwrap_or(Timestamp::MAX);
    Plan {
        decision,
        actions,
        next,
    }
}

impl Plan {
    /// What to carry out instead of the rest after an action failed.
    ///
    /// A failed scale keeps its cause in an Event and in the Ready condition; a stale plan is simply dropped.
    pub fn after_failure(&self, failed: &Action, failure: &Failure) -> Vec<Action> {
        let (Action::SetScale { target, from, to }, Failure::Refused(error)) = (failed, failure) else {
            return Vec::new();
        };
        let why = match self.decision {
            Decision::Deactivate { .. } => reason::TARGET_DEACTIVATION_FAILED,
            _ => reason::TARGET_ACTIVATION_FAILED,
        };
        let note = format!("{target} could not be scaled from {from} to {to}: {error}");
        let mut actions = vec![Action::Emit(Event::warning(why, note.clone()))];
        for action in &self.actions {
            if let Action::PatchStatus(patch) = action {
                let mut patch = patch.as_ref().clone().with([condition::scale_failed(why, &note)]);
                patch.last_active = None;
                actions.push(Action::PatchStatus(Box::new(patch)));
            }
        }
        actions
    }
}

fn activated(want: &Desired, seen: &Observed, to: i32) -> String {
    let from = seen.replicas.clone().unwrap_or(0);
    let scaled = format!("Scaled {} from {from} to {to}", seen.target);
    if want.forced {
        return format!("{scaled}, caused by forced activation annotation");
    }
    let names: Vec<&str> = seen
        .readings
        .iter()
        .filter(|trigger| matches!(trigger.reading, Reading::Active | Reading::Resource))
        .map(|trigger| trigger.metric.as_str())
        .collect();
    format!("{scaled}, triggered by {}", names.join(";"))
}

/// What the iteration writes to the status, but for the time of activity.
fn status(want: &Desired, seen: &Observed, decision: &Decision) -> StatusPatch {
    match decision {
        Decision::Hold(Why::NothingPushed) => return StatusPatch::default(),
        Decision::Hold(Why::Paused) => return StatusPatch::of_conditions([condition::paused()]),
        Decision::Hold(Why::ReplicasUnknown) => {
            let error = seen.replicas.as_ref().err().map_or("", String::as_str);
            let mut conditions = Vec::new();
            if ready_is_ours(&seen.conditions) {
                conditions.push(condition::replicas_unknown(error));
            }
            return StatusPatch {
                conditions,
                activity: Some(activity(seen)),
                ..StatusPatch::default()
            };
        }
        _ => {}
    }
    let mut conditions = Vec::new();
    if ready_is_ours(&seen.conditions) {
        conditions.push(match decision {
            Decision::Hold(Why::SomeTriggersFailed) => {
                condition::partial_trigger_error(&blindness(want, seen))
            }
            Decision::Hold(Why::TriggersFailed) => condition::trigger_error(&blindness(want, seen)),
            _ => condition::ready(&want.gaps()),
        });
    }
    conditions.push(match decision {
        Decision::Activate { .. }
        | Decision::StayActive
        | Decision::Hold(Why::SomeTriggersFailed | Why::ScaleOutPaused) => active(want),
        Decision::CoolDown { until } => condition::cooldown(*until),
        _ => condition::not_active(),
    });
    conditions.push(condition::no_fallback());
    if let Some(hpa) = &seen.hpa {
        conditions.push(condition::hpa_active(&hpa.status, &hpa.reason, &hpa.message));
    }
    StatusPatch {
        conditions,
        activity: Some(activity(seen)),
        ..StatusPatch::default()
    }
}

fn active(want: &Desired) -> Condition {
    if want.forced {
        condition::forced()
    } else {
        condition::active()
    }
}

/// Whether the loop may write Ready: the verdict of a failed reconcile is the reconcile's to take back.
// DEVIATION: upstream's loop overwrites ScaledObjectCheckFailed with Ready=True.
fn ready_is_ours(conditions: &[Condition]) -> bool {
    find_condition(conditions, &ConditionType::Ready)
        .is_none_or(|ready| !(ready.is_false() && ready.reason == condition::reason::CHECK_FAILED))
}

/// The failed metrics and their errors, as one text that stays the same while the errors do.
pub fn failures(readings: &[TriggerReading]) -> String {
    let texts: Vec<String> = readings
        .iter()
        .filter_map(|trigger| match &trigger.reading {
            Reading::Failed(error) => Some(format!("{}: {error}", trigger.metric)),
            _ => None,
        })
        .collect();
    texts.join("; ")
}

/// What could not be seen.
fn blindness(want: &Desired, seen: &Observed) -> String {
    let failed = Some(failures(&seen.readings)).filter(|text| !text.is_empty());
    let silent = silent(want, seen).map(|index| format!("trigger {index} gave no reading"));
    failed.into_iter().chain(silent).collect::<Vec<_>>().join("; ")
}

fn activity(seen: &Observed) -> Activity {
    let states: BTreeMap<String, bool> = seen
        .readings
        .iter()
        .filter(|trigger| trigger.reading != Reading::Resource)
        .map(|trigger| {
            (
                trigger.metric.as_str().to_owned(),
                trigger.reading == Reading::Active,
            )
        })
        .collect();
    match seen.source {
        Source::Poll => Activity::All(states),
        Source::Push => Activity::Some(states),
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activate { to } => write!(f, "activate: scale out to {to}"),
            Self::StayActive => f.write_str("active: the HPA decides the number of replicas"),
            Self::Deactivate { to } => write!(f, "deactivate: scale in to {to}"),
            Self::RaiseToMin { to } => write!(f, "raise to the minimum of {to}"),
            Self::CoolDown { until } => write!(
                f,
                "not active: wait until {} before deactivation",
                seconds(*until)
            ),
            Self::Hold(why) => write!(f, "hold: {why}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paused => "an annotation pauses the object",
            Self::ScaleOutPaused => "active, but an annotation pauses scaling out",
            Self::ScaleInPaused => "not active, but an annotation pauses scaling in",
            Self::SomeTriggersFailed => "active, though some triggers failed",
            Self::TriggersFailed => "triggers failed, and a workload is never scaled in blindly",
            Self::ReplicasUnknown => "the current replicas could not be read",
            Self::AlreadyThere => "the replicas are what they should be",
            Self::NothingPushed => "a push that asks for nothing",
        })
    }
}

impl Decision {
    /// The replicas that the target is scaled to; `None` if it is left alone.
    pub fn scales_to(&self) -> Option<i32> {
        match self {
            Self::Activate { to } | Self::Deactivate { to } | Self::RaiseToMin { to } => Some(*to),
            Self::StayActive | Self::CoolDown { .. } | Self::Hold(_) => None,
        }
    }

    /// Whether the cooldown begins anew: `status.lastActiveTime` becomes the time of the iteration.
    pub fn is_activity(&self) -> bool {
        matches!(self, Self::Activate { .. } | Self::StayActive)
    }

    /// One word for tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Activate { .. } => "Activate",
            Self::StayActive => "StayActive",
            Self::Deactivate { .. } => "Deactivate",
            Self::RaiseToMin { .. } => "RaiseToMin",
            Self::CoolDown { .. } => "CoolDown",
            Self::Hold(_) => "Hold",
        }
    }
}
