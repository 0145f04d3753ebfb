//! `redis`, `redis-cluster` and `redis-sentinel` against Debian's servers.

use anyhow::{Result, bail, ensure};
use harness::pki::Authority;
use harness::redis::{Access, Cluster, Redis, Sentinel};
use scalers::{Connect, Pool, TriggerInput};

use super::folder;
use super::probe::{Probe, trigger};

const PASSWORD: &str = "a-password-that-no-message-may-show";

fn single(address: &str, list: &str) -> TriggerInput {
    trigger(
        "redis",
        &[
            ("address", address),
            ("listName", list),
            ("activationListLength", "2"),
        ],
        &[],
    )
}

pub(crate) async fn counts() -> Result<()> {
    let redis = Redis::start(&folder("counts")?, Access::default()).await?;
    let jobs = Probe::new(&single(&redis.address(), "jobs")).await?;
    jobs.is(0.0).await?;
    redis.push("jobs", 7)?;
    jobs.is(7.0).await?;
    ensure!(
        jobs.ask().await?.active == Some(true),
        "seven is above the activation threshold of two"
    );
    redis.pop("jobs", 5)?;
    jobs.is(2.0).await?;
    ensure!(
        jobs.ask().await?.active == Some(false),
        "two is not above the activation threshold of two"
    );
    redis.pop("jobs", 2)?;
    jobs.is(0.0).await?;

    redis.cli(&["ZADD", "sorted", "1", "a", "2", "b", "3", "c"])?;
    redis.cli(&["SADD", "set", "a", "b"])?;
    redis.cli(&["HSET", "hash", "a", "1"])?;
    for (key, want) in [("sorted", 3.0), ("set", 2.0), ("hash", 1.0)] {
        Probe::new(&single(&redis.address(), key)).await?.is(want).await?;
    }
    redis.cli(&["SET", "text", "x"])?;
    Probe::new(&single(&redis.address(), "text"))
        .await?
        .fails()
        .await?;

    let mut other = single(&redis.address(), "jobs");
    other.metadata.insert("databaseIndex".to_owned(), "3".to_owned());
    redis.cli(&["-n", "3", "RPUSH", "jobs", "a", "b", "c", "d"])?;
    Probe::new(&other).await?.is(4.0).await
}

pub(crate) async fn password_and_tls() -> Result<()> {
    let dir = folder("tls")?;
    let ca = Authority::new(&dir, "redis-ca")?;
    let tls = Some((ca.issue("redis")?, ca.file().to_owned()));
    let redis = Redis::start(
        &dir,
        Access {
            password: Some(PASSWORD.to_owned()),
            tls,
        },
    )
    .await?;
    redis.push("jobs", 3)?;
    let address = redis.address();
    let metadata = [("address", address.as_str()), ("listName", "jobs")];
    let auth = [("password", PASSWORD), ("tls", "enable"), ("ca", ca.pem())];
    Probe::new(&trigger("redis", &metadata, &auth))
        .await?
        .is(3.0)
        .await?;

    let unchecked = [
        ("address", address.as_str()),
        ("listName", "jobs"),
        ("enableTLS", "true"),
        ("unsafeSsl", "true"),
    ];
    Probe::new(&trigger("redis", &unchecked, &[("password", PASSWORD)]))
        .await?
        .is(3.0)
        .await
}

pub(crate) async fn wrong_password() -> Result<()> {
    let access = Access {
        password: Some("right".to_owned()),
        tls: None,
    };
    let redis = Redis::start(&folder("wrongpass")?, access).await?;
    let address = redis.address();
    let metadata = [("address", address.as_str()), ("listName", "jobs")];
    let wrong = Probe::new(&trigger("redis", &metadata, &[("password", PASSWORD)]))
        .await?
        .fails()
        .await?;
    ensure!(
        wrong.to_lowercase().contains("password"),
        "the message does not name the password: {wrong}"
    );
    ensure!(
        wrong.contains(&address),
        "the message does not name the server: {wrong}"
    );
    let none = Probe::new(&trigger("redis", &metadata, &[]))
        .await?
        .fails()
        .await?;
    ensure!(
        none.to_lowercase().contains("auth"),
        "the message does not speak of authentication: {none}"
    );
    for text in [wrong, none] {
        ensure!(!text.contains(PASSWORD), "the message shows the password: {text}");
    }
    Ok(())
}

pub(crate) async fn wrong_ca() -> Result<()> {
    let dir = folder("wrongca")?;
    let ca = Authority::new(&dir, "redis-ca")?;
    let foreign = Authority::new(&dir, "foreign-ca")?;
    let tls = Some((ca.issue("redis")?, ca.file().to_owned()));
    let redis = Redis::start(&dir, Access { password: None, tls }).await?;
    let address = redis.address();
    let metadata = [("address", address.as_str()), ("listName", "jobs")];
    let auth = [("tls", "enable"), ("ca", foreign.pem())];
    let text = Probe::new(&trigger("redis", &metadata, &auth))
        .await?
        .fails()
        .await?;
    ensure!(
        text.contains("certificate") || text.contains("UnknownIssuer"),
        "the message does not name the certificate: {text}"
    );
    let plain = Probe::new(&trigger("redis", &metadata, &[]))
        .await?
        .fails()
        .await?;
    ensure!(plain.contains(&address), "plain text to a TLS server: {plain}");
    Ok(())
}

