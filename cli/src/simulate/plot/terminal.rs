//! A plot in characters: the first line of a panel as an area, the second as dots over it.

use std::fmt::Write as _;

use super::axis::{self, Times};
use crate::simulate::trace::{Line, Panel, Picture};

/// Rows of the panel of replicas, and of the others.
const ROWS: [usize; 2] = [8, 4];
/// Columns left of the plot.
pub(crate) const MARGIN: usize = 8;
/// The narrowest and the widest plot.
const WIDTHS: [usize; 2] = [20, 120];
/// Eighths of a character, from none to all.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A dot of the second line.
const DOT: char = '•';
/// Where a source fails.
const GAP: char = '×';
/// Colours of the first line, the second, and gaps.
const COLOURS: [&str; 3] = ["34", "33", "31"];

/// Draws all panels in so many columns.
pub(crate) fn render(picture: &Picture, columns: usize, colour: bool) -> String {
    let width = columns.saturating_sub(MARGIN + 1).clamp(WIDTHS[0], WIDTHS[1]);
    let mut text = String::new();
    for (position, panel) in picture.panels.iter().enumerate() {
        let canvas = Canvas {
            picture,
            panel,
            width,
            rows: ROWS[position.min(1)],
            colour,
        };
        canvas.draw(&mut text);
    }
    time_axis(picture, width, &mut text);
    text
}

struct Canvas<'a> {
    picture: &'a Picture,
    panel: &'a Panel,
    width: usize,
    rows: usize,
    colour: bool,
}

impl Canvas<'_> {
    fn draw(&self, text: &mut String) {
        let _ = writeln!(text, "{:MARGIN$}{}", "", self.heading());
        let max = self.panel.max();
        let heights: Vec<Vec<Option<f64>>> = self
            .panel
            .lines
            .iter()
            .map(|curve| self.slices(&curve.line).collect())
            .collect();
        for row in (0..self.rows).rev() {
            let label = match row {
                0 => axis::number(0.0),
                _ if row + 1 == self.rows => axis::number(max),
                _ if row == self.rows / 2 => axis::number(max / 2.0),
                _ => String::new(),
            };
            let _ = write!(text, "{label:>width$} │", width = MARGIN - 2);
            let cells: Vec<(char, Option<usize>)> = (0..self.width)
                .map(|column| self.cell(&heights, max, row, column))
                .collect();
            self.write(&cells, text);
        }
    }

    fn heading(&self) -> String {
        let names = self.panel.lines.iter().enumerate().map(|(position, curve)| {
            let sign = if position == 0 { '█' } else { DOT };
            format!(
                "{} {}",
                self.paint(&sign.to_string(), Some(position.min(1))),
                curve.name
            )
        });
        let names: Vec<String> = names.collect();
        if names.len() > 1 {
            format!("{}: {}", self.panel.title, names.join("  "))
        } else {
            self.panel.title.clone()
        }
    }

    /// The highest value of each column.
    fn slices<'a>(&'a self, line: &'a Line) -> impl Iterator<Item = Option<f64>> + 'a {
        let Picture { from, to, .. } = *self.picture;
        let width = self.width as i128;
        let edge = move |column: usize| from + (i128::from(to - from) * column as i128 / width) as i64;
        (0..self.width).map(move |column| line.peak(edge(column), edge(column + 1)))
    }

    /// A character and the line that it belongs to.
    fn cell(
        &self,
        heights: &[Vec<Option<f64>>],
        max: f64,
        row: usize,
        column: usize,
    ) -> (char, Option<usize>) {
        let eighths = |value: f64| (value / max * (self.rows * 8) as f64).round() as usize;
        if let Some(Some(value)) = heights.get(1).map(|line| line[column]) {
            let at = (eighths(value).saturating_sub(1)) / 8;
            if at == row {
                return (DOT, Some(1));
            }
        }
        match heights.first().and_then(|line| line[column]) {
            None if row == 0 => (GAP, Some(2)),
            None => (' ', None),
            Some(value) => {
                // What is there at all is seen.
                let full = if value > 0.0 { eighths(value).max(1) } else { 0 };
                (EIGHTHS[full.saturating_sub(row * 8).min(8)], Some(0))
            }
        }
    }

    /// Writes a row.
    fn write(&self, cells: &[(char, Option<usize>)], text: &mut String) {
        text.push_str(&line(cells, &COLOURS, self.colour));
        text.push('\n');
    }

    fn paint(&self, letters: &str, line: Option<usize>) -> String {
        paint(letters, line.map(|line| COLOURS[line]), self.colour)
    }
}

