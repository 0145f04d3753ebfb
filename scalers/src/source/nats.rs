//! A NATS server that is listened to: the stream of messages on subjects, one connection a server and credential.
//!
//! Subscribing takes nothing from anybody: JetStream and its consumers go on as if nobody listened. Each subscription ends
//! itself at the server after one message, so that a busy subject costs one message a pause and not all of them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{
    Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError,
    SubscribeErrorKind,
};
use futures::StreamExt;
use futures::stream::SelectAll;
use tokio::sync::watch;

use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;
use crate::{Cause, ScalerError, Secret};

/// Servers of one cluster with everything that makes their connection different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Servers {
    /// `nats://host:port` or `tls://host:port` texts, without credentials.
    pub(crate) addresses: Vec<String>,
    pub(crate) login: Login,
    pub(crate) tls: Option<TlsSettings>,
}

/// How the client proves who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret<String>>,
    pub(crate) token: Option<Secret<String>>,
}

/// An open connection. It tries each address once more by itself; after that, whoever listens opens another.
pub(crate) struct Nats {
    endpoint: String,
    client: Client,
    /// What a server refused last.
    refused: watch::Receiver<Option<String>>,
}

/// Subscriptions to subjects, each for one message.
pub(crate) struct Ears {
    messages: SelectAll<async_nats::Subscriber>,
    refused: watch::Receiver<Option<String>>,
    subjects: Vec<String>,
    endpoint: String,
}

impl Source for Nats {
    type Key = Servers;
    /// There is only one: whether the server is there.
    type Question = ();
    type Answer = ();
    const PROTOCOL: &'static str = "nats";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.nats
    }

    fn endpoint(key: &Servers) -> String {
        key.addresses.join(",")
    }

    async fn open(key: &Servers, connect: &Connect) -> Result<Self, ScalerError> {
        let endpoint = Self::endpoint(key);
        let addresses: Result<Vec<ServerAddr>, _> = key.addresses.iter().map(|text| text.parse()).collect();
        let addresses = addresses
            .map_err(|_| ScalerError::Setting("`pushServer` must be `nats://host:port`".to_owned()))?;
        let (sender, refused) = watch::channel(None);
        let (sender, login) = (Arc::new(sender), key.login.clone());
        let mut options = ConnectOptions::new()
            .name("keda")
            .connection_timeout(connect.timeout)
            .max_reconnects(addresses.len().max(1))
            .ignore_discovered_servers()
            .reconnect_delay_callback(|_| Duration::ZERO)
            .event_callback(move |event| {
                let sender = Arc::clone(&sender);
                let text = match event {
                    Event::ServerError(ServerError::Other(text)) => Some(login.printable(&text)),
                    _ => None,
                };
                async move {
                    if text.is_some() {
                        sender.send_replace(text);
                    }
                }
            });
        if let Some(username) = &key.login.username {
            let password = key.login.password.clone().unwrap_or_default();
            options = options.user_and_password(username.clone(), password.expose().clone());
        }
        if let Some(token) = &key.login.token {
            options = options.token(token.expose().clone());
        }
        if let Some(tls) = &key.tls {
            options = options.require_tls(true).tls_client_config(tls.client(connect)?);
        } else {
            // A server may ask for TLS by itself; then the roots of the process count.
            options = options.tls_client_config(TlsSettings::default().client(connect)?);
        }
        let client = options
            .connect(addresses)
            .await
            .map_err(|error| failure(&endpoint, &error))?;
        Ok(Self {
            endpoint,
            client,
            refused,
        })
    }

    async fn ask(&self, questions: &[()]) -> Vec<Result<(), ScalerError>> {
        let there = self.client.flush().await.map_err(|_| self.lost());
        questions.iter().map(|()| there.clone()).collect()
    }
}

impl Login {
    /// The text of a server, without the credentials in case it sends them back.
    fn printable(&self, text: &str) -> String {
        let secrets = [&self.password, &self.token].into_iter().flatten();
        secrets
            .filter(|secret| !secret.expose().is_empty())
            .fold(text.to_owned(), |text, secret| {
                text.replace(secret.expose().as_str(), "[redacted]")
            })
    }
}

impl Nats {
    /// Listens for the next message on any of several subjects.
    pub(crate) async fn listen(&self, subjects: &[String]) -> Result<Ears, ScalerError> {
        let mut refused = self.refused.clone();
        refused.mark_unchanged();
        let mut messages = SelectAll::new();
        for subject in subjects {
            let listening = self.client.subscribe(subject.clone()).await;
            let mut subscriber = listening.map_err(|error| match error.kind() {
                SubscribeErrorKind::InvalidSubject => {
                    ScalerError::Setting(format!("nobody can listen to the subject `{subject}`"))
                }
                // The client has given up on its servers.
                _ => self.lost(),
            })?;
            subscriber.unsubscribe_after(1).await.map_err(|_| self.lost())?;
            messages.push(subscriber);
        }
        self.client.flush().await.map_err(|_| self.lost())?;
        Ok(Ears {
            messages,
            refused,
            subjects: subjects.to_vec(),
            endpoint: self.endpoint.clone(),
        })
    }

