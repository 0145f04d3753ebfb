//! The rows as a page of the documentation, so that nobody copies a figure by hand.

use std::fmt::Write as _;

use crate::report::{Report, Row, figure};

/// Renders `bench.md`.
pub(crate) fn render(report: &Report) -> String {
    let machine = &report.machine;
    let mut out = format!(
        "# Measurements\n\nWritten by `cargo xtask bench`, never by hand; [README.md](README.md) says how to read it.\n\n\
         kubectl-keda {}, {}. {}, {} cores, {} MiB, Linux {}; every process bound to {}. Load average {} before, {} after.\n\n",
        report.version,
        machine.date,
        machine.processor,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
        machine.bound_to,
        machine.load_before,
        machine.load_after,
    );
    if let Some(reason) = &report.incomplete {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "**The run ended early**: {}\n", reason.replace('\n', " "));
    }
    let _ = writeln!(out, "{}\n", summary(&report.rows));
    out.push_str("![measured as a share of the target](bench.svg)\n\n");
    out.push_str("| what | measured | target | | KEDA | beside it in this run |\n");
    out.push_str("| --- | ---: | ---: | --- | ---: | --- |\n");
    for row in &report.rows {
        let mark = match row.kept() {
            Some(true) => "kept",
            Some(false) => "**missed**",
            None => "",
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {mark} | {} | {} |",
            row.what.replace('|', "\\|"),
            row.measured(),
            row.target(),
            row.keda.map(figure).unwrap_or_default(),
            row.baseline(),
        );
    }
    out
}

fn summary(rows: &[Row]) -> String {
    let count = |kept| rows.iter().filter(|row| row.kept() == Some(kept)).count();
    format!("Targets: {} kept, {} missed.", count(true), count(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    #[test]
    fn the_page_tells_figures_targets_and_what_is_missed() {
        let mut report = Report::new(Machine::default());
        report.add(Row::new("memory", "MiB", 12.34).at_most(15.0).keda(119.0));
        report.add(
            Row::new("reads | s", "/s", 900.0)
                .at_least(2875.0)
                .beside("bare chain", 1000.0),
        );
        report.add(Row::new("ratio", "", 1.0));
        let page = render(&report);
        for line in [
            "Targets: 1 kept, 1 missed.",
            "| memory | 12.3 MiB | ≤ 15 | kept | 119 |  |",
            "| reads \\| s | 900/s | ≥ 2875 | **missed** |  | 1000 (bare chain) |",
            "| ratio | 1 |  |  |  |  |",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        assert!(!page.contains("ended early"));
        report.incomplete = Some("no bed".to_owned());
        assert!(render(&report).contains("**The run ended early**: no bed"));
    }
}
