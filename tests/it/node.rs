//! On a real node: controller and adapter run as pods of the images, workloads are real containers, and metrics-server
//! measures them. One bed for all cases; `cargo xtask test` builds the images and names them in the environment.

mod failover;
mod resources;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use harness::bed::{self, Bed};
use harness::keda;
use harness::tier::Tier;
use harness::wait::{look, wait_for};
use tokio::sync::{OnceCell, RwLock};

static NODE: OnceCell<Node> = OnceCell::const_new();

pub(crate) fn tier() -> Tier {
    Tier::new("node")
        .needs(bed::binary())
        .needs(keda::cli_bin())
        .needs(Images::find())
        .case("the_wait_names_an_image_that_is_not_there", wrong_tag)
        .case("a_second_install_changes_nothing", second_install)
        .case("explain_reaches_the_controller_through_the_port_forward", explain)
        .case("version_reaches_controller_and_adapter", version)
        .case("the_roles_for_debugging_are_enough_for_it", debugger)
        .case("cpu_load_scales_out_and_back", resources::cpu)
        .case("held_memory_scales_out_and_back", resources::memory)
        .case(
            "reads_follow_the_lease_from_leader_to_leader",
            failover::reads_follow,
        )
        .case(
            "a_controller_pod_killed_in_a_scale_up_ends_right",
            failover::controller_killed,
        )
        .case(
            "adapter_pods_killed_in_a_scale_up_end_right",
            failover::adapters_killed,
        )
}

/// The image archives, and how they are named.
struct Images {
    folder: PathBuf,
    registry: String,
    tag: String,
}

impl Images {
    fn find() -> Result<Self> {
        let read = |name: &str| {
            std::env::var(name)
                .with_context(|| format!("{name} is not set (`cargo xtask test --only node` sets it)"))
        };
        let folder = PathBuf::from(read("KEDA_IMAGES")?);
        Ok(Self {
            folder,
            registry: read("KEDA_IMAGE_REGISTRY")?,
            tag: read("KEDA_IMAGE_TAG")?,
        })
    }
}

/// A bed with a real node, and kubectl-keda installed in it as a user does.
struct Node {
    bed: Bed,
    images: Images,
    /// What the first installation said, whose tag names no image.
    wrong_tag: String,
    /// Held for writing while pods of the installation are killed, for reading by who asks them once.
    steady: RwLock<()>,
}

/// Exit code of `kubectl keda`, as its documentation gives it.
const NOT_PERMITTED: i32 = 5;
/// The controller may remember for a moment that somebody lacked a right.
const RIGHTS: Duration = Duration::from_mins(1);

/// Replicas of controller and adapter: one more than is needed, so that another can take over.
const REPLICAS: &str = "--replicas=2";

impl Node {
    /// The one of this run, made by whoever asks first.
    async fn shared() -> Result<&'static Self> {
        NODE.get_or_try_init(Self::start).await
    }

    async fn start() -> Result<Self> {
        let extra = ["--real-node=require", "--downscale-stabilization=5s"];
        let bed = Bed::start("node", &extra).await?;
        let images = Images::find()?;
        for name in ["controller", "metrics-adapter", "workload"] {
            load(&bed, &images.folder.join(format!("{name}.tar")))?;
        }
        let mut node = Self {
            bed,
            images,
            wrong_tag: String::new(),
            steady: RwLock::default(),
        };
        let missing = node.install(&["--image-tag=0.0.0-missing", "--wait", "--timeout=40s"])?;
        ensure!(
            !missing.status.success(),
            "an image that is not there was installed"
        );
        node.wrong_tag = String::from_utf8_lossy(&missing.stderr).into_owned();
        let tag = format!("--image-tag={}", node.images.tag);
        succeeded(&node.install(&[&tag, REPLICAS, "--wait", "--timeout=180s"])?)?;
        Ok(node)
    }

    /// `kubectl keda install` from the registry of the images, with more arguments.
    fn install(&self, args: &[&str]) -> Result<Output> {
        let registry = format!("--registry={}", self.images.registry);
        self.keda(&[&["install", registry.as_str()], args].concat())
    }

    /// Runs the command line as an administrator without a terminal does.
    fn keda(&self, args: &[&str]) -> Result<Output> {
        Self::keda_with(self.bed.kubeconfig(), args)
    }

    /// The same as whoever a kubeconfig is for.
    fn keda_with(kubeconfig: &Path, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(keda::cli_bin()?);
        command
            .args(args)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null());
        command.output().context("cannot run kubectl-keda")
    }

    /// The ledger of a ScaledObject, as `kubectl keda explain` gets it from the controller.
    fn ledger(&self, namespace: &str, name: &str) -> Result<Vec<serde_json::Value>> {
        let object = format!("so/{name}");
        let said = succeeded(&self.keda(&["explain", &object, "-n", namespace, "-o", "json"])?)?;
        let report: serde_json::Value = serde_json::from_str(&said)?;
        let records = report
            .pointer("/report/ledger")
            .and_then(serde_json::Value::as_array);
        Ok(records.with_context(|| format!("no ledger in {said}"))?.clone())
    }

    fn image(&self, name: &str) -> String {
        format!("{}/{name}:{}", self.images.registry, self.images.tag)
    }
}

