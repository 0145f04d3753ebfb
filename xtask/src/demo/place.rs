//! Where the demo runs: a test bed of its own, or a cluster of the user's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use super::{DemoArgs, scenario};
use crate::cluster::{self, Bed};
use crate::images::{self, Image};
use crate::steps::Steps;
use crate::{go, packages, test};

/// A cluster, and how to reach it.
pub(crate) struct Place {
    bed: Option<Bed>,
    context: Option<String>,
    images: Vec<Image>,
    cli: PathBuf,
    /// The demo installed kubectl-keda here, so the demo removes it.
    ours: bool,
}

impl Place {
    /// Builds everything and, without `--context`, starts the test bed.
    pub(crate) fn prepare(args: &DemoArgs, steps: &Steps) -> anyhow::Result<Self> {
        let own = args.context.is_none();
        steps.run("Debian packages", || {
            if own {
                packages::install_for_node()?;
            }
            packages::install_for_images()
        })?;
        // The test bed's binary also builds the images, so a cluster of the user's needs it, too.
        let programs = std::thread::spawn(|| go::build_bed(&Steps::new()));
        if !args.built {
            steps.run(
                "build kubectl-keda, controller, adapter and worker",
                images::binaries,
            )?;
        }
        programs
            .join()
            .map_err(|_| anyhow::anyhow!("the build of the test bed panicked"))??;
        let images = steps.run("build the images", || {
            images::build(&test::binaries(), registry(args))
        })?;
        let cli = test::binaries().join("kubectl-keda");
        let mut place = Self {
            bed: None,
            context: args.context.clone(),
            images,
            cli,
            ours: true,
        };
        if own {
            place.bed = Some(steps.run("start a real Kubernetes with a real node", Bed::up_for_demo)?);
            steps.run("load the images into the node", || place.load_images())?;
        } else {
            place.check_reachable()?;
            if args.registry.is_some() {
                steps.run("push the images", || {
                    place.images.iter().try_for_each(Image::push)
                })?;
            } else if !args.images_loaded {
                bail!(
                    "the cluster has no way to get the images\nhelp: give `--registry HOST/PATH` that the cluster \
                     pulls from, or load `target/images/*.tar` into it and give `--images-loaded`"
                );
            }
            place.ours = !place.installed();
        }
        Ok(place)
    }

    /// A kubectl command line that reaches this cluster.
    pub(crate) fn kubectl(&self) -> Command {
        let mut command = match &self.bed {
            Some(bed) => bed.kubectl(),
            None => Command::new("kubectl"),
        };
        if let Some(context) = &self.context {
            command.args(["--context", context]);
        }
        command
    }

