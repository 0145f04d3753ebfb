//! Certificate files, read and checked as one unit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Certificate, Policy, TlsError};

/// Which files make up the material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertFiles {
    /// Bundle of the certificate authorities that peers must chain to.
    pub ca: Option<PathBuf>,
    /// Own certificate chain and private key.
    pub pair: Option<(PathBuf, PathBuf)>,
}

impl CertFiles {
    /// The files of a `--cert-dir`: `ca.crt`, `tls.crt`, `tls.key`, as the keys of the Secret `kedaorg-certs` are named.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            ca: Some(folder.join("ca.crt")),
            pair: Some((folder.join("tls.crt"), folder.join("tls.key"))),
        }
    }

    /// Contents of the files in a fixed order. Compared as bytes to notice a change: file times are too coarse for two quick writes.
    pub(super) fn contents(&self) -> Result<Vec<Vec<u8>>, TlsError> {
        let pair = self.pair.iter().flat_map(|(cert, key)| [cert, key]);
        self.ca
            .iter()
            .chain(pair)
            .map(|path| {
                std::fs::read(path).map_err(|source| TlsError::Unreadable {
                    path: path.clone(),
                    source,
                })
            })
            .collect()
    }
}

/// Parsed and checked contents of [`CertFiles`].
#[derive(Debug)]
pub struct Material {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) pair: Option<Arc<CertifiedKey>>,
    authorities: Vec<CertificateDer<'static>>,
    generation: u64,
}

impl Material {
    /// Checks contents that `files` had; the key must belong to the certificate.
    pub(super) fn parse(
        files: &CertFiles,
        contents: &[Vec<u8>],
        policy: &Policy,
        generation: u64,
    ) -> Result<Self, TlsError> {
        let mut contents = contents.iter();
        let mut next = || contents.next().map_or(&[][..], Vec::as_slice);
        let mut roots = RootCertStore::empty();
        let mut authorities = Vec::new();
        if let Some(path) = &files.ca {
            authorities = certificates(path, next())?;
            for authority in &authorities {
                roots
                    .add(authority.clone())
                    .map_err(|source| TlsError::BadAuthority {
                        path: path.clone(),
                        source,
                    })?;
            }
        }
        let pair = match &files.pair {
            Some((cert, key)) => Some(Arc::new(key_pair(cert, next(), key, next(), policy)?)),
            None => None,
        };
        Ok(Self {
            roots: Arc::new(roots),
            pair,
            authorities,
            generation,
        })
    }

    /// Counts up with every reload, starting at 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The certificate authorities as they are in the bundle.
    pub fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }

    /// The trust anchors that the bundle makes.
    pub fn roots(&self) -> &Arc<RootCertStore> {
        &self.roots
    }

    /// Facts of the own certificate.
    pub fn own(&self) -> Option<Certificate> {
        Certificate::parse(self.pair.as_ref()?.cert.first()?)
    }
}

/// All certificates of a PEM text, at least one.
pub(super) fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let missing = || TlsError::NoPem {
        path: path.to_owned(),
        what: "certificate",
    };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|_| missing())?;
    if certificates.is_empty() {
        Err(missing())
    } else {
        Ok(certificates)
    }
}

fn key_pair(
    cert_path: &Path,
    cert: &[u8],
    key_path: &Path,
    key: &[u8],
    policy: &Policy,
) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(cert_path, cert)?;
    let no_key = || TlsError::NoPem {
        path: key_path.to_owned(),
        what: "private key",
    };
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| no_key())?;
    let key = policy
        .provider()
        .key_provider
        .load_private_key(key)
        .map_err(|_| no_key())?;
    let pair = CertifiedKey::new(chain, key);
    pair.keys_match().map_err(|_| TlsError::KeyMismatch {
        cert: cert_path.to_owned(),
        key: key_path.to_owned(),
    })?;
    Ok(pair)
}
