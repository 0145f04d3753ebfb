//! The source against a cluster in memory, and against brokers that lie.

mod fake;
mod hostile;

use std::collections::BTreeMap;

use kafka_protocol::messages::ApiKey;

use super::*;
use fake::{Age, Fake, NEW, OLD};

pub(super) fn cluster(addresses: &[String]) -> Cluster {
    Cluster {
        bootstrap: addresses.to_vec(),
        sasl: Sasl::None,
        tls: None,
    }
}

async fn open(fake: &Fake) -> Kafka {
    let cluster = cluster(&fake.addresses[..1]);
    Kafka::open(&cluster, &Connect::default())
        .await
        .expect("a cluster")
}

fn named(group: &str, topics: &[&str]) -> Question {
    Question::Lag {
        group: group.to_owned(),
        topics: Topics::Named(topics.iter().map(|topic| (*topic).to_owned()).collect()),
        only: None,
    }
}

fn of(group: &str, topics: Topics) -> Question {
    Question::Lag {
        group: group.to_owned(),
        topics,
        only: None,
    }
}

async fn one(kafka: &Kafka, question: &Question) -> Result<Answer, ScalerError> {
    kafka.ask(std::slice::from_ref(question)).await.remove(0)
}

/// Topic, partition, commit and newest offset of everything in an answer.
fn flat(answer: Result<Answer, ScalerError>) -> Vec<(String, i32, Option<i64>, i64)> {
    let Answer::Offsets(topics) = answer.expect("an answer") else {
        panic!("no offsets");
    };
    let mut all = Vec::new();
    for topic in topics.iter() {
        for offsets in &topic.partitions {
            all.push((
                topic.topic.clone(),
                offsets.partition,
                offsets.committed,
                offsets.newest,
            ));
        }
    }
    all
}

fn row(topic: &str, partition: i32, committed: Option<i64>, newest: i64) -> (String, i32, Option<i64>, i64) {
    (topic.to_owned(), partition, committed, newest)
}

/// Two topics with four partitions, and a group that committed for some of them.
async fn shop(age: Age) -> Fake {
    let fake = Fake::start(age, 3).await;
    let mut books = fake.books();
    books.topics = BTreeMap::from([
        ("jobs".to_owned(), vec![10, 20, 30]),
        ("mails".to_owned(), vec![5]),
        ("__own".to_owned(), vec![1]),
    ]);
    let commits = [("jobs", 0, 4), ("jobs", 2, 30)];
    let commits = commits.map(|(topic, partition, offset)| ((topic.to_owned(), partition), offset));
    books.groups = BTreeMap::from([
        ("billing".to_owned(), BTreeMap::from(commits)),
        ("audit".to_owned(), BTreeMap::new()),
    ]);
    books.members.insert("billing".to_owned(), 2);
    drop(books);
    fake
}

#[tokio::test]
async fn brokers_of_every_age_are_understood() {
    for age in [OLD, NEW] {
        let fake = shop(age).await;
        let kafka = open(&fake).await;
        let jobs = [
            row("jobs", 0, Some(4), 10),
            row("jobs", 1, None, 20),
            row("jobs", 2, Some(30), 30),
        ];
        let both = [jobs.to_vec(), vec![row("mails", 0, None, 5)]].concat();
        let own = [vec![row("__own", 0, None, 1)], both.clone()].concat();
        assert_eq!(flat(one(&kafka, &named("billing", &["jobs"])).await), jobs);
        assert_eq!(
            flat(one(&kafka, &named("billing", &["mails", "jobs"])).await),
            both
        );
        assert_eq!(flat(one(&kafka, &of("billing", Topics::Committed)).await), jobs);
        assert_eq!(flat(one(&kafka, &of("audit", Topics::Committed)).await), []);
        assert_eq!(flat(one(&kafka, &of("billing", Topics::All)).await), own);
        let only = Question::Lag {
            group: "billing".to_owned(),
            topics: Topics::Named(vec!["jobs".to_owned()]),
            only: Some(vec![2, 9]),
        };
        assert_eq!(flat(one(&kafka, &only).await), [row("jobs", 2, Some(30), 30)]);
        let error = one(&kafka, &of("audit", Topics::All))
            .await
            .expect_err("no members");
        assert_eq!(
            error.to_string(),
            "the group `audit` has no members, and its state is Empty"
        );
    }
}

#[tokio::test]
async fn everything_that_a_trigger_could_name_is_listed() {
    for (age, state) in [(OLD, ""), (NEW, "Empty")] {
        let fake = shop(age).await;
        let Ok(Answer::Inventory(found)) = one(&open(&fake).await, &Question::Inventory).await else {
            panic!("no inventory");
        };
        assert_eq!(found.topics, [("jobs".to_owned(), 3), ("mails".to_owned(), 1)]);
        let group = |name: &str| (name.to_owned(), state.to_owned());
        assert_eq!(found.groups, [group("audit"), group("billing")]);
    }
}

