//! What a search came to, and the manifest that says it.

use std::sync::atomic::AtomicBool;

use engine::simulate::Summary;
use engine::tune::{self, Effort, Point};

use super::goal::Goal;
use super::parameter;
use super::parameter::Parameter;
use super::trial::Trial;
use crate::exit::Failure;

/// A point with its figures.
#[derive(Debug)]
pub(crate) struct Run {
    /// The point.
    pub(crate) point: Point,
    /// Its figures; `None` where its object would be refused.
    pub(crate) summary: Option<Summary>,
}

/// What a search came to.
#[derive(Debug)]
pub(crate) struct Search {
    /// All points in the order in which they were tried; the first is what is there now.
    pub(crate) runs: Vec<Run>,
    /// The position of the proposal.
    pub(crate) best: usize,
    /// The positions of the points that no other beats in both objective and what it is traded for.
    pub(crate) front: Vec<usize>,
    /// Whether the proposal keeps the rules.
    pub(crate) feasible: bool,
}

impl Search {
    /// Searches the parameters. `done` is called once an evaluation.
    pub(crate) fn run(
        trial: &Trial<'_>,
        parameters: &[Parameter],
        goal: &Goal<'_>,
        effort: Effort,
        stop: &AtomicBool,
        done: &(dyn Fn() + Sync),
    ) -> Result<Self, Failure> {
        let mut summaries: Vec<Option<Summary>> = Vec::new();
        let found = tune::search(&parameter::space(parameters), effort, &mut |points| {
            let fresh = trial.evaluate(points, stop, done)?;
            let scores = fresh.iter().map(|summary| Some(goal.score(summary.as_ref()?)));
            let scores = scores.collect();
            summaries.extend(fresh);
            Ok::<_, Failure>(scores)
        })?;
        let best = &found.tried[found.best];
        let feasible = best.score.is_some_and(|score| score.is_feasible());
        let none = (f64::NAN, f64::NAN);
        let trades: Vec<(f64, f64)> = summaries
            .iter()
            .map(|summary| {
                summary
                    .as_ref()
                    .and_then(|summary| goal.trade(summary))
                    .unwrap_or(none)
            })
            .collect();
        let runs = found.tried.into_iter().zip(summaries);
        Ok(Self {
            runs: runs
                .map(|(tried, summary)| Run {
                    point: tried.point,
                    summary,
                })
                .collect(),
            best: found.best,
            front: tune::front(&trades),
            feasible,
        })
    }

    /// Whether something better was found than what is there now.
    pub(crate) fn is_change(&self) -> bool {
        self.best != 0
    }

    /// What the best point is called.
    pub(crate) fn called(&self) -> &'static str {
        if self.feasible { "proposed" } else { "closest" }
    }

    /// The point of the proposal.
    pub(crate) fn proposal(&self) -> &Run {
        &self.runs[self.best]
    }
}
