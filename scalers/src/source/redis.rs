//! Redis: one server, a cluster, or a server found through sentinels.

use futures::future::join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, TlsCertificates, TlsMode, Value, cmd,
};

use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;
use crate::{ScalerError, Secret};

/// How the server is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topology {
    /// The first address is the server.
    Single,
    /// Every address is a node of a cluster.
    Cluster,
    /// Every address is a sentinel.
    Sentinel {
        /// The name of the master they watch.
        master: String,
        /// Credentials of the sentinels.
        login: Login,
    },
}

/// A user and a password, either of which may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret<String>>,
}

/// A server with everything that makes its connection different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) topology: Topology,
    /// `host:port` texts.
    pub(crate) addresses: Vec<String>,
    pub(crate) login: Login,
    pub(crate) database: i64,
    pub(crate) tls: Option<TlsSettings>,
}

/// Something to ask a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// How many elements a key holds.
    Length(String),
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// So many elements.
    Length(i64),
    /// The key holds something whose elements are not counted: the name of its type.
    OtherType(String),
}

/// Counts what a key holds in one round trip. Upstream has a script to the same effect (`redis_scaler.go`).
const COUNT: &str = "\
local kind = redis.call('TYPE', KEYS[1]).ok
local count = { none = 'LLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD', hash = 'HLEN' }
if count[kind] then return redis.call(count[kind], KEYS[1]) end
return kind";

/// Questions that travel in one write.
const TOGETHER: usize = 256;

/// An open connection. Commands sent at the same time travel in one write.
pub(crate) struct Redis {
    endpoint: String,
    connection: Connection,
}

enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Source for Redis {
    type Key = Server;
    type Question = Question;
    type Answer = Answer;
    const PROTOCOL: &'static str = "redis";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.redis
    }

    fn endpoint(key: &Server) -> String {
        let addresses = match key.topology {
            // Only the first address is ever asked.
            Topology::Single => key.addresses.first().cloned().unwrap_or_default(),
            Topology::Cluster | Topology::Sentinel { .. } => key.addresses.join(","),
        };
        match &key.topology {
            Topology::Sentinel { master, .. } => format!("{addresses}/{master}"),
            Topology::Single | Topology::Cluster => addresses,
        }
    }

    fn together(key: &Server) -> usize {
        match key.topology {
            Topology::Single | Topology::Sentinel { .. } => TOGETHER,
            // A node that does not answer must not hold up what the others have answered.
            Topology::Cluster => 1,
        }
    }

    fn describe(answer: &Answer) -> String {
        match answer {
            Answer::Length(length) => length.to_string(),
            other => format!("{other:?}"),
        }
    }

    async fn open(key: &Server, connect: &Connect) -> Result<Self, ScalerError> {
        let endpoint = Self::endpoint(key);
        let certificates = key
            .tls
            .as_ref()
            .map(|tls| certificates(tls, connect))
            .transpose()?;
        let mut connection = match &key.topology {
            Topology::Single => single(key, certificates).await,
            Topology::Cluster => cluster(key, certificates, connect).await,
            Topology::Sentinel { master, login } => sentinel(key, master, login, certificates).await,
        }?;
        connection
            .send(&cmd("PING"))
            .await
            .map_err(|error| failure(&endpoint, error))?;
        Ok(Self { endpoint, connection })
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        let asked = questions.iter().map(|question| async move {
            let Question::Length(key) = question;
            let mut connection = self.connection.clone();
            let answer = connection.send(cmd("EVAL").arg(COUNT).arg(1).arg(key)).await;
            self.answer(answer)
        });
        join_all(asked).await
    }
}

impl Redis {
    fn answer(&self, answer: Result<Value, RedisError>) -> Result<Answer, ScalerError> {
        let other = match answer.map_err(|error| failure(&self.endpoint, error))? {
            Value::Int(length) => return Ok(Answer::Length(length)),
            Value::SimpleString(kind) => kind,
            Value::BulkString(kind) => String::from_utf8_lossy(&kind).into_owned(),
            other => {
                let answer = format!("with a reply that is no number: {other:?}");
                return Err(ScalerError::Answer {
                    endpoint: self.endpoint.clone(),
                    answer,
                });
            }
        };
        Ok(Answer::OtherType(other))
    }
}

impl Clone for Connection {
    fn clone(&self) -> Self {
        match self {
            Self::Single(connection) => Self::Single(connection.clone()),
            Self::Cluster(connection) => Self::Cluster(connection.clone()),
        }
    }
}

impl Connection {
    async fn send(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        }?
        .extract_error()
    }
}

/// The pool holds every reading to its deadline, so the client has none of its own.
fn patient() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
}

async fn single(key: &Server, certificates: Option<TlsCertificates>) -> Result<Connection, ScalerError> {
    let endpoint = Redis::endpoint(key);
    let fail = |error| failure(&endpoint, error);
    let first = key.addresses.first().map(String::as_str).unwrap_or_default();
    let mut login = RedisConnectionInfo::default().set_db(key.database);
    if let Some(username) = &key.login.username {
        login = login.set_username(username);
    }
    if let Some(password) = &key.login.password {
        login = login.set_password(password.expose());
    }
    let info = address(first, key.tls.as_ref())?
        .into_connection_info()
        .map_err(fail)?
        .set_redis_settings(login);
    let client = match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
    .map_err(fail)?;
    let connection = client
        .get_multiplexed_async_connection_with_config(&patient())
        .await
        .map_err(fail)?;
    Ok(Connection::Single(connection))
}

