//! Debian packages that the test bed and the tests use, installed by name and only when they are missing.
//!
//! No service starts by being installed: `policy-rc.d` forbids it for as long as apt runs, and is put back as it was.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// What the real node of the test bed runs on.
const NODE: &[&str] = &["containerd", "containernetworking-plugins", "iptables", "runc"];
/// What builds container images.
const IMAGES: &[&str] = &["buildah"];
/// What goes into an image of its own beside our binaries.
const CONTENTS: &[&str] = &["redis-server"];
/// Servers that scalers are tested against.
const SERVERS: &[&str] = &[
    "mariadb-client-core",
    "mariadb-server-core",
    "nats-server",
    "postgresql",
    "prometheus",
    "rabbitmq-server",
    "redis-server",
    "redis-tools",
];

/// What the benchmark asks.
const BENCH: &[&str] = &["redis-server", "redis-tools"];

/// What the tests of the test bed look with.
const TOOLS: &[&str] = &["iproute2"];

/// Asked by Debian's scripts whether a service may start.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// An answer of 101 means "not allowed".
const FORBID: &str = "#!/bin/sh\nexit 101\n";

/// Installs everything that the tests use.
pub(crate) fn install_all() -> anyhow::Result<()> {
    install(&[NODE, IMAGES, SERVERS, TOOLS].concat())
}

/// Installs what the benchmark uses.
pub(crate) fn install_for_bench() -> anyhow::Result<()> {
    install(&[BENCH, TOOLS].concat())
}

/// Installs what builds images.
pub(crate) fn install_for_images() -> anyhow::Result<()> {
    install(&[IMAGES, CONTENTS].concat())
}

/// Installs what the test bed's real node needs.
pub(crate) fn install_for_node() -> anyhow::Result<()> {
    install(&[NODE, IMAGES].concat())
}

/// Installs what runs servers in Java, and what fetches them. What is on the path already, from wherever, will do.
pub(crate) fn install_for_java(fetching: bool) -> anyhow::Result<()> {
    let needed = [("java", "default-jre-headless", true), ("mvn", "maven", fetching)];
    let missing = needed
        .iter()
        .filter(|(program, _, wanted)| *wanted && !on_path(program))
        .map(|(_, package, _)| *package);
    install(&missing.collect::<Vec<_>>())
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Installs those of the packages that are missing. Where that is impossible, it says so, and fails only with `CI=true`:
/// the part that needs a missing package reports itself as off.
fn install(packages: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let command = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if let Err(reason) = able() {
        let text = format!(
            "{reason}, so these packages stay missing: {}\nhelp: `{command}`",
            missing.join(" ")
        );
        if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
            bail!(text);
        }
        eprintln!("{text}");
        return Ok(());
    }
    let _policy = Policy::forbid()?;
    // The lists may be fresh enough; on a fresh machine there are none, and this fails at once.
    if apt(&[&["install"], missing.as_slice()].concat()).is_ok() {
        return Ok(());
    }
    apt(&["update"])?;
    apt(&[&["install"], missing.as_slice()].concat())
}

fn able() -> Result<(), &'static str> {
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err("this is not a Debian");
    }
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if root {
        Ok(())
    } else {
        Err("only root can install packages")
    }
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Status}", package])
        .output()
        .is_ok_and(|query| query.stdout == b"installed")
}

/// Runs apt-get without questions; its output is shown only when it fails.
fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("apt-get")
        .args([
            "--yes",
            "--no-install-recommends",
            "-o",
            "DPkg::Lock::Timeout=300",
        ])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .context("cannot run apt-get")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!("`apt-get {}` failed: {}", arguments.join(" "), said.trim())
}

/// Keeps services from starting until it is dropped.
struct Policy {
    before: Option<(Vec<u8>, Permissions)>,
}

impl Policy {
    fn forbid() -> anyhow::Result<Self> {
        let before = match fs::read(POLICY) {
            Ok(text) => Some((text, fs::metadata(POLICY)?.permissions())),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read `{POLICY}`")),
        };
        let policy = Self { before };
        fs::write(POLICY, FORBID).with_context(|| format!("cannot write `{POLICY}`"))?;
        fs::set_permissions(POLICY, Permissions::from_mode(0o755))?;
        Ok(policy)
    }

    fn restore(&self) -> std::io::Result<()> {
        match &self.before {
            Some((text, mode)) => {
                fs::write(POLICY, text)?;
                fs::set_permissions(POLICY, mode.clone())
            }
            None => fs::remove_file(POLICY),
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            eprintln!(
                "cannot put `{POLICY}` back: {error}\nhelp: while it is there, no service starts on installation"
            );
        }
    }
}
