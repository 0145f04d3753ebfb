//! What became of each column: how many values and failures there were, and what has to be said about it now. Pure.

use std::collections::BTreeSet;

use super::column::Column;
use crate::simulate::series::HIGHEST;

/// One column's history.
#[derive(Clone, Debug, Default)]
struct Count {
    values: u64,
    failures: u64,
    /// The error of the last answer.
    error: Option<String>,
    /// A value that no metric can have was told.
    odd: bool,
}

/// The history of all columns.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    names: Vec<String>,
    counts: Vec<Count>,
}

/// The answers of one moment as they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Written {
    /// One value a column; none is a source that fails.
    pub(super) values: Vec<Option<f64>>,
    /// What is new about them, a sentence each.
    pub(super) remarks: Vec<String>,
}

impl Tally {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self {
            names: columns.iter().map(|column| column.name.clone()).collect(),
            counts: vec![Count::default(); columns.len()],
        }
    }

    /// Takes the answers of one moment. A failure is told when it begins, changes and ends, not each time.
    pub(super) fn take(&mut self, answers: Vec<Result<f64, String>>) -> Written {
        let mut written = Written::default();
        for ((name, count), answer) in self.names.iter().zip(&mut self.counts).zip(answers) {
            let value = match answer {
                Ok(value) => {
                    if count.error.take().is_some() {
                        written.remarks.push(format!("`{name}` answers again"));
                    }
                    // Not `-0` either.
                    let written_as = if value > 0.0 { value.min(HIGHEST) } else { 0.0 };
                    let odd = !(0.0..=HIGHEST).contains(&value);
                    if odd && !std::mem::replace(&mut count.odd, true) {
                        written.remarks.push(format!(
                            "`{name}` is {value}, which a metric cannot be: the series has {written_as} for it, as the HPA would"
                        ));
                    }
                    Some(written_as)
                }
                Err(error) => {
                    match &count.error {
                        // A source that is left in peace for a while fails by its last error, with a word about that before it.
                        Some(known) if error.ends_with(known.as_str()) => {}
                        Some(known) if known.ends_with(&error) => count.error = Some(error),
                        _ => {
                            written.remarks.push(format!("`{name}` fails: {error}"));
                            count.error = Some(error);
                        }
                    }
                    None
                }
            };
            written.values.push(value);
        }
        written
    }

    /// Counts the answers of a moment that became a row.
    pub(super) fn count(&mut self, values: &[Option<f64>]) {
        for (count, value) in self.counts.iter_mut().zip(values) {
            match value {
                Some(_) => count.values += 1,
                None => count.failures += 1,
            }
        }
    }

    /// Whether there is any value at all.
    pub(super) fn has_values(&self) -> bool {
        self.counts.iter().any(|count| count.values > 0)
    }

    /// The errors that stand, each once.
    pub(super) fn errors(&self) -> BTreeSet<&str> {
        self.counts
            .iter()
            .filter_map(|count| count.error.as_deref())
            .collect()
    }

    /// A line a column.
    pub(super) fn lines(&self) -> Vec<String> {
        let width = self
            .names
            .iter()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or_default();
        let line = |(name, count): (&String, &Count)| {
            let failures = match count.failures {
                0 => String::new(),
                failures => format!(", {failures} failed"),
            };
            format!("  {name:<width$}  {} values{failures}", count.values)
        };
        self.names.iter().zip(&self.counts).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(names: &[&str]) -> Tally {
        Tally {
            names: names.iter().map(ToString::to_string).collect(),
            counts: vec![Count::default(); names.len()],
        }
    }

    #[test]
    fn a_failure_is_told_when_it_begins_changes_and_ends() {
        let mut tally = tally(&["orders"]);
        for (answer, value, remarks) in [
            (Ok(3.0), Some(3.0), vec![]),
            (Err("refused"), None, vec!["`orders` fails: refused"]),
            (Err("refused"), None, vec![]),
            (Err("probed again within 2s: refused"), None, vec![]),
            (Err("probed again within 4s: refused"), None, vec![]),
            (Err("timed out"), None, vec!["`orders` fails: timed out"]),
            (Ok(0.0), Some(0.0), vec!["`orders` answers again"]),
            (
                Ok(-2.0),
                Some(0.0),
                vec!["`orders` is -2, which a metric cannot be: the series has 0 for it, as the HPA would"],
            ),
            (Ok(-1.0), Some(0.0), vec![]),
        ] {
            let written = tally.take(vec![answer.map_err(str::to_owned)]);
            assert_eq!(
                (written.values, written.remarks),
                (vec![value], remarks.iter().map(ToString::to_string).collect())
            );
        }
    }

    #[test]
    fn rows_are_counted_by_column() {
        let mut tally = tally(&["orders", "mails, all"]);
        tally.count(&[Some(1.0), None]);
        tally.count(&[Some(1.0), Some(2.0)]);
        assert_eq!(
            tally.lines(),
            ["  orders      2 values", "  mails, all  1 values, 1 failed"]
        );
        assert!(tally.has_values());
    }
}
