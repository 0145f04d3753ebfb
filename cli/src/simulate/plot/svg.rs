//! A plot as SVG, for documents.

use std::ops::Range;

use plotters::coord::CoordTranslate;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::axis::{self, Times};
use crate::exit::{self, Failure};
use crate::simulate::trace::{Line, Panel, Picture};

/// Pixels of the whole: its width, the height of the panel of replicas, and that of the others.
const WIDTH: u32 = 1080;
const HEIGHTS: [u32; 2] = [320, 200];
/// Pixels of the title.
const TITLE: u32 = 40;
/// The run, and the one it is compared with.
const COLOURS: [RGBColor; 2] = [RGBColor(31, 119, 180), RGBColor(255, 127, 14)];
/// What both runs share, as the values of an open loop.
const SHARED: RGBColor = RGBColor(44, 160, 44);
/// Where a source fails.
const GAP: RGBColor = RGBColor(214, 39, 40);

/// Draws it.
pub(crate) fn render(picture: &Picture) -> Result<String, Failure> {
    drawn(|text| draw(picture, text))
}

/// What drawing into a text comes to.
pub(crate) type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// A drawing as text.
pub(crate) fn drawn(draw: impl for<'a> FnOnce(&'a mut String) -> Drawn<'a>) -> Result<String, Failure> {
    let mut text = String::new();
    draw(&mut text)
        .map_err(|error| Failure::new(exit::UNEXPECTED, format!("cannot draw the plot: {error}")))?;
    Ok(text)
}

fn draw<'a>(picture: &Picture, text: &'a mut String) -> Drawn<'a> {
    let rest = u32::try_from(picture.panels.len().saturating_sub(1)).unwrap_or(0);
    let height = TITLE + HEIGHTS[0] + rest * HEIGHTS[1];
    let root = SVGBackend::with_string(text, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut below = root.titled(&picture.title, ("sans-serif", 20))?;
    for (position, panel) in picture.panels.iter().enumerate() {
        let last = position + 1 == picture.panels.len();
        let height = HEIGHTS[position.min(1)];
        let (own, next) = below.split_vertically(height);
        panel_into(&own, picture, panel, position == 0, last)?;
        below = next;
    }
    root.present()
}

fn panel_into<'a>(
    area: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    picture: &Picture,
    panel: &Panel,
    replicas: bool,
    last: bool,
) -> Drawn<'a> {
    let max = panel.max();
    let times = Moments {
        from: picture.from,
        to: picture.to.max(picture.from + 1),
    };
    let marks = times.marks();
    let mut chart = ChartBuilder::on(area)
        .margin_right(24)
        .margin_left(8)
        .margin_top(6)
        .x_label_area_size(if last { 42 } else { 22 })
        .y_label_area_size(64)
        .build_cartesian_2d(times, 0.0..max * 1.06)?;
    let (value_label, time_label) = (|value: &f64| axis::number(*value), |at: &i64| marks.label(*at));
    let mut mesh = chart.configure_mesh();
    mesh.y_desc(panel.title.as_str())
        .y_labels(if replicas { 8 } else { 4 })
        .y_label_formatter(&value_label)
        .x_label_formatter(&time_label)
        .x_labels(10)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.08));
    if last {
        mesh.x_desc(marks.title());
    }
    mesh.draw()?;
    for (position, curve) in panel.lines.iter().enumerate() {
        let colour = curve.run.map_or(SHARED, |run| COLOURS[run.min(1)]);
        // The second is broad and pale, so that the first shows through where they are the same.
        let style = if position == 0 {
            colour.stroke_width(2)
        } else {
            colour.mix(0.55).stroke_width(5)
        };
        line_into(&mut chart, &curve.name, &curve.line, style, picture.to)?;
    }
    if panel.lines.len() > 1 {
        legend(&mut chart)?;
    }
    Ok(())
}

/// Names what was drawn, in a corner.
pub(crate) fn legend<'c, 'a: 'c, C: CoordTranslate>(
    chart: &mut ChartContext<'c, SVGBackend<'a>, C>,
) -> Drawn<'a> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()
}

type Chart<'c, 'a> = ChartContext<'c, SVGBackend<'a>, Cartesian2d<Moments, RangedCoordf64>>;

fn line_into<'a>(
    chart: &mut Chart<'_, 'a>,
    name: &str,
    line: &Line,
    style: ShapeStyle,
    end: i64,
) -> Drawn<'a> {
    let mut runs = staircases(line, end).into_iter();
    let first = runs.next().unwrap_or_default();
    chart
        .draw_series(LineSeries::new(first, style))?
        .label(name)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    for run in runs {
        chart.draw_series(LineSeries::new(run, style))?;
    }
    let top = chart.y_range().end;
    chart.draw_series(
        gaps(line, end)
            .into_iter()
            .map(|gap| Rectangle::new([(gap.start, 0.0), (gap.end, top * 0.03)], GAP.mix(0.6).filled())),
    )?;
    Ok(())
}

