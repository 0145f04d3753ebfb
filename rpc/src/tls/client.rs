//! The calling side of TLS.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::material::certificates;
use super::{CertFolder, Policy, TlsError};

/// Makes the TLS settings of each new client connection. The server's certificate must chain to a trusted CA and carry one of the
/// expected names.
#[derive(Clone)]
pub struct ClientTls {
    trust: Trust,
    names: Vec<ServerName<'static>>,
}

#[derive(Clone)]
enum Trust {
    /// CA and client certificate of a folder, as they are when the connection is made.
    Folder(Arc<CertFolder>),
    /// A fixed CA; no client certificate is shown.
    Fixed(Arc<RootCertStore>, Policy),
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl ClientTls {
    /// Shows the folder's certificate and trusts the folder's CA. `names` are the acceptable names of the server; the first travels as
    /// SNI. The address that is dialled plays no part in it.
    pub fn mutual(folder: Arc<CertFolder>, names: &[&str]) -> Result<Self, TlsError> {
        Ok(Self {
            trust: Trust::Folder(folder),
            names: server_names(names)?,
        })
    }

    /// Trusts a CA bundle in PEM and shows no certificate, as for the debug API, where a token says who calls.
    pub fn trusting(ca_bundle: &[u8], policy: Policy, names: &[&str]) -> Result<Self, TlsError> {
        let path = Path::new("the CA bundle");
        let mut roots = RootCertStore::empty();
        for authority in certificates(path, ca_bundle)? {
            roots.add(authority).map_err(|source| TlsError::BadAuthority {
                path: path.to_owned(),
                source,
            })?;
        }
        Ok(Self {
            trust: Trust::Fixed(Arc::new(roots), policy),
            names: server_names(names)?,
        })
    }

    /// The name that travels as SNI.
    pub fn server_name(&self) -> ServerName<'static> {
        self.names[0].clone()
    }

    /// The settings for a connection made now.
    pub fn current(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let (roots, pair, policy) = match &self.trust {
            Trust::Folder(folder) => {
                let material = folder.current();
                let pair = material
                    .pair
                    .clone()
                    .ok_or(TlsError::Missing("a client certificate with its key"))?;
                (material.roots.clone(), Some(pair), folder.policy().clone())
            }
            Trust::Fixed(roots, policy) => (roots.clone(), None, policy.clone()),
        };
        let provider = policy.provider();
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?;
        let verifier = Arc::new(AnyOf {
            inner,
            names: self.names.clone(),
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(policy.versions())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match pair {
            Some(pair) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn server_names(names: &[&str]) -> Result<Vec<ServerName<'static>>, TlsError> {
    if names.is_empty() {
        return Err(TlsError::Missing("the server's name"));
    }
    let parse = |name: &&str| {
        let bad = |_| TlsError::BadServerName((*name).to_owned());
        ServerName::try_from((*name).to_owned()).map_err(bad)
    };
    names.iter().map(parse).collect()
}

/// The library's full verification, with several acceptable names instead of one. Needed where a pod's address is dialled but the
/// certificate names the Service.
#[derive(Debug)]
struct AnyOf {
    inner: Arc<WebPkiServerVerifier>,
    names: Vec<ServerName<'static>>,
}

impl ServerCertVerifier for AnyOf {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut last = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        for name in &self.names {
            match self
                .inner
                .verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
            {
                Ok(verified) => return Ok(verified),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
