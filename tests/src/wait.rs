//! Waiting for a state, never for a time.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

/// How often a condition is looked at: small beside everything that is waited for.
const INTERVAL: Duration = Duration::from_millis(100);

/// What one look at a condition found.
pub type Look<T> = std::result::Result<T, String>;

/// Looks until `look` answers `Ok`, and fails after `deadline` with what was missing at the last look.
///
/// A deadline is a bound for a run that hangs, not a measure: choose it long.
pub async fn wait_for<T, F, Fut>(what: impl Display, deadline: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Look<T>>,
{
    let end = Instant::now() + deadline;
    let mut missing = "it was never looked at".to_owned();
    loop {
        match tokio::time::timeout_at(end, look()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(now)) => missing = now,
            // What the last look found that did return says more than that this one did not.
            Err(_) => bail!("waited {}s for {what}: {missing}", deadline.as_secs()),
        }
        if Instant::now() + INTERVAL > end {
            bail!("waited {}s for {what}: {missing}", deadline.as_secs());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Turns a yes-or-no into a [`Look`].
pub fn look(holds: bool, otherwise: impl FnOnce() -> String) -> Look<()> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
