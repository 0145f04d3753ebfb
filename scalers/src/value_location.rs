//! `valueLocation`: the part of GJSON's path language that finds a number in a reply.
//!
//! What is read, the rest of GJSON is refused with a message:
//!
//! | path | what it finds |
//! | --- | --- |
//! | `queue.depth` | a key of a key |
//! | `queues.1.depth` | an element of a list, from 0 |
//! | `queue.de*th`, `queue.d?pth` | the first key that fits: `*` any letters, `?` one letter |
//! | `fav\.movie` | a key that holds a dot; `\` takes the next letter as it is |
//! | `queues.#` | the length of a list |
//! | `queues.#.depth` | the `depth` of every element, as a list |
//! | `queues.#(name=="jobs").depth` | the first element that fits |
//! | `queues.#(depth>10)#.name` | every element that fits, as a list |
//! | `queues.#(depth>10)#\|#` | `\|` ends what is done to each element: here, how many fit |
//! | `@this`, `list.@reverse`, `map.@keys`, `map.@values` | modifiers |
//!
//! Comparisons in a query are `==` (or `=`), `!=`, `<`, `<=`, `>`, `>=`, `%` (like, with `*` and `?`) and `!%`; a query
//! without one asks whether the path is there.
//! Source: <https://github.com/tidwall/gjson/blob/master/SYNTAX.md>.

mod json;

use std::borrow::Cow;

pub(crate) use json::Json;

/// Why a path cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("`{0}` is a part of GJSON that is not read here")]
    Unsupported(String),
    #[error("the query `{0}` has no closing parenthesis")]
    Unclosed(String),
    #[error("the path has more steps than are followed")]
    Long,
}

/// Steps of a path, at most: each takes some stack.
const MOST_STEPS: usize = 256;
/// And those that make a copy of what they change.
const MOST_COPIES: usize = 8;

/// The value at a path; `None` if there is none.
pub(crate) fn find<'a>(document: &'a Json, path: &str) -> Result<Option<Cow<'a, Json>>, PathError> {
    let mut current = Cow::Borrowed(document);
    for stage in stages(path)? {
        let next = match &current {
            Cow::Borrowed(value) => walk(value, &stage)?,
            Cow::Owned(value) => walk(value, &stage)?.map(|found| Cow::Owned(found.into_owned())),
        };
        match next {
            Some(found) => current = found,
            None => return Ok(None),
        }
    }
    Ok(Some(current))
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(Pattern),
    Each,
    First(Query),
    Every(Query),
    Modifier(Modifier),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Modifier {
    This,
    Reverse,
    Keys,
    Values,
}

/// A key whose unescaped `*` and `?` stand for other letters.
#[derive(Clone, Debug, PartialEq)]
struct Pattern(Vec<Letter>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Letter {
    Plain(char),
    One,
    Any,
}

#[derive(Clone, Debug, PartialEq)]
struct Query {
    path: String,
    comparison: Option<(Operator, Operand)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    NotLike,
}

#[derive(Clone, Debug, PartialEq)]
struct Operand {
    text: String,
    quoted: bool,
}

/// Splits a path at `|`, and each part at `.`, outside of queries.
fn stages(path: &str) -> Result<Vec<Vec<Step>>, PathError> {
    let mut stages = vec![Vec::new()];
    let (mut rest, mut copies) = (path, 0);
    for _ in 0..MOST_STEPS {
        let end = end_of_step(rest)?;
        let step = parse_step(&rest[..end])?;
        copies += usize::from(matches!(step, Step::Modifier(_)) && step != Step::Modifier(Modifier::This));
        if copies > MOST_COPIES {
            break;
        }
        stages.last_mut().expect("it starts with one stage").push(step);
        match rest[end..].chars().next() {
            None => return Ok(stages),
            Some('|') => stages.push(Vec::new()),
            Some(_) => {}
        }
        rest = &rest[end + 1..];
    }
    Err(PathError::Long)
}

/// Where a step ends: at a `.` or `|` that is not escaped and not inside a query.
fn end_of_step(text: &str) -> Result<usize, PathError> {
    let mut depth = 0_u32;
    let mut quoted = false;
    let query = text.starts_with("#(") || text.starts_with("#[");
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '"' if query => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' if query => depth += 1,
            ')' | ']' if query => depth = depth.saturating_sub(1),
            '.' | '|' if depth == 0 => return Ok(at),
            _ => {}
        }
    }
    if depth > 0 || quoted {
        Err(PathError::Unclosed(text.to_owned()))
    } else {
        Ok(text.len())
    }
}

