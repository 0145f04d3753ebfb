//! What the API server's aggregation layer has: the address of the adapter, whom to trust there, and the certificate that
//! lets it speak for its users.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use base64::Engine as _;

use crate::bed::Bed;
use crate::https::Server;
use crate::keda::{CERT_SECRET, Keda, NAMESPACE};
use crate::pki::Pair;

/// The headers of a user who may do everything.
pub const MASTERS: &[(&str, &str)] = &[
    ("X-Remote-User", "kubernetes-admin"),
    ("X-Remote-Group", "system:masters"),
];

/// The adapter as the API server sees it.
pub async fn server(bed: &Bed, keda: &Keda) -> Result<Server> {
    let secret = bed.cluster().need("Secret", NAMESPACE, CERT_SECRET).await?;
    let ca = base64::engine::general_purpose::STANDARD
        .decode(secret["data"]["ca.crt"].as_str().context("ca.crt")?)?;
    Ok(Server {
        port: keda.ports().api,
        name: "keda-metrics-apiserver.keda.svc".to_owned(),
        ca: String::from_utf8(ca)?,
    })
}

/// The folder of the bed's authorities.
pub fn pki(bed: &Bed) -> Result<PathBuf> {
    Ok(bed
        .state()
        .ca
        .parent()
        .context("the CA lies in a folder")?
        .to_owned())
}

/// The certificate with which the API server proves that it speaks for its users.
pub fn proxy(bed: &Bed) -> Result<Pair> {
    let pki = pki(bed)?;
    let (crt_file, key_file) = (
        pki.join("front-proxy-client.crt"),
        pki.join("front-proxy-client.key"),
    );
    Ok(Pair {
        crt: std::fs::read_to_string(&crt_file)?,
        key: std::fs::read_to_string(&key_file)?,
        crt_file,
        key_file,
    })
}
