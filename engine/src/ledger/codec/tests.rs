use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{decode, encode, lane};
use crate::activate::{Decision, Reading, TriggerReading, Why};
use crate::hpa::{Recomputed, Unseen, Verdict};
use crate::ledger::What;
use crate::ledger::names::Names;
use crate::metric::MetricName;

/// No text is cut.
const WHOLE: usize = usize::MAX;

fn times() -> impl Strategy<Value = Timestamp> {
    let bounds = Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond();
    bounds.prop_map(|nanos| Timestamp::from_nanosecond(nanos).unwrap())
}

fn names() -> impl Strategy<Value = MetricName> {
    prop_oneof!["s[0-2]-[ab]", ".*", ".{200,300}"].prop_map(MetricName::new)
}

fn readings() -> impl Strategy<Value = TriggerReading> {
    let reading = prop_oneof![
        Just(Reading::Active),
        Just(Reading::Inactive),
        Just(Reading::Resource),
        ".*".prop_map(Reading::Failed),
    ];
    let value = prop_oneof![any::<u64>(), (-9..9_i32).prop_map(|v| f64::from(v).to_bits())];
    let value = proptest::option::of(value.prop_map(f64::from_bits));
    (any::<usize>(), names(), value, reading).prop_map(|(trigger, metric, value, reading)| TriggerReading {
        trigger,
        metric,
        value,
        reading,
    })
}

fn decisions() -> impl Strategy<Value = Decision> {
    let why = select(vec![
        Why::Paused,
        Why::ScaleOutPaused,
        Why::ScaleInPaused,
        Why::SomeTriggersFailed,
        Why::TriggersFailed,
        Why::ReplicasUnknown,
        Why::AlreadyThere,
        Why::NothingPushed,
    ]);
    prop_oneof![
        any::<i32>().prop_map(|to| Decision::Activate { to }),
        Just(Decision::StayActive),
        any::<i32>().prop_map(|to| Decision::Deactivate { to }),
        any::<i32>().prop_map(|to| Decision::RaiseToMin { to }),
        times().prop_map(|until| Decision::CoolDown { until }),
        why.prop_map(Decision::Hold),
    ]
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    let unseen = select(vec![
        Unseen::Past,
        Unseen::Pods,
        Unseen::Served,
        Unseen::Memory,
        Unseen::Write,
        Unseen::Sync,
    ]);
    prop_oneof![
        Just(Verdict::Agrees),
        unseen.prop_map(|unseen| Verdict::Unknown { unseen }),
        any::<(i32, i32)>().prop_map(|(least, most)| Verdict::Differs { least, most }),
        (".*", ".*", ".*").prop_map(|(metric, reported, served)| Verdict::OtherValue {
            metric,
            reported,
            served,
        }),
    ]
}

fn recomputed() -> impl Strategy<Value = Recomputed> {
    let parts = (any::<(i32, i32, Option<i32>)>(), verdicts(), ".*");
    parts.prop_map(|(numbers, verdict, arithmetic)| Recomputed {
        current: numbers.0,
        desired: numbers.1,
        verdict,
        changed_from: numbers.2,
        arithmetic,
    })
}

fn events() -> impl Strategy<Value = What> {
    let readings = proptest::collection::vec(readings(), 0..5);
    let replicas = any::<Option<i32>>;
    let value = (any::<bool>(), ".*").prop_map(|(is_ok, text)| if is_ok { Ok(text) } else { Err(text) });
    prop_oneof![
        (readings, replicas(), decisions()).prop_map(|(readings, replicas, decision)| What::Poll {
            readings,
            replicas,
            decision,
        }),
        (names(), replicas(), decisions()).prop_map(|(metric, replicas, decision)| What::Push {
            metric,
            replicas,
            decision,
        }),
        (names(), value, any::<bool>()).prop_map(|(metric, value, cached)| What::Read {
            metric,
            value,
            cached,
        }),
        recomputed().prop_map(|found| What::Hpa(Box::new(found))),
        (".*", proptest::option::of(".*")).prop_map(|(action, error)| What::Write { action, error }),
        ".*".prop_map(|outcome| What::Reconcile { outcome }),
        ".*".prop_map(|text| What::Note { text }),
    ]
}

/// An event without its values, and their bits: a value that is no number equals nothing, and zeros of either sign each other.
fn parted(mut what: What) -> (What, Vec<Option<u64>>) {
    let mut values = Vec::new();
    if let What::Poll { readings, .. } = &mut what {
        values.extend(
            readings
                .iter_mut()
                .map(|reading| reading.value.take().map(f64::to_bits)),
        );
    }
    (what, values)
}

proptest! {
    #[test]
    fn events_survive_bit_by_bit(all in proptest::collection::vec(events(), 1..12)) {
        let mut names = Names::default();
        let encoded: Vec<Vec<u8>> = all.iter().map(|what| encode(what, &mut names, WHOLE)).collect();
        for (what, bytes) in all.into_iter().zip(&encoded) {
            prop_assert_eq!(&encode(&what, &mut names, WHOLE), bytes, "equal events have equal bytes");
            prop_assert_eq!(decode(bytes, &names).map(parted), Some(parted(what)));
        }
    }

    #[test]
    fn bytes_that_are_no_event_are_none(what in events(), at in any::<Index>(), noise in any::<Vec<u8>>()) {
        let mut names = Names::default();
        let bytes = encode(&what, &mut names, WHOLE);
        let longer = [&bytes[..], &[0xff]].concat();
        prop_assert!(decode(&longer, &names).is_none());
        let shorter = &bytes[..at.index(bytes.len())];
        // A poll with fewer readings and a write without its error are events as well.
        if !matches!(what, What::Poll { .. } | What::Write { .. }) {
            prop_assert!(decode(shorter, &names).is_none());
        }
        for bytes in [shorter, &noise] {
            drop((decode(bytes, &names), lane(bytes)));
        }
    }
}

fn failed(errors: &[String]) -> What {
    let reading = |(trigger, error): (usize, &String)| TriggerReading {
        trigger,
        metric: MetricName::new("s0-x"),
        value: None,
        reading: Reading::Failed(error.clone()),
    };
    What::Poll {
        readings: errors.iter().enumerate().map(reading).collect(),
        replicas: None,
        decision: Decision::Hold(Why::TriggersFailed),
    }
}

#[track_caller]
fn check_cut(what: &What, most: usize, expected: &What) {
    let mut names = Names::default();
    let bytes = encode(what, &mut names, most);
    assert_eq!(decode(&bytes, &names).as_ref(), Some(expected));
}

#[test]
fn long_texts_are_cut_at_a_character() {
    let note = |text: &str| What::Note {
        text: text.to_owned(),
    };
    check_cut(&note("0123456789"), 10, &note("0123456789"));
    check_cut(&note("0123456789x"), 10, &note("0123456…"));
    check_cut(&note("ééééééé"), 10, &note("ééé…"));
    check_cut(&note("long"), 0, &note("…"));
}

#[test]
fn the_errors_of_a_poll_share_what_texts_may_take() {
    let (long, short) = ("x".repeat(900), "y".to_owned());
    let half = format!("{}…", "x".repeat(253));
    check_cut(
        &failed(&[long.clone(), short.clone()]),
        512,
        &failed(&[half, short]),
    );
    let bytes = encode(&failed(&vec![long; 40]), &mut Names::default(), 512);
    assert!(bytes.len() < 512 + 40 * 4, "{}", bytes.len());
}
