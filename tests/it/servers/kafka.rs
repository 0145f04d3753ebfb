//! `kafka` and `apache-kafka` against a real broker.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::join_all;
use harness::kafka::proxy::Proxy;
use harness::kafka::{Kafka, PASSWORD, USER, shared};
use harness::socket::established;
use harness::tier::Tier;
use harness::wait::{look, wait_for};
use scalers::{Connect, Pool, TriggerInput};

use super::probe::{Probe, trigger};

/// A parameter and its value.
type Pair<'a> = (&'a str, &'a str);

/// The cases; they share one broker.
pub(crate) fn tier() -> Tier {
    Tier::new("servers")
        .needs(harness::kafka::available())
        .case("kafka_lag_is_what_was_produced_and_not_committed", lag)
        .case("kafka_makes_no_topic_by_asking_for_it", no_topic)
        .case("kafka_without_topic_follows_the_commits", without_topic)
        .case("apache_kafka_follows_topics_and_members", apache)
        .case("kafka_logs_in_each_way", logins)
        .case("kafka_renews_tokens_before_a_session_ends", tokens)
        .case("kafka_refusals_name_the_cause_and_no_secret", refusals)
        .case("kafka_triggers_of_one_cluster_share_its_connections", sharing)
        .case("kafka_cut_off_and_back_is_an_error_then_the_value", cut_and_back)
        .case("kafka_lists_topics_and_groups", inventory)
        .case("pool_a_stopped_kafka_disturbs_nobody", super::pool::stopped_kafka)
}

/// A trigger of a group on a topic, at a listener.
fn at(
    kafka: &Kafka,
    listener: &str,
    topic: &str,
    more: &[(&str, &str)],
    auth: &[(&str, &str)],
) -> TriggerInput {
    let servers = kafka.address(listener);
    let group = format!("group-of-{topic}");
    let base = [
        ("bootstrapServers", servers.as_str()),
        ("consumerGroup", group.as_str()),
        ("topic", topic),
    ];
    trigger("kafka", &[&base[..], more].concat(), auth)
}

/// A topic with three partitions, of which the first holds seven records, and the commit of four of them.
async fn seven(kafka: &Kafka, topic: &str) -> Result<()> {
    let mut client = kafka.producer().await?;
    client.create(&[topic], 3).await?;
    client.produce(topic, 0, 7).await?;
    for partition in 0..3 {
        let offset = if partition == 0 { 4 } else { 0 };
        client
            .commit(&format!("group-of-{topic}"), topic, partition, offset)
            .await?;
    }
    Ok(())
}

async fn lag() -> Result<()> {
    let kafka = shared().await?;
    let mut client = kafka.producer().await?;
    client.create(&["orders"], 3).await?;
    let plain = |more: &[(&str, &str)]| at(kafka, "PLAIN", "orders", more, &[]);
    let one = Probe::new(&plain(&[])).await?;
    let zero = Probe::new(&plain(&[("scaleToZeroOnInvalidOffset", "true")])).await?;
    let earliest = Probe::new(&plain(&[("offsetResetPolicy", "earliest")])).await?;
    // Three partitions that nobody ever read.
    one.is(3.0).await?;
    zero.is(0.0).await?;
    earliest.is(0.0).await?;
    client.produce("orders", 0, 12).await?;
    client.produce("orders", 2, 5).await?;
    earliest.is(17.0).await?;
    one.is(3.0).await?;

    for (partition, offset) in [(0, 2), (1, 0), (2, 1)] {
        client
            .commit("group-of-orders", "orders", partition, offset)
            .await?;
    }
    one.is(14.0).await?;
    let limited = Probe::new(&plain(&[("partitionLimitation", "1-2,9")])).await?;
    limited.is(4.0).await?;
    let bounded = Probe::new(&plain(&[
        ("lagThreshold", "2"),
        ("limitToPartitionsWithLag", "true"),
    ]))
    .await?;
    bounded.is(4.0).await?;
    let active = Probe::new(&plain(&[("activationLagThreshold", "14")])).await?;
    ensure!(
        active.ask().await?.active == Some(false),
        "fourteen is not above fourteen"
    );

    let stuck = Probe::new(&plain(&[("excludePersistentLag", "true")])).await?;
    stuck.is(14.0).await?;
    let sample = stuck.ask().await?;
    ensure!(
        sample.value.abs() < f64::EPSILON && sample.active == Some(true),
        "nobody moved: {sample:?}"
    );
    client.commit("group-of-orders", "orders", 0, 11).await?;
    stuck.is(1.0).await?;

    for (partition, offset) in [(0, 12), (2, 5)] {
        client
            .commit("group-of-orders", "orders", partition, offset)
            .await?;
    }
    for probe in [&one, &earliest, &limited, &bounded] {
        probe.is(0.0).await?;
    }
    Ok(())
}

