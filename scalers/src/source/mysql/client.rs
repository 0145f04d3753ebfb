//! One connection to a MySQL or MariaDB server: the login, and statements in the text protocol.
//!
//! It is a small client of our own: the crates that speak the protocol panic on replies that no honest server sends,
//! and one tenant's server must not be able to end the process.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, BufStream};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::auth::{self, Plugin};
use super::dsn::{Address, Server, Tls};
use super::wire::{Greeting, Packet, Refusal, Wire, garbled};
use crate::ScalerError;
use crate::connect::Connect;
use crate::source::sql::{self, Reply, said, server_limit};
use crate::tls::TlsSettings;

/// Abilities of the protocol, by the names of its documentation.
mod ability {
    pub(super) const LONG_PASSWORD: u32 = 1;
    pub(super) const LONG_FLAG: u32 = 1 << 2;
    pub(super) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(super) const PROTOCOL_41: u32 = 1 << 9;
    pub(super) const SSL: u32 = 1 << 11;
    pub(super) const TRANSACTIONS: u32 = 1 << 13;
    pub(super) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(super) const PLUGIN_AUTH: u32 = 1 << 19;
}

/// `utf8mb4_general_ci`, which every server knows.
const COLLATION: u8 = 45;
/// Announced to the server; replies are held to a tighter limit.
const LARGEST_PACKET: u32 = 1 << 24;
/// More turns than any login takes.
const TURNS: usize = 8;
/// More columns than a table can have.
const MOST_COLUMNS: u64 = 4096;
/// The flag of a reply after which another one follows.
const MORE_RESULTS: u64 = 8;
const COMMAND_QUERY: u8 = 3;

/// A stream of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// Who is at the other end, for messages.
type Peer = sql::Peer<Server>;

/// An open connection.
pub(super) struct Client {
    peer: Peer,
    wire: Wire<BufStream<Box<dyn Stream>>>,
}

