//! A sample in the text format of Prometheus, picked by name and labels.

use crate::ScalerError;

/// A metric with labels, as it stands in a selector or in a sample.
#[derive(Debug, PartialEq)]
struct Series {
    name: String,
    labels: Vec<(String, String)>,
}

/// The first untyped, counter or gauge sample that has the name and every label of the selector.
///
/// Upstream: `getValueFromPrometheusResponse`: labels are compared for equality, whatever the operator says.
pub(super) fn value(text: &str, selector: &str) -> Result<f64, ScalerError> {
    let wrong = || {
        ScalerError::Setting(format!(
            "`{selector}` must be the name of a metric, with labels in braces"
        ))
    };
    let (wanted, rest) = series(selector.trim()).ok_or_else(wrong)?;
    if !rest.trim().is_empty() {
        return Err(wrong());
    }
    let mut type_counts = true;
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            if words.next() == Some("TYPE") && words.next() == Some(wanted.name.as_str()) {
                type_counts = matches!(words.next(), Some("counter" | "gauge" | "untyped"));
            }
            continue;
        }
        let Some((sample, rest)) = series(line) else {
            continue;
        };
        if sample.name == wanted.name
            && type_counts
            && wanted.labels.iter().all(|label| sample.labels.contains(label))
        {
            let number = rest.split_whitespace().next().unwrap_or_default();
            return parse_value(number).ok_or_else(|| {
                ScalerError::Value(format!(
                    "the sample of `{selector}` has a value that is no number"
                ))
            });
        }
    }
    Err(ScalerError::Value(format!(
        "the reply has no sample of `{selector}`"
    )))
}

/// Go's `strconv.ParseFloat` on what the format allows.
fn parse_value(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        other => other.parse().ok(),
    }
}

/// Reads `name{label="value",…}` and returns what follows it.
fn series(text: &str) -> Option<(Series, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(text.len());
    let (mut name, rest) = (text[..end].to_owned(), text[end..].trim_start());
    let (mut labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => self::labels(inside)?,
        None => (Vec::new(), rest),
    };
    // A selector may give the name as a label.
    if let Some(position) = labels.iter().position(|(label, _)| label == "__name__") {
        name = labels.remove(position).1;
    }
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()))
        .then_some((Series { name, labels }, rest))
}

type Labels = Vec<(String, String)>;

/// Reads the labels up to the closing brace.
fn labels(text: &str) -> Option<(Labels, &str)> {
    let mut labels = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let end = rest.find(['=', '!', '}', ',', '"'])?;
        let name = rest[..end].trim();
        let operator = ["=~", "!=", "!~", "="]
            .into_iter()
            .find(|operator| rest[end..].starts_with(operator))?;
        let (value, after) = quoted(rest[end + operator.len()..].trim_start())?;
        labels.push((name.to_owned(), value));
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// Reads a text in quotes with its escapes.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            end if end == quote => return Some((value, &text[at + 1..])),
            other => value.push(other),
        }
    }
    None
}