/// The corners of each stretch without a gap: a value holds until the next point.
fn staircases(line: &Line, end: i64) -> Vec<Vec<(i64, f64)>> {
    let mut all: Vec<Vec<(i64, f64)>> = Vec::new();
    let mut run: Vec<(i64, f64)> = Vec::new();
    for (at, value) in line.points() {
        if let Some(&(_, before)) = run.last() {
            run.push((*at, before));
        }
        match value {
            Some(value) => run.push((*at, *value)),
            None => all.extend((!run.is_empty()).then(|| std::mem::take(&mut run))),
        }
    }
    if let Some(&(_, value)) = run.last() {
        run.push((end, value));
        all.push(run);
    }
    all
}

/// The stretches without a value.
fn gaps(line: &Line, end: i64) -> Vec<Range<i64>> {
    let points = line.points();
    let next = points.iter().skip(1).map(|(at, _)| *at).chain([end]);
    points
        .iter()
        .zip(next)
        .filter(|((_, value), _)| value.is_none())
        .map(|((at, _), until)| *at..until)
        .collect()
}

/// A time axis with round marks.
#[derive(Clone, Copy)]
struct Moments {
    from: i64,
    to: i64,
}

impl Moments {
    fn marks(self) -> Times {
        Times::new(self.from, self.to, 10)
    }
}

impl Ranged for Moments {
    type FormatOption = DefaultFormatting;
    type ValueType = i64;

    fn map(&self, value: &i64, limit: (i32, i32)) -> i32 {
        let share = (value - self.from) as f64 / (self.to - self.from) as f64;
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<i64> {
        self.marks().marks().collect()
    }

    fn range(&self) -> Range<i64> {
        self.from..self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::trace::Curve;

    fn line(points: &[(i64, Option<f64>)]) -> Line {
        let mut line = Line::default();
        for &(at, value) in points {
            line.push(at, value);
        }
        line
    }

    /// How often lines of a colour are in a drawing.
    fn count(text: &str, colour: RGBColor) -> usize {
        let RGBColor(red, green, blue) = colour;
        text.matches(&format!("#{red:02X}{green:02X}{blue:02X}")).count()
    }

    #[test]
    fn a_run_has_one_colour_in_all_panels() {
        let panel = |lines: Vec<Curve>| Panel {
            title: "a".to_owned(),
            lines,
        };
        let one = || line(&[(0, Some(1.0)), (10, Some(3.0))]);
        let picture = Picture {
            title: "b".to_owned(),
            from: 0,
            to: 60_000,
            panels: vec![
                panel(vec![
                    Curve::new("x", Some(0), one()),
                    Curve::new("y", Some(1), one()),
                ]),
                panel(vec![
                    Curve::new("x", Some(0), one()),
                    Curve::new("y", Some(1), one()),
                ]),
                panel(vec![Curve::new("only of y", Some(1), one())]),
                panel(vec![Curve::new("of both", None, one())]),
            ],
        };
        let text = render(&picture).expect("can be drawn");
        // A line and, in a panel of two, its sign in the legend.
        let counts = [COLOURS[0], COLOURS[1], SHARED].map(|colour| count(&text, colour));
        assert_eq!(counts, [4, 5, 1]);
    }

    #[test]
    fn a_line_is_broken_where_the_source_fails() {
        let line = line(&[(0, Some(1.0)), (10, Some(2.0)), (20, None), (30, Some(3.0))]);
        let want = vec![
            vec![(0, 1.0), (10, 1.0), (10, 2.0), (20, 2.0)],
            vec![(30, 3.0), (40, 3.0)],
        ];
        assert_eq!(staircases(&line, 40), want);
        assert_eq!(gaps(&line, 40), vec![20..30]);
    }

    #[test]
    fn names_of_users_cannot_break_out_of_the_drawing() {
        let panel = |title: &str| Panel {
            title: title.to_owned(),
            lines: vec![
                Curve::new("a", Some(0), line(&[(0, Some(1.0))])),
                Curve::new("<b>", Some(1), Line::default()),
            ],
        };
        let picture = Picture {
            title: "<script>".to_owned(),
            from: 0,
            to: 60_000,
            panels: vec![panel("replicas"), panel("a & b")],
        };
        let text = render(&picture).expect("can be drawn");
        assert!(
            text.starts_with("<svg") && text.trim_end().ends_with("</svg>"),
            "{text}"
        );
        assert!(
            !text.contains("<script>") && !text.contains("<b>") && !text.contains("a & b"),
            "{text}"
        );
    }
}
