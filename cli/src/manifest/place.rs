//! Where in the files an object stands.

use std::ops::Range;

use engine::diagnostic::FieldPath;
use serde_json::Value;

use super::tree::{self, Node};
use super::{Source, documents};

/// The place of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// Position of the source.
    pub(crate) source: usize,
    /// The document in it, in bytes.
    pub(crate) document: Range<usize>,
    /// Where the object is in the document: objects of a `List` are deeper.
    pub(crate) base: FieldPath,
    /// The object as it is written.
    pub(crate) object: Value,
}

/// Finds the only object of a kind and name. Names are unique among the objects that a command works on.
pub(crate) fn find(sources: &[Source], kind: &str, name: &str) -> Option<Place> {
    for (source, text) in sources.iter().enumerate() {
        for document in documents(&text.text) {
            let Ok(tree) = tree::parse(&text.text[document.range.clone()]) else {
                continue;
            };
            if let Some((base, object)) = within(&tree, FieldPath::root(), kind, name) {
                return Some(Place {
                    source,
                    document: document.range,
                    base,
                    object,
                });
            }
        }
    }
    None
}

fn within(tree: &Node, base: FieldPath, kind: &str, name: &str) -> Option<(FieldPath, Value)> {
    let text = |key: &str| tree.get(key).and_then(Node::text);
    if text("kind") == Some("List") && text("apiVersion") == Some("v1") {
        let mut items = tree
            .get("items")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate();
        return items.find_map(|(index, item)| within(item, base.field("items").index(index), kind, name));
    }
    let own = tree
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .and_then(Node::text);
    (text("kind") == Some(kind) && own == Some(name)).then(|| (base, tree.to_json()))
}
