//! Series: what the sources said over time, or would say. Read a row at a time, so that length costs no memory.
//!
//! ```text
//! csv │ json_lines │ open_metrics │ load │ prometheus ─▶ Line ─▶ Ordered (time goes forward) ─▶ Row
//! ```
//!
//! A value holds until the next row; a column without a value in a row is a source that fails.

mod cell;
mod csv;
mod json_lines;
mod lines;
mod open_metrics;
pub(crate) mod write;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub(crate) use cell::{HIGHEST, moment, shown};

use crate::exit::{self, Failure};

/// Time of a series that is longer is taken for a mistake in its unit, in milliseconds.
pub(crate) const LONGEST: i64 = 3660 * 86_400_000;

/// The values of all columns from a moment on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Milliseconds; since 1970 where the series tells the time of day.
    pub(crate) at: i64,
    /// One a column; `None` where the source fails.
    pub(crate) values: Vec<Option<f64>>,
}

/// A row and the line of the file that it stands in.
type Line = (u64, Row);
/// What a reader of a format gives.
type Lines = Box<dyn Iterator<Item = Result<Line, Failure>>>;

/// A series whose columns are known and whose rows are still to be read.
pub(crate) struct Series {
    /// What it is called in messages.
    pub(crate) name: String,
    /// The names of its columns, without `t`.
    pub(crate) columns: Vec<String>,
    rows: Ordered,
}

impl Series {
    /// Checks what each format has in common.
    fn new(name: String, columns: Vec<String>, lines: Lines) -> Result<Self, Failure> {
        if columns.is_empty() {
            let message = format!("{name} has no column beside `t`");
            return Err(Failure::new(exit::DIAGNOSTICS, message).help(HEADER));
        }
        for (position, column) in columns.iter().enumerate() {
            if columns[..position].contains(column) {
                let message = format!("{name} has two columns `{}`", cell::shown(column));
                return Err(Failure::new(exit::DIAGNOSTICS, message).help("a column belongs to one trigger"));
            }
        }
        Ok(Self::of(name, columns, lines))
    }

    fn of(name: String, columns: Vec<String>, lines: Lines) -> Self {
        let rows = Ordered {
            name: name.clone(),
            lines,
            first: None,
            before: None,
            done: false,
        };
        Self { name, columns, rows }
    }

    /// A moment from which nothing has a value but what needs no series.
    pub(crate) fn begin(at: i64) -> Self {
        let row = Row {
            at,
            values: Vec::new(),
        };
        Self::of(
            "the calendar".to_owned(),
            Vec::new(),
            Box::new(std::iter::once(Ok((1, row)))),
        )
    }

    /// A series that is made and not read: a row a moment, in order.
    pub(crate) fn made(
        name: &str,
        columns: Vec<String>,
        rows: impl Iterator<Item = Row> + 'static,
    ) -> Result<Self, Failure> {
        Self::new(
            name.to_owned(),
            columns,
            Box::new(rows.zip(1..).map(|(row, line)| Ok((line, row)))),
        )
    }
}

impl Iterator for Series {
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

/// What the first row of a file should be.
const HEADER: &str = "the first row names the columns, as in `t,orders`";

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated, the first row names the columns
    Csv,
    /// A JSON object a line
    Jsonl,
    /// OpenMetrics text with a timestamp a sample
    Openmetrics,
}

impl Format {
    /// The format that a name promises.
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension().and_then(|end| end.to_str()) {
            Some("jsonl" | "ndjson" | "json") => Self::Jsonl,
            Some("openmetrics" | "om" | "prom") => Self::Openmetrics,
            _ => Self::Csv,
        }
    }
}

/// Opens a file, or standard input as `-`.
pub(crate) fn open(path: &Path, format: Option<Format>) -> Result<Series, Failure> {
    let format = format.unwrap_or_else(|| Format::of(path));
    let name = path.display().to_string();
    let stdin = name == "-";
    if format == Format::Openmetrics {
        if stdin {
            let message = "OpenMetrics cannot be read from standard input";
            return Err(Failure::new(exit::USAGE, message).help(
                "its samples are not in order of time, so the file is read several times: name a file",
            ));
        }
        return open_metrics::open(&name, path);
    }
    let input: Box<dyn Read> = if stdin {
        Box::new(io::stdin())
    } else {
        Box::new(file(path)?)
    };
    match format {
        Format::Jsonl => json_lines::open(&name, input),
        Format::Csv | Format::Openmetrics => csv::open(&name, input),
    }
}

fn file(path: &Path) -> Result<File, Failure> {
    let unreadable =
        |error| Failure::new(exit::USAGE, format!("cannot read {}", path.display())).because(error);
    let file = File::open(path).map_err(unreadable)?;
    let folder = file.metadata().map_err(unreadable)?.is_dir();
    if folder {
        return Err(Failure::new(
            exit::USAGE,
            format!("{} is a folder, not a series", path.display()),
        ));
    }
    Ok(file)
}

/// A mistake in a series, with its place. Columns count from 1.
fn wrong(name: &str, line: u64, column: Option<(usize, &str)>, message: &str) -> Failure {
    let place = match column {
        Some((number, column)) => {
            format!("{name}, line {line}, column {number} (`{}`)", cell::shown(column))
        }
        None => format!("{name}, line {line}"),
    };
    Failure::new(exit::DIAGNOSTICS, format!("{place}: {message}"))
}

/// Rows whose time goes forward, of which there is at least one.
struct Ordered {
    name: String,
    lines: Lines,
    first: Option<i64>,
    before: Option<i64>,
    done: bool,
}

impl Ordered {
    fn check(&mut self, line: u64, row: Row) -> Result<Row, Failure> {
        let place = Some((1, "t"));
        if let Some(before) = self.before
            && row.at <= before
        {
            let (now, then) = (cell::seconds(row.at), cell::seconds(before));
            let message = if row.at == before {
                format!("{now} was there before: a moment has one row")
            } else {
                format!("{now} comes after {then}: rows must be in order of time")
            };
            return Err(
                wrong(&self.name, line, place, &message).help("put the rows in order of time, one a moment")
            );
        }
        let first = *self.first.get_or_insert(row.at);
        if row.at - first > LONGEST {
            let message = format!(
                "{} is more than ten years after the first row",
                cell::seconds(row.at)
            );
            return Err(wrong(&self.name, line, place, &message).help("`t` is in seconds"));
        }
        self.before = Some(row.at);
        Ok(row)
    }
}

impl Iterator for Ordered {
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = match self.lines.next() {
            Some(Ok((line, row))) => Some(self.check(line, row)),
            Some(Err(failure)) => Some(Err(failure)),
            None if self.before.is_none() => {
                let message = format!("{} has no rows of values", self.name);
                Some(Err(
                    Failure::new(exit::DIAGNOSTICS, message).help("one row is the least")
                ))
            }
            None => None,
        };
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests;