#[tokio::test]
async fn a_thousand_questions_cost_a_handful_of_requests() {
    let fake = Fake::start(NEW, 3).await;
    let mut questions = Vec::new();
    for index in 0..1_000_i64 {
        let (topic, group) = (format!("topic-{index}"), format!("group-{index}"));
        let mut books = fake.books();
        books.topics.insert(topic.clone(), vec![index; 4]);
        books
            .groups
            .insert(group.clone(), BTreeMap::from([((topic.clone(), 1), 0)]));
        drop(books);
        questions.push(named(&group, &[&topic]));
    }
    let kafka = open(&fake).await;
    for (index, answer) in (0_i64..).zip(kafka.ask(&questions).await) {
        let newest: Vec<i64> = flat(answer).into_iter().map(|(.., newest)| newest).collect();
        assert_eq!(newest, [index; 4]);
    }
    let asked = [
        ApiKey::Metadata,
        ApiKey::FindCoordinator,
        ApiKey::OffsetFetch,
        ApiKey::ListOffsets,
    ]
    .map(|api| fake.asked(api));
    // Their names have three lengths, hence three coordinators.
    assert_eq!(asked, [1, 1, 3, 3]);
    kafka.ask(&questions).await;
    assert_eq!(
        fake.asked(ApiKey::FindCoordinator),
        0,
        "coordinators are remembered"
    );
    assert_eq!(fake.books().accepted, [1, 1, 1], "one connection a broker");
}

#[tokio::test]
async fn questions_of_one_group_travel_in_one_request() {
    for age in [OLD, NEW] {
        let fake = shop(age).await;
        let kafka = open(&fake).await;
        let questions = [
            named("billing", &["mails"]),
            of("billing", Topics::Committed),
            named("billing", &["jobs"]),
            named("billing", &["nothing"]),
        ];
        let mut answers = kafka.ask(&questions).await;
        let error = answers.remove(3).expect_err("no such topic");
        assert!(
            error
                .to_string()
                .contains("UnknownTopicOrPartition for the topic `nothing`"),
            "{error}"
        );
        let rows: Vec<usize> = answers.into_iter().map(|answer| flat(answer).len()).collect();
        assert_eq!(rows, [1, 3, 3]);
        assert_eq!(fake.asked(ApiKey::OffsetFetch), 1);
        assert_eq!(fake.asked(ApiKey::Metadata), 2, "a topic may be about to be made");
    }
}

#[tokio::test]
async fn what_changed_hands_is_asked_for_once_more() {
    let cases = [
        (ApiKey::ListOffsets, 6),
        (ApiKey::OffsetFetch, 16),
        (ApiKey::OffsetFetch, 14),
        (ApiKey::FindCoordinator, 15),
    ];
    for (api, code) in cases {
        let fake = shop(NEW).await;
        let kafka = open(&fake).await;
        fake.books().errors.insert(api as i16, code);
        assert_eq!(
            flat(one(&kafka, &named("billing", &["mails"])).await).len(),
            1,
            "{api:?} {code}"
        );
        assert_eq!(fake.asked(api), 2, "{api:?} {code}");
    }
}

#[tokio::test]
async fn what_no_second_look_can_change_is_said_at_once() {
    let fake = shop(NEW).await;
    let kafka = open(&fake).await;
    fake.books().errors.insert(ApiKey::FindCoordinator as i16, 30);
    let error = one(&kafka, &named("billing", &["jobs"]))
        .await
        .expect_err("refused");
    assert!(matches!(error, ScalerError::Unauthorized { .. }), "{error:?}");
    assert!(
        error
            .chain()
            .ends_with("GroupAuthorizationFailed for the group `billing`"),
        "{}",
        error.chain()
    );
    assert_eq!(fake.asked(ApiKey::FindCoordinator), 1);

    fake.books().withheld.push("billing".to_owned());
    let mut answers = kafka
        .ask(&[named("billing", &["jobs"]), named("audit", &["jobs"])])
        .await;
    assert_eq!(flat(answers.remove(1)).len(), 3, "others get their answer");
    let error = answers.remove(0).expect_err("left out");
    assert!(
        error.to_string().ends_with("without the group `billing`"),
        "{error}"
    );

    fake.books().withheld.push("mails".to_owned());
    let error = one(&kafka, &named("audit", &["mails"]))
        .await
        .expect_err("left out");
    let text = error.to_string();
    assert!(text.ends_with("without partition 0 of `mails`"), "{text}");
}

#[tokio::test]
async fn a_lost_broker_is_an_error_for_its_questions_only() {
    let fake = shop(NEW).await;
    let kafka = open(&fake).await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = dead.local_addr().expect("an address").to_string();
    drop(dead);
    // Partition 1 of `jobs` is led by the broker that has gone.
    fake.books().move_broker(1, &gone);
    let answers = kafka
        .ask(&[named("audit", &["jobs"]), named("audit", &["mails"])])
        .await;
    let [Err(error), Ok(_)] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    let text = error.chain();
    assert!(text.starts_with(&format!("cannot reach {gone}: ")), "{text}");
    assert!(
        text.ends_with(&format!("which {} named as a broker", fake.addresses[0])),
        "{text}"
    );
    assert!(!error.is_connection_lost(), "the cluster can be reached");
}

