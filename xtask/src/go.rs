//! Programs written in Go: the test bed, built from Kubernetes' own modules, and what runs in it.
//!
//! Each is built again only when its sources, its module versions or the compiler have changed: linking the test bed
//! alone takes ten seconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::cluster;
use crate::steps::Steps;

/// One program of a module in this repository.
struct Program {
    /// Its file in the folder of binaries.
    name: &'static str,
    /// Folder of its module.
    module: &'static str,
    /// Its package within the module.
    package: &'static str,
    /// The variable that tells tests where it is.
    variable: &'static str,
    /// What it is made of.
    made_of: Sources,
}

/// What a program is made of.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Sources {
    /// A main package.
    Main,
    /// A package and its tests: a program that does its work as a test.
    Tests,
}

/// In the order of their builds: what takes longest comes first.
const PROGRAMS: &[Program] = &[
    Program {
        name: "kube-testbed",
        module: "tests/cluster",
        package: ".",
        variable: "KEDA_TESTBED_BIN",
        made_of: Sources::Main,
    },
    Program {
        name: "pause",
        module: "tests/cluster",
        package: "./pause",
        variable: "KEDA_PAUSE_BIN",
        made_of: Sources::Main,
    },
    Program {
        name: "probe",
        module: "tests/cluster",
        package: "./probe",
        variable: "KEDA_PROBE_BIN",
        made_of: Sources::Main,
    },
    Program {
        name: "metrics-server",
        module: "tests/cluster",
        package: "./metrics-server",
        variable: "KEDA_METRICS_SERVER_BIN",
        made_of: Sources::Main,
    },
    Program {
        name: "coredns",
        module: "tests/cluster",
        package: "./coredns",
        variable: "KEDA_COREDNS_BIN",
        made_of: Sources::Main,
    },
    Program {
        name: ORACLE,
        module: "tests/oracle",
        package: ".",
        variable: "KEDA_ORACLE_BIN",
        made_of: Sources::Tests,
    },
    Program {
        name: "external-scaler",
        module: "tests/external-scaler",
        package: ".",
        variable: "KEDA_EXTERNAL_SCALER_BIN",
        made_of: Sources::Main,
    },
];

/// The HPA oracle.
const ORACLE: &str = "hpa-oracle";

/// Where Kubernetes keeps the version that it reports. Unstamped, it reports one that clients cannot parse.
const STAMPED: &[&str] = &["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

/// Folder of the built programs.
pub(crate) fn binaries() -> PathBuf {
    cluster::root().join("target/testbed/bin")
}

/// The variables by which tests find the programs.
pub(crate) fn environment() -> impl Iterator<Item = (&'static str, PathBuf)> {
    PROGRAMS
        .iter()
        .map(|program| (program.variable, binaries().join(program.name)))
}

/// Builds every program of the test bed whose sources have changed: all but the oracle, which tests and benchmarks ask.
pub(crate) fn build_bed(steps: &Steps) -> anyhow::Result<()> {
    build(PROGRAMS.iter().filter(|program| program.name != ORACLE), steps)
}

/// Builds the HPA oracle, if its sources have changed.
pub(crate) fn build_oracle(steps: &Steps) -> anyhow::Result<()> {
    build(PROGRAMS.iter().filter(|program| program.name == ORACLE), steps)
}

fn build<'a>(programs: impl Iterator<Item = &'a Program>, steps: &Steps) -> anyhow::Result<()> {
    fs::create_dir_all(binaries())?;
    let compiler = compiler()?;
    for program in programs {
        let fingerprint = program.fingerprint(&compiler)?;
        if !program.is_built(&fingerprint) {
            steps.run(&format!("build {} (Go)", program.name), || {
                program.build(&fingerprint)
            })?;
        }
    }
    Ok(())
}

/// Runs the test bed's own tests, on beds that they start themselves; returns how many passed and failed.
pub(crate) fn test_bed() -> anyhow::Result<(usize, usize)> {
    let mut tests = Command::new("go");
    tests.args([
        "test",
        "-trimpath",
        "-count=1",
        "-json",
        "./internal/...",
        "./e2e",
    ]);
    run_tests(tests, "tests/cluster")
}

