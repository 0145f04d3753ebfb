//! One connection, driven by whoever uses it: there is no task behind it, and dropping it closes the socket.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::TryStreamExt;
use tokio_postgres::config::{ChannelBinding, SslMode as Encryption, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Config, Error, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::target::{Binding, Database, Session, SslMode};
use super::tls;
use crate::ScalerError;
use crate::connect::Connect;
use crate::source::sql::{self, Reply, said, server_limit};

/// The half of a connection that does the I/O.
type Wire = tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// What is asked of one server, in the order it is tried.
type Attempt = (Encryption, TargetSessionAttrs);

/// Who is at the other end, for messages.
pub(super) type Peer = sql::Peer<Database>;

/// An open connection.
pub(super) struct Client {
    peer: Peer,
    /// The half that takes statements.
    half: tokio_postgres::Client,
    wire: Wire,
    /// What begins the transaction of a query, and with it the server's own limit; `None` for servers that refuse it.
    prelude: Option<String>,
}

impl Peer {
    /// Connects to the first host that will do.
    pub(super) async fn connect(&self, connect: &Connect) -> Result<Client, ScalerError> {
        let config = tls::client(&self.database.tls, connect).await?;
        let connector = MakeRustlsConnect::new(config);
        let attempts = attempts(&self.database);
        for attempt in &attempts[..attempts.len() - 1] {
            match self.attempt(*attempt, connector.clone(), connect).await {
                // The server spoke, and another kind of connection would hear the same.
                Err(error) if error.code().is_some_and(|code| !of_another_kind(code)) => {
                    return Err(self.failure(error));
                }
                Err(_) => {}
                Ok(client) => return Ok(client),
            }
        }
        self.attempt(attempts[attempts.len() - 1], connector, connect)
            .await
            .map_err(|error| self.failure(error))
    }

    async fn attempt(
        &self,
        (encryption, session): Attempt,
        connector: MakeRustlsConnect,
        connect: &Connect,
    ) -> Result<Client, Error> {
        let config = self.config(encryption, session, connect.timeout);
        let (half, wire) = config.connect(connector).await?;
        let limit = server_limit(connect.timeout);
        Ok(Client {
            peer: self.clone(),
            half,
            wire,
            prelude: Some(format!("BEGIN; SET LOCAL statement_timeout = {limit}")),
        })
    }

    fn config(&self, encryption: Encryption, session: TargetSessionAttrs, deadline: Duration) -> Config {
        let database = &self.database;
        let mut config = Config::new();
        for (host, port) in &database.hosts {
            config.host(host).port(*port);
        }
        config
            .user(&database.user)
            .application_name(&database.application_name)
            .ssl_mode(encryption)
            .target_session_attrs(session)
            // A server that vanished is noticed within minutes, not hours.
            .keepalives_idle(Duration::from_mins(1))
            .keepalives_interval(Duration::from_secs(15))
            .keepalives_retries(3)
            .channel_binding(match database.tls.channel_binding {
                Binding::Disable => ChannelBinding::Disable,
                Binding::Prefer => ChannelBinding::Prefer,
                Binding::Require => ChannelBinding::Require,
            });
        if let Some(password) = &database.password {
            config.password(password.expose());
        }
        if let Some(name) = &database.name {
            config.dbname(name);
        }
        if !database.options.is_empty() {
            config.options(&database.options);
        }
        if database.tls.direct {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        // A host that does not answer must leave the next ones their time.
        let hosts = u32::try_from(database.hosts.len()).unwrap_or(u32::MAX).max(1);
        let share = deadline / hosts;
        let given = database.connect_timeout.filter(|seconds| *seconds > 0);
        config.connect_timeout(given.map_or(share, |seconds| Duration::from_secs(seconds).min(share)));
        config
    }

    /// What an error of the client means.
    pub(super) fn failure(&self, error: Error) -> ScalerError {
        let endpoint = self.endpoint.to_string();
        let Some(from_server) = error.as_db_error() else {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            if cause.as_deref() == Some("password missing") {
                let text = io::Error::other("it asks for a password, and none is given");
                let source = Arc::new(text);
                return ScalerError::Unauthorized { endpoint, source };
            }
            return ScalerError::unreachable(endpoint, error);
        };
        let code = from_server.code().code();
        let password = self
            .database
            .password
            .as_ref()
            .map(|password| password.expose().as_str());
        let message = said(from_server.message(), password);
        let text = io::Error::other(message.clone());
        if is_loss(from_server.code()) {
            return ScalerError::unreachable(endpoint, text);
        }
        if code.starts_with("28") {
            let source = Arc::new(text);
            return ScalerError::Unauthorized { endpoint, source };
        }
        ScalerError::Answer {
            endpoint,
            answer: format!("with error {}: {message}", said(code, password)),
        }
    }

    fn ended(&self) -> ScalerError {
        ScalerError::unreachable(
            self.endpoint.to_string(),
            io::Error::other("the server closed the connection"),
        )
    }
}

/// What a connection of another encryption might not be refused for.
fn of_another_kind(code: &SqlState) -> bool {
    *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
}

/// libpq's order of attempts; never empty.
fn attempts(database: &Database) -> Vec<Attempt> {
    let socket = database.hosts.iter().all(|(host, _)| host.starts_with('/'));
    let encryptions: &[Encryption] = match database.tls.mode {
        _ if socket => &[Encryption::Disable],
        SslMode::Disable => &[Encryption::Disable],
        SslMode::Allow => &[Encryption::Disable, Encryption::Require],
        SslMode::Prefer if database.tls.direct => &[Encryption::Require, Encryption::Disable],
        SslMode::Prefer => &[Encryption::Prefer, Encryption::Disable],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Encryption::Require],
    };
    let sessions: &[TargetSessionAttrs] = match database.session {
        Session::Any => &[TargetSessionAttrs::Any],
        Session::ReadWrite => &[TargetSessionAttrs::ReadWrite],
        Session::ReadOnly => &[TargetSessionAttrs::ReadOnly],
        Session::PreferReadOnly => &[TargetSessionAttrs::ReadOnly, TargetSessionAttrs::Any],
    };
    sessions
        .iter()
        .flat_map(|session| encryptions.iter().map(|encryption| (*encryption, *session)))
        .collect()
}

impl sql::Client for Client {
    async fn query(&mut self, sql: &str, keep: usize) -> Result<Reply, ScalerError> {
        let Some(prelude) = self.prelude.clone() else {
            return self.plain(sql, keep).await;
        };
        let Self { peer, half, wire, .. } = self;
        // DEVIATION: upstream runs the query by itself, for as long as it takes. All three travel in one write; the
        // limit holds for this transaction alone, so that nothing of it stays behind on a connection that a pooler
        // hands to others.
        let work = async {
            let before = half.batch_execute(&prelude);
            let after = half.batch_execute("COMMIT");
            Ok(futures::join!(before, rows(half, sql, keep), after))
        };
        let (before, result, after) = drive(peer, wire, work, |_| {}).await?;
        match before {
            Ok(()) => {}
            Err(error) if error.code().is_some_and(|code| !is_loss(code)) => {
                self.prelude = None;
                return self.plain(sql, keep).await;
            }
            Err(error) => return Err(self.peer.failure(error)),
        }
        let reply = result.map_err(|error| self.peer.failure(error))?;
        after.map_err(|error| self.peer.failure(error))?;
        single(reply)
    }
}

impl Client {
    async fn plain(&mut self, sql: &str, keep: usize) -> Result<Reply, ScalerError> {
        let Self { peer, half, wire, .. } = self;
        single(drive(peer, wire, rows(half, sql, keep), |_| {}).await?)
    }

    /// Runs a statement that returns nothing, and passes on what the server says meanwhile.
    pub(super) async fn run(
        &mut self,
        sql: &str,
        heard: impl FnMut(AsyncMessage),
    ) -> Result<(), ScalerError> {
        let Self { peer, half, wire, .. } = self;
        drive(peer, wire, half.batch_execute(sql), heard).await
    }

    /// The next thing that the server says by itself.
    pub(super) async fn next(&mut self) -> Result<AsyncMessage, ScalerError> {
        match poll_fn(|cx| self.wire.poll_message(cx)).await {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(self.peer.failure(error)),
            None => Err(self.peer.ended()),
        }
    }
}

/// Whether the server lost the connection, has none left, or goes down.
fn is_loss(code: &SqlState) -> bool {
    ["08", "53", "57P0"]
        .iter()
        .any(|class| code.code().starts_with(class))
}

/// Lets the connection do its I/O until the work is done.
async fn drive<T>(
    peer: &Peer,
    wire: &mut Wire,
    work: impl Future<Output = Result<T, Error>>,
    mut heard: impl FnMut(AsyncMessage),
) -> Result<T, ScalerError> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done.map_err(|error| peer.failure(error)));
            }
            match wire.poll_message(cx) {
                Poll::Ready(Some(Ok(message))) => heard(message),
                Poll::Ready(end) => {
                    // What the server said last may be the reason, and the work has it.
                    let said_last = match work.as_mut().poll(cx) {
                        Poll::Ready(done) => Some(done.map_err(|error| peer.failure(error))),
                        Poll::Pending => None,
                    };
                    let lost = match end {
                        Some(Err(error)) => peer.failure(error),
                        _ => peer.ended(),
                    };
                    return Poll::Ready(match said_last {
                        Some(Err(error)) if !error.is_connection_lost() => Err(error),
                        Some(Ok(done)) => Ok(done),
                        _ => Err(lost),
                    });
                }
                // What the connection read meanwhile may have finished the work.
                Poll::Pending => {
                    return work
                        .as_mut()
                        .poll(cx)
                        .map(|done| done.map_err(|error| peer.failure(error)));
                }
            }
        }
    })
    .await
}