#[tokio::test]
async fn a_broker_that_hangs_does_not_hold_up_the_others() {
    let fake = shop(NEW).await;
    let kafka = open(&fake).await;
    // It takes connections, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = silent.local_addr().expect("an address").to_string();
    fake.books().move_broker(1, &mute);
    let questions = [named("audit", &["jobs"]), named("audit", &["mails"])];
    let asked = kafka.ask(&questions);
    let answers = tokio::time::timeout(Connect::default().timeout, asked).await;
    let answers = answers.expect("within the deadline of a reading");
    let [Err(error), Ok(_)] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert_eq!(error.to_string(), format!("no answer from {mute} within 1s"));
}

#[tokio::test]
async fn the_next_bootstrap_server_is_tried() {
    let fake = shop(NEW).await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = dead.local_addr().expect("an address").to_string();
    drop(dead);
    let some = cluster(&[gone.clone(), fake.addresses[1].clone()]);
    let kafka = Kafka::open(&some, &Connect::default()).await.expect("the second");
    assert_eq!(flat(one(&kafka, &named("billing", &["mails"])).await).len(), 1);
    let none = Kafka::open(&cluster(std::slice::from_ref(&gone)), &Connect::default()).await;
    let error = none.err().expect("nobody is there");
    assert!(
        error.is_connection_lost() && error.to_string() == format!("cannot reach {gone}"),
        "{error}"
    );
}

#[tokio::test]
async fn a_bootstrap_server_behind_many_silent_ones_is_heard() {
    let fake = shop(NEW).await;
    // They take connections, and never say a word.
    let silent: Vec<_> = (0..5)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"))
        .collect();
    let address = |server: &std::net::TcpListener| server.local_addr().expect("an address").to_string();
    let mut servers: Vec<String> = silent.iter().map(address).collect();
    servers.push(fake.addresses[1].clone());
    let connect = Connect::default();
    let opened = tokio::time::timeout(connect.timeout, Kafka::open(&cluster(&servers), &connect)).await;
    let kafka = opened
        .expect("within the deadline of a reading")
        .expect("the last one");
    assert_eq!(flat(one(&kafka, &named("billing", &["mails"])).await).len(), 1);
}

fn plain(fake: &Fake, password: &str) -> Cluster {
    Cluster {
        sasl: Sasl::Plain(Password {
            username: "alice".to_owned(),
            password: password.into(),
        }),
        ..cluster(&fake.addresses[..1])
    }
}

#[tokio::test]
async fn a_refusal_never_quotes_the_password() {
    let fake = shop(NEW).await;
    fake.books().password = Some(("open sesame".to_owned(), 0));
    Kafka::open(&plain(&fake, "open sesame"), &Connect::default())
        .await
        .expect("the right password");
    let refused = Kafka::open(&plain(&fake, "open barley"), &Connect::default()).await;
    let error = refused.err().expect("the wrong password");
    assert!(matches!(error, ScalerError::Unauthorized { .. }), "{error:?}");
    let text = format!("{} {error:?}", error.chain());
    assert!(
        !text.contains("barley") && text.contains("quotes the credentials"),
        "{text}"
    );

    let other = Cluster {
        sasl: Sasl::ScramSha256(Password {
            username: "alice".to_owned(),
            password: "open sesame".into(),
        }),
        ..cluster(&fake.addresses[..1])
    };
    let refused = Kafka::open(&other, &Connect::default()).await;
    let text = refused.err().expect("no SCRAM").chain();
    assert!(text.ends_with("it knows PLAIN, not SCRAM-SHA-256"), "{text}");
    let later = Cluster {
        sasl: Sasl::Later("gssapi"),
        ..other
    };
    let refused = Kafka::open(&later, &Connect::default()).await;
    let text = refused.err().expect("no Kerberos").to_string();
    assert_eq!(
        text,
        "`gssapi` is not in this version yet, so the cluster cannot be asked"
    );
}

#[tokio::test]
async fn credentials_are_shown_anew_before_a_session_ends() {
    let fake = shop(NEW).await;
    fake.books().password = Some(("open sesame".to_owned(), 1));
    let kafka = Kafka::open(&plain(&fake, "open sesame"), &Connect::default())
        .await
        .expect("the right password");
    let question = named("billing", &["jobs"]);
    let mut shown = 0;
    // A session lasts for a millisecond, so this takes a round or two.
    for _ in 0..10_000 {
        assert_eq!(flat(one(&kafka, &question).await).len(), 3);
        shown += fake.asked(ApiKey::SaslAuthenticate);
        if shown > 3 {
            return;
        }
    }
    panic!("the first session went on for good");
}
