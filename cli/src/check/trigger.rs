//! Triggers through their typed readers, without a cluster.
//!
//! A value that only the cluster knows is stood in for by one that parses; what a reader then says about that value
//! itself is dropped.

use std::collections::BTreeMap;

use crds::{ScaledObject, Trigger};
use engine::diagnostic::{Diagnostic, FieldPath, Segment};
use futures::future::{BoxFuture, FutureExt};
use kube::ResourceExt as _;
use scalers::{
    AuthParams, Built, Entries, Field, Kind, LookupError, ObjectKey, Origin, Place, SCALERS, Scope,
    SecretSource,
};
use scalers::{Secret, TriggerInput};
use serde_json::Value;

use super::Object;
use crate::manifest::tree::{Content, Node};

/// The authentications among the manifests: which parameters each one gives, and what is wrong with it.
#[derive(Default)]
pub(super) struct Authentications {
    known: BTreeMap<(String, String, String), Known>,
}

#[derive(Default)]
struct Known {
    /// `None` where it cannot be resolved here.
    parameters: Option<Vec<String>>,
    findings: Vec<Diagnostic>,
}

/// No Secret and no ConfigMap can be read here.
struct Nothing;

impl SecretSource for Nothing {
    fn secret<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        async { Ok(None) }.boxed()
    }

    fn config_map<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        async { Ok(None) }.boxed()
    }
}

