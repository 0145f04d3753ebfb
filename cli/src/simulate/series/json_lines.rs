//! JSON lines: an object a line, as in `{"t": 0, "orders": 12, "mails": null}`. The first one names the columns.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::lines::Lines;
use super::{Line, Row, Series, cell, wrong};
use crate::exit::{self, Failure};
use crate::ui::{cut, printable};

/// Characters of a parser's error that are shown.
const LONGEST_ERROR: usize = 160;

/// Reads the first line, which names the columns.
pub(super) fn open(name: &str, input: Box<dyn Read>) -> Result<Series, Failure> {
    let mut reader = Objects(Lines::new(name, input));
    let Some(first) = reader.next() else {
        return Err(Failure::new(exit::DIAGNOSTICS, format!("{name} is empty"))
            .help("a line is an object, as in `{\"t\": 0, \"orders\": 12}`"));
    };
    let first = first?;
    let columns: Vec<String> = first.1.keys().filter(|key| *key != "t").cloned().collect();
    let known = columns.clone();
    let own = name.to_owned();
    let objects = std::iter::once(Ok(first)).chain(reader);
    let lines = objects.map(move |object| object.and_then(|(line, object)| row(&own, line, &object, &known)));
    Series::new(name.to_owned(), columns, Box::new(lines))
}

/// The lines as objects.
struct Objects(Lines);

impl Iterator for Objects {
    type Item = Result<(u64, Map<String, Value>), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.name.clone();
        let (line, text) = match self.0.next_line() {
            Ok(found) => found?,
            Err(failure) => return Some(Err(failure)),
        };
        let parsed: Result<Object, _> = serde_json::from_str(text);
        Some(parsed.map(|object| (line, object.0)).map_err(|error| {
            // It may repeat what stands there.
            let error = cut(&printable(&error.to_string()), LONGEST_ERROR);
            let message = format!("it must be a JSON object, as in `{{\"t\": 0, \"orders\": 12}}`: {error}");
            wrong(&name, line, None, &message)
        }))
    }
}

/// A line's object. Each key stands in it once: of two values neither is right.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
        let mut object = Map::new();
        while let Some((key, value)) = access.next_entry::<String, Value>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("it has two `{}`", cell::shown(&key))));
            }
            object.insert(key, value);
        }
        Ok(Object(object))
    }
}

fn row(name: &str, line: u64, object: &Map<String, Value>, columns: &[String]) -> Result<Line, Failure> {
    let fail = |message: String| wrong(name, line, None, &message);
    let at = match object.get("t") {
        Some(Value::Number(number)) => {
            cell::number_of_seconds(number.as_f64().unwrap_or(f64::NAN), &number.to_string())
        }
        Some(Value::String(text)) => cell::time(text),
        Some(other) => Err(format!(
            "`t` must be a number or a text, not `{}`",
            cell::shown(&other.to_string())
        )),
        None => Err("`t` is missing".to_owned()),
    }
    .map_err(fail)?;
    if let Some(extra) = object.keys().find(|key| *key != "t" && !columns.contains(key)) {
        return Err(fail(format!("`{}` is not in the first line", cell::shown(extra))));
    }
    let value = |column: &String| match object.get(column) {
        Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            cell::checked(number.as_f64().unwrap_or(f64::NAN), &number.to_string()).map(Some)
        }
        Some(other) => Err(format!(
            "`{}` must be a number, or null where the source fails, not `{}`",
            cell::shown(column),
            cell::shown(&other.to_string())
        )),
        None => Err(format!(
            "`{}` is missing; null says that the source fails",
            cell::shown(column)
        )),
    };
    let values = columns.iter().map(|column| value(column).map_err(fail));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    Ok((line, Row { at, values }))
}
