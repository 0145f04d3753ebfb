//! `nats-jetstream` against Debian's server: alone, as a cluster, with push.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use futures::StreamExt as _;
use harness::nats::{Access, Cluster, Jobs, Nats};
use harness::pki::Authority;
use harness::tier::Tier;
use harness::wait::wait_for;
use scalers::{Connect, Pool, PushEvent, Roots, TriggerInput};

use super::folder;
use super::probe::{Probe, trigger};

const WRONG: &str = "a-password-that-no-message-may-show";
/// A bound for something that does not come.
const DEADLINE: Duration = Duration::from_mins(2);

/// The cases; each starts a server of its own.
pub(super) fn cases(tier: Tier) -> Tier {
    tier.case("nats_counts_pending_and_unacknowledged", counts)
        .case("nats_missing_stream_or_consumer_is_named", missing)
        .case("nats_lost_and_back_is_an_error_then_the_value", lost_and_back)
        .case("nats_cluster_follows_the_leader", cluster)
        .case("nats_pushes_without_consuming", pushes)
        .case("nats_with_login_and_tls", login_and_tls)
}

fn lag(nats: &Nats, more: &[(&str, &str)], auth: &[(&str, &str)]) -> TriggerInput {
    let endpoint = nats.monitoring.to_string();
    let base = [
        ("natsServerMonitoringEndpoint", endpoint.as_str()),
        ("account", "$G"),
        ("stream", "ORDERS"),
        ("consumer", "billing"),
        ("lagThreshold", "5"),
    ];
    trigger("nats-jetstream", &[base.as_slice(), more].concat(), auth)
}

async fn orders(nats: &Nats) -> Result<Jobs> {
    nats.stream("ORDERS", "orders.>", "billing", 1).await
}

async fn counts() -> Result<()> {
    let nats = Nats::start(&folder("nats-counts")?, Access::default()).await?;
    let jobs = orders(&nats).await?;
    let probe = Probe::new(&lag(&nats, &[("activationLagThreshold", "2")], &[])).await?;
    probe.is(0.0).await?;
    jobs.publish("orders.new", 7).await?;
    probe.is(7.0).await?;
    ensure!(probe.ask().await?.active == Some(true), "seven is above two");
    // Three are taken, one of them is done.
    jobs.take(3, 1).await?;
    probe.is(6.0).await?;
    jobs.take(4, 4).await?;
    probe.is(2.0).await?;
    ensure!(probe.ask().await?.active == Some(false), "two is not above two");
    ensure!(probe.connections() == 1, "one endpoint is one source");

    let by_id = lag(&nats, &[("account", ""), ("accountID", "$G")], &[]);
    Probe::new(&by_id).await?.is(2.0).await?;
    let built = scalers::read(&by_id).map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    let offers = Pool::new(Connect::default()).inventory(&built).await?;
    let said: Vec<(&str, &str)> = offers
        .iter()
        .map(|o| (o.value.as_str(), o.note.as_str()))
        .collect();
    ensure!(
        said == [("billing", "of stream ORDERS"), ("ORDERS", "7 messages")],
        "the inventory offers {said:?}"
    );
    Ok(())
}

async fn missing() -> Result<()> {
    let nats = Nats::start(&folder("nats-missing")?, Access::default()).await?;
    let _jobs = orders(&nats).await?;
    for (settings, name) in [
        ([("consumer", "nobody")], "nobody"),
        ([("stream", "NOTHING")], "NOTHING"),
        ([("account", "STRANGER")], "STRANGER"),
    ] {
        let text = Probe::new(&lag(&nats, &settings, &[])).await?.fails().await?;
        ensure!(
            text.contains(name),
            "the message does not name what is missing: {text}"
        );
    }
    Ok(())
}

async fn lost_and_back() -> Result<()> {
    let mut nats = Nats::start(&folder("nats-lost")?, Access::default()).await?;
    let jobs = orders(&nats).await?;
    jobs.publish("orders.new", 4).await?;
    let probe = Probe::new(&lag(&nats, &[], &[])).await?;
    probe.is(4.0).await?;
    nats.kill();
    for _ in 0..3 {
        let text = probe.fails().await?;
        ensure!(
            text.contains(&nats.monitoring.to_string()),
            "the message does not name the server: {text}"
        );
    }
    nats.restart().await?;
    probe.recovers(4.0).await
}

