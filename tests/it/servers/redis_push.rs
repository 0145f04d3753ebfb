//! `push` of the Redis types: a change of the key activates without a poll, over one more connection a server.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use harness::redis::{Access, Cluster, Redis, Sentinel};
use harness::tier::Tier;
use harness::wait::{look, wait_for};
use scalers::{Connect, Pool, PushEvent, Retry, TriggerInput};

use super::folder;
use super::probe::trigger;

/// The cases of this file.
pub(crate) fn cases(tier: Tier) -> Tier {
    tier.case("redis_push_activates_a_list", list_becomes_active)
        .case("redis_push_activates_a_stream", stream_becomes_active)
        .case(
            "redis_push_tells_what_was_there_before",
            present_elements_are_told,
        )
        .case("redis_push_takes_one_more_connection", one_more_connection)
        .case(
            "redis_push_without_notifications_says_so",
            disabled_is_said_and_left_alone,
        )
        .case(
            "redis_push_with_hidden_settings_listens",
            hidden_settings_are_said_and_it_listens,
        )
        .case("redis_push_lost_and_back", lost_and_back)
        .case("redis_push_listens_to_the_node_of_a_key", cluster)
        .case("redis_push_follows_the_master", sentinel)
}

/// A bound for a push that does not come.
const DEADLINE: Duration = Duration::from_mins(1);

/// A pool that opens broken streams again at once.
fn pool() -> Pool {
    let retry = Retry {
        first: Duration::from_millis(50),
        most: Duration::from_millis(200),
    };
    Pool::new(Connect {
        push_retry: retry,
        ..Connect::default()
    })
}

fn list(address: &str, name: &str, more: &[(&str, &str)]) -> TriggerInput {
    let mut metadata = vec![("address", address), ("listName", name), ("push", "true")];
    metadata.extend_from_slice(more);
    trigger("redis", &metadata, &[])
}

fn follow(pool: &Pool, input: &TriggerInput) -> Result<BoxStream<'static, PushEvent>> {
    let built = scalers::read(input).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    pool.push(&built).context("the trigger pushes")
}

/// Waits for activity, past errors if need be.
async fn active(events: &mut BoxStream<'static, PushEvent>) -> Result<()> {
    loop {
        match tokio::time::timeout(DEADLINE, events.next())
            .await
            .context("no push came")?
        {
            Some(PushEvent::Active) => return Ok(()),
            Some(PushEvent::Error(_)) => {}
            other => bail!("{other:?} came instead of the push"),
        }
    }
}

/// Follows a stream until the server has so many subscriptions; nothing may be told meanwhile.
async fn subscribed(redis: &Redis, channel: &str, events: &mut BoxStream<'static, PushEvent>) -> Result<()> {
    let there = wait_for(format!("a subscription of {channel}"), DEADLINE, || async {
        let found = redis
            .cli(&["PUBSUB", "NUMSUB", channel])
            .map_err(|e| format!("{e:#}"))?;
        look(found.lines().last() == Some("1"), || found.clone())
    });
    tokio::select! {
        there = there => there,
        event = events.next() => bail!("{event:?} before anything changed"),
    }
}

const ON: &[&str] = &["--notify-keyspace-events", "Klszht"];

async fn list_becomes_active() -> Result<()> {
    let redis = Redis::start_with(&folder("push")?, Access::default(), ON).await?;
    let pool = pool();
    let quiet = trigger(
        "redis",
        &[("address", &redis.address()), ("listName", "jobs")],
        &[],
    );
    let quiet = scalers::read(&quiet).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    ensure!(
        pool.push(&quiet).is_none(),
        "without `push` nothing is listened to"
    );

    let address = redis.address();
    let mut events = follow(&pool, &list(&address, "jobs", &[("activationListLength", "2")]))?;
    subscribed(&redis, "__keyspace@0__:jobs", &mut events).await?;
    // At the threshold it is not active: the event that comes is that of the third element.
    redis.push("jobs", 2)?;
    redis.push("other", 5)?;
    redis.push("jobs", 1)?;
    active(&mut events).await?;
    ensure!(redis.cli(&["LLEN", "jobs"])? == "3", "nothing is consumed");

    // It falls, and rises again: one more event.
    let asked = pool.connections()[0].asked;
    redis.pop("jobs", 3)?;
    let again = tokio::spawn(async move { active(&mut events).await });
    wait_for("the fall to be seen", DEADLINE, || async {
        let now = pool.connections().remove(0);
        look(now.asked > asked && now.in_flight == 0, || format!("{now:?}"))
    })
    .await?;
    redis.push("jobs", 3)?;
    again.await?
}

