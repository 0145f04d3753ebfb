//! Mutual TLS from certificate files that may change at any moment.
//!
//! ```text
//!  ca.crt tls.crt tls.key ──poll──▶ CertFolder ──current()──▶ ServerTls ──▶ Listener      (each new connection)
//!                                        └──────────────────▶ ClientTls ──▶ connect()     (each new connection)
//! ```
//!
//! A new connection uses the material that is current when it is made; open connections live on. While a CA is rotated the bundle in
//! `ca.crt` holds the old and the new one, so neither side needs to change first. Nothing here can switch verification off.

mod certificate;
mod client;
mod error;
mod folder;
mod listener;
mod material;
mod policy;
mod server;

pub use certificate::Certificate;
pub use client::ClientTls;
pub use error::TlsError;
pub use folder::{CertFolder, FolderState};
pub use listener::{BindError, Listener, Peer, Refused, TlsConnection};
pub use material::{CertFiles, Material};
pub use policy::{MinVersion, Policy};
pub use server::{ClientAuth, ServerTls};
