//! `cargo xtask cluster`: a real Kubernetes on this machine, and the same for the demo.
//!
//! All of the logic is the Go binary's (`tests/cluster`); this builds it, installs what it needs, and passes on what it
//! says.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use crate::steps::Steps;
use crate::{go, packages};

/// Name of the demo's bed.
const DEMO: &str = "demo";

/// Arguments of `cargo xtask cluster`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ClusterArgs {
    #[command(subcommand)]
    verb: Verb,
}

/// What follows a verb goes to the test bed as it is: `cargo xtask cluster up --help` lists it.
#[derive(Clone, Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Verb {
    /// Builds and starts a bed, with a real node where this machine can run one.
    #[command(disable_help_flag = true)]
    Up(Rest),
    /// Stops a bed and leaves nothing of it but logs.
    #[command(disable_help_flag = true)]
    Down(Rest),
    /// Shows what runs in a bed.
    #[command(disable_help_flag = true)]
    Status(Rest),
    /// Prints the path of the administrator's kubeconfig, or writes one for somebody else.
    #[command(disable_help_flag = true)]
    Kubeconfig(Rest),
    /// Runs kubectl of the bed's version as the administrator; a `--name NAME` before kubectl's own arguments picks the
    /// bed.
    #[command(disable_help_flag = true)]
    Kubectl(Rest),
    /// Stops, starts, restarts or kills one component: `component restart kube-apiserver`.
    #[command(disable_help_flag = true)]
    Component(Rest),
    /// Imports image archives into the real node.
    #[command(disable_help_flag = true)]
    ImageLoad(Rest),
}

/// Arguments that are not read here.
#[derive(Args, Clone, Debug)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// Runs one verb; the exit code is the test bed's.
pub(crate) fn run(args: &ClusterArgs) -> anyhow::Result<ExitCode> {
    let (verb, rest) = match &args.verb {
        Verb::Up(rest) => return up(&rest.arguments),
        Verb::Kubectl(rest) => return kubectl(&rest.arguments),
        Verb::Component(rest) => return pass(&rest.arguments),
        Verb::Down(rest) => ("down", rest),
        Verb::Status(rest) => ("status", rest),
        Verb::Kubeconfig(rest) => ("kubeconfig", rest),
        Verb::ImageLoad(rest) => ("image-load", rest),
    };
    pass(&[&[verb.to_owned()], rest.arguments.as_slice()].concat())
}

/// Top folder of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in a folder of the repository")
}

/// Folder of what Cargo builds, by its variable or its default place.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn up(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let steps = Steps::new();
    let real = !arguments.iter().any(|argument| argument == "--real-node=no");
    if real {
        steps.run("Debian packages", packages::install_for_node)?;
    }
    go::build_bed(&steps)?;
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        return pass(&["up".to_owned(), "--help".to_owned()]);
    }
    let mut all = arguments.to_vec();
    if !arguments
        .iter()
        .any(|argument| argument.starts_with("--real-node"))
    {
        all.push("--real-node=try".to_owned());
    }
    let state = start(&all)?;
    println!(
        "Kubernetes {} is up in {}",
        state.kubernetes_version,
        state.dir.display()
    );
    match (&state.real_node, &state.real_node_off) {
        (Some(node), _) => println!("real node {}: pods in {}", node.name, node.pod_cidr),
        (None, Some(why)) => println!("no real node, only simulated ones: {why}"),
        (None, None) => {}
    }
    println!("\nexport KUBECONFIG={}", state.kubeconfig.display());
    Ok(ExitCode::SUCCESS)
}

fn kubectl(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let (name, rest) = match arguments {
        [flag, name, rest @ ..] if flag == "--name" => (name.as_str(), rest),
        rest => ("default", rest),
    };
    let bed = Bed::find(name)?;
    let status = bed.kubectl().args(rest).status().context("cannot run kubectl")?;
    Ok(exit_code(status))
}

/// Runs the test bed with its output on this terminal.
fn pass(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let status = testbed()?
        .args(arguments)
        .status()
        .context("cannot run the test bed")?;
    Ok(exit_code(status))
}

fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}

fn testbed() -> anyhow::Result<Command> {
    let path = go::binaries().join("kube-testbed");
    if !path.is_file() {
        bail!("the test bed is not built\nhelp: `cargo xtask cluster up` builds and starts it");
    }
    Ok(Command::new(path))
}

