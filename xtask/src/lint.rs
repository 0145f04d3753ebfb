//! `cargo xtask lint`: format, lints, layers, length of files.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::{cluster, deps};

/// Files of generated code, which no one reads top-down.
const GENERATED: &[&str] = &[".pb.go"];
/// Lines a source file may have.
const MOST_LINES: usize = 500;

/// All checks, stopping at the first that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    deps::check()?;
    format()?;
    lengths()?;
    clippy()
}

/// `cargo fmt --check`, and `gofmt -l` that prints nothing.
pub(crate) fn format() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    let output = Command::new("gofmt")
        .args(["-l", "tests"])
        .current_dir(cluster::root())
        .output()
        .context("cannot run gofmt")?;
    let files = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || !files.trim().is_empty() {
        bail!("gofmt would change: {}", files.trim().replace('\n', ", "));
    }
    Ok(())
}

/// Clippy over everything, warnings as errors; in the profile of the tests, whose procedural macros and build scripts it shares.
const CLIPPY: [&str; 9] = [
    "clippy",
    "--quiet",
    "--profile",
    "bed",
    "--workspace",
    "--all-targets",
    "--",
    "--deny",
    "warnings",
];

/// Clippy.
fn clippy() -> anyhow::Result<()> {
    cargo(&CLIPPY)
}

/// Clippy, giving way to everything else that runs.
pub(crate) fn clippy_meanwhile() -> anyhow::Result<()> {
    let mut command = by_hand(Command::new("nice"));
    command.args(["-n", "19", "cargo"]).args(CLIPPY);
    succeed(command, "clippy")
}

/// No source file over [`MOST_LINES`] lines.
pub(crate) fn lengths() -> anyhow::Result<()> {
    let output = Command::new("git")
        .args(["ls-files", "*.rs", "*.go"])
        .current_dir(cluster::root())
        .output()
        .context("cannot run git")?;
    let long: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|file| !GENERATED.iter().any(|ending| file.ends_with(ending)))
        .filter_map(|file| {
            too_long(&cluster::root().join(file)).map(|lines| format!("{file}: {lines} lines"))
        })
        .collect();
    if !long.is_empty() {
        bail!("over {MOST_LINES} lines: {}", long.join(", "));
    }
    Ok(())
}

fn too_long(file: &Path) -> Option<usize> {
    let lines = std::fs::read_to_string(file).ok()?.lines().count();
    (lines > MOST_LINES).then_some(lines)
}

/// A cargo that builds as one run by hand does. The cargo that runs this program describes it in variables; crates with C
/// in them are built anew when one of those changes, and everything above them, which is nearly everything.
pub(crate) fn cargo_command() -> Command {
    by_hand(Command::new("cargo"))
}

fn by_hand(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs cargo with its output on this terminal.
pub(crate) fn cargo(args: &[&str]) -> anyhow::Result<()> {
    let mut command = cargo_command();
    command.args(args);
    succeed(command, &args.join(" "))
}

fn succeed(mut command: Command, what: &str) -> anyhow::Result<()> {
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("`cargo {what}` failed");
    }
    Ok(())
}
