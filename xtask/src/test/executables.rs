//! The test executables of the workspace. Cargo builds them all at once and says where they are; they are run without it, so that
//! its lock is free while they run.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::cluster;
use crate::lint::cargo_command;

/// The crate and the target of the integration tests.
const INTEGRATION: (&str, &str) = ("tests", "it");

/// The part of Cargo's message about something that it has built.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// One test executable.
struct Executable {
    target: String,
    file: PathBuf,
    /// Folder of its crate, where Cargo runs it.
    folder: PathBuf,
}

/// All of them.
pub(crate) struct Executables(Vec<Executable>);

impl Executables {
    /// Builds binaries and tests of every crate. One selection of packages for all of them: Cargo unifies features over what is
    /// selected, so another one would compile dependencies again.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let mut cargo = cargo_command()
            .args(["build", "--profile", "bed", "--workspace", "--bins", "--tests"])
            .args(["--message-format", "json-render-diagnostics"])
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run cargo")?;
        let messages = BufReader::new(cargo.stdout.take().context("cargo has no output")?).lines();
        let found = messages
            .map_while(Result::ok)
            .filter_map(|line| executable(&line))
            .collect();
        if !cargo.wait().context("cannot wait for cargo")?.success() {
            bail!("`cargo build` failed");
        }
        Ok(Self(found))
    }

    /// The tests of every crate but the integration tests.
    pub(super) fn of_crates(&self) -> impl Iterator<Item = Command> {
        self.0
            .iter()
            .filter(|executable| !executable.is_integration())
            .map(Executable::command)
    }

    /// The integration tests.
    pub(super) fn integration(&self) -> anyhow::Result<Command> {
        let found = self.0.iter().find(|executable| executable.is_integration());
        Ok(found.context("cargo built no integration tests")?.command())
    }
}

impl Executable {
    fn is_integration(&self) -> bool {
        let (folder, target) = INTEGRATION;
        self.folder == cluster::root().join(folder) && self.target == target
    }

    /// The environment is what Cargo gives to tests, as far as tests look at it.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env("INSTA_WORKSPACE_ROOT", cluster::root())
            .env("INSTA_UPDATE", "no");
        command
    }
}

/// The test executable that a message is about.
fn executable(message: &str) -> Option<Executable> {
    let Artifact {
        manifest_path,
        target,
        profile,
        executable,
    } = serde_json::from_str(message).ok()?;
    Some(Executable {
        target: target.name,
        file: executable.filter(|_| profile.test)?,
        folder: manifest_path.parent()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_built_tests_are_taken_from_what_cargo_says() {
        let message = |test: bool, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/engine/Cargo.toml","target":{{"name":"it"}},"profile":{{"test":{test}}},"executable":{file}}}"#
            )
        };
        let found = executable(&message(true, "\"/w/target/it-1\"")).expect("a test");
        assert_eq!(
            (found.target.as_str(), found.folder),
            ("it", PathBuf::from("/w/engine"))
        );
        assert!(
            executable(&message(false, "\"/w/target/keda\"")).is_none(),
            "a binary"
        );
        assert!(executable(&message(true, "null")).is_none(), "a library");
        assert!(executable(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
