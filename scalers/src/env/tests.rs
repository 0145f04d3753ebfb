use std::fmt::Write as _;
use std::sync::Arc;

use super::*;

/// A cluster of two Secrets and a ConfigMap.
struct Cluster;

fn entries(pairs: &[(&str, &str)]) -> Entries {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Secret::from(*value)))
        .collect()
}

impl SecretSource for Cluster {
    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        let found = match (namespace, name) {
            ("shop", "login") => Ok(Some(entries(&[("user", "me"), ("password", "pw")]))),
            ("shop", "locked") => Err(LookupError {
                kind: "Secret",
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                cause: Arc::new(std::io::Error::other("forbidden")),
            }),
            _ => Ok(None),
        };
        Box::pin(async move { found })
    }

    fn config_map<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        let found = ((namespace, name) == ("shop", "settings")).then(|| entries(&[("HOST", "redis")]));
        Box::pin(async move { Ok(found) })
    }
}

fn pod(yaml: &str) -> PodSpec {
    serde_yaml::from_str(yaml).expect("a pod")
}

async fn resolved(yaml: &str, container: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let env = resolve(&pod(yaml), container, "shop", &Cluster)
        .await
        .map_err(|error| error.to_string())?;
    Ok(env
        .into_iter()
        .map(|(name, value)| (name, value.expose().clone()))
        .collect())
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn sources_come_first_and_variables_override_and_expand() {
    let yaml = "
containers:
  - name: main
    envFrom:
      - configMapRef: { name: settings }
      - prefix: DB_
        secretRef: { name: login }
      - secretRef: { name: none, optional: true }
    env:
      - { name: PORT, value: '6379' }
      - { name: ADDRESS, value: $(HOST):$(PORT) }
      - { name: LITERAL, value: $$(HOST) $(NOWHERE) $5 $(open }
      - { name: DB_user, value: you }
      - { name: EMPTY }
      - { name: PASSWORD, valueFrom: { secretKeyRef: { name: login, key: password } } }
      - { name: IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } }
      - { name: MAYBE, valueFrom: { configMapKeyRef: { name: none, key: x, optional: true } } }
";
    let wanted = pairs(&[
        ("ADDRESS", "redis:6379"),
        ("DB_password", "pw"),
        ("DB_user", "you"),
        ("EMPTY", ""),
        ("HOST", "redis"),
        ("LITERAL", "$(HOST) $(NOWHERE) $5 $(open"),
        ("PASSWORD", "pw"),
        ("PORT", "6379"),
    ]);
    assert_eq!(resolved(yaml, None).await, Ok(wanted));
}

#[tokio::test]
async fn the_container_is_picked_by_name() {
    let yaml = "
containers:
  - { name: one, env: [{ name: A, value: '1' }] }
  - { name: two, env: [{ name: A, value: '2' }] }
";
    assert_eq!(resolved(yaml, None).await, Ok(pairs(&[("A", "1")])));
    assert_eq!(resolved(yaml, Some("two")).await, Ok(pairs(&[("A", "2")])));
    let error = resolved(yaml, Some("three"))
        .await
        .expect_err("no such container");
    assert!(error.contains("has no container `three`"), "{error}");
    assert!(
        resolved("containers: []", None)
            .await
            .expect_err("none")
            .contains("no container")
    );
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let with = |entry: &str| format!("containers: [{{ name: main, {entry} }}]");
    let missing = |entry: String| async move { resolved(&entry, None).await.expect_err("missing") };
    let error = missing(with("envFrom: [{ configMapRef: { name: none } }]")).await;
    assert!(
        error.contains("ConfigMap `shop/none` of `envFrom` does not exist"),
        "{error}"
    );
    let error = missing(with(
        "env: [{ name: A, valueFrom: { secretKeyRef: { name: login, key: none } } }]",
    ))
    .await;
    assert!(
        error.contains("variable `A` needs key `none` of Secret `shop/login`"),
        "{error}"
    );
    let error = missing(with("envFrom: [{ secretRef: { name: locked } }]")).await;
    assert_eq!(error, "cannot read Secret `shop/locked`");
}

/// Forty lines that each hold the one before twice would be a terabyte.
#[tokio::test]
async fn variables_that_double_each_other_are_refused() {
    let doubling = |lines: usize| {
        let mut yaml = "containers:\n  - name: main\n    env:\n      - { name: V0, value: xx }\n".to_owned();
        for line in 1..=lines {
            let before = line - 1;
            let _ = writeln!(
                yaml,
                "      - {{ name: V{line}, value: $(V{before})$(V{before}) }}"
            );
        }
        yaml
    };
    let small = resolved(&doubling(10), None).await.expect("two kilobytes");
    assert_eq!(small.iter().map(|(_, value)| value.len()).max(), Some(2048));
    let error = resolved(&doubling(40), None).await.expect_err("a terabyte");
    assert!(
        error.contains("variable `V21` makes the environment longer than 4 MiB"),
        "{error}"
    );
    let known = ContainerEnv::from([("A".to_owned(), Secret::from("aaaa"))]);
    assert_eq!(expand("x$(A)", &known, 5).as_deref(), Some("xaaaa"));
    assert_eq!(expand("x$(A)", &known, 4), None);
}

#[test]
fn names_without_an_end_stay_as_they_are() {
    let text = "$(".repeat(400_000);
    assert_eq!(
        expand(&text, &ContainerEnv::new(), text.len()),
        Some(text.clone())
    );
    let known = ContainerEnv::from([("A".to_owned(), Secret::from("a"))]);
    assert_eq!(expand("$(A)$(A", &known, 20).as_deref(), Some("a$(A"));
    assert_eq!(expand("$(A)$(A)", &known, 20).as_deref(), Some("aa"));
}
