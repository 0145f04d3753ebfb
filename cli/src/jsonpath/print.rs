//! Values as Go prints them: `fmt.Fprint` for scalars, `json.Marshal` for objects and arrays.

use std::fmt::Write;

use serde_json::{Number, Value};

/// Prints the values of one expression, separated by spaces.
pub(super) fn values(values: &[&Value], out: &mut String) {
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        match value {
            Value::String(text) => out.push_str(text),
            Value::Number(number) => out.push_str(&go_number(number, in_text)),
            _ => go_json(value, out),
        }
    }
}

/// Integers as they are, floats with an exponent where Go's format has one.
fn go_number(number: &Number, with_exponent: impl Fn(f64) -> bool) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let value = number.as_f64().unwrap_or_default();
    if value == 0.0 || !with_exponent(value.abs()) {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = power
        .strip_prefix('-')
        .map_or(('+', power), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `%v` of a float: `strconv.FormatFloat(x, 'g', -1, 64)`.
fn in_text(magnitude: f64) -> bool {
    !(1e-4..1e6).contains(&magnitude)
}

/// `encoding/json` keeps digits longer.
fn in_json(magnitude: f64) -> bool {
    !(1e-6..1e21).contains(&magnitude)
}

/// Compact, members sorted, and `<`, `>`, `&` escaped, as Go does to be safe inside HTML.
fn go_json(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                go_json(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut names: Vec<_> = members.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (i, (name, member)) in names.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                go_string(name, out);
                out.push(':');
                go_json(member, out);
            }
            out.push('}');
        }
        Value::String(text) => go_string(text, out),
        Value::Number(number) => out.push_str(&go_number(number, in_json)),
        Value::Bool(_) | Value::Null => {
            let _ = write!(out, "{value}");
        }
    }
}

fn go_string(text: &str, out: &mut String) {
    let quoted = Value::String(text.to_owned()).to_string();
    for c in quoted.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
}
