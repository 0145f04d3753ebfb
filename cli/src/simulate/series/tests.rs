use std::io::Write as _;

use super::*;

/// The moment of a row, and its values.
type Seconds = (f64, Vec<Option<f64>>);

/// What a file of a name reads as: columns, and rows as seconds and values.
fn read(name: &str, text: &str) -> Result<(Vec<String>, Vec<Seconds>), Failure> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join(name);
    File::create(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("the file can be written");
    let series = open(&path, None)?;
    let columns = series.columns.clone();
    let rows = series.map(|row| row.map(|row| (cell::seconds(row.at), row.values)));
    Ok((columns, rows.collect::<Result<_, _>>()?))
}

#[track_caller]
fn check(name: &str, text: &str, columns: &[&str], rows: &[(f64, &[Option<f64>])]) {
    let (found, values) = read(name, text).expect("can be read");
    assert_eq!(found, columns);
    let want: Vec<(f64, Vec<Option<f64>>)> = rows.iter().map(|(at, row)| (*at, row.to_vec())).collect();
    assert_eq!(values, want);
}

#[track_caller]
fn refused(name: &str, text: &str, want: &str) {
    let failure = read(name, text).expect_err("has a mistake");
    let message = failure.to_string();
    assert!(message.contains(want), "{text:?}: {message}");
    assert_eq!(failure.code, exit::DIAGNOSTICS, "{message}");
}

#[test]
fn csv_has_a_header_and_holds() {
    check(
        "a.csv",
        "\u{feff}t, orders,\"mails, all\"\r\n0,1,2.5\r\n15.5,,1e3\r\n\r\n30, 4 ,\r\n",
        &["orders", "mails, all"],
        &[
            (0.0, &[Some(1.0), Some(2.5)]),
            (15.5, &[None, Some(1000.0)]),
            (30.0, &[Some(4.0), None]),
        ],
    );
    check(
        "a.csv",
        "t,orders\n2026-03-02T08:00:00Z,1\n2026-03-02T09:00:15+01:00,2",
        &["orders"],
        &[(1_772_438_400.0, &[Some(1.0)]), (1_772_438_415.0, &[Some(2.0)])],
    );
}

#[test]
fn json_lines_name_their_columns_in_the_first() {
    check(
        "a.jsonl",
        "{\"t\": 0, \"orders\": 1, \"mails\": 2}\n\n{\"mails\": null, \"t\": \"1970-01-01T00:01:00Z\", \"orders\": 3.5}",
        &["mails", "orders"],
        &[(0.0, &[Some(2.0), Some(1.0)]), (60.0, &[None, Some(3.5)])],
    );
}

#[test]
fn open_metrics_is_merged_in_order_of_time() {
    let text = "# HELP orders How many.\n# TYPE orders gauge\norders 1 100\norders 3 130\norders NaN 140\n\
        mails{to=\"a } b\"} 5 120\nmails{to=\"c\"} 6 100.5 # {trace=\"x\"} 1\n# EOF\nanything else\n";
    check(
        "a.prom",
        text,
        &["orders", "mails{to=\"a } b\"}", "mails{to=\"c\"}"],
        &[
            (100.0, &[Some(1.0), None, None]),
            (100.5, &[Some(1.0), None, Some(6.0)]),
            (120.0, &[Some(1.0), Some(5.0), Some(6.0)]),
            (130.0, &[Some(3.0), Some(5.0), Some(6.0)]),
            (140.0, &[None, Some(5.0), Some(6.0)]),
        ],
    );
}

