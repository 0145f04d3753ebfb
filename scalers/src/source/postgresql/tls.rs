//! libpq's `sslmode` on rustls.
//!
//! Files that a connection string names are read where this process runs, as upstream reads them where it runs.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::target::{SslMode, Tls};
use crate::connect::Connect;
use crate::tls::{TlsSettings, certificates, provider};
use crate::{ScalerError, Secret};

/// More than any file of certificates needs.
const LARGEST: u64 = 1 << 20;

/// The configuration for a connection that is, or may be, encrypted.
pub(super) async fn client(tls: &Tls, connect: &Connect) -> Result<ClientConfig, ScalerError> {
    let (mut certificate, mut key) = (None, None);
    if let Some((certificate_file, key_file)) = &tls.identity {
        certificate = Some(Secret::new(file("sslcert", certificate_file).await?));
        key = Some(Secret::new(file("sslkey", key_file).await?));
    }
    let checked = checks(tls);
    let settings = TlsSettings {
        ca: None,
        certificate,
        key,
        key_password: tls.key_password.clone(),
        unsafe_ssl: checked.is_none(),
    };
    let mut config = settings.client(connect).map_err(under_libpqs_name)?;
    if let Some(name) = checked {
        let roots = match tls.root.as_deref() {
            None | Some("system") => connect.roots.store(Vec::new()),
            Some(path) => only(&file("sslrootcert", path).await?)?,
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| ScalerError::Certificate {
                parameter: "sslrootcert",
                reason: error.to_string(),
            })?;
        let verifier: Arc<dyn ServerCertVerifier> = match name {
            Name::Checked => verifier,
            Name::Any => Arc::new(AnyName(verifier)),
        };
        config.dangerous().set_certificate_verifier(verifier);
    }
    if tls.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

/// Whether the certificate must be for the host.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Name {
    Checked,
    Any,
}

/// What is checked about the server's certificate; `None` for nothing.
fn checks(tls: &Tls) -> Option<Name> {
    match (tls.mode, &tls.root) {
        // libpq: trusted certificates that are given are used.
        (SslMode::Require, Some(_)) | (SslMode::VerifyCa, _) => Some(Name::Any),
        (SslMode::VerifyFull, _) => Some(Name::Checked),
        _ => None,
    }
}

/// A store of the certificates of one file alone.
fn only(pem: &str) -> Result<RootCertStore, ScalerError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates("sslrootcert", pem)?);
    Ok(roots)
}

async fn file(parameter: &'static str, path: &str) -> Result<String, ScalerError> {
    let refused = |reason: String| ScalerError::Certificate { parameter, reason };
    let about = tokio::fs::metadata(path)
        .await
        .map_err(|error| refused(format!("its file cannot be read: {error}")))?;
    // A device or a pipe might never end.
    if !about.is_file() || about.len() > LARGEST {
        return Err(refused(
            "it does not name a file of certificates or keys".to_owned(),
        ));
    }
    tokio::fs::read_to_string(path)
        .await
        .map_err(|error| refused(format!("its file cannot be read: {error}")))
}

fn under_libpqs_name(error: ScalerError) -> ScalerError {
    match error {
        ScalerError::Certificate { parameter, reason } => ScalerError::Certificate {
            parameter: if parameter == "key" { "sslkey" } else { "sslcert" },
            reason: reason.replace("keyPassword", "sslpassword"),
        },
        other => other,
    }
}

/// `verify-ca`: the certificate must be of a trusted authority, for whatever host.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last: everything else was right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
