//! Reads what `/api/v1/query` answers, holding no more of it than one element: a slip in a query can make a large reply.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::ScalerError;
use crate::scaler::History;

/// The value, or that there is none.
pub(super) type Found = Result<f64, Missing>;

/// Why a reply that can be read has no value. With `ignoreNullValues` it counts as 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Missing {
    /// No element, or an element without a value.
    #[error("the query has no result")]
    Nothing,
    /// A value that is no quantity.
    #[error("the query has the result `{0}`")]
    NoNumber(f64),
}

#[derive(Deserialize)]
struct Reply<T> {
    data: Option<T>,
}

#[derive(Deserialize)]
struct Data {
    result: Option<Few<Series>>,
}

#[derive(Deserialize)]
struct Series {
    value: Option<Few<Cell>>,
}

/// One of the two parts of a value: its time or its text.
#[derive(Debug, PartialEq)]
enum Cell {
    Null,
    Text(String),
    Other,
}

/// The first two elements of a list, and how many there are.
struct Few<T> {
    first: Vec<T>,
    count: usize,
}

/// The value of an instant vector. Upstream: `ExecutePromQuery`.
pub(super) fn value(body: &[u8]) -> Result<Found, ScalerError> {
    let reply: Option<Reply<Data>> = serde_json::from_slice(body).map_err(|_| {
        let reason =
            "the reply holds no instant vector; the query must have one, as `sum(…)` and `vector(…)` give it";
        ScalerError::Value(reason.to_owned())
    })?;
    let result = reply.and_then(|reply| reply.data).and_then(|data| data.result);
    let Some(result) = result.filter(|result| result.count > 0) else {
        return Ok(Err(Missing::Nothing));
    };
    if result.count > 1 {
        return Err(ScalerError::Value(format!(
            "the query has {} results where one is due; `sum(…)` makes one of them",
            result.count
        )));
    }
    let pair = result.first.into_iter().next().and_then(|series| series.value);
    let Some(pair) = pair.filter(|pair| pair.count > 0) else {
        return Ok(Err(Missing::Nothing));
    };
    match pair.first.get(1) {
        // Upstream takes a null for -1.
        Some(Cell::Null) => Ok(Ok(-1.0)),
        Some(Cell::Text(text)) => number(text),
        Some(Cell::Other) => Err(ScalerError::Value("the result is no text".to_owned())),
        None => Err(ScalerError::Value(
            "the result has a time and no value".to_owned(),
        )),
    }
}

fn number(text: &str) -> Result<Found, ScalerError> {
    let wrong = || ScalerError::Value("the result is no number".to_owned());
    let value: f64 = text.parse().map_err(|_| wrong())?;
    if value.is_finite() {
        return Ok(Ok(value));
    }
    // A number that is too large is no infinite value.
    if text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    Ok(Err(Missing::NoNumber(value)))
}

/// A range vector of one element at most, as `/api/v1/query_range` gives it.
#[derive(Deserialize)]
struct Range {
    result: Option<Few<Stretch>>,
}

#[derive(Deserialize)]
struct Stretch {
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// The moments and values of a range query; a value may be no number. No element is no values.
pub(super) fn history(body: &[u8]) -> Result<History, ScalerError> {
    let reply: Reply<Range> = serde_json::from_slice(body)
        .map_err(|_| ScalerError::Value("the reply holds no range vector".to_owned()))?;
    let Some(result) = reply.data.and_then(|data| data.result) else {
        return Ok(Vec::new());
    };
    if result.count > 1 {
        return Err(ScalerError::Value(format!(
            "the query has {} results where one is due; `sum(…)` makes one of them",
            result.count
        )));
    }
    let values = result.first.into_iter().flat_map(|stretch| stretch.values);
    let point = |(seconds, text): (f64, String)| {
        let at = Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok();
        at.zip(text.parse().ok()).ok_or_else(|| {
            ScalerError::Value("the reply holds a point that is no time and number".to_owned())
        })
    };
    values.map(point).collect()
}

/// The names of `/api/v1/label/__name__/values`, at most so many.
pub(super) fn names(body: &[u8], most: usize) -> Result<Vec<String>, ScalerError> {
    let reply: Reply<Vec<String>> = serde_json::from_slice(body)
        .map_err(|_| ScalerError::Value("the reply holds no list of names".to_owned()))?;
    let mut names = reply.data.unwrap_or_default();
    names.truncate(most);
    Ok(names)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<T>, A::Error> {
                let mut first = Vec::new();
                while first.len() < 2 {
                    match list.next_element()? {
                        Some(element) => first.push(element),
                        None => break,
                    }
                }
                let mut count = first.len();
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Few { first, count })
            }
        }

        deserializer.deserialize_seq(List(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Cell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time or a text")
            }

            fn visit_unit<E: Error>(self) -> Result<Cell, E> {
                Ok(Cell::Null)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
                Ok(Cell::Text(text.to_owned()))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Cell, E> {
                Ok(Cell::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Cell, E> {
                Ok(Cell::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Cell, E> {
                Ok(Cell::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Cell, E> {
                Ok(Cell::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Cell::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Cell::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}
