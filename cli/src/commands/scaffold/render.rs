//! The text of a scaffold: live where the scaler type's example or its requirements say so, commented out elsewhere.

use std::collections::BTreeMap;

use scalers::{Field, Origin, ScalerType};

use super::Target;
use super::given::Given;
use crate::ui::wrap;

const WIDTH: usize = 100;

/// What the manifest is for.
pub(super) struct Head<'a> {
    /// Name of the ScaledObject.
    pub(super) name: &'a str,
    /// Its namespace.
    pub(super) namespace: Option<&'a str>,
    /// What is scaled.
    pub(super) target: &'a Target,
}

/// The manifest for a scaler type.
pub(super) fn manifest(scaler: &ScalerType, about: &Head<'_>, given: &Given) -> String {
    let &Head {
        name,
        namespace,
        target,
    } = about;
    let example = given.settings();
    let from_auth: Vec<&Field> = live(scaler)
        .filter(|field| field.sources.contains(&Origin::Auth))
        .collect();
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(&format!("# {}: {}.", scaler.name, scaler.summary));
    line(&format!(
        "# `kubectl keda scalers {}` lists every setting; `kubectl keda validate -f FILE` checks this file.",
        scaler.name
    ));
    head(&mut line, "ScaledObject", name, namespace);
    line("spec:");
    line("  # The workload to scale. It is in the same namespace.");
    line("  scaleTargetRef:");
    line(&format!("    kind: {}", target.kind));
    line(&format!("    name: {}", target.name));
    replicas(&mut line, scaler);
    line("  triggers:");
    line(&format!("  - type: {}", scaler.name));
    if is_measured(scaler) {
        line("    # `Utilization` is percent of what the containers request; `AverageValue` is a quantity.");
        line("    metricType: Utilization");
    }
    line("    metadata:");
    // What may be secret stands here only if it was given here, such as an address without a password.
    let open = |field: &&Field| !field.secret || field.names().any(|name| example.contains_key(name));
    for field in live(scaler)
        .filter(|field| field.sources.contains(&Origin::Metadata))
        .filter(open)
    {
        setting(&mut line, field, example);
    }
    for (key, value) in example {
        if !scaler
            .fields
            .iter()
            .any(|field| field.names().any(|name| name == key))
        {
            line(&format!("      {key}: {}", quoted(value)));
        }
    }
    if !from_auth.is_empty() {
        authentication(&mut line, about, &from_auth, given);
    }
    text
}

/// The reference to the credentials, and the object that it refers to.
fn authentication(line: &mut impl FnMut(&str), about: &Head<'_>, from_auth: &[&Field], given: &Given) {
    let (name, example) = (about.name, given.settings());
    let required = !given.parameters().is_empty()
        || from_auth
            .iter()
            .any(|field| field.required() && !field.names().any(|name| example.contains_key(name)));
    let mark = if required { "" } else { "#" };
    if !required {
        line(
            "    # Credentials, where the source asks for them: take the first # off each line from here on.",
        );
    }
    line(&format!("    {mark}authenticationRef:"));
    line(&format!("    {mark}  name: {name}"));
    line(&format!("{mark}---"));
    let mut marked = |text: &str| line(&format!("{mark}{text}"));
    head(&mut marked, "TriggerAuthentication", name, about.namespace);
    marked("spec:");
    marked("  # Each parameter is a key of a Secret in the same namespace.");
    let wanted = if given.parameters().is_empty() {
        wanted(from_auth, example)
    } else {
        let files: Vec<String> = given
            .parameters()
            .iter()
            .map(|parameter| format!(" --from-file={parameter}=FILE"))
            .collect();
        marked(&format!(
            "  # `kubectl create secret generic {name}{}` makes it.",
            files.concat()
        ));
        given.parameters().to_vec()
    };
    marked("  secretTargetRef:");
    for field in from_auth {
        parameter(&mut marked, field, name, wanted.contains(&field.key));
    }
}

/// Settings that a new manifest should know of.
fn live(scaler: &ScalerType) -> impl Iterator<Item = &'static Field> {
    scaler
        .fields
        .iter()
        .filter(|field| field.removed.is_none() && field.deprecated.is_none())
}

fn head(line: &mut impl FnMut(&str), kind: &str, name: &str, namespace: Option<&str>) {
    line("apiVersion: keda.sh/v1alpha1");
    line(&format!("kind: {kind}"));
    line("metadata:");
    line(&format!("  name: {name}"));
    if let Some(namespace) = namespace {
        line(&format!("  namespace: {namespace}"));
    }
}

fn replicas(line: &mut impl FnMut(&str), scaler: &ScalerType) {
    if is_measured(scaler) {
        line("  # Fewest replicas. Nothing is measured at 0, so this trigger alone needs at least 1.");
        line("  minReplicaCount: 1");
        line("  # Most replicas.");
        line("  maxReplicaCount: 10");
        return;
    }
    line("  # Fewest replicas; 0 lets the workload sleep while nothing happens.");
    line("  minReplicaCount: 0");
    line("  # Most replicas.");
    line("  maxReplicaCount: 10");
    line("  # Seconds between two looks at the source while the workload is idle or close to it.");
    line("  pollingInterval: 30");
    line("  # Seconds after the last activity before the workload goes back to zero.");
    line("  cooldownPeriod: 300");
}

