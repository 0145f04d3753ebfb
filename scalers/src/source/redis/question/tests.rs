use proptest::prelude::*;
use redis::{Value, parse_redis_value};

use super::*;

fn lag() -> Question {
    Question::Lag {
        stream: "orders".to_owned(),
        group: "billing".to_owned(),
    }
}

fn pending() -> Question {
    Question::Pending {
        stream: "orders".to_owned(),
        group: "billing".to_owned(),
    }
}

/// Recorded replies, as they came over the wire.
fn replies(texts: &[&str]) -> Vec<Value> {
    let parse = |text: &&str| parse_redis_value(text.as_bytes()).expect("a reply");
    texts.iter().map(parse).collect()
}

#[track_caller]
fn check(question: &Question, texts: &[&str], wanted: Result<i64, &str>) {
    match (question.read("r:6379", replies(texts)), wanted) {
        (Ok(answer), Ok(length)) => assert_eq!(answer, Answer::Length(length), "{texts:?}"),
        (Err(error), Err(message)) => assert_eq!(error.to_string(), message, "{texts:?}"),
        (read, _) => panic!("{texts:?}: {read:?}"),
    }
}

/// One group of `XINFO GROUPS`.
fn group(name: &str, lag: &str) -> String {
    let length = name.len();
    format!(
        "*12\r\n$4\r\nname\r\n${length}\r\n{name}\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:2\r\n\
         $17\r\nlast-delivered-id\r\n$3\r\n1-1\r\n$12\r\nentries-read\r\n:1\r\n$3\r\nlag\r\n{lag}\r\n"
    )
}

const INFO_7: &str = "$45\r\n# Server\r\nredis_version:7.0.15\r\nredis_git:0\r\n\r\n";
const INFO_6: &str = "$45\r\n# Server\r\nredis_version:6.2.14\r\nredis_git:0\r\n\r\n";

#[test]
fn lengths_and_pending_entries() {
    check(&Question::Entries("orders".to_owned()), &[":3\r\n"], Ok(3));
    let four = "*4\r\n:4\r\n$3\r\n1-1\r\n$3\r\n4-1\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n4\r\n";
    check(&pending(), &[four], Ok(4));
    check(&pending(), &["*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n"], Ok(0));
    let missing = "-NOGROUP No such key 'orders' or consumer group 'billing'\r\n";
    let error = pending()
        .read("r:6379", replies(&[missing]))
        .expect_err("no group");
    assert!(error.to_string().contains("No such key"), "{error}");
    let list = Question::Length("orders".to_owned());
    assert_eq!(
        list.read("r:6379", replies(&["+stream\r\n"])).expect("a type"),
        Answer::OtherType("stream".to_owned())
    );
}

#[test]
fn the_lag_is_that_of_the_group() {
    let two = format!("*2\r\n{}{}", group("mail", ":9"), group("billing", ":4"));
    check(&lag(), &[&two, ":12\r\n", INFO_7], Ok(4));
    // A server whose version is known is not asked for it.
    check(&lag(), &[&two, ":12\r\n"], Ok(4));
    let unknown = format!("*1\r\n{}", group("billing", "$-1"));
    check(&lag(), &[&unknown, ":12\r\n", INFO_7], Ok(12));
    let other = format!("*1\r\n{}", group("mail", ":9"));
    check(&lag(), &[&other, ":12\r\n", INFO_7], Ok(12));
    check(&lag(), &["-ERR no such key\r\n", ":0\r\n", INFO_7], Ok(0));
}

#[test]
fn an_older_server_is_named() {
    let none = "*0\r\n";
    check(
        &lag(),
        &[none, ":12\r\n", INFO_6],
        Err("`lagCount` needs Redis 7 or later; r:6379 has version 6.2.14"),
    );
    check(
        &lag(),
        &[none, ":12\r\n", "$8\r\n# Server\r\n"],
        Err("r:6379 answered without its version"),
    );
}

#[test]
fn replies_that_make_no_sense_are_errors() {
    let without = "*1\r\n*2\r\n$4\r\nname\r\n$7\r\nbilling\r\n";
    check(
        &lag(),
        &[without, ":1\r\n"],
        Err("r:6379 answered without the lag of the group"),
    );
    check(
        &lag(),
        &[":5\r\n", ":1\r\n"],
        Err("r:6379 answered with a reply that is no list of groups"),
    );
    check(
        &lag(),
        &["*0\r\n"],
        Err("r:6379 answered with fewer replies than commands"),
    );
    for (question, reply) in [
        (pending(), "*0\r\n"),
        (pending(), "$-1\r\n"),
        (Question::Entries("orders".to_owned()), "$1\r\n3\r\n"),
        (Question::Entries("orders".to_owned()), ":-3\r\n"),
        (Question::Length("orders".to_owned()), "*0\r\n"),
    ] {
        check(
            &question,
            &[reply],
            Err("r:6379 answered with a reply that is no number"),
        );
    }
}

#[test]
fn commands_and_replies_are_as_many() {
    for (question, modern, wanted) in [
        (Question::Length("k".to_owned()), false, 1),
        (Question::Entries("k".to_owned()), false, 1),
        (pending(), false, 1),
        (lag(), false, 3),
        (lag(), true, 2),
        (Question::Keys(Kind::List), false, 0),
    ] {
        assert_eq!(question.commands(modern).len(), wanted, "{question:?}");
    }
}

/// Replies of every shape.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "(name|lag|billing|redis_version:[0-9.]{0,6})".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Int),
        text.prop_map(Value::BulkString),
        "[a-z ]{0,8}".prop_map(Value::SimpleString),
        any::<f64>().prop_map(Value::Double),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner), 0..3).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn replies_never_panic_and_counts_are_never_negative(
        which in 0..4_usize,
        replies in prop::collection::vec(value(), 0..4),
    ) {
        let name = || "billing".to_owned();
        let question = match which {
            0 => Question::Length(name()),
            1 => Question::Entries(name()),
            2 => pending(),
            _ => lag(),
        };
        if let Ok(Answer::Length(length)) = question.read("r", replies) {
            prop_assert!(length >= 0);
        }
    }
}
