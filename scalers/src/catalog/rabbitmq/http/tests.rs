use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::TriggerInput;
use crate::metadata::{Reader, TriggerMetadata as _};

fn trigger(settings: &[(&str, &str)]) -> OverHttp {
    let base = [("queueName", "jobs"), ("host", "http://rabbit.example:15672")];
    let mut input = TriggerInput::default();
    for (key, value) in base.iter().chain(settings) {
        input.metadata.insert((*key).to_owned(), (*value).to_owned());
    }
    OverHttp::new(RabbitMq::read(&mut Reader::new(&input)).expect("right settings"))
}

fn one(body: &str) -> Answer {
    Answer::One(Bytes::copy_from_slice(body.as_bytes()))
}

#[track_caller]
fn url(settings: &[(&str, &str)], wanted: &str) {
    match trigger(settings).question("") {
        Ok(Question::Get(url)) => assert_eq!(url.as_str(), wanted),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_url_names_vhost_and_queue() {
    let of = |host| ("host", host);
    url(&[], "http://rabbit.example:15672/api/queues/%2F/jobs");
    url(&[of("http://a.example/")], "http://a.example/api/queues/%2F/jobs");
    url(
        &[of("http://a.example/shop")],
        "http://a.example/api/queues/shop/jobs",
    );
    url(
        &[of("http://a.example/base/shop")],
        "http://a.example/base/api/queues/shop/jobs",
    );
    url(
        &[of("http://u:p@a.example//")],
        "http://a.example/api/queues/%2F/jobs",
    );
    // An escaped slash belongs to the name.
    url(
        &[of("http://a.example/a%2Fb")],
        "http://a.example/api/queues/a%2Fb/jobs",
    );
    for vhost in ["/", "//"] {
        url(
            &[("vhostName", vhost)],
            "http://rabbit.example:15672/api/queues/%2F/jobs",
        );
    }
    url(
        &[("vhostName", "a/b c")],
        "http://rabbit.example:15672/api/queues/a%2Fb%20c/jobs",
    );
    url(
        &[("queueName", "x/y+z %")],
        "http://rabbit.example:15672/api/queues/%2F/x%2Fy%2Bz%20%25",
    );
    url(
        &[("useRegex", "true"), ("queueName", "^or.*"), ("pageSize", "7")],
        "http://rabbit.example:15672/api/queues/%2F?page=1&use_regex=true&pagination=false&name=%5Eor.%2A&page_size=7",
    );
}

#[test]
fn credentials_come_from_the_authentication_or_the_url() {
    let of = |settings: &[(&str, &str)], auth: &[(&str, &str)]| {
        let mut trigger = trigger(settings);
        let parameter = |name| auth.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        trigger.settings.username = parameter("username").map(Into::into);
        trigger.settings.password = parameter("password").map(Into::into);
        trigger.settings.oauth_token_uri = parameter("oauthTokenURI").map(str::to_owned);
        trigger.settings.client_id = parameter("clientID").map(str::to_owned);
        trigger.settings.client_secret = parameter("clientSecret").map(Into::into);
        trigger.settings.scopes = vec!["rabbit.read:*/*".to_owned()];
        trigger.source().credentials
    };
    let basic = |user: &str, password: &str| Credentials {
        basic: Some((user.to_owned(), password.into())),
        ..Credentials::default()
    };
    let url = ("host", "http://us%40er:p%2Fw@a.example");
    assert_eq!(of(&[], &[]), Credentials::default());
    assert_eq!(of(&[url], &[]), basic("us@er", "p/w"));
    assert_eq!(
        of(&[url], &[("username", "u"), ("password", "p")]),
        basic("u", "p")
    );
    let oauth = [
        ("oauthTokenURI", "https://sso.example/t"),
        ("clientID", "c"),
        ("clientSecret", "s"),
    ];
    let oauth = of(&[], &oauth);
    assert_eq!(oauth.basic, None);
    let oauth = oauth.oauth.expect("OAuth 2");
    assert_eq!(
        (oauth.token_uri.as_str(), oauth.client_id.as_str()),
        ("https://sso.example/t", "c")
    );
    assert_eq!(
        (oauth.client_secret, oauth.scopes),
        ("s".into(), vec!["rabbit.read:*/*".to_owned()])
    );
}

#[test]
fn another_scheme_is_found_out_when_asked() {
    let error = trigger(&[("host", "amqp://a.example")])
        .question("")
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        "`host` must start with `http` or `https` for the protocol `http`"
    );
}

#[track_caller]
fn reads(settings: &[(&str, &str)], body: &str, value: f64, active: Option<bool>) {
    let read = trigger(settings).read_answer(&one(body)).expect("a value");
    assert_eq!(read, [Reading { value, active }], "{settings:?}");
}

fn queue(messages: i64, published: f64, delivered: f64) -> String {
    format!(
        r#"{{"name": "jobs", "messages": {messages}, "messages_ready": 1, "message_stats":
            {{"publish_details": {{"rate": {published}}}, "deliver_get_details": {{"rate": {delivered}}}}}}}"#
    )
}

