//! The search for better settings: which combinations are tried, and which one is proposed. Pure: whoever asks runs the
//! simulations, and the seed is an argument.
//!
//! ```text
//! Space ─▶ what is there now ─▶ a sample spread over the space ─▶ steps from the best ─▶ back where a change does not help
//!                    └───────────────── evaluate(points) ─▶ scores ───────────────────────┘
//! ```
//!
//! Points are asked for in lists whose content depends on nothing but the space, the scores, and the seed: how many of a list
//! are evaluated at a time changes no answer. No point is asked for twice.

mod front;
#[cfg(test)]
mod properties;
mod random;
mod search;

use std::cmp::Ordering;

pub use front::front;
pub use search::search;

/// A combination of settings: the position of a value on each axis.
pub type Point = Vec<usize>;

/// One setting and the values that it may have, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// How many values there are, at least one.
    pub values: usize,
    /// The position of the value that is there now.
    pub current: usize,
}

/// All settings that are searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    axes: Vec<Axis>,
}

impl Space {
    /// A space of these axes. An axis has at least the value that is there now.
    pub fn new(axes: impl IntoIterator<Item = Axis>) -> Self {
        let sound = |axis: Axis| Axis {
            values: axis.values.max(axis.current + 1),
            ..axis
        };
        Self {
            axes: axes.into_iter().map(sound).collect(),
        }
    }

    /// What is there now.
    pub fn current(&self) -> Point {
        self.axes.iter().map(|axis| axis.current).collect()
    }

    /// How many settings a point changes.
    pub fn changes(&self, point: &[usize]) -> usize {
        let pairs = self.axes.iter().zip(point);
        pairs.filter(|(axis, value)| axis.current != **value).count()
    }

    /// How many points there are, as far as that can be counted.
    pub fn size(&self) -> usize {
        let counts = self.axes.iter().map(|axis| axis.values);
        counts.fold(1, usize::saturating_mul)
    }
}

/// How good a point is: less is better in both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// What is minimised.
    pub objective: f64,
    /// How far the rules are from holding; 0 where all of them hold.
    pub violation: f64,
}

impl Score {
    /// Whether the rules hold.
    pub fn is_feasible(&self) -> bool {
        self.violation <= 0.0
    }

    /// What is no number is worse than any number.
    fn sound(self) -> Self {
        let sound = |value: f64| if value.is_nan() { f64::INFINITY } else { value };
        Self {
            objective: sound(self.objective),
            violation: sound(self.violation).max(0.0),
        }
    }

    /// Rules come before the objective.
    fn order(&self, other: &Self) -> Ordering {
        let violation = self.violation.partial_cmp(&other.violation);
        let objective = self.objective.partial_cmp(&other.objective);
        violation
            .unwrap_or(Ordering::Equal)
            .then(objective.unwrap_or(Ordering::Equal))
    }
}

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Most points, what is there now included.
    pub evaluations: usize,
    /// Decides where the sample lies; the same seed gives the same search.
    pub seed: u64,
}

/// A point that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The point.
    pub point: Point,
    /// Its score; `None` where it cannot be: an object that would be refused.
    pub score: Option<Score>,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// All points in the order in which they were tried; the first is what is there now.
    pub tried: Vec<Tried>,
    /// The position of the point that is proposed. Where no point keeps the rules, it is the one that is closest to it.
    pub best: usize,
}
