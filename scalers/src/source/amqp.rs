//! AMQP 0-9-1: one connection a broker, virtual host and credential, and a few channels on it.
//!
//! The length of a queue is read by declaring it passively: nothing is consumed. Questions follow each other on one
//! channel without waiting; a queue that is missing closes that channel, and is asked for on one of its own from then on.

mod depth;
mod transport;
mod watch;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use lapin::auth::AuthProvider;
use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, LongString, ShortString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, ErrorKind};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;
use crate::{Cause, ScalerError, Secret};

pub(crate) use watch::{Exchange, Subject, watch};

/// Questions that are under way at the same time, one behind the other on one channel.
const PIPELINED: usize = 256;
/// Channels for questions that are asked alone, each for a round trip.
const CHANNELS: usize = 3;
/// The longest name of a queue or virtual host in the protocol.
const LONGEST_NAME: usize = 255;
/// The longest text of a broker that is passed on.
const LONGEST_TEXT: usize = 300;

/// A broker with everything that makes its connection different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) vhost: String,
    pub(crate) login: Login,
    pub(crate) tls: Option<TlsSettings>,
}

/// How the client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Login {
    /// SASL `PLAIN`.
    Plain {
        username: String,
        password: Secret<String>,
    },
    /// SASL `EXTERNAL`: by the certificate of the client.
    External,
}

/// Something to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// How many messages of a queue are ready.
    Ready(String),
}

/// An open connection.
pub(crate) struct Amqp {
    endpoint: String,
    login: Login,
    /// The channel that questions share, while none of them closes it.
    shared: AsyncMutex<Option<Channel>>,
    pipelined: Semaphore,
    /// Channels for what is asked alone.
    idle: Mutex<Vec<Channel>>,
    alone: Semaphore,
    /// Queues that could not be read last time: asked alone, they close the channel of no other question.
    suspects: Mutex<HashSet<String>>,
    connection: Connection,
    end: transport::End,
}

impl Broker {
    fn endpoint(&self) -> String {
        let scheme = if self.tls.is_some() { "amqps" } else { "amqp" };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let vhost = if self.vhost == "/" {
            String::new()
        } else {
            format!("/{}", self.vhost)
        };
        format!("{scheme}://{host}:{}{vhost}", self.port)
    }
}

impl Source for Amqp {
    type Key = Broker;
    type Question = Question;
    type Answer = u32;
    const PROTOCOL: &'static str = "amqp";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.amqp
    }

    fn endpoint(key: &Broker) -> String {
        key.endpoint()
    }

    async fn open(key: &Broker, connect: &Connect) -> Result<Self, ScalerError> {
        let endpoint = key.endpoint();
        if key.vhost.len() > LONGEST_NAME {
            return Err(ScalerError::Setting(format!(
                "the name of a virtual host has at most {LONGEST_NAME} bytes"
            )));
        }
        let (wire, end) = transport::open(key, connect).await?;
        // There is one stream, and no second attempt: the pool decides when to connect again.
        let wire = Mutex::new(Some(wire));
        let stream = async move |_: AMQPUri, _: async_rs::Runtime<transport::Kit>| {
            let wire = lock(&wire).take();
            let gone = || std::io::Error::from(std::io::ErrorKind::NotConnected);
            Ok(AsyncTcpStream::Plain(wire.ok_or_else(gone)?))
        };
        let properties = ConnectionProperties::default()
            .with_connection_name("keda".into())
            .with_auth_provider(key.login.clone());
        // A broker that leaves at the wrong moment is not always noticed by lapin, which then waits until the pool gives up.
        let opened = Connection::connector(key.uri(), transport::runtime(), stream, properties).await;
        let connection = opened.map_err(|error| failure(&endpoint, &key.login, Stage::Login, &error))?;
        Ok(Self {
            endpoint,
            login: key.login.clone(),
            shared: AsyncMutex::default(),
            pipelined: Semaphore::new(PIPELINED),
            idle: Mutex::default(),
            alone: Semaphore::new(CHANNELS),
            suspects: Mutex::default(),
            connection,
            end,
        })
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<u32, ScalerError>> {
        join_all(questions.iter().map(|Question::Ready(queue)| self.ready(queue))).await
    }
}

impl Drop for Amqp {
    fn drop(&mut self) {
        // The connection says goodbye as it is dropped.
        self.end.softly();
    }
}

impl Broker {
    /// What lapin wants to know. It gets no password: its log would print one.
    fn uri(&self) -> AMQPUri {
        AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: String::new(),
                    password: String::new(),
                },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString {
                frame_max: Some(transport::FRAME_MAX),
                ..AMQPQueryString::default()
            },
        }
    }
}

impl AuthProvider for Login {
    fn mechanism(&self) -> ShortString {
        match self {
            Self::Plain { .. } => "PLAIN".into(),
            Self::External => "EXTERNAL".into(),
        }
    }

    fn auth_starter(&self) -> Result<LongString, String> {
        Ok(match self {
            Self::Plain { username, password } => format!("\0{username}\0{}", password.expose()).into(),
            Self::External => LongString::default(),
        })
    }

