//! Calls gRPC services of our own parts.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use crate::tls::ClientTls;

/// How often a silent server is probed, and how long it may take to answer.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// How long connecting may take; a new attempt follows, so this bounds what one lost packet costs.
const CONNECT: Duration = Duration::from_secs(2);

/// State of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected; the next call connects.
    #[default]
    Idle,
    /// Connecting.
    Connecting,
    /// Connected.
    Ready,
    /// The last attempt failed, with this error.
    Failed(String),
}

/// A connection that is made when it is first needed, and again when it broke.
#[derive(Clone, Debug)]
pub struct Link {
    /// What generated clients take.
    pub channel: Channel,
    /// State as it changes.
    pub state: watch::Receiver<LinkState>,
}

/// A connection over TCP to `address` (`host:port`). `authority` is the name calls carry. Makes no connection yet.
pub fn connect(tls: ClientTls, address: String, authority: &str) -> Result<Link, http::Error> {
    let address: Arc<str> = address.into();
    connect_with(tls, authority, move || {
        let address = address.clone();
        async move {
            let tcp = TcpStream::connect(&*address).await?;
            tcp.set_nodelay(true)?;
            Ok(tcp)
        }
    })
}

/// As [`connect`], over whatever `dial` gives, such as a forwarded port.
pub fn connect_with<D, F, IO>(tls: ClientTls, authority: &str, dial: D) -> Result<Link, http::Error>
where
    D: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<IO>> + Send + 'static,
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let uri = |scheme| {
        Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query("/")
            .build()
    };
    // The transport refuses `https` without its own TLS; ours sits in the connector, so only the origin says it.
    let endpoint = Endpoint::from(uri("http")?)
        .origin(uri("https")?)
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1)
        .keep_alive_while_idle(true);
    let (sender, state) = watch::channel(LinkState::Idle);
    let sender = Arc::new(sender);
    let dial = Arc::new(dial);
    let connector = tower::service_fn(move |_: Uri| {
        let (tls, dial, sender) = (tls.clone(), dial.clone(), sender.clone());
        async move {
            let attempt = Attempt::start(sender);
            let stream = handshake(&tls, dial()).await;
            attempt.finish(stream).map(TokioIo::new)
        }
    });
    Ok(Link {
        channel: endpoint.connect_with_connector_lazy(connector),
        state,
    })
}

async fn handshake<IO>(
    tls: &ClientTls,
    dialled: impl Future<Output = io::Result<IO>>,
) -> io::Result<tokio_rustls::client::TlsStream<IO>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let config = tls.current().map_err(io::Error::other)?;
    TlsConnector::from(config)
        .connect(tls.server_name(), dialled.await?)
        .await
}

/// One attempt to connect. Dropped unfinished (the transport's time ran out), it counts as failed.
struct Attempt {
    state: Option<Arc<watch::Sender<LinkState>>>,
}

impl Attempt {
    fn start(state: Arc<watch::Sender<LinkState>>) -> Self {
        state.send_replace(LinkState::Connecting);
        Self { state: Some(state) }
    }

    fn finish<T>(mut self, stream: io::Result<T>) -> io::Result<Tracked<T>> {
        let state = self.state.take().expect("an attempt finishes once");
        match stream {
            Ok(stream) => {
                state.send_replace(LinkState::Ready);
                Ok(Tracked {
                    stream,
                    _open: Open(state),
                })
            }
            Err(error) => {
                state.send_replace(LinkState::Failed(error.to_string()));
                Err(error)
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            state.send_replace(LinkState::Failed(format!(
                "no connection within {} s",
                CONNECT.as_secs()
            )));
        }
    }
}

/// Says that the connection is gone when it is.
struct Open(Arc<watch::Sender<LinkState>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_if_modified(|state| {
            let was_ready = *state == LinkState::Ready;
            if was_ready {
                *state = LinkState::Idle;
            }
            was_ready
        });
    }
}

/// A stream whose end is noticed.
struct Tracked<T> {
    stream: T,
    _open: Open,
}

impl<T: AsyncRead + Unpin> AsyncRead for Tracked<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Tracked<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Failed(_) => "failed",
        })
    }
}
