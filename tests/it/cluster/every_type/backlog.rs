//! A server of each kind with a backlog, and the triggers that count it.

use std::any::Any;

use anyhow::Result;
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use harness::external_scaler::ExternalScaler;
use harness::mysql::MySql;
use harness::nats::{self, Nats};
use harness::postgresql::PostgreSql;
use harness::prometheus::{self, Prometheus};
use harness::redis::{Access, Cluster, Redis, Sentinel};
use harness::source::{Answer, Source};
use harness::{kafka, rabbitmq};
use jiff::ToSpan as _;
use serde_json::{Value, json};

use crate::servers::folder;

const PASSWORD: &str = "a-password-for-every-type";

/// A trigger of a type, and what it must say.
pub(super) struct Case {
    pub(super) type_: &'static str,
    pub(super) metadata: Value,
    /// What its authentication holds; null where it has none.
    pub(super) auth: Value,
    /// The value as a quantity; none where only the HPA measures.
    pub(super) value: Option<String>,
    pub(super) active: bool,
}

/// Triggers with the server that they ask, for as long as this is held.
pub(super) struct Served {
    pub(super) cases: Vec<Case>,
    _server: Box<dyn Any + Send + Sync>,
}

fn served(server: impl Any + Send + Sync, cases: impl Into<Vec<Case>>) -> Served {
    Served {
        cases: cases.into(),
        _server: Box::new(server),
    }
}

fn case(type_: &'static str, metadata: Value, auth: Value, value: &str, active: bool) -> Case {
    Case {
        type_,
        metadata,
        auth,
        value: Some(value.to_owned()),
        active,
    }
}

/// Starts everything at once.
pub(super) async fn servers() -> Result<Vec<Served>> {
    let all: [BoxFuture<'static, Result<Served>>; 10] = [
        on_kafka().boxed(),
        on_rabbitmq().boxed(),
        on_nats().boxed(),
        on_postgresql().boxed(),
        on_mysql().boxed(),
        on_redis().boxed(),
        on_redis_cluster().boxed(),
        on_redis_sentinel().boxed(),
        on_http().boxed(),
        on_external_scaler().boxed(),
    ];
    let mut all = try_join_all(all).await?;
    all.push(served((), without_server()?));
    Ok(all)
}

async fn on_kafka() -> Result<Served> {
    let kafka = kafka::shared().await?;
    let mut client = kafka.producer().await?;
    let topics = ["every-kafka", "every-apache-kafka"];
    client.create(&topics, 2).await?;
    for (topic, records) in topics.into_iter().zip([13, 8]) {
        client.produce(topic, 0, records).await?;
        client.commit(&format!("group-of-{topic}"), topic, 0, 4).await?;
        client.commit(&format!("group-of-{topic}"), topic, 1, 0).await?;
    }
    let metadata = |listener: &str, topic: &str, sasl: &str, tls: &str| {
        json!({
            "bootstrapServers": kafka.address(listener), "topic": topic, "consumerGroup": format!("group-of-{topic}"),
            "lagThreshold": "5", "activationLagThreshold": "4", "sasl": sasl, "tls": tls,
        })
    };
    let login = json!({"username": kafka::USER, "password": kafka::PASSWORD});
    Ok(served(
        (),
        [
            case(
                "kafka",
                metadata("LOGIN", topics[0], "plaintext", "disable"),
                login,
                "9",
                true,
            ),
            case(
                "apache-kafka",
                metadata("TLS", topics[1], "none", "enable"),
                json!({"ca": kafka.ca()}),
                "4",
                false,
            ),
        ],
    ))
}

async fn on_rabbitmq() -> Result<Served> {
    let rabbit = rabbitmq::server().await?;
    let vhost = rabbit.vhost("every-type").await?;
    vhost.declare("jobs", "classic").await?;
    vhost.publish("", "jobs", 6).await?;
    let metadata = json!({
        "host": format!("amqp://{}/every-type", rabbit.amqp()), "queueName": "jobs", "mode": "QueueLength", "value": "4",
    });
    let auth = json!({"username": rabbitmq::USER, "password": rabbitmq::PASSWORD});
    Ok(served((), [case("rabbitmq", metadata, auth, "6", true)]))
}

async fn on_nats() -> Result<Served> {
    let nats = Nats::start(&folder("every-nats")?, nats::Access::default()).await?;
    let jobs = nats.stream("ORDERS", "orders.>", "billing", 1).await?;
    jobs.publish("orders.new", 7).await?;
    let metadata = json!({
        "natsServerMonitoringEndpoint": nats.monitoring.to_string(), "account": "$G", "stream": "ORDERS",
        "consumer": "billing", "lagThreshold": "5", "activationLagThreshold": "10",
    });
    let cases = [case("nats-jetstream", metadata, Value::Null, "7", false)];
    Ok(served(nats, cases))
}

async fn on_postgresql() -> Result<Served> {
    let server = PostgreSql::start(&folder("every-postgresql")?).await?;
    let sql = format!(
        "CREATE USER scaler PASSWORD '{PASSWORD}'; CREATE TABLE jobs (id int); GRANT SELECT ON jobs TO scaler;
         INSERT INTO jobs SELECT generate_series(1, 8)"
    );
    server.sql("postgres", &sql)?;
    let metadata = json!({
        "host": "127.0.0.1", "port": server.port().to_string(), "userName": "scaler", "dbName": "postgres",
        "sslmode": "disable", "query": "SELECT COUNT(*) FROM jobs", "targetQueryValue": "3",
    });
    let cases = [case(
        "postgresql",
        metadata,
        json!({"password": PASSWORD}),
        "8",
        true,
    )];
    Ok(served(server, cases))
}