/// Characters and their colours as a line without blanks at its end; each run of a colour is painted at once.
pub(crate) fn line(cells: &[(char, Option<usize>)], colours: &[&str], colour: bool) -> String {
    let mut line = String::new();
    let end = cells
        .iter()
        .rposition(|(letter, _)| *letter != ' ')
        .map_or(0, |last| last + 1);
    for run in cells[..end].chunk_by(|a, b| a.1 == b.1) {
        let letters: String = run.iter().map(|(letter, _)| *letter).collect();
        if letters.trim().is_empty() {
            line.push_str(&letters);
        } else {
            line.push_str(&paint(&letters, run[0].1.map(|number| colours[number]), colour));
        }
    }
    line
}

/// Letters in a colour, if there are colours.
pub(crate) fn paint(letters: &str, code: Option<&str>, colour: bool) -> String {
    match code.filter(|_| colour) {
        Some(code) => format!("\x1b[{code}m{letters}\x1b[0m"),
        None => letters.to_owned(),
    }
}

fn time_axis(picture: &Picture, width: usize, text: &mut String) {
    let times = Times::new(picture.from, picture.to, (width / 12).max(2));
    let span = i128::from((picture.to - picture.from).max(1));
    let marks = times.marks().map(|at| {
        let column = i128::from(at - picture.from) * (width as i128 - 1) / span;
        (column as usize, times.label(at))
    });
    text.push_str(&ruler(width, marks));
}

/// The line below a plot and its labels, each at a column and left out where it does not fit.
pub(crate) fn ruler(width: usize, marks: impl Iterator<Item = (usize, String)>) -> String {
    let mut line = vec!['─'; width];
    let mut labels: Vec<char> = vec![' '; MARGIN + width + MARGIN];
    let mut free = 0;
    for (column, label) in marks {
        line[column] = '┴';
        let label: Vec<char> = label.chars().collect();
        let begin = (MARGIN + column).saturating_sub(label.len() / 2);
        if begin >= free && begin + label.len() <= labels.len() {
            free = begin + label.len() + 1;
            labels[begin..begin + label.len()].copy_from_slice(&label);
        }
    }
    let (line, labels): (String, String) = (line.into_iter().collect(), labels.into_iter().collect());
    format!(
        "{:>width$}└{line}\n{}\n",
        "",
        labels.trim_end(),
        width = MARGIN - 1
    )
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

    fn picture() -> Picture {
        let hour = 3_600_000;
        let replicas = line(&[
            (0, Some(0.0)),
            (2 * hour, Some(4.0)),
            (4 * hour, Some(8.0)),
            (5 * hour, Some(1.0)),
        ]);
        let other = line(&[(0, Some(2.0)), (3 * hour, Some(6.0))]);
        let jobs = line(&[
            (0, Some(0.0)),
            (2 * hour, Some(20.0)),
            (3 * hour, None),
            (4 * hour, Some(40.0)),
        ]);
        Picture {
            title: "orders".to_owned(),
            from: 0,
            to: 6 * hour,
            panels: vec![
                Panel {
                    title: "replicas".to_owned(),
                    lines: vec![
                        Curve::new("orders.yaml", Some(0), replicas),
                        Curve::new("other.yaml", Some(1), other),
                    ],
                },
                Panel {
                    title: "s0-redis-jobs".to_owned(),
                    lines: vec![Curve::new("s0-redis-jobs", None, jobs)],
                },
            ],
        }
    }

    #[test]
    fn an_area_is_drawn_and_dots_over_it() {
        insta::assert_snapshot!(render(&picture(), 50, false));
    }

    #[test]
    fn colours_change_no_character() {
        let plain = render(&picture(), 50, false);
        let mut painted = render(&picture(), 50, true);
        assert_ne!(plain, painted);
        for code in COLOURS.into_iter().chain(["0"]) {
            painted = painted.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, painted);
    }

    #[test]
    fn a_run_without_length_is_drawn() {
        let mut picture = picture();
        picture.to = 0;
        assert!(render(&picture, 0, false).lines().count() > 10);
    }
}
