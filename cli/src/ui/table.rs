//! Tables as kubectl prints them: capital headings, columns three spaces apart, no lines, nothing wrapped.

use comfy_table::{ContentArrangement, Table, presets};

/// Renders rows under headings. A cell that is empty is printed as `-`, so that columns can be counted.
pub(crate) fn render<C: AsRef<str>>(headings: &[&str], rows: &[Vec<C>]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .force_no_tty();
    table.set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| one_line(cell.as_ref())));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A cell never breaks its row.
fn one_line(cell: &str) -> String {
    let text: Vec<&str> = cell.split_whitespace().collect();
    if text.is_empty() {
        "-".to_owned()
    } else {
        text.join(" ")
    }
}

/// An age as kubectl prints it: two units at most, one once it is long enough.
///
/// Upstream: apimachinery `util/duration` `HumanDuration`.
pub(crate) fn human_duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..0 => "<invalid>".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

fn two(big: i64, big_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 {
        format!("{big}{big_unit}")
    } else {
        format!("{big}{big_unit}{small}{small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_without_trailing_blanks() {
        let rows = vec![vec!["orders", "3", "two\nlines"], vec!["a-longer-name", "", "x"]];
        let want = "NAME            REPLICAS   WHY\norders          3          two lines\na-longer-name   -          x\n";
        assert_eq!(render(&["NAME", "REPLICAS", "WHY"], &rows), want);
    }

    #[test]
    fn ages_are_those_of_kubectl() {
        let cases = [
            (-1, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (601, "10m"),
            (10_860, "3h1m"),
            (90_000, "25h"),
            (176_400, "2d1h"),
            (864_000, "10d"),
            (63_158_400, "2y1d"),
            (315_360_000, "10y"),
        ];
        for (seconds, want) in cases {
            assert_eq!(human_duration(seconds), want, "{seconds}");
        }
    }
}
