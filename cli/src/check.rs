//! What `validate` finds: the shape of each object, the rules of the engine, and every trigger through its reader.
//!
//! Nothing here needs a cluster. What only a cluster knows (values of Secrets, environments of containers) is taken
//! as right, and said to be unchecked where that matters.

pub(crate) mod trigger;

use std::collections::BTreeSet;
use std::ops::Range;

use engine::diagnostic::{Diagnostic, FieldPath, Segment};
use serde_json::Value;

use crate::manifest::schema::{Schemas, nearest};
use crate::manifest::tree::{self, Content, Node, Part};
use crate::manifest::{Document, Source, documents};

/// One thing that was found.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Position of the source.
    pub(crate) source: usize,
    /// The document in it.
    pub(crate) document: Document,
    /// `Kind/name`, as far as known.
    pub(crate) object: String,
    /// What is wrong.
    pub(crate) diagnostic: Diagnostic,
    /// Where, in bytes of the document.
    pub(crate) span: Range<usize>,
}

/// Everything that was found, and how much was looked at.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// What was found, in the order of the text.
    pub(crate) findings: Vec<Finding>,
    /// Objects of our kinds.
    pub(crate) objects: usize,
    /// Objects of other kinds.
    pub(crate) other: usize,
}

/// An object of one of our kinds, with its place.
pub(super) struct Object<'t> {
    source: usize,
    document: Document,
    kind: &'t str,
    api_version: &'t str,
    namespace: &'t str,
    name: &'t str,
    tree: &'t Node,
    /// Where the object is inside its document (objects of a `List` are deeper).
    base: FieldPath,
    root: &'t Node,
}

/// Checks everything. `namespace` is what objects without one are in.
pub(crate) async fn all(sources: &[Source], namespace: &str) -> Checked {
    let schemas = Schemas::shared();
    let mut checked = Checked::default();
    let mut parsed = Vec::new();
    for (source, text) in sources.iter().enumerate().map(|(i, source)| (i, &source.text)) {
        for document in documents(text) {
            match tree::parse(&text[document.range.clone()]) {
                Ok(tree) => parsed.push((source, document, tree)),
                Err(error) => checked.findings.push(Finding {
                    source,
                    document,
                    object: String::new(),
                    diagnostic: Diagnostic::error("yaml-syntax", FieldPath::root(), error.message),
                    span: error.span,
                }),
            }
        }
    }
    let mut objects = Vec::new();
    for (source, document, tree) in &parsed {
        collect(
            *source,
            document,
            tree,
            tree,
            FieldPath::root(),
            namespace,
            &mut objects,
        );
    }
    let authentications = trigger::Authentications::collect(&objects).await;
    let mut names = BTreeSet::new();
    for object in &objects {
        match verdict(schemas, object) {
            Verdict::Ours => {
                checked.objects += 1;
                let mut found = object_findings(schemas, object, &authentications);
                let first = names.insert((object.kind, object.namespace, object.name));
                found.extend((!first && !object.name.is_empty()).then(|| given_twice(object)));
                checked
                    .findings
                    .extend(found.into_iter().map(|d| placed(object, d)));
            }
            Verdict::Slip(diagnostic) => checked.findings.push(placed(object, diagnostic)),
            Verdict::Other => checked.other += 1,
        }
    }
    checked
        .findings
        .sort_by_key(|f| (f.source, f.document.range.start, f.span.start));
    checked
}

/// An object, or each object of a list.
fn collect<'t>(
    source: usize,
    document: &Document,
    root: &'t Node,
    tree: &'t Node,
    base: FieldPath,
    namespace: &'t str,
    objects: &mut Vec<Object<'t>>,
) {
    let text = |key: &str| tree.get(key).and_then(Node::text).unwrap_or_default();
    if text("kind") == "List" && text("apiVersion") == "v1" {
        for (i, item) in tree
            .get("items")
            .map(Node::items)
            .into_iter()
            .flatten()
            .enumerate()
        {
            collect(
                source,
                document,
                root,
                item,
                base.field("items").index(i),
                namespace,
                objects,
            );
        }
        return;
    }
    let metadata = |key: &str| tree.get("metadata").and_then(|m| m.get(key)).and_then(Node::text);
    objects.push(Object {
        source,
        document: document.clone(),
        kind: text("kind"),
        api_version: text("apiVersion"),
        namespace: metadata("namespace").unwrap_or(namespace),
        name: metadata("name").unwrap_or_default(),
        tree,
        base,
        root,
    });
}

enum Verdict {
    /// One of our kinds.
    Ours,
    /// Meant to be one of our kinds.
    Slip(Diagnostic),
    /// None of our business.
    Other,
}

