//! `redis-streams`, `redis-cluster-streams` and `redis-sentinel-streams` against Debian's servers, and what
//! `kubectl keda scaffold` would offer of a Redis.

use anyhow::{Context as _, Result, ensure};
use harness::pki::Authority;
use harness::redis::{Access, Cluster, Redis, Sentinel};
use harness::tier::Tier;
use scalers::{Connect, Offer, Pool, TriggerInput};

use super::folder;
use super::probe::{Probe, trigger};

/// The cases of this file.
pub(crate) fn cases(tier: Tier) -> Tier {
    tier.case("redis_streams_count_length_pending_and_lag", counts)
        .case("redis_streams_with_password_and_tls", logins_and_tls)
        .case(
            "redis_streams_lost_and_back_is_an_error_then_the_value",
            lost_and_back,
        )
        .case("redis_streams_and_lists_share_a_connection", one_connection)
        .case(
            "redis_cluster_streams_count_on_every_node_and_survive_one",
            cluster,
        )
        .case("redis_sentinel_streams_follow_the_master", sentinel)
        .case("redis_inventory_is_bounded", inventory)
}

const PASSWORD: &str = "a-password-that-no-message-may-show";

fn stream(type_: &str, address: &str, more: &[(&str, &str)]) -> TriggerInput {
    let mut metadata = vec![("address", address), ("stream", "orders")];
    metadata.extend_from_slice(more);
    trigger(type_, &metadata, &[])
}

const GROUP: (&str, &str) = ("consumerGroup", "billing");

/// Adds entries, which are all alike.
fn add(redis: &Redis, stream: &str, count: usize) -> Result<()> {
    for _ in 0..count {
        redis.cli(&["XADD", stream, "*", "order", "1"])?;
    }
    Ok(())
}

/// Gives entries to a consumer of the group, which does not acknowledge them.
fn take(redis: &Redis, stream: &str, count: usize) -> Result<()> {
    let count = count.to_string();
    redis.cli(&[
        "XREADGROUP",
        "GROUP",
        "billing",
        "c",
        "COUNT",
        &count,
        "STREAMS",
        stream,
        ">",
    ])?;
    Ok(())
}

async fn counts() -> Result<()> {
    let redis = Redis::start(&folder("streams")?, Access::default()).await?;
    let of = |more: &[(&str, &str)]| stream("redis-streams", &redis.address(), more);
    let length = Probe::new(&of(&[("activationLagCount", "3")])).await?;
    let pending = Probe::new(&of(&[GROUP])).await?;
    let lag = Probe::new(&of(&[GROUP, ("lagCount", "10")])).await?;

    // Without the stream.
    length.is(0.0).await?;
    lag.is(0.0).await?;
    let text = pending.fails().await?;
    ensure!(text.contains(&redis.address()), "{text}");

    // Without the group.
    add(&redis, "orders", 3)?;
    length.is(3.0).await?;
    ensure!(
        length.ask().await?.active == Some(false),
        "three is not above three"
    );
    lag.is(3.0).await?;
    pending.fails().await?;

    redis.cli(&["XGROUP", "CREATE", "orders", "billing", "0"])?;
    add(&redis, "orders", 4)?;
    length.is(7.0).await?;
    ensure!(length.ask().await?.active == Some(true), "seven is above three");
    pending.is(0.0).await?;
    lag.is(7.0).await?;
    take(&redis, "orders", 2)?;
    pending.is(2.0).await?;
    lag.is(5.0).await?;
    take(&redis, "orders", 9)?;
    pending.is(7.0).await?;
    lag.is(0.0).await?;

    // A group in the middle of a stream has a lag that Redis cannot tell: the length of the stream bounds it.
    let entries = redis.cli(&["XRANGE", "orders", "-", "+", "COUNT", "3"])?;
    let third = entries.lines().filter(|line| line.contains('-')).nth(2);
    let third = third.context("three entries")?;
    redis.cli(&["XGROUP", "CREATE", "orders", "late", third])?;
    let late = of(&[("consumerGroup", "late"), ("lagCount", "10")]);
    Probe::new(&late).await?.is(7.0).await?;

    // Another type under the key.
    redis.cli(&["DEL", "orders"])?;
    redis.push("orders", 1)?;
    for probe in [&length, &pending, &lag] {
        let text = probe.fails().await?;
        ensure!(
            text.contains("WRONGTYPE") || text.contains("wrong kind"),
            "{text}"
        );
    }
    ensure!(length.connections() == 1, "one connection");
    Ok(())
}