async fn cluster() -> Result<()> {
    let cluster = Cluster::start(&folder("nats-cluster")?).await?;
    let mut jobs = cluster.nodes[0]
        .1
        .stream("ORDERS", "orders.>", "billing", 3)
        .await?;
    jobs.publish("orders.new", 9).await?;
    jobs.take(2, 2).await?;
    let leader = jobs.leader().await?;
    // Whoever is asked, the leader counts.
    for (_, node) in &cluster.nodes {
        Probe::new(&lag(node, &[], &[])).await?.recovers(7.0).await?;
    }
    let (_, lost) = cluster
        .nodes
        .iter()
        .find(|(name, _)| *name == leader)
        .context("the leader is a node")?;
    let (_, other) = cluster
        .nodes
        .iter()
        .find(|(name, _)| *name != leader)
        .context("there are others")?;
    let probe = Probe::new(&lag(other, &[], &[])).await?;
    probe.recovers(7.0).await?;
    lost.kill();
    // Another is elected; until then nobody knows.
    probe.recovers(7.0).await
}

/// The next event of a trigger that nobody polls, while `work` goes on until it has come.
async fn pushed(input: &TriggerInput, work: impl AsyncFn() -> Result<()>) -> Result<PushEvent> {
    let pool = Pool::new(Connect::default());
    let built = scalers::read(input).map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    let mut events = pool.push(&built).context("the trigger pushes")?;
    // The stream is open only while somebody waits for its next event.
    let next = tokio::spawn(async move { events.next().await });
    // What is published before it listens is for the polls to find.
    wait_for("a push", DEADLINE, || async {
        if next.is_finished() {
            return Ok(());
        }
        work().await.map_err(|error| format!("{error:#}"))?;
        Err("nothing came".to_owned())
    })
    .await?;
    next.await?.context("the stream of events ended")
}

async fn pushes() -> Result<()> {
    let nats = Nats::start(&folder("nats-pushes")?, Access::default()).await?;
    let jobs = orders(&nats).await?;
    let plain =
        scalers::read(&lag(&nats, &[], &[])).map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    ensure!(
        Pool::new(Connect::default()).push(&plain).is_none(),
        "nothing is pushed that was not asked for"
    );
    let address = nats.client.to_string();
    let push = [("push", "true"), ("pushServer", address.as_str())];
    for more in [
        &[][..],
        &[("activationLagThreshold", "1")],
        &[("pushSubjects", "orders.new")],
    ] {
        let input = lag(&nats, &[push.as_slice(), more].concat(), &[]);
        match pushed(&input, async || jobs.publish("orders.new", 1).await).await? {
            PushEvent::Active => {}
            other => bail!("{other:?} came instead of the push"),
        }
    }
    // Nothing was taken from the consumer, and nobody was added beside it.
    let probe = Probe::new(&lag(&nats, &[], &[])).await?;
    let value = probe.ask().await?.value;
    jobs.take(value as usize, value as usize).await?;
    probe.is(0.0).await?;

    outlives_the_server(nats).await
}

