//! The pool with a real server that stops answering.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use engine::quantity::Quantity;
use futures::future::join_all;
use harness::redis::{Access, Redis};
use harness::wait::{look, wait_for};
use scalers::{BreakerState, Connect, Pool, ScalerError};

use super::folder;
use super::probe::{Probe, trigger};

const LIVE: usize = 200;
const SILENT: usize = 20;
/// How often each trigger of the live server is read in each part.
const ROUNDS: usize = 20;
/// A bound for a run that hangs.
const BOUND: Duration = Duration::from_mins(1);

/// One trigger for each of the server's lists; list N holds N + 1 items.
async fn triggers(pool: &Pool, redis: &Redis, count: usize) -> Result<Vec<Probe>> {
    let mut probes = Vec::new();
    for index in 0..count {
        let list = format!("list-{index}");
        redis.push(&list, index + 1)?;
        let address = redis.address();
        let metadata = [("address", address.as_str()), ("listName", list.as_str())];
        probes.push(Probe::on(pool, &trigger("redis", &metadata, &[])).await?);
    }
    Ok(probes)
}

/// Reads every trigger over and over, and gives how long each read took.
async fn read_live(probes: &[Probe]) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let reads = join_all(probes.iter().map(|probe| async move {
            let begin = Instant::now();
            (probe.ask().await, begin.elapsed())
        }));
        for (index, (sample, took)) in reads.await.into_iter().enumerate() {
            let (value, want) = (sample?.quantity(), Quantity::from_i64(i64::try_from(index)? + 1));
            ensure!(
                value == want,
                "round {round}, list-{index}: {value} instead of {want}"
            );
            times.push(took);
        }
    }
    Ok(times)
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

fn breaker(pool: &Pool, redis: &Redis) -> Option<BreakerState> {
    let reports = pool.connections();
    let report = reports
        .into_iter()
        .find(|report| report.endpoint == redis.address());
    report.map(|report| report.breaker)
}

/// Twenty triggers of a server that is stopped do not disturb two hundred of another, fail at once when it is known to be
/// silent, and recover by themselves.
pub(crate) async fn a_stopped_server_disturbs_nobody() -> Result<()> {
    let dir = folder("stopped")?;
    let (live, stopped) = (
        Redis::start(&dir, Access::default()).await?,
        Redis::start(&dir, Access::default()).await?,
    );
    let pool = Pool::new(Connect {
        timeout: Duration::from_secs(1),
        ..Connect::default()
    });
    let asked = triggers(&pool, &live, LIVE).await?;
    let silent = triggers(&pool, &stopped, SILENT).await?;
    read_live(&silent).await?;
    let undisturbed = read_live(&asked).await?;

    stopped.freeze()?;
    let unanswered = async {
        let mut waited = 0;
        while breaker(&pool, &stopped) == Some(BreakerState::Closed) {
            for read in join_all(silent.iter().map(Probe::ask)).await {
                ensure!(read.is_err(), "a stopped server answered {read:?}");
                waited += 1;
            }
        }
        Ok(waited)
    };
    let (waited, disturbed) = tokio::join!(tokio::time::timeout(BOUND, unanswered), read_live(&asked));
    let (waited, disturbed) = (waited??, disturbed?);
    ensure!(disturbed.len() == LIVE * ROUNDS, "{} answers", disturbed.len());
    eprintln!(
        "reads of the live server: p99 {:?} undisturbed, {:?} beside a stopped one ({waited} reads of that until it was known)",
        p99(undisturbed),
        p99(disturbed)
    );

    for read in join_all(silent.iter().map(Probe::ask)).await {
        ensure!(
            matches!(read, Err(ScalerError::Silent { .. })),
            "a read of a server that is known to be silent: {read:?}"
        );
    }
    read_live(&asked).await?;

    stopped.thaw()?;
    wait_for("the stopped server to be found back", BOUND, || async {
        let state = breaker(&pool, &stopped);
        look(state == Some(BreakerState::Closed), || format!("{state:?}"))
    })
    .await?;
    read_live(&silent).await?;
    stopped.push("list-0", 41)?;
    silent[0].is(42.0).await
}
