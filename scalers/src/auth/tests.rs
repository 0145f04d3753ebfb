use std::sync::Arc;

use futures::future::BoxFuture;

use super::*;

/// One Secret and one ConfigMap in each of two namespaces.
struct Cluster;

impl SecretSource for Cluster {
    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        let found = match name {
            "login" => Ok(Some(Entries::from([(
                "password".to_owned(),
                Secret::new(format!("{namespace}-pw")),
            )]))),
            "locked" => Err(LookupError {
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
        _namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        let entries = Entries::from([
            ("host".to_owned(), Secret::from("redis")),
            ("password".to_owned(), Secret::from("no")),
        ]);
        let found = (name == "settings").then_some(entries);
        Box::pin(async move { Ok(found) })
    }
}

fn spec(yaml: &str) -> TriggerAuthenticationSpec {
    serde_yaml::from_str(yaml).expect("an authentication")
}

fn place(pod: Option<&PodSpec>) -> Place<'_> {
    Place {
        scope: Scope::Namespaced,
        namespace: "shop",
        pod,
        pod_namespace: "shop",
        container: None,
    }
}

async fn resolved(yaml: &str) -> Resolved {
    let pod: PodSpec = serde_yaml::from_str("containers: [{ name: main, env: [{ name: USER, value: me }] }]")
        .expect("a pod");
    resolve(&spec(yaml), place(Some(&pod)), &Cluster)
        .await
        .expect("it resolves")
}

fn given(resolved: &Resolved) -> Vec<(&str, &str)> {
    resolved
        .params
        .0
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose().as_str()))
        .collect()
}

#[tokio::test]
async fn later_blocks_overwrite_earlier_ones() {
    let found = resolved(
        "
env: [{ parameter: username, name: USER }, { parameter: password, name: USER }]
configMapTargetRef: [{ parameter: host, name: settings, key: host }, { parameter: password, name: settings, key: password }]
secretTargetRef: [{ parameter: password, name: login, key: password }]
podIdentity: { provider: none }
",
    )
    .await;
    assert_eq!(
        given(&found),
        [("host", "redis"), ("password", "shop-pw"), ("username", "me")]
    );
    assert_eq!((found.warnings, found.identity), (Vec::new(), None));
}

#[tokio::test]
async fn what_is_missing_is_empty_and_said() {
    let found = resolved(
        "
env: [{ parameter: a, name: NOWHERE }]
configMapTargetRef: [{ parameter: b, name: none, key: x }]
secretTargetRef: [{ parameter: c, name: login, key: x }, { parameter: d, name: locked, key: x }]
",
    )
    .await;
    assert_eq!(given(&found), [("a", ""), ("b", ""), ("c", ""), ("d", "")]);
    let said: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "spec.env[0]: the container has no variable `NOWHERE`, so `a` is empty",
            "spec.configMapTargetRef[0]: ConfigMap `shop/none` does not exist, so `b` is empty",
            "spec.secretTargetRef[0]: Secret `shop/login` has no key `x`, so `c` is empty",
            "spec.secretTargetRef[1]: cannot read Secret `shop/locked`: forbidden, so `d` is empty",
        ]
    );
}

#[tokio::test]
async fn without_a_pod_there_is_no_environment() {
    let wanted = spec("env: [{ parameter: a, name: USER }]");
    let found = resolve(&wanted, place(None), &Cluster)
        .await
        .expect("it resolves");
    assert_eq!(given(&found), [("a", "")]);
}

#[tokio::test]
async fn blocks_of_later_versions_are_named() {
    let cases = [
        (
            "hashiCorpVault: { address: x, authentication: token, secrets: [] }",
            "`hashiCorpVault` is not in this version yet",
        ),
        (
            "boundServiceAccountToken: [{ parameter: a, serviceAccountName: b }]",
            "`boundServiceAccountToken` is not in this version yet",
        ),
        (
            "filePath: a.json",
            "`filePath` needs a ClusterTriggerAuthentication",
        ),
        (
            "podIdentity: { provider: azure-workload, identityId: '' }",
            "`identityId` must not be empty",
        ),
    ];
    for (yaml, wanted) in cases {
        let error = resolve(&spec(yaml), place(None), &Cluster).await.expect_err(yaml);
        assert!(error.to_string().ends_with(wanted), "{yaml}: {error}");
    }
    let found = resolve(&spec("podIdentity: { provider: aws }"), place(None), &Cluster)
        .await
        .expect("a warning only");
    assert!(found.identity.is_some());
    assert_eq!(
        found.warnings[0].to_string(),
        "spec.podIdentity: `podIdentity` is not in this version yet"
    );
}
