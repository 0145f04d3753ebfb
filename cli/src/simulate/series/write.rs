//! Writes a series as the readers beside it read it: the names of the columns, then a row a moment.

use std::fmt::{Display, Write as _};
use std::path::Path;

use jiff::Timestamp;

use super::Format;
use crate::exit::{self, Failure};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WriteFormat {
    /// Comma-separated, the first row names the columns
    Csv,
    /// A JSON object a line
    Jsonl,
}

impl WriteFormat {
    /// The format that a name promises.
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        match Format::of(path) {
            Format::Csv => Ok(Self::Csv),
            Format::Jsonl => Ok(Self::Jsonl),
            Format::Openmetrics => {
                let message = format!(
                    "{} is called as OpenMetrics, which is not written",
                    path.display()
                );
                Err(Failure::new(exit::USAGE, message)
                    .help("end its name in `.csv` or `.jsonl`, or say how with `--format`"))
            }
        }
    }

    /// As the readers call it.
    pub(crate) fn read_as(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Jsonl => Format::Jsonl,
        }
    }
}

/// Whether a column can have this name: a row is a line, blanks around a cell are none of it, and `t` is the time.
pub(crate) fn is_name(name: &str) -> bool {
    name != "t" && !name.is_empty() && name == name.trim() && !name.chars().any(char::is_control)
}

/// What stands before the rows.
pub(crate) fn header(format: WriteFormat, columns: &[String]) -> String {
    match format {
        WriteFormat::Jsonl => String::new(),
        WriteFormat::Csv => {
            let cells = columns.iter().map(|name| cell(name));
            let cells: Vec<String> = std::iter::once("t".to_owned()).chain(cells).collect();
            cells.join(",") + "\n"
        }
    }
}

fn cell(name: &str) -> String {
    if name.contains([',', '"']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

/// One row. A column without a value is a source that fails.
pub(crate) fn row(format: WriteFormat, columns: &[String], at: Timestamp, values: &[Option<f64>]) -> String {
    match format {
        WriteFormat::Csv => csv_row(at, values),
        WriteFormat::Jsonl => json_row(columns, at, values),
    }
}

/// One row of CSV, with its time in any form that is read.
pub(crate) fn csv_row(at: impl Display, values: &[Option<f64>]) -> String {
    let mut line = at.to_string();
    for value in values {
        // Writing into a text cannot fail.
        let _ = match value {
            Some(value) => write!(line, ",{value}"),
            None => write!(line, ","),
        };
    }
    line.push('\n');
    line
}

fn json_row(columns: &[String], at: Timestamp, values: &[Option<f64>]) -> String {
    let mut line = format!("{{\"t\": \"{at}\"");
    for (name, value) in columns.iter().zip(values) {
        let name = serde_json::Value::from(name.as_str());
        // Writing into a text cannot fail.
        let _ = match value {
            Some(value) => write!(line, ", {name}: {value}"),
            None => write!(line, ", {name}: null"),
        };
    }
    line.push_str("}\n");
    line
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::super::{Row, open};
    use super::*;
    use crate::simulate::series;

    /// A text of both formats as the readers read it.
    fn read(format: WriteFormat, text: &str) -> (Vec<String>, Vec<Row>) {
        let mut file = tempfile::NamedTempFile::new().expect("a file can be made");
        file.write_all(text.as_bytes()).expect("it can be written");
        let series = open(file.path(), Some(format.read_as())).expect("it begins well");
        let columns = series.columns.clone();
        let rows = series.collect::<Result<_, _>>().expect("it goes on well");
        (columns, rows)
    }

    #[test]
    fn a_row_looks_like_the_documentation() {
        let columns = ["orders".to_owned(), "mails, all".to_owned()];
        let at: Timestamp = "2026-03-02T08:00:15Z".parse().expect("is a time");
        let values = [Some(12.0), None];
        for (format, want) in [
            (
                WriteFormat::Csv,
                "t,orders,\"mails, all\"\n2026-03-02T08:00:15Z,12,\n",
            ),
            (
                WriteFormat::Jsonl,
                "{\"t\": \"2026-03-02T08:00:15Z\", \"orders\": 12, \"mails, all\": null}\n",
            ),
        ] {
            let text = header(format, &columns) + &row(format, &columns, at, &values);
            assert_eq!(text, want);
        }
    }

    #[test]
    fn what_no_reader_takes_is_no_name() {
        for name in ["", "t", " orders", "orders ", "a\nb", "a\u{0}"] {
            assert!(!is_name(name), "{name:?}");
        }
        for name in ["orders", "s0-redis-jobs", "a \"b\", c", "größe", "0"] {
            assert!(is_name(name), "{name:?}");
        }
    }

    proptest! {
        /// What is written is read again: every name that is one, and every value.
        #[test]
        fn what_is_written_is_read(
            name in "[^\\pC]{1,8}".prop_filter("is a name", |name| is_name(name)),
            values in prop::collection::vec(prop::option::of(0.0..series::HIGHEST), 1..9),
            from in 0_i64..253_000_000_000,
        ) {
            let columns = [name, "other".to_owned()];
            prop_assume!(columns[0] != columns[1]);
            for format in [WriteFormat::Csv, WriteFormat::Jsonl] {
                let mut text = header(format, &columns);
                let mut want = Vec::new();
                for (second, value) in (from..).zip(&values) {
                    let at = Timestamp::from_second(second).expect("is before the year 9999");
                    text += &row(format, &columns, at, &[*value, None]);
                    want.push((second * 1000, *value));
                }
                let (found, rows) = read(format, &text);
                let position = found.iter().position(|name| *name == columns[0]).expect("it was written");
                prop_assert_eq!(found.len(), 2);
                prop_assert_eq!(rows.len(), want.len());
                for (row, (at, value)) in rows.iter().zip(want) {
                    prop_assert_eq!(row.at, at);
                    let found = row.values[position];
                    prop_assert_eq!(found.is_some(), value.is_some());
                    // The parser of JSON may be off by the last bit.
                    let (found, value) = (found.unwrap_or_default(), value.unwrap_or_default());
                    prop_assert!((found - value).abs() <= value * 1e-15, "{} is read as {}", value, found);
                }
            }
        }
    }
}
