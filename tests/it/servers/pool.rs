//! The pool with real servers that stop answering, one of each kind.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use engine::quantity::Quantity;
use futures::future::join_all;
use harness::kafka::Kafka;
use harness::postgresql::PostgreSql;
use harness::process::Process;
use harness::rabbitmq::{PASSWORD, RabbitMq, USER};
use harness::redis::{Access, Redis};
use harness::tier::Tier;
use harness::wait::{look, wait_for};
use scalers::{BreakerState, Connect, ConnectionReport, Pool, ScalerError, TriggerInput};

use super::folder;
use super::probe::{Probe, trigger};

const LIVE: usize = 180;
const SILENT: usize = 20;
/// How often each trigger of the live server is read in each part.
const ROUNDS: usize = 20;
/// A bound for a run that hangs.
const BOUND: Duration = Duration::from_mins(2);

/// The cases that need no Kafka.
pub(super) fn cases(tier: Tier) -> Tier {
    tier.case("pool_a_stopped_redis_disturbs_nobody", stopped_redis)
        .case("pool_a_stopped_rabbitmq_disturbs_nobody", stopped_rabbitmq)
        .case("pool_a_stopped_postgresql_disturbs_nobody", stopped_postgresql)
}

/// One trigger for each of the server's lists; list N holds N + 1 items, and so with all that follow.
fn lists(redis: &Redis, count: usize) -> Result<Vec<TriggerInput>> {
    let of = |index: usize| {
        let (address, list) = (redis.address(), format!("list-{index}"));
        redis.push(&list, index + 1)?;
        let metadata = [("address", address.as_str()), ("listName", list.as_str())];
        Ok(trigger("redis", &metadata, &[]))
    };
    (0..count).map(of).collect()
}

async fn stopped_redis() -> Result<()> {
    let server = Redis::start(&folder("stopped-redis")?, Access::default()).await?;
    let triggers = lists(&server, SILENT)?;
    disturbs_nobody("redis", server.process(), &triggers).await
}

async fn stopped_rabbitmq() -> Result<()> {
    let server = RabbitMq::start("stopped").await?;
    let vhost = server.vhost("stopped").await?;
    let host = format!("amqp://{USER}:{PASSWORD}@{}/{}", server.amqp(), vhost.path);
    let mut triggers = Vec::new();
    for index in 0..SILENT {
        let queue = format!("queue-{index}");
        vhost.declare(&queue, "classic").await?;
        vhost.publish("", &queue, index + 1).await?;
        let metadata = [("host", host.as_str()), ("queueName", queue.as_str())];
        triggers.push(trigger("rabbitmq", &metadata, &[]));
    }
    disturbs_nobody("rabbitmq", server.process(), &triggers).await
}

async fn stopped_postgresql() -> Result<()> {
    let server = PostgreSql::start(&folder("stopped-postgresql")?).await?;
    server.sql("postgres", "CREATE USER scaler PASSWORD 'scaler'")?;
    let port = server.port().to_string();
    let triggers: Vec<TriggerInput> = (1..=SILENT)
        .map(|value| {
            let query = format!("SELECT {value}");
            let metadata = [
                ("host", "127.0.0.1"),
                ("port", port.as_str()),
                ("userName", "scaler"),
                ("dbName", "postgres"),
                ("sslmode", "disable"),
                ("query", query.as_str()),
                ("targetQueryValue", "5"),
            ];
            trigger("postgresql", &metadata, &[("password", "scaler")])
        })
        .collect();
    disturbs_nobody("postgresql", server.process(), &triggers).await
}

pub(super) async fn stopped_kafka() -> Result<()> {
    let server = Kafka::start("stopped").await?;
    let mut client = server.producer().await?;
    let topics: Vec<String> = (0..SILENT).map(|index| format!("topic-{index}")).collect();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    client.create(&names, 1).await?;
    let servers = server.address("PLAIN");
    let mut triggers = Vec::new();
    for (records, topic) in (1..).zip(names) {
        let group = format!("group-of-{topic}");
        client.produce(topic, 0, records).await?;
        client.commit(&group, topic, 0, 0).await?;
        let metadata = [
            ("bootstrapServers", servers.as_str()),
            ("consumerGroup", group.as_str()),
            ("topic", topic),
            ("allowIdleConsumers", "true"),
        ];
        triggers.push(trigger("kafka", &metadata, &[]));
    }
    disturbs_nobody("kafka", server.process(), &triggers).await
}

async fn probes(pool: &Pool, triggers: &[TriggerInput]) -> Result<Vec<Probe>> {
    let mut probes = Vec::new();
    for trigger in triggers {
        probes.push(Probe::on(pool, trigger).await?);
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
    ensure!(times.len() == probes.len() * ROUNDS, "{} answers", times.len());
    Ok(times)
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// Every value must come: right after a stop, a server may first answer with what it missed.
async fn all_recover(probes: &[Probe]) -> Result<()> {
    for (index, probe) in probes.iter().enumerate() {
        probe.recovers(f64::from(u32::try_from(index)? + 1)).await?;
    }
    Ok(())
}

/// Twenty triggers of a server that is stopped do not disturb all the others, fail at once when it is known to be silent, and
/// recover by themselves.
async fn disturbs_nobody(kind: &str, stopped: &Process, triggers: &[TriggerInput]) -> Result<()> {
    let live = Redis::start(&folder(&format!("beside-{kind}"))?, Access::default()).await?;
    let pool = Pool::new(Connect::default());
    let asked = probes(&pool, &lists(&live, LIVE)?).await?;
    let silent = probes(&pool, triggers).await?;
    let endpoint = silent[0].endpoint();
    let report = || -> Result<ConnectionReport> {
        let mut reports = pool.connections().into_iter();
        let own = reports.find(|report| Some(&report.endpoint) == endpoint.as_ref());
        own.context("the stopped server is in the pool")
    };
    all_recover(&silent).await?;
    let undisturbed = read_live(&asked).await?;

    let frozen = stopped.freeze()?;
    let unanswered = async {
        let mut waited = 0;
        while report()?.breaker == BreakerState::Closed {
            for read in join_all(silent.iter().map(Probe::ask)).await {
                ensure!(read.is_err(), "a stopped server answered {read:?}");
                waited += 1;
            }
        }
        Ok(waited)
    };
    let (waited, disturbed) = tokio::join!(tokio::time::timeout(BOUND, unanswered), read_live(&asked));
    let (waited, disturbed) = (waited??, disturbed?);
    eprintln!(
        "reads of a live redis: p99 {:?} undisturbed, {:?} beside a stopped {kind} ({waited} reads of that until it was known)",
        p99(undisturbed),
        p99(disturbed)
    );

    // Known to be silent, it is not asked: each read is answered with the failure.
    let before = report()?.refused;
    for read in join_all(silent.iter().map(Probe::ask)).await {
        ensure!(
            matches!(read, Err(ScalerError::Silent { .. })),
            "a read of a server that is known to be silent: {read:?}"
        );
    }
    let refused = report()?.refused - before;
    ensure!(
        refused == SILENT as u64,
        "{refused} of {SILENT} reads were refused"
    );
    read_live(&asked).await?;

    drop(frozen);
    wait_for("the stopped server to be found back", BOUND, || async {
        let state = report().map_err(|e| format!("{e:#}"))?.breaker;
        look(state == BreakerState::Closed, || format!("{state:?}"))
    })
    .await?;
    all_recover(&silent).await
}
