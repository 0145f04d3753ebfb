//! kubectl's template language, read into steps that are RFC 9535 queries.

use jsonpath_rust::parser::parse_json_path;
use serde_json::Value;

use super::{JsonPathError, Node, Stage};

/// Reads a whole template.
pub(super) fn template(text: &str) -> Result<Vec<Node>, JsonPathError> {
    let mut open: Vec<(Vec<Stage>, Vec<Node>)> = Vec::new();
    let mut nodes = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        if start > 0 {
            nodes.push(Node::Text(rest[..start].to_owned()));
        }
        let mut cursor = Cursor {
            text: &rest[start + 1..],
            at: 0,
        };
        match cursor.action()? {
            Action::Expression(stages) => nodes.push(Node::Expression(stages)),
            Action::Range(stages) => open.push((stages, std::mem::take(&mut nodes))),
            Action::End => {
                let (stages, before) = open.pop().ok_or(JsonPathError::StrayEnd)?;
                let body = std::mem::replace(&mut nodes, before);
                nodes.push(Node::Range(stages, body));
            }
        }
        rest = &rest[start + 1 + cursor.at..];
    }
    if !rest.is_empty() {
        nodes.push(Node::Text(rest.to_owned()));
    }
    if open.is_empty() {
        Ok(nodes)
    } else {
        Err(JsonPathError::UnclosedRange)
    }
}

enum Action {
    Expression(Vec<Stage>),
    Range(Vec<Stage>),
    End,
}