/// Imports an archive into the real node.
fn load(bed: &Bed, archive: &std::path::Path) -> Result<()> {
    let output = Command::new(bed::binary()?)
        .arg("image-load")
        .arg(archive)
        .arg("--dir")
        .arg(bed.dir().join("bed"))
        .output()?;
    if !output.status.success() {
        bail!(
            "cannot load {}: {}",
            archive.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Standard output of a run that succeeded.
fn succeeded(output: &Output) -> Result<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    ensure!(
        output.status.success(),
        "ended with {}: {out}{err}",
        output.status
    );
    Ok(out)
}

async fn wrong_tag() -> Result<()> {
    let said = &Node::shared().await?.wrong_tag;
    ensure!(
        said.contains("ErrImagePull") || said.contains("ImagePullBackOff"),
        "the cause is not named: {said}"
    );
    ensure!(
        said.contains("controller:0.0.0-missing"),
        "the image is not named: {said}"
    );
    Ok(())
}

async fn second_install() -> Result<()> {
    let node = Node::shared().await?;
    let _steady = node.steady.read().await;
    let tag = format!("--image-tag={}", node.images.tag);
    let said = succeeded(&node.install(&[&tag, REPLICAS])?)?;
    ensure!(said.lines().all(|line| line.ends_with(" unchanged")), "{said}");
    Ok(())
}

async fn explain() -> Result<()> {
    let node = Node::shared().await?;
    let _steady = node.steady.read().await;
    resources::with_idle_object(node, async |namespace| {
        let ledger = node.ledger(namespace, "idle")?;
        ensure!(!ledger.is_empty(), "the ledger came back empty");
        Ok(())
    })
    .await
}

/// A user with the two roles that `install` makes for this, and with nothing else, misses nothing.
async fn debugger() -> Result<()> {
    let node = Node::shared().await?;
    let _steady = node.steady.read().await;
    resources::with_idle_object(node, async |namespace| {
        let kubeconfig = node.bed.dir().join("henry.kubeconfig");
        node.bed.kubeconfig_for(&["--user", "henry"], &kubeconfig)?;
        let explain = ["explain", "so/idle", "--namespace", namespace];
        let refused = Node::keda_with(&kubeconfig, &explain)?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(refused.status.code() == Some(NOT_PERMITTED), "{said}");
        let bind = |kind: &[&str], role: &str| {
            let args = [&["create"], kind, &["henry-debugs-keda", role, "--user=henry"]].concat();
            succeeded(&node.bed.kubectl(&args)?)
        };
        bind(&["clusterrolebinding"], "--clusterrole=keda-debugger")?;
        bind(&["rolebinding", "--namespace=keda"], "--role=keda-debugger")?;
        for args in [&explain[..], &["status", "--all-namespaces"], &["version"]] {
            // A right counts a moment after it was given.
            wait_for(format!("{args:?} to miss nothing"), RIGHTS, || async {
                let output = Node::keda_with(&kubeconfig, args).map_err(|e| format!("{e:#}"))?;
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                look(output.status.success() && said.is_empty(), || said)
            })
            .await?;
        }
        Ok(())
    })
    .await
}

async fn version() -> Result<()> {
    let node = Node::shared().await?;
    let _steady = node.steady.read().await;
    let output = node.keda(&["version"])?;
    let said = format!(
        "{}{}",
        succeeded(&output)?,
        String::from_utf8_lossy(&output.stderr)
    );
    for part in ["Controller Version", "Adapter Version"] {
        let line = said
            .lines()
            .find(|line| line.contains(part))
            .with_context(|| format!("no {part} in {said}"))?;
        ensure!(line.contains(env!("CARGO_PKG_VERSION")), "{line}");
    }
    Ok(())
}