fn verdict(schemas: &Schemas, object: &Object<'_>) -> Verdict {
    if schemas.knows(object.api_version, object.kind) {
        return Verdict::Ours;
    }
    let root = FieldPath::root();
    if !matches!(object.tree.content, Content::Map(_)) {
        return Verdict::Slip(Diagnostic::error(
            "not-an-object",
            root,
            "a manifest must be a mapping",
        ));
    }
    if object.kind.is_empty() || object.api_version.is_empty() {
        let missing = if object.kind.is_empty() {
            "kind"
        } else {
            "apiVersion"
        };
        return Verdict::Slip(Diagnostic::error(
            "missing-field",
            root.field(missing),
            format!("missing `{missing}`"),
        ));
    }
    if let Some((api_version, _)) = schemas.kinds().find(|(_, kind)| *kind == object.kind) {
        let message = format!("`{}` is not in `{}`", object.kind, object.api_version);
        let help = if object.api_version.starts_with("keda.k8s.io/") {
            format!("`keda.k8s.io` is KEDA 1; write `apiVersion: {api_version}`")
        } else {
            format!("did you mean `{api_version}`?")
        };
        return Verdict::Slip(
            Diagnostic::error("unknown-kind", root.field("apiVersion"), message).with_help(help),
        );
    }
    let group = object.api_version.split('/').next().unwrap_or_default();
    if group.ends_with("keda.sh") || group == "keda.k8s.io" {
        let message = format!("`{}` has no kind `{}`", object.api_version, object.kind);
        let found = Diagnostic::error("unknown-kind", root.field("kind"), message);
        return Verdict::Slip(nearest(found, object.kind, schemas.kinds().map(|(_, kind)| kind)));
    }
    Verdict::Other
}

fn object_findings(
    schemas: &Schemas,
    object: &Object<'_>,
    known: &trigger::Authentications,
) -> Vec<Diagnostic> {
    let mut found = schemas.check(object.api_version, object.kind, object.tree);
    match object.kind {
        "ScaledObject" => {
            let sound = sound_part(object.tree.to_json(), &found);
            if let Ok(typed) = serde_json::from_value::<crds::ScaledObject>(sound) {
                let more = match engine::desired::validate(&typed) {
                    Ok(desired) => desired.warnings,
                    Err(mistakes) => mistakes,
                };
                let known: Vec<FieldPath> = found.iter().map(|d| d.path.clone()).collect();
                found.extend(more.into_iter().filter(|d| !known.contains(&d.path)));
            }
            found.extend(trigger::findings(object, known));
        }
        "ScaledJob" => {
            found.push(not_yet(
                "`ScaledJob` is not in this version yet, so nothing will act on it",
            ));
            found.extend(trigger::findings(object, known));
        }
        "TriggerAuthentication" | "ClusterTriggerAuthentication" => {
            found.extend(known.findings(object.kind, object.namespace, object.name));
        }
        _ => found.push(not_yet(&format!(
            "`{}` is not in this version yet, so nothing will act on it",
            object.kind
        ))),
    }
    found
}

/// The object without the values that the schema refuses, so that the rules of the engine can look at the rest.
fn sound_part(mut object: Value, found: &[Diagnostic]) -> Value {
    for diagnostic in found {
        let mut here = Some(&mut object);
        let (last, parents) = match diagnostic.path.segments() {
            [] => continue,
            [parents @ .., last] => (last, parents),
        };
        for segment in parents {
            here = here.and_then(|value| match segment {
                Segment::Field(name) => value.get_mut(name),
                Segment::Index(index) => value.get_mut(index),
            });
        }
        // Elements of a list keep their position.
        match (here, last) {
            (Some(Value::Object(members)), Segment::Field(name)) => drop(members.remove(name)),
            (Some(Value::Array(items)), Segment::Index(index)) if *index < items.len() => {
                items[*index] = Value::Null;
            }
            _ => {}
        }
    }
    object
}

/// The API server keeps one object of a name: applied one after the other, the last one stays.
fn given_twice(object: &Object<'_>) -> Diagnostic {
    let path = FieldPath::root().field("metadata").field("name");
    let message = format!(
        "{} {}/{} is given more than once",
        object.kind, object.namespace, object.name
    );
    Diagnostic::warning("duplicate-object", path, message)
        .with_help("leave all but one of them out: applied together, the last one stays")
}

fn not_yet(message: &str) -> Diagnostic {
    Diagnostic::warning("not-in-this-version", FieldPath::root().field("kind"), message)
}

fn placed(object: &Object<'_>, diagnostic: Diagnostic) -> Finding {
    let path = object.base.join(&diagnostic.path);
    let span = object.root.locate(&path, part(&diagnostic));
    let name = if object.name.is_empty() { "" } else { "/" };
    Finding {
        source: object.source,
        document: object.document.clone(),
        object: format!("{}{name}{}", object.kind, object.name),
        diagnostic: Diagnostic { path, ..diagnostic },
        span,
    }
}

/// Findings about a key mark the key, all others the value.
fn part(diagnostic: &Diagnostic) -> Part {
    const ABOUT_KEYS: &[&str] = &[
        "unknown-field",
        "unknown-metadata-key",
        "missing-",
        "removed-",
        "deprecated-",
        "duplicate-key",
    ];
    if ABOUT_KEYS.iter().any(|code| diagnostic.code.starts_with(code)) {
        Part::Key
    } else {
        Part::Value
    }
}