pub(crate) async fn lost_and_back() -> Result<()> {
    let mut redis = Redis::start(&folder("lost")?, Access::default()).await?;
    redis.push("jobs", 4)?;
    let jobs = Probe::new(&single(&redis.address(), "jobs")).await?;
    jobs.is(4.0).await?;
    redis.kill();
    for _ in 0..3 {
        let text = jobs.fails().await?;
        ensure!(
            text.contains(&redis.address()),
            "the message does not name the server: {text}"
        );
    }
    redis.restart().await?;
    jobs.recovers(0.0).await?;
    redis.push("jobs", 1)?;
    jobs.is(1.0).await
}

pub(crate) async fn shared_connection() -> Result<()> {
    let redis = Redis::start(&folder("shared")?, Access::default()).await?;
    let pool = Pool::new(Connect::default());
    let mut probes = Vec::new();
    for index in 0..20 {
        redis.push(&format!("list-{index}"), index + 1)?;
        probes.push(Probe::on(&pool, &single(&redis.address(), &format!("list-{index}"))).await?);
    }
    let clients =
        || -> Result<usize> { Ok(redis.cli(&["CLIENT", "LIST", "TYPE", "normal"])?.lines().count()) };
    let before = clients()?;
    let asked = futures::future::join_all(probes.iter().map(Probe::ask)).await;
    for (index, sample) in asked.into_iter().enumerate() {
        let (value, want) = (sample?.value, f64::from(u32::try_from(index)? + 1));
        ensure!(
            (value - want).abs() < f64::EPSILON,
            "list-{index}: {value} instead of {want}"
        );
    }
    ensure!(
        probes[0].connections() == 1,
        "the pool reports {} connections",
        probes[0].connections()
    );
    let after = clients()?;
    ensure!(
        after <= before + 1,
        "the server counts {after} clients, {before} before"
    );
    pool.shutdown().await;
    ensure!(
        probes[0].ask().await.is_err(),
        "a pool that was shut down answers"
    );
    Ok(())
}

pub(crate) async fn cluster() -> Result<()> {
    let mut cluster = Cluster::start(&folder("cluster")?, Access::default()).await?;
    let addresses = cluster.addresses();
    // One list for each node, found by their slots.
    let mut lists: Vec<Option<String>> = vec![None; 3];
    for index in 0.. {
        let list = format!("jobs-{index}");
        let slot: usize = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", &list])?.parse()?;
        lists[(slot * 3 / 16384).min(2)].get_or_insert(list);
        if lists.iter().all(Option::is_some) {
            break;
        }
    }
    let lists: Vec<String> = lists.into_iter().flatten().collect();
    let mut probes = Vec::new();
    for (index, list) in lists.iter().enumerate() {
        cluster.nodes[0].push(list, index + 1)?;
        let metadata = [("addresses", addresses.as_str()), ("listName", list)];
        probes.push(Probe::new(&trigger("redis-cluster", &metadata, &[])).await?);
    }
    for (index, probe) in probes.iter().enumerate() {
        probe.is(f64::from(u32::try_from(index)? + 1)).await?;
    }
    let Some(last) = cluster.nodes.last_mut() else {
        bail!("a cluster has nodes")
    };
    last.kill();
    probes[2].fails().await?;
    last.restart().await?;
    // It holds no data on disk, so its list is gone; its slots are not.
    probes[2].recovers(0.0).await?;
    probes[0].recovers(1.0).await
}

pub(crate) async fn cluster_with_tls() -> Result<()> {
    let dir = folder("clustertls")?;
    let ca = Authority::new(&dir, "redis-ca")?;
    let tls = Some((ca.issue("redis")?, ca.file().to_owned()));
    let cluster = Cluster::start(
        &dir,
        Access {
            password: Some(PASSWORD.to_owned()),
            tls,
        },
    )
    .await?;
    let hosts = ["127.0.0.1"; 3].join(",");
    let ports = cluster
        .nodes
        .iter()
        .map(|n| n.port().to_string())
        .collect::<Vec<_>>()
        .join(",");
    cluster.nodes[0].push("jobs", 6)?;
    let metadata = [
        ("hosts", hosts.as_str()),
        ("ports", ports.as_str()),
        ("listName", "jobs"),
    ];
    let auth = [("password", PASSWORD), ("tls", "enable"), ("ca", ca.pem())];
    Probe::new(&trigger("redis-cluster", &metadata, &auth))
        .await?
        .is(6.0)
        .await
}

pub(crate) async fn sentinel() -> Result<()> {
    let access = Access {
        password: Some(PASSWORD.to_owned()),
        tls: None,
    };
    let set = Sentinel::start(&folder("sentinel")?, access).await?;
    set.master.push("jobs", 5)?;
    let address = set.sentinel.address();
    let metadata = [
        ("addresses", address.as_str()),
        ("listName", "jobs"),
        ("sentinelMaster", set.name.as_str()),
    ];
    let probe = Probe::new(&trigger("redis-sentinel", &metadata, &[("password", PASSWORD)])).await?;
    probe.is(5.0).await?;
    // The copy must hold the items before the original goes.
    set.copied().await?;
    set.master.kill();
    set.failed_over().await?;
    probe.recovers(5.0).await?;
    set.replica.push("jobs", 1)?;
    probe.recovers(6.0).await
}