/// Runs the oracle's own tests, which are in its program; returns how many passed and failed.
pub(crate) fn test_oracle() -> anyhow::Result<(usize, usize)> {
    let mut tests = Command::new("go");
    tests
        .args(["tool", "test2json", "-p", ORACLE])
        .arg(binaries().join(ORACLE))
        .arg("-test.v=test2json");
    run_tests(tests, "tests/oracle")
}

/// Runs a command that reports tests as `go test -json` does.
fn run_tests(mut command: Command, module: &str) -> anyhow::Result<(usize, usize)> {
    let mut child = command
        .current_dir(cluster::root().join(module))
        .env("CGO_ENABLED", "0")
        .envs(environment())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run `go`")?;
    let lines = BufReader::new(child.stdout.take().context("`go` has no stdout")?).lines();
    let (passed, failed) = count(lines.map_while(Result::ok));
    let status = child.wait().context("cannot wait for `go`")?;
    if !status.success() && failed == 0 {
        bail!("the Go tests in `{module}` ended with {status}");
    }
    Ok((passed, failed))
}

/// One line of `go test -json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TestEvent {
    action: String,
    package: Option<String>,
    test: Option<String>,
    output: Option<String>,
}

/// Counts the tests that ended, and prints what the failed ones and the skipped ones said.
fn count(lines: impl Iterator<Item = String>) -> (usize, usize) {
    let (mut passed, mut failed) = (0, 0);
    let mut said: BTreeMap<_, String> = BTreeMap::new();
    for event in lines.filter_map(|line| serde_json::from_str::<TestEvent>(&line).ok()) {
        let whose = (event.package, event.test);
        match (event.action.as_str(), &whose.1) {
            ("output", _) => said
                .entry(whose)
                .or_default()
                .push_str(&event.output.unwrap_or_default()),
            ("pass", Some(_)) => passed += 1,
            ("skip", Some(_)) => eprint!("{}", said.remove(&whose).unwrap_or_default()),
            ("fail", test) => {
                failed += usize::from(test.is_some());
                eprint!("{}", said.remove(&whose).unwrap_or_default());
            }
            _ => {}
        }
    }
    (passed, failed)
}

