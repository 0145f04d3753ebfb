//! The timeline as an SVG plot: replicas over time, as steps.

use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;

use super::timeline::{Point, Timeline};

const WANTED: RGBColor = RGBColor(31, 119, 180);
const READY: RGBColor = RGBColor(44, 160, 44);
const HPA: RGBColor = RGBColor(255, 127, 14);

/// Draws `timeline` into `file`, whose folder is made where it is missing.
pub(crate) fn write(timeline: &Timeline, file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let zero = timeline.pushed().unwrap_or(0.0);
    let points = timeline.points();
    let first = points.first().context("nothing was seen")?.at - zero;
    let last = points.last().context("nothing was seen")?.at - zero + 2.0;
    let most = points
        .iter()
        .map(|p| p.wanted.max(p.hpa.unwrap_or(0)))
        .max()
        .unwrap_or(1)
        .max(1);
    let root = SVGBackend::new(file, (960, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("A Redis list scales a worker: 0 → 1 → N → 0", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(first.min(-1.0)..last, 0.0..(most as f64 + 0.5))?;
    chart
        .configure_mesh()
        .x_desc("seconds since the jobs were pushed")
        .y_desc("replicas")
        .y_labels(usize::try_from(most).unwrap_or(10).min(10) + 1)
        .y_label_formatter(&|y| format!("{y:.0}"))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .draw()?;
    let wanted: fn(&Point) -> Option<i64> = |p| Some(p.wanted);
    let ready: fn(&Point) -> Option<i64> = |p| Some(p.ready);
    let hpa: fn(&Point) -> Option<i64> = |p| p.hpa;
    for (name, colour, width, value) in [
        ("HPA desired", HPA, 1, hpa),
        ("wanted", WANTED, 3, wanted),
        ("ready", READY, 2, ready),
    ] {
        let series = LineSeries::new(staircase(points, zero, last, value), colour.stroke_width(width));
        chart
            .draw_series(series)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(width)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// A value holds until the next row: two corners a change.
fn staircase(points: &[Point], zero: f64, end: f64, value: fn(&Point) -> Option<i64>) -> Vec<(f64, f64)> {
    let mut corners: Vec<(f64, f64)> = Vec::with_capacity(points.len() * 2 + 1);
    for point in points {
        let Some(height) = value(point) else { continue };
        let at = point.at - zero;
        if let Some(&(_, before)) = corners.last() {
            corners.push((at, before));
        }
        corners.push((at, height as f64));
    }
    if let Some(&(_, height)) = corners.last() {
        corners.push((end, height));
    }
    corners
}
