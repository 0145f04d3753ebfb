//! The series while it grows: a file, or standard output. Every row is written at once and whole, so that what is there can be
//! read whenever the recording ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::exit::{self, Failure};
use crate::simulate::columns::quoted;
use crate::simulate::series::write::{self, WriteFormat};
use crate::simulate::series::{self, LONGEST};
use crate::ui::Ui;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// It is left alone, and nothing is recorded.
    Keep,
    /// Rows are added to it.
    Append,
    /// It is written anew.
    Replace,
}

/// A series that rows are added to.
#[derive(Debug)]
pub(super) struct Recording {
    /// What it is called in messages.
    pub(super) name: String,
    /// The last moment of a series that is gone on with.
    pub(super) goes_on_from: Option<Timestamp>,
    format: WriteFormat,
    /// The columns as they stand in the file.
    columns: Vec<String>,
    /// For each of them the position of its value.
    order: Vec<usize>,
    place: Place,
    /// What is written before the next row.
    before: String,
}

#[derive(Debug)]
enum Place {
    Stdout(Ui),
    /// What is no regular file cannot be cut.
    Stream(File),
    File {
        file: File,
        path: PathBuf,
        /// Bytes that are right.
        length: u64,
        /// It was made for this recording.
        new: bool,
    },
}

impl Recording {
    /// Opens a file, or standard output as `-`. Nothing is written before the first row.
    pub(super) fn open(
        path: &Path,
        format: WriteFormat,
        existing: Existing,
        columns: Vec<String>,
        ui: Ui,
    ) -> Result<Self, Failure> {
        let stdout = path == Path::new("-");
        let mut recording = Self {
            name: if stdout {
                "standard output".to_owned()
            } else {
                path.display().to_string()
            },
            goes_on_from: None,
            format,
            order: (0..columns.len()).collect(),
            before: write::header(format, &columns),
            columns,
            place: Place::Stdout(ui),
        };
        if stdout && existing != Existing::Keep {
            let message = "`--append` and `--force` are about a file";
            return Err(Failure::new(exit::USAGE, message).help("name it with `--series FILE`"));
        }
        if !stdout {
            recording.place = recording.file(path, existing)?;
        }
        Ok(recording)
    }

