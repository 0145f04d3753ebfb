//! Checks a document against the schema that the API server would use, and finds everything at once.
//!
//! The schemas are those of the custom resource definitions, so nothing is said twice.

use std::sync::{LazyLock, OnceLock};

use engine::diagnostic::{Diagnostic, FieldPath};
use serde_json::Value;

use super::tree::{Content, Node};

/// The schemas of all our kinds, each made when the first object of its kind is checked: making one takes longer than
/// checking many objects.
#[derive(Debug)]
pub(crate) struct Schemas {
    kinds: Vec<Known>,
}

/// One of our kinds.
#[derive(Debug)]
struct Known {
    api_version: String,
    kind: &'static crds::Kind,
    schema: OnceLock<Value>,
}

impl Known {
    fn schema(&self) -> &Value {
        self.schema.get_or_init(|| {
            let versions = self.kind.definition().spec.versions;
            let schema = versions
                .into_iter()
                .find_map(|version| version.schema?.open_api_v3_schema);
            schema.map_or(Value::Null, |schema| {
                serde_json::to_value(schema).unwrap_or_default()
            })
        })
    }
}

/// Fields of `metadata`. Upstream: apimachinery `ObjectMeta`.
const METADATA_FIELDS: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Schemas {
    /// The schemas that this process has made.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Schemas> = LazyLock::new(|| Schemas {
            kinds: crds::KINDS
                .iter()
                .map(|kind| Known {
                    api_version: kind.api_version(),
                    kind,
                    schema: OnceLock::new(),
                })
                .collect(),
        });
        &SHARED
    }

    /// Every kind with the API version it lives in.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kinds
            .iter()
            .map(|known| (known.api_version.as_str(), known.kind.name))
    }

    /// Whether the pair is one of ours.
    pub(crate) fn knows(&self, api_version: &str, kind: &str) -> bool {
        self.kinds().any(|known| known == (api_version, kind))
    }

    /// Checks an object of one of our kinds.
    pub(crate) fn check(&self, api_version: &str, kind: &str, object: &Node) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let root = FieldPath::root();
        let of_kind = |known: &&Known| (known.api_version.as_str(), known.kind.name) == (api_version, kind);
        let Some(known) = self.kinds.iter().find(of_kind) else {
            return found;
        };
        let schema = known.schema();
        if let Content::Map(entries) = &object.content {
            let known = ["apiVersion", "kind", "metadata", "spec", "status"];
            for entry in entries
                .iter()
                .filter(|entry| !known.contains(&entry.key.as_str()))
            {
                found.push(unknown_field(&root, &entry.key, known.iter().copied()));
            }
            duplicates(object, &root, &mut found);
        }
        check_metadata(object, &mut found);
        let properties = schema.get("properties");
        match (object.get("spec"), properties.and_then(|p| p.get("spec"))) {
            (Some(spec), Some(schema)) => check_value(spec, schema, &root.field("spec"), &mut found),
            (None, Some(_)) => found.push(missing(&root, "spec")),
            (_, None) => {}
        }
        found
    }
}

fn check_metadata(object: &Node, found: &mut Vec<Diagnostic>) {
    let path = FieldPath::root().field("metadata");
    let Some(metadata) = object.get("metadata") else {
        found.push(missing(&FieldPath::root(), "metadata"));
        return;
    };
    let Content::Map(entries) = &metadata.content else {
        found.push(wrong_type(&path, "a mapping", metadata));
        return;
    };
    duplicates(metadata, &path, found);
    for entry in entries
        .iter()
        .filter(|entry| !METADATA_FIELDS.contains(&entry.key.as_str()))
    {
        found.push(unknown_field(&path, &entry.key, METADATA_FIELDS.iter().copied()));
    }
    let text = serde_json::json!({"type": "string"});
    let texts = serde_json::json!({"type": "object", "additionalProperties": text});
    for (key, schema) in [
        ("name", &text),
        ("namespace", &text),
        ("labels", &texts),
        ("annotations", &texts),
    ] {
        if let Some(value) = metadata.get(key).filter(|value| !is_null(value)) {
            check_value(value, schema, &path.field(key), found);
        }
    }
    if metadata.get("name").is_none() && metadata.get("generateName").is_none() {
        found.push(missing(&path, "name"));
    }
}

fn check_value(node: &Node, schema: &Value, path: &FieldPath, found: &mut Vec<Diagnostic>) {
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool).unwrap_or(false);
    if is_null(node) {
        // The API server drops a null where the schema has no `nullable`, which is the same as leaving the field out.
        return;
    }
    if flag("x-kubernetes-int-or-string") {
        if !matches!(&node.content, Content::Scalar(Value::String(_))) && !is_integer(node) {
            found.push(wrong_type(path, "a whole number or a string", node));
        }
        return;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => check_object(node, schema, path, found),
        Some("array") => check_list(node, schema, path, found),
        Some("string") => match node.text() {
            Some(text) => check_text(text, schema, path, found),
            None => found.push(wrong_type(path, "a string", node)),
        },
        Some("integer") if !is_integer(node) => found.push(wrong_type(path, "a whole number", node)),
        Some("integer" | "number") => check_number(node, schema, path, found),
        Some("boolean") if !matches!(&node.content, Content::Scalar(Value::Bool(_))) => {
            found.push(wrong_type(path, "`true` or `false`", node));
        }
        _ => {}
    }
}