#[test]
fn lengths() {
    reads(&[], &queue(7, 0.0, 0.0), 7.0, None);
    reads(
        &[("excludeUnacknowledged", "true")],
        &queue(7, 0.0, 0.0),
        1.0,
        None,
    );
    reads(&[], r#"{"name": "jobs"}"#, 0.0, None);
}

#[test]
fn rates() {
    let mode = |name| [("mode", name), ("value", "5"), ("activationValue", "2.5")];
    reads(&mode("MessageRate"), &queue(0, 3.0, 0.0), 3.0, Some(true));
    reads(&mode("MessageRate"), &queue(3, 0.5, 0.0), 0.5, Some(true));
    reads(&mode("MessageRate"), &queue(2, 0.5, 9.0), 0.5, Some(false));
    reads(&mode("DeliverGetRate"), &queue(9, 9.0, 1.5), 1.5, None);
    let ratio = mode("PublishedToDeliveredRatio");
    reads(&ratio, &queue(9, 9.0, 1.5), 6.0, None);
    reads(&ratio, &queue(9, 9.0, 0.0), 2.5, Some(true));
    reads(&ratio, &queue(9, 0.0, 0.0), 0.0, None);
    let time = mode("ExpectedQueueConsumptionTime");
    reads(&time, &queue(30, 4.0, 2.0), 16.0, None);
    reads(&time, &queue(30, 4.0, 0.0), 2.5, Some(true));
    reads(&time, &queue(0, 4.0, 2.0), 0.0, None);
    reads(
        &mode("MessageRate"),
        r#"{"messages": 1, "message_stats": {}}"#,
        0.0,
        Some(false),
    );
}

#[test]
fn several_queues_become_one() {
    let page = format!(
        r#"{{"page_count": 1, "items": [{}, {}, {}]}}"#,
        queue(2, 1.0, 0.0),
        queue(3, 2.0, 0.0),
        queue(6, 6.0, 0.0)
    );
    let with = |operation, mode| {
        [
            ("useRegex", "true"),
            ("operation", operation),
            ("mode", mode),
            ("value", "1"),
        ]
    };
    reads(&with("sum", "QueueLength"), &page, 11.0, None);
    // A whole number, as upstream divides.
    reads(&with("avg", "QueueLength"), &page, 3.0, None);
    reads(&with("max", "QueueLength"), &page, 6.0, None);
    reads(&with("sum", "MessageRate"), &page, 9.0, Some(true));
    reads(&with("avg", "MessageRate"), &page, 3.0, Some(true));
    reads(&with("max", "MessageRate"), &page, 6.0, Some(true));
    for operation in ["sum", "avg", "max"] {
        reads(
            &with(operation, "QueueLength"),
            r#"{"page_count": 0, "items": []}"#,
            0.0,
            None,
        );
    }
    reads(
        &with("sum", "QueueLength"),
        &format!("[{}]", queue(4, 0.0, 0.0)),
        4.0,
        None,
    );
}

#[track_caller]
fn fails(settings: &[(&str, &str)], body: &str, message: &str) {
    let error = trigger(settings).read_answer(&one(body)).expect_err("no value");
    assert_eq!(error.to_string(), message);
}

#[test]
fn replies_without_a_value() {
    let regex = [("useRegex", "true")];
    fails(&[], "<html>", "the reply does not describe a queue");
    fails(
        &[],
        r#"{"messages": "many"}"#,
        "the reply does not describe a queue",
    );
    fails(&regex, r#"{"messages": 3}"#, "the reply does not list queues");
    fails(
        &regex,
        r#"{"page_count": 2, "items": []}"#,
        "more queues fit `queueName` than `pageSize` allows",
    );
    fails(
        &[("useRegex", "true"), ("operation", "median")],
        "[]",
        "`operation` must be one of `sum` `avg` `max`, not `median`",
    );
}

#[test]
fn a_queue_that_is_missing_is_named() {
    let lost = |settings: &[(&str, &str)]| {
        let answer = ScalerError::Answer {
            endpoint: "http://a".to_owned(),
            answer: "with status 404 Not Found".to_owned(),
        };
        trigger(settings).explain(answer).to_string()
    };
    assert_eq!(
        lost(&[]),
        "http://a answered with status 404 Not Found: it has no queue `jobs` in the virtual host `/`"
    );
    assert_eq!(
        lost(&[("useRegex", "true"), ("vhostName", "shop")]),
        "http://a answered with status 404 Not Found: it has no virtual host `shop`"
    );
}

#[test]
fn queues_are_offered() {
    let body = r#"[{"name": "b", "messages": 2}, {"name": "a"}]"#;
    let offers = trigger(&[]).read_inventory(&one(body)).expect("offers");
    let said: Vec<(&str, &str)> = offers
        .iter()
        .map(|o| (o.value.as_str(), o.note.as_str()))
        .collect();
    assert_eq!(said, [("b", "2 messages"), ("a", "")]);
}

/// Replies as they might be cut or filled with something else.
fn reply() -> impl Strategy<Value = String> {
    let whole = format!(
        r#"{{"page_count": 1, "items": [{}]}}"#,
        queue(i64::MAX, 1e308, -1.0)
    );
    let cut = (0..whole.len()).prop_map(move |at| whole[..at].to_owned());
    prop_oneof![
        ".{0,60}",
        cut,
        r#"\{"(messages|items|page_count)": [-0-9e."\[\]{}]{0,12}\}"#
    ]
}

proptest! {
    #[test]
    fn replies_never_panic(
        body in reply(),
        regex in any::<bool>(),
        mode in "QueueLength|MessageRate|DeliverGetRate|PublishedToDeliveredRatio|ExpectedQueueConsumptionTime",
        operation in "sum|avg|max|none",
    ) {
        let regex = regex.to_string();
        let trigger = trigger(&[("useRegex", &regex), ("mode", &mode), ("operation", &operation)]);
        let _ = trigger.read_answer(&one(&body));
        let _ = trigger.read_inventory(&one(&body));
    }
}
