//! One connection to one broker. Requests go out as they come; a broker answers them in the same order.
//!
//! ```text
//! call ──frame──▶ queue ──▶ driver ─▶ socket
//!   ◀────reply──── waiting ◀──┘  ◀───┘
//! ```
//! A caller may go away at any time: its frame is still written wholly, and its reply is dropped.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::api::{self, Api};
use super::reply::{self, Versions};
use super::sasl::{self, Login};
use super::wire::{Frames, Malformed, Reader};
use crate::{Cause, ScalerError};

/// A session is renewed once this share of its time has passed, in percent.
const RENEW_AT: u32 = 85;
/// A session is renewed after this time at the latest, whatever the broker says: no number may overflow a clock.
const LONGEST_SESSION: Duration = Duration::from_hours(24);
/// Kafka's error for a version that a broker does not know.
const UNSUPPORTED_VERSION: i16 = 35;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How brokers are reached.
pub(super) struct Way {
    pub(super) tls: Option<TlsConnector>,
    pub(super) login: Option<Login>,
    /// How long a broker may be silent while it owes an answer.
    pub(super) patience: Duration,
}

/// An open connection. Dropping it closes the socket.
pub(super) struct Connection {
    address: String,
    queue: mpsc::UnboundedSender<Outgoing>,
    correlation: AtomicI32,
    versions: Versions,
    broken: Arc<OnceLock<Cause>>,
    /// When the broker wants to see credentials again.
    renewal: Option<Instant>,
    _driver: JoinSet<()>,
}

struct Outgoing {
    correlation: i32,
    frame: Bytes,
    answer: oneshot::Sender<Bytes>,
}

/// A request that was written and not answered yet.
struct Waiting {
    correlation: i32,
    since: Instant,
    answer: oneshot::Sender<Bytes>,
}

type Queue = Mutex<VecDeque<Waiting>>;

impl Connection {
    /// Connects, agrees on versions and shows the credentials.
    pub(super) async fn open(address: &str, way: &Way) -> Result<Self, ScalerError> {
        let stream = connect(address, way.tls.as_ref())
            .await
            .map_err(|error| ScalerError::unreachable(address, error))?;
        let mut connection = Self::over(address, stream, way.patience);
        connection.versions = connection.agree().await?;
        if let Some(login) = &way.login {
            let lifetime = sasl::log_in(&connection, login).await?;
            connection.renewal =
                lifetime.map(|whole| Instant::now() + whole.min(LONGEST_SESSION) * RENEW_AT / 100);
        }
        Ok(connection)
    }

    fn over(address: &str, stream: Box<dyn Stream>, patience: Duration) -> Self {
        let (queue, outgoing) = mpsc::unbounded_channel();
        let broken = Arc::new(OnceLock::new());
        let mut driver = JoinSet::new();
        driver.spawn(drive(stream, outgoing, patience, Arc::clone(&broken)));
        Self {
            address: address.to_owned(),
            queue,
            correlation: AtomicI32::new(0),
            versions: Versions::from([(api::VERSIONS.key(), (0, 0))]),
            broken,
            renewal: None,
            _driver: driver,
        }
    }

    async fn agree(&self) -> Result<Versions, ScalerError> {
        let (error, versions) = self
            .call(api::VERSIONS, 0, &ApiVersionsRequest::default())
            .await
            .and_then(|reader| self.read(api::VERSIONS, reply::versions(reader)))?;
        if error != 0 && error != UNSUPPORTED_VERSION {
            return Err(self.said(format!(
                "error {error} when it was asked which requests it understands"
            )));
        }
        Ok(versions)
    }

    /// `host:port` of the broker.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Whether requests may still be made.
    pub(super) fn is_usable(&self) -> bool {
        self.broken.get().is_none()
            && !self.queue.is_closed()
            && self.renewal.is_none_or(|renewal| Instant::now() < renewal)
    }

    /// The version to speak.
    pub(super) fn version(&self, api: Api) -> Result<i16, ScalerError> {
        let range = self.versions.get(&api.key());
        range.and_then(|range| api.version(*range)).ok_or_else(|| {
            let name = api.name;
            self.said(format!(
                "that it speaks no version of {name} that is known here; Kafka 1.0 or newer does"
            ))
        })
    }