async fn stream_becomes_active() -> Result<()> {
    let redis = Redis::start_with(&folder("pushstream")?, Access::default(), ON).await?;
    let address = redis.address();
    let metadata = [
        ("address", address.as_str()),
        ("stream", "orders"),
        ("consumerGroup", "billing"),
        ("lagCount", "5"),
        ("push", "true"),
    ];
    let mut events = follow(&pool(), &trigger("redis-streams", &metadata, &[]))?;
    subscribed(&redis, "__keyspace@0__:orders", &mut events).await?;
    redis.cli(&["XADD", "orders", "*", "a", "1"])?;
    active(&mut events).await
}

/// What is there before anybody listens is told at once; other databases and other kinds of collections too.
async fn present_elements_are_told() -> Result<()> {
    let redis = Redis::start_with(&folder("pushdb")?, Access::default(), ON).await?;
    redis.push("jobs", 1)?;
    let address = redis.address();
    active(&mut follow(&pool(), &list(&address, "jobs", &[]))?).await?;
    let mut events = follow(&pool(), &list(&address, "set", &[("databaseIndex", "3")]))?;
    subscribed(&redis, "__keyspace@3__:set", &mut events).await?;
    redis.cli(&["-n", "3", "SADD", "set", "a"])?;
    active(&mut events).await
}

async fn one_more_connection() -> Result<()> {
    let redis = Redis::start_with(&folder("pushshared")?, Access::default(), ON).await?;
    let pool = pool();
    let address = redis.address();
    let mut all = Vec::new();
    for index in 0..20 {
        let name = format!("jobs-{index}");
        let mut events = follow(&pool, &list(&address, &name, &[]))?;
        subscribed(&redis, &format!("__keyspace@0__:{name}"), &mut events).await?;
        all.push(events);
    }
    let count =
        |kind: &str| -> Result<usize> { Ok(redis.cli(&["CLIENT", "LIST", "TYPE", kind])?.lines().count()) };
    ensure!(count("pubsub")? == 1, "{} connections listen", count("pubsub")?);
    // The one that asks, and that of this command.
    ensure!(count("normal")? <= 2, "{} connections ask", count("normal")?);
    for index in 0..20 {
        redis.push(&format!("jobs-{index}"), 1)?;
    }
    for events in &mut all {
        active(events).await?;
    }
    drop(all);
    pool.shutdown().await;
    wait_for("the end of the connection", DEADLINE, || async {
        let found = count("pubsub").map_err(|e| format!("{e:#}"))?;
        look(found == 0, || format!("{found} connections listen"))
    })
    .await
}

async fn disabled_is_said_and_left_alone() -> Result<()> {
    let redis = Redis::start(&folder("pushoff")?, Access::default()).await?;
    let address = redis.address();
    let pool = pool();
    let mut events = follow(&pool, &list(&address, "jobs", &[]))?;
    let told = tokio::time::timeout(DEADLINE, events.next()).await?;
    let Some(PushEvent::Error(error)) = told else {
        bail!("{told:?} came instead of the error")
    };
    let text = error.chain();
    for word in ["notify-keyspace-events", "`K`", "`l`", address.as_str(), "polled"] {
        ensure!(text.contains(word), "{word}: {text}");
    }
    ensure!(
        redis.cli(&["CONFIG", "GET", "notify-keyspace-events"])? == "notify-keyspace-events",
        "the setting of the server was changed"
    );
    // It is told once. When somebody turns them on, the trigger follows.
    redis.push("jobs", 1)?;
    ensure!(events.next().now_or_never().is_none(), "told once");
    redis.cli(&["CONFIG", "SET", "notify-keyspace-events", "AK"])?;
    active(&mut events).await
}

