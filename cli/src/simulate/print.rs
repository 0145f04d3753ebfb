//! The summary, for people: a line a figure, a column a run.

use engine::simulate::Summary;

use crate::simulate::figures;
use crate::ui::table;

/// A name, and how the figure of that name reads.
type Figure = (&'static str, fn(&Summary) -> Option<String>);

/// Rows of names and values; the first has the names of the runs where there are several.
pub(crate) fn summary(names: &[String], runs: &[&Summary]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if names.len() > 1 {
        rows.push(row("", names.iter().cloned()));
    }
    let figures: [Figure; 13] = [
        ("simulated time", |s| Some(duration(s.seconds))),
        ("replica-hours", |s| Some(decimals(s.replica_hours, 2))),
        ("cost", |s| s.cost.map(|cost| decimals(cost, 2))),
        ("mean replicas", |s| Some(decimals(figures::mean(s), 2))),
        ("peak replicas", |s| Some(s.peak.to_string())),
        ("time at zero", |s| Some(duration(s.seconds_at_zero))),
        ("cold starts", |s| Some(s.cold_starts.to_string())),
        ("changes", |s| Some(s.changes.to_string())),
        ("flaps", |s| Some(s.flaps.to_string())),
        ("failed reads", |s| {
            (s.failed_reads > 0).then(|| s.failed_reads.to_string())
        }),
        ("fallbacks", |s| {
            (s.fallbacks > 0).then(|| s.fallbacks.to_string())
        }),
        ("messages arrived", |s| {
            s.arrived.map(|number| decimals(number, 0))
        }),
        ("messages served", |s| s.served.map(|number| decimals(number, 0))),
    ];
    for (name, figure) in figures {
        let cells: Vec<Option<String>> = runs.iter().map(|run| figure(run)).collect();
        if cells.iter().any(Option::is_some) {
            rows.push(row(name, cells.into_iter().map(Option::unwrap_or_default)));
        }
    }
    let mut spreads: Vec<&str> = Vec::new();
    for run in runs {
        for name in run.metrics.keys() {
            if !spreads.contains(&name.as_str()) {
                spreads.push(name);
            }
        }
    }
    let backlog = runs.iter().any(|run| run.backlog.is_some());
    for name in backlog
        .then_some("backlog")
        .into_iter()
        .chain(spreads.iter().copied())
    {
        rows.push(row(
            &format!("{name} p50/p95/max"),
            runs.iter().map(|run| spread(run, name)),
        ));
    }
    rows
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(cells).collect()
}

fn spread(summary: &Summary, name: &str) -> String {
    let found = match name {
        "backlog" => summary.backlog.as_ref(),
        metric => summary.metrics.get(metric),
    };
    found.map_or_else(String::new, |spread| {
        [spread.p50, spread.p95, spread.max]
            .map(|value| decimals(value, 1))
            .join(" / ")
    })
}

/// The rows as columns of text; what is empty is `-`.
pub(crate) fn text(rows: &[Vec<String>]) -> String {
    let (headings, rows) = match rows.split_first() {
        Some((first, rest)) if first.first().is_some_and(String::is_empty) => (Some(first), rest),
        _ => (None, rows),
    };
    let headings: Vec<&str> = match headings {
        Some(names) => names.iter().map(String::as_str).collect(),
        None => vec![""; rows.first().map_or(2, Vec::len)],
    };
    let text = table::render(&headings, rows);
    text.trim_start_matches('\n').to_owned()
}

/// Seconds as days, hours, minutes and seconds.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as i64;
    let units = [
        (whole / 86_400, "d"),
        (whole / 3600 % 24, "h"),
        (whole / 60 % 60, "m"),
        (whole % 60, "s"),
    ];
    let parts: Vec<String> = units
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if parts.is_empty() {
        "0s".to_owned()
    } else {
        parts.join(" ")
    }
}

/// A number with at most so many decimals.
pub(crate) fn decimals(value: f64, most: usize) -> String {
    let text = format!("{value:.most$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_name_what_they_have() {
        for (seconds, want) in [
            (0.0, "0s"),
            (59.6, "1m"),
            (3_725.0, "1h 2m 5s"),
            (604_800.0, "7d"),
            (90_060.0, "1d 1h 1m"),
        ] {
            assert_eq!(duration(seconds), want, "{seconds}");
        }
    }

    #[test]
    fn numbers_have_no_empty_decimals() {
        assert_eq!(decimals(12.5, 2), "12.5");
        assert_eq!(decimals(12.0, 2), "12");
        assert_eq!(decimals(120.0, 0), "120");
    }
}
