//! The definitions against the API of KEDA: every field, its type, and what it accepts.

use std::path::Path;
use std::sync::LazyLock;

use super::*;

/// Fields of each definition as upstream has them, one a line: path, type, constraints.
const FIELDS: [(&str, &str); 6] = [
    ("ScaledObject", include_str!("../../fields/scaled_object.txt")),
    ("ScaledJob", include_str!("../../fields/scaled_job.txt")),
    (
        "TriggerAuthentication",
        include_str!("../../fields/trigger_authentication.txt"),
    ),
    (
        "ClusterTriggerAuthentication",
        include_str!("../../fields/trigger_authentication.txt"),
    ),
    (
        "CloudEventSource",
        include_str!("../../fields/cloud_event_source.txt"),
    ),
    (
        "ClusterCloudEventSource",
        include_str!("../../fields/cloud_event_source.txt"),
    ),
];

/// Made once: the schema of a Job is large.
static DEFINITIONS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(definitions);

fn definition(kind: &str) -> CustomResourceDefinition {
    DEFINITIONS
        .iter()
        .find(|definition| definition.spec.names.kind == kind)
        .cloned()
        .unwrap()
}

#[test]
fn kinds_are_named_as_their_definitions_are() {
    for (kind, definition) in KINDS.iter().zip(&*DEFINITIONS) {
        let (spec, names) = (&definition.spec, &definition.spec.names);
        let [version] = &spec.versions[..] else {
            panic!("one version");
        };
        assert_eq!(
            (kind.group, kind.version, kind.name, kind.plural),
            (&*spec.group, &*version.name, &*names.kind, &*names.plural)
        );
    }
}

fn root(definition: &CustomResourceDefinition) -> &JSONSchemaProps {
    definition.spec.versions[0]
        .schema
        .as_ref()
        .unwrap()
        .open_api_v3_schema
        .as_ref()
        .unwrap()
}

/// Describes the fields below `schema` in the form of the tables.
fn flatten(schema: &JSONSchemaProps, path: &str, lines: &mut Vec<String>) {
    let required = schema.required.as_deref().unwrap_or_default();
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        lines.push(line(&path, field, required.contains(name)));
        if EMBEDDED.contains(&name.as_str()) {
            continue;
        }
        flatten(field, &path, lines);
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &field.items {
            flatten(item, &format!("{path}[]"), lines);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(value)) = &field.additional_properties
            && value.type_.as_deref() == Some("object")
        {
            let path = format!("{path}{{*}}");
            lines.push(line(&path, value, false));
            flatten(value, &path, lines);
        }
    }
}

fn line(path: &str, field: &JSONSchemaProps, required: bool) -> String {
    let type_ = |schema: &JSONSchemaProps| schema.type_.clone().unwrap_or_default();
    let mut text = format!("{path} {}", type_(field));
    let mut values = field.enum_.clone();
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &field.items {
        text = format!("{path} list<{}>", type_(item));
        values = values.or_else(|| item.enum_.clone());
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &field.additional_properties {
        text = format!("{path} map<string,{}>", type_(value));
    }
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.extend([" ", name, "=", value.as_str()]);
        }
    };
    add("minimum", field.minimum.map(|n| n.to_string()));
    add("maximum", field.maximum.map(|n| n.to_string()));
    add("minLength", field.min_length.map(|n| n.to_string()));
    add("minItems", field.min_items.map(|n| n.to_string()));
    add("format", field.format.clone());
    add(
        "default",
        field
            .default
            .as_ref()
            .map(|value| value.0.as_str().unwrap_or("?").to_owned()),
    );
    add(
        "enum",
        values.map(|all| {
            all.iter()
                .filter_map(|v| v.0.as_str())
                .collect::<Vec<_>>()
                .join("|")
        }),
    );
    if required {
        text.replacen(&format!("{path} "), &format!("{path} required "), 1)
    } else {
        text
    }
}

