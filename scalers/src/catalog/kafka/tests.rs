use std::sync::Arc;

use super::apache::ApacheKafka;
use super::classic::Kafka;
use super::*;
use crate::scaler::Trigger;
use crate::source::kafka::{Cluster, Inventory, PartitionOffsets, Question, Sasl, Topics};
use crate::{AuthParams, TriggerInput};

const BASE: [(&str, &str); 2] = [("bootstrapServers", "a:1, b:2"), ("consumerGroup", "g")];

fn input(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> TriggerInput {
    let mut params = AuthParams::default();
    for (parameter, value) in auth {
        params.insert(*parameter, *value);
    }
    let all = BASE.iter().chain(metadata);
    TriggerInput {
        metadata: all
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        auth: params,
        ..TriggerInput::default()
    }
}

/// The trigger, and everything that was said about it.
fn read<T: Trigger>(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> (Option<T>, Vec<String>) {
    let input = input(metadata, auth);
    let mut reader = Reader::new(&input);
    let trigger = T::read(&mut reader);
    if let Some(trigger) = &trigger {
        trigger.check(&mut reader);
    }
    let said = reader.into_diagnostics();
    (
        trigger,
        said.iter().map(|finding| finding.message.clone()).collect(),
    )
}

#[track_caller]
fn right<T: Trigger>(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> T {
    let (trigger, said) = read(metadata, auth);
    assert_eq!(said, [""; 0]);
    trigger.expect("right settings")
}

#[track_caller]
fn says<T: Trigger>(metadata: &[(&str, &str)], auth: &[(&str, &str)], wanted: &[&str]) {
    assert_eq!(read::<T>(metadata, auth).1, wanted);
}

#[test]
fn each_login_asks_for_what_it_needs() {
    let missing = |key: &str, sasl: &str| format!("missing parameter `{key}`, which `{sasl}` needs");
    for sasl in ["plaintext", "scram_sha256", "scram_sha512"] {
        let (user, password) = (missing("username", sasl), missing("password", sasl));
        says::<Kafka>(&[("sasl", sasl)], &[], &[&user, &password]);
        says::<Kafka>(&[], &[("sasl", sasl), ("username", "u")], &[&password]);
    }
    says::<ApacheKafka>(
        &[("sasl", "scram_sha512")],
        &[("username", "u")],
        &["SCRAM needs the parameters `username` and `password`"],
    );
    says::<Kafka>(
        &[("sasl", "oauthbearer")],
        &[("username", "u"), ("password", "p"), ("oauthExtensions", "a=b=c")],
        &[
            &missing("oauthTokenEndpointUri", "oauthbearer"),
            "`oauthExtensions` must be `key=value` between commas",
        ],
    );
    says::<Kafka>(
        &[("sasl", "gssapi")],
        &[
            ("username", "u"),
            ("realm", "R"),
            ("kerberosConfig", "x"),
            ("password", "p"),
        ],
        &["`gssapi` is not in this version yet: every reading will fail"],
    );
    says::<ApacheKafka>(
        &[("sasl", "aws_msk_iam"), ("awsRegion", "r"), ("tls", "enable")],
        &[],
        &["`aws_msk_iam` is not in this version yet: every reading will fail"],
    );
    says::<ApacheKafka>(
        &[("sasl", "none"), ("tls", "disable")],
        &[("sasl", "none"), ("tls", "enable")],
        &[
            "`sasl` cannot be given in the metadata and in a TriggerAuthentication",
            "`tls` cannot be given in the metadata and in a TriggerAuthentication",
        ],
    );
}

#[test]
fn settings_must_go_together() {
    let limit = ("limitToPartitionsWithLag", "true");
    let even = ("ensureEvenDistributionOfPartitions", "true");
    says::<Kafka>(
        &[limit],
        &[],
        &["missing `topic`, which `limitToPartitionsWithLag` needs"],
    );
    says::<Kafka>(
        &[even],
        &[],
        &["missing `topic`, which `ensureEvenDistributionOfPartitions` needs"],
    );
    says::<ApacheKafka>(&[even], &[], &[]);
    says::<Kafka>(
        &[limit, even, ("topic", "t")],
        &[],
        &["`limitToPartitionsWithLag` and `ensureEvenDistributionOfPartitions` cannot be given together"],
    );
    says::<Kafka>(
        &[("fullMetadata", "false")],
        &[],
        &["missing `topic`, which `fullMetadata: false` needs"],
    );
    says::<Kafka>(
        &[("partitionLimitation", "1")],
        &[],
        &["`partitionLimitation` means nothing without `topic`"],
    );
    says::<Kafka>(&[("lagThreshold", "0")], &[], &["`lagThreshold` must be above 0"]);
    for good in ["1.0.0", "3.10.1", "0.10.2.1"] {
        says::<Kafka>(&[("version", good)], &[], &[]);
    }
    for bad in ["1.0", "v1.0.0", "1.0.0.0", "1.0.x", "latest"] {
        let text = format!("`version` must be a version such as `2.8.0`, not `{bad}`");
        says::<Kafka>(&[("version", bad)], &[], &[&text]);
    }
}

#[test]
fn what_makes_clusters_differ() {
    let of = |metadata: &[(&str, &str)], auth: &[(&str, &str)]| right::<Kafka>(metadata, auth).source();
    let jobs = of(&[("topic", "jobs")], &[]);
    assert_eq!(jobs.bootstrap, ["a:1", "b:2"]);
    assert_eq!(
        jobs,
        of(&[("topic", "mails"), ("lagThreshold", "9")], &[]),
        "a topic is a question"
    );
    assert_eq!(
        jobs,
        right::<ApacheKafka>(&[], &[("ca", "x")]).source(),
        "no TLS, no authority"
    );
    let tls = of(
        &[],
        &[("tls", "enable"), ("ca", "x"), ("cert", "y"), ("key", "z")],
    );
    let settings = tls.tls.clone().expect("TLS");
    assert_eq!(
        (settings.ca, settings.certificate),
        (Some("x".into()), Some("y".into()))
    );
    assert_ne!(
        tls,
        of(
            &[("tls", "enable"), ("unsafeSsl", "true")],
            &[("ca", "x"), ("cert", "y"), ("key", "z")]
        )
    );
    let login = |sasl: &str, password: &str| -> Cluster {
        of(&[("sasl", sasl)], &[("username", "u"), ("password", password)])
    };
    assert_ne!(login("plaintext", "p"), login("plaintext", "q"));
    assert_ne!(login("scram_sha256", "p"), login("scram_sha512", "p"));
    let auth = [
        ("username", "u"),
        ("password", "p"),
        ("oauthTokenEndpointUri", "https://sso"),
        ("scopes", "a,b"),
        ("oauthExtensions", "k=v,l=w"),
    ];
    let Sasl::OAuthBearer(tokens) = of(&[("sasl", "oauthbearer")], &auth).sasl else {
        panic!("no tokens");
    };
    assert_eq!(tokens.oauth.scopes, ["a", "b"]);
    assert_eq!(tokens.extensions["l"].expose(), "w");
}

#[test]
fn what_is_asked_for() {
    let question = |topics: Topics, only: Option<&[i32]>| Question::Lag {
        group: "g".to_owned(),
        topics,
        only: only.map(<[i32]>::to_vec),
    };
    let named = |names: &[&str]| Topics::Named(names.iter().map(|name| (*name).to_owned()).collect());
    let classic = |metadata: &[(&str, &str)]| {
        read::<Kafka>(metadata, &[])
            .0
            .expect("read")
            .question("")
            .expect("one")
    };
    let apache = |metadata: &[(&str, &str)]| right::<ApacheKafka>(metadata, &[]).question("").expect("one");
    let limit = ("partitionLimitation", "1,3-5");
    let reversed = ("partitionLimitation", "9-3");
    assert_eq!(classic(&[]), question(Topics::Committed, None));
    assert_eq!(classic(&[limit]), question(Topics::Committed, None));
    assert_eq!(
        classic(&[("topic", "t"), limit]),
        question(named(&["t"]), Some(&[1, 3, 4, 5]))
    );
    assert_eq!(
        classic(&[("topic", "t"), reversed]),
        question(named(&["t"]), None)
    );
    assert_eq!(apache(&[]), question(Topics::All, None));
    assert_eq!(apache(&[limit]), question(Topics::All, Some(&[1, 3, 4, 5])));
    assert_eq!(
        apache(&[("topic", "t, u"), reversed]),
        question(named(&["t", "u"]), None)
    );
    assert_eq!(
        apache(&[("topic", "t"), ("partitionLimitation", "9999999999")]),
        question(named(&["t"]), Some(&[-1]))
    );
    // In any order and more than once, it is the same question.
    assert_eq!(
        classic(&[("topic", "t"), ("partitionLimitation", "5,3-5,1")]),
        question(named(&["t"]), Some(&[1, 3, 4, 5]))
    );
    for bad in ["1,,2", "1,x", "5-", "-1", "0-9999999", "0-60000,0-60000"] {
        assert_eq!(
            read::<Kafka>(&[("topic", "t"), ("partitionLimitation", bad)], &[])
                .1
                .len(),
            1,
            "{bad}"
        );
    }
}

fn answer(offsets: &[(Option<i64>, i64)]) -> Answer {
    let partitions = (0..)
        .zip(offsets)
        .map(|(partition, (committed, newest))| PartitionOffsets {
            partition,
            committed: *committed,
            newest: *newest,
        });
    Answer::Offsets(Arc::new(vec![TopicOffsets {
        topic: "t".to_owned(),
        partitions: partitions.collect(),
    }]))
}

#[test]
fn answers_are_read() {
    #[track_caller]
    fn check(metadata: &[(&str, &str)], offsets: &[(Option<i64>, i64)], value: f64, active: bool) {
        let given = [metadata, &[("topic", "t")]].concat();
        let wanted = vec![Reading {
            value,
            active: Some(active),
        }];
        let answer = answer(offsets);
        assert_eq!(
            right::<Kafka>(&given, &[]).read_answer(&answer).expect("a value"),
            wanted
        );
        assert_eq!(
            right::<ApacheKafka>(&given, &[])
                .read_answer(&answer)
                .expect("a value"),
            wanted
        );
    }
    let offsets = [(Some(2), 45), (None, 9)];
    check(&[], &offsets, 20.0, true);
    check(&[("activationLagThreshold", "44")], &offsets, 20.0, false);
    check(&[("activationLagThreshold", "43")], &offsets, 20.0, true);
    check(&[("allowIdleConsumers", "true")], &offsets, 44.0, true);
    check(
        &[
            ("scaleToZeroOnInvalidOffset", "true"),
            ("allowIdleConsumers", "true"),
        ],
        &offsets,
        43.0,
        true,
    );
    check(
        &[("offsetResetPolicy", "earliest"), ("allowIdleConsumers", "true")],
        &offsets,
        52.0,
        true,
    );
    check(
        &[("limitToPartitionsWithLag", "true")],
        &[(Some(2), 45), (Some(9), 9)],
        10.0,
        true,
    );
    check(
        &[
            ("allowIdleConsumers", "true"),
            ("ensureEvenDistributionOfPartitions", "true"),
        ],
        &[(Some(9), 9), (Some(9), 9)],
        10.0,
        false,
    );
    check(&[], &[(Some(9), 9)], 0.0, false);
}

#[test]
fn a_topic_without_a_partition_that_counts_is_an_error_for_one_type_only() {
    let none = answer(&[]);
    let classic = right::<Kafka>(&[("topic", "t")], &[]);
    let error = classic.read_answer(&none).expect_err("nothing to read");
    assert_eq!(
        error.to_string(),
        "the topic `t` has none of the partitions that count"
    );
    let apache = right::<ApacheKafka>(&[("topic", "t")], &[]);
    let reading = apache.read_answer(&none).expect("nothing is behind");
    assert_eq!(
        reading,
        [Reading {
            value: 0.0,
            active: Some(false)
        }]
    );
}

#[test]
fn persistent_lag_is_remembered_as_long_as_the_trigger_lives() {
    let trigger = right::<Kafka>(&[("topic", "t"), ("excludePersistentLag", "true")], &[]);
    let value = |trigger: &Kafka, committed: i64| {
        let reading = trigger
            .read_answer(&answer(&[(Some(committed), 9)]))
            .expect("a value");
        (reading[0].value as i64, reading[0].active)
    };
    assert_eq!(value(&trigger, 4), (5, Some(true)));
    assert_eq!(
        value(&trigger.clone(), 4),
        (0, Some(true)),
        "a clone shares the memory"
    );
    assert_eq!(value(&trigger, 5), (4, Some(true)));
    let other = right::<Kafka>(&[("topic", "t"), ("excludePersistentLag", "true")], &[]);
    assert_eq!(value(&other, 5), (4, Some(true)), "another trigger has its own");
}

#[test]
fn topics_and_groups_are_offered() {
    let found = Answer::Inventory(Arc::new(Inventory {
        topics: vec![("jobs".to_owned(), 3), ("mails".to_owned(), 1)],
        groups: vec![("billing".to_owned(), "Stable".to_owned())],
    }));
    let offers = right::<Kafka>(&[], &[]).read_inventory(&found).expect("offers");
    let said: Vec<String> = offers
        .iter()
        .map(|offer| format!("{} {}: {}", offer.parameter, offer.value, offer.note))
        .collect();
    assert_eq!(
        said,
        [
            "topic jobs: 3 partitions",
            "topic mails: 1 partition",
            "consumerGroup billing: stable"
        ]
    );
    right::<Kafka>(&[], &[])
        .read_answer(&found)
        .expect_err("no offsets");
}
