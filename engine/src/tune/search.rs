//! The search itself: a sample that is spread over the space, then steps from the best point, then back towards what is there
//! now as long as that costs nothing.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::random::Random;
use super::{Effort, Found, Point, Score, Space, Tried};

/// A change that improves the objective by less than this share of it is not worth making.
const WORTH: f64 = 0.005;
/// Points of a sample from which the search goes on.
const STARTS: usize = 4;
/// Tries around the best point that may fail in a row.
const PATIENCE: u32 = 4;
/// Points of one try around the best point.
const AROUND: usize = 16;

/// Evaluates a list of points: a score each, `None` for a point that cannot be.
type Evaluate<'e, E> = dyn FnMut(&[Point]) -> Result<Vec<Option<Score>>, E> + 'e;

/// Searches a space. What is there now is evaluated first and always; a space that is small enough is tried as a whole.
///
/// The point that is proposed keeps the rules if any point does that was tried, and is never worse than what is there now. Among
/// points that are about as good it is one with few changes.
pub fn search<E>(space: &Space, effort: Effort, evaluate: &mut Evaluate<'_, E>) -> Result<Found, E> {
    let mut search = Search {
        space,
        random: Random::new(effort.seed),
        left: effort.evaluations.max(1),
        known: BTreeMap::new(),
        tried: Vec::new(),
        best: 0,
        evaluate,
    };
    search.ask(vec![space.current()])?;
    if space.size() - 1 <= search.left {
        search.ask(all(space))?;
    } else {
        search.roam()?;
    }
    let best = search.go_back()?;
    Ok(Found {
        tried: search.tried,
        best,
    })
}

/// Every point of a small space.
fn all(space: &Space) -> Vec<Point> {
    let mut points: Vec<Point> = vec![Point::new()];
    for axis in &space.axes {
        let longer = |point: &Point| {
            let point = point.clone();
            (0..axis.values).map(move |value| {
                let mut next = point.clone();
                next.push(value);
                next
            })
        };
        points = points.iter().flat_map(longer).collect();
    }
    points
}

struct Search<'s, 'e, E> {
    space: &'s Space,
    random: Random,
    /// Points that may still be evaluated.
    left: usize,
    /// Where each point stands in `tried`.
    known: BTreeMap<Point, usize>,
    tried: Vec<Tried>,
    best: usize,
    evaluate: &'s mut Evaluate<'e, E>,
}

impl<E> Search<'_, '_, E> {
    /// Evaluates what is new of a list, as far as that is allowed. Says whether there is a better point now.
    fn ask(&mut self, points: Vec<Point>) -> Result<bool, E> {
        let mut fresh: Vec<Point> = Vec::new();
        for point in points {
            if fresh.len() < self.left && !self.known.contains_key(&point) {
                self.known.insert(point.clone(), self.tried.len() + fresh.len());
                fresh.push(point);
            }
        }
        if fresh.is_empty() {
            return Ok(false);
        }
        self.left -= fresh.len();
        let mut scores = (self.evaluate)(&fresh)?.into_iter();
        let before = self.best;
        for point in fresh {
            let score = scores.next().flatten().map(Score::sound);
            self.tried.push(Tried { point, score });
            let last = self.tried.len() - 1;
            if self.order(last, self.best).is_lt() {
                self.best = last;
            }
        }
        Ok(self.best != before)
    }

