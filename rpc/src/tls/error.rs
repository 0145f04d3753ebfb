//! What can be wrong with certificate files.

use std::path::PathBuf;

/// Why certificate files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds no usable PEM block of the kind that is needed.
    #[error("{} holds no {what} in PEM", path.display())]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The private key does not belong to the certificate; seen for a moment while files are replaced one by one.
    #[error("{} is not the key of {}", key.display(), cert.display())]
    KeyMismatch {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// A certificate in the CA bundle cannot serve as a trust anchor.
    #[error("{} holds a certificate that cannot be a trust anchor", path.display())]
    BadAuthority {
        /// The bundle.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A part that the use needs was not configured (no CA for mutual TLS, no key pair for a server).
    #[error("{0} is needed here, but no file for it was given")]
    Missing(&'static str),
    /// The TLS library refused the combination.
    #[error("the TLS settings do not fit together")]
    Settings(#[from] rustls::Error),
    /// The CA bundle gives no verifier.
    #[error("the CA bundle cannot verify peers")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    /// A text is neither a DNS name nor an IP address.
    #[error("`{0}` is neither a DNS name nor an IP address")]
    BadServerName(String),
}
