//! What was recorded: rows in time, of which one holds until the next.

use std::convert::Infallible;

use super::Millis;

/// What a row says of one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The value; what is no number counts as none, as in [`crate::quantity::Quantity::from_f64_milli`].
    pub value: f64,
    /// Whether the source itself says that it is active; `None` leaves it to the activation threshold.
    pub active: Option<bool>,
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self { value, active: None }
    }
}

/// A series, row by row; only two rows are held at a time.
pub trait Rows {
    /// Why the next row cannot be read.
    type Error;

    /// Puts the cells of the next row into `cells`, which comes empty, and gives its time; `None` after the last row.
    /// `None` as a cell is a source that fails, and so is a column that a row does not have.
    ///
    /// Times do not go back; a row that does holds from the time of the row before it.
    fn next_row(&mut self, cells: &mut Vec<Option<Cell>>) -> Result<Option<Millis>, Self::Error>;
}

/// A list as a series.
pub fn rows(list: Vec<(Millis, Vec<Option<f64>>)>) -> Listed {
    Listed(list.into_iter())
}

/// See [`rows`].
#[derive(Clone, Debug)]
pub struct Listed(std::vec::IntoIter<(Millis, Vec<Option<f64>>)>);

impl Rows for Listed {
    type Error = Infallible;

    fn next_row(&mut self, cells: &mut Vec<Option<Cell>>) -> Result<Option<Millis>, Infallible> {
        Ok(self.0.next().map(|(time, row)| {
            cells.extend(row.into_iter().map(|value| value.map(Cell::from)));
            time
        }))
    }
}

/// The rows, of which one is current.
pub(super) struct Series<R> {
    rows: R,
    current: Vec<Option<Cell>>,
    next: Vec<Option<Cell>>,
    due: Option<Millis>,
}

impl<R: Rows> Series<R> {
    /// Reads the first row; none is current before its time.
    pub(super) fn new(rows: R) -> Result<Self, R::Error> {
        let mut series = Self {
            rows,
            current: Vec::new(),
            next: Vec::new(),
            due: None,
        };
        series.due = series.rows.next_row(&mut series.next)?;
        Ok(series)
    }

    /// When the next row begins.
    pub(super) fn due(&self) -> Option<Millis> {
        self.due
    }

    /// Makes the rows current that begin until now; says whether any did.
    pub(super) fn advance(&mut self, now: Millis) -> Result<bool, R::Error> {
        let mut moved = false;
        while self.due.is_some_and(|due| due <= now) {
            std::mem::swap(&mut self.current, &mut self.next);
            self.next.clear();
            self.due = self.rows.next_row(&mut self.next)?;
            moved = true;
        }
        Ok(moved)
    }

    /// What the current row says of a column.
    pub(super) fn cell(&self, column: usize) -> Option<Cell> {
        self.current.get(column).copied().flatten()
    }
}