/// How something with the server failed.
enum Failure {
    Io(io::Error),
    Refused(Refusal),
    Login(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Peer {
    pub(super) async fn connect(&self, connect: &Connect) -> Result<Client, ScalerError> {
        let tls = match self.database.tls {
            Tls::Off => None,
            kind => {
                let settings = TlsSettings {
                    unsafe_ssl: kind != Tls::Verified,
                    ..TlsSettings::default()
                };
                Some(TlsConnector::from(Arc::new(settings.client(connect)?)))
            }
        };
        let opened = self.open(tls).await;
        let mut client = opened.map_err(|failure| self.failure(failure))?;
        client.set_up(server_limit(connect.timeout)).await?;
        Ok(client)
    }

    async fn open(&self, tls: Option<TlsConnector>) -> Result<Client, Failure> {
        let server = &*self.database;
        let (stream, host): (Box<dyn Stream>, _) = match &server.address {
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                (Box::new(stream), Some(host))
            }
            Address::Unix(path) => (Box::new(UnixStream::connect(path).await?), None),
        };
        let mut wire = Wire::new(stream, 0);
        let greeting = wire.read().await?;
        if greeting.first() == Some(&0xff) {
            return Err(Failure::Refused(Refusal::read(&greeting)?));
        }
        let greeting = Greeting::read(&greeting)?;
        let mut abilities = ability::LONG_PASSWORD
            | ability::LONG_FLAG
            | ability::PROTOCOL_41
            | ability::TRANSACTIONS
            | ability::SECURE_CONNECTION
            | ability::PLUGIN_AUTH;
        if !server.database.is_empty() {
            abilities |= ability::CONNECT_WITH_DB;
        }
        let mut private = host.is_none();
        let offered = greeting.capabilities & ability::SSL != 0;
        let (mut stream, mut sequence) = (wire.stream, wire.sequence);
        if let (Some(tls), Some(host)) = (tls, host) {
            if offered {
                abilities |= ability::SSL;
                let mut wire = Wire::new(stream, sequence);
                wire.write(&head(abilities)).await?;
                let name = ServerName::try_from(host.clone()).map_err(|_| {
                    io::Error::new(io::ErrorKind::InvalidInput, "its name fits no certificate")
                })?;
                sequence = wire.sequence;
                stream = Box::new(tls.connect(name, wire.stream).await?);
                private = true;
            } else if server.tls != Tls::Preferred {
                return Err(Failure::Io(garbled("does not speak TLS")));
            }
        }
        let mut client = Client {
            peer: self.clone(),
            wire: Wire::new(BufStream::new(stream), sequence),
        };
        client.log_in(&greeting, abilities, private).await?;
        Ok(client)
    }

    fn failure(&self, failure: Failure) -> ScalerError {
        let endpoint = self.endpoint.to_string();
        let refused = match failure {
            Failure::Io(error) => return ScalerError::unreachable(endpoint, error),
            Failure::Login(text) => {
                return ScalerError::Unauthorized {
                    endpoint,
                    source: Arc::new(io::Error::other(text)),
                };
            }
            Failure::Refused(refused) => refused,
        };
        let password = self.database.password.expose();
        let text = said(&refused.message, Some(password));
        match refused.code {
            // Access denied: to everything, to the database, from this host, or by the kind of login.
            1044 | 1045 | 1130 | 1251 | 1698 => ScalerError::Unauthorized {
                endpoint,
                source: Arc::new(io::Error::other(text)),
            },
            // Too many connections, going down, or this connection was ended.
            1040 | 1053 | 1152 | 1158..=1161 | 1203 | 1927 | 3169 | 4031 => {
                ScalerError::unreachable(endpoint, io::Error::other(text))
            }
            code => ScalerError::Answer {
                endpoint,
                answer: format!("with error {code}: {text}"),
            },
        }
    }
}

/// What begins both the request for TLS and the login.
fn head(abilities: u32) -> Vec<u8> {
    let mut packet = abilities.to_le_bytes().to_vec();
    packet.extend_from_slice(&LARGEST_PACKET.to_le_bytes());
    packet.push(COLLATION);
    packet.extend_from_slice(&[0; 23]);
    packet
}

impl Client {
    /// Logs in. `private` says whether nobody else can read what is sent.
    async fn log_in(&mut self, greeting: &Greeting, abilities: u32, private: bool) -> Result<(), Failure> {
        let server = Arc::clone(&self.peer.database);
        let mut nonce = greeting.nonce.clone();
        // A server that prefers a login that is not known here may still take this one.
        let mut plugin = Plugin::named(&greeting.plugin)
            .filter(|plugin| *plugin != Plugin::Clear)
            .unwrap_or(Plugin::Native);
        let first = self.proof(plugin, &nonce, private)?;
        let mut packet = head(abilities);
        packet.extend_from_slice(server.user.as_bytes());
        packet.push(0);
        packet.push(u8::try_from(first.len()).map_err(|_| garbled("wants a password that is too long"))?);
        packet.extend_from_slice(&first);
        if abilities & ability::CONNECT_WITH_DB != 0 {
            packet.extend_from_slice(server.database.as_bytes());
            packet.push(0);
        }
        packet.extend_from_slice(plugin.name().as_bytes());
        packet.push(0);
        self.wire.write(&packet).await?;
        for _ in 0..TURNS {
            let packet = self.wire.read().await?;
            match packet.as_slice() {
                [0x00, ..] => return Ok(()),
                [0xff, ..] => return Err(Failure::Refused(Refusal::read(&packet)?)),
                // The server knows the password already.
                [0x01, 0x03] if plugin == Plugin::CachingSha2 => {}
                [0x01, 0x04] if plugin == Plugin::CachingSha2 => self.reveal(&nonce, private, 0x02).await?,
                [0x01, key @ ..] if plugin == Plugin::Sha256 => {
                    let sealed = auth::sealed(server.password.expose(), &nonce, key).map_err(unusable)?;
                    self.wire.write(&sealed).await?;
                }
                [0xfe, rest @ ..] if !rest.is_empty() => {
                    let mut rest = Packet(rest);
                    let name = String::from_utf8_lossy(rest.text()).into_owned();
                    nonce = rest.0.strip_suffix(&[0]).unwrap_or(rest.0).to_vec();
                    plugin = Plugin::named(&name).ok_or_else(|| {
                        Failure::Login(format!("it asks for the login `{}`", said(&name, None)))
                    })?;
                    let proof = self.proof(plugin, &nonce, private)?;
                    self.wire.write(&proof).await?;
                }
                _ => return Err(Failure::Io(garbled("sent a packet that belongs to no login"))),
            }
        }
        Err(Failure::Io(garbled("does not come to the end of the login")))
    }

    /// The first thing to send for a login.
    fn proof(&self, plugin: Plugin, nonce: &[u8], private: bool) -> Result<Vec<u8>, Failure> {
        let server = &self.peer.database;
        let password = server.password.expose();
        match plugin {
            Plugin::Native if !server.native => Err(Failure::Login(
                "it asks for `mysql_native_password`, which is not allowed".to_owned(),
            )),
            Plugin::Native => Ok(auth::native(password, nonce)),
            Plugin::CachingSha2 => Ok(auth::caching_sha2(password, nonce)),
            Plugin::Sha256 if password.is_empty() => Ok(vec![0]),
            Plugin::Sha256 if private => Ok(auth::clear(password)),
            // Asks for the server's key.
            Plugin::Sha256 => Ok(vec![1]),
            Plugin::Clear if server.cleartext => Ok(auth::clear(password)),
            Plugin::Clear => {
                let text =
                    "it asks for the password in plain text, which `allowCleartextPasswords` does not allow";
                Err(Failure::Login(text.to_owned()))
            }
        }
    }