async fn logins_and_tls() -> Result<()> {
    let dir = folder("streamstls")?;
    let (ca, foreign) = (
        Authority::new(&dir, "redis-ca")?,
        Authority::new(&dir, "foreign-ca")?,
    );
    let access = Access {
        password: Some(PASSWORD.to_owned()),
        tls: Some((ca.issue("redis")?, ca.file().to_owned())),
    };
    let redis = Redis::start(&dir, access).await?;
    add(&redis, "orders", 3)?;
    let with = |password: &'static str, ca: &str| {
        let mut input = stream("redis-streams", &redis.address(), &[]);
        for (parameter, value) in [("password", password), ("tls", "enable"), ("ca", ca)] {
            input.auth.insert(parameter, value);
        }
        input
    };
    Probe::new(&with(PASSWORD, ca.pem())).await?.is(3.0).await?;
    let text = Probe::new(&with("hush-hush", ca.pem())).await?.fails().await?;
    ensure!(
        text.to_lowercase().contains("password") && !text.contains("hush-hush"),
        "{text}"
    );
    let text = Probe::new(&with(PASSWORD, foreign.pem())).await?.fails().await?;
    ensure!(
        text.contains("certificate") || text.contains("UnknownIssuer"),
        "{text}"
    );
    Ok(())
}

async fn lost_and_back() -> Result<()> {
    let mut redis = Redis::start(&folder("streamslost")?, Access::default()).await?;
    add(&redis, "orders", 4)?;
    let lag = stream("redis-streams", &redis.address(), &[GROUP, ("lagCount", "10")]);
    let lag = Probe::new(&lag).await?;
    lag.is(4.0).await?;
    redis.kill();
    let text = lag.fails().await?;
    ensure!(text.contains(&redis.address()), "{text}");
    redis.restart().await?;
    lag.recovers(0.0).await?;
    add(&redis, "orders", 1)?;
    lag.is(1.0).await
}

/// Lists and streams, a password and all kinds of questions, put at the same moment over one connection.
async fn one_connection() -> Result<()> {
    let redis = Redis::start(&folder("streamsshared")?, Access::default()).await?;
    let pool = Pool::new(Connect::default());
    let mut probes = Vec::new();
    for index in 1..=10_u32 {
        let (name, count) = (format!("orders-{index}"), usize::try_from(index)?);
        add(&redis, &name, count)?;
        redis.cli(&["XGROUP", "CREATE", &name, "billing", "0"])?;
        take(&redis, &name, 1)?;
        redis.push(&format!("list-{index}"), count)?;
        for (more, want) in [
            (&[][..], index),
            (&[GROUP][..], 1),
            (&[GROUP, ("lagCount", "10")][..], index - 1),
        ] {
            let mut input = stream("redis-streams", &redis.address(), more);
            input.metadata.insert("stream".to_owned(), name.clone());
            probes.push((Probe::on(&pool, &input).await?, want));
        }
        let metadata = [
            ("address", redis.address()),
            ("listName", format!("list-{index}")),
        ];
        let metadata = metadata.each_ref().map(|(key, value)| (*key, value.as_str()));
        probes.push((Probe::on(&pool, &trigger("redis", &metadata, &[])).await?, index));
    }
    let asked = futures::future::join_all(probes.iter().map(|(probe, _)| probe.ask())).await;
    for (sample, (_, want)) in asked.into_iter().zip(&probes) {
        let value = sample?.value;
        ensure!(
            (value - f64::from(*want)).abs() < f64::EPSILON,
            "{value} instead of {want}"
        );
    }
    ensure!(probes[0].0.connections() == 1, "one connection");
    Ok(())
}

