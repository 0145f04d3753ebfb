//! The definitions of the custom resources, and their YAML.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// The six definitions, in the order in which they are installed.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        crate::ScaledObject::crd(),
        crate::ScaledJob::crd(),
        crate::TriggerAuthentication::crd(),
        crate::ClusterTriggerAuthentication::crd(),
        crate::CloudEventSource::crd(),
        crate::ClusterCloudEventSource::crd(),
    ]
}

/// Name and text of each definition's file.
pub fn yaml() -> Vec<(String, String)> {
    definitions()
        .iter()
        .map(|definition| {
            let name = definition.metadata.name.clone().unwrap_or_default();
            (
                format!("{name}.yaml"),
                serde_yaml::to_string(definition).expect("a definition has only text keys"),
            )
        })
        .collect()
}
