//! `-o jsonpath=TEMPLATE`: kubectl's templates, evaluated as RFC 9535 queries.
//!
//! ```text
//! template ─ parse ─▶ [ text | {expression} | {range} … {end} ]
//!                              │ each step of an expression is one RFC 9535 query, put to every value so far
//!                              ▼
//!                        values ─ print ─▶ text as Go prints it
//! ```
//!
//! kubectl's dialect is older than the RFC: no `$` in front, backslashes instead of quotes, `$` and `@` both mean
//! the value at hand, a union collects alternative by alternative, and `['a.b']` is a path.
//! Upstream: client-go `util/jsonpath`, v0.32.
//!
//! Two differences, both where kubectl stops with an error: a comparison of values of different types is false,
//! and members of an object come sorted by name where Go's order is random.

mod parse;
mod print;

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;
use thiserror::Error;

/// A template that was understood.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

/// Why a template cannot be read or evaluated.
#[derive(Debug, Error, PartialEq)]
pub(crate) enum JsonPathError {
    /// A brace is not closed.
    #[error("a `{{` has no `}}`")]
    UnclosedAction,
    /// A quote is not closed.
    #[error("a quoted text is not closed")]
    UnclosedQuote,
    /// A bracket is not closed.
    #[error("a `[` has no `]`")]
    UnclosedBracket,
    /// Something that no rule begins with.
    #[error("`{0}` is not understood here")]
    Unexpected(String),
    /// Something between brackets that is none of `*`, an index, a slice, a name in single quotes or a filter.
    #[error("`[{0}]` is neither an index nor a name in single quotes")]
    BadIndex(String),
    /// A range without an end.
    #[error("a `{{range}}` has no `{{end}}`")]
    UnclosedRange,
    /// An end without a range.
    #[error("an `{{end}}` has no `{{range}}`")]
    StrayEnd,
    /// The translation is not a query.
    #[error("`{0}` cannot be evaluated")]
    NotAQuery(String),
    /// An index outside of the array, which kubectl refuses too.
    #[error("array index out of bounds: index {index}, length {length}")]
    OutOfBounds {
        /// The index asked for.
        index: i64,
        /// Length of the array.
        length: usize,
    },
    /// An index or a filter on something else.
    #[error("{0} is not an array")]
    NotAnArray(&'static str),
}

/// A part of a template.
#[derive(Debug)]
enum Node {
    Text(String),
    Expression(Vec<Stage>),
    Range(Vec<Stage>, Vec<Node>),
}

/// A step of an expression: takes the values so far, gives the next ones.
#[derive(Debug)]
enum Stage {
    /// A quoted text or number: replaces what came before.
    Literal(Value),
    /// A query put to each value.
    Query(JpQuery),
    /// As `Query`, on arrays only.
    ArrayQuery(JpQuery),
    /// Part of each value, an array that reaches so far.
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        query: JpQuery,
    },
    /// One element of each value, which must be there.
    Index(i64),
    /// The alternatives, one after the other.
    Union(Vec<Vec<Stage>>),
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, JsonPathError> {
        parse::template(text).map(|nodes| Self { nodes })
    }

    /// Evaluates the template over a value.
    pub(crate) fn render(&self, root: &Value) -> Result<String, JsonPathError> {
        let mut out = String::new();
        render_nodes(&self.nodes, root, &mut out)?;
        Ok(out)
    }
}

fn render_nodes(nodes: &[Node], at: &Value, out: &mut String) -> Result<(), JsonPathError> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Expression(stages) => print::values(&evaluate(stages, vec![at])?, out),
            Node::Range(stages, body) => {
                for value in evaluate(stages, vec![at])? {
                    render_nodes(body, value, out)?;
                }
            }
        }
    }
    Ok(())
}

fn evaluate<'v>(stages: &'v [Stage], start: Vec<&'v Value>) -> Result<Vec<&'v Value>, JsonPathError> {
    stages.iter().try_fold(start, |values, stage| match stage {
        Stage::Literal(value) => Ok(vec![value]),
        Stage::Query(query) => put(query, &values),
        Stage::ArrayQuery(query) => {
            let values = not_null(values);
            values
                .iter()
                .try_for_each(|value| must_be_array(value).map(drop))?;
            put(query, &values)
        }
        Stage::Slice { start, end, query } => {
            let values = not_null(values);
            values
                .iter()
                .try_for_each(|value| check_bounds(value, *start, *end))?;
            put(query, &values)
        }
        Stage::Index(index) => not_null(values)
            .into_iter()
            .map(|value| element(value, *index))
            .collect(),
        Stage::Union(alternatives) => alternatives.iter().try_fold(Vec::new(), |mut all, stages| {
            all.extend(evaluate(stages, values.clone())?);
            Ok(all)
        }),
    })
}

fn put<'v>(query: &JpQuery, values: &[&'v Value]) -> Result<Vec<&'v Value>, JsonPathError> {
    let mut found = Vec::new();
    for value in values {
        let answer =
            js_path_process(query, *value).map_err(|_| JsonPathError::NotAQuery(query.to_string()))?;
        found.extend(answer.into_iter().map(jsonpath_rust::query::QueryRef::val));
    }
    Ok(found)
}

fn must_be_array(value: &Value) -> Result<&Vec<Value>, JsonPathError> {
    let kind = match value {
        Value::Array(items) => return Ok(items),
        Value::Object(_) => "an object",
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) | Value::Null => "a boolean",
    };
    Err(JsonPathError::NotAnArray(kind))
}

fn not_null(mut values: Vec<&Value>) -> Vec<&Value> {
    values.retain(|value| !value.is_null());
    values
}

/// Upstream: `evalArray`. A slice must lie inside the array, unless it is empty.
fn check_bounds(value: &Value, start: Option<i64>, end: Option<i64>) -> Result<(), JsonPathError> {
    let length = must_be_array(value)?.len();
    let signed = i64::try_from(length).unwrap_or(i64::MAX);
    let from_start = |i: i64| if i < 0 { i + signed } else { i };
    let (start, end) = (from_start(start.unwrap_or(0)), from_start(end.unwrap_or(signed)));
    let outside = |index| Err(JsonPathError::OutOfBounds { index, length });
    match () {
        () if start == end => Ok(()),
        () if !(0..signed).contains(&start) => outside(start),
        () if !(0..=signed).contains(&end) => outside(end - 1),
        () => Ok(()),
    }
}

fn element(value: &Value, index: i64) -> Result<&Value, JsonPathError> {
    let items = must_be_array(value)?;
    let length = items.len();
    let from_start = if index < 0 {
        index + i64::try_from(length).unwrap_or(i64::MAX)
    } else {
        index
    };
    usize::try_from(from_start)
        .ok()
        .and_then(|i| items.get(i))
        .ok_or(JsonPathError::OutOfBounds {
            index: from_start,
            length,
        })
}

#[cfg(test)]
mod tests;