/// Where reading is, inside one pair of braces or brackets.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Reads up to and including the closing brace.
    fn action(&mut self) -> Result<Action, JsonPathError> {
        self.skip_spaces();
        if let Some(after) = self.keyword("end") {
            self.at = after;
            self.skip_spaces();
            return if self.take("}") {
                Ok(Action::End)
            } else {
                Err(JsonPathError::UnclosedAction)
            };
        }
        let range = self.keyword("range");
        self.at = range.unwrap_or(self.at);
        let stages = self.stages()?;
        if !self.take("}") {
            return Err(JsonPathError::UnclosedAction);
        }
        Ok(if range.is_some() {
            Action::Range(stages)
        } else {
            Action::Expression(stages)
        })
    }

    fn keyword(&self, word: &str) -> Option<usize> {
        let after = self.rest().strip_prefix(word)?;
        let ends = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        ends.then_some(self.at + word.len())
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(' ').len();
    }

    fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        self.at += if found { prefix.len() } else { 0 };
        found
    }

    /// Reads steps until something that closes the expression, which stays unread.
    fn stages(&mut self) -> Result<Vec<Stage>, JsonPathError> {
        let mut stages = Vec::new();
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Ok(stages);
            };
            match next {
                '}' => return Ok(stages),
                '\n' => return Err(JsonPathError::UnclosedAction),
                ' ' | '$' | '@' => self.at += 1,
                '"' | '\'' => {
                    let text = self.quoted(next)?;
                    stages.push(Stage::Literal(Value::String(text)));
                }
                '.' if self.rest().starts_with("..") => {
                    self.at += 2;
                    stages.push(self.descendants()?);
                }
                '.' => {
                    self.at += 1;
                    // `{.}` asks for the member with the empty name, as it does upstream; the value itself is `{@}`.
                    let selector = self.member().unwrap_or_else(|| quote(""));
                    stages.push(query(&format!("$[{selector}]"))?);
                }
                '[' => self.bracket(&mut stages)?,
                '0'..='9' | '+' | '-' => stages.push(Stage::Literal(self.number()?)),
                't' | 'f' => stages.push(Stage::Literal(self.boolean()?)),
                _ => return Err(JsonPathError::Unexpected(next.to_string())),
            }
        }
    }

    /// The name that follows `..`.
    fn descendants(&mut self) -> Result<Stage, JsonPathError> {
        let selector = self
            .member()
            .ok_or_else(|| JsonPathError::Unexpected("..".to_owned()))?;
        query(&format!("$..[{selector}]"))
    }

    /// A member name after a dot, as an RFC 9535 selector. Backslashes keep what would end it.
    fn member(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut chars = self.rest().char_indices();
        let mut end = self.rest().len();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' => name.extend(chars.next().map(|(_, c)| c)),
                ' ' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}' | '\n' | '\r' | '\t' => {
                    end = i;
                    break;
                }
                _ => name.push(c),
            }
        }
        self.at += end;
        match name.as_str() {
            "" => None,
            "*" => Some("*".to_owned()),
            _ => Some(quote(&name)),
        }
    }

    fn bracket(&mut self, stages: &mut Vec<Stage>) -> Result<(), JsonPathError> {
        if self.take("[?(") {
            stages.push(self.filter()?);
            return Ok(());
        }
        let inner = &self.rest()[1..];
        let end = inner.find(']').ok_or(JsonPathError::UnclosedBracket)?;
        self.at += end + 2;
        let text = &inner[..end];
        if text.contains(',') {
            let alternatives = text.split(',').map(|one| selector(one.trim_matches(' ')));
            stages.push(Stage::Union(alternatives.collect::<Result<_, _>>()?));
        } else {
            stages.extend(selector(text)?);
        }
        Ok(())
    }

    /// A filter up to `)]`, of which `[?(` is read.
    fn filter(&mut self) -> Result<Stage, JsonPathError> {
        let text = self.rest();
        let mut quote_open: Option<char> = None;
        let mut end = None;
        let mut escaped = false;
        for (i, c) in text.char_indices() {
            match (c, quote_open) {
                _ if escaped => escaped = false,
                ('\\', _) => escaped = true,
                ('"' | '\'', None) => quote_open = Some(c),
                (_, Some(open)) if c == open => quote_open = None,
                (')', None) => {
                    end = Some(i);
                    break;
                }
                _ => {}
            }
        }
        let end = end
            .filter(|end| text[*end..].starts_with(")]"))
            .ok_or(JsonPathError::UnclosedBracket)?;
        self.at += end + 2;
        let condition = condition(&text[..end])?;
        parse_json_path(&format!("$[?{condition}]"))
            .map(Stage::ArrayQuery)
            .map_err(|_| JsonPathError::NotAQuery(text[..end].to_owned()))
    }

    /// A text in quotes with Go's escapes.
    fn quoted(&mut self, mark: char) -> Result<String, JsonPathError> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' => text.push(match chars.next().ok_or(JsonPathError::UnclosedQuote)?.1 {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\x07',
                    'b' => '\x08',
                    'f' => '\x0c',
                    'v' => '\x0b',
                    other => other,
                }),
                _ if c == mark => {
                    self.at += i + c.len_utf8();
                    return Ok(text);
                }
                _ => text.push(c),
            }
        }
        Err(JsonPathError::UnclosedQuote)
    }

    fn number(&mut self) -> Result<Value, JsonPathError> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        self.at += end;
        let text = rest[..end].trim_start_matches('+');
        serde_json::from_str(text).map_err(|_| JsonPathError::Unexpected(rest[..end].to_owned()))
    }

    fn boolean(&mut self) -> Result<Value, JsonPathError> {
        for (word, value) in [("true", true), ("false", false)] {
            if let Some(after) = self.keyword(word) {
                self.at = after;
                return Ok(Value::Bool(value));
            }
        }
        let word: String = self.rest().chars().take_while(|c| c.is_alphanumeric()).collect();
        Err(JsonPathError::Unexpected(word))
    }
}

/// What stands between brackets, other than a filter.
fn selector(text: &str) -> Result<Vec<Stage>, JsonPathError> {
    if text == "*" {
        return Ok(vec![query("$[*]")?]);
    }
    if let Some(path) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        // Upstream parses the text as if a dot stood before it, so dots in it separate names.
        return Cursor {
            text: &format!(".{path}"),
            at: 0,
        }
        .stages();
    }
    if let Ok(index) = text.parse::<i64>() {
        return Ok(vec![Stage::Index(index)]);
    }
    slice(text)
        .ok_or_else(|| JsonPathError::BadIndex(text.to_owned()))
        .map(|slice| vec![slice])
}

