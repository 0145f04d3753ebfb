//! The figures that have a target, each as a share of it: left of the line is kept, right of it is missed.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use crate::report::{Row, Target};

const KEPT: RGBColor = RGBColor(44, 160, 44);
const MISSED: RGBColor = RGBColor(214, 39, 40);
/// Shares are drawn between these: a figure a hundred times better than its target ends at the edge.
const EDGES: (f64, f64) = (0.01, 10.0);

/// How much of what is allowed a figure uses; above 1 the target is missed.
fn share(row: &Row) -> Option<f64> {
    match row.target {
        Target::AtMost(most) => Some(row.measured / most),
        Target::AtLeast(least) => Some(least / row.measured),
        Target::None => None,
    }
}

/// Draws the plot.
pub(crate) fn write(rows: &[Row], file: &Path) -> Result<()> {
    let bars: Vec<(&str, f64)> = rows
        .iter()
        .filter_map(|row| Some((row.what.as_str(), share(row)?)))
        .collect();
    let height = 90 + 26 * u32::try_from(bars.len())?;
    let root = SVGBackend::new(file, (960, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let count = bars.len() as f64;
    let mut chart = ChartBuilder::on(&root)
        .caption(
            "What the parts cost, as a share of the target",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(400)
        .build_cartesian_2d((EDGES.0..EDGES.1).log_scale(), count..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_desc("measured ÷ target (1 = exactly kept)")
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (index, (_, share)) in bars.iter().enumerate() {
        let colour = if *share <= 1.0 { KEPT } else { MISSED };
        let (top, end) = (index as f64, share.clamp(EDGES.0, EDGES.1));
        chart.draw_series(std::iter::once(Rectangle::new(
            [(EDGES.0, top + 0.2), (end, top + 0.8)],
            colour.filled(),
        )))?;
    }
    chart.draw_series(LineSeries::new([(1.0, 0.0), (1.0, count)], BLACK.stroke_width(2)))?;
    for (index, (what, _)) in bars.iter().enumerate() {
        let (_, y) = chart.backend_coord(&(1.0, index as f64 + 0.5));
        let style = ("sans-serif", 13).into_font().color(&BLACK);
        root.draw(&Text::new((*what).to_owned(), (14, y - 7), style))?;
    }
    root.present()?;
    Ok(())
}
