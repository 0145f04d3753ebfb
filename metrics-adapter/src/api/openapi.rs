//! OpenAPI documents, versions 2 and 3, made once.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{GROUP, GROUP_VERSION, VERSION};

/// Prefix of schema names, that of the Go types.
const TYPES: &str = "io.k8s.metrics.pkg.apis.external_metrics.v1beta1";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/// A document and the tag by which clients notice that they have it.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// JSON.
    pub(crate) body: Bytes,
    /// Quoted, as it goes into the header.
    pub(crate) etag: String,
}

impl Document {
    fn new(value: &Value) -> Self {
        let body = Bytes::from(value.to_string());
        // Not a secret and not shared between processes of different builds: any steady hash will do.
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        Self {
            body,
            etag: format!("\"{:016X}\"", hasher.finish()),
        }
    }
}

/// All OpenAPI documents.
#[derive(Clone, Debug)]
pub(crate) struct Documents {
    /// `/openapi/v2`.
    pub(crate) v2: Document,
    /// `/openapi/v3`.
    pub(crate) index: Document,
    /// `/openapi/v3/apis/external.metrics.k8s.io/v1beta1`.
    pub(crate) v3: Document,
}

impl Documents {
    /// Makes them.
    pub(crate) fn new() -> Self {
        let info = json!({ "title": "Kubernetes metrics-server", "version": env!("CARGO_PKG_VERSION") });
        let v2 = json!({ "swagger": "2.0", "info": info, "paths": paths_v2(), "definitions": schemas("#/definitions/") });
        let v3 = json!({
            "openapi": "3.0.0",
            "info": info,
            "paths": paths_v3(),
            "components": { "schemas": schemas("#/components/schemas/") },
        });
        let v3 = Document::new(&v3);
        let hash = v3.etag.trim_matches('"').to_owned();
        let name = format!("apis/{GROUP_VERSION}");
        let url = format!("/openapi/v3/{name}?hash={hash}");
        let index = json!({ "paths": { name: { "serverRelativeURL": url } } });
        Self {
            v2: Document::new(&v2),
            index: Document::new(&index),
            v3,
        }
    }
}

impl Default for Documents {
    fn default() -> Self {
        Self::new()
    }
}

fn reference(prefix: &str, name: &str) -> Value {
    json!({ "$ref": format!("{prefix}{name}") })
}

fn schemas(prefix: &str) -> Value {
    let kind = json!([{ "group": GROUP, "kind": "ExternalMetricValueList", "version": VERSION }]);
    let text = |description: &str| json!({ "type": "string", "description": description });
    let mut schemas = Map::new();
    let mut add = |name: String, schema: Value| schemas.insert(name, schema);
    add(
        format!("{TYPES}.ExternalMetricValueList"),
        json!({
            "type": "object",
            "description": "A list of values of one external metric.",
            "required": ["items"],
            "properties": {
                "apiVersion": text("Version of the schema of this object."),
                "kind": text("Kind of this object."),
                "metadata": reference(prefix, &format!("{META}.ListMeta")),
                "items": { "type": "array", "description": "The values.", "items": reference(prefix, &format!("{TYPES}.ExternalMetricValue")) },
            },
            "x-kubernetes-group-version-kind": kind,
        }),
    );
    add(
        format!("{TYPES}.ExternalMetricValue"),
        json!({
            "type": "object",
            "description": "The value of one series of an external metric.",
            "required": ["metricName", "metricLabels", "timestamp", "value"],
            "properties": {
                "apiVersion": text("Version of the schema of this object."),
                "kind": text("Kind of this object."),
                "metricName": text("Name of the metric."),
                "metricLabels": { "type": "object", "description": "Labels of the series.", "additionalProperties": { "type": "string" } },
                "timestamp": reference(prefix, &format!("{META}.Time")),
                "window": { "type": "integer", "format": "int64", "description": "Seconds the value was computed over." },
                "value": reference(prefix, QUANTITY),
            },
        }),
    );
    add(
        format!("{META}.ListMeta"),
        json!({
            "type": "object",
            "description": "Metadata of a list.",
            "properties": {
                "continue": text("Token of the next page."),
                "remainingItemCount": { "type": "integer", "format": "int64", "description": "Items of later pages." },
                "resourceVersion": text("Version of the list."),
                "selfLink": text("Deprecated."),
            },
        }),
    );
    add(
        format!("{META}.Time"),
        json!({ "type": "string", "format": "date-time", "description": "A time in RFC 3339." }),
    );
    add(
        QUANTITY.to_owned(),
        json!({ "type": "string", "description": "A Kubernetes quantity, such as 1500m." }),
    );
    Value::Object(schemas)
}

