//! Every `sslmode`, with certificates that are right, foreign and absent.

use anyhow::{Context as _, Result, ensure};
use harness::pki::Authority;
use harness::postgresql::PostgreSql;

use super::super::folder;
use super::super::probe::Probe;
use super::{PASSWORD, connection, is_fit, shared};

/// Whether the connection of the query is encrypted.
const ENCRYPTED: &str = "SELECT ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// The certificate of the server is for this host.
const NAMED: &str = "127.0.0.1";
/// It is the same server, and its certificate is not for this one.
const UNNAMED: &str = "127.0.0.2";

async fn probe(server: &PostgreSql, user: &str, host: &str, rest: &str) -> Result<Probe> {
    let (port, password) = (server.port(), PASSWORD.replace('\\', r"\\").replace('\'', r"\'"));
    let string = format!("host={host} port={port} user={user} password='{password}' dbname=shop {rest}");
    Probe::new(&connection(ENCRYPTED, &string)).await
}

pub(crate) async fn modes() -> Result<()> {
    let server = shared().await?.read().await;
    let root = format!("sslrootcert={}", server.ca.file().display());
    let (certificate, key) = (server.client.crt_file.display(), server.client.key_file.display());
    for (user, host, rest, want) in [
        ("reader", NAMED, "sslmode=disable", 0.0),
        ("reader", NAMED, "sslmode=allow", 0.0),
        ("tls_only", NAMED, "sslmode=allow", 1.0),
        ("reader", NAMED, "sslmode=prefer", 1.0),
        ("plain_only", NAMED, "sslmode=prefer", 0.0),
        ("reader", NAMED, "sslmode=require", 1.0),
        ("reader", NAMED, format!("sslmode=require {root}").as_str(), 1.0),
        (
            "reader",
            UNNAMED,
            format!("sslmode=verify-ca {root}").as_str(),
            1.0,
        ),
        (
            "reader",
            NAMED,
            format!("sslmode=verify-full {root}").as_str(),
            1.0,
        ),
        (
            "certificate",
            NAMED,
            format!("sslmode=verify-full {root} sslcert={certificate} sslkey={key}").as_str(),
            1.0,
        ),
    ] {
        let probe = probe(&server, user, host, rest).await?;
        probe
            .is(want)
            .await
            .with_context(|| format!("{user} {host} {rest}"))?;
    }
    refused(&server, &root).await
}

async fn refused(server: &PostgreSql, root: &str) -> Result<()> {
    let foreign = Authority::new(&folder("postgresql-foreign")?, "foreign-ca")?;
    let theirs = format!("sslrootcert={}", foreign.file().display());
    for (user, host, rest, word) in [
        (
            "reader",
            UNNAMED,
            format!("sslmode=verify-full {root}").as_str(),
            "certificate",
        ),
        (
            "reader",
            NAMED,
            format!("sslmode=verify-full {theirs}").as_str(),
            "UnknownIssuer",
        ),
        (
            "reader",
            NAMED,
            format!("sslmode=verify-ca {theirs}").as_str(),
            "UnknownIssuer",
        ),
        (
            "reader",
            NAMED,
            format!("sslmode=require {theirs}").as_str(),
            "UnknownIssuer",
        ),
        ("reader", NAMED, "sslmode=verify-full", "UnknownIssuer"),
        ("certificate", NAMED, "sslmode=require", "certificate"),
        ("tls_only", NAMED, "sslmode=disable", "pg_hba.conf"),
        ("plain_only", NAMED, "sslmode=require", "pg_hba.conf"),
    ] {
        let text = probe(server, user, host, rest).await?.fails().await?;
        ensure!(
            text.contains(word),
            "`{word}` is not in the message for {user} {host} {rest}: {text}"
        );
        is_fit(&text, server)?;
    }
    let text = probe(
        server,
        "reader",
        NAMED,
        "sslmode=verify-ca sslrootcert=/nowhere/ca.pem",
    )
    .await?
    .fails()
    .await?;
    ensure!(
        text.contains("`sslrootcert`"),
        "the message does not name the setting: {text}"
    );
    Ok(())
}