fn parse_step(text: &str) -> Result<Step, PathError> {
    if text == "#" {
        return Ok(Step::Each);
    }
    if let Some(query) = text.strip_prefix("#(").or_else(|| text.strip_prefix("#[")) {
        let (inner, every) = match query.strip_suffix('#') {
            Some(inner) => (inner, true),
            None => (query, false),
        };
        let inner = inner
            .strip_suffix([')', ']'])
            .ok_or_else(|| PathError::Unclosed(text.to_owned()))?;
        let query = parse_query(inner);
        return Ok(if every {
            Step::Every(query)
        } else {
            Step::First(query)
        });
    }
    match text {
        "@this" => return Ok(Step::Modifier(Modifier::This)),
        "@reverse" => return Ok(Step::Modifier(Modifier::Reverse)),
        "@keys" => return Ok(Step::Modifier(Modifier::Keys)),
        "@values" => return Ok(Step::Modifier(Modifier::Values)),
        _ => {}
    }
    if text.starts_with(['@', '!', '{', '[']) {
        return Err(PathError::Unsupported(text.to_owned()));
    }
    Ok(Step::Key(Pattern::parse(text)))
}

fn parse_query(text: &str) -> Query {
    const OPERATORS: &[(&str, Operator)] = &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("!%", Operator::NotLike),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("%", Operator::Like),
    ];
    let mut depth = 0_u32;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ => {
                let Some((sign, operator)) = OPERATORS.iter().find(|(sign, _)| text[at..].starts_with(sign))
                else {
                    continue;
                };
                let right = text[at + sign.len()..].trim();
                let quoted = right.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
                let operand = Operand {
                    text: quoted.unwrap_or(right).to_owned(),
                    quoted: quoted.is_some(),
                };
                return Query {
                    path: text[..at].trim().to_owned(),
                    comparison: Some((*operator, operand)),
                };
            }
        }
    }
    Query {
        path: text.trim().to_owned(),
        comparison: None,
    }
}

/// Follows the steps of one stage.
fn walk<'a>(value: &'a Json, steps: &[Step]) -> Result<Option<Cow<'a, Json>>, PathError> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(Some(Cow::Borrowed(value)));
    };
    match (step, value) {
        (Step::Modifier(Modifier::This), _) => walk(value, rest),
        (Step::Modifier(modifier), _) => {
            let Some(changed) = modifier.apply(value) else {
                return Ok(None);
            };
            Ok(walk(&changed, rest)?.map(|found| Cow::Owned(found.into_owned())))
        }
        (Step::Key(pattern), Json::Map(entries)) => match entries.iter().find(|(key, _)| pattern.fits(key)) {
            Some((_, found)) => walk(found, rest),
            None => Ok(None),
        },
        (Step::Key(pattern), Json::List(elements)) => {
            let position = pattern.plain().and_then(|text| text.parse::<usize>().ok());
            match position.and_then(|position| elements.get(position)) {
                Some(found) => walk(found, rest),
                None => Ok(None),
            }
        }
        (Step::Each, Json::List(elements)) if rest.is_empty() => {
            Ok(Some(Cow::Owned(Json::Number(elements.len() as f64))))
        }
        (Step::Each, Json::List(elements)) => collected(elements.iter(), rest).map(Some),
        (Step::First(query), Json::List(elements)) => {
            for element in elements {
                if query.fits(element)? {
                    return walk(element, rest);
                }
            }
            Ok(None)
        }
        (Step::Every(query), Json::List(elements)) => {
            let mut fitting = Vec::new();
            for element in elements {
                if query.fits(element)? {
                    fitting.push(element);
                }
            }
            collected(fitting.into_iter(), rest).map(Some)
        }
        _ => Ok(None),
    }
}

