//! A cluster as a user has it, for the demo with `--context`: a bed with a real node that holds the images already. It is
//! reached by a kubectl on the path and by a context of a kubeconfig whose current context leads nowhere, so that
//! whatever forgets the context fails.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::cluster::{self, Bed};
use crate::go;
use crate::images::Image;

/// Name of the bed.
const NAME: &str = "foreign";
/// The context that leads to it.
pub(super) const CONTEXT: &str = "my-cluster";
/// Everything that an installation and a demo are made of.
const KINDS: &str = "apiservices,clusterrolebindings,clusterroles,configmaps,customresourcedefinitions,deployments,\
    horizontalpodautoscalers,jobs,namespaces,rolebindings,roles,secrets,serviceaccounts,services";

/// The cluster. It runs until [`Foreign::down`].
pub(super) struct Foreign {
    bed: Bed,
    folder: PathBuf,
    /// What was there before the first demo.
    before: BTreeSet<String>,
}

impl Foreign {
    /// Starts the cluster and loads the images into it, as its owner does.
    pub(super) fn start(images: &[Image]) -> anyhow::Result<Self> {
        let mut foreign = Self {
            bed: Bed::up_anew(NAME)?,
            folder: cluster::root().join("target/demo/foreign"),
            before: BTreeSet::new(),
        };
        let prepared = foreign.prepare(images);
        match prepared {
            Ok(()) => Ok(foreign),
            Err(error) => {
                foreign.bed.down()?;
                Err(error)
            }
        }
    }

    fn prepare(&mut self, images: &[Image]) -> anyhow::Result<()> {
        images
            .iter()
            .try_for_each(|image| self.bed.load_image(&image.archive))?;
        let bin = self.folder.join("bin");
        fs::create_dir_all(&bin)?;
        let kubectl = format!(
            "#!/bin/sh\nexec '{}' kubectl \"$@\"\n",
            go::binaries().join("kube-testbed").display()
        );
        write(&bin.join("kubectl"), &kubectl, 0o755)?;
        let kubeconfig = self.kubectl(&["config", "view", "--raw", "--output", "json"])?;
        let kubeconfig = beside_another(&kubeconfig)?.to_string();
        write(&self.kubeconfig(), &kubeconfig, 0o600)?;
        self.before = self.objects()?;
        Ok(())
    }

    /// A command whose kubeconfig and kubectl are those of the cluster's owner.
    pub(super) fn command(&self, program: &str) -> anyhow::Result<Command> {
        let before = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.folder.join("bin")).chain(std::env::split_paths(&before));
        let path: OsString = std::env::join_paths(path).context("a folder of the path has a colon")?;
        let mut command = Command::new(program);
        command.env("PATH", path).env("KUBECONFIG", self.kubeconfig());
        Ok(command)
    }

    /// Fails with what is there now and was not before the first demo.
    pub(super) fn check_clean(&self) -> anyhow::Result<()> {
        let now = self.objects()?;
        let left: Vec<&str> = now.difference(&self.before).map(String::as_str).collect();
        if !left.is_empty() {
            bail!("the demo left behind: {}", left.join(" "));
        }
        Ok(())
    }

    /// Stops the cluster.
    pub(super) fn down(self) -> anyhow::Result<()> {
        self.bed.down()?;
        fs::remove_dir_all(&self.folder).context("cannot remove the kubeconfig of the cluster")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    fn objects(&self) -> anyhow::Result<BTreeSet<String>> {
        let named = self.kubectl(&["get", KINDS, "--all-namespaces", "--output", "name"])?;
        Ok(named.lines().map(str::to_owned).collect())
    }

    fn kubectl(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self
            .bed
            .kubectl()
            .args(args)
            .output()
            .context("cannot run kubectl")?;
        if !output.status.success() {
            bail!(
                "`kubectl {}`: {}",
                args.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The kubeconfig with its one context under our name, beside a context of a cluster that does not answer, which is the
/// current one.
fn beside_another(kubeconfig: &str) -> anyhow::Result<Value> {
    let mut config: Value = serde_json::from_str(kubeconfig).context("cannot read the bed's kubeconfig")?;
    let mut of = |list: &str| config[list][0].take();
    let (mut context, theirs) = (of("contexts"), of("clusters"));
    context["name"] = CONTEXT.into();
    let elsewhere = json!({ "name": "elsewhere", "cluster": { "server": "https://127.0.0.1:1" } });
    let current = json!({ "name": "elsewhere", "context": { "cluster": "elsewhere", "user": "" } });
    config["contexts"] = json!([current, context]);
    config["clusters"] = json!([elsewhere, theirs]);
    config["current-context"] = "elsewhere".into();
    Ok(config)
}

fn write(file: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    fs::set_permissions(file, fs::Permissions::from_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_context_leads_elsewhere() {
        let config = json!({
            "contexts": [{ "name": "bed", "context": { "cluster": "bed", "user": "admin" } }],
            "clusters": [{ "name": "bed", "cluster": { "server": "https://10.0.0.1:6443" } }],
            "users": [{ "name": "admin", "user": { "token": "x" } }],
            "current-context": "bed",
        });
        let changed = beside_another(&config.to_string()).unwrap();
        assert_eq!(changed["current-context"], "elsewhere");
        assert_eq!(changed["contexts"][1]["name"], CONTEXT);
        assert_eq!(
            changed["contexts"][1]["context"],
            config["contexts"][0]["context"]
        );
        assert_eq!(changed["clusters"][1], config["clusters"][0]);
        assert_eq!(changed["users"], config["users"]);
    }
}