    /// The servers as text.
    pub(crate) fn address(&self) -> &str {
        &self.endpoint
    }

    fn lost(&self) -> ScalerError {
        lost(&self.endpoint)
    }
}

fn lost(endpoint: &str) -> ScalerError {
    ScalerError::unreachable(endpoint, std::io::Error::other("the connection is closed"))
}

impl Ears {
    /// Waits for a message.
    pub(crate) async fn hear(&mut self) -> Result<(), ScalerError> {
        loop {
            tokio::select! {
                message = self.messages.next() => {
                    return message.map(|_| ()).ok_or_else(|| lost(&self.endpoint));
                }
                Ok(()) = self.refused.changed() => {
                    let text = self.refused.borrow_and_update().clone().unwrap_or_default();
                    // The connection is shared: what others were refused is not of interest.
                    if self.subjects.iter().any(|subject| text.contains(subject.as_str())) {
                        let said: Cause = Arc::new(std::io::Error::other(text));
                        return Err(ScalerError::Unauthorized { endpoint: self.endpoint.clone(), source: said });
                    }
                }
            }
        }
    }
}

/// What a failure to connect means. The client's texts name no credential; a server's might, so they are left out.
fn failure(endpoint: &str, error: &ConnectError) -> ScalerError {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            let said: Cause = Arc::new(std::io::Error::other("authorization violation"));
            ScalerError::Unauthorized {
                endpoint: endpoint.to_owned(),
                source: said,
            }
        }
        kind => {
            let mut text = kind.to_string();
            let mut next = std::error::Error::source(error);
            while let Some(cause) = next {
                if cause.is::<std::io::Error>() || cause.is::<rustls::Error>() {
                    text = format!("{text}: {cause}");
                    break;
                }
                next = cause.source();
            }
            ScalerError::unreachable(endpoint, std::io::Error::other(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const PASSWORD: &str = "hush-hush";
    /// A bound for a test that hangs.
    const DEADLINE: Duration = Duration::from_mins(1);

    /// Greets whoever connects, says something to what it answers, and closes.
    async fn refusal(greeting: &'static str, reply: &'static str) -> ScalerError {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = format!("nats://{}", listener.local_addr().expect("an address"));
        let servers = Servers {
            addresses: vec![address.clone()],
            login: Login {
                username: Some("user".to_owned()),
                password: Some(PASSWORD.into()),
                token: None,
            },
            tls: None,
        };
        let server = tokio::runtime::Handle::current().spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            // The client may leave at any time.
            let _ = stream.write_all(greeting.as_bytes()).await;
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(reply.as_bytes()).await;
        });
        let opened = tokio::time::timeout(DEADLINE, Nats::open(&servers, &Connect::default())).await;
        let Err(error) = opened.expect("an end") else {
            panic!("that was no server")
        };
        server.await.expect("the server ends");
        let text = error.chain();
        assert!(text.contains(&address), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
        error
    }

    const INFO: &str =
        "INFO {\"server_id\":\"S\",\"version\":\"2.9.10\",\"port\":4222,\"max_payload\":1048576}\r\n";

    #[tokio::test]
    async fn servers_that_are_none_are_an_error() {
        for (greeting, reply) in [
            ("HTTP/1.1 400 Bad Request\r\n\r\n", ""),
            ("INFO {\r\n", ""),
            ("", ""),
            (INFO, ""),
            (INFO, "\u{1}\u{2}\r\n"),
            (INFO, "-ERR 'hush-hush'\r\n"),
        ] {
            assert!(
                refusal(greeting, reply).await.is_connection_lost(),
                "{greeting}{reply}"
            );
        }
    }

    #[tokio::test]
    async fn a_refused_login_is_told_apart() {
        let error = refusal(INFO, "-ERR 'Authorization Violation'\r\n").await;
        assert!(matches!(error, ScalerError::Unauthorized { .. }), "{error:?}");
    }

    #[test]
    fn what_a_server_says_holds_no_credential() {
        let login = Login {
            username: None,
            password: Some(PASSWORD.into()),
            token: Some("".into()),
        };
        assert_eq!(login.printable("no: hush-hush"), "no: [redacted]");
    }
}
