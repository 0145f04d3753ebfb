//! Forged headers in every way they can come, beside the one way that counts.

use http::HeaderValue;

use super::*;
use crate::testing::{Authority, authority, issue};

fn client(authority: &Authority, name: &str, organization: &str) -> Vec<CertificateDer<'static>> {
    let cert = issue(authority, name, organization, &[]).cert;
    vec![CertificateDer::from_pem_slice(cert.as_bytes()).expect("PEM")]
}

/// A cluster: the proxy's authority, the users' authority, and the adapter's view of both.
struct Cluster {
    proxy: Authority,
    users: Authority,
    trust: Trust,
}

fn cluster() -> Cluster {
    let (proxy, users) = (authority("front-proxy"), authority("kubernetes"));
    let names = |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect();
    let request_header = RequestHeader {
        authorities: Authorities::from_pem(proxy.pem().as_bytes()).expect("a CA"),
        allowed_names: vec!["aggregator".into()],
        username: names(&["x-remote-user"]),
        uid: names(&["x-remote-uid"]),
        group: names(&["x-remote-group"]),
        extra_prefixes: vec!["x-remote-extra-".into()],
    };
    let client = Some(Authorities::from_pem(users.pem().as_bytes()).expect("a CA"));
    Cluster {
        proxy,
        users,
        trust: Trust {
            request_header: Some(request_header),
            client,
        },
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// Headers that claim all there is to claim.
fn forged() -> HeaderMap {
    headers(&[("x-remote-user", "admin"), ("x-remote-group", "system:masters")])
}

fn verdict(trust: &Trust, chain: &[CertificateDer<'_>], headers: &HeaderMap) -> Verdict {
    trust.identify(&trust.check(chain, SystemTime::now()), headers)
}

#[test]
fn headers_from_the_proxy_name_the_user() {
    let cluster = cluster();
    let mut headers = headers(&[
        ("x-remote-user", "alice"),
        ("x-remote-uid", "42"),
        ("x-remote-group", "dev"),
        ("x-remote-extra-scopes%2fa", "one"),
    ]);
    headers.append("x-remote-group", HeaderValue::from_static("ops"));
    let expected = Identity {
        name: "alice".into(),
        uid: "42".into(),
        groups: vec!["dev".into(), "ops".into(), "system:authenticated".into()],
        extra: BTreeMap::from([("scopes/a".to_owned(), vec!["one".to_owned()])]),
    };
    let chain = client(&cluster.proxy, "aggregator", "");
    assert_eq!(
        verdict(&cluster.trust, &chain, &headers),
        Verdict::Known(expected)
    );
}

#[test]
fn headers_without_a_certificate_name_nobody() {
    assert_eq!(verdict(&cluster().trust, &[], &forged()), Verdict::Nobody);
}

#[test]
fn headers_with_a_cluster_certificate_are_not_looked_at() {
    let cluster = cluster();
    let chain = client(&cluster.users, "mallory", "dev");
    let Verdict::Known(user) = verdict(&cluster.trust, &chain, &forged()) else {
        panic!("a user's certificate")
    };
    assert_eq!((user.name.as_str(), user.is_master()), ("mallory", false));
    assert_eq!(user.groups, ["dev", "system:authenticated"]);
    // The proxy's name on a certificate of the users' authority changes nothing.
    let chain = client(&cluster.users, "aggregator", "dev");
    let Verdict::Known(user) = verdict(&cluster.trust, &chain, &forged()) else {
        panic!("a user's certificate")
    };
    assert_eq!((user.name.as_str(), user.is_master()), ("aggregator", false));
}

#[test]
fn headers_from_a_proxy_of_another_name_are_refused() {
    let cluster = cluster();
    let chain = client(&cluster.proxy, "someone-else", "");
    let Verdict::Refused(errors) = verdict(&cluster.trust, &chain, &forged()) else {
        panic!("not a known name")
    };
    assert!(
        errors.iter().any(|error| error.contains("someone-else")),
        "{errors:?}"
    );
}

#[test]
fn headers_with_a_strangers_certificate_are_refused() {
    let cluster = cluster();
    // Same names, another key.
    let chain = client(&authority("front-proxy"), "aggregator", "");
    assert!(matches!(
        verdict(&cluster.trust, &chain, &forged()),
        Verdict::Refused(_)
    ));
}

#[test]
fn an_expired_proxy_certificate_is_refused() {
    let cluster = cluster();
    let chain = client(&cluster.proxy, "aggregator", "");
    let far = SystemTime::now() + Duration::from_hours(24 * 365 * 4000);
    let chains = cluster.trust.check(&chain, far);
    assert!(matches!(
        cluster.trust.identify(&chains, &forged()),
        Verdict::Refused(_)
    ));
}

#[test]
fn without_allowed_names_any_proxy_of_the_authority_speaks() {
    let mut cluster = cluster();
    cluster
        .trust
        .request_header
        .as_mut()
        .expect("set above")
        .allowed_names
        .clear();
    let chain = client(&cluster.proxy, "someone-else", "");
    let Verdict::Known(user) = verdict(&cluster.trust, &chain, &forged()) else {
        panic!("any name will do")
    };
    assert_eq!(user.name, "admin");
}

#[test]
fn without_configuration_headers_never_count() {
    let cluster = cluster();
    let chain = client(&cluster.proxy, "aggregator", "");
    assert_eq!(verdict(&Trust::default(), &chain, &forged()), Verdict::Nobody);
}

#[test]
fn a_proxy_that_names_nobody_is_nobody() {
    let cluster = cluster();
    let chain = client(&cluster.proxy, "aggregator", "");
    let empty = headers(&[("x-remote-user", ""), ("x-remote-group", "system:masters")]);
    // It is not a user of the cluster either, which is what remains to be said.
    assert!(matches!(
        verdict(&cluster.trust, &chain, &empty),
        Verdict::Refused(_)
    ));
}

#[test]
fn extra_keys_are_decoded_or_left() {
    assert_eq!(percent_decoded("a%2fb%41"), "a/bA");
    assert_eq!(percent_decoded("100%"), "100%");
    assert_eq!(percent_decoded("%zz"), "%zz");
}
