use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::metadata::TriggerMetadata as _;
use crate::source::nats_monitoring::{Account, Report};
use crate::{AuthParams, TriggerInput, read};

fn input(settings: &[(&str, &str)], auth: &[(&str, &str)]) -> TriggerInput {
    let base = [
        ("natsServerMonitoringEndpoint", "nats.example:8222"),
        ("account", "$G"),
        ("stream", "ORDERS"),
        ("consumer", "billing"),
    ];
    let mut input = TriggerInput {
        type_: "nats-jetstream".to_owned(),
        auth: AuthParams::default(),
        ..TriggerInput::default()
    };
    for (key, value) in base.iter().chain(settings) {
        input.metadata.insert((*key).to_owned(), (*value).to_owned());
    }
    for (key, value) in auth {
        input.auth.insert(*key, *value);
    }
    input
}

fn trigger(settings: &[(&str, &str)], auth: &[(&str, &str)]) -> JetStream {
    JetStream::read(&mut Reader::new(&input(settings, auth))).expect("right settings")
}

/// What a server says of `account_details`.
fn report(server: Option<&str>, accounts: &str) -> Report {
    Report {
        server: server.map(str::to_owned),
        accounts: Ok(serde_json::from_str::<Vec<Account>>(accounts).expect("accounts")),
    }
}

fn answer(reports: Vec<Report>) -> Answer {
    Answer(Arc::new(reports))
}

/// Accounts with one consumer, led by a server.
fn consumer(pending: u64, unacknowledged: i64, leader: &str) -> String {
    format!(
        r#"[{{"id": "$G", "name": "$G", "stream_detail": [{{"name": "ORDERS", "consumer_detail": [
            {{"name": "billing", "num_pending": {pending}, "num_ack_pending": {unacknowledged},
              "cluster": {{"leader": "{leader}"}}}}]}}]}}]"#
    )
}

#[track_caller]
fn lag(reports: Vec<Report>, wanted: Result<f64, &str>) {
    let read = trigger(&[], &[]).read_answer(&answer(reports));
    match (read, wanted) {
        (Ok(readings), Ok(value)) => assert_eq!(readings, [Reading::from(value)]),
        (Err(error), Err(message)) => assert_eq!(error.to_string(), message),
        (read, _) => panic!("{read:?}"),
    }
}

#[test]
fn a_server_that_is_alone_counts() {
    lag(vec![report(None, &consumer(5, 2, "whoever"))], Ok(7.0));
    lag(
        vec![report(None, "[]")],
        Err("the account `$G` has no stream `ORDERS`"),
    );
    let stream = r#"[{"id": "$G", "stream_detail": [{"name": "ORDERS"}]}]"#;
    lag(
        vec![report(None, stream)],
        Err("the stream `ORDERS` has no consumer `billing`"),
    );
    let silent =
        r#"[{"id": "$G", "stream_detail": [{"name": "ORDERS", "consumer_detail": [{"name": "billing"}]}]}]"#;
    lag(
        vec![report(None, silent)],
        Err("the server does not say what the consumer `billing` has pending"),
    );
}

#[test]
fn in_a_cluster_the_leader_counts() {
    let of = |server, pending| report(Some(server), &consumer(pending, 0, "n2"));
    lag(vec![of("n1", 0), of("n2", 9), of("n3", 0)], Ok(9.0));
    lag(
        vec![of("n1", 0), of("n3", 0)],
        Err("the leader `n2` of the consumer `billing` is not among the nodes that were asked"),
    );
    let leaderless = report(Some("n1"), &consumer(9, 0, ""));
    lag(
        vec![leaderless, report(Some("n2"), "[]")],
        Err("the leader `` of the consumer `billing` is not among the nodes that were asked"),
    );
}

#[test]
fn a_lost_node_matters_only_if_it_leads() {
    let lost = || Report {
        server: Some("n3".to_owned()),
        accounts: Err(ScalerError::Value("n3 is lost".to_owned())),
    };
    let of = |server| report(Some(server), &consumer(4, 0, "n2"));
    lag(vec![of("n1"), of("n2"), lost()], Ok(4.0));
    lag(vec![of("n1"), lost()], Err("n3 is lost"));
}