    /// The better of two points comes first: by rules, objective, number of changes, and place in the space.
    fn order(&self, one: usize, other: usize) -> Ordering {
        let (one, other) = (&self.tried[one], &self.tried[other]);
        let scores = match (&one.score, &other.score) {
            (Some(one), Some(other)) => one.order(other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        };
        let changes = |tried: &Tried| self.space.changes(&tried.point);
        scores
            .then_with(|| changes(one).cmp(&changes(other)))
            .then_with(|| one.point.cmp(&other.point))
    }

    /// Points of which each axis has its whole range, evenly: a Latin hypercube.
    fn spread(&mut self, count: usize) -> Vec<Point> {
        let axes = self.space.axes.iter();
        let columns: Vec<Vec<usize>> = axes
            .map(|axis| {
                let strata = self.random.shuffled(count);
                strata
                    .into_iter()
                    .map(|stratum| stratum * axis.values / count)
                    .collect()
            })
            .collect();
        (0..count)
            .map(|row| columns.iter().map(|column| column[row]).collect())
            .collect()
    }

    /// Samples, steps from the best of the sample and from what is there now, tries around the best; and again with what is left.
    fn roam(&mut self) -> Result<(), E> {
        let axes = self.space.axes.len();
        // Going back asks for each change and each pair of them at most.
        let reserve = (axes * (axes + 1) / 2).min(self.left / 5);
        let mut starts = vec![0];
        while self.left > reserve {
            let before = self.tried.len();
            let sample = self.spread((self.left * 2).div_ceil(5));
            self.ask(sample)?;
            let held = reserve.min(self.left);
            self.left -= held;
            let mut fresh: Vec<usize> = (before..self.tried.len()).collect();
            fresh.sort_by(|one, other| self.order(*one, *other));
            starts.extend(fresh.into_iter().take(STARTS));
            for start in starts.drain(..) {
                self.descend(start)?;
            }
            self.wander()?;
            self.left += held;
            if self.tried.len() == before {
                break;
            }
        }
        Ok(())
    }

    /// Goes from a point along one axis at a time, in steps that become shorter.
    fn descend(&mut self, start: usize) -> Result<(), E> {
        let longest = self.space.axes.iter().map(|axis| axis.values).max().unwrap_or(1);
        let (mut here, mut shift) = (start, 2);
        while self.left > 0 {
            let points = self.neighbours(&self.tried[here].point, shift);
            self.ask(points.clone())?;
            let asked = points.iter().filter_map(|point| self.known.get(point).copied());
            let next = asked.min_by(|one, other| self.order(*one, *other));
            match next.filter(|next| self.order(*next, here).is_lt()) {
                Some(next) => here = next,
                None if longest >> shift <= 1 => break,
                None => shift += 1,
            }
        }
        Ok(())
    }

    /// The points that are one step away along one axis.
    fn neighbours(&self, from: &[usize], shift: u32) -> Vec<Point> {
        let mut points = Vec::new();
        for (number, axis) in self.space.axes.iter().enumerate() {
            let step = (axis.values >> shift).max(1);
            let value = from[number];
            for next in [value.checked_sub(step), Some(value + step)] {
                if let Some(next) = next.filter(|next| *next < axis.values) {
                    let mut point = from.to_vec();
                    point[number] = next;
                    points.push(point);
                }
            }
        }
        points
    }

    /// Tries around the best point, where several settings have to change together, and goes on from what is better.
    fn wander(&mut self) -> Result<(), E> {
        let mut failed = 0;
        while self.left > 0 && failed < PATIENCE {
            let from = self.tried[self.best].point.clone();
            let points: Vec<Point> = (0..AROUND).map(|_| self.near(&from, failed)).collect();
            if self.ask(points)? {
                failed = 0;
                self.descend(self.best)?;
            } else {
                failed += 1;
            }
        }
        Ok(())
    }

    /// A point around another, closer the more tries have failed. About half of its settings are the same.
    fn near(&mut self, from: &[usize], closer: u32) -> Point {
        let mut point = from.to_vec();
        for (value, axis) in point.iter_mut().zip(&self.space.axes) {
            let reach = (axis.values >> (closer + 1)).max(1);
            let shift = self.random.below(2 * reach + 1);
            if self.random.below(2) == 0 {
                *value = (*value + shift).saturating_sub(reach).min(axis.values - 1);
            }
        }
        point
    }

    /// Takes changes back as long as that makes nothing worse that is worth a change.
    fn go_back(&mut self) -> Result<usize, E> {
        let Some(wanted) = self.tried[self.best].score else {
            return Ok(self.best);
        };
        let mut here = self.best;
        loop {
            let from = self.tried[here].point.clone();
            let mut points: Vec<Point> = vec![self.space.current()];
            for (number, axis) in self.space.axes.iter().enumerate() {
                let mut point = from.clone();
                point[number] = axis.current;
                points.push(point);
            }
            self.ask(points.clone())?;
            let fewer = self.space.changes(&from);
            let good = points
                .iter()
                .filter_map(|point| self.known.get(point).copied())
                .filter(|next| self.space.changes(&self.tried[*next].point) < fewer)
                .filter(|next| {
                    self.tried[*next]
                        .score
                        .is_some_and(|score| as_good(&score, &wanted))
                });
            let next = good.min_by(|one, other| {
                let changes = |tried: &usize| self.space.changes(&self.tried[*tried].point);
                changes(one)
                    .cmp(&changes(other))
                    .then_with(|| self.order(*one, *other))
            });
            match next {
                Some(next) => here = next,
                None => return Ok(here),
            }
        }
    }
}

/// Whether a score is as good as the one wanted, but for what is not worth a change.
fn as_good(score: &Score, wanted: &Score) -> bool {
    score.violation <= wanted.violation
        && score.objective <= wanted.objective + WORTH * wanted.objective.abs()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::tune::Axis;

    fn space(axes: &[(usize, usize)]) -> Space {
        Space::new(axes.iter().map(|&(values, current)| Axis { values, current }))
    }

    #[track_caller]
    fn check(space: &Space, evaluations: usize, score: impl Fn(&[usize]) -> (f64, f64), want: &[usize]) {
        let mut asked = 0;
        let Ok(found) = search(space, Effort { evaluations, seed: 1 }, &mut |points| {
            asked += points.len();
            let scores = points.iter().map(|point| {
                let (objective, violation) = score(point);
                Some(Score { objective, violation })
            });
            Ok::<_, Infallible>(scores.collect())
        });
        assert!(asked <= evaluations && asked == found.tried.len(), "{asked}");
        assert_eq!(found.tried[found.best].point, want);
    }

    #[test]
    fn a_small_space_is_tried_as_a_whole() {
        let bowl = |point: &[usize]| ((point[0] as f64 - 3.0).abs() + (point[1] as f64 - 1.0).abs(), 0.0);
        check(&space(&[(5, 0), (4, 3)]), 20, bowl, &[3, 1]);
    }

    #[test]
    fn a_large_space_is_searched() {
        // The less, the better, but for a rule that the sum of three settings has to keep; the fourth does nothing.
        let rule = |point: &[usize]| {
            let sum = (point[0] + point[1] + point[2]) as f64;
            (sum + 1.0, (60.0 - sum).max(0.0))
        };
        let axes = space(&[(50, 40), (50, 40), (50, 40), (50, 7)]);
        let mut found = None;
        for seed in 1..6 {
            let effort = Effort {
                evaluations: 400,
                seed,
            };
            let Ok(this) = search(&axes, effort, &mut |points| {
                let scores = points.iter().map(|point| {
                    let (objective, violation) = rule(point);
                    Some(Score { objective, violation })
                });
                Ok::<_, Infallible>(scores.collect())
            });
            let best = &this.tried[this.best];
            assert!(best.score.is_some_and(|score| score.is_feasible()), "{best:?}");
            assert!(
                best.score.is_some_and(|score| score.objective <= 62.0),
                "{best:?}"
            );
            assert_eq!(best.point[3], 7, "a change that does nothing");
            found = Some(this);
        }
        assert!(found.is_some());
    }

    #[test]
    fn a_change_that_gains_next_to_nothing_is_not_made() {
        let flat = |point: &[usize]| (1000.0 - point[0] as f64, 0.0);
        check(&space(&[(4, 0)]), 10, flat, &[0]);
        let steep = |point: &[usize]| (1000.0 - 10.0 * point[0] as f64, 0.0);
        check(&space(&[(4, 0)]), 10, steep, &[3]);
    }

    #[test]
    fn where_no_point_keeps_the_rules_the_closest_is_told() {
        let far = |point: &[usize]| (point[0] as f64, 10.0 - point[0] as f64);
        check(&space(&[(6, 2)]), 10, far, &[5]);
    }

    #[test]
    fn what_is_there_now_is_evaluated_whatever_the_effort() {
        let any = |point: &[usize]| (point[0] as f64, 0.0);
        check(&space(&[(600, 599)]), 1, any, &[599]);
        check(&space(&[]), 1, |_| (0.0, 0.0), &[]);
    }
}
