use std::sync::Arc;

use super::*;
use crate::source::sql::Reply;
use crate::{AuthParams, Built, read};

fn input(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> TriggerInput {
    let base = [("query", "SELECT 1"), ("targetQueryValue", "4")];
    let mut params = AuthParams::default();
    for (parameter, value) in auth {
        params.insert(*parameter, *value);
    }
    TriggerInput {
        type_: "postgresql".to_owned(),
        metadata: base
            .iter()
            .chain(metadata)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        auth: params,
        ..TriggerInput::default()
    }
}

const SINGLE: [(&str, &str); 5] = [
    ("host", "pg.example.svc"),
    ("port", "5432"),
    ("userName", "reader"),
    ("dbName", "shop"),
    ("sslmode", "require"),
];

#[track_caller]
fn trigger(input: &TriggerInput) -> PostgreSqlQuery {
    use crate::metadata::TriggerMetadata as _;
    let mut reader = Reader::new(input);
    let mut trigger = PostgreSqlQuery::read(&mut reader).expect("right settings");
    trigger.bind(input);
    trigger.check(&mut reader);
    assert!(!reader.has_errors(), "{:?}", reader.into_diagnostics());
    trigger
}

fn said(result: Result<Built, Vec<engine::diagnostic::Diagnostic>>) -> Vec<String> {
    let findings = match result {
        Ok(built) => built.warnings().to_vec(),
        Err(findings) => findings,
    };
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn single_settings_say_what_a_connection_string_says() {
    // Blanks, quotes and backslashes in a password are nobody's business.
    let single = trigger(&input(&SINGLE, &[("password", r"a 'b' \c")])).source();
    let text =
        r"host=pg.example.svc port=5432 user=reader dbname=shop sslmode=require password='a \'b\' \\c'";
    let whole = trigger(&input(&[], &[("connection", text)])).source();
    assert_eq!(single, whole);
    assert_eq!(single.endpoint(), "pg.example.svc:5432/shop");
    // With both, the string alone counts.
    let both = trigger(&input(
        &[("host", "elsewhere")],
        &[("connection", text), ("password", "x")],
    ));
    assert_eq!(both.source(), whole);
}

#[test]
fn what_makes_sources_differ() {
    let of = |auth: &[(&str, &str)], metadata: &[(&str, &str)]| {
        trigger(&input(&[SINGLE.as_slice(), metadata].concat(), auth)).source()
    };
    let plain = of(&[], &[]);
    assert_eq!(
        plain,
        of(&[], &[("query", "SELECT 2"), ("targetQueryValue", "9")]),
        "a query is a question"
    );
    assert_ne!(plain, of(&[("password", "p")], &[]));
    assert_ne!(of(&[("password", "p")], &[]), of(&[("password", "q")], &[]));
    assert_ne!(plain, of(&[], &[("sslmode", "disable")]));
}

#[test]
fn every_missing_setting_is_named() {
    let found = said(read(&input(&[("host", "h"), ("userName", "u")], &[])));
    assert_eq!(
        found,
        [
            "spec.triggers[0].metadata.port: missing `port`, or the parameter `connection`",
            "spec.triggers[0].metadata.dbName: missing `dbName`, or the parameter `connection`",
            "spec.triggers[0].metadata.sslmode: missing `sslmode`, or the parameter `connection`",
        ]
    );
}

#[test]
fn what_only_shows_on_connecting_is_a_warning() {
    let found = said(read(&input(&[], &[("connection", "hush-hush")])));
    assert_eq!(
        found,
        ["spec.triggers[0].authenticationRef: the connection string must be `name=value` pairs or a URL"]
    );
    let found = said(read(&input(
        &[&SINGLE[..4], &[("sslmode", "maybe")]].concat(),
        &[],
    )));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("metadata.sslmode: `sslmode` must be one of"),
        "{found:?}"
    );
}

#[test]
fn a_pod_identity_of_azure_needs_the_single_settings_and_is_not_here_yet() {
    let mut given = input(&[], &[("connection", "postgres://u:p@h/d")]);
    given.identity = Some(crds::PodIdentity {
        provider: IdentityProvider::AzureWorkload,
        ..serde_json::from_str(r#"{ "provider": "azure-workload" }"#).expect("an identity")
    });
    assert_eq!(said(read(&given)).len(), 5);
    for (key, value) in SINGLE {
        given.metadata.insert(key.to_owned(), value.to_owned());
    }
    let Target::Unusable(reason) = trigger(&given).source() else {
        panic!("nobody can log in this way yet");
    };
    assert_eq!(
        reason,
        "the pod identity `azure-workload` is not in this version yet"
    );
}

#[test]
fn pushing_needs_a_channel() {
    let with = |extra: &[(&str, &str)]| said(read(&input(&[SINGLE.as_slice(), extra].concat(), &[])));
    assert_eq!(
        with(&[("push", "true")]),
        ["spec.triggers[0].metadata.pushChannel: missing `pushChannel` beside `push`"]
    );
    assert_eq!(
        with(&[("pushChannel", "orders")]),
        ["spec.triggers[0].metadata.pushChannel: `pushChannel` does nothing without `push: \"true\"`"]
    );
    let long = "x".repeat(64);
    assert_eq!(
        with(&[("push", "true"), ("pushChannel", &long)]),
        ["spec.triggers[0].metadata.pushChannel: `pushChannel` must be a name of at most 63 bytes"]
    );
    assert_eq!(with(&[("push", "true"), ("pushChannel", "orders")]), [""; 0]);
}

#[test]
fn replies_are_read() {
    let trigger = trigger(&input(&SINGLE, &[]));
    let reply = Reply {
        columns: 1,
        rows: vec![vec![Some("3.5".to_owned())]],
    };
    assert_eq!(
        trigger.read_answer(&Arc::new(reply)).expect("a value"),
        [Reading::from(3.5)]
    );
    let table = |rows: &str| ["public.orders", rows].map(|text| Some(text.to_owned())).to_vec();
    let reply = Reply {
        columns: 2,
        rows: vec![table("120"), table("-1")],
    };
    let notes: Vec<_> = trigger
        .read_inventory(&Arc::new(reply))
        .expect("offers")
        .into_iter()
        .map(|offer| (offer.parameter, offer.value, offer.note))
        .collect();
    let query = "SELECT COUNT(*) FROM public.orders".to_owned();
    assert_eq!(
        notes,
        [
            ("query", query.clone(), "about 120 rows".to_owned()),
            ("query", query, String::new())
        ]
    );
}
