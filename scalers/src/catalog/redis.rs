//! `redis`, `redis-cluster` and `redis-sentinel`: scale on the number of elements of a key.

use std::fmt::Debug;
use std::marker::PhantomData;

use futures::stream::BoxStream;
use scalers_derive::TriggerMetadata;

use crate::metadata::{Reader, word};
use crate::observer::Asker;
use crate::pool::Pool;
use crate::scaler::{Metric, Offer, Pushed, Reading, ScalerType, Target, Trigger};
use crate::source::redis::{Answer, Kind, Login, Question, Redis, Server, Topology, watch};
use crate::tls::TlsSettings;
use crate::{ScalerError, Secret};

pub(super) const REDIS: ScalerType = ScalerType::new::<RedisList<Single>>(
    "redis",
    "Length of a list on a Redis server",
    "{ address: redis.default.svc:6379, listName: jobs }",
)
.noting(NOTES);

pub(super) const REDIS_CLUSTER: ScalerType = ScalerType::new::<RedisList<Cluster>>(
    "redis-cluster",
    "Length of a list in a Redis cluster",
    "{ addresses: \"redis-0:6379,redis-1:6379\", listName: jobs }",
)
.noting(NOTES);

pub(super) const REDIS_SENTINEL: ScalerType = ScalerType::new::<RedisList<Sentinel>>(
    "redis-sentinel",
    "Length of a list on the Redis server that sentinels name",
    "{ addresses: \"sentinel-0:26379,sentinel-1:26379\", sentinelMaster: main, listName: jobs }",
)
.noting(NOTES);

const NOTES: &str = "The key may hold a list, a set, a sorted set or a hash: its elements are counted. A key that does \
    not exist has none. Any other type is an error. The server is given as `address`, or as `host` and `port`.\n\n\
    With `push: \"true\"`, a setting that KEDA does not have, the trigger is also active as soon as elements arrive: it listens \
    to keyspace notifications, over one more connection a server, and counts when it is told of a change. Nothing is \
    consumed. The server must send them: `notify-keyspace-events` holds `K` and `l` (for other collections `s`, `z` or `h`; \
    `A` is all), which is never changed from here. Where it does not, the trigger says so and is polled as usual.";

word! {
    /// The two words of the parameter `tls`.
    Switch {
        Enable = "enable",
        Disable = "disable",
    }
}

/// How the server is found, told apart by type: the three scaler types have the same settings.
pub(super) trait Mode: Clone + Debug + PartialEq + Send + Sync + 'static {
    fn topology(connection: &Connection) -> Topology;
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Single;
/// A cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cluster;
/// A server behind sentinels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sentinel;

impl Mode for Single {
    fn topology(_: &Connection) -> Topology {
        Topology::Single
    }
}

impl Mode for Cluster {
    fn topology(_: &Connection) -> Topology {
        Topology::Cluster
    }
}

impl Mode for Sentinel {
    fn topology(connection: &Connection) -> Topology {
        let login = Login {
            username: connection.sentinel_username.clone(),
            password: connection.sentinel_password.clone(),
        };
        Topology::Sentinel {
            master: connection.sentinel_master.clone().unwrap_or_default(),
            login,
        }
    }
}

/// Settings of a trigger that counts the elements of a key.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct RedisList<M: Mode> {
    /// Name of the list: the key whose elements are counted.
    list_name: String,
    /// Elements that one replica should have waiting.
    #[keda(default = "5")]
    list_length: i64,
    /// Elements above which the trigger is active.
    #[keda(default = "0")]
    activation_list_length: i64,
    /// Number of the database; a cluster has only one.
    #[keda(default = "0")]
    database_index: i64,
    /// Whether to be active as soon as elements arrive, by keyspace notifications; KEDA does not have this setting.
    #[keda(default = "false")]
    push: bool,
    /// How the server is reached.
    #[keda(block)]
    connection: Connection,
    #[keda(skip)]
    mode: PhantomData<M>,
}

/// How a Redis server is reached.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
pub(super) struct Connection {
    /// `host:port` of the server; several between commas for a cluster or for sentinels.
    #[keda(alias("addresses"), from(metadata, auth, env), default = "")]
    address: Vec<String>,
    /// Host of the server, in place of `address`; several between commas.
    #[keda(alias("hosts"), from(metadata, env, auth), default = "")]
    host: Vec<String>,
    /// Port of each host.
    #[keda(alias("ports"), from(metadata, env, auth), default = "")]
    port: Vec<String>,
    /// User for `AUTH`.
    #[keda(from(metadata, env, auth))]
    username: Option<String>,
    /// Password for `AUTH`.
    #[keda(from(metadata, env, auth))]
    password: Option<Secret<String>>,
    /// User for `AUTH` with the sentinels.
    #[keda(from(metadata, auth, env))]
    sentinel_username: Option<String>,
    /// Password for `AUTH` with the sentinels.
    #[keda(from(metadata, auth, env))]
    sentinel_password: Option<Secret<String>>,
    /// Name of the master that the sentinels watch.
    #[keda(from(metadata, auth, env))]
    sentinel_master: Option<String>,
    /// Whether to speak TLS; not together with the parameter `tls`.
    #[keda(name = "enableTLS")]
    enable_tls: Option<bool>,
    /// Whether to speak TLS; not together with `enableTLS`.
    #[keda(from(auth))]
    tls: Option<String>,
    /// Whether any certificate of the server will do.
    #[keda(default = "false")]
    unsafe_ssl: bool,
    /// PEM chain of the client.
    #[keda(name = "Cert", alias("cert"), from(auth))]
    cert: Option<Secret<String>>,
    /// PEM key of the client.
    #[keda(from(auth))]
    key: Option<Secret<String>>,
    /// Password of an encrypted key.
    #[keda(from(auth))]
    key_password: Option<Secret<String>>,
    /// PEM certificates that are trusted beside those of the system.
    #[keda(from(auth))]
    ca: Option<Secret<String>>,
}