fn check_object(node: &Node, schema: &Value, path: &FieldPath, found: &mut Vec<Diagnostic>) {
    let Content::Map(entries) = &node.content else {
        found.push(wrong_type(path, "a mapping", node));
        return;
    };
    duplicates(node, path, found);
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional = schema
        .get("additionalProperties")
        .filter(|schema| schema.is_object());
    let open = schema
        .get("x-kubernetes-preserve-unknown-fields")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    for entry in entries {
        let place = path.field(&entry.key);
        match (properties.and_then(|p| p.get(&entry.key)), additional) {
            (Some(schema), _) | (None, Some(schema)) => check_value(&entry.value, schema, &place, found),
            (None, None) if open || properties.is_none() => {}
            (None, None) => {
                let known = properties.into_iter().flat_map(|p| p.keys().map(String::as_str));
                found.push(unknown_field(path, &entry.key, known));
            }
        }
    }
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if node.get(name).is_none_or(is_null) {
            found.push(missing(path, name));
        }
    }
}

fn check_list(node: &Node, schema: &Value, path: &FieldPath, found: &mut Vec<Diagnostic>) {
    let Content::List(items) = &node.content else {
        found.push(wrong_type(path, "a list", node));
        return;
    };
    if let Some(least) = schema.get("minItems").and_then(Value::as_u64)
        && (items.len() as u64) < least
    {
        let message = format!(
            "`{}` must have at least {least} {}",
            last(path),
            plural(least, "entry", "entries")
        );
        found.push(Diagnostic::error("bad-value", path.clone(), message));
    }
    if let Some(schema) = schema.get("items") {
        for (i, item) in items.iter().enumerate() {
            check_value(item, schema, &path.index(i), found);
        }
    }
}

fn check_text(text: &str, schema: &Value, path: &FieldPath, found: &mut Vec<Diagnostic>) {
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.iter().any(|value| value == text)
    {
        let words: Vec<&str> = allowed
            .iter()
            .filter_map(Value::as_str)
            .filter(|word| !word.is_empty())
            .collect();
        let message = format!(
            "`{}` must be one of `{}`, not `{text}`",
            last(path),
            words.join("`, `")
        );
        found.push(nearest(
            Diagnostic::error("bad-value", path.clone(), message),
            text,
            words.into_iter(),
        ));
    }
    if let Some(least) = schema.get("minLength").and_then(Value::as_u64)
        && (text.chars().count() as u64) < least
    {
        let message = format!("`{}` must not be empty", last(path));
        found.push(Diagnostic::error("bad-value", path.clone(), message));
    }
}

fn check_number(node: &Node, schema: &Value, path: &FieldPath, found: &mut Vec<Diagnostic>) {
    let Content::Scalar(Value::Number(number)) = &node.content else {
        found.push(wrong_type(path, "a number", node));
        return;
    };
    let value = number.as_f64().unwrap_or_default();
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let int32 = schema.get("format").and_then(Value::as_str) == Some("int32");
    if let Some(least) = bound("minimum").filter(|least| value < *least) {
        let message = format!("`{}` must be at least {least}, not {number}", last(path));
        found.push(Diagnostic::error("bad-value", path.clone(), message));
    }
    let most = bound("maximum").or(int32.then_some(f64::from(i32::MAX)));
    if let Some(most) = most.filter(|most| value > *most) {
        let message = format!("`{}` must be at most {most}, not {number}", last(path));
        found.push(Diagnostic::error("bad-value", path.clone(), message));
    }
}

fn duplicates(node: &Node, path: &FieldPath, found: &mut Vec<Diagnostic>) {
    let Content::Map(entries) = &node.content else {
        return;
    };
    for (i, entry) in entries.iter().enumerate() {
        if entries[..i].iter().any(|earlier| earlier.key == entry.key) {
            let message = format!("`{}` is given twice", entry.key);
            found.push(
                Diagnostic::error("duplicate-key", path.field(&entry.key), message)
                    .with_help("keep one of them"),
            );
        }
    }
}

fn missing(path: &FieldPath, name: &str) -> Diagnostic {
    Diagnostic::error("missing-field", path.field(name), format!("missing `{name}`"))
}

fn unknown_field<'a>(path: &FieldPath, name: &str, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let place = if path.segments().is_empty() {
        "the object".to_owned()
    } else {
        format!("`{}`", last(path))
    };
    let found = Diagnostic::error(
        "unknown-field",
        path.field(name),
        format!("{place} has no field `{name}`"),
    );
    nearest(found, name, known)
}

