//! The byte stream under a connection: TCP or our own TLS, checked frame by frame, and ended from outside.
//!
//! ```text
//! open ──▶ TcpStream [─▶ TlsStream] ──▶ Wire ──▶ lapin (a thread of its own)
//!                                        ▲
//!                                       End (held by the source: dropped, the stream breaks)
//! ```
//!
//! lapin takes any stream that its runtime names, so a runtime is put together here whose stream is a [`Wire`]. Its own
//! TLS is left out: that would bring a second library of cryptography.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures::{FutureExt, Stream};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Sleep;
use tokio_rustls::TlsConnector;

use super::{Broker, depth};
use crate::ScalerError;
use crate::connect::Connect;

/// The largest frame that is taken. RabbitMQ 4.1 refuses clients that want less; no message of ours needs more, and
/// the buffers of a connection are a multiple of it.
pub(super) const FRAME_MAX: u32 = 8192;
/// How long a connection may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(5);
/// What stands before the payload of a frame: type, channel, size.
const HEADER: usize = 7;

/// A stream of either kind.
trait Bytes: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Bytes for T {}

/// Ends a connection. lapin alone would keep its thread and the socket for as long as a silent peer does.
pub(super) struct End(Option<oneshot::Sender<()>>);

impl End {
    /// Lets the connection say goodbye, for a short while. Without this call, dropping breaks it at once.
    pub(super) fn softly(&mut self) {
        if let Some(sender) = self.0.take() {
            // The stream may be gone already.
            let _ = sender.send(());
        }
    }
}

/// The stream of one connection.
pub(super) struct Wire {
    stream: Box<dyn Bytes>,
    ending: Ending,
    frames: Frames,
    runtime: Handle,
}

enum Ending {
    Open(oneshot::Receiver<()>),
    Farewell(Pin<Box<Sleep>>),
}

/// Opens the stream to a broker.
pub(super) async fn open(key: &Broker, connect: &Connect) -> Result<(Wire, End), ScalerError> {
    let fail = |error: Error| ScalerError::unreachable(key.endpoint(), error);
    let stream = TcpStream::connect((key.host.as_str(), key.port))
        .await
        .map_err(fail)?;
    stream.set_nodelay(true).map_err(fail)?;
    let stream: Box<dyn Bytes> = match &key.tls {
        None => Box::new(stream),
        Some(settings) => {
            let config = settings.client(connect)?;
            let name = ServerName::try_from(key.host.clone())
                .map_err(|_| ScalerError::Setting("the host of `host` is no name for TLS".to_owned()))?;
            let connector = TlsConnector::from(Arc::new(config));
            Box::new(connector.connect(name, stream).await.map_err(fail)?)
        }
    };
    let (sender, receiver) = oneshot::channel();
    let wire = Wire {
        stream,
        ending: Ending::Open(receiver),
        frames: Frames::default(),
        runtime: Handle::current(),
    };
    Ok((wire, End(Some(sender))))
}

impl Ending {
    /// Whether the stream has to break now.
    fn is_due(&mut self, cx: &mut Context<'_>, runtime: &Handle) -> bool {
        loop {
            match self {
                Self::Open(receiver) => match receiver.poll_unpin(cx) {
                    Poll::Pending => return false,
                    Poll::Ready(Err(_)) => return true,
                    Poll::Ready(Ok(())) => {
                        // lapin's thread is no part of the runtime, whose clock this needs.
                        let _entered = runtime.enter();
                        *self = Self::Farewell(Box::pin(tokio::time::sleep(FAREWELL)));
                    }
                },
                Self::Farewell(sleep) => return sleep.as_mut().poll(cx).is_ready(),
            }
        }
    }
}

impl futures::io::AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Error>> {
        let wire = self.get_mut();
        if wire.ending.is_due(cx, &wire.runtime) {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut wire.stream).poll_read(cx, &mut buffer))?;
        wire.frames.check(buffer.filled())?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl futures::io::AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Where in the frames of a stream it is. lapin waits for the rest of a frame however long it says it is, so what is no