    fn continue_auth(&self, _challenge: LongString) -> Result<LongString, String> {
        Err("the broker asked for more than was agreed".to_owned())
    }
}

impl Amqp {
    /// How many messages of a queue are ready. A question that fails closes its channel, and fails those behind it; each
    /// of them is then asked alone, which shows the one that is to blame.
    async fn ready(&self, queue: &str) -> Result<u32, ScalerError> {
        let name = short(queue)?;
        let suspect = lock(&self.suspects).contains(queue);
        if !suspect && let Ok(count) = self.ask_behind_others(&name).await {
            return Ok(count);
        }
        let answer = self.ask_alone(&name).await.map_err(|error| self.failure(&error));
        let to_blame = answer.as_ref().is_err_and(|error| !error.is_connection_lost());
        let mut suspects = lock(&self.suspects);
        if to_blame {
            suspects.insert(queue.to_owned());
        } else {
            suspects.remove(queue);
        }
        answer
    }

    async fn ask_behind_others(&self, queue: &ShortString) -> lapin::Result<u32> {
        // It is never closed.
        let _permit = self.pipelined.acquire().await;
        let channel = {
            let mut shared = self.shared.lock().await;
            match &*shared {
                Some(channel) if channel.status().connected() => channel.clone(),
                _ => shared.insert(self.connection.create_channel().await?).clone(),
            }
        };
        length(&channel, queue).await
    }

    /// The channel goes back only after a whole answer: one that was closed, or that still owes somebody else's answer,
    /// is dropped.
    async fn ask_alone(&self, queue: &ShortString) -> lapin::Result<u32> {
        // It is never closed.
        let _permit = self.alone.acquire().await;
        let idle = lock(&self.idle).pop();
        let channel = match idle {
            Some(channel) => channel,
            None => self.connection.create_channel().await?,
        };
        let count = length(&channel, queue).await?;
        lock(&self.idle).push(channel);
        Ok(count)
    }

    fn failure(&self, error: &lapin::Error) -> ScalerError {
        failure(&self.endpoint, &self.login, Stage::Question, error)
    }
}

/// Declares a queue passively, which changes nothing and tells its length.
async fn length(channel: &Channel, queue: &ShortString) -> lapin::Result<u32> {
    let passive = QueueDeclareOptions::default().passive();
    let declared = channel
        .queue_declare(queue.clone(), passive, FieldTable::default())
        .await?;
    // Answers come in the order of the questions; one that does not is of no use to anybody.
    if declared.name() != queue {
        return Err(ErrorKind::InvalidChannel(channel.id()).into());
    }
    Ok(declared.message_count())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave these half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name as the protocol has it.
fn short(name: &str) -> Result<ShortString, ScalerError> {
    ShortString::try_new(name)
        .map_err(|_| ScalerError::Setting(format!("a name in AMQP has at most {LONGEST_NAME} bytes")))
}

/// When something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Login,
    Question,
}

/// `ACCESS_REFUSED`, `NOT_ALLOWED`: who asks may not.
const REFUSED: [u16; 2] = [403, 530];
/// `NOT_FOUND`, `RESOURCE_LOCKED`, `PRECONDITION_FAILED`, `NOT_IMPLEMENTED`: the connection is none the worse.
const ANSWERS: [u16; 4] = [404, 405, 406, 540];

/// What a failure of the client means.
fn failure(endpoint: &str, login: &Login, stage: Stage, error: &lapin::Error) -> ScalerError {
    let endpoint = endpoint.to_owned();
    match error.kind() {
        ErrorKind::ProtocolError(said) => {
            let (code, text) = (said.get_id(), printable(login, said.get_message().as_str()));
            if ANSWERS.contains(&code) {
                return ScalerError::Answer {
                    endpoint,
                    answer: format!("with {code}: {text}"),
                };
            }
            let said: Cause = Arc::new(std::io::Error::other(format!("{code}: {text}")));
            if REFUSED.contains(&code) {
                return ScalerError::Unauthorized {
                    endpoint,
                    source: said,
                };
            }
            ScalerError::Unreachable {
                endpoint,
                source: said,
            }
        }
        ErrorKind::IOError(cause) => ScalerError::Unreachable {
            endpoint,
            source: Arc::new(std::io::Error::new(cause.kind(), cause.to_string())),
        },
        // A broker that does not know the capability to say more closes the stream on a wrong password.
        _ if stage == Stage::Login => ScalerError::unreachable(
            endpoint,
            std::io::Error::other("it ended the login without a reason"),
        ),
        ErrorKind::ChannelsLimitReached => ScalerError::Answer {
            endpoint,
            answer: "that it allows no further channel".to_owned(),
        },
        _ => ScalerError::unreachable(endpoint, std::io::Error::other("the connection is closed")),
    }
}

/// The text of a broker, without the password in case it sends that back.
fn printable(login: &Login, text: &str) -> String {
    let text = match login {
        Login::Plain { password, .. } if !password.expose().is_empty() => {
            text.replace(password.expose().as_str(), "[redacted]")
        }
        _ => text.to_owned(),
    };
    let letters = text.chars().take(LONGEST_TEXT);
    letters
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests;
