use bytes::Bytes;
use crds::PodIdentity;
use proptest::prelude::*;

use super::*;
use crate::{TriggerMetadata as _, read};

fn input(metadata: &[(&str, &str)]) -> TriggerInput {
    let mut all = vec![
        ("serverAddress", "http://prom.example:9090"),
        ("query", "sum(up)"),
        ("threshold", "5"),
    ];
    all.extend_from_slice(metadata);
    TriggerInput {
        type_: "prometheus".to_owned(),
        metadata: all
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..TriggerInput::default()
    }
}

fn trigger(metadata: &[(&str, &str)]) -> Prometheus {
    let input = input(metadata);
    let mut trigger = Prometheus::read(&mut Reader::new(&input)).expect("right settings");
    trigger.bind(&input);
    trigger
}

fn fetch(trigger: &Prometheus) -> Fetch {
    let now: Timestamp = "2026-11-22T09:08:07.654Z".parse().expect("a time");
    match trigger.question_at("prometheus", now).expect("a question") {
        Question::Fetch(fetch) => *fetch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_query_is_put_into_the_url() {
    let asked = fetch(&trigger(&[("query", "sum(rate(a{b=\"c d\"}[2m])) > 1+1")]));
    assert_eq!(
        asked.url.as_str(),
        "http://prom.example:9090/api/v1/query?query=sum%28rate%28a%7Bb%3D%22c+d%22%7D%5B2m%5D%29%29+%3E+1%2B1"
    );
    assert_eq!(asked.stamp.0, [("time", "2026-11-22T09:08:07Z".to_owned())]);
    let asked = fetch(&trigger(&[
        ("serverAddress", "https://prom.example/prefix/"),
        ("namespace", "shop"),
        ("queryParameters", "dedup=true,x=a b"),
        ("customHeaders", "X-Scope-OrgID=shop,X-B=c"),
    ]));
    assert_eq!(
        asked.url.as_str(),
        "https://prom.example/prefix/api/v1/query?query=sum%28up%29&namespace=shop&dedup=true&x=a+b"
    );
    let headers: Vec<(&str, &str)> = asked
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose().as_str()))
        .collect();
    assert_eq!(headers, [("X-B", "c"), ("X-Scope-OrgID", "shop")]);
}

#[test]
fn the_time_is_no_part_of_what_is_asked() {
    let trigger = trigger(&[]);
    let at = |text: &str| {
        let now: Timestamp = text.parse().expect("a time");
        trigger.question_at("prometheus", now).expect("a question")
    };
    assert_eq!(at("2026-11-22T09:08:07Z"), at("2026-11-22T10:00:00Z"));
}

#[test]
fn a_user_in_the_url_is_a_credential() {
    let trigger = trigger(&[("serverAddress", "http://me:hush@prom.example:9090")]);
    let source = trigger.source();
    assert_eq!(source.base, "http://prom.example:9090");
    assert_eq!(source.credentials.basic, Some(("me".to_owned(), "hush".into())));
    let asked = fetch(&trigger);
    assert!(
        asked.url.as_str().starts_with("http://prom.example:9090/"),
        "{}",
        asked.url
    );
}

#[track_caller]
fn check(body: &str, wanted: Result<f64, &str>) {
    let answer = Answer::One(Bytes::copy_from_slice(body.as_bytes()));
    let read = trigger(&[("ignoreNullValues", "false")]).read_answer(&answer);
    match (read, wanted) {
        (Ok(readings), Ok(value)) => assert_eq!(readings, [Reading::from(value)], "{body}"),
        (Err(error), Err(message)) => assert_eq!(error.to_string(), message, "{body}"),
        (read, _) => panic!("{body}: {read:?}"),
    }
}

/// A reply with these results.
fn reply(results: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{results}}}}}"#)
}