/// What the test bed says of a bed that is up.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    name: String,
    dir: PathBuf,
    kubernetes_version: String,
    kubeconfig: PathBuf,
    real_node: Option<RealNode>,
    real_node_off: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RealNode {
    name: String,
    #[serde(rename = "podCIDR")]
    pod_cidr: String,
}

/// Starts a bed, showing each step as it is reached.
fn start(arguments: &[String]) -> anyhow::Result<State> {
    let mut child = testbed()?
        .arg("up")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run the test bed")?;
    let said = show_steps(child.stderr.take().context("the test bed has no stderr")?);
    let mut text = String::new();
    child
        .stdout
        .take()
        .context("the test bed has no stdout")?
        .read_to_string(&mut text)?;
    let status = child.wait().context("cannot wait for the test bed")?;
    if !status.success() {
        bail!("the test bed did not come up: {}", said.trim());
    }
    serde_json::from_str(&text).context("cannot read what the test bed printed")
}

/// Shows lines as steps of one spinner, and returns them for the case that the last of them is an error.
fn show_steps(lines: impl Read) -> String {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let style = ProgressStyle::with_template("{spinner} test bed: {msg} [{elapsed}]")
        .expect("the template is a constant that parses");
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    let mut said = String::new();
    for line in BufReader::new(lines).lines().map_while(Result::ok) {
        said.push_str(&line);
        said.push('\n');
        bar.set_message(line);
    }
    bar.finish_and_clear();
    said
}

/// A bed that is up. It stays up when this is dropped: only [`Bed::down`] ends it.
#[derive(Clone, Debug)]
pub(crate) struct Bed {
    state: State,
}

impl Bed {
    /// Starts a bed. The arguments are those of `kube-testbed up`.
    pub(crate) fn up(name: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut all = vec!["--name".to_owned(), name.to_owned()];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        Ok(Self { state: start(&all)? })
    }

    /// Starts a bed with a real node. One that an earlier run left under this name is taken down first.
    pub(crate) fn up_anew(name: &str) -> anyhow::Result<Self> {
        if let Ok(left) = Self::find(name) {
            left.down()?;
        }
        Self::up(name, &["--real-node=require"])
    }

    /// Starts the demo's bed.
    pub(crate) fn up_for_demo() -> anyhow::Result<Self> {
        Self::up_anew(DEMO)
    }

    /// The bed of this name, which must be up.
    pub(crate) fn find(name: &str) -> anyhow::Result<Self> {
        let output = testbed()?
            .args(["status", "--output", "json", "--name", name])
            .output()?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let state =
            serde_json::from_slice(&output.stdout).context("cannot read what the test bed printed")?;
        Ok(Self { state })
    }

    /// Its name, as `--name` takes it.
    pub(crate) fn name(&self) -> &str {
        &self.state.name
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.state.kubeconfig
    }

    /// A kubectl command line that reaches the bed as its administrator.
    pub(crate) fn kubectl(&self) -> Command {
        let mut command = Command::new(go::binaries().join("kube-testbed"));
        command.arg("kubectl").env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// Imports an image archive into the real node.
    pub(crate) fn load_image(&self, archive: &Path) -> anyhow::Result<()> {
        self.ask("image-load", &[archive.as_os_str()])
    }

    /// Stops the bed.
    pub(crate) fn down(self) -> anyhow::Result<()> {
        self.ask("down", &[])
    }

    fn ask(&self, verb: &str, arguments: &[&std::ffi::OsStr]) -> anyhow::Result<()> {
        let output = testbed()?
            .arg(verb)
            .args(arguments)
            .arg("--dir")
            .arg(&self.state.dir)
            .output()?;
        if !output.status.success() {
            bail!(
                "{}: {}",
                self.state.name,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }
}

/// Builds an image from a Containerfile and writes it to an OCI archive. It takes the built test bed, but no running one.
pub(crate) fn build_image(
    context: &Path,
    containerfile: &Path,
    tag: &str,
    archive: &Path,
) -> anyhow::Result<()> {
    let output = testbed()?
        .args(["image-build", "--tag", tag, "--context"])
        .arg(context)
        .arg("--file")
        .arg(containerfile)
        .arg("--out")
        .arg(archive)
        .output()?;
    if !output.status.success() {
        bail!(
            "cannot build `{tag}`: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