    fn file(&mut self, path: &Path, existing: Existing) -> Result<Place, Failure> {
        let unusable =
            |error| Failure::new(exit::USAGE, format!("cannot write {}", path.display())).because(error);
        let found = match path.metadata() {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unusable(error)),
        };
        let mut options = OpenOptions::new();
        options.write(true).read(true);
        let Some(found) = found else {
            let file = options.create_new(true).open(path).map_err(unusable)?;
            self.lock(&file)?;
            return Ok(Place::File {
                file,
                path: path.to_owned(),
                length: 0,
                new: true,
            });
        };
        if found.is_dir() {
            let message = format!("{} is a folder, not a series", path.display());
            return Err(Failure::new(exit::USAGE, message));
        }
        if !found.is_file() {
            let file = OpenOptions::new().write(true).open(path).map_err(unusable)?;
            return Ok(Place::Stream(file));
        }
        if existing == Existing::Keep {
            let message = format!("{} exists already", path.display());
            return Err(Failure::new(exit::USAGE, message)
                .help("`--append` goes on with it, `--force` writes it anew"));
        }
        let mut file = options.open(path).map_err(unusable)?;
        self.lock(&file)?;
        let mut length = 0;
        if existing == Existing::Append && found.len() > 0 {
            self.go_on(path)?;
            length = file.seek(SeekFrom::End(-1)).map_err(unusable)? + 1;
            let mut last = [0];
            file.read_exact(&mut last).map_err(unusable)?;
            self.before.clear();
            if last != *b"\n" {
                self.before.push('\n');
            }
        }
        Ok(Place::File {
            file,
            path: path.to_owned(),
            length,
            new: false,
        })
    }

    /// Two recordings would write over each other's rows.
    fn lock(&self, file: &File) -> Result<(), Failure> {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let message = format!("another recording writes to {}", self.name);
                Err(Failure::new(exit::USAGE, message).help("give each one a file of its own"))
            }
            // Some file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        }
    }

    /// Reads the series that is there: its columns must be the same, and its time must be that of the clock.
    fn go_on(&mut self, path: &Path) -> Result<(), Failure> {
        let mut there = series::open(path, Some(self.format.read_as()))?;
        let position = |name: &String| self.columns.iter().position(|own| own == name);
        let order: Option<Vec<usize>> = there.columns.iter().map(position).collect();
        let order = order
            .filter(|order| order.len() == self.columns.len())
            .ok_or_else(|| {
                let (own, theirs) = (quoted(&self.columns), quoted(&there.columns));
                let message = format!(
                    "{} has the columns {theirs}, and the triggers give {own}",
                    self.name
                );
                Failure::new(exit::DIAGNOSTICS, message)
                    .help("record into another file, or with `--force` this one anew")
            })?;
        self.columns.clone_from(&there.columns);
        self.order = order;
        let first = there.next().transpose()?.map(|row| row.at);
        let mut last = first;
        for row in there {
            last = Some(row?.at);
        }
        self.goes_on_from = last.and_then(|at| Timestamp::from_millisecond(at).ok());
        let now = Timestamp::now().as_millisecond();
        if first.is_some_and(|first| now - first > LONGEST) {
            let message = format!("{} does not tell the time of day, as a recording does", self.name);
            return Err(Failure::new(exit::DIAGNOSTICS, message)
                .help("a series has one kind of time: record into another file"));
        }
        if let Some(last) = self.goes_on_from.filter(|last| last.as_millisecond() >= now) {
            let message = format!("{} ends at {last}, which is still to come", self.name);
            return Err(Failure::new(exit::DIAGNOSTICS, message).help("rows must be in order of time"));
        }
        Ok(())
    }

    /// Adds a row, one value a column in the order in which the columns were given.
    pub(super) fn write(&mut self, at: Timestamp, values: &[Option<f64>]) -> Result<(), Failure> {
        let ordered: Vec<Option<f64>> = self.order.iter().map(|position| values[*position]).collect();
        let text = std::mem::take(&mut self.before) + &write::row(self.format, &self.columns, at, &ordered);
        let written = match &mut self.place {
            Place::Stdout(ui) => return ui.data(&text),
            Place::Stream(file) => file.write_all(text.as_bytes()),
            Place::File { file, length, .. } => add(file, length, text.as_bytes()),
        };
        written.map_err(|error| match error.kind() {
            // As on standard output: nobody reads any more.
            io::ErrorKind::BrokenPipe => Failure::new(exit::OK, ""),
            _ => Failure::new(exit::UNEXPECTED, format!("cannot write {}", self.name))
                .because(error)
                .help("the rows before this one are there"),
        })
    }
}

/// Adds bytes after those that are right. Half a row is taken away again.
fn add(file: &mut File, length: &mut u64, bytes: &[u8]) -> io::Result<()> {
    file.set_len(*length)?;
    file.seek(SeekFrom::Start(*length))?;
    if let Err(error) = file.write_all(bytes) {
        file.set_len(*length)?;
        return Err(error);
    }
    *length += bytes.len() as u64;
    Ok(())
}

