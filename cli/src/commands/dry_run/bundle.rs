//! The manifests of the files as objects: what a dry run looks up there before it asks a cluster.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crds::{ClusterTriggerAuthentication, ScaledObject, TriggerAuthentication};
use kube::ResourceExt as _;
use scalers::{Entries, Secret};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exit::{self, Failure};
use crate::manifest::tree;
use crate::manifest::{Source, documents};

/// All objects of the files.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    objects: Vec<ScaledObject>,
    authentications: Vec<TriggerAuthentication>,
    cluster_authentications: Vec<ClusterTriggerAuthentication>,
    /// Everything else, among it Secrets, ConfigMaps and workloads.
    others: Vec<Value>,
}

impl Bundle {
    /// Reads the objects of all documents. Only what a dry run uses has to be right.
    pub(crate) fn of(sources: &[Source]) -> Result<Self, Failure> {
        let mut bundle = Self::default();
        for source in sources {
            for document in documents(&source.text) {
                let tree = tree::parse(&source.text[document.range.clone()]).map_err(|error| {
                    let place = format!("{}:{}", source.name, document.line);
                    broken(
                        &source.name,
                        &format!("the document at {place} is no YAML: {}", error.message),
                    )
                })?;
                bundle.add(&source.name, tree.to_json())?;
            }
        }
        Ok(bundle)
    }

    fn add(&mut self, file: &str, value: Value) -> Result<(), Failure> {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let ours = text("/apiVersion").starts_with("keda.sh/");
        match (ours, text("/kind")) {
            (true, "ScaledObject") => self.objects.push(typed(file, value)?),
            (true, "TriggerAuthentication") => self.authentications.push(typed(file, value)?),
            (true, "ClusterTriggerAuthentication") => self.cluster_authentications.push(typed(file, value)?),
            (false, "List") => {
                for item in value["items"].as_array().cloned().unwrap_or_default() {
                    self.add(file, item)?;
                }
            }
            _ => self.others.push(value),
        }
        Ok(())
    }

    /// The same with the namespace filled in where a manifest names none.
    pub(crate) fn in_namespace(mut self, namespace: &str) -> Self {
        let fill = |own: &mut Option<String>| {
            own.get_or_insert_with(|| namespace.to_owned());
        };
        for object in &mut self.objects {
            fill(&mut object.metadata.namespace);
        }
        for authentication in &mut self.authentications {
            fill(&mut authentication.metadata.namespace);
        }
        for other in &mut self.others {
            if let Some(Value::Object(metadata)) = other.get_mut("metadata") {
                metadata
                    .entry("namespace")
                    .or_insert_with(|| Value::String(namespace.to_owned()));
            }
        }
        self
    }

