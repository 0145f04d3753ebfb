//! One step of a simulation, told only to those who ask.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::Millis;
use super::answers::Answer;
use crate::activate::{Decision, TriggerReading};
use crate::explain;
use crate::hpa::{ConditionType, Controller, Limit, Outcome, Status};

/// Who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The HPA, at a sync.
    Hpa,
    /// KEDA, at a poll.
    Keda,
}

/// One step: the start, a poll, or a sync of the HPA. Nothing is written out before it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    pub(super) t: Millis,
    pub(super) before: i32,
    pub(super) replicas: i32,
    pub(super) ready: i32,
    pub(super) desired: i32,
    pub(super) names: &'a [String],
    pub(super) values: &'a [Option<f64>],
    pub(super) backlog: Option<f64>,
    pub(super) cause: Cause<'a>,
}

/// What led to a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause<'a> {
    /// The simulation begins.
    Start,
    /// A poll of the scale loop.
    Poll {
        decision: &'a Decision,
        readings: &'a [TriggerReading],
        answers: &'a [Answer],
    },
    /// A sync of the HPA.
    Sync {
        outcome: &'a Outcome,
        controller: &'a Controller,
        status: &'a Status,
        order: &'a [usize],
    },
}

impl Step<'_> {
    /// When it happened.
    pub fn t(&self) -> Millis {
        self.t
    }

    /// The replicas before it.
    pub fn before(&self) -> i32 {
        self.before
    }

    /// The replicas after it.
    pub fn replicas(&self) -> i32 {
        self.replicas
    }

    /// The ready pods after it.
    pub fn ready(&self) -> i32 {
        self.ready
    }

    /// The replicas that were wanted: the HPA's `desiredReplicas`, or those that KEDA sets.
    pub fn desired(&self) -> i32 {
        self.desired
    }

    /// Who acted.
    pub fn by(&self) -> By {
        match self.cause {
            Cause::Start | Cause::Poll { .. } => By::Keda,
            Cause::Sync { .. } => By::Hpa,
        }
    }

    /// Whether the replicas changed; the start counts as a change.
    pub fn is_change(&self) -> bool {
        self.before != self.replicas || matches!(self.cause, Cause::Start)
    }

    /// The value of each column as it was last read; `None` where it failed, or was not read yet.
    pub fn values(&self) -> &[Option<f64>] {
        self.values
    }

    /// The messages that wait, in a closed loop.
    pub fn backlog(&self) -> Option<f64> {
        self.backlog
    }

    /// Why the replicas are what they are now.
    pub fn why(&self) -> String {
        match self.cause {
            Cause::Start => "the simulation begins".to_owned(),
            Cause::Poll {
                decision,
                readings,
                answers,
            } => {
                let mut text = explain::decision(decision, readings, Some(self.before));
                for (name, answer) in self.names.iter().zip(answers) {
                    if let Answer::Fallback { milli } = answer {
                        let value = *milli as f64 / 1000.0;
                        let _ = write!(text, "; {name} fails, its fallback stands for it: {value}");
                    }
                }
                text
            }
            Cause::Sync {
                outcome,
                controller,
                status,
                order,
            } => self.sync(outcome, controller, status, order),
        }
    }

    fn sync(&self, outcome: &Outcome, controller: &Controller, status: &Status, order: &[usize]) -> String {
        let idle = || {
            let condition = status.condition(ConditionType::ScalingActive)?;
            Some(condition.message.to_string())
        };
        let (from, to) = (self.before, self.replicas);
        let moves = if from == to {
            format!("the HPA keeps {to}")
        } else {
            format!("the HPA goes from {from} to {to}")
        };
        let mut parts = Vec::new();
        let asked = outcome.metric.and_then(|metric| {
            let proposal = controller.proposals().get(metric)?.as_ref().ok()?;
            let name = order.get(metric).and_then(|column| self.names.get(*column))?;
            Some(format!("{name}: {}", proposal.calculation))
        });
        match (asked, &outcome.error) {
            (Some(asked), _) => parts.push(asked),
            (None, Some(error)) => parts.push(error.to_string()),
            (None, None) => {
                let reason = Some(outcome.reason.to_string()).filter(|text| !text.is_empty());
                parts.extend(reason.or_else(idle));
            }
        }
        if outcome.stabilized {
            parts.push("a stabilization window holds it back".to_owned());
        }
        if let Some(limit) = outcome.limit.filter(|limit| *limit != Limit::DesiredWithinRange) {
            parts.push(limit.to_string());
        }
        format!("{moves}: {}", parts.join("; "))
    }

    /// The step as it is printed.
    pub fn report(&self) -> StepReport {
        let values = self.values.iter().copied();
        StepReport {
            t: self.t as f64 / 1000.0,
            replicas: self.replicas,
            ready: self.ready,
            desired: self.desired,
            by: self.by(),
            why: self.why(),
            metrics: self.names.iter().cloned().zip(values).collect(),
            backlog: self.backlog,
        }
    }
}

/// A step as it is printed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// Seconds since the start.
    #[serde(serialize_with = "number")]
    pub t: f64,
    /// The replicas after the step.
    pub replicas: i32,
    /// The ready pods after the step.
    pub ready: i32,
    /// The replicas that were wanted.
    pub desired: i32,
    /// Who acted.
    pub by: By,
    /// Why the replicas are what they are now.
    pub why: String,
    /// The value of each metric as it was last read; null where it failed, or was not read yet.
    #[serde(serialize_with = "numbers")]
    pub metrics: BTreeMap<String, Option<f64>>,
    /// The messages that wait, in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional")]
    pub backlog: Option<f64>,
}

/// Whole numbers are written without a decimal point.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// Writes a number, see [`Number`].
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

/// Writes a number that may be missing.
#[expect(clippy::ref_option, reason = "serde's signature")]
pub(super) fn optional<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(Number).serialize(serializer)
}

fn numbers<S: Serializer>(map: &BTreeMap<String, Option<f64>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(name, value)| (name, value.map(Number))))
}