/// `start:end:step`, each of which may be left out; the step must be positive.
fn slice(text: &str) -> Option<Stage> {
    let mut parts = text.split(':').map(|part| {
        if part.is_empty() {
            Ok(None)
        } else {
            part.parse().map(Some)
        }
    });
    let start: Option<i64> = parts.next()?.ok()?;
    let end = parts.next()?.ok()?;
    let step = parts.next().transpose().ok()?.flatten();
    if parts.next().is_some() || step.is_some_and(|step| step < 1) {
        return None;
    }
    let query = parse_json_path(&format!("$[{text}]")).ok()?;
    Some(Stage::Slice { start, end, query })
}

/// A filter's condition as an RFC 9535 logical expression.
fn condition(text: &str) -> Result<String, JsonPathError> {
    let operator = text.find(['!', '<', '>', '=']).filter(|at| *at > 0);
    let Some(start) = operator else {
        return operand(text.trim());
    };
    let end = start
        + text[start..]
            .find(|c| !matches!(c, '!' | '<' | '>' | '='))
            .unwrap_or(text.len() - start);
    let comparison = &text[start..end];
    if !matches!(comparison, "==" | "!=" | "<" | "<=" | ">" | ">=") {
        return Err(JsonPathError::Unexpected(comparison.to_owned()));
    }
    Ok(format!(
        "{} {comparison} {}",
        operand(text[..start].trim())?,
        operand(text[end..].trim())?
    ))
}

/// One side of a comparison: a path from the element at hand, or a literal.
fn operand(text: &str) -> Result<String, JsonPathError> {
    let mut cursor = Cursor { text, at: 0 };
    let first = text
        .chars()
        .next()
        .ok_or_else(|| JsonPathError::Unexpected(")".to_owned()))?;
    let literal = match first {
        '"' | '\'' => Value::String(cursor.quoted(first)?),
        '0'..='9' | '+' | '-' => cursor.number()?,
        't' | 'f' => cursor.boolean()?,
        _ => return relative_query(text),
    };
    if cursor.rest().trim().is_empty() {
        Ok(literal.to_string())
    } else {
        Err(JsonPathError::Unexpected(cursor.rest().trim().to_owned()))
    }
}

/// `@.a['b'][0].c\.d` as `@['a']['b'][0]['c.d']`.
fn relative_query(text: &str) -> Result<String, JsonPathError> {
    let mut cursor = Cursor { text, at: 0 };
    let mut path = "@".to_owned();
    while let Some(next) = cursor.rest().chars().next() {
        match next {
            ' ' | '$' | '@' => cursor.at += 1,
            '.' => {
                cursor.at += 1;
                if let Some(selector) = cursor.member() {
                    path.extend(["[", &selector, "]"]);
                }
            }
            '[' => {
                let inner = &cursor.rest()[1..];
                let end = inner.find(']').ok_or(JsonPathError::UnclosedBracket)?;
                cursor.at += end + 2;
                match inner[..end].strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
                    Some(name) => path.push_str(&relative_query(&format!(".{name}"))?[1..]),
                    None if inner[..end].parse::<i64>().is_ok() || &inner[..end] == "*" => {
                        path.extend(["[", &inner[..end], "]"]);
                    }
                    None => return Err(JsonPathError::BadIndex(inner[..end].to_owned())),
                }
            }
            _ => return Err(JsonPathError::Unexpected(cursor.rest().to_owned())),
        }
    }
    Ok(path)
}

fn query(text: &str) -> Result<Stage, JsonPathError> {
    parse_json_path(text)
        .map(Stage::Query)
        .map_err(|_| JsonPathError::NotAQuery(text.to_owned()))
}

/// A name as an RFC 9535 name selector; JSON's escapes are the RFC's.
fn quote(name: &str) -> String {
    Value::String(name.to_owned()).to_string()
}