    /// The ScaledObjects.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &ScaledObject> {
        self.objects.iter()
    }

    /// The ScaledObject of a namespace and a name.
    pub(super) fn object(&self, namespace: &str, name: &str) -> Option<&ScaledObject> {
        self.objects()
            .find(|found| found.name_any() == name && found.namespace().as_deref() == Some(namespace))
    }

    /// There is no ScaledObject, or none of a name.
    pub(crate) fn without(&self, name: Option<&str>) -> Failure {
        let what = name.map_or("no ScaledObject".to_owned(), |name| {
            format!("no ScaledObject `{name}`")
        });
        let failure = Failure::new(exit::USAGE, format!("there is {what} in the files"));
        let mut names: Vec<String> = self.called().collect();
        names.dedup();
        let jobs = self.others.iter().any(|other| other["kind"] == "ScaledJob");
        match names.as_slice() {
            [] if jobs => failure.help("ScaledJobs are not in this version yet"),
            [] => failure,
            names => failure.help(format!("there are {}", names.join(", "))),
        }
    }

    fn called(&self) -> impl Iterator<Item = String> {
        self.objects().map(|object| format!("so/{}", object.name_any()))
    }

    /// The ScaledObject of a name, else the only one.
    pub(crate) fn one(&self, name: Option<&str>) -> Result<&ScaledObject, Failure> {
        let found = self
            .objects()
            .filter(|object| name.is_none_or(|name| object.name_any() == name));
        let found: Vec<&ScaledObject> = found.collect();
        match (found.as_slice(), name) {
            ([object], _) => Ok(object),
            ([], name) => Err(self.without(name)),
            ([first, others @ ..], _) if others.iter().all(|other| other.name_any() == first.name_any()) => {
                let message = format!(
                    "there are several ScaledObjects `{}` in the files",
                    first.name_any()
                );
                Err(Failure::new(exit::USAGE, message).help("name a file that has only one of them"))
            }
            _ => {
                let names: Vec<String> = self.called().collect();
                Err(
                    Failure::new(exit::USAGE, "there are several ScaledObjects in the files")
                        .help(format!("name one of {}", names.join(", "))),
                )
            }
        }
    }

    /// The TriggerAuthentication of a name.
    pub(super) fn authentication(&self, namespace: &str, name: &str) -> Option<&TriggerAuthentication> {
        let mut all = self.authentications.iter();
        all.find(|found| found.name_any() == name && found.namespace().as_deref() == Some(namespace))
    }

    /// The ClusterTriggerAuthentication of a name.
    pub(super) fn cluster_authentication(&self, name: &str) -> Option<&ClusterTriggerAuthentication> {
        let mut all = self.cluster_authentications.iter();
        all.find(|found| found.name_any() == name)
    }

    /// Any other object.
    pub(crate) fn other(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.others.iter().find(|other| {
            other["kind"] == kind
                && other["metadata"]["name"] == name
                && other["metadata"]["namespace"] == namespace
        })
    }

    /// Whether there are Secrets or ConfigMaps.
    pub(super) fn has_entries(&self) -> bool {
        let holds = |other: &Value| other["kind"] == "Secret" || other["kind"] == "ConfigMap";
        self.others.iter().any(holds)
    }

    /// The keys and values of a Secret.
    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<Entries> {
        let found = self.other("Secret", namespace, name)?;
        let decoded = members(found, "data").map(|(key, text)| {
            let bytes = STANDARD.decode(text.as_bytes()).unwrap_or_default();
            (
                key.clone(),
                Secret::new(String::from_utf8_lossy(&bytes).into_owned()),
            )
        });
        let plain =
            members(found, "stringData").map(|(key, text)| (key.clone(), Secret::new(text.to_owned())));
        // As the API server does, `stringData` wins.
        Some(decoded.chain(plain).collect::<BTreeMap<_, _>>())
    }

    /// The keys and values of a ConfigMap.
    pub(super) fn config_map(&self, namespace: &str, name: &str) -> Option<Entries> {
        let found = self.other("ConfigMap", namespace, name)?;
        let entries = members(found, "data").map(|(key, text)| (key.clone(), Secret::new(text.to_owned())));
        Some(entries.collect())
    }
}

/// The texts of a mapping.
fn members<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a str)> {
    let members = object.get(field).and_then(Value::as_object);
    members
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
}

fn typed<T: DeserializeOwned>(file: &str, value: Value) -> Result<T, Failure> {
    let text = |path: &str| {
        value
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    serde_json::from_value(value)
        .map_err(|error| broken(file, &format!("{kind} `{name}` cannot be read: {error}")))
}

fn broken(file: &str, message: &str) -> Failure {
    let failure = Failure::new(exit::DIAGNOSTICS, message);
    if file == "-" {
        failure.help("`kubectl keda validate -f -` shows where")
    } else {
        failure.help(format!("`kubectl keda validate -f {file}` shows where"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(text: &str) -> Result<Bundle, Failure> {
        let source = Source {
            name: "all.yaml".to_owned(),
            text: text.to_owned(),
        };
        Bundle::of(&[source]).map(|bundle| bundle.in_namespace("shop"))
    }

    #[test]
    fn objects_are_found_by_kind_namespace_and_name() {
        let found = bundle(
            "
kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: Secret, metadata: {name: a}, data: {x: b25l, y: dHdv}, stringData: {y: three}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: other}, data: {x: four}}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata: {name: a}
spec: {}
",
        )
        .expect("can be read");
        let secret = found.secret("shop", "a").expect("is there");
        let texts: Vec<&str> = secret.values().map(|value| value.expose().as_str()).collect();
        assert_eq!(texts, ["one", "three"]);
        assert!(found.config_map("other", "a").is_some() && found.config_map("shop", "a").is_none());
        assert!(found.authentication("shop", "a").is_some() && found.cluster_authentication("a").is_none());
        assert!(found.has_entries());
    }

    #[test]
    fn an_object_that_cannot_be_read_is_named() {
        let text = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: orders}\nspec: {triggers: 3}\n";
        let failure = bundle(text).map(drop).expect_err("is no ScaledObject");
        assert_eq!(failure.code, exit::DIAGNOSTICS);
        assert!(
            failure
                .to_string()
                .starts_with("ScaledObject `orders` cannot be read: "),
            "{failure}"
        );
    }
}
