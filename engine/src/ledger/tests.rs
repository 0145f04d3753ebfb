use super::*;
use crate::activate::Reading;
use proptest::prelude::*;

/// What most metrics of the bench are called, a name of middling length.
const METRIC: &str = "s0-metric-api-value";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn poll(value: f64) -> What {
    let reading = TriggerReading {
        trigger: 0,
        metric: MetricName::new(METRIC),
        value: Some(value),
        reading: Reading::Active,
    };
    What::Poll {
        readings: vec![reading],
        replicas: Some(1),
        decision: Decision::StayActive,
    }
}

fn read_of(metric: &str, value: &str) -> What {
    What::Read {
        metric: MetricName::new(metric),
        value: Ok(value.to_owned()),
        cached: false,
    }
}

fn read(value: &str) -> What {
    read_of(METRIC, value)
}

fn note(text: impl Into<String>) -> What {
    What::Note { text: text.into() }
}

fn write() -> What {
    What::Write {
        action: "scale".to_owned(),
        error: None,
    }
}

#[test]
fn equal_neighbours_are_counted() {
    let mut ring = Ring::default();
    for second in 0..10 {
        ring.record(at(second), poll(5.0));
        ring.record(at(second), read("5"));
    }
    assert_eq!(ring.len(), 2);
    let first = ring.iter().next().unwrap();
    assert_eq!((first.count, first.at, first.until), (10, at(0), at(9)));
}

#[test]
fn a_change_or_a_write_ends_the_count() {
    let mut ring = Ring::default();
    for what in [
        poll(5.0),
        poll(6.0),
        poll(5.0),
        write(),
        poll(5.0),
        write(),
        write(),
    ] {
        ring.record(at(1), what);
    }
    assert_eq!(ring.len(), 7);
}

#[test]
fn values_are_equal_by_their_bits() {
    let mut ring = Ring::default();
    for value in [f64::NAN, f64::NAN, 0.0, -0.0, -0.0] {
        ring.record(at(1), poll(value));
    }
    let counts: Vec<u32> = ring.iter().map(|record| record.count).collect();
    assert_eq!(counts, [2, 1, 2]);
}

#[test]
fn the_last_decision_is_found_behind_reads() {
    let mut ring = Ring::default();
    ring.record(at(1), poll(5.0));
    ring.record(at(2), read("7"));
    let (record, decision) = ring.last_decision().unwrap();
    assert_eq!((record.at, decision), (at(1), Decision::StayActive));
}

#[test]
fn a_record_above_the_budget_is_not_kept_and_costs_no_other() {
    let mut ring = Ring::default();
    ring.record(at(1), read_of(&"x".repeat(BUDGET), "5"));
    assert!(ring.is_empty() && ring.size() == 0);
    ring.record(at(1), poll(5.0));
    ring.record(at(2), read_of(&"x".repeat(BUDGET), "5"));
    assert_eq!(
        ring.iter().map(|record| record.what).collect::<Vec<_>>(),
        [poll(5.0)]
    );
}

#[test]
fn a_long_error_leaves_room_for_others() {
    let mut ring = Ring::default();
    ring.record(at(1), poll(5.0));
    for second in 2..5 {
        ring.record(at(second), note(format!("{second}{}", "x".repeat(5_000))));
    }
    assert_eq!(ring.len(), 4);
    let What::Note { text } = ring.iter().last().unwrap().what else {
        panic!("{ring:?}");
    };
    assert!(text.len() == BUDGET / TEXTS && text.starts_with("4x") && text.ends_with("x…"));
}

/// A ring that polls and reads filled, no two of them alike, at moments as they are.
fn filled(metric: &str) -> Ring {
    let mut ring = Ring::default();
    for second in 0_i32..500 {
        let time = Timestamp::new(1_790_000_000 + i64::from(second) * 15, 123_456_789).unwrap();
        let What::Poll {
            mut readings,
            replicas,
            decision,
        } = poll(second.into())
        else {
            unreachable!("it is a poll");
        };
        readings[0].metric = MetricName::new(metric);
        ring.record(
            time,
            What::Poll {
                readings,
                replicas,
                decision,
            },
        );
        ring.record(time, read_of(metric, &second.to_string()));
    }
    ring
}

#[test]
fn the_budget_holds_a_hundred_polls_and_reads() {
    for metric in [METRIC, "s1-kafka-orders-of-all-shops-by-the-hour-consumers"] {
        let ring = filled(metric);
        let (length, each) = (ring.len(), ring.size() / ring.len());
        assert!(length >= 90 && each <= 22, "{length} records of {each} bytes");
    }
}

#[test]
fn a_full_ring_holds_hardly_more_room_than_records() {
    let ring = filled(METRIC);
    assert!(ring.bytes.capacity() <= BUDGET, "{}", ring.bytes.capacity());
    let mut quiet = Ring::default();
    for second in 0..500 {
        quiet.record(at(second), poll(5.0));
        quiet.record(at(second), read("5"));
    }
    assert!(quiet.bytes.capacity() <= GROWTH, "{}", quiet.bytes.capacity());
}

#[test]
fn a_ring_that_shrinks_gives_back_its_room() {
    let mut ring = filled(METRIC);
    ring.shrink(BUDGET / 2);
    let (held, room) = (ring.size(), ring.bytes.capacity());
    assert!(
        held <= BUDGET / 2 && held > BUDGET / 3 && room < BUDGET / 2 + GROWTH,
        "{held} in {room}"
    );
    assert_eq!(ring.iter().last().unwrap().what, read("499"));
    ring.shrink(0);
    assert!(ring.is_empty() && ring.size() == 0);
    assert_eq!(ring.bytes.capacity() + ring.names.size(), 0);
}