async fn on_mysql() -> Result<Served> {
    let server = MySql::start(&folder("every-mysql")?).await?;
    let user = "scaler@'127.0.0.1'";
    server.sql(&format!(
        "CREATE DATABASE shop; CREATE TABLE shop.jobs (id int); INSERT INTO shop.jobs VALUES (1), (2), (3), (4), (5);
         CREATE USER {user} IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON shop.* TO {user}"
    ))?;
    let metadata = json!({
        "host": "127.0.0.1", "port": server.port().to_string(), "username": "scaler", "dbName": "shop",
        "query": "SELECT COUNT(*) / 2 FROM jobs", "queryValue": "3", "activationQueryValue": "2.5",
    });
    let cases = [case(
        "mysql",
        metadata,
        json!({"password": PASSWORD}),
        "2500m",
        false,
    )];
    Ok(served(server, cases))
}

fn access() -> Access {
    Access {
        password: Some(PASSWORD.to_owned()),
        tls: None,
    }
}

/// A list and a stream of a Redis, with the settings that name it.
fn lists_and_streams(types: [&'static str; 2], redis: &Redis, place: &Value) -> Result<[Case; 2]> {
    redis.push("jobs", 11)?;
    for _ in 0..6 {
        redis.cli(&["XADD", "orders", "*", "order", "1"])?;
    }
    redis.cli(&["XGROUP", "CREATE", "orders", "billing", "0"])?;
    redis.cli(&[
        "XREADGROUP",
        "GROUP",
        "billing",
        "c",
        "COUNT",
        "2",
        "STREAMS",
        "orders",
        ">",
    ])?;
    let with = |more: Value| {
        let mut metadata = place.clone();
        for (key, value) in more.as_object().into_iter().flatten() {
            metadata[key] = value.clone();
        }
        metadata
    };
    let auth = json!({"password": PASSWORD});
    let list = with(json!({"listName": "jobs", "listLength": "5", "activationListLength": "11"}));
    let stream = with(json!({"stream": "orders", "consumerGroup": "billing", "lagCount": "3"}));
    Ok([
        case(types[0], list, auth.clone(), "11", false),
        case(types[1], stream, auth, "4", true),
    ])
}

async fn on_redis() -> Result<Served> {
    let redis = Redis::start(&folder("every-redis")?, access()).await?;
    let place = json!({"address": redis.address()});
    let cases = lists_and_streams(["redis", "redis-streams"], &redis, &place)?;
    Ok(served(redis, cases))
}

async fn on_redis_cluster() -> Result<Served> {
    let cluster = Cluster::start(&folder("every-cluster")?, access()).await?;
    let place = json!({"addresses": cluster.addresses()});
    let types = ["redis-cluster", "redis-cluster-streams"];
    let cases = lists_and_streams(types, &cluster.nodes[0], &place)?;
    Ok(served(cluster, cases))
}

async fn on_redis_sentinel() -> Result<Served> {
    let set = Sentinel::start(&folder("every-sentinel")?, access()).await?;
    let place = json!({"addresses": set.sentinel.address(), "sentinelMaster": set.name});
    let types = ["redis-sentinel", "redis-sentinel-streams"];
    let cases = lists_and_streams(types, &set.master, &place)?;
    Ok(served(set, cases))
}

/// Prometheus, and numbers in an API.
async fn on_http() -> Result<Served> {
    let server = Prometheus::start(&folder("every-prometheus")?, &prometheus::Access::default()).await?;
    let source = Source::start().await?;
    source.set("jobs", Answer::Value(7.5));
    let query = json!({"serverAddress": server.url(), "query": "sum(vector(2.125)) * 2", "threshold": "2"});
    let api = json!({"url": source.url("jobs"), "valueLocation": "value", "targetValue": "10",
                     "activationTargetValue": "7.5"});
    let cases = [
        case("prometheus", query, Value::Null, "4250m", true),
        case("metrics-api", api, Value::Null, "7500m", false),
    ];
    Ok(served(server, cases))
}

async fn on_external_scaler() -> Result<Served> {
    let scaler = ExternalScaler::start(&folder("every-external")?).await?;
    // Whether it is active the scaler says, not the value.
    scaler.set("pulled", 35.0, false).await?;
    scaler.set("pushed", 3.0, true).await?;
    let of = |queue: &str| json!({"scalerAddress": scaler.address(), "queue": queue, "target": "10"});
    let cases = [
        case("external", of("pulled"), Value::Null, "35", false),
        case("external-push", of("pushed"), Value::Null, "3", true),
    ];
    Ok(served(scaler, cases))
}

/// The clock, in the middle of its window, and what the HPA measures by itself.
fn without_server() -> Result<Vec<Case>> {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let at = |hours: i64| -> Result<String> {
        let time = now.checked_add(hours.hours())?;
        Ok(format!("{} {} * * *", time.minute(), time.hour()))
    };
    let window = json!({"timezone": "Etc/UTC", "start": at(-6)?, "end": at(6)?, "desiredReplicas": "3"});
    let mut cases = vec![case("cron", window, Value::Null, "3", true)];
    for type_ in ["cpu", "memory"] {
        cases.push(Case {
            type_,
            metadata: json!({"value": "60"}),
            auth: Value::Null,
            value: None,
            active: false,
        });
    }
    Ok(cases)
}