/// What the rest of a stage finds in each of several values.
fn collected<'a>(values: impl Iterator<Item = &'a Json>, rest: &[Step]) -> Result<Cow<'a, Json>, PathError> {
    let mut found = Vec::new();
    for value in values {
        if let Some(one) = walk(value, rest)? {
            found.push(one.into_owned());
        }
    }
    Ok(Cow::Owned(Json::List(found)))
}

impl Modifier {
    fn apply(self, value: &Json) -> Option<Json> {
        match (self, value) {
            (Self::Reverse, Json::List(elements)) => {
                Some(Json::List(elements.iter().rev().cloned().collect()))
            }
            (Self::Reverse, Json::Map(entries)) => Some(Json::Map(entries.iter().rev().cloned().collect())),
            (Self::This | Self::Reverse, other) => Some(other.clone()),
            (Self::Keys, Json::Map(entries)) => Some(Json::List(
                entries.iter().map(|(key, _)| Json::Text(key.clone())).collect(),
            )),
            (Self::Values, Json::Map(entries)) => Some(Json::List(
                entries.iter().map(|(_, value)| value.clone()).collect(),
            )),
            (Self::Values, Json::List(_)) => Some(value.clone()),
            (Self::Keys | Self::Values, _) => None,
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let mut pattern = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            pattern.push(match letter {
                '\\' => Letter::Plain(letters.next().unwrap_or('\\')),
                '*' => Letter::Any,
                '?' => Letter::One,
                other => Letter::Plain(other),
            });
        }
        Self(pattern)
    }

    /// The text of a pattern without wildcards.
    fn plain(&self) -> Option<String> {
        self.0
            .iter()
            .map(|letter| {
                if let Letter::Plain(plain) = letter {
                    Some(*plain)
                } else {
                    None
                }
            })
            .collect()
    }

    /// Compares in time proportional to pattern times text, whatever the pattern.
    fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut read) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while read < text.len() {
            match self.0.get(at) {
                Some(Letter::Any) => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(Letter::One) => (at, read) = (at + 1, read + 1),
                Some(Letter::Plain(letter)) if *letter == text[read] => (at, read) = (at + 1, read + 1),
                _ => match star {
                    Some((any, taken)) => {
                        (at, read) = (any + 1, taken + 1);
                        star = Some((any, taken + 1));
                    }
                    None => return false,
                },
            }
        }
        self.0[at..].iter().all(|letter| *letter == Letter::Any)
    }
}

impl Query {
    fn fits(&self, element: &Json) -> Result<bool, PathError> {
        let found = if self.path.is_empty() {
            Some(Cow::Borrowed(element))
        } else {
            find(element, &self.path)?
        };
        let Some(value) = found else { return Ok(false) };
        let Some((operator, operand)) = &self.comparison else {
            return Ok(true);
        };
        Ok(operator.holds(&value, operand))
    }
}

impl Operator {
    fn holds(self, value: &Json, operand: &Operand) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if matches!(self, Self::Like | Self::NotLike) {
            let Json::Text(text) = value else { return false };
            return Pattern::parse(&operand.text).fits(text) == (self == Self::Like);
        }
        let order = match value {
            Json::Text(text) => Some(text.as_str().cmp(&operand.text)),
            Json::Number(number) if !operand.quoted => operand
                .text
                .parse::<f64>()
                .ok()
                .and_then(|other| number.partial_cmp(&other)),
            Json::Flag(flag) if !operand.quoted => {
                operand.text.parse::<bool>().ok().map(|other| flag.cmp(&other))
            }
            Json::Null if operand.text == "null" => Some(Equal),
            _ => None,
        };
        match (self, order) {
            (Self::NotEqual, None) => true,
            (_, None) => false,
            (Self::NotEqual, Some(order)) => order != Equal,
            (Self::Less, Some(order)) => order == Less,
            (Self::LessOrEqual, Some(order)) => order != Greater,
            (Self::Greater, Some(order)) => order == Greater,
            (Self::GreaterOrEqual, Some(order)) => order != Less,
            (Self::Equal | Self::Like | Self::NotLike, Some(order)) => order == Equal,
        }
    }
}

#[cfg(test)]
mod tests;
