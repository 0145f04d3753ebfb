use std::sync::Arc;

use super::*;
use crate::source::sql::Reply;
use crate::{AuthParams, TriggerInput, read};

fn input(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> TriggerInput {
    let base = [("query", "SELECT 1"), ("queryValue", "4")];
    let mut params = AuthParams::default();
    for (parameter, value) in auth {
        params.insert(*parameter, *value);
    }
    TriggerInput {
        type_: "mysql".to_owned(),
        metadata: base
            .iter()
            .chain(metadata)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        auth: params,
        ..TriggerInput::default()
    }
}

#[track_caller]
fn trigger(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> MySqlQuery {
    use crate::metadata::TriggerMetadata as _;
    let input = input(metadata, auth);
    MySqlQuery::read(&mut Reader::new(&input)).expect("right settings")
}

fn said(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> Vec<String> {
    let findings = match read(&input(metadata, auth)) {
        Ok(built) => built.warnings().to_vec(),
        Err(findings) => findings,
    };
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn single_settings_say_what_a_connection_string_says() {
    let single = [
        ("host", "my.example.svc"),
        ("port", "3307"),
        ("username", "reader"),
        ("dbName", "shop"),
    ];
    let text = "reader:p@/w@tcp(my.example.svc:3307)/shop";
    assert_eq!(
        trigger(&single, &[("password", "p@/w")]).source(),
        trigger(&[], &[("connectionString", text)]).source()
    );
    assert_ne!(
        trigger(&single, &[]).source(),
        trigger(&single, &[("password", "p")]).source()
    );
}

#[test]
fn metrics_are_named_for_the_database() {
    let name = |auth: &[(&str, &str)], metadata: &[(&str, &str)]| {
        trigger(metadata, auth).metrics().expect("metrics").remove(0).name
    };
    assert_eq!(name(&[], &[("dbName", "shop")]), "mysql-shop");
    assert_eq!(name(&[], &[]), "mysql-");
    let string = |text| name(&[("connectionString", text)], &[("dbName", "shop")]);
    assert_eq!(string("u:p@tcp(h:1)/stock"), "mysql-stock");
    assert_eq!(string("u:p@tcp(h:1)/stock?tls=true"), "mysql-stock?tls=true");
    assert_eq!(string("acorn"), "mysql-acorn");
    // No driver takes this, and what it holds is kept out of the name.
    assert_eq!(string("u:hush-hush@tcp(h:1)"), "mysql-tcp-h-1-");
    assert_eq!(string("u:open/hush-hush@tcp(h:1)"), "mysql-tcp-h-1-");
}

#[test]
fn what_only_shows_on_connecting_is_a_warning() {
    assert_eq!(
        said(&[], &[]),
        ["spec.triggers[0].metadata.host: neither `host` nor `connectionString` names a server"]
    );
    assert_eq!(
        said(&[("host", "h"), ("port", "many")], &[]),
        ["spec.triggers[0].metadata.port: the port must be a number from 1 to 65535"]
    );
    assert_eq!(
        said(&[], &[("connectionString", "hush-hush")]),
        ["spec.triggers[0].authenticationRef: the connection string lacks the slash before the database"]
    );
    assert_eq!(
        said(&[("host", "h"), ("metricName", "mine")], &[]),
        ["spec.triggers[0].metadata.metricName: `metricName` is deprecated"]
    );
}

#[test]
fn replies_are_read() {
    let trigger = trigger(&[("host", "h")], &[]);
    let reply = |text: &str| {
        Arc::new(Reply {
            columns: 1,
            rows: vec![vec![Some(text.to_owned())]],
        })
    };
    assert_eq!(
        trigger.read_answer(&reply("-2")).expect("a value"),
        [Reading::from(-2.0)]
    );
    trigger.read_answer(&reply("many")).expect_err("no number");
}