async fn cluster() -> Result<()> {
    let mut cluster = Cluster::start(&folder("streamscluster")?, Access::default()).await?;
    let addresses = cluster.addresses();
    let mut probes = Vec::new();
    // Names enough that every node has some.
    for index in 1..=9_u32 {
        let name = format!("orders-{index}");
        add(&cluster.nodes[0], &name, usize::try_from(index)?)?;
        cluster.nodes[0].cli(&["XGROUP", "CREATE", &name, "billing", "0"])?;
        take(&cluster.nodes[0], &name, 1)?;
        let metadata = [
            ("addresses", addresses.as_str()),
            ("stream", &name),
            GROUP,
            ("lagCount", "2"),
        ];
        for (settings, want) in [
            (&metadata[..2], index),
            (&metadata[..3], 1),
            (&metadata[..], index - 1),
        ] {
            let probe = Probe::new(&trigger("redis-cluster-streams", settings, &[])).await?;
            probe.is(f64::from(want)).await?;
            probes.push(probe);
        }
    }
    let offers = offers(&trigger(
        "redis-cluster-streams",
        &[("addresses", &addresses), ("stream", "any")],
        &[],
    ))
    .await?;
    ensure!(offers.len() == 9, "{offers:?}");
    ensure!(
        offers[3].value == "orders-4" && offers[3].note == "4 entries",
        "{offers:?}"
    );
    let Some(last) = cluster.nodes.last_mut() else {
        anyhow::bail!("a cluster has nodes")
    };
    last.kill();
    let failed = futures::future::join_all(probes.iter().map(Probe::ask)).await;
    ensure!(failed.iter().any(Result::is_err), "a third of the slots is gone");
    last.restart().await?;
    // It holds no data on disk, so its streams are gone; its slots are not.
    for probe in &probes {
        harness::wait::wait_for("an answer", std::time::Duration::from_mins(1), || async {
            match probe.ask().await {
                Ok(_) => Ok(()),
                // The group is gone with its stream.
                Err(error) if error.chain().contains("NOGROUP") => Ok(()),
                Err(error) => Err(error.chain()),
            }
        })
        .await?;
    }
    Ok(())
}

async fn sentinel() -> Result<()> {
    let access = Access {
        password: Some(PASSWORD.to_owned()),
        tls: None,
    };
    let set = Sentinel::start(&folder("streamssentinel")?, access).await?;
    add(&set.master, "orders", 5)?;
    set.master.cli(&["XGROUP", "CREATE", "orders", "billing", "0"])?;
    take(&set.master, "orders", 2)?;
    let address = set.sentinel.address();
    let mut probes = Vec::new();
    for (more, want) in [
        (&[][..], 5.0),
        (&[GROUP][..], 2.0),
        (&[GROUP, ("lagCount", "2")][..], 3.0),
    ] {
        let mut input = stream("redis-sentinel-streams", &address, more);
        input
            .metadata
            .insert("sentinelMaster".to_owned(), set.name.clone());
        input.auth.insert("password", PASSWORD);
        let probe = Probe::new(&input).await?;
        probe.is(want).await?;
        probes.push((probe, want));
    }
    // The copy must hold the entries before the original goes.
    set.copied().await?;
    set.master.kill();
    set.failed_over().await?;
    let [(length, _), (pending, _), (lag, _)] = probes.as_slice() else {
        anyhow::bail!("three probes")
    };
    length.recovers(5.0).await?;
    pending.recovers(2.0).await?;
    // Redis 7.0 does not hand the number of entries read on to its copy, and what it cannot tell counts as the whole stream.
    lag.recovers(told_lag(&set.replica)?.unwrap_or(5.0)).await?;
    take(&set.replica, "orders", 9)?;
    pending.recovers(5.0).await?;
    lag.recovers(0.0).await
}

/// The lag of the one group, as the server itself tells it.
fn told_lag(redis: &Redis) -> Result<Option<f64>> {
    let told = redis.cli(&["XINFO", "GROUPS", "orders"])?;
    let lag = told.lines().skip_while(|line| *line != "lag").nth(1);
    Ok(lag.and_then(|lag| lag.parse().ok()))
}

async fn offers(input: &TriggerInput) -> Result<Vec<Offer>> {
    let built = scalers::read(input).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    Ok(Pool::new(Connect::default()).inventory(&built).await?)
}

async fn inventory() -> Result<()> {
    let redis = Redis::start(&folder("inventory")?, Access::default()).await?;
    redis.push("jobs", 2)?;
    redis.push("mails", 1)?;
    add(&redis, "orders", 3)?;
    redis.cli(&["SET", "text", "x"])?;
    let address = redis.address();
    let lists = trigger("redis", &[("address", &address), ("listName", "any")], &[]);
    let found = offers(&lists).await?;
    let told: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|offer| (offer.parameter, offer.value.as_str(), offer.note.as_str()))
        .collect();
    ensure!(
        told == [
            ("listName", "jobs", "2 elements"),
            ("listName", "mails", "1 elements")
        ],
        "{told:?}"
    );
    let streams = offers(&stream("redis-streams", &address, &[])).await?;
    ensure!(
        streams.len() == 1 && streams[0].value == "orders" && streams[0].note == "3 entries",
        "{streams:?}"
    );

    // However many keys there are, only some hundred are told.
    let script = "for i = 1, 5000 do redis.call('RPUSH', 'many-' .. i, 'x') end";
    redis.cli(&["EVAL", script, "0"])?;
    let found = offers(&lists).await?.len();
    ensure!((2..=300).contains(&found), "{found} keys");
    Ok(())
}
