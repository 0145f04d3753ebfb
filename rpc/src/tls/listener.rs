//! A TCP port that yields finished TLS connections.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use super::ServerTls;

/// How long a client may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes in progress at once; more wait in the kernel's backlog, so that strangers cannot fill the memory.
const HANDSHAKES: usize = 256;
/// Pause after the system refused to accept (no file descriptors left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address}; is the port taken by another process (`ss -ltnp`)? Choose another with {flag}"
)]
pub struct BindError {
    /// The address.
    pub address: String,
    /// The flag that sets the address.
    pub flag: &'static str,
    /// What the system said.
    pub source: io::Error,
}

/// Called for each client whose handshake failed.
pub type Refused = Arc<dyn Fn(SocketAddr, &io::Error) + Send + Sync>;

/// A port that yields finished TLS connections. Handshakes run side by side, so a silent client delays nobody.
#[derive(Debug)]
pub struct Listener {
    ready: mpsc::Receiver<TlsConnection>,
    local: SocketAddr,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens on `address`, written `host:port` or `:port` for all addresses. `flag` is named when that fails.
    pub async fn bind(address: &str, flag: &'static str, tls: ServerTls) -> Result<Self, BindError> {
        Self::bind_with(address, flag, tls, Arc::new(|_, _| {})).await
    }

    /// As [`Listener::bind`], and tells `refused` about every failed handshake.
    pub async fn bind_with(
        address: &str,
        flag: &'static str,
        tls: ServerTls,
        refused: Refused,
    ) -> Result<Self, BindError> {
        let failed = |source| BindError {
            address: address.to_owned(),
            flag,
            source,
        };
        let listener = match address.strip_prefix(':') {
            Some(port) => bind_all(port).await,
            None => TcpListener::bind(address).await,
        };
        let listener = listener.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let (finished, ready) = mpsc::channel(HANDSHAKES);
        let task = tokio::spawn(accept(listener, Arc::new(tls), finished, refused));
        Ok(Self { ready, local, task })
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stream for Listener {
    type Item = io::Result<TlsConnection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

/// `:port` means every address of both families, as in Go; a machine without IPv6 gets IPv4.
async fn bind_all(port: &str) -> io::Result<TcpListener> {
    match TcpListener::bind(format!("[::]:{port}")).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind(format!("0.0.0.0:{port}")).await
        }
        bound => bound,
    }
}

async fn accept(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    finished: mpsc::Sender<TlsConnection>,
    refused: Refused,
) {
    let slots = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let (tcp, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // IPv4 clients of an IPv6 socket are shown as what they are.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let (tls, finished, refused) = (tls.clone(), finished.clone(), refused.clone());
        tokio::spawn(async move {
            match handshake(tcp, peer, &tls).await {
                Ok(connection) => drop(finished.send(connection).await),
                // Health checks of load balancers connect and leave.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => {
                    tracing::debug!(%peer, %error, "TLS handshake failed");
                    refused(peer, &error);
                }
            }
            drop(slot);
        });
    }
}

async fn handshake(tcp: TcpStream, peer: SocketAddr, tls: &ServerTls) -> io::Result<TlsConnection> {
    tcp.set_nodelay(true)?;
    let accepted = tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(tls.current()).accept(tcp));
    let stream = accepted
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no handshake in time"))??;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificates = certificates.iter().map(|der| der.clone().into_owned()).collect();
    Ok(TlsConnection {
        stream,
        peer: Peer {
            address: peer,
            certificates,
        },
    })
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Address of the peer.
    pub address: SocketAddr,
    /// Certificate chain it showed, its own first; empty when it showed none. Verified only as far as the server's
    /// [`ClientAuth`](super::ClientAuth) says.
    pub certificates: Arc<[CertificateDer<'static>]>,
}

/// A finished TLS connection of a client.
#[derive(Debug)]
pub struct TlsConnection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
}

impl TlsConnection {
    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl Connected for TlsConnection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