/// The version of the Go compiler, which decides what a build makes.
fn compiler() -> anyhow::Result<String> {
    let output = Command::new("go").arg("version").output().context(
        "cannot run `go`\nhelp: install Go 1.26 or later (https://go.dev/dl) and put it on your PATH",
    )?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Program {
    fn module(&self) -> PathBuf {
        cluster::root().join(self.module)
    }

    fn stamp(&self) -> PathBuf {
        binaries().join(format!("{}.fingerprint", self.name))
    }

    fn is_built(&self, fingerprint: &str) -> bool {
        binaries().join(self.name).is_file()
            && fs::read_to_string(self.stamp()).is_ok_and(|was| was == fingerprint)
    }

    fn build(&self, fingerprint: &str) -> anyhow::Result<()> {
        let build: &[&str] = match self.made_of {
            Sources::Main => &["build"],
            Sources::Tests => &["test", "-c"],
        };
        let output = Command::new("go")
            .args(build)
            .args(["-trimpath", "-buildvcs=false", "-ldflags"])
            .args([&self.linker_flags()?, "-o"])
            .arg(binaries().join(self.name))
            .arg(self.package)
            .current_dir(self.module())
            .env("CGO_ENABLED", "0")
            // Fewer collections: a fifth of the compile time for some memory.
            .env("GOGC", "400")
            .output()
            .context("cannot run `go`")?;
        if !output.status.success() {
            bail!(
                "`go {}` in `{}`: {}",
                build.join(" "),
                self.module,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        fs::write(self.stamp(), fingerprint)
            .with_context(|| format!("cannot write `{}`", self.stamp().display()))
    }

    /// Without symbols, and with the version of Kubernetes where the module has it.
    fn linker_flags(&self) -> anyhow::Result<String> {
        let mut flags = "-s -w".to_owned();
        let Some(version) = kubernetes_version(&fs::read_to_string(self.module().join("go.mod"))?) else {
            return Ok(flags);
        };
        let minor = version.split('.').nth(1).unwrap_or_default().to_owned();
        for package in STAMPED {
            for (variable, value) in [
                ("gitVersion", version.as_str()),
                ("gitMajor", "1"),
                ("gitMinor", &minor),
                ("gitCommit", "unknown"),
                ("gitTreeState", "clean"),
                ("buildDate", "1970-01-01T00:00:00Z"),
            ] {
                write!(flags, " -X {package}.{variable}={value}")?;
            }
        }
        Ok(flags)
    }

    /// Hash of everything that a build depends on.
    fn fingerprint(&self, compiler: &str) -> anyhow::Result<String> {
        let mut files = Vec::new();
        collect(&self.module(), self.made_of, &mut files)?;
        files.sort();
        let mut hash = Sha256::new();
        hash.update(compiler);
        hash.update(self.linker_flags()?);
        for file in files {
            hash.update(file.strip_prefix(self.module())?.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(Sha256::digest(
                fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?,
            ));
        }
        let mut text = String::new();
        for byte in hash.finalize() {
            write!(text, "{byte:02x}")?;
        }
        Ok(text)
    }
}

/// The files of a module that a program is made of, without the modules inside it.
fn collect(folder: &Path, made_of: Sources, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.join("go.mod").is_file() {
                collect(&path, made_of, files)?;
            }
            continue;
        }
        let is_test = path.to_string_lossy().ends_with("_test.go");
        if (!is_test || made_of == Sources::Tests) && path.extension().is_none_or(|e| e != "md") {
            files.push(path);
        }
    }
    Ok(())
}

/// The version of `k8s.io/kubernetes` that a go.mod requires.
fn kubernetes_version(go_mod: &str) -> Option<String> {
    let line = go_mod
        .lines()
        .find(|line| line.trim_start().starts_with("k8s.io/kubernetes v"))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_that_a_go_mod_requires() {
        let go_mod = "require (\n\tk8s.io/api v0.36.3\n\tk8s.io/kubernetes v1.36.3\n)\n";
        assert_eq!(kubernetes_version(go_mod).as_deref(), Some("v1.36.3"));
        assert_eq!(kubernetes_version("require k8s.io/kubectl v0.36.3\n"), None);
    }

    #[test]
    fn counts_the_tests_that_go_reports() {
        let lines = [
            r#"{"Action":"pass","Package":"p","Test":"A/one"}"#,
            r#"{"Action":"pass","Package":"p","Test":"A"}"#,
            r#"{"Action":"fail","Package":"p","Test":"B"}"#,
            r#"{"Action":"skip","Package":"p","Test":"C"}"#,
            r#"{"Action":"fail","Package":"p"}"#,
            "not JSON",
        ];
        assert_eq!(count(lines.into_iter().map(str::to_owned)), (2, 1));
    }

    #[test]
    fn a_fingerprint_is_of_what_a_program_is_made_of() {
        let folder = std::env::temp_dir().join(format!("xtask-fingerprint-{}", std::process::id()));
        for (file, text) in [
            ("go.mod", ""),
            ("a.go", ""),
            ("a_test.go", ""),
            ("in/go.mod", ""),
            ("in/b.go", ""),
        ] {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().expect("the file has a folder")).unwrap();
            fs::write(path, text).unwrap();
        }
        let collected = |made_of| {
            let mut files = Vec::new();
            collect(&folder, made_of, &mut files).unwrap();
            files.sort();
            files
        };
        let (main, tests) = (collected(Sources::Main), collected(Sources::Tests));
        fs::remove_dir_all(&folder).unwrap();
        let (source, go_mod) = (folder.join("a.go"), folder.join("go.mod"));
        assert_eq!(main, [source.clone(), go_mod.clone()]);
        assert_eq!(tests, [source, folder.join("a_test.go"), go_mod]);
    }
}
