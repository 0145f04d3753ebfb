//! On a real node: controller and adapter run as pods of the images, workloads are real containers, and metrics-server
//! measures them. One bed for all cases; `cargo xtask test` builds the images and names them in the environment.

mod resources;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use harness::bed::{self, Bed};
use harness::keda;
use harness::tier::Tier;
use tokio::sync::OnceCell;

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
        .case("cpu_load_scales_out_and_back", resources::cpu)
        .case("held_memory_scales_out_and_back", resources::memory)
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
}

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
        };
        let missing = node.install(&["--image-tag=0.0.0-missing", "--wait", "--timeout=40s"])?;
        ensure!(
            !missing.status.success(),
            "an image that is not there was installed"
        );
        node.wrong_tag = String::from_utf8_lossy(&missing.stderr).into_owned();
        let tag = format!("--image-tag={}", node.images.tag);
        succeeded(&node.install(&[&tag, "--wait", "--timeout=180s"])?)?;
        Ok(node)
    }

    /// `kubectl keda install` from the registry of the images, with more arguments.
    fn install(&self, args: &[&str]) -> Result<Output> {
        let registry = format!("--registry={}", self.images.registry);
        self.keda(&[&["install", registry.as_str()], args].concat())
    }

    /// Runs the command line as a user without a terminal does.
    fn keda(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(keda::cli_bin()?);
        command
            .args(args)
            .env("KUBECONFIG", self.bed.kubeconfig())
            .stdin(Stdio::null());
        command.output().context("cannot run kubectl-keda")
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
    let said = succeeded(&node.install(&[&format!("--image-tag={}", node.images.tag)])?)?;
    ensure!(said.lines().all(|line| line.ends_with(" unchanged")), "{said}");
    Ok(())
}

async fn explain() -> Result<()> {
    let node = Node::shared().await?;
    resources::with_idle_object(node, async |namespace| {
        let args = ["explain", "so/idle", "--namespace", namespace, "--output", "json"];
        let said = succeeded(&node.keda(&args)?)?;
        let report: serde_json::Value = serde_json::from_str(&said)?;
        let records = report
            .pointer("/report/ledger")
            .or_else(|| report.pointer("/ledger"));
        let records = records
            .and_then(serde_json::Value::as_array)
            .with_context(|| format!("no ledger in {said}"))?;
        ensure!(!records.is_empty(), "the ledger came back empty: {said}");
        Ok(())
    })
    .await
}

async fn version() -> Result<()> {
    let node = Node::shared().await?;
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