#[test]
fn mistakes_in_csv_have_their_place() {
    for (text, want) in [
        ("", "is empty"),
        ("t,orders\n", "has no rows"),
        ("t\n1\n", "has no column beside `t`"),
        (
            "time,orders\n1,2\n",
            "line 1: the first column must be `t`, not `time`",
        ),
        (
            "t;orders\n1;2\n",
            "line 1: the first column must be `t`, not `t;orders`",
        ),
        ("t,orders,orders\n1,2,3\n", "has two columns `orders`"),
        ("t,,x\n1,2,3\n", "line 1: column 2 has no name"),
        ("t,orders\n1\n", "line 2: 1 cells where the header has 2"),
        ("t,orders\n1,2,3\n", "line 2: 3 cells where the header has 2"),
        (
            "t,orders\n0,1\n1,many\n",
            "line 3, column 2 (`orders`): a value must be a number",
        ),
        (
            "t,orders\n0,NaN\n",
            "line 2, column 2 (`orders`): `NaN` is no value",
        ),
        ("t,orders\n0,inf\n", "`inf` is no value"),
        ("t,orders\n0,1e999\n", "`1e999` is no value"),
        ("t,orders\n0,-1\n", "line 2, column 2 (`orders`): `-1` is below 0"),
        (
            "t,orders\n5,1\n5,2\n",
            "line 3, column 1 (`t`): 5 was there before",
        ),
        (
            "t,orders\n5,1\n\n4,2\n",
            "line 4, column 1 (`t`): 4 comes after 5",
        ),
        (
            "t,orders\nnoon,1\n",
            "line 2, column 1 (`t`): a time must be seconds or RFC 3339",
        ),
        ("t,orders\n-1,1\n", "`-1` is before 0"),
        ("t,orders\nNaN,1\n", "`NaN` is no time"),
        ("t,orders\n1760000000000,1\n", "is after the year 9999"),
        (
            "t,orders\n0,1\n1760000000,1\n",
            "is more than ten years after the first row",
        ),
        ("t,orders\n1960-01-01T00:00:00Z,1\n", "is before 1970"),
        ("t,orders\r0,1\r", "line 1: a carriage return stands inside it"),
        ("t,orders\n0,1e16\n", "`1e16` is more than 9.2e15"),
        ("t,\"orders\n0,1\n", "line 1: a quote is not closed"),
        ("t,orders\n0,1\"2\n", "line 2: a quote stands inside a cell"),
        ("t,orders\n0,\"1\"2\n", "line 2: text comes after a closed quote"),
        (
            "t,orders\n0,\"\"\"1\"\n",
            "line 2, column 2 (`orders`): a value must be a number",
        ),
    ] {
        refused("a.csv", text, want);
    }
}

#[test]
fn mistakes_in_json_lines_have_their_place() {
    for (text, want) in [
        ("", "is empty"),
        ("[1]\n", "line 1: it must be a JSON object"),
        ("{\"t\": 1}\n", "has no column beside `t`"),
        ("{\"orders\": 1}\n", "line 1: `t` is missing"),
        (
            "{\"t\": true, \"orders\": 1}\n",
            "line 1: `t` must be a number or a text",
        ),
        (
            "{\"t\": 0, \"orders\": 1}\n\n{\"t\": 1}\n",
            "line 3: `orders` is missing",
        ),
        (
            "{\"t\": 0, \"orders\": 1}\n{\"t\": 1, \"orders\": 1, \"x\": 2}\n",
            "line 2: `x` is not in the first line",
        ),
        (
            "{\"t\": 0, \"orders\": \"1\"}\n",
            "line 1: `orders` must be a number",
        ),
        ("{\"t\": 0, \"orders\": -1}\n", "`-1` is below 0"),
        (
            "{\"t\": 1, \"orders\": 1}\n{\"t\": 0, \"orders\": 1}\n",
            "line 2, column 1 (`t`): 0 comes after 1",
        ),
        (
            "{\"t\": 0, \"orders\": 1, \"orders\": 2}\n",
            "line 1: it must be a JSON object, as in `{\"t\": 0, \"orders\": 12}`: it has two `orders`",
        ),
        (
            "{\"t\": 0, \"orders\": 1}\n{\"t\": 1, \"ord",
            "line 2: it must be a JSON object",
        ),
    ] {
        refused("a.jsonl", text, want);
    }
    refused(
        "a.jsonl",
        &format!("{{\"t\": 0, \"{}\": 1}}", "x".repeat(2 << 20)),
        "longer than a megabyte",
    );
}

