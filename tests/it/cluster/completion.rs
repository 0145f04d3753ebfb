//! `kubectl keda <TAB>`: kubectl asks our executable, and passes on what it says.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use harness::{bed, keda, workspace};

pub(crate) fn by_kubectl() -> Result<()> {
    let cli = keda::cli_bin()?;
    let own = [
        cli.parent().context("the binary lies in a folder")?.to_owned(),
        workspace().join("completions"),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path)))?;
    let complete = |words: &[&str]| -> Result<String> {
        let output = Command::new(bed::binary()?)
            .args(["kubectl", "__complete", "keda"])
            .args(words)
            .env("PATH", &path)
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (words, expected) in [
        (&["uni"][..], "uninstall\tRemove an installation\n:4\n"),
        (&["explain", "so/orders", "-o", "y"], "yaml\n:4\n"),
        (&["validate", "-f", ""], ":0\n"),
    ] {
        let said = complete(words)?;
        ensure!(said == expected, "{words:?}: {said}");
    }
    Ok(())
}