impl Authentications {
    /// Reads those among the objects.
    pub(super) async fn collect(objects: &[Object<'_>]) -> Self {
        let mut known = BTreeMap::new();
        for object in objects {
            let scope = match object.kind {
                "TriggerAuthentication" => Scope::Namespaced,
                "ClusterTriggerAuthentication" => Scope::Cluster,
                _ => continue,
            };
            known.insert(
                key(object.kind, object.namespace, object.name),
                resolve(object.tree, scope).await,
            );
        }
        Self { known }
    }

    /// What is wrong with an authentication itself.
    pub(super) fn findings(&self, kind: &str, namespace: &str, name: &str) -> Vec<Diagnostic> {
        self.known
            .get(&key(kind, namespace, name))
            .map(|known| known.findings.clone())
            .unwrap_or_default()
    }
}

fn key(kind: &str, namespace: &str, name: &str) -> (String, String, String) {
    let namespace = if kind == "ClusterTriggerAuthentication" {
        ""
    } else {
        namespace
    };
    (kind.to_owned(), namespace.to_owned(), name.to_owned())
}

async fn resolve(tree: &Node, scope: Scope) -> Known {
    let spec = tree.get("spec").map(Node::to_json).unwrap_or_default();
    let Ok(spec) = serde_json::from_value::<crds::TriggerAuthenticationSpec>(spec) else {
        return Known::default();
    };
    let place = Place {
        scope,
        namespace: "",
        pod: None,
        pod_namespace: "",
        container: None,
    };
    match scalers::auth::resolve(&spec, place, &Nothing).await {
        Ok(resolved) => Known {
            parameters: Some(resolved.params.0.into_keys().collect()),
            findings: resolved
                .warnings
                .into_iter()
                .filter(|found| !found.code.starts_with("missing-"))
                .collect(),
        },
        Err(scalers::ResolveError::Invalid(findings)) => Known {
            parameters: None,
            findings,
        },
        Err(scalers::ResolveError::Lookup(_)) => Known::default(),
    }
}

/// What is wrong with the triggers of an object. Each one is read, whatever is wrong around it.
pub(super) fn findings(object: &Object<'_>, known: &Authentications) -> Vec<Diagnostic> {
    let spec = object.tree.get("spec");
    let formula = spec
        .and_then(|spec| spec.get("advanced")?.get("scalingModifiers")?.get("formula"))
        .and_then(Node::text)
        .is_some_and(|formula| !formula.is_empty());
    let triggers = spec
        .and_then(|spec| spec.get("triggers"))
        .map(Node::items)
        .unwrap_or_default();
    let mut found = Vec::new();
    for (index, trigger) in triggers.iter().enumerate() {
        let type_ = trigger.get("type").and_then(Node::text).unwrap_or_default();
        if type_.is_empty() {
            continue; // The schema says so.
        }
        let mut input = TriggerInput {
            type_: type_.to_owned(),
            index,
            name: trigger.get("name").and_then(Node::text).map(str::to_owned),
            metadata: texts(trigger.get("metadata")),
            metric_type: trigger.get("metricType").and_then(Node::text).map(str::to_owned),
            as_metric_source: formula,
            object: ObjectKey {
                namespace: object.namespace.to_owned(),
                name: object.name.to_owned(),
            },
            ..TriggerInput::default()
        };
        let unchecked = stand_in(&mut input, trigger, object, known, &mut found);
        let said = match scalers::read(&input) {
            Ok(built) => built.warnings().to_vec(),
            Err(mistakes) => mistakes,
        };
        found.extend(
            said.into_iter()
                .filter(|d| !about_a_stand_in(d, unchecked, &input)),
        );
    }
    found
}

/// Metadata as texts. Values of another type are reported by the schema; read as text they show further mistakes.
fn texts(metadata: Option<&Node>) -> BTreeMap<String, String> {
    let Some(Content::Map(entries)) = metadata.map(|metadata| &metadata.content) else {
        return BTreeMap::new();
    };
    let text = |node: &Node| match &node.content {
        Content::Scalar(Value::String(text)) => text.clone(),
        Content::Scalar(Value::Null) | Content::List(_) | Content::Map(_) => String::new(),
        Content::Scalar(value) => value.to_string(),
    };
    entries
        .iter()
        .map(|entry| (entry.key.clone(), text(&entry.value)))
        .collect()
}

/// Whether the parameters of the trigger's authentication are known.
#[derive(Clone, Copy, PartialEq)]
enum Parameters {
    Known,
    Unknown,
}

/// A trigger of an object as its reader understands it. What only the cluster knows is made up.
pub(crate) fn built(
    object: &ScaledObject,
    index: usize,
    trigger: &Trigger,
) -> Result<Built, Vec<Diagnostic>> {
    read(object, index, trigger).1
}

/// A trigger of an object as its reader gets it. What only the cluster knows is made up.
pub(crate) fn input(object: &ScaledObject, index: usize, trigger: &Trigger) -> TriggerInput {
    read(object, index, trigger).0
}

/// What the reader gets, and what it understands.
fn read(
    object: &ScaledObject,
    index: usize,
    trigger: &Trigger,
) -> (TriggerInput, Result<Built, Vec<Diagnostic>>) {
    let mut input = written(object, index, trigger);
    loop {
        // What another setting calls for, as a way to log in does, is known once it is missed.
        let found = match scalers::read(&input) {
            Err(found) if trigger.authentication_ref.is_some() => found,
            read => return (input, read),
        };
        let before = input.auth.0.len();
        let missing = found
            .iter()
            .filter_map(|found| missing_parameter(found, &input.type_));
        for field in missing {
            input.auth.insert(field.key, plausible(field));
        }
        if input.auth.0.len() == before {
            return (input, Err(found));
        }
    }
}

/// What the manifest says, with a value for all that it says is elsewhere.
fn written(object: &ScaledObject, index: usize, trigger: &Trigger) -> TriggerInput {
    let advanced = object.spec.advanced.as_ref();
    let formula = advanced.and_then(|advanced| advanced.scaling_modifiers.as_ref()?.formula.as_deref());
    let mut input = TriggerInput {
        type_: trigger.type_.clone(),
        index,
        name: trigger.name.clone(),
        metadata: trigger.metadata.clone(),
        metric_type: trigger.metric_type.clone(),
        as_metric_source: formula.is_some_and(|formula| !formula.is_empty()),
        object: ObjectKey {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        },
        ..TriggerInput::default()
    };
    environment(&mut input);
    if trigger.authentication_ref.is_some() {
        let from_auth = fields(&input.type_)
            .iter()
            .filter(|field| field.sources.contains(&Origin::Auth));
        fill(&mut input.auth, &input.metadata, from_auth);
    }
    input
}

/// The parameter of an authentication that is found missing.
fn missing_parameter(found: &Diagnostic, type_: &str) -> Option<&'static Field> {
    let Some(Segment::Field(key)) = found.path.segments().last() else {
        return None;
    };
    let mut fields = fields(type_).iter();
    let field = fields.find(|field| field.names().any(|name| name == key))?;
    (found.code == "missing-metadata-key" && field.sources.contains(&Origin::Auth)).then_some(field)
}

/// The settings of a scaler type.
fn fields(type_: &str) -> &'static [Field] {
    let scaler = SCALERS.iter().find(|scaler| scaler.name == type_);
    scaler.map_or(&[], |scaler| scaler.fields)
}

/// Gives a value that parses to each variable that the trigger names.
fn environment(input: &mut TriggerInput) {
    let own = fields(&input.type_).iter();
    for field in own.filter(|field| field.sources.contains(&Origin::Env)) {
        for name in field.names() {
            if let Some(variable) = input.metadata.get(&format!("{name}FromEnv")) {
                input.env.insert(variable.clone(), Secret::new(plausible(field)));
            }
        }
    }
}

