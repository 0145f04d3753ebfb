//! What is wrong with the user's input, as data.
//!
//! A [`Diagnostic`] names a place by its path in the object, never by a span of text: the same value serves the
//! command line (which adds the span), a status condition, an Event, the debug API and JSON output.
//! Failures of the world (a broker, the API server) are errors and never diagnostics.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something worth knowing that changes nothing.
    Note,
    /// The object works, yet probably not as meant.
    Warning,
    /// The object cannot work as written.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a mapping.
    Field(String),
    /// A position in a list, from 0.
    Index(usize),
}

/// The place of a value inside an object, such as `spec.triggers[1].metadata.listLength`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The object itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of `spec.triggers[index]`.
    pub fn trigger(index: usize) -> Self {
        Self::root().field("spec").field("triggers").index(index)
    }

    /// Reads the form that `Display` prints; quoted keys in brackets stand for keys that contain a dot.
    pub fn parse(text: &str) -> Self {
        let mut path = Self::root();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix("[\"") {
                let (key, after) = tail.split_once("\"]").unwrap_or((tail, ""));
                path = path.field(key);
                rest = after;
            } else if let Some(tail) = rest.strip_prefix('[') {
                let (number, after) = tail.split_once(']').unwrap_or((tail, ""));
                path = number
                    .parse()
                    .map_or_else(|_| path.field(number), |i| path.index(i));
                rest = after;
            } else {
                let tail = rest.strip_prefix('.').unwrap_or(rest);
                let end = tail.find(['.', '[']).unwrap_or(tail.len());
                if end > 0 {
                    path = path.field(&tail[..end]);
                } else if tail.len() == rest.len() {
                    // Nothing was taken: only a malformed text comes here, keep the remainder as one key.
                    return path.field(tail);
                }
                rest = &tail[end..];
            }
        }
        path
    }

    /// The path one mapping key deeper.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        let mut next = self.clone();
        next.0.push(Segment::Field(name.to_owned()));
        next
    }

    /// The path one list position deeper.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut next = self.clone();
        next.0.push(Segment::Index(index));
        next
    }

    /// The path of something below this one.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        Self(self.0.iter().chain(&below.0).cloned().collect())
    }

    /// The steps from the root to the place.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The path without its last step; the root stays the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Field(name) if name.is_empty() || name.contains(['.', '[']) => {
                    write!(f, "[\"{name}\"]")?;
                }
                Segment::Field(name) if position == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for FieldPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

/// One finding about the user's input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable kebab-case name of the finding, an anchor of the documentation.
    pub code: Cow<'static, str>,
    /// How bad it is.
    pub severity: Severity,
    /// The place in the object.
    pub path: FieldPath,
    /// What is wrong with this value: a lowercase fragment without a full stop.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without help.
    pub fn error(code: &'static str, path: FieldPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, path, message)
    }

    /// A warning without help.
    pub fn warning(code: &'static str, path: FieldPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, path, message)
    }

    /// A note without help.
    pub fn note(code: &'static str, path: FieldPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, path, message)
    }

    fn new(severity: Severity, code: &'static str, path: FieldPath, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            severity,
            path,
            message: message.into(),
            help: None,
        }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the object cannot work as written.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.segments().is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// A collection of findings: all mistakes of one object, not only the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No findings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// The findings in the order they were made.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings as a list.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, iter: T) {
        self.0.extend(iter);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(list: Vec<Diagnostic>) -> Self {
        Self(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &FieldPath, text: &str) {
        assert_eq!(path.to_string(), text);
        assert_eq!(&FieldPath::parse(text), path);
    }

    #[test]
    fn paths_read_back_as_printed() {
        check(&FieldPath::root(), "");
        check(
            &FieldPath::trigger(1).field("metadata").field("listLength"),
            "spec.triggers[1].metadata.listLength",
        );
        let annotations = FieldPath::root().field("metadata").field("annotations");
        check(
            &annotations.field("autoscaling.keda.sh/paused"),
            "metadata.annotations[\"autoscaling.keda.sh/paused\"]",
        );
        check(&FieldPath::trigger(0), "spec.triggers[0]");
    }

    #[test]
    fn malformed_paths_do_not_panic() {
        for text in ["[", "[\"", "..", "a..b", "[x]", "a[", "]"] {
            let _ = FieldPath::parse(text);
        }
    }

    #[test]
    fn severity_orders_by_weight() {
        assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Error);
    }
}
