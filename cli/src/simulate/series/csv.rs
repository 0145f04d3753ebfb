//! CSV: the first row is `t` and a name a column, every other row a time and a value a column.
//!
//! A row is a line: no name and no number has a line break in it.

use std::borrow::Cow;
use std::io::Read;

use super::lines::Lines;
use super::{HEADER, Line, Row, Series, cell, wrong};
use crate::exit::{self, Failure};

/// Reads the names of the columns.
pub(super) fn open(name: &str, input: Box<dyn Read>) -> Result<Series, Failure> {
    let mut lines = Lines::new(name, input);
    let Some((number, header)) = lines.next_line()? else {
        return Err(Failure::new(exit::DIAGNOSTICS, format!("{name} is empty")).help(HEADER));
    };
    let header = header.to_owned();
    let fail = |message: &str| wrong(name, number, None, message).help(HEADER);
    let names = cells(&header).map_err(&fail)?;
    let mut names = names.into_iter().map(Cow::into_owned);
    let first = names.next().unwrap_or_default();
    if first != "t" {
        return Err(fail(&format!(
            "the first column must be `t`, not `{}`",
            cell::shown(&first)
        )));
    }
    let columns: Vec<String> = names.collect();
    if let Some(position) = columns.iter().position(String::is_empty) {
        return Err(fail(&format!("column {} has no name", position + 2)));
    }
    let rows = Rows {
        columns: columns.clone(),
        lines,
    };
    Series::new(name.to_owned(), columns, Box::new(rows))
}

/// The cells of a row, without blanks around them. In quotes a comma is part of a cell, and two quotes are one.
fn cells(line: &str) -> Result<Vec<Cow<'_, str>>, &'static str> {
    if !line.contains('"') {
        return Ok(line.split(',').map(|cell| Cow::Borrowed(cell.trim())).collect());
    }
    let mut cells = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let (cell, after) = if let Some(quoted) = text.trim_start().strip_prefix('"') {
            unquoted(quoted)?
        } else {
            let (cell, after) = until_comma(text);
            if cell.contains('"') {
                return Err("a quote stands inside a cell: the whole cell must be in quotes, or none of it");
            }
            (Cow::Borrowed(cell.trim()), after)
        };
        cells.push(cell);
        rest = after;
    }
    Ok(cells)
}

/// What stands before a comma, and what comes after it, if there is one.
fn until_comma(text: &str) -> (&str, Option<&str>) {
    match text.split_once(',') {
        Some((cell, after)) => (cell, Some(after)),
        None => (text, None),
    }
}

/// A cell whose first quote was taken off, and what comes after it.
fn unquoted(text: &str) -> Result<(Cow<'_, str>, Option<&str>), &'static str> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest
            .split_once('"')
            .ok_or("a quote is not closed: a row is a line, and a quote inside quotes is doubled")?;
        cell.push_str(part);
        if let Some(more) = after.strip_prefix('"') {
            cell.push('"');
            rest = more;
            continue;
        }
        let (blank, after) = until_comma(after);
        if !blank.trim().is_empty() {
            return Err("text comes after a closed quote: the whole cell must be in quotes");
        }
        return Ok((Cow::Owned(cell.trim().to_owned()), after));
    }
}

struct Rows {
    columns: Vec<String>,
    lines: Lines,
}

impl Rows {
    fn row(&mut self) -> Result<Option<Line>, Failure> {
        let name = self.lines.name.clone();
        let Some((line, text)) = self.lines.next_line()? else {
            return Ok(None);
        };
        let cells = cells(text).map_err(|message| wrong(&name, line, None, message))?;
        let due = self.columns.len() + 1;
        if cells.len() != due {
            let message = format!("{} cells where the header has {due}", cells.len());
            return Err(wrong(&name, line, None, &message).help("an empty cell is a source that fails"));
        }
        let at = cell::time(&cells[0]).map_err(|message| wrong(&name, line, Some((1, "t")), &message))?;
        let values = cells[1..].iter().zip(&self.columns).enumerate();
        let values = values.map(|(position, (text, column))| {
            cell::value(text).map_err(|message| wrong(&name, line, Some((position + 2, column)), &message))
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        Ok(Some((line, Row { at, values })))
    }
}

impl Iterator for Rows {
    type Item = Result<Line, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}