/// Puts values that parse where only the cluster knows the value.
fn stand_in(
    input: &mut TriggerInput,
    trigger: &Node,
    object: &Object<'_>,
    known: &Authentications,
    found: &mut Vec<Diagnostic>,
) -> Parameters {
    let fields = fields(&input.type_);
    environment(input);
    let Some(reference) = trigger.get("authenticationRef") else {
        return Parameters::Known;
    };
    let Some(name) = reference.get("name").and_then(Node::text) else {
        return Parameters::Unknown;
    };
    let kind = reference
        .get("kind")
        .and_then(Node::text)
        .filter(|kind| !kind.is_empty());
    let kind = kind.unwrap_or("TriggerAuthentication");
    let from_auth = fields
        .iter()
        .filter(|field| field.sources.contains(&Origin::Auth));
    match known.known.get(&key(kind, object.namespace, name)) {
        Some(Known {
            parameters: Some(parameters),
            ..
        }) => {
            for parameter in parameters {
                let field = fields
                    .iter()
                    .find(|field| field.names().any(|name| name == parameter));
                input
                    .auth
                    .insert(parameter, field.map_or_else(|| "x".to_owned(), plausible));
            }
            Parameters::Known
        }
        Some(_) => fill(&mut input.auth, &input.metadata, from_auth),
        None => {
            let path = FieldPath::trigger(input.index)
                .field("authenticationRef")
                .field("name");
            let message =
                format!("{kind} `{name}` is not among these files, so what it gives is not checked");
            found.push(Diagnostic::note("authentication-not-checked", path, message));
            fill(&mut input.auth, &input.metadata, from_auth)
        }
    }
}

/// Gives every required parameter that the metadata does not.
fn fill<'f>(
    auth: &mut AuthParams,
    metadata: &BTreeMap<String, String>,
    fields: impl Iterator<Item = &'f Field>,
) -> Parameters {
    for field in fields
        .filter(|field| field.required() && !field.metadata_keys().any(|key| metadata.contains_key(&key)))
    {
        auth.insert(field.key, plausible(field));
    }
    Parameters::Unknown
}

/// A text that the setting parses.
pub(crate) fn plausible(field: &Field) -> String {
    let words = match field.kind {
        Kind::OneOf(words) | Kind::ListOf(words) => words.first().copied().unwrap_or("x"),
        Kind::Text | Kind::List => "x:1",
        Kind::Flag => "true",
        Kind::Integer | Kind::Number | Kind::Integers => "1",
        Kind::Duration => "1s",
        Kind::Map | Kind::UrlQuery => "x=y",
    };
    field
        .default
        .filter(|default| !default.is_empty())
        .unwrap_or(words)
        .to_owned()
}

/// Whether a finding is about a value that was made up here.
fn about_a_stand_in(found: &Diagnostic, parameters: Parameters, input: &TriggerInput) -> bool {
    if parameters == Parameters::Unknown && missing_parameter(found, &input.type_).is_some() {
        return true;
    }
    let Some(Segment::Field(key)) = found.path.segments().last() else {
        return false;
    };
    let made_up =
        key == "authenticationRef" || (key.ends_with("FromEnv") && input.metadata.contains_key(key));
    made_up && matches!(&*found.code, "bad-metadata-value" | "suspicious-metadata-value")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What each way to log in asks for lies in the cluster.
    #[test]
    fn a_trigger_is_read_without_its_authentication() {
        let trigger = |type_: &str, settings: Value| {
            let mut metadata = json!({
                "url": "http://a", "valueLocation": "v", "targetValue": "1",
                "serverAddress": "http://a", "query": "up", "threshold": "1",
                "host": "http://a", "queueName": "q",
            });
            for (key, value) in settings.as_object().into_iter().flatten() {
                metadata[key] = value.clone();
            }
            json!({"type": type_, "metadata": metadata, "authenticationRef": {"name": "secret"}})
        };
        for trigger in [
            trigger("metrics-api", json!({"authMode": "apiKey"})),
            trigger("metrics-api", json!({"authMode": "basic"})),
            trigger("metrics-api", json!({"authMode": "bearer"})),
            trigger("prometheus", json!({"authModes": "bearer"})),
            trigger("prometheus", json!({"authModes": "basic"})),
            trigger("prometheus", json!({"authModes": "apiKey"})),
        ] {
            let object = json!({
                "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "orders"},
                "spec": {"scaleTargetRef": {"name": "worker"}, "triggers": [trigger]},
            });
            let object: ScaledObject = serde_json::from_value(object).expect("is a ScaledObject");
            let trigger = &object.spec.triggers[0];
            let read = built(&object, 0, trigger);
            assert!(read.is_ok(), "{:?}: {:?}", trigger.metadata, read.err());
            let mut alone = trigger.clone();
            alone.authentication_ref = None;
            assert!(built(&object, 0, &alone).is_err(), "{:?}", trigger.metadata);
        }
    }
}
