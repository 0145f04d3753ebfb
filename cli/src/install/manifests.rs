//! Everything that is installed, as typed values, in the order in which it is applied.
//!
//! ```text
//! Namespace ─▶ CRDs ─▶ service accounts ─▶ roles ─▶ bindings ─▶ Services ─▶ Deployments ─▶ APIService
//! ```
//! An object never refers to one that comes after it, so an installation that breaks off leaves nothing dangling.

mod access;
mod workload;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceSpec, ServiceReference,
};
use kube::api::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

use super::names;
use super::options::{Options, VERSION};

#[cfg(test)]
pub(crate) use workload::operator;

/// One object, and what it is called in messages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    /// The object as it is sent.
    pub(crate) value: Value,
}

impl Manifest {
    fn new(object: impl Serialize) -> Self {
        let value = serde_json::to_value(object).expect("Kubernetes objects have text keys only");
        Self { value }
    }

    fn text(&self, pointer: &str) -> &str {
        self.value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Kind of the object.
    pub(crate) fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Group and version of the object.
    pub(crate) fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// Name of the object.
    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Namespace of the object; none for those of the cluster.
    pub(crate) fn namespace(&self) -> Option<&str> {
        Some(self.text("/metadata/namespace")).filter(|namespace| !namespace.is_empty())
    }

    /// Name of the object as kubectl prints it: `deployment.apps/keda-operator`.
    pub(crate) fn shown(&self) -> String {
        let kind = self.kind().to_lowercase();
        match self.api_version().split_once('/') {
            Some((group, _)) => format!("{kind}.{group}/{}", self.name()),
            None => format!("{kind}/{}", self.name()),
        }
    }
}

/// Everything, in the order in which it is applied.
pub(crate) fn objects(options: &Options) -> Vec<Manifest> {
    let mut objects = vec![Manifest::new(namespace(options))];
    objects.extend(crds::definitions().into_iter().map(definition));
    objects.extend(access::objects(options));
    objects.extend(workload::services(options).into_iter().map(Manifest::new));
    objects.extend(workload::deployments(options).into_iter().map(Manifest::new));
    objects.push(Manifest::new(api_service(options)));
    objects
}

/// The definitions with our labels, so that what belongs to an installation can be listed.
fn definition(
    mut definition: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
) -> Manifest {
    definition.metadata.labels = Some(labels("keda-crds"));
    Manifest::new(definition)
}

fn namespace(options: &Options) -> Namespace {
    Namespace {
        metadata: ObjectMeta {
            name: Some(options.namespace.clone()),
            labels: Some(BTreeMap::from([(
                crds::label::PART_OF.to_owned(),
                names::OPERATOR.to_owned(),
            )])),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

/// The controller adds `caBundle`: until then the API server does not trust the adapter.
fn api_service(options: &Options) -> APIService {
    APIService {
        metadata: ObjectMeta {
            name: Some(names::API_SERVICE.to_owned()),
            labels: Some(labels(names::ADAPTER)),
            ..ObjectMeta::default()
        },
        spec: Some(APIServiceSpec {
            group: Some("external.metrics.k8s.io".to_owned()),
            version: Some("v1beta1".to_owned()),
            group_priority_minimum: 100,
            version_priority: 100,
            service: Some(ServiceReference {
                name: Some(names::ADAPTER.to_owned()),
                namespace: Some(options.namespace.clone()),
                port: Some(workload::API_SERVICE_PORT),
            }),
            ..APIServiceSpec::default()
        }),
        ..APIService::default()
    }
}

/// The recommended labels. Selectors use none of them but `app`, so that they may change.
fn labels(name: &str) -> BTreeMap<String, String> {
    [
        (crds::label::NAME, name),
        (crds::label::VERSION, VERSION),
        (crds::label::PART_OF, names::OPERATOR),
        (crds::label::MANAGED_BY, names::FIELD_MANAGER),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// Metadata of an object in the installation's namespace.
fn local(name: &str, options: &Options) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(options.namespace.clone()),
        ..global(name)
    }
}

/// Metadata of an object of the cluster.
fn global(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels(name)),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests;
