//! A NATS server that is listened to: the stream of messages on subjects, one connection a server and credential.
//!
//! Subscribing takes nothing from anybody: JetStream and its consumers go on as if nobody listened. Each subscription ends
//! itself at the server after one message, so that a busy subject costs one message a pause and not all of them.

mod client;

use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use self::client::{Client, Failure, Lines, Stream, Subscriptions};
use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;
use crate::{Cause, ScalerError, Secret};

/// The port of a server where its address names none.
const PORT: u16 = 4222;
/// Letters of a server's own words that are passed on.
const MOST_LETTERS: usize = 300;

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

/// An open connection.
pub(crate) struct Nats {
    endpoint: String,
    client: Client,
}

/// Subscriptions to subjects, each for one message.
pub(crate) struct Ears {
    messages: Subscriptions,
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
        let no_address = || ScalerError::Setting("`pushServer` must be `nats://host:port`".to_owned());
        let addresses: Option<Vec<Address>> = key.addresses.iter().map(|text| Address::parse(text)).collect();
        let addresses = addresses.ok_or_else(no_address)?;
        // A server may ask for TLS by itself; then the roots of the process count.
        let config = key.tls.clone().unwrap_or_default().client(connect)?;
        let tls = TlsConnector::from(Arc::new(config));
        // A server that does not answer must leave the next ones their time.
        let share = connect.timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX).clamp(1, 3);
        let mut first = None;
        for address in &addresses {
            let opened = tokio::time::timeout(share, address.open(key, tls.clone())).await;
            let late = |_| Failure::Io(std::io::ErrorKind::TimedOut.into());
            match opened.map_err(late).flatten() {
                Ok(client) => return Ok(Self { endpoint, client }),
                Err(refused @ Failure::Refused(_)) => return Err(key.login.failure(&endpoint, refused)),
                Err(failure) => first.get_or_insert(failure),
            };
        }
        Err(first.map_or_else(no_address, |failure| key.login.failure(&endpoint, failure)))
    }

    async fn ask(&self, questions: &[()]) -> Vec<Result<(), ScalerError>> {
        let there = self.flush().await;
        questions.iter().map(|()| there.clone()).collect()
    }
}

/// Where one server is.
#[derive(Debug, PartialEq)]
struct Address {
    host: String,
    port: u16,
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let url = text.parse::<Url>().ok()?;
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            host: host.to_owned(),
            port: url.port().unwrap_or(PORT),
        })
    }

    async fn open(&self, key: &Servers, tls: TlsConnector) -> Result<Client, Failure> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let (info, stream) = Lines::new(stream).greeting().await?;
        let private = key.tls.is_some() || info.tls_required;
        let stream: Box<dyn Stream> = if private {
            let name = ServerName::try_from(self.host.clone()).map_err(|_| {
                std::io::Error::new(std::io::ErrorKind::InvalidInput, "its name fits no certificate")
            })?;
            Box::new(tls.connect(name, stream).await?)
        } else {
            Box::new(stream)
        };
        let mut lines = Lines::new(stream);
        lines.log_in(&key.login.connect(private)).await?;
        let login = key.login.clone();
        Ok(Client::start(lines, move |text| login.printable(text)))
    }
}

impl Login {
    /// What a client says of itself.
    fn connect(&self, private: bool) -> serde_json::Value {
        let exposed = |secret: &Option<Secret<String>>| secret.as_ref().map(|secret| secret.expose().clone());
        let mut connect = json!({
            "name": "keda",
            "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"),
            "verbose": false,
            "pedantic": false,
            "tls_required": private,
        });
        if let Some(username) = &self.username {
            connect["user"] = json!(username);
            connect["pass"] = json!(exposed(&self.password).unwrap_or_default());
        }
        if let Some(token) = exposed(&self.token) {
            connect["auth_token"] = json!(token);
        }
        connect
    }

    /// The text of a server, without the credentials in case it sends them back.
    fn printable(&self, text: &str) -> String {
        let secrets = [&self.password, &self.token].into_iter().flatten();
        let text = secrets
            .filter(|secret| !secret.expose().is_empty())
            .fold(text.to_owned(), |text, secret| {
                text.replace(secret.expose().as_str(), "[redacted]")
            });
        let letters = text.chars().filter(|letter| !letter.is_control());
        letters.take(MOST_LETTERS).collect()
    }

    /// What a failure to connect means.
    fn failure(&self, endpoint: &str, failure: Failure) -> ScalerError {
        let text = match failure {
            Failure::Io(error) => return ScalerError::unreachable(endpoint, error),
            Failure::Refused(text) => self.printable(&text),
        };
        let said = std::io::Error::other(text);
        let refused = said.to_string().to_lowercase();
        if refused.contains("authorization") || refused.contains("authentication") {
            let said: Cause = Arc::new(said);
            return ScalerError::Unauthorized {
                endpoint: endpoint.to_owned(),
                source: said,
            };
        }
        ScalerError::unreachable(endpoint, said)
    }
}

impl Nats {
    /// Listens for the next message on any of several subjects.
    pub(crate) async fn listen(&self, subjects: &[String]) -> Result<Ears, ScalerError> {
        if let Some(subject) = subjects.iter().find(|subject| !is_subject(subject)) {
            return Err(ScalerError::Setting(format!(
                "nobody can listen to the subject `{subject}`"
            )));
        }
        let mut refused = self.client.refused.clone();
        refused.mark_unchanged();
        let messages = self.client.subscribe(subjects);
        self.flush().await?;
        Ok(Ears {
            messages,
            refused,
            subjects: subjects.to_vec(),
            endpoint: self.endpoint.clone(),
        })
    }

    async fn flush(&self) -> Result<(), ScalerError> {
        if self.client.flush().await {
            Ok(())
        } else {
            Err(lost(&self.endpoint))
        }
    }

    /// The servers as text.
    pub(crate) fn address(&self) -> &str {
        &self.endpoint
    }
}

/// Whether a text may stand where the protocol has a subject: words between dots.
fn is_subject(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control());
    text.split('.').all(word)
}

fn lost(endpoint: &str) -> ScalerError {
    ScalerError::unreachable(endpoint, std::io::Error::other("the connection is closed"))
}

impl Ears {
    /// Waits for a message.
    pub(crate) async fn hear(&mut self) -> Result<(), ScalerError> {
        loop {
            tokio::select! {
                heard = self.messages.heard() => {
                    return if heard { Ok(()) } else { Err(lost(&self.endpoint)) };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            (INFO, "-ERR\r\n"),
            (INFO, "MSG a 1 18446744073709551615\r\nx"),
            (INFO, "HMSG a 1 0 18446744073709551615\r\nx"),
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
    fn addresses_have_a_port() {
        let at = |host: &str, port| {
            Some(Address {
                host: host.to_owned(),
                port,
            })
        };
        assert_eq!(Address::parse("nats://nats.shop"), at("nats.shop", 4222));
        assert_eq!(Address::parse("tls://nats.shop:4443"), at("nats.shop", 4443));
        assert_eq!(Address::parse("nats://[fd00::1]:1"), at("fd00::1", 1));
        assert_eq!(Address::parse("nats:"), None);
    }

    #[test]
    fn a_subject_is_words_between_dots() {
        for good in ["orders", "orders.new", "orders.*", "orders.>", "$JS.x"] {
            assert!(is_subject(good), "{good}");
        }
        for bad in ["", ".", "a..b", "a.", "a b", "a\r\nPUB b 0"] {
            assert!(!is_subject(bad), "{bad}");
        }
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
