//! The rows, and what they are written as.

use std::path::Path;

use anyhow::Result;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, CellAlignment, Table};
use serde::Serialize;

use crate::plot;

/// What a figure should keep to.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Target {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
    /// There is none; the figure is for reading others by.
    None,
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
    /// What was measured beside it in the same run, and what that is.
    pub(crate) baseline: Option<(String, f64)>,
    /// What the design asks for.
    pub(crate) target: Target,
}

impl Row {
    /// Whether the target is kept; `None` without one.
    pub(crate) fn kept(&self) -> Option<bool> {
        match self.target {
            Target::AtMost(most) => Some(self.measured <= most),
            Target::AtLeast(least) => Some(self.measured >= least),
            Target::None => None,
        }
    }
}

/// The machine, as far as it explains the figures.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    load_before: String,
    load_after: String,
}

/// Everything a run measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    version: &'static str,
    machine: Machine,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::look(),
            rows: Vec::new(),
        }
    }

    /// Adds a figure, and says it at once: a run takes minutes.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("  {}: {} {}", row.what, figure(row.measured), row.unit);
        self.rows.push(row);
    }

    /// Adds a figure without a baseline.
    pub(crate) fn figure(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        measured: f64,
        target: Target,
    ) {
        self.add(Row {
            what: what.into(),
            unit,
            measured,
            baseline: None,
            target,
        });
    }

    /// Whether a figure whose name begins so is there.
    pub(crate) fn has(&self, prefix: &str) -> bool {
        self.rows.iter().any(|row| row.what.starts_with(prefix))
    }

    /// Notes the load once everything is measured.
    pub(crate) fn finish(&mut self) {
        self.machine.load_after = load();
    }

    /// The rows as a table for people.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        table.set_header(["WHAT", "MEASURED", "UNIT", "TARGET", "", "BASELINE OF THIS RUN"]);
        for row in &self.rows {
            let target = match row.target {
                Target::AtMost(most) => format!("≤ {}", figure(most)),
                Target::AtLeast(least) => format!("≥ {}", figure(least)),
                Target::None => String::new(),
            };
            let mark = match row.kept() {
                Some(true) => "√",
                Some(false) => "missed",
                None => "",
            };
            let baseline = row
                .baseline
                .as_ref()
                .map(|(what, value)| format!("{} ({what})", figure(*value)));
            table.add_row([
                Cell::new(&row.what),
                Cell::new(figure(row.measured)).set_alignment(CellAlignment::Right),
                Cell::new(row.unit),
                Cell::new(target).set_alignment(CellAlignment::Right),
                Cell::new(mark),
                Cell::new(baseline.unwrap_or_default()),
            ]);
        }
        table
    }

    /// Writes `bench.json` and `bench.svg`.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(folder.join("bench.json"), text)?;
        plot::write(&self.rows, &folder.join("bench.svg"))
    }
}

impl Machine {
    fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key));
            line.and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kibibytes: u64 = memory
            .split_whitespace()
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or_default();
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: kibibytes / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: load(),
            load_after: String::new(),
        }
    }
}

/// Averages over 1, 5 and 15 minutes.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Three digits that count.
fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        small if small >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