impl<M: Mode> Trigger for RedisList<M> {
    type Source = Redis;

    fn check(&self, reader: &mut Reader<'_>) {
        self.connection.check::<M>(reader);
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let metric = Metric::new(
            format!("redis-{}", self.list_name),
            Target::Whole(self.list_length),
        );
        Some(vec![metric.active_above(self.activation_list_length as f64)])
    }

    fn source(&self) -> Server {
        self.connection.server::<M>(self.database_index)
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        Ok(Question::Length(self.list_name.clone()))
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        match answer {
            Answer::Length(length) => Ok(vec![Reading::from(*length as f64)]),
            Answer::OtherType(kind) => {
                let name = &self.list_name;
                Err(ScalerError::Value(format!(
                    "the key `{name}` holds a {kind}, whose elements are not counted"
                )))
            }
            Answer::Keys(_) => Err(ScalerError::Value("the server counted nothing".to_owned())),
        }
    }

    fn inventory_question(&self) -> Option<Question> {
        Some(Question::Keys(Kind::List))
    }

    fn read_inventory(&self, answer: &Answer) -> Result<Vec<Offer>, ScalerError> {
        Ok(offers("listName", "elements", answer))
    }

    fn push(&self, pool: &Pool, asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        if !self.push {
            return None;
        }
        let trigger = self.clone();
        let above = move |answer: &Answer| {
            let readings = trigger.read_answer(answer)?;
            let threshold = trigger.activation_list_length as f64;
            Ok(readings.iter().any(|reading| reading.value > threshold))
        };
        Some(watch(
            self.opener(pool, asker),
            Question::Length(self.list_name.clone()),
            above,
        ))
    }
}

/// The keys of an answer as what a trigger could name.
pub(super) fn offers(parameter: &'static str, what: &str, answer: &Answer) -> Vec<Offer> {
    let Answer::Keys(keys) = answer else {
        return Vec::new();
    };
    let offer = |(key, length): &(String, i64)| Offer {
        parameter,
        value: key.clone(),
        note: format!("{length} {what}"),
    };
    keys.iter().map(offer).collect()
}

impl Connection {
    /// The server, its credentials and TLS settings.
    pub(super) fn server<M: Mode>(&self, database: i64) -> Server {
        Server {
            topology: M::topology(self),
            addresses: self.addresses(),
            login: Login {
                username: self.username.clone(),
                password: self.password.clone(),
            },
            database,
            tls: self.tls_settings(),
        }
    }

    /// Upstream: `validateRedisAddress` and `SetEnableTLS` in `redis_scaler.go`.
    pub(super) fn check<M: Mode>(&self, reader: &mut Reader<'_>) {
        if matches!(M::topology(self), Topology::Sentinel { ref master, .. } if master.is_empty()) {
            // Upstream accepts this while it reads the trigger, and fails when it connects.
            reader.warning(
                "sentinelMaster",
                "`sentinelMaster` is missing: the sentinels will not find a server",
            );
        }
        let paired = !self.host.is_empty() && !self.port.is_empty();
        if paired && self.host.len() != self.port.len() {
            let (hosts, ports) = (self.host.len(), self.port.len());
            reader.error(
                "host",
                format!("`host` and `port` must go in pairs, not {hosts} hosts and {ports} ports"),
            );
        } else if self.addresses().first().is_none_or(String::is_empty) {
            match (self.host.is_empty(), self.port.is_empty()) {
                (false, true) => reader.missing("port", "missing `port` beside `host`"),
                (true, false) => reader.missing("host", "missing `host` beside `port`"),
                _ => reader.missing("address", "missing `address`, or `host` and `port`"),
            }
        }
        match (self.enable_tls, self.tls.as_deref()) {
            (Some(_), Some(_)) => reader.error("tls", "`tls` and `enableTLS` cannot be given together"),
            (None, Some(text)) if <Switch as crate::metadata::Value>::parse(text).is_err() => {
                reader.error("tls", "`tls` must be one of `enable` `disable`");
            }
            _ => {}
        }
    }

    /// The addresses, and the pairs of hosts and ports behind them.
    fn addresses(&self) -> Vec<String> {
        let pairs = self
            .host
            .iter()
            .zip(&self.port)
            .map(|(host, port)| format!("{host}:{port}"));
        self.address.iter().cloned().chain(pairs).collect()
    }

    fn tls_settings(&self) -> Option<TlsSettings> {
        let wanted = self.enable_tls.unwrap_or(self.tls.as_deref() == Some("enable"));
        wanted.then(|| TlsSettings {
            ca: self.ca.clone(),
            certificate: self.cert.clone(),
            key: self.key.clone(),
            key_password: self.key_password.clone(),
            unsafe_ssl: self.unsafe_ssl,
        })
    }
}

#[cfg(test)]
mod tests;
