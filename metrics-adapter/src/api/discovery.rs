//! Discovery documents, plain and aggregated.
//!
//! Metrics come and go with ScaledObjects, so one placeholder resource stands for all of them, as in KEDA. Upstream:
//! `sigs.k8s.io/custom-metrics-apiserver/pkg/provider/defaults`.

use serde_json::{Value, json};

use super::{GROUP, GROUP_VERSION, VERSION};

/// The resource that stands for all metrics.
const PLACEHOLDER: &str = "externalmetrics";

fn group() -> Value {
    let version = json!({ "groupVersion": GROUP_VERSION, "version": VERSION });
    json!({ "name": GROUP, "versions": [version], "preferredVersion": version })
}

/// `/apis`.
pub(crate) fn group_list() -> Value {
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group()] })
}

/// `/apis/external.metrics.k8s.io`.
pub(crate) fn api_group() -> Value {
    let mut group = group();
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    group
}

/// `/apis/external.metrics.k8s.io/v1beta1`.
pub(crate) fn resource_list() -> Value {
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": GROUP_VERSION,
        "resources": [{
            "name": PLACEHOLDER,
            "singularName": "",
            "namespaced": true,
            "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }],
    })
}

/// `/apis` in its aggregated form.
pub(crate) fn aggregated() -> Value {
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [{
            "metadata": { "name": GROUP, "creationTimestamp": null },
            "versions": [{
                "version": VERSION,
                "resources": [{
                    "resource": PLACEHOLDER,
                    "responseKind": { "group": "", "version": "", "kind": "ExternalMetricValueList" },
                    "scope": "Namespaced",
                    "singularResource": "",
                    "verbs": ["get"],
                }],
                "freshness": "Current",
            }],
        }],
    })
}

/// `/`, the paths there are.
pub(crate) fn paths() -> Value {
    json!({ "paths": [
        "/apis",
        format!("/apis/{GROUP}"),
        format!("/apis/{GROUP_VERSION}"),
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        format!("/openapi/v3/apis/{GROUP_VERSION}"),
        "/readyz",
        "/version",
    ] })
}

/// `/version`.
pub(crate) fn version() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let mut parts = version.split('.');
    json!({
        "major": parts.next().unwrap_or_default(),
        "minor": parts.next().unwrap_or_default(),
        "gitVersion": format!("v{version}"),
        "gitCommit": option_env!("GIT_COMMIT").unwrap_or_default(),
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}