async fn cluster(
    key: &Server,
    certificates: Option<TlsCertificates>,
    connect: &Connect,
) -> Result<Connection, ScalerError> {
    let endpoint = Redis::endpoint(key);
    let fail = |error| failure(&endpoint, error);
    let seeds: Result<Vec<ConnectionAddr>, _> = key
        .addresses
        .iter()
        .map(|text| address(text, key.tls.as_ref()))
        .collect();
    // A node that does not answer must not hold up the others for the whole deadline.
    let mut builder = ClusterClientBuilder::new(seeds?)
        .retries(2)
        .connection_timeout(connect.timeout / 3)
        .response_timeout(connect.timeout);
    if let Some(username) = &key.login.username {
        builder = builder.username(username);
    }
    if let Some(password) = &key.login.password {
        builder = builder.password(password.expose());
    }
    if let (Some(tls), Some(certificates)) = (&key.tls, certificates) {
        builder = builder.tls(mode(tls)).certs(certificates);
    }
    let client = builder.build().map_err(fail)?;
    client
        .get_async_connection()
        .await
        .map(Connection::Cluster)
        .map_err(fail)
}

async fn sentinel(
    key: &Server,
    master: &str,
    login: &Login,
    certificates: Option<TlsCertificates>,
) -> Result<Connection, ScalerError> {
    let endpoint = Redis::endpoint(key);
    let fail = |error| failure(&endpoint, error);
    let sentinels: Result<Vec<ConnectionAddr>, _> = key
        .addresses
        .iter()
        .map(|text| address(text, key.tls.as_ref()))
        .collect();
    let mut builder = SentinelClientBuilder::new(sentinels?, master, SentinelServerType::Master)
        .map_err(fail)?
        .set_client_to_redis_db(key.database);
    if let Some(username) = &key.login.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &key.login.password {
        builder = builder.set_client_to_redis_password(password.expose());
    }
    if let Some(username) = &login.username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = &login.password {
        builder = builder.set_client_to_sentinel_password(password.expose());
    }
    if let (Some(tls), Some(certificates)) = (&key.tls, certificates) {
        builder = builder
            .set_client_to_redis_tls_mode(mode(tls))
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_tls_mode(mode(tls))
            .set_client_to_sentinel_certificates(certificates);
    }
    let mut client = builder.build().map_err(fail)?;
    let connection = client
        .get_async_connection_with_config(&patient())
        .await
        .map_err(fail)?;
    Ok(Connection::Single(connection))
}

fn mode(tls: &TlsSettings) -> TlsMode {
    if tls.unsafe_ssl {
        TlsMode::Insecure
    } else {
        TlsMode::Secure
    }
}

/// Splits `host:port`; an IPv6 host stands in brackets.
fn address(text: &str, tls: Option<&TlsSettings>) -> Result<ConnectionAddr, ScalerError> {
    let refused = || ScalerError::Setting(format!("the address `{text}` must be `host:port`"));
    let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
    let port = port.parse().map_err(|_| refused())?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
        .to_owned();
    Ok(match tls {
        Some(tls) => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: tls.unsafe_ssl,
            tls_params: None,
        },
        None => ConnectionAddr::Tcp(host, port),
    })
}

/// The certificates in the form the client takes them: PEM.
fn certificates(tls: &TlsSettings, connect: &Connect) -> Result<TlsCertificates, ScalerError> {
    let own = tls.own_roots()?;
    let mut roots = String::new();
    for root in connect.roots.certificates().chain(&own) {
        roots.push_str(&pem("CERTIFICATE", root));
    }
    let client_tls = tls.identity()?.map(|(chain, key)| ClientTlsConfig {
        client_cert: chain
            .iter()
            .map(|link| pem("CERTIFICATE", link))
            .collect::<String>()
            .into_bytes(),
        client_key: pem(label(&key), key.secret_der()).into_bytes(),
    });
    // Without any root the client would look for those of the system and fail; an empty list trusts nobody instead.
    Ok(TlsCertificates {
        client_tls,
        root_cert: Some(roots.into_bytes()),
    })
}

fn label(key: &rustls::pki_types::PrivateKeyDer<'_>) -> &'static str {
    match key {
        rustls::pki_types::PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        rustls::pki_types::PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for start in (0..text.len()).step_by(64) {
        pem.push_str(&text[start..text.len().min(start + 64)]);
        pem.push('\n');
    }
    pem + "-----END " + label + "-----\n"
}

/// What a failure of the client means. The texts of the client name no credentials.
fn failure(endpoint: &str, error: RedisError) -> ScalerError {
    let code = error.code().unwrap_or_default();
    let refused =
        error.kind() == ErrorKind::AuthenticationFailed || ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&code);
    if refused {
        return ScalerError::Unauthorized {
            endpoint: endpoint.to_owned(),
            source: std::sync::Arc::new(error),
        };
    }
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => ScalerError::Answer {
            endpoint: endpoint.to_owned(),
            answer: error.to_string(),
        },
        ErrorKind::MasterNameNotFoundBySentinel => ScalerError::Answer {
            endpoint: endpoint.to_owned(),
            answer: "that it knows no such master".to_owned(),
        },
        _ => ScalerError::unreachable(endpoint, error),
    }
}
