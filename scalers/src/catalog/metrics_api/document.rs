//! XML and YAML replies, and the dotted paths into them.

use std::cell::Cell;
use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::ScalerError;
use crate::value_location::Json;

/// The longest YAML that is read: the parser takes a hundred times the room of a document.
const LONGEST_YAML: usize = 1 << 20;

/// Deeper documents are refused: they hold no number anybody would scale on.
const DEEPEST: usize = 128;

/// The value at a dotted path; positions in lists are numbers. Upstream: `GetValueByPath`.
pub(super) fn at<'a>(document: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(document, |value, key| match value {
        // A later key wins where a document has it twice, as in a Go map.
        Json::Map(entries) => entries
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value),
        Json::List(elements) => elements.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Decodes YAML.
pub(super) fn from_yaml(body: &[u8]) -> Result<Json, ScalerError> {
    let wrong = |reason: &str| Err(ScalerError::Value(format!("the reply {reason}")));
    if body.len() > LONGEST_YAML {
        return wrong("is longer than 1 MiB, which is the most that is read of YAML");
    }
    // What refers to nothing twice takes no more than this.
    let room = Cell::new(2 * body.len() + LONGEST_YAML);
    match Json::within(&room, serde_yaml::Deserializer::from_slice(body)) {
        Ok(document) => Ok(document),
        Err(_) if room.get() == 0 => wrong("refers to its own parts too often"),
        Err(_) => wrong("is not YAML"),
    }
}

/// An element that is being read.
struct Open {
    name: String,
    entries: Vec<(String, Json)>,
    /// Where among the entries the elements are, by name.
    places: HashMap<String, usize>,
    text: String,
}

/// Decodes XML into a map with the root element as its only key. Upstream: `mxj.NewMapXml`.
pub(super) fn from_xml(body: &[u8]) -> Option<Json> {
    let mut reader = Reader::from_reader(body);
    reader.config_mut().check_end_names = true;
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if open.len() >= DEEPEST {
                    return None;
                }
                open.push(begin(&start)?);
            }
            Event::Empty(start) => close(begin(&start)?, &mut open, &mut root),
            Event::End(_) => close(open.pop()?, &mut open, &mut root),
            Event::Text(text) => append(&mut open, &text.decode().ok()?),
            Event::CData(text) => append(&mut open, &text.decode().ok()?),
            Event::GeneralRef(reference) => {
                let letter = match reference.resolve_char_ref().ok()? {
                    Some(letter) => letter,
                    None => entity(&reference.decode().ok()?)?,
                };
                append(&mut open, letter.encode_utf8(&mut [0; 4]));
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    let (name, value) = root?;
    open.is_empty().then(|| Json::Map(vec![(name, value)]))
}

fn begin(start: &BytesStart<'_>) -> Option<Open> {
    let name = local(start.name().as_ref());
    let mut entries = Vec::new();
    // Whether one stands twice is not asked: that takes as long as there are pairs of them.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.ok()?;
        let value = attribute.unescape_value().ok()?.into_owned();
        entries.push((format!("-{}", local(attribute.key.as_ref())), Json::Text(value)));
    }
    Some(Open {
        name,
        entries,
        places: HashMap::new(),
        text: String::new(),
    })
}

/// A name without its prefix, as Go's decoder keeps the two apart.
fn local(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.rsplit(':').next().unwrap_or_default().to_owned()
}

fn append(open: &mut [Open], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}

/// Hands a finished element to the one around it.
fn close(element: Open, open: &mut [Open], root: &mut Option<(String, Json)>) {
    let Open {
        name,
        mut entries,
        text,
        ..
    } = element;
    let text = text.trim();
    let value = if entries.is_empty() {
        Json::Text(text.to_owned())
    } else {
        if !text.is_empty() {
            entries.push(("#text".to_owned(), Json::Text(text.to_owned())));
        }
        Json::Map(entries)
    };
    match open.last_mut() {
        Some(parent) => parent.add(name, value),
        None => *root = Some((name, value)),
    }
}

impl Open {
    /// Elements of one name become a list.
    fn add(&mut self, name: String, value: Json) {
        let known = self
            .places
            .get(&name)
            .and_then(|place| self.entries.get_mut(*place));
        match known {
            Some((_, Json::List(list))) => list.push(value),
            Some((_, known)) => {
                let first = std::mem::replace(known, Json::Null);
                *known = Json::List(vec![first, value]);
            }
            None => {
                self.places.insert(name.clone(), self.entries.len());
                self.entries.push((name, value));
            }
        }
    }
}