/// The operations there are: path, id, description, schema of the answer, parameters (name, place, required).
type Operation = (
    String,
    &'static str,
    &'static str,
    Option<String>,
    &'static [(&'static str, &'static str)],
);

fn operations() -> [Operation; 2] {
    let list = format!("{TYPES}.ExternalMetricValueList");
    [
        (
            format!("/apis/{GROUP_VERSION}/"),
            "getExternalMetricsV1beta1APIResources",
            "get available resources",
            None,
            &[],
        ),
        (
            format!("/apis/{GROUP_VERSION}/namespaces/{{namespace}}/{{metric}}"),
            "readExternalMetricsV1beta1NamespacedMetric",
            "read the values of an external metric",
            Some(list),
            &[
                ("namespace", "path"),
                ("metric", "path"),
                ("labelSelector", "query"),
            ],
        ),
    ]
}

fn paths_v2() -> Value {
    let paths = operations().into_iter().map(|(path, id, description, schema, parameters)| {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, place)| json!({ "name": name, "in": place, "required": *place == "path", "type": "string", "uniqueItems": true }))
            .collect();
        let mut ok = json!({ "description": "OK" });
        if let Some(schema) = schema {
            ok["schema"] = reference("#/definitions/", &schema);
        }
        let operation = json!({
            "operationId": id,
            "description": description,
            "produces": ["application/json"],
            "schemes": ["https"],
            "tags": ["externalMetrics_v1beta1"],
            "parameters": parameters,
            "responses": { "200": ok, "401": { "description": "Unauthorized" } },
        });
        (path, json!({ "get": operation }))
    });
    Value::Object(paths.collect())
}

fn paths_v3() -> Value {
    let paths = operations().into_iter().map(|(path, id, description, schema, parameters)| {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, place)| json!({ "name": name, "in": place, "required": *place == "path", "schema": { "type": "string", "uniqueItems": true } }))
            .collect();
        let mut ok = json!({ "description": "OK" });
        if let Some(schema) = schema {
            ok["content"] = json!({ "application/json": { "schema": reference("#/components/schemas/", &schema) } });
        }
        let operation = json!({
            "operationId": id,
            "description": description,
            "tags": ["externalMetrics_v1beta1"],
            "parameters": parameters,
            "responses": { "200": ok, "401": { "description": "Unauthorized" } },
        });
        (path, json!({ "get": operation }))
    });
    Value::Object(paths.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if key == "$ref" => found.push(text.clone()),
                        other => references(other, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let documents = Documents::new();
        for document in [&documents.v2, &documents.v3] {
            let value: Value = serde_json::from_slice(&document.body).expect("JSON");
            let mut found = Vec::new();
            references(&value, &mut found);
            assert!(found.len() >= 4, "{found:?}");
            for reference in found {
                let pointer = reference.strip_prefix('#').expect("a local reference");
                assert!(value.pointer(pointer).is_some(), "{reference}");
            }
        }
    }

    #[test]
    fn the_index_names_the_document_by_its_hash() {
        let documents = Documents::new();
        let index: Value = serde_json::from_slice(&documents.index.body).expect("JSON");
        let url = index
            .pointer("/paths/apis~1external.metrics.k8s.io~1v1beta1/serverRelativeURL")
            .expect("an entry");
        assert!(
            url.as_str()
                .is_some_and(|url| url.ends_with(documents.v3.etag.trim_matches('"'))),
            "{url}"
        );
    }
}
