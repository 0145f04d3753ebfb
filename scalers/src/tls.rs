//! One way to build a TLS client for every source: rustls with the ring provider.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::connect::{Connect, MinTls};
use crate::{ScalerError, Secret};

/// Trusted roots: those of the system, and certificates added to them.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    added: Arc<Vec<CertificateDer<'static>>>,
}

impl Roots {
    /// The system's roots with every PEM certificate in the files of the given directories (`--ca-dir`).
    ///
    /// Upstream: `getRootCAs` in `pkg/util/certificates.go`: files that cannot be read are skipped.
    pub fn with_directories(directories: &[impl AsRef<Path>]) -> Self {
        let mut added = Vec::new();
        for directory in directories {
            let Ok(entries) = std::fs::read_dir(directory) else {
                tracing::warn!(directory = %directory.as_ref().display(), "cannot read the directory of certificates");
                continue;
            };
            for entry in entries.flatten() {
                if let Ok(text) = std::fs::read(entry.path()) {
                    added.extend(CertificateDer::pem_slice_iter(&text).flatten());
                }
            }
        }
        Self {
            added: Arc::new(added),
        }
    }

    /// The store that a client trusts, with one trigger's own certificates.
    pub(crate) fn store(&self, own: Vec<CertificateDer<'static>>) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(system().iter().cloned());
        store.add_parsable_certificates(self.added.iter().cloned());
        store.add_parsable_certificates(own);
        store
    }

    /// Every trusted certificate in DER, for clients that build their own store.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        system().iter().chain(self.added.iter())
    }
}

/// The roots of the system, read once.
fn system() -> &'static [CertificateDer<'static>] {
    static SYSTEM: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    SYSTEM.get_or_init(|| rustls_native_certs::load_native_certs().certs)
}

/// TLS settings of one source, part of its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TlsSettings {
    /// PEM certificates that are trusted beside the process's roots.
    pub(crate) ca: Option<Secret<String>>,
    /// PEM chain of the client.
    pub(crate) certificate: Option<Secret<String>>,
    /// PEM key of the client.
    pub(crate) key: Option<Secret<String>>,
    /// Password of an encrypted key.
    pub(crate) key_password: Option<Secret<String>>,
    /// Whether any server certificate will do.
    pub(crate) unsafe_ssl: bool,
}

impl TlsSettings {
    /// The client configuration.
    pub(crate) fn client(&self, connect: &Connect) -> Result<ClientConfig, ScalerError> {
        let provider = provider();
        let versions: &[&rustls::SupportedProtocolVersion] = match connect.min_tls {
            MinTls::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            MinTls::Tls13 => &[&rustls::version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("ring supports TLS 1.2 and 1.3");
        let builder = if self.unsafe_ssl {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        } else {
            builder.with_root_certificates(connect.roots.store(self.own_roots()?))
        };
        match self.identity()? {
            Some((chain, key)) => {
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| ScalerError::Certificate {
                        parameter: "cert",
                        reason: error.to_string(),
                    })
            }
            None => Ok(builder.with_no_client_auth()),
        }
    }

    /// The certificates of `ca`.
    pub(crate) fn own_roots(&self) -> Result<Vec<CertificateDer<'static>>, ScalerError> {
        let Some(ca) = &self.ca else { return Ok(Vec::new()) };
        certificates("ca", ca.expose())
    }

    /// The chain and key of the client, where both are given.
    pub(crate) fn identity(
        &self,
    ) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, ScalerError> {
        let (Some(chain), Some(key)) = (&self.certificate, &self.key) else {
            return Ok(None);
        };
        let chain = certificates("cert", chain.expose())?;
        Ok(Some((chain, self.private_key(key.expose())?)))
    }