/// A file that no row came into is none.
impl Drop for Recording {
    fn drop(&mut self) {
        if let Place::File {
            path,
            length: 0,
            new: true,
            ..
        } = &self.place
        {
            // It is empty; that it stays does no harm.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: [&str; 2] = ["2026-03-02T08:00:00Z", "2026-03-02T08:00:15Z"];

    fn open(path: &Path, existing: Existing, columns: &[&str]) -> Result<Recording, Failure> {
        let columns = columns.iter().map(ToString::to_string).collect();
        Recording::open(path, WriteFormat::of(path)?, existing, columns, Ui::detect())
    }

    fn write(path: &Path, existing: Existing, columns: &[&str], at: &str, values: &[Option<f64>]) {
        let mut recording = open(path, existing, columns).expect("it can be opened");
        let at = at.parse().expect("is a time");
        recording.write(at, values).expect("there is room");
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).expect("it is there")
    }

    #[test]
    fn rows_are_added_in_the_order_of_the_columns_that_are_there() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for (name, want) in [
            (
                "a.csv",
                "t,a,b\n2026-03-02T08:00:00Z,1,\n2026-03-02T08:00:15Z,3,2\n",
            ),
            (
                "a.jsonl",
                "{\"t\": \"2026-03-02T08:00:00Z\", \"a\": 1, \"b\": null}\n{\"t\": \"2026-03-02T08:00:15Z\", \"a\": 3, \"b\": 2}\n",
            ),
        ] {
            let path = folder.path().join(name);
            write(&path, Existing::Append, &["a", "b"], AT[0], &[Some(1.0), None]);
            // As an editor may leave it.
            let trimmed = text(&path).trim_end().to_owned();
            std::fs::write(&path, trimmed).expect("it can be written");
            write(
                &path,
                Existing::Append,
                &["b", "a"],
                AT[1],
                &[Some(2.0), Some(3.0)],
            );
            assert_eq!(text(&path), want);
        }
    }

    #[test]
    fn a_file_that_is_there_stays_unless_told_otherwise() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "t,a\n0,1\n").expect("it can be written");
        let failure = open(&path, Existing::Keep, &["a"]).expect_err("it exists");
        assert_eq!(failure.code, exit::USAGE);
        // Nothing is lost before there is something to take its place.
        drop(open(&path, Existing::Replace, &["a"]).expect("it can be opened"));
        assert_eq!(text(&path), "t,a\n0,1\n");
        write(&path, Existing::Replace, &["b"], AT[0], &[Some(2.0)]);
        assert_eq!(text(&path), "t,b\n2026-03-02T08:00:00Z,2\n");
    }

    #[test]
    fn a_new_file_without_rows_is_taken_away() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("a.csv");
        let recording = open(&path, Existing::Keep, &["a"]).expect("it can be made");
        assert!(path.exists());
        drop(recording);
        assert!(!path.exists());
    }

    #[test]
    fn what_cannot_be_gone_on_with_is_told() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for (there, want) in [
            (
                "t,a\n0,1\n",
                "has the columns `a`, and the triggers give `a`, `b`",
            ),
            ("t,a,b\n0,1,1\n", "does not tell the time of day"),
            ("t,a,b\n2999-01-01T00:00:00Z,1,1\n", "which is still to come"),
            (
                "t,a,b\n2026-03-02T08:00:00Z,1\n",
                "line 2: 2 cells where the header has 3",
            ),
            ("t,a,b\n2026-03-02T08:00:00Z,1,x\n", "line 2, column 3 (`b`)"),
            ("t,a,b\n", "has no rows"),
        ] {
            let path = folder.path().join("a.csv");
            std::fs::write(&path, there).expect("it can be written");
            let failure = open(&path, Existing::Append, &["a", "b"]).expect_err("does not fit");
            assert!(failure.to_string().contains(want), "{there}: {failure}");
            assert_eq!(failure.code, exit::DIAGNOSTICS);
            assert_eq!(text(&path), there);
        }
    }

    #[test]
    fn two_recordings_do_not_share_a_file() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("a.csv");
        let _first = open(&path, Existing::Keep, &["a"]).expect("it can be made");
        let failure = open(&path, Existing::Append, &["a"]).expect_err("it is taken");
        assert!(
            failure.to_string().starts_with("another recording writes to "),
            "{failure}"
        );
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for path in [folder.path().to_owned(), folder.path().join("none/a.csv")] {
            let failure = open(&path, Existing::Keep, &["a"]).expect_err("cannot be made");
            assert_eq!(failure.code, exit::USAGE, "{failure}");
        }
        let failure = open(Path::new("-"), Existing::Append, &["a"]).expect_err("is no file");
        assert_eq!(failure.code, exit::USAGE);
        assert_eq!(
            WriteFormat::of(Path::new("a.prom"))
                .expect_err("is not written")
                .code,
            exit::USAGE
        );
    }
}
