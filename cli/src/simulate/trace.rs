//! What a plot shows: lines over time, whose size stays bounded however long the run is.

/// Points of a line before it is thinned.
const MOST: usize = 8192;
/// Slices of time that a thinned line has; each keeps what matters in it.
const SLICES: i64 = 1024;

/// A value over time that holds until the next point; `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
    points: Vec<(i64, Option<f64>)>,
}

impl Line {
    /// Goes on from a moment with a value. Moments never go back.
    pub(crate) fn push(&mut self, at: i64, value: Option<f64>) {
        if self.points.last().is_some_and(|(_, before)| *before == value) {
            return;
        }
        self.points.push((at, value));
        if self.points.len() > MOST {
            self.thin();
        }
    }

    /// Keeps of each slice of time its first and last point, its highest and lowest, and a gap: no peak is lost.
    fn thin(&mut self) {
        let (Some(&(first, _)), Some(&(last, _))) = (self.points.first(), self.points.last()) else {
            return;
        };
        let width = ((last - first) / SLICES).max(1);
        let mut kept: Vec<(i64, Option<f64>)> = Vec::with_capacity(MOST);
        let mut begin = 0;
        while begin < self.points.len() {
            let slice = (self.points[begin].0 - first) / width;
            let length = self.points[begin..]
                .iter()
                .take_while(|(at, _)| (at - first) / width == slice)
                .count();
            let own = &self.points[begin..begin + length];
            let mut positions: Vec<usize> = matters(own).into_iter().flatten().collect();
            positions.sort_unstable();
            positions.dedup();
            kept.extend(positions.into_iter().map(|position| own[position]));
            begin += length;
        }
        self.points = kept;
    }

    /// Moments and values, each until the next.
    pub(crate) fn points(&self) -> &[(i64, Option<f64>)] {
        &self.points
    }

    /// The highest value.
    pub(crate) fn max(&self) -> f64 {
        self.points
            .iter()
            .filter_map(|(_, value)| *value)
            .fold(0.0, f64::max)
    }

    /// The highest value between two moments, what held before them included. `None` where there is none at all.
    pub(crate) fn peak(&self, from: i64, to: i64) -> Option<f64> {
        let begin = self.points.partition_point(|(at, _)| *at <= from);
        let end = self.points.partition_point(|(at, _)| *at < to);
        let own = &self.points[begin.saturating_sub(1)..end.max(begin)];
        own.iter().filter_map(|(_, value)| *value).reduce(f64::max)
    }
}

/// The positions that are kept of a slice.
fn matters(own: &[(i64, Option<f64>)]) -> [Option<usize>; 5] {
    let by_value = |better: fn(f64, f64) -> bool| {
        let mut best: Option<(usize, f64)> = None;
        for (position, value) in own
            .iter()
            .enumerate()
            .filter_map(|(i, (_, value))| Some((i, (*value)?)))
        {
            if best.is_none_or(|(_, top)| better(value, top)) {
                best = Some((position, value));
            }
        }
        best.map(|(position, _)| position)
    };
    [
        Some(0),
        own.len().checked_sub(1),
        by_value(|a, b| a > b),
        by_value(|a, b| a < b),
        own.iter().position(|(_, value)| value.is_none()),
    ]
}

/// A line of a panel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve {
    /// Its name.
    pub(crate) name: String,
    /// The run that it is of, by position; `None` where it is the same in all.
    pub(crate) run: Option<usize>,
    /// The line itself.
    pub(crate) line: Line,
}

impl Curve {
    /// A line with its name.
    pub(crate) fn new(name: impl Into<String>, run: Option<usize>, line: Line) -> Self {
        Self {
            name: name.into(),
            run,
            line,
        }
    }
}

/// One coordinate system: lines that share a unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panel {
    /// What it shows.
    pub(crate) title: String,
    /// Its lines.
    pub(crate) lines: Vec<Curve>,
}

impl Panel {
    /// The highest value of all lines; never 0, so that there is always a scale.
    pub(crate) fn max(&self) -> f64 {
        let max = self
            .lines
            .iter()
            .map(|curve| curve.line.max())
            .fold(0.0, f64::max);
        if max > 0.0 { max } else { 1.0 }
    }
}

/// Everything that a plot shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    /// What it is.
    pub(crate) title: String,
    /// First moment, in milliseconds; since 1970 from September 2001 on.
    pub(crate) from: i64,
    /// Last moment.
    pub(crate) to: i64,
    /// The coordinate systems from top to bottom; the first has the replicas.
    pub(crate) panels: Vec<Panel>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_stays_bounded_and_keeps_its_peaks() {
        let mut line = Line::default();
        for step in 0..1_000_000_i64 {
            let value = match step {
                123_456 => Some(9_999.0),
                654_321 => None,
                _ => Some((step % 7) as f64),
            };
            line.push(step * 1000, value);
        }
        assert!(line.points().len() <= MOST);
        assert!((line.max() - 9_999.0).abs() < f64::EPSILON);
        assert_eq!(line.peak(123_000_000, 124_000_000), Some(9_999.0));
        assert!(line.points().iter().any(|(_, value)| value.is_none()));
        assert!(line.points().is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn a_value_holds_until_the_next() {
        let mut line = Line::default();
        for (at, value) in [(0, Some(1.0)), (10, Some(5.0)), (20, None), (30, Some(2.0))] {
            line.push(at, value);
        }
        for (from, to, want) in [
            (0, 10, Some(1.0)),
            (5, 11, Some(5.0)),
            (12, 15, Some(5.0)),
            (21, 29, None),
            (40, 50, Some(2.0)),
            (21, 31, Some(2.0)),
        ] {
            assert_eq!(line.peak(from, to), want, "{from}..{to}");
        }
    }

    #[test]
    fn the_same_value_is_one_point() {
        let mut line = Line::default();
        for at in 0..100 {
            line.push(at, Some(3.0));
        }
        assert_eq!(line.points(), [(0, Some(3.0))]);
    }
}
