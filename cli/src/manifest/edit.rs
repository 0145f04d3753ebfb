//! Changes values in the text of a manifest and leaves everything else as it is: comments, order, quotes, line ends.
//!
//! A value that is there is replaced in its place; one that is not gets a line, or a place between braces. What comes out
//! is read again, and must say exactly what was meant: a text that cannot be edited with certainty is refused.

use std::ops::Range;

use engine::diagnostic::{FieldPath, Segment};
use serde_json::{Map, Value};

use super::tree::{self, Content, Entry, Node};

/// Why a text cannot be edited.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A part of it stands elsewhere in the text, under an anchor.
    #[error("`{path}` comes from an anchor or an alias, and what changes there changes elsewhere too")]
    Anchor {
        /// The part.
        path: String,
    },
    /// A parent is no mapping, or a list has too few elements.
    #[error("`{path}` has no place for it")]
    NoPlace {
        /// The parent.
        path: String,
    },
    /// The result would not say what was meant.
    #[error("`{path}` is written in a way that cannot be edited with certainty")]
    Unsure {
        /// The part.
        path: String,
    },
}

/// The keys of `spec` in the order in which people write them; a new one goes behind those before it.
const ORDER: [&str; 9] = [
    "scaleTargetRef",
    "pollingInterval",
    "cooldownPeriod",
    "initialCooldownPeriod",
    "idleReplicaCount",
    "minReplicaCount",
    "maxReplicaCount",
    "fallback",
    "advanced",
];

/// Puts a value at a path of an object, as the edit of its text does.
pub(crate) fn set(object: &mut Value, path: &FieldPath, value: Value) {
    let mut here = object;
    for segment in path.segments() {
        here = match segment {
            Segment::Field(name) => {
                if !here.is_object() {
                    *here = Value::Object(Map::new());
                }
                &mut here[name.as_str()]
            }
            Segment::Index(index) => match here.get_mut(*index) {
                Some(item) => item,
                None => return,
            },
        };
    }
    *here = value;
}

/// The text of a document with other values at some paths.
pub(crate) fn edit(text: &str, changes: &[(FieldPath, Value)]) -> Result<String, Refusal> {
    let mut edited = text.to_owned();
    for (path, value) in changes {
        edited = edit_one(&edited, path, value)?;
    }
    Ok(edited)
}

fn edit_one(text: &str, path: &FieldPath, value: &Value) -> Result<String, Refusal> {
    let unsure = || Refusal::Unsure {
        path: path.to_string(),
    };
    let tree = tree::parse(text).map_err(|_| unsure())?;
    let mut want = tree.to_json();
    set(&mut want, path, value.clone());
    let (range, new) = Editor { text, path }.find(&tree, value)?;
    let (before, after) = (text.get(..range.start), text.get(range.end..));
    let (Some(before), Some(after)) = (before, after) else {
        return Err(unsure());
    };
    let edited = format!("{before}{new}{after}");
    match tree::parse(&edited) {
        Ok(tree) if tree.to_json() == want => Ok(edited),
        _ => Err(unsure()),
    }
}

struct Editor<'t> {
    text: &'t str,
    path: &'t FieldPath,
}

