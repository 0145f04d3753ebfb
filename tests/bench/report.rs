//! The rows, and what they are written as.

use std::path::Path;

use anyhow::Result;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, CellAlignment, Table};
use serde::Serialize;

use crate::machine::Machine;
use crate::{page, plot};

/// What a figure should keep to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Target {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

/// What was measured beside a figure in the same run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Baseline {
    pub(crate) what: &'static str,
    /// In the unit of the row.
    pub(crate) measured: f64,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// Unit of all its figures.
    pub(crate) unit: &'static str,
    /// The figure.
    pub(crate) measured: f64,
    pub(crate) baseline: Option<Baseline>,
    /// What the design asks for; without it, the figure is for reading others by.
    pub(crate) target: Option<Target>,
    /// What KEDA needed on a machine of this kind, in another run.
    pub(crate) keda: Option<f64>,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, unit: &'static str, measured: f64) -> Self {
        Self {
            what: what.into(),
            unit,
            measured,
            baseline: None,
            target: None,
            keda: None,
        }
    }

    #[must_use]
    pub(crate) fn at_most(mut self, most: f64) -> Self {
        self.target = Some(Target::AtMost(most));
        self
    }

    #[must_use]
    pub(crate) fn at_least(mut self, least: f64) -> Self {
        self.target = Some(Target::AtLeast(least));
        self
    }

    #[must_use]
    pub(crate) fn beside(mut self, what: &'static str, measured: f64) -> Self {
        self.baseline = Some(Baseline { what, measured });
        self
    }

    #[must_use]
    pub(crate) fn keda(mut self, keda: f64) -> Self {
        self.keda = Some(keda);
        self
    }

    /// How much of what is allowed a value uses; above 1 the target is missed. `None` without a target.
    pub(crate) fn share(&self, value: f64) -> Option<f64> {
        match self.target? {
            Target::AtMost(most) => Some(value / most),
            Target::AtLeast(least) => Some(least / value),
        }
    }

    /// Whether the target is kept; `None` without one.
    pub(crate) fn kept(&self) -> Option<bool> {
        self.share(self.measured).map(|share| share <= 1.0)
    }

    /// The figure with its unit.
    pub(crate) fn measured(&self) -> String {
        let figure = figure(self.measured);
        match self.unit {
            "" => figure,
            "/s" | "×" => figure + self.unit,
            unit => format!("{figure} {unit}"),
        }
    }

    /// The target as text.
    pub(crate) fn target(&self) -> String {
        match self.target {
            Some(Target::AtMost(most)) => format!("≤ {}", figure(most)),
            Some(Target::AtLeast(least)) => format!("≥ {}", figure(least)),
            None => String::new(),
        }
    }

    /// The baseline as text.
    pub(crate) fn baseline(&self) -> String {
        let text = |baseline: &Baseline| format!("{} ({})", figure(baseline.measured), baseline.what);
        self.baseline.as_ref().map(text).unwrap_or_default()
    }
}

/// Everything a run measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) version: &'static str,
    pub(crate) machine: Machine,
    /// Why the run ended early, if it did.
    pub(crate) incomplete: Option<String>,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            machine,
            incomplete: None,
            rows: Vec::new(),
        }
    }

    /// Adds a figure, and says it at once: a run takes minutes.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("  {}: {}", row.what, row.measured());
        self.rows.push(row);
    }

    /// Whether a figure whose name begins so is there.
    pub(crate) fn has(&self, prefix: &str) -> bool {
        self.rows.iter().any(|row| row.what.starts_with(prefix))
    }

    /// The rows as a table for people.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        table.set_header(["WHAT", "MEASURED", "TARGET", "", "KEDA", "BASELINE OF THIS RUN"]);
        for row in &self.rows {
            let mark = match row.kept() {
                Some(true) => "√",
                Some(false) => "missed",
                None => "",
            };
            let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            table.add_row([
                Cell::new(&row.what),
                right(row.measured()),
                right(row.target()),
                Cell::new(mark),
                right(row.keda.map(figure).unwrap_or_default()),
                Cell::new(row.baseline()),
            ]);
        }
        table
    }

    /// Writes `bench.json`, `bench.md` and `bench.svg`.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(folder.join("bench.json"), text)?;
        std::fs::write(folder.join("bench.md"), page::render(self))?;
        plot::write(&self.rows, &folder.join("bench.svg"))
    }
}

/// Three digits that count, and no zeros that say nothing.
pub(crate) fn figure(value: f64) -> String {
    let text = match value.abs() {
        large if large >= 99.95 => return format!("{value:.0}"),
        medium if medium >= 9.995 => format!("{value:.1}"),
        small if small >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_shows_three_digits_that_count() {
        for (value, text) in [
            (0.0, "0"),
            (0.0123, "0.012"),
            (0.1, "0.1"),
            (0.9999, "1"),
            (1.5, "1.5"),
            (17.04, "17"),
            (99.96, "100"),
            (2875.4, "2875"),
        ] {
            assert_eq!(figure(value), text, "{value}");
        }
    }

    #[test]
    fn a_target_is_kept_up_to_its_edge_and_missed_beyond() {
        let memory = |measured| Row::new("memory", "MiB", measured).at_most(15.0).kept();
        let rate = |measured| Row::new("rate", "/s", measured).at_least(2875.0).kept();
        assert_eq!([memory(15.0), memory(15.1)], [Some(true), Some(false)]);
        assert_eq!([rate(2875.0), rate(2874.0)], [Some(true), Some(false)]);
        assert_eq!(Row::new("load", "s", 1.0).kept(), None);
        assert_eq!(memory(f64::NAN), Some(false), "nothing measured is nothing kept");
    }
}
