//! The trade-off in characters.

use std::fmt::Write as _;

use super::{MARKS, Mark, Scale, Scatter};
use crate::simulate::plot::axis;
use crate::simulate::plot::terminal::{MARGIN, line, paint, ruler};

/// Rows of the plot.
const ROWS: usize = 16;
/// The narrowest and the widest plot.
const WIDTHS: [usize; 2] = [20, 100];
/// The limit of the first rule.
const LIMIT: char = '┄';
/// The colours of the marks, in the order of [`Mark`], and that of the limit.
const COLOURS: [&str; 6] = ["90", "34", "36", "33", "1;32", "31"];

/// A mark as a character.
fn sign(mark: Mark) -> char {
    match mark {
        Mark::Broken => '·',
        Mark::Kept => '○',
        Mark::Front => '●',
        Mark::Now => 'N',
        Mark::Best => 'P',
    }
}

/// Draws it in so many columns.
pub(crate) fn render(scatter: &Scatter, columns: usize, colour: bool) -> String {
    let width = columns.saturating_sub(MARGIN + 1).clamp(WIDTHS[0], WIDTHS[1]);
    let cell =
        |scale: &Scale, value: f64, cells: usize| (scale.share(value) * (cells - 1) as f64).round() as usize;
    let mut canvas = vec![vec![(' ', None); width]; ROWS];
    for column in &mut canvas[cell(&scatter.y, scatter.limit, ROWS)] {
        *column = (LIMIT, Some(5));
    }
    for dot in &scatter.dots {
        let (row, column) = (cell(&scatter.y, dot.y, ROWS), cell(&scatter.x, dot.x, width));
        canvas[row][column] = (sign(dot.mark), Some(dot.mark as usize));
    }
    let mut labels = vec![String::new(); ROWS];
    for tick in scatter.y.ticks(5) {
        labels[cell(&scatter.y, tick, ROWS)] = axis::number(tick);
    }
    labels[cell(&scatter.y, scatter.limit, ROWS)] = axis::number(scatter.limit);
    let mut text = format!("{:MARGIN$}{}\n", "", scatter.y.name);
    for (label, row) in labels.iter().zip(&canvas).rev() {
        let _ = writeln!(
            text,
            "{label:>width$} │{}",
            line(row, &COLOURS, colour),
            width = MARGIN - 2
        );
    }
    x_axis(&scatter.x, width, &mut text);
    legend(scatter, colour, &mut text);
    text
}

fn x_axis(scale: &Scale, width: usize, text: &mut String) {
    let ticks = scale.ticks((width / 14).max(2)).into_iter().map(|tick| {
        let column = (scale.share(tick) * (width - 1) as f64).round() as usize;
        (column, axis::number(tick))
    });
    let mut marks: Vec<(usize, String)> = ticks.collect();
    // Ticks that are too close to be told apart are one.
    marks.dedup_by(|next, before| next.1 == before.1);
    text.push_str(&ruler(width, marks.into_iter()));
    let _ = writeln!(text, "{:>end$}", scale.name, end = MARGIN + width);
}

fn legend(scatter: &Scatter, colour: bool, text: &mut String) {
    let there = |mark: &Mark| scatter.dots.iter().any(|dot| dot.mark == *mark);
    let entries = MARKS.into_iter().filter(there).map(|mark| {
        let sign = paint(&sign(mark).to_string(), Some(COLOURS[mark as usize]), colour);
        format!("{sign} {}", scatter.meaning(mark))
    });
    let limit = format!("{} limit", paint(&LIMIT.to_string(), Some(COLOURS[5]), colour));
    let entries: Vec<String> = entries.chain([limit]).collect();
    let _ = writeln!(text, "  {}", entries.join("  "));
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tune::scatter::Dot;

    pub(in crate::tune::scatter) fn scatter() -> Scatter {
        let dots: Vec<Dot> = [
            (4.0, 900.0, Mark::Broken),
            (9.0, 90.0, Mark::Kept),
            (5.0, 300.0, Mark::Front),
            (10.0, 20.0, Mark::Now),
            (5.5, 200.0, Mark::Best),
        ]
        .into_iter()
        .map(|(x, y, mark)| Dot { x, y, mark })
        .collect();
        Scatter {
            title: "orders".to_owned(),
            x: Scale::of("replica-hours", dots.iter().map(|dot| dot.x)),
            y: Scale::of("p95(backlog)", dots.iter().map(|dot| dot.y)),
            dots,
            limit: 250.0,
            best: "proposed",
        }
    }

    #[test]
    fn points_are_drawn_at_their_place() {
        insta::assert_snapshot!(render(&scatter(), 60, false));
    }

    #[test]
    fn colours_change_no_character() {
        let mut painted = render(&scatter(), 60, true);
        assert_ne!(painted, render(&scatter(), 60, false));
        for code in COLOURS.into_iter().chain(["0"]) {
            painted = painted.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(painted, render(&scatter(), 60, false));
    }

    #[test]
    fn no_width_is_too_small() {
        assert!(render(&scatter(), 0, false).lines().count() > ROWS);
    }
}