#[test]
fn names_of_metrics_that_are_gone_take_little() {
    let mut ring = Ring::default();
    for second in 0..1_000 {
        ring.record(at(second), read_of(&format!("s0-metric-of-second-{second}"), "5"));
        assert!(ring.names.size() <= 256 && ring.size() <= BUDGET);
    }
    let names: Vec<String> = ring
        .iter()
        .map(|record| crate::explain::record(&record))
        .collect();
    assert!(
        ring.len() > 30 && names.last().unwrap().contains("s0-metric-of-second-999"),
        "{names:?}"
    );
}

#[test]
fn rings_with_the_same_records_are_equal() {
    let (mut one, mut other) = (Ring::new(200), Ring::new(200));
    for second in 0..20 {
        one.record(at(second), read_of("gone", &second.to_string()));
    }
    for second in 20..60 {
        for ring in [&mut one, &mut other] {
            ring.record(at(second), read(&second.to_string()));
        }
    }
    assert_ne!(one, other);
    for ring in [&mut one, &mut other] {
        while ring.len() > 3 {
            ring.shrink(ring.size() - 1);
        }
    }
    assert_eq!(one, other);
    assert_ne!(one.size(), other.size(), "one of them knows a name that is gone");
}

/// The rules of the ring over records as they are, without a budget.
#[derive(Default)]
struct Model(Vec<Record>);

impl Model {
    fn push(&mut self, record: Record) {
        let lane = |what: &What| match what {
            What::Push { .. } | What::Write { .. } => None,
            What::Read { metric, .. } => Some((std::mem::discriminant(what), Some(metric.clone()))),
            _ => Some((std::mem::discriminant(what), None)),
        };
        let newest = self.0.iter_mut().rev().take(NEIGHBOURS);
        let mut passed = newest.take_while(|other| lane(&other.what).is_some());
        let same =
            lane(&record.what).and_then(|own| passed.find(|other| lane(&other.what) == Some(own.clone())));
        match same.filter(|other| other.what == record.what) {
            Some(other) => {
                other.count += record.count;
                other.until = other.until.max(record.until);
            }
            None => self.0.push(record),
        }
    }
}

/// Few events, so that many are equal; some are long.
fn events() -> impl Strategy<Value = What> {
    let metric = prop_oneof!["[ab]", "[ab]", "[a-f]{90}"];
    prop_oneof![
        (0..3_i32).prop_map(|value| poll(value.into())),
        (metric, "[12]").prop_map(|(metric, value)| read_of(&metric, &value)),
        "[ab]".prop_map(note),
        "[ab]{0,120}".prop_map(|outcome| What::Reconcile { outcome }),
        Just(write()),
        "[ab]".prop_map(|metric| What::Push {
            metric: MetricName::new(metric),
            replicas: None,
            decision: Decision::Activate { to: 1 },
        }),
    ]
}

proptest! {
    #[test]
    fn a_ring_has_the_newest_of_all_records(
        pushed in proptest::collection::vec((events(), 0..50_i64), 0..150),
        budget in 1_300..4_096_usize,
    ) {
        let (mut ring, mut model) = (Ring::new(budget), Model::default());
        let mut second = 0;
        for (what, later) in pushed {
            second += later;
            let record = Record::new(at(second), what);
            ring.push(&record);
            model.push(record);
            prop_assert!(ring.size() <= budget && ring.bytes.capacity() <= budget + GROWTH);
            let records: Vec<Record> = ring.iter().collect();
            prop_assert_eq!(records.len(), ring.len());
            prop_assert_eq!(&records[..], &model.0[model.0.len() - ring.len()..]);
            // What was dropped would not have fitted.
            prop_assert!(ring.len() == model.0.len() || ring.size() + 150 > budget);
        }
    }

    #[test]
    fn a_small_budget_holds(texts in proptest::collection::vec("[a-c]{0,40}", 0..90), budget in 0..120_usize) {
        let mut ring = Ring::new(budget);
        for (second, text) in (0_i64..).zip(&texts) {
            let what = if text.len() % 2 == 0 { note(text) } else { read_of(text, text) };
            ring.record(at(second), what);
            prop_assert!(ring.size() <= budget);
            prop_assert_eq!(ring.len(), ring.iter().count());
        }
    }
}

#[test]
fn polls_of_many_triggers_find_room() {
    let readings = (0..60).map(|trigger| TriggerReading {
        trigger,
        metric: MetricName::new(format!("s{trigger}-{}", "queue".repeat(8))),
        value: Some(1.0 / 7.0),
        reading: Reading::Active,
    });
    let poll = What::Poll {
        readings: readings.collect(),
        replicas: Some(1),
        decision: Decision::StayActive,
    };
    let mut ring = Ring::default();
    ring.record(at(1), poll.clone());
    assert!(ring.is_empty());
    ring.expect_polls_of(60);
    ring.record(at(1), poll.clone());
    ring.record(at(2), read("7"));
    let first = ring.iter().next().map(|record| record.what);
    assert_eq!((ring.len(), first), (2, Some(poll)));
    assert!(ring.size() <= 4 * BUDGET);
}