async fn no_topic() -> Result<()> {
    let kafka = shared().await?;
    let text = Probe::new(&at(kafka, "PLAIN", "no-such-topic", &[], &[]))
        .await?
        .fails()
        .await?;
    ensure!(
        text.contains("UnknownTopicOrPartition for the topic `no-such-topic`"),
        "{text}"
    );
    let topics = kafka.producer().await?.topics().await?;
    ensure!(
        !topics.iter().any(|topic| topic == "no-such-topic"),
        "asking made a topic: {topics:?}"
    );
    Ok(())
}

async fn without_topic() -> Result<()> {
    let kafka = shared().await?;
    let mut client = kafka.producer().await?;
    client.create(&["mails", "letters"], 2).await?;
    let servers = kafka.address("PLAIN");
    let metadata = [
        ("bootstrapServers", servers.as_str()),
        ("consumerGroup", "postmen"),
    ];
    let all = Probe::new(&trigger("kafka", &metadata, &[])).await?;
    all.is(0.0).await?;
    client.produce("mails", 1, 6).await?;
    client.commit("postmen", "mails", 1, 2).await?;
    // The other partition of the topic has no commit, which counts as one.
    all.is(5.0).await?;
    client.produce("letters", 0, 3).await?;
    client.commit("postmen", "letters", 0, 0).await?;
    client.commit("postmen", "letters", 1, 0).await?;
    all.is(8.0).await
}

async fn apache() -> Result<()> {
    let kafka = shared().await?;
    let mut client = kafka.producer().await?;
    client.create(&["invoices", "refunds"], 2).await?;
    client.produce("invoices", 0, 9).await?;
    client.produce("refunds", 1, 4).await?;
    for topic in ["invoices", "refunds"] {
        for partition in 0..2 {
            client.commit("clerks", topic, partition, 0).await?;
        }
    }
    let servers = kafka.address("PLAIN");
    let base = [
        ("bootstrapServers", servers.as_str()),
        ("consumerGroup", "clerks"),
    ];
    let with = |more: &[(&str, &str)]| trigger("apache-kafka", &[&base[..], more].concat(), &[]);
    let both = Probe::new(&with(&[("topic", "invoices,refunds")])).await?;
    both.is(13.0).await?;
    let second = [("topic", "invoices,refunds"), ("partitionLimitation", "1")];
    Probe::new(&with(&second)).await?.is(4.0).await?;
    let text = Probe::new(&with(&[("topic", "invoices,no-such-refunds")]))
        .await?
        .fails()
        .await?;
    ensure!(text.contains("the topic `no-such-refunds`"), "{text}");

    let whole = Probe::new(&with(&[
        ("scaleToZeroOnInvalidOffset", "true"),
        ("allowIdleConsumers", "true"),
    ]))
    .await?;
    let text = whole.fails().await?;
    ensure!(text.contains("the group `clerks` has no members"), "{text}");
    client.join("clerks").await?;
    // Other cases make topics meanwhile, which have no leader for a moment.
    whole.recovers(13.0).await
}

