//! `external` and `external-push` against a scaler that is built on KEDA's own generated code.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::StreamExt as _;
use harness::external_scaler::ExternalScaler;
use scalers::{Connect, Pool, PushEvent};

use super::folder;
use super::probe::{Probe, trigger};

pub(crate) async fn values() -> Result<()> {
    let scaler = ExternalScaler::start(&folder("external-values")?).await?;
    let address = scaler.address();
    let metadata = [
        ("scalerAddress", address.as_str()),
        ("queue", "q"),
        ("target", "2.5"),
    ];
    let probe = Probe::new(&trigger("external", &metadata, &[])).await?;
    probe.is(0.0).await?;
    scaler.set("q", 7.25, false).await?;
    probe.is(7.25).await?;
    ensure!(
        probe.ask().await?.active == Some(false),
        "IsActive decides, not the value"
    );
    scaler.set("q", 0.0, true).await?;
    ensure!(
        probe.ask().await?.active == Some(true),
        "IsActive decides, not the value"
    );
    scaler.fail("q").await?;
    let text = probe.fails().await?;
    ensure!(
        text.contains("told to fail") && text.contains(&address),
        "the message names neither cause nor server: {text}"
    );
    scaler.set("q", 3.0, true).await?;
    probe.is(3.0).await?;
    drop(scaler);
    let text = probe.fails().await?;
    ensure!(
        text.contains(&address),
        "the message does not name the server: {text}"
    );
    Ok(())
}

pub(crate) async fn pushes() -> Result<()> {
    let scaler = ExternalScaler::start(&folder("external-pushes")?).await?;
    let address = scaler.address();
    let metadata = [
        ("scalerAddress", address.as_str()),
        ("queue", "q"),
        ("target", "10"),
    ];
    let pool = Pool::new(Connect::default());
    let plain = scalers::read(&trigger("external", &metadata, &[]))
        .ok()
        .context("the trigger is right")?;
    ensure!(pool.push(&plain).is_none(), "only external-push pushes");
    let built = scalers::read(&trigger("external-push", &metadata, &[]))
        .ok()
        .context("the trigger is right")?;
    let mut events = pool.push(&built).context("external-push pushes")?;
    // The stream is open only while somebody waits for its next event.
    let next = tokio::spawn(async move { events.next().await });
    scaler.listened("q").await?;
    scaler.push("q").await?;
    match tokio::time::timeout(Duration::from_mins(1), next).await?? {
        Some(PushEvent::Active) => Ok(()),
        other => bail!("{other:?} came instead of the push"),
    }
}
