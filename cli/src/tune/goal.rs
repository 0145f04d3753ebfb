//! What is wanted: a figure that should be small or large, and rules that must hold.

use engine::simulate::Summary;
use engine::tune::Score;

use crate::exit::Failure;
use crate::simulate::assertion::{Assertion, Bound};
use crate::simulate::columns::Metric;
use crate::simulate::figures::{self, Known};

/// What is wanted of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// As little as can be.
    Least,
    /// As much as can be.
    Most,
}

impl Direction {
    /// As it reads.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Least => "minimize",
            Self::Most => "maximize",
        }
    }

    /// A figure of which less is better.
    fn cost(self, value: f64) -> f64 {
        match self {
            Self::Least => value,
            Self::Most => -value,
        }
    }
}

/// The objective and the rules.
#[derive(Clone, Debug)]
pub(crate) struct Goal<'a> {
    /// The figure of the objective.
    pub(crate) figure: &'a str,
    /// Where it should go.
    pub(crate) direction: Direction,
    /// What must hold.
    pub(crate) rules: &'a [Assertion],
    /// The metrics of the object.
    pub(crate) metrics: &'a [Metric],
}

impl Goal<'_> {
    /// Refuses figures that there will not be.
    pub(crate) fn check(&self, known: Known<'_>) -> Result<(), Failure> {
        known.check_one(
            &format!("cannot {} `{}`", self.direction.verb(), self.figure),
            self.figure,
        )?;
        self.rules.iter().try_for_each(|rule| known.check(rule))
    }

    /// A figure of a run.
    pub(crate) fn look(&self, summary: &Summary, figure: &str) -> Option<f64> {
        figures::look(summary, self.metrics, figure)
    }

    /// The objective of a run.
    pub(crate) fn objective(&self, summary: &Summary) -> Option<f64> {
        self.look(summary, self.figure)
    }

    /// How far a run is from keeping a rule.
    pub(crate) fn shortfall(&self, summary: &Summary, rule: &Assertion) -> f64 {
        rule.shortfall(&|figure| self.look(summary, figure))
    }

    /// How good a run is.
    pub(crate) fn score(&self, summary: &Summary) -> Score {
        let objective = self.objective(summary).map(|value| self.direction.cost(value));
        Score {
            objective: objective.unwrap_or(f64::INFINITY),
            violation: self.rules.iter().map(|rule| self.shortfall(summary, rule)).sum(),
        }
    }

    /// What the objective is traded for: the figure that the first rule limits.
    pub(crate) fn traded(&self) -> Option<Bound<'_>> {
        self.rules.iter().find_map(Assertion::bound)
    }

    /// Objective and what it is traded for, less of both being better; `None` where a run lacks one.
    pub(crate) fn trade(&self, summary: &Summary) -> Option<(f64, f64)> {
        let bound = self.traded()?;
        let (objective, other) = (self.objective(summary)?, self.look(summary, bound.figure)?);
        let other = if bound.below { other } else { -other };
        Some((self.direction.cost(objective), other))
    }
}