async fn hidden_settings_are_said_and_it_listens() -> Result<()> {
    let mut settings = ON.to_vec();
    settings.extend(["--rename-command", "CONFIG", ""]);
    let redis = Redis::start_with(&folder("pushhidden")?, Access::default(), &settings).await?;
    let address = redis.address();
    let mut events = follow(&pool(), &list(&address, "jobs", &[]))?;
    let told = tokio::time::timeout(DEADLINE, events.next()).await?;
    let Some(PushEvent::Error(error)) = told else {
        bail!("{told:?} came instead of the note")
    };
    ensure!(error.chain().contains("cannot tell"), "{}", error.chain());
    redis.push("jobs", 1)?;
    active(&mut events).await
}

async fn lost_and_back() -> Result<()> {
    let mut redis = Redis::start_with(&folder("pushlost")?, Access::default(), ON).await?;
    let pool = pool();
    let address = redis.address();
    let mut events = follow(&pool, &list(&address, "jobs", &[]))?;
    subscribed(&redis, "__keyspace@0__:jobs", &mut events).await?;
    // Only the connection that listens breaks.
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"])?;
    let told = async {
        loop {
            match events.next().await {
                Some(PushEvent::Error(_)) => {}
                other => return (other, events),
            }
        }
    };
    let told = tokio::spawn(told);
    redis.push("jobs", 1)?;
    let (event, mut events) = tokio::time::timeout(DEADLINE, told).await??;
    ensure!(matches!(event, Some(PushEvent::Active)), "{event:?}");

    // The server goes and comes back empty.
    redis.kill();
    let back = tokio::spawn(async move { active(&mut events).await });
    redis.restart().await?;
    redis.push("jobs", 1)?;
    back.await?
}

async fn cluster() -> Result<()> {
    let cluster = Cluster::start(&folder("pushcluster")?, Access::default()).await?;
    for node in &cluster.nodes {
        node.cli(&["CONFIG", "SET", "notify-keyspace-events", "Kl"])?;
    }
    let addresses = cluster.addresses();
    let pool = pool();
    // Names enough that every node has some; a node tells of its own keys only.
    for index in 0..6 {
        let name = format!("jobs-{index}");
        let metadata = [
            ("addresses", addresses.as_str()),
            ("listName", &name),
            ("push", "true"),
        ];
        let mut events = follow(&pool, &trigger("redis-cluster", &metadata, &[]))?;
        let slot: usize = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", &name])?.parse()?;
        let node = &cluster.nodes[[5461, 10923, 16384].partition_point(|end| *end <= slot)];
        subscribed(node, &format!("__keyspace@0__:{name}"), &mut events).await?;
        cluster.nodes[0].push(&name, 1)?;
        active(&mut events).await?;
    }
    for node in &cluster.nodes {
        let listening = node.cli(&["CLIENT", "LIST", "TYPE", "pubsub"])?.lines().count();
        ensure!(listening <= 1, "{listening} connections listen to one node");
    }
    Ok(())
}

async fn sentinel() -> Result<()> {
    let access = Access {
        password: Some("a-password".to_owned()),
        tls: None,
    };
    let set = Sentinel::start(&folder("pushsentinel")?, access).await?;
    for server in [&set.master, &set.replica] {
        server.cli(&["CONFIG", "SET", "notify-keyspace-events", "Kl"])?;
    }
    let address = set.sentinel.address();
    let metadata = [
        ("addresses", address.as_str()),
        ("sentinelMaster", &set.name),
        ("listName", "jobs"),
        ("push", "true"),
    ];
    let input = trigger("redis-sentinel", &metadata, &[("password", "a-password")]);
    let mut events = follow(&pool(), &input)?;
    subscribed(&set.master, "__keyspace@0__:jobs", &mut events).await?;
    set.master.kill();
    let told = tokio::spawn(async move { active(&mut events).await });
    set.failed_over().await?;
    wait_for("the new master to take writes", DEADLINE, || async {
        set.replica.push("jobs", 1).map_err(|e| format!("{e:#}"))
    })
    .await?;
    told.await?
}
