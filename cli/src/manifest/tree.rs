//! A YAML document as a tree that knows where in the text each key and value stands.

use std::fmt;
use std::ops::Range;

use engine::diagnostic::{FieldPath, Segment};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Options, Spanned};

/// A value and its place, in bytes from the start of the document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Where it stands; for a list or mapping where it begins.
    pub(crate) span: Range<usize>,
    /// What it is.
    pub(crate) content: Content,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A mapping in the order of the text; a key may occur twice.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_span: Range<usize>,
    /// The value.
    pub(crate) value: Node,
}

/// What is wrong with a text that is not YAML.
#[derive(Debug, PartialEq)]
pub(crate) struct SyntaxError {
    /// What is wrong, as a fragment.
    pub(crate) message: String,
    /// Where it was noticed.
    pub(crate) span: Range<usize>,
}

/// Which part of an entry a diagnostic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key: unknown, missing below, removed.
    Key,
    /// The value: of the wrong type, out of range.
    Value,
}

/// Reads one document as the API server's YAML reader would: YAML 1.1 booleans, octal numbers with a leading zero.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    read(text, options)
}

fn read(text: &str, options: Options) -> Result<Node, SyntaxError> {
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let span = error.location().map_or(0..0, |location| range(&location));
        let start = span.start.min(text.len());
        let message = error.to_string();
        let first = message.lines().next().unwrap_or("this is not YAML");
        // Its own line numbers count from the document, ours from the file.
        let message = first.split(" at line ").next().unwrap_or(first).to_owned();
        SyntaxError {
            message,
            span: start..span.end.clamp(start, text.len()),
        }
    })
}

fn range(location: &Location) -> Range<usize> {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(span.offset());
    let length = span.byte_len().unwrap_or(span.len());
    let (start, length) = (
        usize::try_from(start).unwrap_or(0),
        usize::try_from(length).unwrap_or(0),
    );
    start..start + length
}

impl Node {
    /// The value of a key, the last one if it occurs twice.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().rev().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The elements, if this is a list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if this is a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The same as JSON.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Content::Map(entries) => {
                let members = entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// The place of a path. Where the path leads nowhere, the key of the nearest parent that exists.
    pub(crate) fn locate(&self, path: &FieldPath, part: Part) -> Range<usize> {
        let mut here = self;
        let mut place = first_line(&self.span);
        for (i, segment) in path.segments().iter().enumerate() {
            let last = i + 1 == path.segments().len();
            match segment {
                Segment::Field(name) => {
                    let Some(entry) = here.entry(name) else {
                        return place;
                    };
                    here = &entry.value;
                    let scalar = matches!(here.content, Content::Scalar(_)) && !here.span.is_empty();
                    place = if last && part == Part::Value && scalar {
                        here.span.clone()
                    } else {
                        entry.key_span.clone()
                    };
                }
                Segment::Index(index) => {
                    let Some(item) = here.items().get(*index) else {
                        return place;
                    };
                    here = item;
                    place = match &here.content {
                        Content::Map(entries) => {
                            entries.first().map_or(here.span.clone(), |e| e.key_span.clone())
                        }
                        _ => here.span.clone(),
                    };
                }
            }
        }
        place
    }
}

fn first_line(span: &Range<usize>) -> Range<usize> {
    span.start..span.start
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self {
            span: range(&spanned.referenced),
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(Value::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(Value::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Scalar(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(Value::String(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Content, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let value = map.next_value()?;
            entries.push(Entry {
                key_span: range(&key.referenced),
                key: key.value,
                value,
            });
        }
        Ok(Content::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
spec:
  triggers:
  - type: redis
    metadata:
      listLenght: \"5\"
      größe: 'x'
      on: yes
      n: 010
  - {type: cron, metadata: {start: 0 * * * *}}
  min: 3
";

    #[track_caller]
    fn check(path: &str, part: Part, want: &str) {
        let tree = parse(TEXT).expect("the text is YAML");
        assert_eq!(&TEXT[tree.locate(&FieldPath::parse(path), part)], want, "{path}");
    }

    #[test]
    fn keys_and_values_are_found_in_the_text() {
        check("spec.triggers[0].metadata.listLenght", Part::Key, "listLenght");
        check("spec.triggers[0].metadata.listLenght", Part::Value, "\"5\"");
        check("spec.triggers[0].metadata.größe", Part::Value, "'x'");
        check("spec.triggers[0].metadata.größe", Part::Key, "größe");
        check("spec.triggers[1].metadata.start", Part::Value, "0 * * * *");
        check("spec.min", Part::Value, "3");
        check("spec.triggers[1]", Part::Value, "type");
    }

    #[test]
    fn what_is_missing_is_shown_at_its_parent() {
        check("spec.triggers[0].metadata.address", Part::Key, "metadata");
        check("spec.max", Part::Value, "spec");
        check("spec.triggers[7].type", Part::Value, "triggers");
    }

    #[test]
    fn scalars_are_typed_as_the_api_server_types_them() {
        let tree = parse(TEXT).expect("the text is YAML");
        let metadata = tree
            .get("spec")
            .and_then(|s| s.get("triggers")?.items()[0].get("metadata"))
            .expect("is there");
        let want = serde_json::json!({"listLenght": "5", "größe": "x", "on": true, "n": 8});
        assert_eq!(metadata.to_json(), want);
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").expect_err("the list is not closed");
        assert!(error.span.start >= 5, "{error:?}");
    }

    #[test]
    fn a_key_that_occurs_twice_is_kept_twice() {
        let tree = parse("a: 1\na: 2\n").expect("reads");
        assert!(
            matches!(&tree.content, Content::Map(entries) if entries.len() == 2),
            "{tree:?}"
        );
    }

    #[test]
    fn json_is_yaml() {
        assert_eq!(
            parse("{\"a\": [1, 2.5, null, true]}")
                .expect("reads")
                .to_json()
                .to_string(),
            "{\"a\":[1,2.5,null,true]}"
        );
    }
}
