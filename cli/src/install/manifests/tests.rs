//! Names, order and security of what is installed, and the files made of it.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::install::run::documents;

#[test]
fn names_and_order_are_those_of_keda() {
    let shown: Vec<String> = objects(&Options::default())
        .iter()
        .map(|manifest| match manifest.namespace() {
            Some(namespace) => format!("{} {} in {namespace}", manifest.kind(), manifest.name()),
            None => format!("{} {}", manifest.kind(), manifest.name()),
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

/// The pod security standard `restricted`, which a cluster may enforce.
#[test]
fn pods_are_restricted() {
    for manifest in objects(&Options::default())
        .iter()
        .filter(|manifest| manifest.kind() == "Deployment")
    {
        let pod = &manifest.value["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for container in pod["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["capabilities"]["drop"], serde_json::json!(["ALL"]));
            for probe in ["livenessProbe", "readinessProbe"] {
                assert!(container[probe]["httpGet"]["path"].is_string(), "{probe}");
            }
            assert!(container["resources"]["requests"]["memory"].is_string());
        }
    }
}

#[test]
fn the_key_of_the_authority_stays_in_its_secret() {
    for manifest in objects(&Options::default())
        .iter()
        .filter(|manifest| manifest.kind() == "Deployment")
    {
        let volumes = manifest.value["spec"]["template"]["spec"]["volumes"]
            .as_array()
            .unwrap();
        let items = volumes
            .iter()
            .find_map(|volume| volume["secret"]["items"].as_array())
            .unwrap();
        let keys: Vec<&str> = items.iter().filter_map(|item| item["key"].as_str()).collect();
        assert_eq!(keys, ["ca.crt", "tls.crt", "tls.key"]);
    }
}

#[test]
fn no_rule_grants_everything() {
    for manifest in objects(&Options::default()) {
        for rule in manifest.value["rules"].as_array().into_iter().flatten() {
            let has = |field: &str, text: &str| {
                rule[field]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|value| value == text)
            };
            assert!(!has("verbs", "*"), "{rule}");
            assert!(!(has("apiGroups", "*") && has("resources", "*")), "{rule}");
            if has("resources", "secrets") && rule["resourceNames"].is_null() {
                let verbs = rule["verbs"].as_array().unwrap();
                assert!(verbs == &["get"] || verbs == &["create"], "{rule}");
            }
        }
    }
}

#[test]
fn choices_reach_the_pods() {
    let options = Options {
        namespace: "scaling".to_owned(),
        registry: "registry.example/keda".to_owned(),
        tag: "9".to_owned(),
        pull_secret: Some("registry".to_owned()),
        pull_policy: super::super::options::PullPolicy::Always,
        replicas: 3,
    };
    let all = objects(&options);
    for (name, image) in [
        (names::OPERATOR, "registry.example/keda/controller:9"),
        (names::ADAPTER, "registry.example/keda/metrics-adapter:9"),
    ] {
        let found = all
            .iter()
            .find(|manifest| manifest.kind() == "Deployment" && manifest.name() == name)
            .unwrap();
        let spec = &found.value["spec"];
        let pod = &spec["template"]["spec"];
        assert_eq!(found.namespace(), Some("scaling"));
        assert_eq!(spec["replicas"], 3);
        assert_eq!(pod["containers"][0]["image"], image);
        assert_eq!(pod["containers"][0]["imagePullPolicy"], "Always");
        assert_eq!(pod["imagePullSecrets"][0]["name"], "registry");
    }
    // Nothing is left in the default namespace, bindings and the APIService included.
    let text =
        serde_json::to_string(&all.iter().map(|manifest| &manifest.value).collect::<Vec<_>>()).unwrap();
    assert!(!text.contains("\"namespace\":\"keda\""));
}

#[test]
fn bindings_lead_to_roles_and_accounts_that_are_installed() {
    let all = objects(&Options::default());
    let there = |kind: &str, name: &str| {
        all.iter()
            .any(|manifest| manifest.kind() == kind && manifest.name() == name)
    };
    for binding in all.iter().filter(|manifest| manifest.kind().ends_with("Binding")) {
        let role = &binding.value["roleRef"];
        let (kind, name) = (role["kind"].as_str().unwrap(), role["name"].as_str().unwrap());
        let built_in = [
            "system:auth-delegator",
            "extension-apiserver-authentication-reader",
        ]
        .contains(&name);
        assert!(built_in || there(kind, name), "{kind} {name}");
        let account = binding.value["subjects"][0]["name"].as_str().unwrap();
        assert!(
            account == "horizontal-pod-autoscaler" || there("ServiceAccount", account),
            "{account}"
        );
    }
}

/// Compares the files with the types, or writes them when `cargo xtask gen` asks for that. The definitions have
/// files of their own in `crds/yaml`.
#[test]
fn generated_manifests_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../install/manifests");
    let group = |kind: &str| match kind {
        "Namespace" => Some("10-namespace.yaml"),
        "CustomResourceDefinition" => None,
        "Service" => Some("30-services.yaml"),
        "Deployment" => Some("40-deployments.yaml"),
        "APIService" => Some("50-apiservice.yaml"),
        _ => Some("20-access.yaml"),
    };
    let mut files: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for manifest in objects(&Options::default()) {
        if let Some(file) = group(manifest.kind()) {
            files.entry(file).or_default().push(manifest.value);
        }
    }
    let write = std::env::var_os("KEDA_GEN").is_some_and(|mode| mode == "write");
    if write {
        std::fs::create_dir_all(&folder).unwrap();
    }
    for (file, values) in &files {
        let header = "# Generated by `cargo xtask gen` from cli/src/install. Do not edit.\n";
        let text = format!("{header}{}", documents(values).unwrap());
        if write {
            std::fs::write(folder.join(file), &text).unwrap();
        }
        let found = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(
            found == text,
            "install/manifests/{file} is out of date: run `cargo xtask gen`"
        );
    }
    let found = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(
        found,
        files.len(),
        "install/manifests holds a surplus file: run `cargo xtask gen`"
    );
}
