//! Notifications: when they activate, when they do not, and what carries them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::StreamExt as _;
use harness::postgresql::PostgreSql;
use harness::wait::{look, wait_for};
use scalers::{Connect, Pool, PushEvent, Retry, TriggerInput};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::sql::LIMIT;
use super::{query, shared};

/// The connections that listen.
const LISTENING: &str = "FROM pg_stat_activity WHERE usename = 'listener' AND query LIKE '%LISTEN%'";

/// A stream as the controller keeps it: a task waits for each next event.
struct Stream(UnboundedReceiver<PushEvent>);

impl Stream {
    fn open(pool: &Pool, input: &TriggerInput) -> Result<Self> {
        let built = scalers::read(input).ok().context("the trigger is right")?;
        let mut stream = pool.push(&built).context("it pushes")?;
        let (sender, receiver) = unbounded_channel();
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    () = sender.closed() => return,
                    event = stream.next() => event,
                };
                let Some(event) = event else { return };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Ok(Self(receiver))
    }

    async fn next(&mut self) -> Result<PushEvent> {
        let event = tokio::time::timeout(LIMIT, self.0.recv()).await;
        event.context("nothing was pushed")?.context("the stream ended")
    }

    /// The next event must be this.
    async fn is_active(&mut self) -> Result<()> {
        match self.next().await? {
            PushEvent::Active => Ok(()),
            other => bail!("{other:?} in place of activity"),
        }
    }
}

/// How often the query was asked: it counts in a sequence.
fn asked(server: &PostgreSql) -> Result<i64> {
    let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM asked";
    Ok(server.sql("shop", sql)?.parse()?)
}

/// Waits until the query was asked once more than `before`.
async fn asked_since(server: &PostgreSql, before: i64) -> Result<i64> {
    wait_for("the query to be asked", LIMIT, || async {
        let now = asked(server).map_err(|e| format!("{e:#}"))?;
        look(now > before, || format!("{now} times, {before} before")).map(|()| now)
    })
    .await
}

/// A pool that opens streams again at once, and the trigger that counts.
fn trigger(server: &PostgreSql) -> Result<(Pool, TriggerInput)> {
    let grants = "GRANT SELECT ON pushed TO listener; GRANT USAGE ON SEQUENCE asked TO listener";
    server.sql(
        "shop",
        &format!("CREATE TABLE pushed (id int); CREATE SEQUENCE asked; {grants}"),
    )?;
    let moment = Duration::from_millis(50);
    let pool = Pool::new(Connect {
        push_retry: Retry {
            first: moment,
            most: moment,
        },
        ..Connect::default()
    });
    let sql = "SELECT COUNT(*) + 0 * nextval('asked') FROM pushed";
    Ok((pool, query(server, "listener", sql)))
}

fn pushing(input: &TriggerInput, channel: &str) -> TriggerInput {
    let mut input = input.clone();
    input.metadata.insert("push".to_owned(), "true".to_owned());
    input
        .metadata
        .insert("pushChannel".to_owned(), channel.to_owned());
    input
}

pub(crate) async fn pushes() -> Result<()> {
    let server = shared().await?.read().await;
    let (pool, plain) = trigger(&server)?;
    let built = scalers::read(&plain).ok().context("the trigger is right")?;
    ensure!(
        pool.push(&built).is_none(),
        "nothing is pushed unless that is wanted"
    );
    let input = pushing(&plain, "new \"orders\"");
    let mut events = Stream::open(&pool, &input)?;
    // Once when it begins to listen, and once for each notification; there is nothing to be active for.
    let notify = "NOTIFY \"new \"\"orders\"\"\"";
    let mut times = asked_since(&server, 0).await?;
    for _ in 0..2 {
        server.sql("shop", notify)?;
        times = asked_since(&server, times).await?;
    }
    ensure!(
        events.0.is_empty(),
        "{:?} without a value above the threshold",
        events.next().await
    );
    server.sql(
        "shop",
        &format!("INSERT INTO pushed VALUES (1), (2), (3); {notify}"),
    )?;
    events.is_active().await?;

    // Others of the same database listen on the same connection, whatever their channels.
    let mut other = pushing(&plain, "returns");
    other.metadata.insert("query".to_owned(), "SELECT 9".to_owned());
    let mut others = Stream::open(&pool, &other)?;
    others.is_active().await?;
    let count = |which: &str| server.sql("shop", &format!("SELECT COUNT(*) {which}"));
    ensure!(
        count(LISTENING)? == "1",
        "{} connections listen",
        count(LISTENING)?
    );
    let open: usize = count("FROM pg_stat_activity WHERE usename = 'listener'")?.parse()?;
    ensure!(open <= 3, "{open} connections");

    // A connection that is ended is made anew, and what was missed meanwhile is found.
    server.sql("shop", &format!("SELECT pg_terminate_backend(pid) {LISTENING}"))?;
    let event = events.next().await?;
    ensure!(
        matches!(event, PushEvent::Error(_)),
        "{event:?} in place of the break"
    );
    while !matches!(events.next().await?, PushEvent::Active) {}
    // The last one that leaves closes it.
    drop((events, others));
    wait_for("nobody to listen", LIMIT, || async {
        let open = count(LISTENING).map_err(|e| format!("{e:#}"))?;
        look(open == "0", || open.clone())
    })
    .await
}
