//! Two hundred objects on four servers: what they cost is counted at the servers, and every one reads its own value.

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::kafka::{self, Kafka};
use harness::keda::{Keda, condition};
use harness::namespace::Namespace;
use harness::postgresql::PostgreSql;
use harness::rabbitmq::{self, RabbitMq};
use harness::redis::{Access, Redis};
use harness::socket::established;
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

use super::adapter::read;
use crate::scenario::{DEADLINE, deployment};
use crate::servers::folder;

/// Objects of each kind of trigger: fifty a namespace.
const EACH: usize = 40;
/// Namespaces whose Secrets hold the same.
const NAMESPACES: usize = 4;
/// Creations under way at the same time.
const AT_ONCE: usize = 16;
const PASSWORD: &str = "the-same-in-every-namespace";

/// The servers, and what the triggers say to reach them.
struct Servers {
    kafka: &'static Kafka,
    rabbit: &'static RabbitMq,
    vhost: String,
    postgresql: PostgreSql,
    redis: Redis,
}

/// The name that object `index` of a kind uses at its server.
fn name(kind: &str, index: usize) -> String {
    format!("{kind}-{index}")
}

/// What the source of object `index` says: no two of a kind are alike, and none is active.
fn value(index: usize) -> usize {
    index + 1
}

impl Servers {
    async fn start() -> Result<Self> {
        let dir = folder("two-hundred")?;
        let access = Access {
            password: Some(PASSWORD.to_owned()),
            tls: None,
        };
        let servers = Self {
            kafka: kafka::shared().await?,
            rabbit: rabbitmq::server().await?,
            vhost: "two-hundred".to_owned(),
            postgresql: PostgreSql::start(&dir).await?,
            redis: Redis::start(&dir, access).await?,
        };
        servers.fill().await?;
        Ok(servers)
    }

    /// Gives every object a value of its own.
    async fn fill(&self) -> Result<()> {
        let mut client = self.kafka.producer().await?;
        let topics: Vec<String> = ["login", "tls"]
            .iter()
            .flat_map(|kind| (0..EACH).map(move |index| name(kind, index)))
            .collect();
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        client.create(&names, 1).await?;
        for (place, topic) in names.into_iter().enumerate() {
            client
                .produce(topic, 0, u8::try_from(value(place % EACH))?)
                .await?;
            client.commit(&format!("group-of-{topic}"), topic, 0, 0).await?;
        }
        let vhost = self.rabbit.vhost(&self.vhost).await?;
        for index in 0..EACH {
            let queue = name("queue", index);
            vhost.declare(&queue, "classic").await?;
            vhost.publish("", &queue, value(index)).await?;
            self.redis.push(&name("list", index), value(index))?;
        }
        self.postgresql
            .sql("postgres", &format!("CREATE USER scaler PASSWORD '{PASSWORD}'"))?;
        Ok(())
    }

    /// Every kind of trigger: its type, its settings for one object, and what its authentication holds.
    fn triggers(&self, index: usize) -> [(&'static str, &'static str, Value); 5] {
        let group = |topic: &str| format!("group-of-{topic}");
        let (login, tls) = (name("login", index), name("tls", index));
        let kafka = |listener: &str, topic: &str| {
            json!({
                "bootstrapServers": self.kafka.address(listener), "topic": topic, "consumerGroup": group(topic),
                "allowIdleConsumers": "true", "activationLagThreshold": "1000",
            })
        };
        let mut sasl = kafka("LOGIN", &login);
        sasl["sasl"] = json!("plaintext");
        let mut secured = kafka("TLS", &tls);
        secured["tls"] = json!("enable");
        let host = format!("amqp://{}/{}", self.rabbit.amqp(), self.vhost);
        [
            ("login", "kafka", sasl),
            ("tls", "kafka", secured),
            (
                "queue",
                "rabbitmq",
                json!({"host": host, "queueName": name("queue", index), "mode": "QueueLength", "value": "5",
                       "activationValue": "1000"}),
            ),
            (
                "row",
                "postgresql",
                json!({"host": "127.0.0.1", "port": self.postgresql.port().to_string(), "userName": "scaler",
                       "dbName": "postgres", "sslmode": "disable", "query": format!("SELECT {}", value(index)),
                       "targetQueryValue": "5", "activationTargetQueryValue": "1000"}),
            ),
            (
                "list",
                "redis",
                json!({"address": self.redis.address(), "listName": name("list", index),
                       "activationListLength": "1000"}),
            ),
        ]
    }

