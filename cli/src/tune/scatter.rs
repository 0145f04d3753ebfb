//! The trade-off as a plot: every point that was tried, by its objective and by what that is traded for.

pub(crate) mod svg;
pub(crate) mod terminal;

use super::goal::Goal;
use super::proposal::Search;

/// Figures that differ by more than this are drawn on a logarithmic scale.
const WIDE: f64 = 50.0;

/// What a point is; later ones are drawn over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// A rule is broken.
    Broken,
    /// All rules hold.
    Kept,
    /// No other point is better in both figures.
    Front,
    /// What is there now.
    Now,
    /// What is proposed, or the closest to keeping the rules.
    Best,
}

/// A point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dot {
    /// The objective.
    pub(crate) x: f64,
    /// What it is traded for.
    pub(crate) y: f64,
    /// What it is.
    pub(crate) mark: Mark,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    /// The figure.
    pub(crate) name: String,
    least: f64,
    most: f64,
    logarithmic: bool,
}

impl Scale {
    /// An axis for these values.
    fn of(name: &str, values: impl Iterator<Item = f64> + Clone) -> Self {
        let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let positive = values.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let logarithmic = least >= 0.0 && positive.is_finite() && most > WIDE * positive;
        let (least, most) = if logarithmic {
            // What is nothing lies at the lower end.
            let room = if least > 0.0 { 1.2 } else { 2.0 };
            (positive / room, most * 1.2)
        } else {
            let room = ((most - least) * 0.06).max(most.abs() * 0.01).max(0.01);
            let floor = if least >= 0.0 && least - room < 0.0 {
                0.0
            } else {
                least - room
            };
            (floor, most + room)
        };
        Self {
            name: name.to_owned(),
            least,
            most,
            logarithmic,
        }
    }

    /// Where a value lies, from 0 to 1.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let place = |value: f64| {
            if self.logarithmic {
                value.max(self.least).log10()
            } else {
                value
            }
        };
        let (from, to) = (place(self.least), place(self.most));
        ((place(value) - from) / (to - from)).clamp(0.0, 1.0)
    }

    /// Round values on the axis, about so many.
    pub(crate) fn ticks(&self, most: usize) -> Vec<f64> {
        let mut ticks = Vec::new();
        if self.logarithmic {
            let decades = (self.least.log10().floor() as i32)..=(self.most.log10().ceil() as i32);
            let step = decades.clone().count().div_ceil(most.max(1)).max(1);
            ticks.extend(decades.step_by(step).map(|power| 10_f64.powi(power)));
        } else {
            let raw = (self.most - self.least) / most.max(1) as f64;
            let power = 10_f64.powf(raw.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0]
                .into_iter()
                .map(|digit| digit * power)
                .find(|step| *step >= raw)
                .unwrap_or(raw);
            let first = (self.least / step).ceil() as i64;
            let last = (self.most / step).floor() as i64;
            ticks.extend((first..=last).take(64).map(|number| number as f64 * step));
        }
        ticks.retain(|tick| (self.least..=self.most).contains(tick));
        ticks
    }
}

/// The whole plot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scatter {
    /// What it is.
    pub(crate) title: String,
    /// The objective.
    pub(crate) x: Scale,
    /// What it is traded for.
    pub(crate) y: Scale,
    /// The points, those that matter most last.
    pub(crate) dots: Vec<Dot>,
    /// The limit that the first rule sets.
    pub(crate) limit: f64,
    /// What the best point is called.
    pub(crate) best: &'static str,
}

impl Scatter {
    /// The plot of a search; `None` where no rule limits a figure, or no point has both.
    pub(crate) fn of(title: &str, search: &Search, goal: &Goal<'_>) -> Option<Self> {
        let bound = goal.traded()?;
        let mut dots = Vec::new();
        for (position, run) in search.runs.iter().enumerate() {
            let Some(summary) = &run.summary else { continue };
            let figures = (goal.objective(summary), goal.look(summary, bound.figure));
            let (Some(x), Some(y)) = figures else { continue };
            let mark = if position == search.best && search.is_change() {
                Mark::Best
            } else if position == 0 {
                Mark::Now
            } else if search.front.contains(&position) {
                Mark::Front
            } else if goal.score(summary).is_feasible() {
                Mark::Kept
            } else {
                Mark::Broken
            };
            dots.push(Dot { x, y, mark });
        }
        if dots.is_empty() {
            return None;
        }
        dots.sort_by_key(|dot| dot.mark);
        let limit = std::iter::once(bound.limit);
        Some(Self {
            title: title.to_owned(),
            x: Scale::of(goal.figure, dots.iter().map(|dot| dot.x)),
            y: Scale::of(bound.figure, dots.iter().map(|dot| dot.y).chain(limit)),
            dots,
            limit: bound.limit,
            best: search.called(),
        })
    }

    /// What a sign means, for a legend.
    pub(crate) fn meaning(&self, mark: Mark) -> &'static str {
        match mark {
            Mark::Broken => "rules broken",
            Mark::Kept => "rules hold",
            Mark::Front => "best trade-offs",
            Mark::Now => "now",
            Mark::Best => self.best,
        }
    }
}

/// All marks, in the order in which a legend tells them.
pub(crate) const MARKS: [Mark; 5] = [Mark::Now, Mark::Best, Mark::Front, Mark::Kept, Mark::Broken];

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(values: &[f64]) -> Scale {
        Scale::of("x", values.iter().copied())
    }

    #[test]
    fn wide_ranges_are_logarithmic_and_nothing_lies_at_the_end() {
        let wide = scale(&[0.0, 10.0, 10_000.0]);
        assert!(wide.logarithmic);
        assert!(wide.share(0.0) <= 0.0 && wide.share(10.0) > 0.0 && wide.share(10_000.0) < 1.0);
        assert_eq!(wide.ticks(6), [10.0, 100.0, 1000.0, 10_000.0]);
        let narrow = scale(&[10.0, 20.0]);
        assert!(!narrow.logarithmic && narrow.share(10.0) > 0.0 && narrow.share(20.0) < 1.0);
        assert_eq!(narrow.ticks(5), [10.0, 15.0, 20.0]);
    }

    #[test]
    fn a_single_value_has_an_axis() {
        for value in [0.0, 5.0, 1e9, -3.0] {
            let one = scale(&[value]);
            let share = one.share(value);
            assert!(
                (0.0..=1.0).contains(&share) && one.most > one.least,
                "{value}: {one:?}"
            );
            assert!(one.ticks(5).len() < 10, "{value}: {:?}", one.ticks(5));
        }
    }
}
