//! OpenMetrics text: `name{label="value"} 12 1760000000`, a column a time series.
//!
//! Samples of one time series are in order of time, those of different ones are not: the file is read once for the names
//! and then by one reader a column, whose samples are merged.

use std::collections::BTreeMap;
use std::path::Path;

use super::lines::Lines;
use super::{Line, Row, Series, cell, file, wrong};
use crate::exit::{self, Failure};

/// The most time series in one file: each has a reader of its own.
const MOST: usize = 64;

/// Finds the time series. They are called by their metric, or with their labels where several are of one metric.
pub(super) fn open(name: &str, path: &Path) -> Result<Series, Failure> {
    let series = names(name, path)?;
    let columns = series.iter().map(|own| {
        let alone = series.iter().filter(|other| metric(other) == metric(own)).count() == 1;
        if alone {
            metric(own).to_owned()
        } else {
            own.clone()
        }
    });
    let columns: Vec<String> = columns.collect();
    if columns.is_empty() {
        return Err(Failure::new(exit::DIAGNOSTICS, format!("{name} has no samples"))
            .help("a sample is `name value seconds`, as in `orders 12 1760000000`"));
    }
    let open = |(own, column): (&String, &String)| {
        Ok(Column {
            name: column.clone(),
            series: own.clone(),
            samples: Samples::open(name, path)?,
            next: None,
            value: None,
        })
    };
    let readers = series
        .iter()
        .zip(&columns)
        .map(open)
        .collect::<Result<Vec<_>, Failure>>()?;
    let lines = Merged {
        columns: readers,
        primed: false,
    };
    Series::new(name.to_owned(), columns, Box::new(lines))
}

/// The time series of a file in the order in which they begin.
fn names(name: &str, path: &Path) -> Result<Vec<String>, Failure> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for sample in Samples::open(name, path)? {
        let sample = sample?;
        if !found.contains_key(&sample.series) {
            if found.len() == MOST {
                let message = format!("{name} has more than {MOST} time series");
                return Err(Failure::new(exit::DIAGNOSTICS, message)
                    .help("keep those of the triggers, as with `grep '^orders '`"));
            }
            found.insert(sample.series, sample.line);
        }
    }
    let mut names: Vec<(u64, String)> = found.into_iter().map(|(name, line)| (line, name)).collect();
    names.sort();
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

/// The name without its labels.
fn metric(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}

struct Sample {
    line: u64,
    series: String,
    at: i64,
    value: Option<f64>,
}

/// The samples of a file.
struct Samples {
    lines: Lines,
    ended: bool,
}

impl Samples {
    fn open(name: &str, path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            lines: Lines::new(name, Box::new(file(path)?)),
            ended: false,
        })
    }

    fn next_sample(&mut self) -> Result<Option<Sample>, Failure> {
        let name = self.lines.name.clone();
        while !self.ended {
            let Some((line, text)) = self.lines.next_line()? else {
                break;
            };
            self.ended = text == "# EOF";
            if !text.starts_with('#') {
                return sample(&name, line, text).map(Some);
            }
        }
        Ok(None)
    }
}

impl Iterator for Samples {
    type Item = Result<Sample, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_sample().transpose()
    }
}

fn sample(name: &str, line: u64, text: &str) -> Result<Sample, Failure> {
    let fail = |message: &str| wrong(name, line, None, message);
    let shape = "a sample must be `name value seconds`, as in `orders 12 1760000000`";
    let (series, rest) = split(text).ok_or_else(|| fail(shape))?;
    // An exemplar stands after a `#`.
    let mut cells = rest.split(" # ").next().unwrap_or_default().split_whitespace();
    let (Some(value), Some(at), None) = (cells.next(), cells.next(), cells.next()) else {
        return Err(fail(shape));
    };
    let at = cell::time(at).map_err(|message| fail(&message))?;
    let number: f64 = value
        .parse()
        .map_err(|_| fail(&format!("a value must be a number, not `{}`", cell::shown(value))))?;
    // The format has no empty cell: what was not measured is `NaN`.
    let value = if number.is_nan() {
        None
    } else {
        Some(cell::checked(number, value).map_err(|message| fail(&message))?)
    };
    Ok(Sample {
        line,
        series: series.to_owned(),
        at,
        value,
    })
}

/// A time series and what stands after it. Labels may hold blanks and braces in their quotes.
fn split(text: &str) -> Option<(&str, &str)> {
    let Some(open) = text.find('{') else {
        return text.split_once(' ');
    };
    if text[..open].contains(' ') {
        return text.split_once(' ');
    }
    let (mut quoted, mut escaped) = (false, false);
    for (position, letter) in text.char_indices().skip_while(|(position, _)| *position <= open) {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => {
                let (series, rest) = text.split_at(position + 1);
                return Some((series, rest));
            }
            _ => {}
        }
    }
    None
}

struct Column {
    name: String,
    series: String,
    samples: Samples,
    /// The sample that comes next.
    next: Option<Sample>,
    /// The value that holds.
    value: Option<f64>,
}

impl Column {
    fn advance(&mut self) -> Result<(), Failure> {
        let before = self.next.take();
        for sample in self.samples.by_ref() {
            let sample = sample?;
            if sample.series != self.series {
                continue;
            }
            if let Some(before) = before.filter(|before| sample.at <= before.at) {
                let (now, then) = (cell::seconds(sample.at), cell::seconds(before.at));
                let name = cell::shown(&self.name);
                let message = format!("`{name}` has {now} after {then}: times must go forward");
                return Err(wrong(&self.samples.lines.name, sample.line, None, &message));
            }
            self.next = Some(sample);
            return Ok(());
        }
        Ok(())
    }
}

/// A row for each moment at which any of the columns has a sample.
struct Merged {
    columns: Vec<Column>,
    primed: bool,
}

impl Merged {
    fn row(&mut self) -> Result<Option<Line>, Failure> {
        if !self.primed {
            self.primed = true;
            self.columns.iter_mut().try_for_each(Column::advance)?;
        }
        let next = self.columns.iter().filter_map(|column| column.next.as_ref());
        let Some((at, line)) = next.map(|sample| (sample.at, sample.line)).min() else {
            return Ok(None);
        };
        for column in &mut self.columns {
            if let Some(sample) = column.next.as_ref().filter(|sample| sample.at == at) {
                column.value = sample.value;
                column.advance()?;
            }
        }
        let values = self.columns.iter().map(|column| column.value).collect();
        Ok(Some((line, Row { at, values })))
    }
}

impl Iterator for Merged {
    type Item = Result<Line, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}
