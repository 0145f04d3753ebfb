//! The trade-off as SVG, for documents.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;

use super::{MARKS, Mark, Scale, Scatter};
use crate::exit::Failure;
use crate::simulate::plot::axis;
use crate::simulate::plot::svg::{Drawn, drawn, legend};

/// Pixels of the whole.
const SIZE: (u32, u32) = (1080, 560);
/// The limit of the first rule.
const LIMIT: RGBColor = RGBColor(214, 39, 40);

/// How a mark is drawn: its colour, its radius, and whether it is filled.
fn style(mark: Mark) -> (RGBColor, i32, bool) {
    match mark {
        Mark::Broken => (RGBColor(150, 150, 150), 2, true),
        Mark::Kept => (RGBColor(31, 119, 180), 4, false),
        Mark::Front => (RGBColor(31, 119, 180), 5, true),
        Mark::Now => (RGBColor(255, 127, 14), 8, true),
        Mark::Best => (RGBColor(44, 160, 44), 8, true),
    }
}

/// Draws it.
pub(crate) fn render(scatter: &Scatter) -> Result<String, Failure> {
    drawn(|text| draw(scatter, text))
}

fn draw<'a>(scatter: &Scatter, text: &'a mut String) -> Drawn<'a> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let area = root.titled(&scatter.title, ("sans-serif", 20))?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(42)
        .y_label_area_size(72)
        .build_cartesian_2d(Axis(scatter.x.clone()), Axis(scatter.y.clone()))?;
    let label = |value: &f64| axis::number(*value);
    chart
        .configure_mesh()
        .x_desc(scatter.x.name.as_str())
        .y_desc(scatter.y.name.as_str())
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .x_labels(10)
        .y_labels(8)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.08))
        .draw()?;
    let ends = [scatter.x.least, scatter.x.most].map(|x| (x, scatter.limit));
    let dashes = DashedLineSeries::new(ends, 6, 5, LIMIT.stroke_width(1));
    chart
        .draw_series(dashes)?
        .label("limit of the first rule")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 14, y)], LIMIT));
    for mark in MARKS.into_iter().rev() {
        let (colour, radius, filled) = style(mark);
        let style = ShapeStyle {
            color: colour.mix(if mark == Mark::Broken { 0.7 } else { 1.0 }),
            filled,
            stroke_width: 1,
        };
        let dots = scatter.dots.iter().filter(|dot| dot.mark == mark);
        let circles: Vec<_> = dots
            .map(|dot| Circle::new((dot.x, dot.y), radius, style))
            .collect();
        if !circles.is_empty() {
            chart
                .draw_series(circles)?
                .label(scatter.meaning(mark))
                .legend(move |(x, y)| Circle::new((x + 7, y), radius.min(6), style));
        }
    }
    legend(&mut chart)?;
    root.present()
}

/// An axis as the drawing library knows it.
#[derive(Clone)]
struct Axis(Scale);

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (self.0.share(*value) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.0.ticks(hint.max_num_points().min(10))
    }

    fn range(&self) -> Range<f64> {
        self.0.least..self.0.most
    }
}

#[cfg(test)]
mod tests {
    use super::super::terminal::tests::scatter;
    use super::*;

    #[test]
    fn names_of_users_cannot_break_out_of_the_drawing() {
        let mut scatter = scatter();
        scatter.title = "<script>".to_owned();
        scatter.y.name = "p95(<b>)".to_owned();
        let text = render(&scatter).expect("can be drawn");
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        assert!(!text.contains("<script>") && !text.contains("<b>"), "{text}");
        // Five points, their five entries in the legend.
        assert_eq!(text.matches("<circle").count(), 10);
    }
}
