//! Server software for the tests that Debian does not package: fetched once into `target/servers`.
//!
//! Kafka comes as jars, which Maven fetches with all that they need; Java and Maven are Debian's.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::{cluster, packages};

/// The variable that tells tests where the servers are.
const VARIABLE: &str = "KEDA_SERVERS_DIR";
/// The release of Kafka that is tested against.
const KAFKA: &str = "4.3.1";
/// The plugin that copies jars; without a version, Maven would take whatever is newest.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// Fetches what is missing. Where that is impossible it says so, and fails only with `CI=true`.
pub(crate) fn prepare() -> anyhow::Result<()> {
    let Err(error) = kafka() else { return Ok(()) };
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
        return Err(error);
    }
    eprintln!("without Kafka its tests are skipped: {error:#}");
    Ok(())
}

/// What tests are told.
pub(crate) fn environment() -> (&'static str, PathBuf) {
    (VARIABLE, folder())
}

fn folder() -> PathBuf {
    cluster::root().join("target/servers")
}

/// Fetches Kafka's jars. They appear in one step, so that a run that was broken off leaves nothing half-done.
fn kafka() -> anyhow::Result<()> {
    let (place, release) = (folder().join("kafka"), folder().join("kafka.release"));
    if place.is_dir() && fs::read_to_string(&release).is_ok_and(|found| found == KAFKA) {
        return packages::install_for_java(false);
    }
    packages::install_for_java(true)?;
    let fresh = folder().join("kafka.part");
    for old in [&place, &fresh] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("cannot remove `{}`", old.display()))?;
        }
    }
    fs::create_dir_all(&fresh).with_context(|| format!("cannot make `{}`", fresh.display()))?;
    let pom = folder().join("kafka.pom.xml");
    fs::write(&pom, project()).with_context(|| format!("cannot write `{}`", pom.display()))?;
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(&pom)
        .args([COPY, "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", fresh.display()))
        .output()
        .context("cannot run mvn")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        bail!("mvn cannot fetch Kafka {KAFKA}: {}", said.trim());
    }
    fs::rename(&fresh, &place)?;
    fs::write(&release, KAFKA)?;
    Ok(())
}

/// A project that is nothing but its dependencies.
fn project() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{artifact}</artifactId>\n      \
             <version>{version}</version>\n    </dependency>\n"
        )
    };
    let broker = dependency("org.apache.kafka", "kafka_2.13", KAFKA);
    let log = dependency("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3");
    format!(
        "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>tests</groupId>\n  \
         <artifactId>kafka</artifactId>\n  <version>1</version>\n  <packaging>pom</packaging>\n  \
         <dependencies>\n{broker}{log}  </dependencies>\n</project>\n"
    )
}
