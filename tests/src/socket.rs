//! TCP connections as the kernel of this machine has them.

use anyhow::{Context as _, Result};

/// The state of a connection that stands, as `/proc/net/tcp` writes it.
const ESTABLISHED: &str = "01";

/// How many connections of this machine to a loopback address stand; `address` is `HOST:PORT`.
pub fn established(address: &str) -> Result<usize> {
    let port: u16 = address.rsplit(':').next().context("a port")?.parse()?;
    let remote = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let stands = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|address| address.ends_with(&remote)) && fields.next() == Some(ESTABLISHED)
    };
    Ok(table.lines().filter(stands).count())
}
