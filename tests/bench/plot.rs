//! The figures that have a target, each as a share of it: left of the line is kept, right of it is missed.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use crate::report::{Row, figure};

const KEPT: RGBColor = RGBColor(44, 160, 44);
const MISSED: RGBColor = RGBColor(214, 39, 40);
const KEDA: RGBColor = RGBColor(90, 90, 90);
/// Shares are drawn between these: a figure a hundred times better than its target ends at the edge.
const EDGES: (f64, f64) = (0.01, 100.0);
/// Widths in pixels: the whole, what is left of the bars, what is right of them.
const WIDTH: u32 = 1180;
const NAMES: u32 = 440;
const VALUES: u32 = 170;
/// Heights in pixels: a bar with its gap, and everything else.
const BAR: u32 = 22;
const FRAME: u32 = 124;

/// Draws the plot.
pub(crate) fn write(rows: &[Row], file: &Path) -> Result<()> {
    let bars: Vec<(&Row, f64)> = rows
        .iter()
        .filter_map(|row| Some((row, row.share(row.measured)?)))
        .collect();
    let height = FRAME + BAR * u32::try_from(bars.len())?;
    let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |size: u32| ("sans-serif", size).into_font().color(&BLACK);
    let put = |what: &str, (x, y): (i32, i32), size: u32| {
        root.draw(&Text::new(what.to_owned(), (x, y), text(size)))
    };
    put("What the parts cost, as a share of the target", (14, 12), 18)?;
    put(
        "green: kept, red: missed; diamond: KEDA, measured in another run on a machine of this kind",
        (14, 38),
        13,
    )?;
    let values = i32::try_from(WIDTH - VALUES + 8)?;
    let count = bars.len() as f64;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_top(58)
        .margin_right(VALUES)
        .x_label_area_size(40)
        .y_label_area_size(NAMES)
        .build_cartesian_2d((EDGES.0..EDGES.1).log_scale(), count..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_desc("measured ÷ target (1 = exactly kept); the other way round where more is better")
        .x_label_formatter(&|share| figure(*share))
        .light_line_style(TRANSPARENT)
        .label_style(text(12))
        .draw()?;
    for (index, (row, share)) in bars.iter().enumerate() {
        let colour = if *share <= 1.0 { KEPT } else { MISSED };
        let (top, end) = (index as f64, share.clamp(EDGES.0, EDGES.1));
        chart.draw_series(std::iter::once(Rectangle::new(
            [(EDGES.0, top + 0.2), (end, top + 0.8)],
            colour.filled(),
        )))?;
        if let Some(keda) = row.keda.and_then(|keda| row.share(keda)) {
            let (x, y) = chart.backend_coord(&(keda.clamp(EDGES.0, EDGES.1), top + 0.5));
            // A white edge, so that it shows on a bar.
            for (reach, colour) in [(7, WHITE), (5, KEDA)] {
                let corners = vec![(x - reach, y), (x, y - reach), (x + reach, y), (x, y + reach)];
                root.draw(&Polygon::new(corners, colour.filled()))?;
            }
        }
        let (_, y) = chart.backend_coord(&(1.0, top + 0.5));
        put(&row.what, (14, y - 7), 13)?;
        let value = format!("{} ({})", row.measured(), row.target());
        put(&value, (values, y - 7), 13)?;
    }
    chart.draw_series(LineSeries::new([(1.0, 0.0), (1.0, count)], BLACK.stroke_width(2)))?;
    root.present()?;
    Ok(())
}
