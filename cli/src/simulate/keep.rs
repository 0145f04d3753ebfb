//! `--write-series`: what was made up or fetched, as a file that people look at and every command reads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::exit::{self, Failure};
use crate::simulate::series::write::{self, WriteFormat};
use crate::simulate::series::{self, Format, Row, Series};

/// Writes a series down as CSV, and opens the file in its place: what runs is what was written.
pub(crate) fn kept(series: Series, path: &Path) -> Result<Series, Failure> {
    let failed = |error: io::Error| {
        Failure::new(exit::USAGE, format!("cannot write {}", path.display())).because(error)
    };
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    let header = write::header(WriteFormat::Csv, &series.columns);
    file.write_all(header.as_bytes()).map_err(failed)?;
    for row in series {
        let Row { at, values } = row?;
        let line = write::csv_row(at as f64 / 1000.0, &values);
        file.write_all(line.as_bytes()).map_err(failed)?;
    }
    file.flush().map_err(failed)?;
    series::open(path, Some(Format::Csv))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let rows = vec![
            Row {
                at: 1_772_438_400_000,
                values: vec![Some(3.0), None],
            },
            Row {
                at: 1_772_438_400_250,
                values: vec![Some(0.125), Some(1e12)],
            },
        ];
        let columns = vec!["orders".to_owned(), "sum(jobs{a=\"b\",c=\"d\"})".to_owned()];
        let made = Series::made("a load", columns.clone(), rows.clone().into_iter()).expect("has columns");
        let path = folder.path().join("day.jsonl");
        let kept = kept(made, &path).expect("can be written");
        assert_eq!(kept.columns, columns);
        let read: Vec<Row> = kept.map(|row| row.expect("can be read")).collect();
        assert_eq!(read, rows);
    }
}