/// Only an event source can wake a workload: what the HPA measures itself is nothing at zero replicas.
fn is_measured(scaler: &ScalerType) -> bool {
    matches!(scaler.name, "cpu" | "memory")
}

/// A setting of the trigger: given in the example or required, else commented out with its default.
fn setting(line: &mut impl FnMut(&str), field: &Field, example: &BTreeMap<String, String>) {
    for part in wrap(field.doc, WIDTH - 8) {
        line(&format!("      # {part}"));
    }
    let given = field
        .names()
        .find_map(|name| example.get(name).map(|value| (name, value)));
    match given {
        Some((name, value)) => line(&format!("      {name}: {}", quoted(value))),
        None if field.required() && !field.sources.contains(&Origin::Auth) => {
            line(&format!("      {}: {}", field.key, quoted("CHANGE-ME")));
        }
        None => line(&format!(
            "      #{}: {}",
            field.key,
            quoted(field.default.unwrap_or_default())
        )),
    }
}

/// The parameters that are given: what the type requires, else the password, else the first secret, else the first.
fn wanted(from_auth: &[&Field], example: &BTreeMap<String, String>) -> Vec<&'static str> {
    let open = |field: &&&Field| !field.names().any(|name| example.contains_key(name));
    let required: Vec<_> = from_auth
        .iter()
        .filter(open)
        .filter(|field| field.required())
        .map(|f| f.key)
        .collect();
    if !required.is_empty() {
        return required;
    }
    let usual = |field: &&&Field| matches!(field.key, "password" | "token" | "apiKey");
    let mut candidates = from_auth.iter().filter(open);
    let found = candidates
        .clone()
        .find(usual)
        .or_else(|| candidates.clone().find(|field| field.secret));
    let found = found.or_else(|| candidates.next()).map(|field| field.key);
    // A user who cannot be named in the metadata is named beside the password.
    let user = from_auth
        .iter()
        .filter(|field| found == Some("password") && field.key == "username")
        .find(|field| !field.sources.contains(&Origin::Metadata));
    user.map(|field| field.key).into_iter().chain(found).collect()
}

/// A parameter of the authentication.
fn parameter(line: &mut impl FnMut(&str), field: &Field, name: &str, wanted: bool) {
    let mark = if wanted { "" } else { "#" };
    for part in wrap(field.doc, WIDTH - 4) {
        line(&format!("  # {part}"));
    }
    line(&format!("  {mark}- parameter: {}", field.key));
    line(&format!("  {mark}  name: {name}"));
    line(&format!("  {mark}  key: {}", field.key));
}

/// Metadata values are texts, so all are quoted that YAML could take for something else.
fn quoted(value: &str) -> String {
    let plain = !value.is_empty()
        && value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':'))
        && !value.ends_with(':')
        && !matches!(
            value.to_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
        );
    if plain {
        value.to_owned()
    } else {
        serde_json::Value::String(value.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use scalers::SCALERS;

    use super::*;
    use crate::check;
    use crate::manifest::Source;

    /// The comment signs that the text says may be taken off.
    fn uncomment(text: &str) -> String {
        let mut open = false;
        let mut lines = Vec::new();
        for line in text.lines() {
            if line.contains("take the first # off") {
                open = true;
                continue;
            }
            let at = line.len() - line.trim_start().len();
            let bare = open.then(|| line[at..].strip_prefix("#")).flatten();
            lines.push(bare.map_or(line.to_owned(), |bare| format!("{}{bare}", &line[..at])));
        }
        lines.join("\n")
    }

    #[tokio::test]
    async fn every_scaffold_is_valid() {
        let target = Target {
            kind: "Deployment",
            name: "web".to_owned(),
        };
        for scaler in SCALERS {
            let head = Head {
                name: "web-events",
                namespace: Some("shop"),
                target: &target,
            };
            let text = manifest(scaler, &head, &Given::example(scaler));
            for text in [uncomment(&text), text] {
                let sources = [Source {
                    name: scaler.name.to_owned(),
                    text: text.clone(),
                }];
                let found = check::all(&sources, "default").await;
                let said: Vec<_> = found.findings.iter().map(|f| f.diagnostic.to_string()).collect();
                assert!(
                    said.is_empty() && found.objects > 0,
                    "{}: {said:#?}\n{text}",
                    scaler.name
                );
            }
        }
    }

    #[test]
    fn a_scaffold_explains_itself() {
        let target = Target {
            kind: "Deployment",
            name: "web".to_owned(),
        };
        let cron = SCALERS
            .iter()
            .find(|scaler| scaler.name == "cron")
            .expect("cron is a type");
        let head = Head {
            name: "office-hours",
            namespace: None,
            target: &target,
        };
        insta::assert_snapshot!(manifest(cron, &head, &Given::example(cron)));
    }
}
