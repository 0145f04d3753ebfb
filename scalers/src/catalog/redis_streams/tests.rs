use super::*;
use crate::metadata::TriggerMetadata as _;
use crate::{TriggerInput, read};

fn input(type_: &str, metadata: &[(&str, &str)]) -> TriggerInput {
    let mut all = vec![("address", "a:1"), ("stream", "orders")];
    all.extend_from_slice(metadata);
    TriggerInput {
        type_: type_.to_owned(),
        metadata: all
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..TriggerInput::default()
    }
}

fn stream(metadata: &[(&str, &str)]) -> RedisStream<Single> {
    let input = input("redis-streams", metadata);
    RedisStream::read(&mut Reader::new(&input)).expect("right settings")
}

#[track_caller]
fn check(metadata: &[(&str, &str)], question: Question, target: i64) {
    let stream = stream(metadata);
    assert_eq!(stream.counted(), (question, target), "{metadata:?}");
    assert_eq!(
        stream.metrics().expect("a metric")[0].target,
        Target::Whole(target)
    );
}

#[test]
fn settings_decide_what_is_counted() {
    let (stream, group) = (|| "orders".to_owned(), || "billing".to_owned());
    let pending = || Question::Pending {
        stream: stream(),
        group: group(),
    };
    let lag = || Question::Lag {
        stream: stream(),
        group: group(),
    };
    let named = ("consumerGroup", "billing");
    check(&[], Question::Entries(stream()), 5);
    check(
        &[
            ("streamLength", "7"),
            ("lagCount", "3"),
            ("pendingEntriesCount", "2"),
        ],
        Question::Entries(stream()),
        7,
    );
    check(&[named], pending(), 5);
    check(
        &[named, ("pendingEntriesCount", "2"), ("streamLength", "7")],
        pending(),
        2,
    );
    check(&[named, ("lagCount", "0")], pending(), 5);
    check(&[named, ("lagCount", "30")], lag(), 30);
}

#[test]
fn the_activation_threshold_counts_in_every_mode() {
    for group in [None, Some(("consumerGroup", "g"))] {
        let mut settings = vec![("activationLagCount", "4")];
        settings.extend(group);
        let metrics = stream(&settings).metrics().expect("a metric");
        assert!((metrics[0].activation - 4.0).abs() < f64::EPSILON);
        assert_eq!(metrics[0].name, "redis-streams-orders");
    }
}

#[test]
fn sentinels_without_a_master_are_warned_of() {
    let built = read(&input("redis-sentinel-streams", &[])).expect("a warning only");
    assert!(built.warnings()[0].message.contains("sentinelMaster"));
    assert_eq!(read(&input("redis-streams", &[])).expect("right").warnings(), []);
}

#[test]
fn keys_are_offered_with_their_lengths() {
    let keys = Answer::Keys(std::sync::Arc::new(vec![("orders".to_owned(), 3)]));
    let offers = stream(&[]).read_inventory(&keys).expect("offers");
    let wanted = Offer {
        parameter: "stream",
        value: "orders".to_owned(),
        note: "3 entries".to_owned(),
    };
    assert_eq!(offers, [wanted]);
}