async fn logins() -> Result<()> {
    let kafka = shared().await?;
    seven(kafka, "secured").await?;
    let pair = [("username", USER), ("password", PASSWORD)];
    let tls = [("tls", "enable"), ("ca", kafka.ca())];
    let client = kafka.client();
    let own = [("cert", client.crt.as_str()), ("key", client.key.as_str())];
    let ways: [(&str, &str, Vec<Pair<'_>>); 9] = [
        ("LOGIN", "plaintext", pair.to_vec()),
        ("LOGIN", "scram_sha256", pair.to_vec()),
        ("LOGIN", "scram_sha512", pair.to_vec()),
        ("TLS", "none", tls.to_vec()),
        ("TLS", "none", [tls, own].concat()),
        ("MUTUAL", "none", [tls, own].concat()),
        ("BOTH", "plaintext", [tls, pair].concat()),
        ("BOTH", "scram_sha256", [tls, pair].concat()),
        ("BOTH", "scram_sha512", [tls, pair].concat()),
    ];
    for (listener, sasl, auth) in &ways {
        let input = at(kafka, listener, "secured", &[("sasl", sasl)], auth);
        let asked = Probe::new(&input).await?.is(3.0).await;
        asked.with_context(|| format!("{sasl} at {listener}"))?;
    }
    let unchecked = [("tls", "enable"), ("unsafeSsl", "true")];
    let unchecked = at(kafka, "TLS", "secured", &unchecked, &[]);
    Probe::new(&unchecked).await?.is(3.0).await
}

async fn tokens() -> Result<()> {
    let kafka = shared().await?;
    seven(kafka, "tokened").await?;
    let issuer = super::issuer::Issuer::start().await?;
    let uri = issuer.uri();
    let auth = [
        ("username", USER),
        ("password", PASSWORD),
        ("oauthTokenEndpointUri", uri.as_str()),
        ("scopes", "read"),
        ("oauthExtensions", "tenant=acorn"),
    ];
    let probe = Probe::new(&at(kafka, "TOKEN", "tokened", &[("sasl", "oauthbearer")], &auth)).await?;
    probe.is(3.0).await?;
    ensure!(issuer.form().contains("scope=read"), "{}", issuer.form());
    // A token is kept for a second, as is a session: a reading never meets the end of either.
    wait_for("another token", Duration::from_mins(1), || async {
        probe.is(3.0).await.map_err(|e| format!("{e:#}"))?;
        look(issuer.issued() > 2, || format!("{} tokens", issuer.issued()))
    })
    .await?;
    issuer.refuse();
    let text = Probe::new(&at(kafka, "TOKEN", "tokened", &[("sasl", "oauthbearer")], &auth))
        .await?
        .fails()
        .await?;
    ensure!(
        text.contains("refused the credentials") && !text.contains(PASSWORD),
        "{text}"
    );
    Ok(())
}

async fn refusals() -> Result<()> {
    let kafka = shared().await?;
    let wrong = "another-password-that-no-message-may-show";
    let pair = [("username", USER), ("password", wrong)];
    let foreign = [("tls", "enable"), ("ca", kafka.foreign_ca())];
    let known = [("tls", "enable"), ("ca", kafka.ca())];
    let cases: [(&str, &str, &[Pair<'_>], &str); 9] = [
        ("LOGIN", "plaintext", &pair, "Invalid username or password"),
        ("LOGIN", "scram_sha256", &pair, "invalid credentials"),
        ("LOGIN", "scram_sha512", &pair, "invalid credentials"),
        ("TOKEN", "plaintext", &pair, "it knows OAUTHBEARER, not PLAIN"),
        ("PLAIN", "plaintext", &pair, "it wants no SASL on this port"),
        ("LOGIN", "none", &[], "closed the connection"),
        ("TLS", "none", &foreign, "UnknownIssuer"),
        ("MUTUAL", "none", &known, "BadCertificate"),
        ("PLAIN", "none", &known, "cannot reach"),
    ];
    for (listener, sasl, auth, wanted) in cases {
        let input = at(kafka, listener, "any", &[("sasl", sasl)], auth);
        let text = Probe::new(&input).await?.fails().await?;
        ensure!(text.contains(wanted), "{sasl} at {listener}: {text}");
        ensure!(text.contains(&kafka.address(listener)), "no address: {text}");
        ensure!(!text.contains(wrong), "the message shows the password: {text}");
    }
    Ok(())
}

/// Fifty topics, each with its own number of records and commits.
async fn fifty(kafka: &Kafka) -> Result<Vec<String>> {
    let mut client = kafka.producer().await?;
    let topics: Vec<String> = (0..50).map(|index| format!("shared-{index}")).collect();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    client.create(&names, 2).await?;
    for (index, topic) in (0..).zip(names) {
        let group = format!("group-of-{topic}");
        client.produce(topic, 0, index + 1).await?;
        client.commit(&group, topic, 0, i64::from(index) / 2).await?;
        client.commit(&group, topic, 1, 0).await?;
    }
    Ok(topics)
}

async fn sharing() -> Result<()> {
    let kafka = shared().await?;
    let topics = fifty(kafka).await?;
    let address = kafka.address("COUNTED");
    let port: u16 = address.rsplit(':').next().context("a port")?.parse()?;
    let proxy = Proxy::start(port, kafka.behind("COUNTED")).await?;
    let pool = Pool::new(Connect::default());
    let mut probes = Vec::new();
    for topic in &topics {
        let more = [("allowIdleConsumers", "true")];
        probes.push(Probe::on(&pool, &at(kafka, "COUNTED", topic, &more, &[])).await?);
    }
    for _ in 0..3 {
        let asked = join_all(probes.iter().map(Probe::ask)).await;
        for (index, sample) in (0_i32..).zip(asked) {
            let (value, want) = (sample?.value, f64::from(index + 1 - index / 2));
            ensure!(
                (value - want).abs() < f64::EPSILON,
                "{index}: {value} instead of {want}"
            );
        }
        let standing = established(&address)?;
        ensure!(
            (1..=2).contains(&standing),
            "{standing} connections to one broker"
        );
    }
    ensure!(
        probes[0].connections() == 1,
        "the pool reports {} sources",
        probes[0].connections()
    );
    let count = proxy.take();
    ensure!(
        count.connections <= 2,
        "{} connections were made",
        count.connections
    );
    // Each reading asks for metadata, commits and newest offsets. The fifty of a round travel in a few requests, and who
    // coordinates a group is asked once.
    for (api, name, most) in [
        (3, "Metadata", 30),
        (9, "OffsetFetch", 30),
        (2, "ListOffsets", 30),
        (10, "FindCoordinator", 10),
    ] {
        let asked = count.requests.get(&api).copied().unwrap_or_default();
        eprintln!("kafka: 150 readings of 50 topics and groups in {asked} requests of {name}");
        ensure!((1..=most).contains(&asked), "{asked} requests of {name}");
    }
    pool.shutdown().await;
    ensure!(
        probes[0].ask().await.is_err(),
        "a pool that was shut down answers"
    );
    wait_for("the connections to close", Duration::from_mins(1), || async {
        let standing = established(&address).map_err(|e| format!("{e:#}"))?;
        look(standing == 0, || format!("{standing} stand"))
    })
    .await
}

async fn cut_and_back() -> Result<()> {
    let kafka = shared().await?;
    seven(kafka, "cut").await?;
    let address = kafka.address("CUT");
    let port: u16 = address.rsplit(':').next().context("a port")?.parse()?;
    let mut proxy = Proxy::start(port, kafka.behind("CUT")).await?;
    let probe = Probe::new(&at(kafka, "CUT", "cut", &[], &[])).await?;
    probe.is(3.0).await?;
    proxy.cut().await;
    for _ in 0..3 {
        let text = probe.fails().await?;
        ensure!(text.starts_with(&format!("cannot reach {address}")), "{text}");
    }
    kafka.producer().await?.produce("cut", 0, 2).await?;
    proxy.mend().await?;
    probe.recovers(5.0).await
}

async fn inventory() -> Result<()> {
    let kafka = shared().await?;
    seven(kafka, "listed").await?;
    let pool = Pool::new(Connect::default());
    let input = at(kafka, "PLAIN", "listed", &[], &[]);
    let built = scalers::read(&input).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    let offers = pool.inventory(&built).await?;
    for (parameter, value, note) in [
        ("topic", "listed", "3 partitions"),
        ("consumerGroup", "group-of-listed", "empty"),
    ] {
        let found = offers
            .iter()
            .find(|offer| (offer.parameter, offer.value.as_str()) == (parameter, value));
        let found = found.with_context(|| format!("{value} is not offered: {offers:?}"))?;
        ensure!(found.note == note, "{found:?}");
    }
    let own = offers.iter().find(|offer| offer.value.starts_with("__"));
    ensure!(own.is_none(), "a topic of Kafka's own is offered: {own:?}");
    Ok(())
}
