//! How a metric's number of replicas comes about, as a formula for people.

use std::fmt;

use crate::quantity::Quantity;

/// How a number of replicas comes about. Printing it gives the formula with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calculation {
    /// The formula.
    pub rule: Rule,
    /// What was measured.
    pub(super) usage: Amount,
    /// What it is compared with.
    pub(super) target: Amount,
    /// The ratio that decided.
    pub ratio: f64,
    /// How far from 1 the ratio could have been.
    pub tolerance: f64,
    /// The replicas there are.
    pub current: i32,
    /// The replicas that come out.
    pub replicas: i32,
    /// The pods that were counted.
    pub counted: i64,
    /// How many of them are not ready.
    pub unready: usize,
    /// How many of them have no value.
    pub missing: usize,
}

/// The formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The value over the target for each replica.
    PerReplica,
    /// As before, but what each replica has is close to the target.
    PerReplicaWithin,
    /// The value over the target, times the ready pods.
    Ready,
    /// As before, but the value is close to the target.
    ReadyWithin,
    /// The value over the target, as there is no replica.
    FromZero,
    /// A ratio over pods of which some are not ready or have no value, so that theirs is assumed.
    Assumed,
    /// As before, but with what is assumed the ratio is close to 1.
    AssumedWithin,
    /// As before, but what is assumed turns the direction.
    AssumedTurned,
}

/// An amount as it prints best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Amount {
    Quantity(Quantity),
    Percent(i32),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => percent.fmt(f),
            Self::Quantity(quantity) => {
                let text = quantity.to_string();
                // A plain number, unless a suffix reads better.
                if text.ends_with(['m', 'u', 'n']) {
                    quantity.to_f64().fmt(f)
                } else {
                    f.write_str(&text)
                }
            }
        }
    }
}

impl Calculation {
    fn within(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = (self.tolerance * 10_000.0).round() / 100.0;
        write!(f, ", within {percent} % of 1: stays at {}", self.current)
    }

    /// What was assumed of pods: that those without a value do not ask for a change.
    fn assumed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.unready, self.missing) {
            (unready, 0) => write!(f, "with {unready} not ready"),
            (0, missing) => write!(f, "with {missing} without a value"),
            (unready, missing) => write!(f, "with {unready} not ready and {missing} without a value"),
        }
    }
}

impl fmt::Display for Calculation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            usage,
            target,
            ratio,
            current,
            replicas,
            counted,
            ..
        } = self;
        match self.rule {
            Rule::PerReplica | Rule::FromZero => write!(f, "ceil({usage} / {target}) = {replicas}"),
            Rule::PerReplicaWithin => {
                write!(f, "{usage} / ({target} * {current}) = {ratio:.2}")?;
                self.within(f)
            }
            Rule::Ready => write!(f, "ceil({counted} ready * {usage} / {target}) = {replicas}"),
            Rule::ReadyWithin => {
                write!(f, "{usage} / {target} = {ratio:.2}")?;
                self.within(f)
            }
            Rule::Assumed => {
                write!(f, "ceil({counted} pods * {ratio:.2}) = {replicas}, ")?;
                self.assumed(f)
            }
            Rule::AssumedWithin => {
                write!(f, "{usage} / {target} is {ratio:.2} ")?;
                self.assumed(f)?;
                self.within(f)
            }
            Rule::AssumedTurned => {
                write!(f, "{usage} / {target} turns to {ratio:.2} ")?;
                self.assumed(f)?;
                write!(f, ": stays at {current}")
            }
        }
    }
}
