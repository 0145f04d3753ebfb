//! The serving side of TLS.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;

use super::{CertFolder, Material, TlsError};

/// What a server asks of its clients.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// A certificate that chains to the CA of the folder; nothing else gets in.
    Required,
    /// No certificate; callers show who they are in another way.
    None,
    /// What the given verifier says.
    Custom(Arc<dyn ClientCertVerifier>),
}

/// Makes the TLS settings of each new server connection from the certificates that are current then.
pub struct ServerTls {
    folder: Arc<CertFolder>,
    auth: ClientAuth,
    alpn: Vec<Vec<u8>>,
    built: Mutex<(u64, Arc<ServerConfig>)>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("folder", &self.folder)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

impl ServerTls {
    /// A gRPC server that demands client certificates of the folder's CA.
    pub fn mutual(folder: Arc<CertFolder>) -> Result<Self, TlsError> {
        Self::new(folder, ClientAuth::Required, &["h2"])
    }

    /// A server with the given demands and application protocols.
    pub fn new(folder: Arc<CertFolder>, auth: ClientAuth, alpn: &[&str]) -> Result<Self, TlsError> {
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let material = folder.current();
        let config = build(&folder, &material, &auth, &alpn)?;
        Ok(Self {
            folder,
            auth,
            alpn,
            built: Mutex::new((material.generation(), config)),
        })
    }

    /// The settings for a connection made now. Cached per generation; a new generation starts with an empty session cache, so a
    /// client whose authority was removed cannot resume.
    pub fn current(&self) -> Arc<ServerConfig> {
        let material = self.folder.current();
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if built.0 != material.generation() {
            match build(&self.folder, &material, &self.auth, &self.alpn) {
                Ok(config) => *built = (material.generation(), config),
                Err(error) => {
                    tracing::error!(%error, "new certificates cannot be served; the former ones stay");
                }
            }
        }
        built.1.clone()
    }
}

fn build(
    folder: &CertFolder,
    material: &Material,
    auth: &ClientAuth,
    alpn: &[Vec<u8>],
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = folder.policy().provider();
    let pair = material
        .pair
        .clone()
        .ok_or(TlsError::Missing("a certificate with its key"))?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(folder.policy().versions())?;
    let builder = match auth {
        ClientAuth::Required => {
            let roots = material.roots.clone();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(roots, provider).build()?,
            )
        }
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::Custom(verifier) => builder.with_client_cert_verifier(verifier.clone()),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = alpn.to_vec();
    Ok(Arc::new(config))
}
