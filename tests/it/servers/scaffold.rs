//! `kubectl keda scaffold --live` at a terminal: the user picks from what the server has.

use std::process::Command;

use anyhow::{Result, ensure};
use harness::keda;
use harness::redis::{Access, Redis};
use harness::terminal::{DOWN, ENTER, Terminal};

use super::folder;

/// The exit code of a question that nobody answered, as the documentation of `kubectl keda` gives it.
const INTERRUPTED: i32 = 130;

pub(super) async fn live_pick() -> Result<()> {
    let dir = folder("scaffold-live")?;
    let redis = Redis::start(&dir, Access::default()).await?;
    for (list, count) in [("letters", 1), ("mails", 2), ("orders", 3)] {
        redis.push(list, count)?;
    }
    let (cli, file) = (keda::cli_bin()?, dir.join("picked.yaml"));
    let (address, out) = (redis.address(), file.display());
    let line = format!(
        "'{}' scaffold redis --live --set address={address} --name picked > '{out}'",
        cli.display()
    );
    let mut terminal = Terminal::run(&line)?;
    for choice in [
        "listName",
        "> letters  1 elements",
        "  mails    2 elements",
        "  orders   3 elements",
        "none of these",
    ] {
        terminal.shows(choice).await?;
    }
    terminal.types(DOWN).await?;
    terminal.shows("> mails").await?;
    terminal.types(ENTER).await?;
    let code = terminal.ends().await?;
    let manifest = std::fs::read_to_string(&file)?;
    ensure!(code == 0, "exit {code} {manifest}");
    for setting in [
        "\n      listName: mails\n",
        &format!("\n      address: \"{address}\"\n"),
    ] {
        ensure!(manifest.contains(setting), "{setting} is not in {manifest}");
    }
    let validated = Command::new(&cli)
        .args(["validate", "--strict", "-f"])
        .arg(&file)
        .output()?;
    let said = String::from_utf8_lossy(&validated.stderr);
    ensure!(validated.status.success(), "{said}{manifest}");

    // Whoever leaves the question gets no manifest.
    let mut terminal = Terminal::run(&line)?;
    terminal.shows("> letters").await?;
    terminal.types("q").await?;
    terminal.shows("nothing was chosen").await?;
    let code = terminal.ends().await?;
    let manifest = std::fs::read_to_string(&file)?;
    ensure!(
        code == INTERRUPTED && manifest.is_empty(),
        "exit {code} {manifest}"
    );
    Ok(())
}
