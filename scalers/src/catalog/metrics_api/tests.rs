use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{TriggerInput, metadata};

fn trigger(format: &str, location: &str) -> MetricsApi {
    let settings = [
        ("url", "http://stats.shop.svc/v1"),
        ("format", format),
        ("valueLocation", location),
        ("targetValue", "5"),
        ("aggregationType", "average"),
    ];
    let input = TriggerInput {
        metadata: settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..TriggerInput::default()
    };
    <MetricsApi as metadata::TriggerMetadata>::read(&mut Reader::new(&input)).expect("right settings")
}

#[track_caller]
fn check(format: &str, location: &str, body: &str, wanted: Result<f64, &str>) {
    let read = trigger(format, location).read_answer(&Answer::One(Bytes::copy_from_slice(body.as_bytes())));
    match (read, wanted) {
        (Ok(readings), Ok(value)) => assert_eq!(readings, [Reading::from(value)], "{location}"),
        (Err(error), Err(message)) => assert_eq!(error.to_string(), message, "{location}"),
        (read, _) => panic!("{location}: {read:?}"),
    }
}

#[test]
fn json_replies() {
    let body = r#"{"queues": {"orders": {"depth": 12.5, "limit": "500m", "name": "north", "open": true}}}"#;
    check("json", "queues.orders.depth", body, Ok(12.5));
    check("json", "queues.orders.limit", body, Ok(0.5));
    check(
        "json",
        "queues.orders.name",
        body,
        Err("`queues.orders.name` holds a text that is no number and no quantity"),
    );
    check(
        "json",
        "queues.orders.open",
        body,
        Err("`queues.orders.open` holds a boolean, not a number"),
    );
    check(
        "json",
        "queues.lost",
        body,
        Err("the reply has nothing at `queues.lost`"),
    );
    check("json", "a", "<html>", Err("the reply is not JSON"));
    check(
        "json",
        "@pretty",
        "1",
        Err("`@pretty` is a part of GJSON that is not read here"),
    );
}

#[test]
fn yaml_replies() {
    let body = "queues:\n  - depth: 3\n  - depth: 7.5\nlimit: 2k\n";
    check("yaml", "queues.1.depth", body, Ok(7.5));
    check("yaml", "limit", body, Ok(2000.0));
    check("yaml", "queues", body, Err("`queues` holds a list, not a number"));
    check("yaml", "a", "{", Err("the reply is not YAML"));
}

/// A short text that refers to its parts is a large document; it must not be built.
#[test]
fn yaml_that_refers_to_its_own_parts_is_bounded() {
    let refers = |times: usize| {
        format!(
            "a: &a [{}]\nb: [{}]\nc: 7\n",
            "1,".repeat(times),
            "*a,".repeat(times)
        )
    };
    check("yaml", "c", &refers(500), Ok(7.0));
    let too_often = "the reply refers to its own parts too often";
    check("yaml", "c", &refers(5_000), Err(too_often));
    let text = format!(
        "a: &a {}\nb: [{}]\nc: 7\n",
        "x".repeat(20_000),
        "*a,".repeat(20_000)
    );
    check("yaml", "c", &text, Err(too_often));
    check(
        "yaml",
        "c",
        &" ".repeat((1 << 20) + 1),
        Err("the reply is longer than 1 MiB, which is the most that is read of YAML"),
    );
    check("yaml", "c", &"[".repeat(100_000), Err("the reply is not YAML"));
}

/// The time that a reply takes must not grow with the square of its elements.
#[test]
fn xml_of_many_names_is_read() {
    let many = |each: &dyn Fn(u32) -> String| (0..200_000).map(each).collect::<String>();
    let elements = many(&|number| format!("<e{number}>{number}</e{number}>"));
    check(
        "xml",
        "all.e199999",
        &format!("<all>{elements}</all>"),
        Ok(199_999.0),
    );
    let attributes = many(&|number| format!(" a{number}=\"{number}\""));
    check(
        "xml",
        "all.-a199999",
        &format!("<all{attributes}/>"),
        Ok(199_999.0),
    );
}

#[test]
fn xml_replies() {
    let body = r#"<?xml version="1.0"?><stats at="9"><queue name="a">3</queue><queue name="b">7</queue><n:load><![CDATA[1.5]]></n:load></stats>"#;
    check("xml", "stats.queue.1.#text", body, Ok(7.0));
    check("xml", "stats.-at", body, Ok(9.0));
    check("xml", "stats.load", body, Ok(1.5));
    check(
        "xml",
        "stats.queue.0.-name",
        body,
        Err("`stats.queue.0.-name` holds a text that is no number and no quantity"),
    );
    check("xml", "stats", "<stats><a></stats>", Err("the reply is not XML"));
    check("xml", "stats", "<stats>", Err("the reply is not XML"));
    check("xml", "stats", "", Err("the reply is not XML"));
}

#[test]
fn prometheus_replies() {
    let body = "# HELP orders_open Orders.\n# TYPE orders_open gauge\norders_open{site=\"south\"} 3\n\
        orders_open{site=\"north\",zone=\"a b\"} 1.2e1 1700000000\r\n# TYPE took histogram\ntook_sum 9\nup 1\n";
    check("prometheus", "orders_open{site=\"north\"}", body, Ok(12.0));
    check("prometheus", "orders_open", body, Ok(3.0));
    check("prometheus", "{__name__=\"up\"}", body, Ok(1.0));
    check(
        "prometheus",
        "orders_open{site=\"west\"}",
        body,
        Err("the reply has no sample of `orders_open{site=\"west\"}`"),
    );
    check(
        "prometheus",
        "orders_open{",
        body,
        Err("`orders_open{` must be the name of a metric, with labels in braces"),
    );
}

#[test]
fn pods_are_put_together() {
    let body = |text: &str| Ok(Bytes::copy_from_slice(text.as_bytes()));
    let lost = || Err(ScalerError::Value("lost".to_owned()));
    let all = |word: Aggregation, bodies: Vec<Result<Bytes, ScalerError>>| {
        let trigger = MetricsApi {
            aggregation_type: word,
            ..trigger("json", "@this")
        };
        trigger
            .read_answer(&Answer::Each(Arc::new(bodies)))
            .map(|readings| readings[0].value)
            .map_err(|e| e.to_string())
    };
    let three = || vec![body("1"), lost(), body("5")];
    assert_eq!(all(Aggregation::Average, three()), Ok(3.0));
    assert_eq!(all(Aggregation::Sum, three()), Ok(6.0));
    assert_eq!(all(Aggregation::Max, three()), Ok(5.0));
    assert_eq!(all(Aggregation::Min, three()), Ok(1.0));
    assert_eq!(
        all(Aggregation::Sum, vec![lost(), lost()]),
        Err("lost".to_owned())
    );
    assert_eq!(
        all(Aggregation::Sum, Vec::new()),
        Err("no pod was asked".to_owned())
    );
}

proptest! {
    #[test]
    fn replies_never_panic(format in "json|xml|yaml|prometheus", location in "[ -~]{0,20}", body in ".{0,60}") {
        let _ = trigger("json", "a").value(body.as_bytes());
        let trigger = MetricsApi { value_location: location, ..trigger(&format, "a") };
        let _ = trigger.value(body.as_bytes());
    }
}