    fn private_key(&self, pem: &str) -> Result<PrivateKeyDer<'static>, ScalerError> {
        let refused = |reason: &str| ScalerError::Certificate {
            parameter: "key",
            reason: reason.to_owned(),
        };
        if pem.contains("ENCRYPTED PRIVATE KEY") {
            let password = self.key_password.as_ref();
            let password =
                password.ok_or_else(|| refused("it is encrypted, and `keyPassword` is missing"))?;
            let (_, document) =
                pkcs8::SecretDocument::from_pem(pem).map_err(|_| refused("it is no PEM key"))?;
            let encrypted = pkcs8::EncryptedPrivateKeyInfo::try_from(document.as_bytes())
                .map_err(|_| refused("it is no encrypted PKCS #8 key"))?;
            let plain = encrypted
                .decrypt(password.expose())
                .map_err(|_| refused("`keyPassword` does not open it"))?;
            return PrivateKeyDer::try_from(plain.as_bytes().to_vec()).map_err(refused);
        }
        PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| refused("it holds no PEM key"))
    }
}

/// The certificates of a PEM text.
pub(crate) fn certificates(
    parameter: &'static str,
    pem: &str,
) -> Result<Vec<CertificateDer<'static>>, ScalerError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(ScalerError::Certificate {
            parameter,
            reason: "it holds no PEM certificate".to_owned(),
        }),
    }
}

/// The one provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

/// `unsafeSsl`: the server's certificate is not looked at, its signatures are.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use pkcs8::LineEnding;
    use pkcs8::pkcs5::pbes2::Parameters;

    use super::*;

    fn pair() -> (String, rcgen::KeyPair) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key)
    }

    fn settings(certificate: &str, key: &str, password: Option<&str>) -> TlsSettings {
        TlsSettings {
            certificate: Some(certificate.into()),
            key: Some(key.into()),
            key_password: password.map(Into::into),
            ..TlsSettings::default()
        }
    }

    #[test]
    fn an_encrypted_key_is_opened_with_its_password() {
        let (certificate, key) = pair();
        let der = key.serialize_der();
        let plain = pkcs8::PrivateKeyInfo::try_from(der.as_slice()).expect("a PKCS #8 key");
        let cipher = Parameters::pbkdf2_sha256_aes256cbc(1_000, b"saltsalt", &[7; 16]).expect("parameters");
        let encrypted = plain
            .encrypt_with_params(cipher, "open sesame")
            .expect("an encrypted key");
        let pem = encrypted
            .to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)
            .expect("PEM");

        let connect = Connect::default();
        settings(&certificate, &pem, Some("open sesame"))
            .client(&connect)
            .expect("the right password");
        let refused = |password| {
            settings(&certificate, &pem, password)
                .client(&connect)
                .expect_err("refused")
                .to_string()
        };
        assert_eq!(
            refused(Some("open barley")),
            "cannot use `key`: `keyPassword` does not open it"
        );
        assert_eq!(
            refused(None),
            "cannot use `key`: it is encrypted, and `keyPassword` is missing"
        );
        // A password beside a key that needs none changes nothing.
        settings(&certificate, &key.serialize_pem(), Some("x"))
            .client(&connect)
            .expect("a plain key");
    }

    #[test]
    fn what_is_no_certificate_or_key_is_named() {
        let (certificate, key) = pair();
        let connect = Connect::default();
        let refused = |settings: TlsSettings| settings.client(&connect).expect_err("refused").to_string();
        assert_eq!(
            refused(settings("x", &key.serialize_pem(), None)),
            "cannot use `cert`: it holds no PEM certificate"
        );
        assert_eq!(
            refused(settings(&certificate, "x", None)),
            "cannot use `key`: it holds no PEM key"
        );
        let ca = TlsSettings {
            ca: Some("x".into()),
            ..TlsSettings::default()
        };
        assert_eq!(refused(ca), "cannot use `ca`: it holds no PEM certificate");
        // Half a pair is no client certificate, as upstream has it.
        let half = TlsSettings {
            certificate: Some(certificate.into()),
            ..TlsSettings::default()
        };
        half.client(&connect).expect("no client certificate");
    }

    #[test]
    fn roots_come_from_every_readable_file() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.pem"), pair().0 + &pair().0).expect("a file");
        std::fs::write(folder.path().join("b.txt"), "nothing").expect("a file");
        let missing = folder.path().join("missing");
        let roots = Roots::with_directories(&[folder.path(), missing.as_path()]);
        assert_eq!(roots.added.len(), 2);
    }
}