/// Puts `required`, which the tables have after the type, where `line` puts it.
fn normal(table: &str) -> Vec<String> {
    let mut lines: Vec<String> = table
        .lines()
        .map(|line| match line.split_once(" required") {
            Some((head, rest)) => {
                let (path, type_) = head.split_once(' ').unwrap();
                format!("{path} required {type_}{rest}")
            }
            None => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn has_every_field_of_upstream_with_its_constraints() {
    for (kind, table) in FIELDS {
        let definition = definition(kind);
        let mut lines = Vec::new();
        flatten(root(&definition), "", &mut lines);
        lines.retain(|line| !line.starts_with(".metadata"));
        lines.sort();
        let wanted = normal(table);
        let missing: Vec<_> = wanted.iter().filter(|line| !lines.contains(line)).collect();
        let surplus: Vec<_> = lines.iter().filter(|line| !wanted.contains(line)).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{kind}: missing {missing:#?}, surplus {surplus:#?}"
        );
    }
}

#[test]
fn names_are_those_of_upstream() {
    let rows: Vec<String> = DEFINITIONS
        .iter()
        .map(|definition| {
            let names = &definition.spec.names;
            let root = root(definition);
            format!(
                "{} {} {} {} {} short={} required={} status={}",
                definition.metadata.name.as_deref().unwrap(),
                names.kind,
                names.list_kind.as_deref().unwrap(),
                names.singular.as_deref().unwrap(),
                definition.spec.scope,
                names.short_names.as_deref().unwrap_or_default().join(","),
                root.required.as_deref().unwrap_or_default().join(","),
                definition.spec.versions[0]
                    .subresources
                    .as_ref()
                    .is_some_and(|s| s.status.is_some()),
            )
        })
        .collect();
    let wanted = "\
scaledobjects.keda.sh ScaledObject ScaledObjectList scaledobject Namespaced short=so required=spec status=true
scaledjobs.keda.sh ScaledJob ScaledJobList scaledjob Namespaced short=sj required= status=true
triggerauthentications.keda.sh TriggerAuthentication TriggerAuthenticationList triggerauthentication Namespaced short=ta,triggerauth required=spec status=true
clustertriggerauthentications.keda.sh ClusterTriggerAuthentication ClusterTriggerAuthenticationList clustertriggerauthentication Cluster short=cta,clustertriggerauth required=spec status=true
cloudeventsources.eventing.keda.sh CloudEventSource CloudEventSourceList cloudeventsource Namespaced short= required=spec status=true
clustercloudeventsources.eventing.keda.sh ClusterCloudEventSource ClusterCloudEventSourceList clustercloudeventsource Cluster short= required=spec status=true";
    assert_eq!(rows.join("\n"), wanted);
}

#[test]
fn columns_are_those_of_upstream() {
    let columns = |kind: &str| {
        definition(kind).spec.versions[0]
            .additional_printer_columns
            .iter()
            .flatten()
            .map(|column| {
                format!(
                    "{}{}",
                    column.name,
                    if column.priority == Some(1) { "*" } else { "" }
                )
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (kind, wanted) in [
        (
            "ScaledObject",
            "ScaleTargetKind ScaleTargetName Min Max Ready Active Fallback Paused Triggers Authentications Age",
        ),
        (
            "ScaledJob",
            "Min Max Ready Active Paused Triggers Authentications Age",
        ),
        (
            "TriggerAuthentication",
            "PodIdentity Secret Env VaultAddress ScaledObjects* ScaledJobs*",
        ),
        (
            "ClusterTriggerAuthentication",
            "PodIdentity Secret Env FilePath VaultAddress ScaledObjects* ScaledJobs*",
        ),
        ("CloudEventSource", "Active"),
        ("ClusterCloudEventSource", "Active"),
    ] {
        assert_eq!(columns(kind), wanted, "{kind}");
    }
}

#[test]
fn every_field_of_ours_is_described() {
    fn check(schema: &JSONSchemaProps, path: &str) {
        for (name, field) in schema.properties.iter().flatten() {
            let path = format!("{path}.{name}");
            assert!(
                field
                    .description
                    .as_deref()
                    .is_some_and(|text| text.ends_with('.')),
                "{path}"
            );
            if !EMBEDDED.contains(&name.as_str()) {
                check(field, &path);
            }
        }
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            check(item, path);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
            check(value, path);
        }
    }
    for definition in DEFINITIONS.iter() {
        check(root(definition), &definition.spec.names.kind);
    }
}

#[test]
fn schemas_are_structural() {
    fn check(schema: &mut JSONSchemaProps) {
        assert!(
            schema.ref_path.is_none() && schema.any_of.is_none() && schema.one_of.is_none(),
            "{schema:?}"
        );
        assert!(
            schema.type_.is_some() || schema.x_kubernetes_int_or_string == Some(true),
            "{schema:?}"
        );
        assert_eq!(schema.nullable, None);
        for_children(schema, &mut check);
    }
    for mut definition in DEFINITIONS.iter().cloned() {
        check(
            definition.spec.versions[0]
                .schema
                .as_mut()
                .unwrap()
                .open_api_v3_schema
                .as_mut()
                .unwrap(),
        );
    }
}

#[test]
fn stabilization_windows_are_bounded_as_the_hpa_bounds_them() {
    fn visit(schema: &mut JSONSchemaProps, checked: &mut usize) {
        if let Some(window) = schema
            .properties
            .as_mut()
            .and_then(|p| p.get_mut("stabilizationWindowSeconds"))
        {
            assert_eq!((window.minimum, window.maximum), (Some(0.0), Some(3600.0)));
            *checked += 1;
        }
        for_children(schema, &mut |child| visit(child, checked));
    }
    let mut checked = 0;
    let mut definition = definition("ScaledObject");
    visit(
        definition.spec.versions[0]
            .schema
            .as_mut()
            .unwrap()
            .open_api_v3_schema
            .as_mut()
            .unwrap(),
        &mut checked,
    );
    assert_eq!(checked, 2);
}

/// Compares the files with the types, or writes them when `cargo xtask gen` asks for that.
#[test]
fn generated_definitions_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    let files = yaml();
    for (name, text) in &files {
        let path = folder.join(name);
        if std::env::var_os("KEDA_GEN").is_some_and(|mode| mode == "write") {
            std::fs::write(&path, text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == *text,
            "crds/yaml/{name} is out of date: run `cargo xtask gen`"
        );
    }
    let found = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(
        found,
        files.len(),
        "crds/yaml holds a surplus file: run `cargo xtask gen`"
    );
}

/// A definition is one object in etcd, which takes requests of at most 1.5 MiB.
#[test]
fn definitions_fit_into_one_request() {
    for definition in DEFINITIONS.iter() {
        let size = serde_json::to_vec(definition).unwrap().len();
        assert!(size < 300_000, "{}: {size} bytes", definition.spec.names.kind);
    }
}