#[test]
fn recorded_replies() {
    const NO_VECTOR: &str =
        "the reply holds no instant vector; the query must have one, as `sum(…)` and `vector(…)` give it";
    let one = |value: &str| reply(&format!(r#"[{{"metric":{{"job":"a"}},"value":{value}}}]"#));
    check(&one(r#"[1700000000.5,"12.5"]"#), Ok(12.5));
    check(&one(r#"[1700000000,"-3"]"#), Ok(-3.0));
    check(&one(r#"[1700000000,"1e3"]"#), Ok(1000.0));
    check(&one("[1700000000,null]"), Ok(-1.0));
    check(&one("[1700000000]"), Err("the result has a time and no value"));
    check(&one(r#"[1700000000,"many"]"#), Err("the result is no number"));
    check(&one(r#"[1700000000,"1e999"]"#), Err("the result is no number"));
    check(&one("[1700000000,3]"), Err("the result is no text"));
    check(&one("[1700000000,[[3]]]"), Err("the result is no text"));
    check(
        &one(r#"[1700000000,"NaN"]"#),
        Err("the query has the result `NaN`"),
    );
    check(
        &one(r#"[1700000000,"+Inf"]"#),
        Err("the query has the result `inf`"),
    );
    check(&one("[]"), Err("the query has no result"));
    check(&one("null"), Err("the query has no result"));
    check(
        &reply(r#"[{"metric":{},"values":[[1,"2"]]}]"#),
        Err("the query has no result"),
    );
    check(&reply("[]"), Err("the query has no result"));
    check(&reply("null"), Err("the query has no result"));
    check("{}", Err("the query has no result"));
    check(
        &reply(r#"[{"value":[1,"2"]},{"value":[1,"2"]},{"value":[1,"2"]}]"#),
        Err("the query has 3 results where one is due; `sum(…)` makes one of them"),
    );
    // A scalar and a text are a bare pair.
    check(&reply(r#"[1700000000,"7"]"#), Err(NO_VECTOR));
    check(&reply("7"), Err(NO_VECTOR));
    check("<html>", Err(NO_VECTOR));
    check("", Err(NO_VECTOR));
    let whole = one(r#"[1700000000.5,"12.5"]"#);
    for end in 1..whole.len() {
        check(&whole[..end], Err(NO_VECTOR));
    }
}

#[test]
fn what_is_missing_counts_as_zero_unless_told_otherwise() {
    let ignoring = trigger(&[]);
    let refusing = trigger(&[("ignoreNullValues", "false")]);
    for (results, empty) in [
        ("[]", true),
        (r#"[{"value":[]}]"#, true),
        (r#"[{"value":[1,"NaN"]}]"#, false),
        (r#"[{"value":[1,"-Inf"]}]"#, false),
    ] {
        let answer = Answer::One(reply(results).into());
        assert_eq!(
            ignoring.read_answer(&answer).expect("a zero"),
            [Reading::from(0.0)]
        );
        refusing.read_answer(&answer).expect_err("no value");
        let counted = |kind| empty.then_some(kind);
        assert_eq!(
            ignoring.found_nothing(&answer),
            counted(Nulls::Ignored),
            "{results}"
        );
        assert_eq!(
            refusing.found_nothing(&answer),
            counted(Nulls::Refused),
            "{results}"
        );
    }
    let full = Answer::One(reply(r#"[{"value":[1,"2"]}]"#).into());
    assert_eq!(ignoring.found_nothing(&full), None);
}

#[test]
fn identities_of_clouds_are_said_to_come_later() {
    let with = |provider: IdentityProvider, metadata: &[(&str, &str)]| {
        let mut input = input(metadata);
        input.identity = Some(PodIdentity {
            provider,
            identity_id: None,
            identity_tenant_id: None,
            identity_authority_host: None,
            role_arn: None,
            external_id: None,
            identity_owner: None,
        });
        input
    };
    let aws = with(IdentityProvider::Aws, &[("awsRegion", "eu-west-1")]);
    let built = read(&aws).expect("right settings");
    assert_eq!(
        built.warnings()[0].message,
        "the pod identity `aws` is not in this version yet: the server will not be asked"
    );
    let mut bound = trigger(&[]);
    bound.bind(&aws);
    let error = bound.question("prometheus").expect_err("not yet").to_string();
    assert_eq!(error, "the pod identity `aws` is not in this version yet");
    let none = with(IdentityProvider::None, &[("authModes", "custom")]);
    bound.bind(&none);
    bound.question("prometheus").expect("no identity");
    let both = with(IdentityProvider::Gcp, &[("authModes", "basic")]);
    let said: Vec<String> = read(&both)
        .expect_err("both")
        .iter()
        .map(|finding| finding.message.clone())
        .collect();
    assert!(
        said.contains(&"`authModes` and a pod identity cannot be given together".to_owned()),
        "{said:?}"
    );
}

#[test]
fn names_are_offered() {
    let answer = Answer::One(r#"{"status":"success","data":["orders_total","up"]}"#.into());
    let offers = trigger(&[]).read_inventory(&answer).expect("offers");
    let values: Vec<&str> = offers.iter().map(|offer| offer.value.as_str()).collect();
    assert_eq!(values, ["orders_total", "up"]);
    let question = trigger(&[]).inventory_question().expect("a question");
    let Question::Fetch(fetch) = question else {
        panic!("{question:?}")
    };
    assert_eq!(
        fetch.url.as_str(),
        "http://prom.example:9090/api/v1/label/__name__/values?limit=500"
    );
    assert_eq!(
        reply::names(br#"{"data":["a","b","c"]}"#, 2).expect("names"),
        ["a", "b"]
    );
    reply::names(br#"{"data":{"a":1}}"#, 2).expect_err("no names");
}

/// JSON of every shape, that of a reply among them.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Map, Value};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(NaN|[+-]Inf|[0-9.e+-]{0,8}|.{0,5})".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let key = prop_oneof![
            Just("data".to_owned()),
            Just("result".to_owned()),
            Just("value".to_owned()),
            "[a-z]{0,3}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|pairs| Value::from(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn replies_never_panic_and_values_are_finite(
        document in json(),
        results in json(),
        text in ".{0,60}",
        cut in any::<prop::sample::Index>(),
    ) {
        let wrapped = serde_json::json!({"status": "success", "data": {"result": results}}).to_string();
        let bodies = [document.to_string(), wrapped.clone(), text, wrapped.chars().take(cut.index(wrapped.len())).collect()];
        for body in bodies {
            if let Ok(Ok(value)) = reply::value(body.as_bytes()) {
                prop_assert!(value.is_finite(), "{body}");
            }
            let _ = reply::names(body.as_bytes(), 3);
        }
    }
}

#[test]
fn the_past_is_a_range_query() {
    let span = Span {
        from: "2026-11-22T09:00:00Z".parse().expect("a time"),
        to: "2026-11-22T10:00:00Z".parse().expect("a time"),
        step: Duration::from_secs(15),
    };
    let asked = trigger(&[("namespace", "shop")]).history_question(&span);
    let Some(Ok(Question::Fetch(fetch))) = asked else {
        panic!("{asked:?}");
    };
    assert_eq!(
        fetch.url.as_str(),
        "http://prom.example:9090/api/v1/query_range?query=sum%28up%29&start=1795338000&end=1795341600&step=15&namespace=shop"
    );
}

#[test]
fn the_past_has_moments_and_values() {
    let read = |body: &str| trigger(&[]).read_history(&Answer::One(Bytes::copy_from_slice(body.as_bytes())));
    let one = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1795338000,"2.5"],[1795338015.5,"NaN"]]}]}}"#;
    let points = read(one).expect("a range");
    let moments: Vec<i64> = points.iter().map(|(at, _)| at.as_millisecond()).collect();
    assert_eq!(moments, [1_795_338_000_000, 1_795_338_015_500]);
    assert_eq!(points[0].1.to_bits(), 2.5_f64.to_bits());
    assert!(points[1].1.is_nan());
    let none = r#"{"data":{"resultType":"matrix","result":[]}}"#;
    assert!(read(none).expect("nothing").is_empty());
    let two = r#"{"data":{"result":[{"values":[]},{"values":[]}]}}"#;
    for (body, want) in [
        (
            two,
            "the query has 2 results where one is due; `sum(…)` makes one of them",
        ),
        ("[]", "the reply holds no range vector"),
        (
            r#"{"data":{"result":[{"values":[[1e300,"x"]]}]}}"#,
            "the reply holds a point that is no time and number",
        ),
    ] {
        assert_eq!(read(body).expect_err(body).to_string(), want);
    }
}
