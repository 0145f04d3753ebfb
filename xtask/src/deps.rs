//! The layer check: which crate of ours may depend on which, as ARCHITECTURE.md draws it.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

/// Every allowed edge. `tests` and `xtask` may use everything; everything else is listed here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("kubectl-keda-crds", &[]),
    ("kubectl-keda-engine", &["kubectl-keda-crds"]),
    ("kubectl-keda-rpc", &[]),
    ("kubectl-keda-scalers-derive", &[]),
    (
        "kubectl-keda-scalers",
        &[
            "kubectl-keda-crds",
            "kubectl-keda-engine",
            "kubectl-keda-rpc",
            "kubectl-keda-scalers-derive",
        ],
    ),
    (
        "kubectl-keda-controller",
        &[
            "kubectl-keda-crds",
            "kubectl-keda-engine",
            "kubectl-keda-rpc",
            "kubectl-keda-scalers",
        ],
    ),
    (
        "kubectl-keda-metrics-adapter",
        &["kubectl-keda-crds", "kubectl-keda-rpc"],
    ),
    (
        "kubectl-keda",
        &[
            "kubectl-keda-crds",
            "kubectl-keda-engine",
            "kubectl-keda-rpc",
            "kubectl-keda-scalers",
        ],
    ),
];

/// Crates that may never be reached from `engine`: it is pure.
const IMPURE: &[&str] = &["hyper", "kube-client", "rand", "reqwest", "tokio"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Compares every dependency between our crates with [`ALLOWED`].
pub(crate) fn check() -> anyhow::Result<()> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cannot run `cargo metadata`")?;
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` printed")?;
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in metadata
        .packages
        .iter()
        .filter(|p| metadata.workspace_members.contains(&p.id))
    {
        let Some(edges) = allowed.get(package.name.as_str()) else {
            continue;
        };
        for dependency in &package.dependencies {
            let normal = dependency.kind.is_none();
            let ours = dependency.name.starts_with("kubectl-keda");
            if normal && ours && !edges.contains(&dependency.name.as_str()) {
                wrong.push(format!("{} must not depend on {}", package.name, dependency.name));
            }
        }
    }
    wrong.extend(impurities()?);
    if !wrong.is_empty() {
        bail!(
            "{}\nhelp: ARCHITECTURE.md lists the allowed edges",
            wrong.join("\n")
        );
    }
    println!("deps: every edge is allowed");
    Ok(())
}

/// Crates with I/O, clocks or randomness that `engine` reaches through its dependencies.
fn impurities() -> anyhow::Result<Vec<String>> {
    let output = Command::new("cargo")
        .args([
            "tree",
            "--package",
            "kubectl-keda-engine",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .output()
        .context("cannot run `cargo tree`")?;
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let reached = |name: &&&str| tree.lines().any(|line| line.split(' ').next() == Some(**name));
    Ok(IMPURE
        .iter()
        .filter(reached)
        .map(|name| format!("engine must not reach {name}"))
        .collect())
}