    /// Makes a request, and waits for the reply behind its header.
    pub(super) async fn call<R: Encodable + HeaderVersion>(
        &self,
        api: Api,
        version: i16,
        request: &R,
    ) -> Result<Reader, ScalerError> {
        let correlation = self.correlation.fetch_add(1, Ordering::Relaxed);
        let frame = api::frame(api, version, correlation, request)
            .ok_or_else(|| ScalerError::Setting(format!("a name is too long for {}", api.name)))?;
        let (answer, answered) = oneshot::channel();
        let outgoing = Outgoing {
            correlation,
            frame,
            answer,
        };
        self.queue.send(outgoing).map_err(|_| self.lost())?;
        let reply = answered.await.map_err(|_| self.lost())?;
        let flexible = api.is_flexible(version);
        let mut reader = Reader::new(reply, flexible);
        self.read(api, reader.end())?;
        Ok(reader)
    }

    /// What was read, or that it could not be.
    pub(super) fn read<T>(&self, api: Api, read: Result<T, Malformed>) -> Result<T, ScalerError> {
        read.map_err(|error| self.said(format!("{} with {error}", api.name)))
    }

    /// An answer that holds no value.
    pub(super) fn said(&self, answer: String) -> ScalerError {
        ScalerError::Answer {
            endpoint: self.address.clone(),
            answer,
        }
    }

    fn lost(&self) -> ScalerError {
        let unknown = || -> Cause { Arc::new(io::Error::other("the connection was closed")) };
        ScalerError::Unreachable {
            endpoint: self.address.clone(),
            source: self.broken.get().map_or_else(unknown, Arc::clone),
        }
    }
}

async fn connect(address: &str, tls: Option<&TlsConnector>) -> io::Result<Box<dyn Stream>> {
    let (host, port) = split(address)?;
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the host is no name that TLS can check",
        )
    })?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

/// Splits `host:port`; an IPv6 host stands in brackets.
fn split(address: &str) -> io::Result<(&str, u16)> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "the address must be `host:port`");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() {
        Err(wrong())
    } else {
        Ok((host, port))
    }
}

/// Carries frames both ways until one way breaks, or nobody is left who could ask.
async fn drive(
    stream: Box<dyn Stream>,
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
    patience: Duration,
    broken: Arc<OnceLock<Cause>>,
) {
    let (read, write) = tokio::io::split(stream);
    let waiting = Queue::default();
    let end = tokio::select! {
        end = write_all(write, &mut outgoing, &waiting) => end,
        end = read_all(Frames::new(read), &waiting, patience) => end,
    };
    if let Err(error) = end {
        // It is set nowhere else. Whoever waits learns of the end when both queues are dropped: the cause comes first.
        let _ = broken.set(Arc::new(error));
    }
}

async fn write_all(
    mut stream: impl AsyncWrite + Unpin,
    outgoing: &mut mpsc::UnboundedReceiver<Outgoing>,
    waiting: &Queue,
) -> io::Result<()> {
    while let Some(next) = outgoing.recv().await {
        lock(waiting).push_back(Waiting {
            correlation: next.correlation,
            since: Instant::now(),
            answer: next.answer,
        });
        stream.write_all(&next.frame).await?;
        if outgoing.is_empty() {
            stream.flush().await?;
        }
    }
    Ok(())
}

async fn read_all<R: AsyncRead + Unpin>(
    mut frames: Frames<R>,
    waiting: &Queue,
    patience: Duration,
) -> io::Result<()> {
    loop {
        let Ok(frame) = tokio::time::timeout(patience, frames.next()).await else {
            let oldest = lock(waiting).front().map(|oldest| oldest.since);
            if oldest.is_some_and(|since| since.elapsed() >= patience) {
                let text = format!("no answer within {patience:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            continue;
        };
        deliver(frame?, waiting)?;
    }
}

fn deliver(mut frame: Bytes, waiting: &Queue) -> io::Result<()> {
    let next = lock(waiting).pop_front();
    let fits = next.filter(|next| frame.first_chunk() == Some(&next.correlation.to_be_bytes()));
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, Malformed::Correlation);
    let next = fits.ok_or_else(wrong)?;
    let body = frame.split_off(size_of::<i32>());
    // The caller may have given up.
    let _ = next.answer.send(body);
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave a queue half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