    /// Sends the whole password: as it is where nobody else can read it, under the server's key otherwise.
    async fn reveal(&mut self, nonce: &[u8], private: bool, request: u8) -> Result<(), Failure> {
        let server = Arc::clone(&self.peer.database);
        if private {
            return Ok(self.wire.write(&auth::clear(server.password.expose())).await?);
        }
        self.wire.write(&[request]).await?;
        let packet = self.wire.read().await?;
        let sealed = match packet.as_slice() {
            [0x01, key @ ..] => auth::sealed(server.password.expose(), nonce, key).map_err(unusable)?,
            [0xff, ..] => return Err(Failure::Refused(Refusal::read(&packet)?)),
            _ => return Err(Failure::Io(garbled("sent no key for the password"))),
        };
        Ok(self.wire.write(&sealed).await?)
    }

    /// Sets what the connection string says, and the server's own limit where it has one.
    ///
    /// DEVIATION: upstream sets no limit.
    async fn set_up(&mut self, limit: u64) -> Result<(), ScalerError> {
        let server = Arc::clone(&self.peer.database);
        for (name, value) in &server.variables {
            self.run(&format!("SET {name}={value}"), 0).await?;
        }
        let seconds = limit.div_ceil(1000);
        for sql in [
            format!("SET SESSION max_execution_time={limit}"),
            format!("SET SESSION max_statement_time={seconds}"),
        ] {
            match self.run(&sql, 0).await {
                // MySQL knows the first, MariaDB the second, and a proxy may know neither.
                Err(ScalerError::Answer { .. }) => {}
                other => return other.map(|_| ()),
            }
        }
        Ok(())
    }

    async fn run(&mut self, sql: &str, keep: usize) -> Result<Reply, ScalerError> {
        match self.statement(sql, keep).await {
            Ok(reply) => Ok(reply),
            Err(failure) => Err(self.peer.failure(failure)),
        }
    }

    /// Runs a statement to its end: the rows of its first result, and nothing of further ones.
    async fn statement(&mut self, sql: &str, keep: usize) -> Result<Reply, Failure> {
        self.wire.sequence = 0;
        let mut packet = vec![COMMAND_QUERY];
        packet.extend_from_slice(sql.as_bytes());
        self.wire.write(&packet).await?;
        let (reply, mut more) = self.result(keep).await?;
        while more {
            more = self.result(0).await?.1;
        }
        Ok(reply)
    }

    /// Reads one result, and whether another one follows.
    async fn result(&mut self, keep: usize) -> Result<(Reply, bool), Failure> {
        let first = self.wire.read().await?;
        match first.first() {
            Some(0xff) => return Err(Failure::Refused(Refusal::read(&first)?)),
            Some(0x00) => {
                let mut packet = Packet(&first[1..]);
                packet.length()?;
                packet.length()?;
                let more = packet.number(2)? & MORE_RESULTS != 0;
                return Ok((Reply::default(), more));
            }
            Some(0xfb) => return Err(Failure::Io(garbled("asks for a file"))),
            _ => {}
        }
        let columns = Packet(&first).length()?.unwrap_or_default();
        if columns == 0 || columns > MOST_COLUMNS {
            return Err(Failure::Io(garbled("sent a result of no possible width")));
        }
        let mut reply = Reply {
            columns: columns as usize,
            rows: Vec::new(),
        };
        for _ in 0..columns {
            self.wire.read().await?;
        }
        end_of_part(&self.wire.read().await?).ok_or_else(|| garbled("sent more columns than it said"))?;
        loop {
            let packet = self.wire.read().await?;
            if packet.first() == Some(&0xff) {
                return Err(Failure::Refused(Refusal::read(&packet)?));
            }
            if let Some(status) = end_of_part(&packet) {
                return Ok((reply, status & MORE_RESULTS != 0));
            }
            if reply.rows.len() < keep {
                let mut packet = Packet(&packet);
                let row: io::Result<Vec<_>> = (0..columns)
                    .map(|_| {
                        Ok(packet
                            .value()?
                            .map(|value| String::from_utf8_lossy(value).into_owned()))
                    })
                    .collect();
                reply.rows.push(row?);
            }
        }
    }
}

/// The flags of a packet that ends a list; `None` for any other packet.
fn end_of_part(packet: &[u8]) -> Option<u64> {
    match packet {
        [0xfe, _, _, low, high] => Some(u64::from(*low) | u64::from(*high) << 8),
        _ => None,
    }
}

fn unusable(reason: &'static str) -> Failure {
    Failure::Login(reason.to_owned())
}

impl sql::Client for Client {
    async fn query(&mut self, sql: &str, keep: usize) -> Result<Reply, ScalerError> {
        self.run(sql, keep).await
    }
}