#[test]
fn mistakes_in_open_metrics_have_their_place() {
    for (text, want) in [
        ("", "has no samples"),
        ("# EOF\n", "has no samples"),
        ("orders\n", "line 1: a sample must be"),
        ("orders 1\n", "line 1: a sample must be"),
        ("orders{a=\"b 1 2\n", "line 1: a sample must be"),
        ("orders many 2\n", "line 1: a value must be a number"),
        ("orders +Inf 2\n", "`+Inf` is no value"),
        ("orders 1 soon\n", "line 1: a time must be seconds"),
        ("orders 1 2\norders 1 2\n", "line 2: `orders` has 2 after 2"),
    ] {
        refused("a.prom", text, want);
    }
    let many = (0..100).fold(String::new(), |text, number| text + &format!("m{number} 1 1\n"));
    refused("a.prom", &many, "more than 64 time series");
}

#[test]
fn a_moment_may_be_a_date() {
    for (text, want) in [
        ("2026-03-02", 1_772_409_600_000),
        ("2026-03-02T08:00:00Z", 1_772_438_400_000),
        (" 2026-03-02T09:00:00+01:00", 1_772_438_400_000),
        ("90", 90_000),
    ] {
        assert_eq!(moment(text), Ok(want), "{text}");
    }
    for text in [
        "",
        "tomorrow",
        "2026-02-30",
        "2026-03-02T08:00:00",
        "1969-12-31",
        "-1",
    ] {
        assert!(moment(text).is_err(), "{text}");
    }
}

#[test]
fn a_beginning_has_a_row_without_values() {
    let series = Series::begin(90_000);
    assert!(series.columns.is_empty());
    let rows: Vec<Row> = series.map(|row| row.expect("is made")).collect();
    let (at, values) = (90_000, Vec::new());
    assert_eq!(rows, [Row { at, values }]);
}

#[test]
fn what_is_no_file_is_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for path in [folder.path().to_owned(), folder.path().join("missing.csv")] {
        let failure = open(&path, None).err().expect("cannot be read");
        assert_eq!(failure.code, exit::USAGE, "{failure}");
    }
}

#[test]
fn a_mark_before_the_text_is_no_part_of_it() {
    check("a.csv", "\u{feff}t,a\n0,1\n", &["a"], &[(0.0, &[Some(1.0)])]);
    check(
        "a.jsonl",
        "\u{feff}{\"t\": 0, \"a\": 1}\n",
        &["a"],
        &[(0.0, &[Some(1.0)])],
    );
    check("a.prom", "\u{feff}a 1 0\n", &["a"], &[(0.0, &[Some(1.0)])]);
}

/// What a file says must neither flood a terminal nor steer it.
#[test]
fn enormous_cells_are_told_in_short() {
    let long = "x\u{1b}[2J".repeat(100_000);
    for (name, text) in [
        ("a.csv", format!("t,orders\n0,{long}\n")),
        ("a.csv", format!("t,orders\n{long},1\n")),
        ("a.csv", format!("{long},orders\n0,1\n")),
        ("a.csv", format!("t,{long}\n0,many\n")),
        ("a.csv", format!("t,{long},{long}\n0,1,1\n")),
        ("a.csv", format!("t,orders\n0,{}\n", "9".repeat(1_000_000))),
        (
            "a.jsonl",
            format!("{{\"t\": 0, \"orders\": \"{}\"}}\n", "x".repeat(1_000_000)),
        ),
        (
            "a.jsonl",
            format!("{{\"t\": 0, \"{}\": true}}\n", "x".repeat(1_000_000)),
        ),
        ("a.prom", format!("orders {long} 0\n")),
    ] {
        let failure = read(name, &text).expect_err("has a mistake");
        let message = failure.to_string();
        let length = message.chars().count();
        assert!(length < 400 && !message.contains('\u{1b}'), "{length} characters");
    }
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, bytes) in [
        ("a.csv", &b"t,orders\n0,\xff\n"[..]),
        ("a.prom", b"orders \xff 1\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the file can be written");
        let failed = open(&path, None)
            .and_then(|mut series| series.next().transpose())
            .err();
        let message = failed.expect("is no text").to_string();
        assert!(message.contains("it is not UTF-8"), "{message}");
    }
}
