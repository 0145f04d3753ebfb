//! What is asked of every SQL database alike: slow queries leave a connection to the others, and many triggers share two.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::join_all;
use harness::wait::{look, wait_for};
use scalers::{Connect, Pool, TriggerInput};

use super::probe::Probe;

/// A bound for a server that does not do its part.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// A server in its own dialect. The users `sleeper` and `many` belong to the scenarios of this file.
pub(super) trait Database {
    /// A trigger with a query that one of the server's users puts.
    fn trigger(&self, user: &str, sql: &str) -> TriggerInput;

    /// Asks the server as its administrator.
    fn administer(&self, sql: &str) -> Result<String>;

    /// A query that takes an hour; no two numbers give the same.
    fn asleep(number: usize) -> String;

    /// The query for the number of a user's connections.
    fn connections_of(user: &str) -> String;

    /// The query for how many of them have a query under way.
    fn queries_of(user: &str) -> String;
}

/// Queries that are known to be slow share one connection, and leave the other to those that are not.
pub(super) async fn slow_queries<D: Database>(server: &D) -> Result<()> {
    let timeout = Duration::from_secs(2);
    let pool = Pool::new(Connect {
        timeout,
        ..Connect::default()
    });
    let on = async |sql: &str| Probe::on(&pool, &server.trigger("sleeper", sql)).await;
    let quick = [
        on("SELECT 1").await?,
        on("SELECT 2").await?,
        on("SELECT 3").await?,
    ];
    let mut slow = Vec::new();
    for number in 0..4 {
        slow.push(on(&D::asleep(number)).await?);
    }
    for probe in &slow {
        let text = probe.fails().await?;
        ensure!(
            text.contains("within 2s"),
            "the message does not name the deadline: {text}"
        );
    }
    let (again, asked) = tokio::join!(
        join_all(slow.iter().map(Probe::fails)),
        join_all(quick.iter().map(Probe::ask))
    );
    for text in again {
        ensure!(text?.contains("within 2s"), "a query that sleeps cannot answer");
    }
    for (index, sample) in asked.into_iter().enumerate() {
        let value = sample
            .with_context(|| format!("query {index} waited for those that sleep"))?
            .value;
        ensure!(
            (value - f64::from(u32::try_from(index)? + 1)).abs() < f64::EPSILON,
            "{value}"
        );
    }
    wait_for(
        "the server to end the queries that nobody waits for",
        LIMIT,
        || async {
            let left = server
                .administer(&D::queries_of("sleeper"))
                .map_err(|e| format!("{e:#}"))?;
            look(left == "0", || format!("{left} go on"))
        },
    )
    .await
}

/// Fifty triggers share two connections, which close with the pool.
pub(super) async fn shared_connections<D: Database>(server: &D) -> Result<()> {
    let pool = Pool::new(Connect::default());
    let mut probes = Vec::new();
    for index in 0..50 {
        let input = server.trigger("many", &format!("SELECT {index}"));
        probes.push(Probe::on(&pool, &input).await?);
    }
    for _ in 0..2 {
        let asked = join_all(probes.iter().map(Probe::ask)).await;
        for (index, sample) in asked.into_iter().enumerate() {
            let (value, want) = (sample?.value, f64::from(u32::try_from(index)?));
            ensure!((value - want).abs() < f64::EPSILON, "{value} instead of {want}");
        }
    }
    ensure!(
        probes[0].connections() == 1,
        "the pool reports {} sources",
        probes[0].connections()
    );
    let count = D::connections_of("many");
    let open: usize = server.administer(&count)?.parse()?;
    ensure!((1..=2).contains(&open), "the server counts {open} connections");
    pool.shutdown().await;
    wait_for("the connections to close with the pool", LIMIT, || async {
        let open = server.administer(&count).map_err(|e| format!("{e:#}"))?;
        look(open == "0", || open.clone())
    })
    .await
}