#[test]
fn accounts_are_known_by_id_or_name() {
    let accounts = |id: &str, name: &str| {
        consumer(1, 0, "").replacen(
            r#""id": "$G", "name": "$G""#,
            &format!(r#""id": "{id}", "name": "{name}""#),
            1,
        )
    };
    lag(vec![report(None, &accounts("ACX", "$G"))], Ok(1.0));
    lag(vec![report(None, &accounts("$G", "other"))], Ok(1.0));
    lag(
        vec![report(None, &accounts("ACX", "other"))],
        Err("the account `$G` has no stream `ORDERS`"),
    );
    assert_eq!(trigger(&[("accountID", "ACY")], &[]).asked().account, "ACY");
}

#[test]
fn subjects_are_those_of_the_consumer_or_the_stream() {
    let of = |consumer: &str| {
        let accounts = format!(
            r#"[{{"id": "$G", "stream_detail": [{{"name": "ORDERS", "config": {{"subjects": ["orders.>", "mails"]}},
                "consumer_detail": [{{"name": "billing"{consumer}}}]}}]}}]"#
        );
        trigger(&[], &[]).subjects(&answer(vec![report(None, &accounts)]))
    };
    assert_eq!(of(""), ["orders.>", "mails"]);
    assert_eq!(
        of(r#", "config": {"filter_subject": "orders.new"}"#),
        ["orders.new"]
    );
    assert_eq!(of(r#", "config": {"filter_subjects": ["a", "b"]}"#), ["a", "b"]);
}

#[test]
fn a_server_cannot_name_subjects_without_end() {
    let of = |count: usize| {
        let subjects: Vec<String> = (0..count).map(|number| format!("\"s{number}\"")).collect();
        let accounts = consumer(0, 0, "a").replace(
            "\"name\": \"billing\",",
            &format!(
                "\"name\": \"billing\", \"config\": {{\"filter_subjects\": [{}]}},",
                subjects.join(",")
            ),
        );
        let listened = trigger(&[], &[]).listened(&answer(vec![report(None, &accounts)]));
        listened
            .map(|subjects| subjects.len())
            .map_err(|error| error.to_string())
    };
    assert_eq!(of(1_000), Ok(1_000));
    assert_eq!(
        of(1_001),
        Err(
            "the consumer `billing` of the stream `ORDERS` has 1001 subjects, and no more than 1000 are listened to; \
             `pushSubjects` names them"
                .to_owned()
        )
    );
    assert_eq!(
        of(0),
        Err(
            "there is no consumer `billing` of the stream `ORDERS` with subjects to listen to; `pushSubjects` names them"
                .to_owned()
        )
    );
}

#[test]
fn where_it_listens() {
    let given = [
        ("push", "true"),
        (
            "pushServer",
            "nats://us%40er:p%2Fw@nats.example:4222, other.example",
        ),
    ];
    let servers = trigger(&given, &[]).servers();
    assert_eq!(
        servers.addresses,
        ["nats://nats.example:4222", "nats://other.example"]
    );
    assert_eq!(servers.login.username.as_deref(), Some("us@er"));
    assert_eq!(servers.login.password, Some("p/w".into()));
    assert_eq!(servers.tls, None);
    let own = trigger(
        &given,
        &[("pushUsername", "u"), ("pushPassword", "q"), ("pushCa", "a")],
    )
    .servers();
    assert_eq!(
        (own.login.username.as_deref(), own.login.password),
        (Some("u"), Some("q".into()))
    );
    assert_eq!(own.tls.expect("TLS").ca, Some("a".into()));
    let tls = trigger(&[("pushServer", "tls://nats.example")], &[]).servers();
    assert_eq!(tls.tls, Some(TlsSettings::default()));
}

#[test]
fn rules_between_settings() {
    let said = |settings: &[(&str, &str)]| match read(&input(settings, &[])) {
        Ok(built) => built
            .warnings()
            .iter()
            .map(|finding| finding.message.clone())
            .collect::<Vec<_>>(),
        Err(findings) => findings.into_iter().map(|finding| finding.message).collect(),
    };
    assert_eq!(said(&[]), Vec::<String>::new());
    assert_eq!(
        said(&[("push", "true")]),
        ["missing `pushServer`, which `push` asks for"]
    );
    assert_eq!(
        said(&[("pushServer", "nats://a")]),
        ["`pushServer` needs `push: \"true\"`"]
    );
    assert_eq!(
        said(&[("push", "true"), ("pushServer", "http://a")]),
        ["`pushServer` must be `nats://host:port` or `tls://host:port`"]
    );
    assert_eq!(
        said(&[("natsServerMonitoringEndpoint", "a b")]),
        ["`natsServerMonitoringEndpoint` must be `host:port`"]
    );
}

#[test]
fn streams_and_consumers_are_offered() {
    let accounts = r#"[{"id": "$G", "stream_detail": [{"name": "ORDERS", "state": {"messages": 3},
        "consumer_detail": [{"name": "billing"}]}]}, {"id": "other", "stream_detail": [{"name": "HIDDEN"}]}]"#;
    let offers = trigger(&[], &[])
        .read_inventory(&answer(vec![report(None, accounts)]))
        .expect("offers");
    let said: Vec<(&str, &str, &str)> = offers
        .iter()
        .map(|o| (o.parameter, o.value.as_str(), o.note.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("stream", "ORDERS", "3 messages"),
            ("consumer", "billing", "of stream ORDERS")
        ]
    );
}

proptest! {
    #[test]
    fn accounts_never_panic(pending in any::<u64>(), unacknowledged in any::<i64>(), cut in 0..300_usize) {
        let text = consumer(pending, unacknowledged, "n1");
        let text: String = text.chars().take(cut).collect();
        if let Ok(accounts) = serde_json::from_str::<Vec<Account>>(&text) {
            let report = Report { server: Some("n1".to_owned()), accounts: Ok(accounts) };
            let answer = answer(vec![report]);
            let _ = trigger(&[], &[]).read_answer(&answer);
            let _ = trigger(&[], &[]).subjects(&answer);
        }
    }
}
