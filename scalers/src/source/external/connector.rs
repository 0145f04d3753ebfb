//! Opens the connection: plain HTTP/2 as upstream allows it, or TLS.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::Server;
use crate::ScalerError;
use crate::connect::Connect;

/// A stream of either kind.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A channel that is connected. It reconnects by itself, through the same connector.
pub(super) async fn connect(key: &Server, connect: &Connect) -> Result<Channel, ScalerError> {
    let address = target(&key.address);
    let wrong = || {
        ScalerError::Setting(format!(
            "`scalerAddress` must be `host:port`, not `{}`",
            key.address
        ))
    };
    let uri: Uri = format!("http://{address}").parse().map_err(|_| wrong())?;
    let (Some(host), Some(_)) = (uri.host(), uri.port_u16()) else {
        return Err(wrong());
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut endpoint = Endpoint::from(uri.clone()).tcp_nodelay(true);
    let tls = match &key.tls {
        Some(settings) => {
            let mut config = settings.client(connect)?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            let name = ServerName::try_from(host).map_err(|_| wrong())?;
            endpoint = endpoint.origin(format!("https://{address}").parse().map_err(|_| wrong())?);
            Some((TlsConnector::from(Arc::new(config)), name))
        }
        None => None,
    };
    let address = address.to_owned();
    let connector = service_fn(move |_: Uri| {
        let (address, tls) = (address.clone(), tls.clone());
        async move { open(&address, tls).await.map(TokioIo::new) }
    });
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| ScalerError::unreachable(key.address.clone(), error))
}

/// The addresses of a name are tried in the order the resolver gives them.
///
/// DEVIATION: upstream spreads its calls over all addresses of a name; here one connection carries them, and the next
/// address is taken when it breaks.
async fn open(
    address: &str,
    tls: Option<(TlsConnector, ServerName<'static>)>,
) -> Result<Box<dyn Wire>, std::io::Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(match tls {
        Some((connector, name)) => Box::new(connector.connect(name, stream).await?),
        None => Box::new(stream),
    })
}

/// The `host:port` of a gRPC target: Go's clients also take `dns:///host:port` and `passthrough:///host:port`.
fn target(address: &str) -> &str {
    ["dns:///", "passthrough:///"]
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme))
        .unwrap_or(address)
}