/// A stream of events goes on when the server is lost and comes back.
async fn outlives_the_server(mut nats: Nats) -> Result<()> {
    let address = nats.client.to_string();
    let pool = Pool::new(Connect::default());
    let push = [("push", "true"), ("pushServer", address.as_str())];
    let built = scalers::read(&lag(&nats, &push, &[]))
        .map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    let mut events = pool.push(&built).context("the trigger pushes")?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listening = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            while let Some(event) = events.next().await {
                seen.lock().expect("nobody panics with it").push(event);
            }
        }
    });
    let comes = |wanted: fn(&PushEvent) -> bool| {
        let mut seen = seen.lock().expect("nobody panics with it");
        let found = seen.iter().find(|event| wanted(event)).cloned();
        seen.clear();
        found
    };
    for round in ["before", "after"] {
        let jobs = orders(&nats).await?;
        wait_for(
            format!("a push {round} the server was lost"),
            DEADLINE,
            || async {
                jobs.publish("orders.new", 1)
                    .await
                    .map_err(|error| format!("{error:#}"))?;
                comes(|event| matches!(event, PushEvent::Active))
                    .map(|_| ())
                    .ok_or_else(|| "nothing came".to_owned())
            },
        )
        .await?;
        if round == "before" {
            nats.kill();
            let error = wait_for("an error", DEADLINE, || async {
                comes(|event| matches!(event, PushEvent::Error(_))).ok_or_else(|| "nothing came".to_owned())
            })
            .await?;
            let PushEvent::Error(error) = error else {
                bail!("{error:?} is no error")
            };
            let text = error.chain();
            ensure!(
                text.contains(&address) || text.contains(&nats.monitoring.to_string()),
                "the message does not name the server: {text}"
            );
            nats.restart().await?;
        }
    }
    listening.abort();
    Ok(())
}

async fn login_and_tls() -> Result<()> {
    let dir = folder("nats-tls")?;
    let authority = Authority::new(&dir, "nats-ca")?;
    let access = Access {
        login: Some(("worker".to_owned(), "right".to_owned())),
        tls: Some(authority.issue("nats")?),
    };
    let nats = Nats::start(&dir, access).await?;
    let client = nats.connect(Some(&authority)).await?;
    let server = format!("tls://localhost:{}", nats.client.port());
    let endpoint = format!("localhost:{}", nats.monitoring.port());
    let settings = [
        ("natsServerMonitoringEndpoint", endpoint.as_str()),
        ("useHttps", "true"),
        ("push", "true"),
        ("pushServer", server.as_str()),
        ("pushSubjects", "orders.new"),
    ];
    let right = [
        ("pushUsername", "worker"),
        ("pushPassword", "right"),
        ("pushCa", authority.pem()),
    ];
    let publish = async || {
        client.publish("orders.new", "x".into()).await?;
        Ok(client.flush().await?)
    };
    match pushed(&lag(&nats, &settings, &right), publish).await? {
        PushEvent::Active => {}
        other => bail!("{other:?} came instead of the push"),
    }
    let wrong = [
        ("pushUsername", "worker"),
        ("pushPassword", WRONG),
        ("pushCa", authority.pem()),
    ];
    let foreign = Authority::new(&dir, "foreign-ca")?;
    let untrusted = [
        ("pushUsername", "worker"),
        ("pushPassword", "right"),
        ("pushCa", foreign.pem()),
    ];
    for (auth, why) in [(wrong, "refused the credentials"), (untrusted, "certificate")] {
        match pushed(&lag(&nats, &settings, &auth), publish).await? {
            PushEvent::Error(error) => {
                let text = error.chain();
                ensure!(text.contains(why), "the message does not say why: {text}");
                ensure!(
                    text.contains(&server),
                    "the message does not name the server: {text}"
                );
                ensure!(!text.contains(WRONG), "the message shows the password: {text}");
            }
            other => bail!("{other:?} came instead of an error"),
        }
    }

    // The monitoring endpoint is trusted by the roots of the process alone.
    let text = Probe::new(&lag(&nats, &settings, &[])).await?.fails().await?;
    ensure!(
        text.contains("certificate") || text.contains("UnknownIssuer"),
        "the message does not name the certificate: {text}"
    );
    let trusted = dir.join("roots");
    std::fs::create_dir_all(&trusted)?;
    std::fs::copy(authority.file(), trusted.join("ca.pem"))?;
    let connect = Connect {
        roots: Roots::with_directories(&[&trusted]),
        ..Connect::default()
    };
    let probe = Probe::on(&Pool::new(connect), &lag(&nats, &settings, &[])).await?;
    let text = probe.fails().await?;
    ensure!(
        text.contains("ORDERS"),
        "the endpoint answers, and has no such stream: {text}"
    );
    Ok(())
}