    /// What the authentication of each kind holds; the same in every namespace.
    fn credentials(&self) -> [(&'static str, Value); 5] {
        [
            (
                "login",
                json!({"username": kafka::USER, "password": kafka::PASSWORD}),
            ),
            ("tls", json!({"ca": self.kafka.ca()})),
            (
                "queue",
                json!({"username": rabbitmq::USER, "password": rabbitmq::PASSWORD}),
            ),
            ("row", json!({"password": PASSWORD})),
            ("list", json!({"password": PASSWORD})),
        ]
    }

    /// Counts connections at the servers themselves.
    fn check_connections(&self) -> Result<()> {
        for listener in ["LOGIN", "TLS"] {
            let standing = established(&self.kafka.behind(listener))?;
            ensure!(
                (1..=2).contains(&standing),
                "{standing} connections to the broker's listener {listener}"
            );
        }
        let amqp = self.rabbit.connections(&self.vhost)?;
        ensure!(amqp.len() == 1, "{} AMQP connections", amqp.len());
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'scaler'";
        let rows: usize = self.postgresql.sql("postgres", sql)?.parse()?;
        ensure!((1..=2).contains(&rows), "{rows} connections to PostgreSQL");
        let clients = self.redis.cli(&["CLIENT", "LIST", "TYPE", "normal"])?;
        // One of them asks for the list.
        let others = clients.lines().count() - 1;
        ensure!(others == 1, "{others} connections to Redis");
        Ok(())
    }

    /// Commands of readings that Redis has run.
    fn redis_reads(&self) -> Result<u64> {
        let stats = self.redis.cli(&["INFO", "commandstats"])?;
        let calls = stats.lines().filter(|line| line.starts_with("cmdstat_eval"));
        let calls = calls.filter_map(|line| {
            line.split_once("calls=")?
                .1
                .split_once(',')?
                .0
                .parse::<u64>()
                .ok()
        });
        Ok(calls.sum())
    }
}

/// Creates a Secret, and a TriggerAuthentication of the same name that refers to each of its keys.
pub(super) async fn authenticate(ns: &Namespace, name: &str, data: &Value) -> Result<()> {
    let keys = data.as_object().into_iter().flat_map(|map| map.keys());
    let references: Vec<Value> = keys
        .map(|key| json!({"parameter": key, "name": name, "key": key}))
        .collect();
    ns.create_object(
        &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}),
    )
    .await?;
    ns.create_object(&json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": name},
        "spec": {"secretTargetRef": references},
    }))
    .await?;
    Ok(())
}

/// Creates a target and its ScaledObject.
async fn create(ns: &Namespace, kind: &str, type_: &str, metadata: &Value, index: usize) -> Result<()> {
    let name = name(kind, index);
    ns.create_object(&deployment(&name, 0)).await?;
    ns.create_object(&json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"name": name},
            // Each of its own, so that the phases differ.
            "pollingInterval": 3 + index % 5,
            "triggers": [{"type": type_, "metadata": metadata, "authenticationRef": {"name": kind}}],
        },
    }))
    .await?;
    Ok(())
}

/// Waits until all objects of a namespace are Ready, and returns their names with that of their metric.
pub(super) async fn ready(ns: &Namespace, count: usize) -> Result<Vec<(String, String)>> {
    wait_for(format!("{count} objects to be Ready"), DEADLINE, || async {
        let objects = ns
            .cluster()
            .list("ScaledObject", ns.name())
            .await
            .map_err(|e| format!("{e:#}"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let missing = objects
            .iter()
            .find(|object| condition(object, "Ready").is_none_or(|c| c["status"] != "True"));
        look(objects.len() == count && missing.is_none(), || {
            format!("{} objects; {missing:?}", objects.len())
        })?;
        Ok(objects
            .iter()
            .map(|object| {
                let metric = &object["status"]["externalMetricNames"][0];
                (text(&object["metadata"]["name"]), text(metric))
            })
            .collect())
    })
    .await
}

pub(crate) async fn two_hundred_objects() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let servers = Servers::start().await?;
    let mut namespaces = Vec::new();
    for _ in 0..NAMESPACES {
        let ns = Namespace::create(bed.cluster(), "shared").await?;
        for (kind, data) in servers.credentials() {
            authenticate(&ns, kind, &data).await?;
        }
        namespaces.push(ns);
    }
    let objects = (0..EACH).flat_map(|index| {
        let ns = &namespaces[index % NAMESPACES];
        servers
            .triggers(index)
            .map(|(kind, type_, metadata)| (ns, kind, type_, metadata, index))
    });
    stream::iter(objects)
        .map(|(ns, kind, type_, metadata, index)| async move {
            create(ns, kind, type_, &metadata, index).await
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    let result = examine(&servers, &namespaces).await;
    for ns in &namespaces {
        bed.cluster().delete("Namespace", "", ns.name()).await?;
    }
    result
}

async fn examine(servers: &Servers, namespaces: &[Namespace]) -> Result<()> {
    let mut known = Vec::new();
    for ns in namespaces {
        for (object, metric) in ready(ns, 5 * EACH / NAMESPACES).await? {
            known.push((ns, object, metric));
        }
    }
    servers.check_connections()?;
    for round in 0..3 {
        let before = servers.redis_reads()?;
        let reads = stream::iter(&known).map(|(ns, object, metric)| async move {
            let value = read(ns.cluster(), ns.name(), object, metric).await?;
            anyhow::Ok((object, value))
        });
        let values: Vec<(&String, String)> = reads.buffer_unordered(64).try_collect().await?;
        for (object, found) in values {
            let index: usize = object.rsplit('-').next().context("a number")?.parse()?;
            ensure!(
                found == value(index).to_string(),
                "{object} is {found} instead of {}",
                value(index)
            );
        }
        let asked = servers.redis_reads()? - before;
        // A reading each, and whatever polls fell into the round; never a second reading for one read.
        ensure!(
            (EACH as u64..=3 * EACH as u64).contains(&asked),
            "round {round}: {EACH} reads made {asked} requests to Redis"
        );
        servers.check_connections()?;
    }
    Ok(())
}