/// The rows of a statement. The simple protocol leaves no prepared statement behind, which poolers cannot take, and
/// writes every value as text.
async fn rows(client: &tokio_postgres::Client, sql: &str, keep: usize) -> Result<(Reply, usize), Error> {
    let mut messages = pin!(client.simple_query_raw(sql).await?);
    let (mut reply, mut statements) = (Reply::default(), 0);
    while let Some(message) = messages.try_next().await? {
        match message {
            SimpleQueryMessage::RowDescription(columns) => reply.columns = columns.len(),
            SimpleQueryMessage::Row(row) if reply.rows.len() < keep => {
                let values: Result<Vec<_>, _> = (0..row.len())
                    .map(|index| row.try_get(index).map(|value| value.map(str::to_owned)))
                    .collect();
                reply.rows.push(values?);
            }
            SimpleQueryMessage::CommandComplete(_) => statements += 1,
            _ => {}
        }
    }
    Ok((reply, statements))
}

/// Refuses several statements in one.
///
/// DEVIATION: upstream's client does so before anything of them has run.
fn single((reply, statements): (Reply, usize)) -> Result<Reply, ScalerError> {
    if statements > 1 {
        let text = "the query holds several statements where one is run";
        return Err(ScalerError::Value(text.to_owned()));
    }
    Ok(reply)
}