/// frame of AMQP 0-9-1, or is larger than was agreed, breaks the stream here.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER],
    /// How many bytes of the header are there.
    known: usize,
    /// How many bytes of payload and end mark follow.
    rest: usize,
    /// The payload, where its tables have to be looked at.
    payload: Vec<u8>,
    /// What is wrong with the stream; it stays wrong.
    broken: Option<&'static str>,
}

impl Frames {
    /// Takes the next part of a payload.
    fn look_at(&mut self, part: &[u8]) {
        let kind = self.header[0];
        if depth::matters(kind) {
            self.payload.extend_from_slice(part);
            if self.rest == 0 {
                // The end mark is no part of it.
                self.payload.pop();
                self.broken = depth::check(kind, &self.payload).err();
                self.payload.clear();
            }
        }
    }

    fn check(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while self.broken.is_none() && !bytes.is_empty() {
            if self.rest > 0 {
                let (part, after) = bytes.split_at(self.rest.min(bytes.len()));
                self.rest -= part.len();
                bytes = after;
                self.look_at(part);
                continue;
            }
            self.header[self.known] = bytes[0];
            self.known += 1;
            bytes = &bytes[1..];
            // Method, header, body, heartbeat.
            if !matches!(self.header[0], 1 | 2 | 3 | 8) {
                self.broken = Some("it does not speak AMQP 0-9-1");
            } else if self.known == HEADER {
                let [_, _, _, size @ ..] = self.header;
                let size = u32::from_be_bytes(size);
                if size > FRAME_MAX {
                    self.broken = Some("it sent a frame that is too large");
                }
                self.known = 0;
                self.rest = size as usize + 1;
            }
        }
        match self.broken {
            Some(why) => Err(Error::new(ErrorKind::InvalidData, why)),
            None => Ok(()),
        }
    }
}

/// The runtime that lapin is given: tokio's, with streams of this module.
pub(super) type Kit = RuntimeParts<Tokio, Streams>;

/// See [`Kit`].
pub(super) fn runtime() -> Runtime<Kit> {
    let tokio = Tokio::current();
    Runtime::new(RuntimeParts::new(tokio.clone(), Streams(tokio)))
}

/// Names the type of the streams. It opens none: the one stream of a connection is handed over.
#[derive(Clone, Debug)]
pub(super) struct Streams(Tokio);

impl Reactor for Streams {
    type TcpStream = Wire;
    type Sleep = Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> Result<impl futures::io::AsyncRead + futures::io::AsyncWrite + Send + Unpin + 'static, Error> {
        Err::<Wire, _>(ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = std::time::Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _address: SocketAddr,
    ) -> impl Future<Output = Result<Wire, Error>> + Send + 'static {
        std::future::ready(Err(ErrorKind::Unsupported.into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checked(chunks: &[&[u8]]) -> Result<(), String> {
        let mut frames = Frames::default();
        chunks
            .iter()
            .try_for_each(|chunk| frames.check(chunk))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn frames_pass_however_they_are_cut() {
        let heartbeat = [8, 0, 0, 0, 0, 0, 0, 0xCE];
        let method = [1, 0, 1, 0, 0, 0, 2, 9, 9, 0xCE];
        let both = [heartbeat.as_slice(), method.as_slice()].concat();
        assert_eq!(checked(&[&both]), Ok(()));
        let bytes: Vec<&[u8]> = both.chunks(1).collect();
        assert_eq!(checked(&bytes), Ok(()));
    }

    #[test]
    fn what_is_no_frame_is_refused_at_once() {
        let other = Err("it does not speak AMQP 0-9-1".to_owned());
        assert_eq!(checked(&[b"HTTP/1.1 400 Bad Request\r\n"]), other);
        // The answer of a server that speaks another version of the protocol.
        assert_eq!(checked(&[b"AMQP\x00\x01\x00\x00"]), other);
        let large = [1, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF];
        assert_eq!(
            checked(&[&large]),
            Err("it sent a frame that is too large".to_owned())
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut frames = Frames::default();
            for chunk in &chunks {
                let _ = frames.check(chunk);
            }
        }
    }
}
