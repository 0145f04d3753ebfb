//! The queue worker, and the one who fills the queue.

use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

/// Pops and works until `stop` resolves; the job in hand is finished first, so that none is lost.
pub(crate) async fn run(
    address: &str,
    list: &str,
    job: Duration,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let client = redis::Client::open(format!("redis://{address}"))
        .with_context(|| format!("`{address}` is not host:port of a Redis server"))?;
    let mut stop = pin!(stop);
    let mut connection = None;
    loop {
        let popped = tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            popped = pop(&client, &mut connection, list) => popped,
        };
        match popped {
            Ok(Some(name)) => {
                tokio::time::sleep(job).await;
                eprintln!("done {name}");
            }
            Ok(None) => {
                // An empty list: the worker idles, which is what lets it be scaled in.
                tokio::select! { biased; () = &mut stop => return Ok(()), () = tokio::time::sleep(IDLE) => {} }
            }
            Err(error) => {
                eprintln!("redis at {address}: {error}");
                connection = None;
                tokio::select! { biased; () = &mut stop => return Ok(()), () = tokio::time::sleep(IDLE) => {} }
            }
        }
    }
}

/// Appends `count` jobs in one request, so that the scaler sees them all at once.
pub(crate) async fn push(address: &str, list: &str, count: u32) -> anyhow::Result<()> {
    let client = redis::Client::open(format!("redis://{address}"))
        .with_context(|| format!("`{address}` is not host:port of a Redis server"))?;
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .with_context(|| format!("cannot reach Redis at {address}"))?;
    let jobs: Vec<String> = (1..=count).map(|number| format!("job-{number}")).collect();
    let length: u64 = connection.rpush(list, jobs).await.context("cannot push")?;
    eprintln!("pushed {count} jobs; `{list}` now holds {length}");
    Ok(())
}

/// How long an idle worker waits before it looks again.
const IDLE: Duration = Duration::from_millis(250);

/// Takes the oldest job, opening the connection first where there is none.
async fn pop(
    client: &redis::Client,
    connection: &mut Option<MultiplexedConnection>,
    list: &str,
) -> redis::RedisResult<Option<String>> {
    let connection = match connection {
        Some(open) => open,
        None => connection.insert(client.get_multiplexed_async_connection().await?),
    };
    connection.lpop(list, None).await
}
