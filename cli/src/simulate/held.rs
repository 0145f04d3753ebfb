//! A series in memory, for those who run it many times.

use engine::simulate::{Cell, Millis, Rows};

use crate::exit::{self, Failure};

/// Most cells: a quarter of a gigabyte.
const MOST: usize = 16 << 20;

/// Rows as the engine gets them.
#[derive(Debug, Default)]
pub(crate) struct Held {
    width: usize,
    times: Vec<Millis>,
    cells: Vec<Option<Cell>>,
}

impl Held {
    /// Reads all rows. Those that change nothing are left out, but for the last one, which says how long the series is.
    pub(crate) fn read(mut rows: impl Rows<Error = Failure>, name: &str) -> Result<Self, Failure> {
        Self::bounded(&mut rows, name, MOST)
    }

    fn bounded(rows: &mut impl Rows<Error = Failure>, name: &str, most: usize) -> Result<Self, Failure> {
        let mut held = Self::default();
        let mut row = Vec::new();
        let mut last = None;
        while let Some(time) = rows.next_row(&mut row)? {
            held.width = row.len();
            last = Some(time);
            let before = held
                .cells
                .len()
                .checked_sub(held.width)
                .map(|at| &held.cells[at..]);
            if held.times.is_empty() || before != Some(&row[..]) {
                if held.cells.len() + held.width > most {
                    return Err(too_long(name, most));
                }
                held.times.push(time);
                held.cells.extend_from_slice(&row);
            }
            row.clear();
        }
        if let Some(last) = last.filter(|last| held.times.last() != Some(last)) {
            let at = held.cells.len() - held.width;
            held.times.push(last);
            held.cells.extend_from_within(at..);
        }
        Ok(held)
    }

    /// The rows, from the first.
    pub(crate) fn rows(&self) -> Replay<'_> {
        Replay { held: self, next: 0 }
    }
}

fn too_long(name: &str, most: usize) -> Failure {
    let message =
        format!("{name} has more than {most} values that change, too many to run it again and again");
    Failure::new(exit::DIAGNOSTICS, message)
        .help("`--for` and a file with fewer rows shorten it: one row every 15s is what the HPA sees of it")
}

/// See [`Held::rows`].
#[derive(Debug)]
pub(crate) struct Replay<'h> {
    held: &'h Held,
    next: usize,
}

impl Rows for Replay<'_> {
    type Error = Failure;

    fn next_row(&mut self, cells: &mut Vec<Option<Cell>>) -> Result<Option<Millis>, Failure> {
        let Some(time) = self.held.times.get(self.next) else {
            return Ok(None);
        };
        let at = self.next * self.held.width;
        cells.extend_from_slice(&self.held.cells[at..at + self.held.width]);
        self.next += 1;
        Ok(Some(*time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows from a list.
    struct List(std::vec::IntoIter<(Millis, Vec<Option<f64>>)>);

    impl Rows for List {
        type Error = Failure;

        fn next_row(&mut self, cells: &mut Vec<Option<Cell>>) -> Result<Option<Millis>, Failure> {
            Ok(self.0.next().map(|(time, row)| {
                cells.extend(row.into_iter().map(|value| value.map(Cell::from)));
                time
            }))
        }
    }

    fn list(rows: &[(Millis, Option<f64>)]) -> List {
        let rows: Vec<_> = rows.iter().map(|&(time, value)| (time, vec![value])).collect();
        List(rows.into_iter())
    }

    #[test]
    fn rows_that_change_nothing_are_left_out_but_the_last() {
        for (given, want) in [
            (vec![], vec![]),
            (vec![(0, Some(1.0))], vec![(0, Some(1.0))]),
            (
                vec![
                    (0, Some(1.0)),
                    (5, Some(1.0)),
                    (10, Some(2.0)),
                    (15, None),
                    (20, None),
                    (25, None),
                ],
                vec![(0, Some(1.0)), (10, Some(2.0)), (15, None), (25, None)],
            ),
        ] {
            let held = Held::read(list(&given), "day.csv").expect("it fits");
            let (mut rows, mut found, mut cells) = (held.rows(), Vec::new(), Vec::new());
            while let Some(time) = rows.next_row(&mut cells).expect("nothing can fail") {
                found.push((time, cells[0].map(|cell: Cell| cell.value)));
                cells.clear();
            }
            assert_eq!(found, want);
        }
    }

    #[test]
    fn a_series_that_does_not_fit_is_told_with_a_remedy() {
        let long: Vec<_> = (0..9).map(|step| (step, Some(step as f64))).collect();
        let failure = Held::bounded(&mut list(&long), "day.csv", 8).expect_err("nine values");
        assert!(failure.to_string().starts_with("day.csv has more than 8 values"));
        assert!(failure.helps()[0].contains("--for"));
    }
}