impl Editor<'_> {
    /// What to replace, and by what.
    fn find(&self, root: &Node, value: &Value) -> Result<(Range<usize>, String), Refusal> {
        let (mut here, mut key): (&Node, Option<&Entry>) = (root, None);
        let segments = self.path.segments();
        for (depth, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Field(name) => match (&here.content, here.get(name)) {
                    (Content::Map(entries), Some(_)) => {
                        let entry = entries.iter().rev().find(|entry| entry.key == *name);
                        let entry = entry.ok_or_else(|| self.no_place(depth))?;
                        self.check_own(entry, depth)?;
                        (here, key) = (&entry.value, Some(entry));
                    }
                    (Content::Map(entries), None) => {
                        return self.add(here, entries, key, &segments[depth..], value, depth);
                    }
                    (Content::Scalar(Value::Null), _) => {
                        let key = key.ok_or_else(|| self.no_place(depth))?;
                        return self.fill(key, &segments[depth..], value);
                    }
                    _ => return Err(self.no_place(depth)),
                },
                Segment::Index(index) => {
                    here = here.items().get(*index).ok_or_else(|| self.no_place(depth))?;
                    if self.is_marked(here.span.start) {
                        return Err(self.anchor(depth + 1));
                    }
                }
            }
        }
        match (&here.content, key) {
            (Content::Scalar(Value::Null), Some(key)) if here.span.is_empty() => self.fill(key, &[], value),
            (Content::Scalar(_), _) => {
                let old = self.text.get(here.span.clone()).unwrap_or_default();
                Ok((here.span.clone(), scalar(value, Some(old))))
            }
            _ => Err(self.no_place(segments.len())),
        }
    }

    fn parent(&self, depth: usize) -> String {
        let below = depth..self.path.segments().len();
        below.fold(self.path.clone(), |path, _| path.parent()).to_string()
    }

    fn no_place(&self, depth: usize) -> Refusal {
        Refusal::NoPlace {
            path: self.parent(depth),
        }
    }

    fn anchor(&self, depth: usize) -> Refusal {
        Refusal::Anchor {
            path: self.parent(depth),
        }
    }

    /// Whether an alias, an anchor or a tag stands here.
    fn is_marked(&self, at: usize) -> bool {
        self.text
            .get(at..)
            .is_some_and(|rest| rest.starts_with(['*', '&', '!']))
    }

    /// A value behind its key, and not an alias, under an anchor or merged from elsewhere.
    fn check_own(&self, entry: &Entry, depth: usize) -> Result<(), Refusal> {
        let between = self.text.get(entry.key_span.end..entry.value.span.start);
        // Where a mapping begins on lines of its own, comments may stand in between.
        let first = between.and_then(|between| between.lines().next());
        let marked = first.is_none_or(|first| {
            first
                .trim_start_matches(['"', '\'', ':', ' '])
                .starts_with(['*', '&', '!'])
        });
        if marked && entry.value.content != Content::Scalar(Value::Null)
            || self.is_marked(entry.value.span.start)
        {
            return Err(self.anchor(depth + 1));
        }
        Ok(())
    }

    /// A key that a mapping lacks.
    fn add(
        &self,
        map: &Node,
        entries: &[Entry],
        owner: Option<&Entry>,
        missing: &[Segment],
        value: &Value,
        depth: usize,
    ) -> Result<(Range<usize>, String), Refusal> {
        if entries.iter().any(|entry| entry.key == "<<") {
            return Err(self.anchor(depth));
        }
        let flow = self
            .text
            .get(map.span.start..)
            .is_some_and(|rest| rest.starts_with('{'));
        if flow {
            return self.add_between_braces(map, entries, missing, value, depth);
        }
        let (Some(first), Some(Segment::Field(name))) = (entries.first(), missing.first()) else {
            return Err(self.no_place(depth));
        };
        let column = self.column(first.key_span.start);
        let step = owner.map_or(2, |owner| {
            column.saturating_sub(self.column(owner.key_span.start)).max(2)
        });
        let lines = self.lines(missing, value, column, step);
        let before = behind(entries, name, depth);
        if let Some(entry) = before {
            let end = self.flow_end(entry).unwrap_or_else(|| end_of(entry));
            return Ok(self.after_line(end, &lines));
        }
        // Before the first key, on a line of its own: the key itself may follow a dash.
        let at = first.key_span.start;
        let trimmed = lines.trim_start_matches(' ');
        Ok((
            at..at,
            format!("{trimmed}{}{}", self.line_end(), " ".repeat(column)),
        ))
    }

    fn add_between_braces(
        &self,
        map: &Node,
        entries: &[Entry],
        missing: &[Segment],
        value: &Value,
        depth: usize,
    ) -> Result<(Range<usize>, String), Refusal> {
        let quoted = |at: usize| self.text.get(at..).is_some_and(|rest| rest.starts_with('"'));
        let Some(last) = entries.last() else {
            // `{}`: the document tells whether it is JSON.
            let json =
                quoted(self.text.find('{').map_or(0, |brace| brace + 1)) || self.text.contains("{\n  \"");
            let at = map.span.start + 1;
            return Ok((at..at, pair(missing, value, json)));
        };
        let at = self.flow_end(last).ok_or_else(|| self.no_place(depth))?;
        let json = quoted(last.key_span.start);
        // One entry a line stays one entry a line.
        let start = self.line_start(last.key_span.start);
        let indent = &self.text[start..last.key_span.start];
        let gap = if entries.len() > 1 && indent.trim().is_empty() || indent.trim().is_empty() && json {
            format!("{}{indent}", self.line_end())
        } else {
            " ".to_owned()
        };
        Ok((at..at, format!(",{gap}{}", pair(missing, value, json))))
    }

    /// Where a value between braces ends: before the comma or brace behind it.
    fn flow_end(&self, entry: &Entry) -> Option<usize> {
        let end = end_of(entry);
        if matches!(entry.value.content, Content::Scalar(_)) {
            return Some(end);
        }
        // The brackets that are open at the end of the last element are closed behind it.
        let open = depth_of(&entry.value, self.text);
        let mut at = end.max(entry.value.span.start);
        for _ in 0..open {
            let rest = self.text.get(at..)?;
            at += rest.find(['}', ']'])? + 1;
        }
        Some(at)
    }

    /// The value of a key that has none.
    fn fill(
        &self,
        key: &Entry,
        missing: &[Segment],
        value: &Value,
    ) -> Result<(Range<usize>, String), Refusal> {
        let (span, text) = (&key.value.span, self.text);
        let written = text.get(span.clone()).unwrap_or_default();
        let (at, end) = if ["~", "null", "Null", "NULL"].contains(&written) {
            (span.start, span.end)
        } else {
            let colon = text.get(key.key_span.end..).and_then(|rest| rest.find(':'));
            let at = key.key_span.end + colon.ok_or_else(|| self.no_place(0))? + 1;
            (at, at)
        };
        let gap = if at == end { " " } else { "" };
        if missing.is_empty() {
            return Ok((at..end, format!("{gap}{}", scalar(value, None))));
        }
        let column = self.column(key.key_span.start) + 2;
        if at != end {
            return Ok((at..end, format!("{{{}}}", pair(missing, value, false))));
        }
        Ok(self.after_line(at, &self.lines(missing, value, column, 2)))
    }

    /// Lines behind the one that a place is in.
    fn after_line(&self, at: usize, lines: &str) -> (Range<usize>, String) {
        let rest = self.text.get(at..).unwrap_or_default();
        let end = rest.find('\n').map_or(self.text.len(), |end| at + end);
        let at = if self.text[..end].ends_with('\r') {
            end - 1
        } else {
            end
        };
        (at..at, format!("{}{lines}", self.line_end()))
    }

    /// Nested keys and a value, from a column on; without an end of line.
    fn lines(&self, missing: &[Segment], value: &Value, column: usize, step: usize) -> String {
        let names: Vec<&str> = names(missing).collect();
        let mut lines = Vec::new();
        for (depth, name) in names.iter().enumerate() {
            let indent = " ".repeat(column + depth * step);
            let tail = if depth + 1 == names.len() {
                format!(" {}", scalar(value, None))
            } else {
                String::new()
            };
            lines.push(format!("{indent}{name}:{tail}"));
        }
        lines.join(self.line_end())
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Characters before a place in its line.
    fn column(&self, at: usize) -> usize {
        self.text[self.line_start(at)..at].chars().count()
    }

    fn line_end(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }
}