    /// Runs kubectl; its output is shown only when it fails.
    pub(crate) fn run(&self, args: &[&str]) -> anyhow::Result<()> {
        let output = self.kubectl().args(args).output().context("cannot run kubectl")?;
        if !output.status.success() {
            bail!(
                "`kubectl {}`: {}",
                args.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }

    /// Applies one object.
    pub(crate) fn apply(&self, object: &Value) -> anyhow::Result<()> {
        self.send(&["apply", "--filename", "-"], object)
    }

    /// Creates one object, whose name the API server may make.
    pub(crate) fn create(&self, object: &Value) -> anyhow::Result<()> {
        self.send(&["create", "--filename", "-"], object)
    }

    /// Full reference of one of our images.
    pub(crate) fn image(&self, name: &str) -> &str {
        self.images
            .iter()
            .find(|image| image.name == name)
            .map_or("", |image| image.reference.as_str())
    }

    /// `kubectl keda install --wait`, its progress on this terminal. An installation that is there already is the user's
    /// and is used as it is.
    pub(crate) fn install(&self) -> anyhow::Result<()> {
        if !self.ours {
            eprintln!("the cluster has an installation already, which is used as it is");
            return Ok(());
        }
        let mut command = self.keda();
        command.args([
            "install",
            "--wait",
            "--timeout",
            "300s",
            "--image-tag",
            images::TAG,
        ]);
        command.args([
            "--registry",
            self.registry(),
            "--image-pull-policy",
            "IfNotPresent",
        ]);
        let status = command
            .stdout(Stdio::null())
            .status()
            .context("cannot run kubectl-keda")?;
        if !status.success() {
            bail!("`kubectl keda install --wait` ended with {status}");
        }
        Ok(())
    }

    /// `kubectl keda status -w` on this terminal, until dropped.
    pub(crate) fn live_status(&self) -> anyhow::Result<Live> {
        let mut command = self.keda();
        command.args(["status", "--watch", "--namespace", scenario::NAMESPACE]);
        Ok(Live(command.spawn().context("cannot run kubectl-keda")?))
    }

    /// Removes what the demo made.
    pub(crate) fn leave(mut self) -> anyhow::Result<()> {
        if let Some(bed) = self.bed.take() {
            return bed.down();
        }
        let delete = ["delete", "namespace", scenario::NAMESPACE, "--ignore-not-found"];
        if self.ours {
            // No namespace goes away while an APIService is dead, and a demo that failed may leave one: the wait comes
            // after the uninstallation.
            self.run(&[&delete[..], &["--wait=false"]].concat())?;
            let status = self
                .keda()
                .args(["uninstall", "--yes"])
                .status()
                .context("cannot run kubectl-keda")?;
            if !status.success() {
                bail!("`kubectl keda uninstall` ended with {status}");
            }
        }
        self.run(&[&delete[..], &["--timeout=120s"]].concat())
    }

    /// What to look at after a failure, with what the cluster says.
    pub(crate) fn describe_failure(&self, error: &anyhow::Error) -> String {
        let mut text = format!("× {error:#}\n");
        let status = self.keda().args(["status", "--all-namespaces"]).output();
        let pods = self
            .kubectl()
            .args(["get", "pods", "--all-namespaces", "--output", "wide"])
            .output();
        for (what, output) in [("kubectl keda status -A", status), ("kubectl get pods -A", pods)] {
            if let Ok(output) = output {
                let _ = write!(text, "\n{what}:\n{}", String::from_utf8_lossy(&output.stdout));
            }
        }
        text
    }

    /// Commands to try on the cluster that stays up, and those that end it.
    pub(crate) fn what_next(&self) -> String {
        // Behind the command: kubectl takes no flag before a plugin's name.
        let context = match &self.context {
            Some(context) => format!(" --context {context}"),
            None => String::new(),
        };
        let namespace = scenario::NAMESPACE;
        let mut commands = vec![format!("export PATH={}:$PATH", shown(&test::binaries()))];
        commands.extend(
            self.bed
                .iter()
                .map(|bed| format!("export KUBECONFIG={}", bed.kubeconfig().display())),
        );
        commands.extend([
            format!("kubectl keda status --all-namespaces{context}"),
            format!("kubectl keda explain so/worker --namespace {namespace}{context}"),
            format!("kubectl annotate scaledobject/worker autoscaling.keda.sh/paused=true --namespace {namespace}{context}"),
        ]);
        if let Some(bed) = &self.bed {
            commands.push(format!("cargo xtask cluster down --name {}", bed.name()));
        } else {
            commands.push(format!("kubectl delete namespace {namespace}{context}"));
        }
        if self.bed.is_none() && self.ours {
            commands.push(format!("kubectl keda uninstall{context}"));
        }
        format!("\nIt stays up. Try next:\n\n{}\n", commands.join("\n"))
    }

    fn keda(&self) -> Command {
        let mut command = Command::new(&self.cli);
        if let Some(bed) = &self.bed {
            command.env("KUBECONFIG", bed.kubeconfig());
        }
        if let Some(context) = &self.context {
            command.args(["--context", context]);
        }
        command
    }

    fn send(&self, args: &[&str], object: &Value) -> anyhow::Result<()> {
        let mut child = self
            .kubectl()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run kubectl")?;
        let input = child.stdin.take().context("kubectl has no input")?;
        serde_json::to_writer(input, object).context("cannot write to kubectl")?;
        let output = child.wait_with_output().context("cannot wait for kubectl")?;
        if !output.status.success() {
            bail!(
                "{} {}: {}",
                args[0],
                object["kind"],
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }

    fn load_images(&self) -> anyhow::Result<()> {
        let bed = self.bed.as_ref().context("there is no bed to load into")?;
        self.images
            .iter()
            .try_for_each(|image| bed.load_image(&image.archive))
    }

    fn registry(&self) -> &str {
        let controller = self.image("controller");
        controller.rsplit_once('/').map_or("", |(registry, _)| registry)
    }

    fn installed(&self) -> bool {
        self.run(&["get", "deployment/keda-operator", "--namespace", "keda"])
            .is_ok()
    }

    fn check_reachable(&self) -> anyhow::Result<()> {
        self.run(&["version"])
            .context("the cluster does not answer\nhelp: check `--context` with `kubectl version`")
    }
}

fn registry(args: &DemoArgs) -> &str {
    args.registry.as_deref().unwrap_or(images::LOCAL_REGISTRY)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(cluster::root()).map_or_else(
        |_| path.display().to_string(),
        |p| format!("$PWD/{}", p.display()),
    )
}

/// A child that shows something until it is dropped.
pub(crate) struct Live(Child);

impl Drop for Live {
    fn drop(&mut self) {
        // One that ended by itself is as good as one ended here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