/// Adds "did you mean" where one of the words is close.
pub(crate) fn nearest<'a>(
    found: Diagnostic,
    given: &str,
    known: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    match likeliest(given, known) {
        Some(word) => found.with_help(format!("did you mean `{word}`?")),
        None => found,
    }
}

/// The word that a slip is closest to, if it is close to any.
pub(crate) fn likeliest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |word: &str| strsim::jaro_winkler(&given.to_lowercase(), &word.to_lowercase());
    known
        .map(|word| (likeness(word), word))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.85)
        .map(|(_, word)| word)
}

fn wrong_type(path: &FieldPath, want: &str, node: &Node) -> Diagnostic {
    let (given, help) = match &node.content {
        Content::Map(_) => ("a mapping".to_owned(), None),
        Content::List(_) => ("a list".to_owned(), None),
        Content::Scalar(Value::String(text)) => {
            let unquoted = text.parse::<f64>().is_ok() || text == "true" || text == "false";
            let help = (want != "a string" && unquoted).then(|| format!("write {text} without quotes"));
            (format!("the string `{text}`"), help)
        }
        Content::Scalar(value) => {
            let kind = if value.is_boolean() {
                "the boolean"
            } else {
                "the number"
            };
            (
                format!("{kind} `{value}`"),
                (want == "a string").then(|| format!("put it in quotes: \"{value}\"")),
            )
        }
    };
    let found = Diagnostic::error(
        "wrong-type",
        path.clone(),
        format!("`{}` must be {want}, not {given}", last(path)),
    );
    match help {
        Some(help) => found.with_help(help),
        None => found,
    }
}

/// The last name in a path, with its position if it is an element.
fn last(path: &FieldPath) -> String {
    let text = path.to_string();
    match text.rfind('.') {
        Some(dot) if !text.ends_with("\"]") => text[dot + 1..].to_owned(),
        _ => text
            .rsplit_once("[\"")
            .map_or(text.clone(), |(_, name)| name.trim_end_matches("\"]").to_owned()),
    }
}

fn plural<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

fn is_null(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(Value::Null))
}

fn is_integer(node: &Node) -> bool {
    match &node.content {
        Content::Scalar(Value::Number(number)) => {
            !number.is_f64() || number.as_f64().is_some_and(|f| f.fract() == 0.0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let object = tree::parse(text).expect("the text is YAML");
        let found = Schemas::shared().check("keda.sh/v1alpha1", "ScaledObject", &object);
        let line = |d: &Diagnostic| {
            let help = d.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
            format!("{} {} {}{help}", d.code, d.path, d.message)
        };
        found.iter().map(line).collect()
    }

    const GOOD: &str = "\
metadata: {name: a}
spec:
  scaleTargetRef: {name: web}
  minReplicaCount: 1
  triggers: [{type: cpu, metadata: {value: '50'}}]
";

    #[test]
    fn a_right_object_has_no_findings() {
        assert_eq!(check(GOOD), Vec::<String>::new());
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let text = "\
metadata:
  labels: {a: 1}
  annotations: {autoscaling.keda.sh/paused: true}
  nmae: x
spec:
  scaleTargetref: {name: web}
  minReplicaCount: '2'
  maxReplicaCount: 0
  pollingInterval: 1.5
  triggers:
  - metadata: {value: 50}
    metadata: []
  advanced: {scalingModifiers: {}, restoreToOriginalReplicaCount: 'true'}
  fallback: [1]
";
        insta::assert_snapshot!(check(text).join("\n"), @r#"
        unknown-field metadata.nmae `metadata` has no field `nmae` (did you mean `name`?)
        wrong-type metadata.labels.a `a` must be a string, not the number `1` (put it in quotes: "1")
        wrong-type metadata.annotations["autoscaling.keda.sh/paused"] `autoscaling.keda.sh/paused` must be a string, not the boolean `true` (put it in quotes: "true")
        missing-field metadata.name missing `name`
        unknown-field spec.scaleTargetref `spec` has no field `scaleTargetref` (did you mean `scaleTargetRef`?)
        wrong-type spec.minReplicaCount `minReplicaCount` must be a whole number, not the string `2` (write 2 without quotes)
        bad-value spec.maxReplicaCount `maxReplicaCount` must be at least 1, not 0
        wrong-type spec.pollingInterval `pollingInterval` must be a whole number, not the number `1.5`
        duplicate-key spec.triggers[0].metadata `metadata` is given twice (keep one of them)
        wrong-type spec.triggers[0].metadata.value `value` must be a string, not the number `50` (put it in quotes: "50")
        wrong-type spec.triggers[0].metadata `metadata` must be a mapping, not a list
        missing-field spec.triggers[0].type missing `type`
        wrong-type spec.advanced.restoreToOriginalReplicaCount `restoreToOriginalReplicaCount` must be `true` or `false`, not the string `true` (write true without quotes)
        wrong-type spec.fallback `fallback` must be a mapping, not a list
        missing-field spec.scaleTargetRef missing `scaleTargetRef`
        "#);
    }
}