/// The entry of a mapping behind which a key goes; `None` means before the first.
fn behind<'n>(entries: &'n [Entry], name: &str, depth: usize) -> Option<&'n Entry> {
    let rank = |name: &str| ORDER.iter().position(|known| *known == name);
    // Only the fields of `spec` have an order; what is new elsewhere goes last.
    let Some(own) = rank(name).filter(|_| depth > 0) else {
        return entries.last();
    };
    let earlier = entries
        .iter()
        .filter(|entry| rank(&entry.key).is_some_and(|rank| rank < own));
    earlier.max_by_key(|entry| entry.key_span.start)
}

/// Where an entry ends: its last key or value.
fn end_of(entry: &Entry) -> usize {
    let value = &entry.value;
    let inside = match &value.content {
        Content::Scalar(_) => value.span.end,
        Content::List(items) => items.last().map_or(value.span.start, |item| {
            let inner = Entry {
                key: String::new(),
                key_span: item.span.start..item.span.start,
                value: item.clone(),
            };
            end_of(&inner)
        }),
        Content::Map(entries) => entries.last().map_or(value.span.start, end_of),
    };
    inside.max(entry.key_span.end)
}

/// The brackets that are open at the last element of a value.
fn depth_of(node: &Node, text: &str) -> usize {
    let open = usize::from(
        text.get(node.span.start..)
            .is_some_and(|rest| rest.starts_with(['{', '['])),
    );
    match &node.content {
        Content::Scalar(_) => 0,
        Content::List(items) => open + items.last().map_or(0, |item| depth_of(item, text)),
        Content::Map(entries) => open + entries.last().map_or(0, |entry| depth_of(&entry.value, text)),
    }
}

fn names(segments: &[Segment]) -> impl DoubleEndedIterator<Item = &str> {
    segments.iter().map(|segment| match segment {
        Segment::Field(name) => name.as_str(),
        Segment::Index(_) => "",
    })
}

/// Nested keys and a value in one line: `a: {b: 5}`.
fn pair(missing: &[Segment], value: &Value, json: bool) -> String {
    let inner = if json {
        value.to_string()
    } else {
        scalar(value, None)
    };
    let mut names = names(missing).rev();
    let key = |name: &str, value: &str| {
        if json {
            format!("\"{name}\": {value}")
        } else {
            format!("{name}: {value}")
        }
    };
    let last = names.next().unwrap_or_default();
    names.fold(key(last, &inner), |inside, name| {
        key(name, &format!("{{{inside}}}"))
    })
}

/// A value as YAML, in the quotes that the old one has. Texts are quoted unless the old one is not, and can be without.
fn scalar(value: &Value, old: Option<&str>) -> String {
    let Value::String(text) = value else {
        return value.to_string();
    };
    let double = Value::String(text.clone()).to_string();
    match old {
        Some(old) if old.starts_with('\'') => format!("'{}'", text.replace('\'', "''")),
        Some(old) if !old.starts_with('"') => {
            let plain = tree::parse(text).is_ok_and(|node| node.text() == Some(text));
            if plain { text.clone() } else { double }
        }
        _ => double,
    }
}

#[cfg(test)]
mod tests;
