//! How connections to Redis come about: directly, over the nodes of a cluster, through sentinels.

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
    TlsCertificates, TlsMode,
};

use super::{Login, Redis, Server, Topology, failure};
use crate::ScalerError;
use crate::connect::Connect;
use crate::scaler::Source as _;
use crate::tls::TlsSettings;

/// The pool holds every reading to its deadline, so the client has none of its own.
fn patient() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
}

/// The certificates that are needed to speak with a server.
pub(super) fn trust(key: &Server, connect: &Connect) -> Result<Option<TlsCertificates>, ScalerError> {
    key.tls.as_ref().map(|tls| certificates(tls, connect)).transpose()
}

/// The way to the one server there is: the first address, or the master that the sentinels name.
pub(super) async fn server(key: &Server, connect: &Connect) -> Result<Client, ScalerError> {
    let certificates = trust(key, connect)?;
    match &key.topology {
        Topology::Sentinel { master, login } => named(key, master, login, certificates).await,
        Topology::Single | Topology::Cluster => client(key, key.first(), certificates),
    }
}

/// The way to a server by its address.
pub(super) fn client(
    key: &Server,
    address: &str,
    certificates: Option<TlsCertificates>,
) -> Result<Client, ScalerError> {
    let fail = |error| failure(address, error);
    let mut login = RedisConnectionInfo::default().set_db(key.database());
    if let Some(username) = &key.login.username {
        login = login.set_username(username);
    }
    if let Some(password) = &key.login.password {
        login = login.set_password(password.expose());
    }
    let info = parse(address, key.tls.as_ref())?
        .into_connection_info()
        .map_err(fail)?
        .set_redis_settings(login);
    match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
    .map_err(fail)
}

/// Connects to the server that a client knows.
pub(super) async fn single(endpoint: &str, client: &Client) -> Result<MultiplexedConnection, ScalerError> {
    client
        .get_multiplexed_async_connection_with_config(&patient())
        .await
        .map_err(|error| failure(endpoint, error))
}

/// Connects to the nodes of a cluster.
pub(super) async fn cluster(
    key: &Server,
    certificates: Option<TlsCertificates>,
    connect: &Connect,
) -> Result<ClusterConnection, ScalerError> {
    let endpoint = Redis::endpoint(key);
    let fail = |error| failure(&endpoint, error);
    // A node that does not answer must not hold up the others for the whole deadline.
    let mut builder = ClusterClientBuilder::new(addresses(key)?)
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
    client.get_async_connection().await.map_err(fail)
}

/// Asks the sentinels for the way to the master.
async fn named(
    key: &Server,
    master: &str,
    login: &Login,
    certificates: Option<TlsCertificates>,
) -> Result<Client, ScalerError> {
    let endpoint = Redis::endpoint(key);
    let fail = |error| failure(&endpoint, error);
    let mut builder = SentinelClientBuilder::new(addresses(key)?, master, SentinelServerType::Master)
        .map_err(fail)?
        .set_client_to_redis_db(key.database());
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
    client.async_get_client().await.map_err(fail)
}

fn addresses(key: &Server) -> Result<Vec<ConnectionAddr>, ScalerError> {
    key.addresses
        .iter()
        .map(|text| parse(text, key.tls.as_ref()))
        .collect()
}

fn mode(tls: &TlsSettings) -> TlsMode {
    if tls.unsafe_ssl {
        TlsMode::Insecure
    } else {
        TlsMode::Secure
    }
}

/// Splits `host:port`; an IPv6 host stands in brackets.
fn parse(text: &str, tls: Option<&TlsSettings>) -> Result<ConnectionAddr, ScalerError> {
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
