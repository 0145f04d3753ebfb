//! A control plane with simulated nodes, from `tests/cluster`: etcd, kube-apiserver, the real HPA controller, scheduler
//! and kwok. One is shared by all cases of a run; cases that break things start their own.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::cluster::Cluster;
use crate::process::Launch;
use crate::target_dir;

/// Long enough for a machine that builds something else meanwhile.
const START: Duration = Duration::from_mins(3);

/// What the bed says of itself in `state.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Where the API server listens.
    pub server: String,
    /// A kubeconfig of a cluster administrator.
    pub kubeconfig: PathBuf,
    /// The CA of everything that serves in the bed.
    pub ca: PathBuf,
    /// Where an `EndpointSlice` must point to reach a process on this host.
    #[serde(default)]
    pub host_address: String,
    /// The node that runs containers, if the bed has one.
    pub real_node: Option<RealNode>,
}

/// What the bed says of its real node.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealNode {
    /// Its name.
    pub name: String,
    /// Where its pods reach processes of this host.
    pub host_address: String,
}

/// A running control plane. Dropping it takes it down.
pub struct Bed {
    dir: PathBuf,
    state: State,
    cluster: Cluster,
    _guard: Guard,
}

static SHARED: OnceCell<Bed> = OnceCell::const_new();

impl Bed {
    /// The bed of this run, started by whoever asks first.
    pub async fn shared() -> Result<&'static Self> {
        SHARED.get_or_try_init(|| Self::start("shared", &[])).await
    }

    /// The shared bed if some case has started it.
    pub fn started() -> Option<&'static Self> {
        SHARED.get()
    }

    /// Starts a bed of one's own.
    pub async fn start(name: &str, extra: &[&str]) -> Result<Self> {
        let dir = beds_dir()?.join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        // Taking a bed down empties its own folder: what cases add lies beside it.
        let own = dir.join("bed");
        let own_text = own.to_str().context("the target folder has a UTF-8 name")?;
        let guard = Guard::new(&dir)?;
        let up = Launch::new("up", binary()?, &dir)
            .args(["up", "--dir", own_text, "--sync-period", "1s"])
            .args(extra.iter().copied());
        let (status, output) = up.run(START).await?;
        if !status.success() {
            bail!("the bed {name} did not come up ({status}):\n{output}");
        }
        let state: State = serde_json::from_slice(&std::fs::read(own.join("state.json"))?)?;
        let cluster = Cluster::connect(&state.kubeconfig).await?;
        Ok(Self {
            dir,
            state,
            cluster,
            _guard: guard,
        })
    }

    /// A client with all rights.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Addresses and files of the bed.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The kubeconfig with all rights.
    pub fn kubeconfig(&self) -> &Path {
        &self.state.kubeconfig
    }

    /// The folder of this bed; cases may add to it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs kubectl of the bed's version as the administrator.
    pub fn kubectl(&self, args: &[&str]) -> Result<Output> {
        let output = Command::new(binary()?)
            .arg("kubectl")
            .args(args)
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null())
            .output()?;
        Ok(output)
    }

    /// Writes a kubeconfig for somebody with fewer rights; `who` is as `kube-testbed kubeconfig` takes it.
    pub fn kubeconfig_for(&self, who: &[&str], file: &Path) -> Result<()> {
        let output = Command::new(binary()?)
            .arg("kubeconfig")
            .args(who)
            .arg("--out")
            .arg(file)
            .arg("--dir")
            .arg(self.dir.join("bed"))
            .output()?;
        if !output.status.success() {
            bail!(
                "no kubeconfig for {who:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// Stops, starts, restarts or kills one component, such as `kube-apiserver`.
    pub fn component(&self, verb: &str, component: &str) -> Result<()> {
        let output = Command::new(binary()?)
            .arg(verb)
            .arg(component)
            .arg("--dir")
            .arg(self.dir.join("bed"))
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!(
                "cannot {verb} {component}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }
}

/// Takes every bed of this process down; nothing but the end of the run may follow.
pub fn end_all() {
    for guard in std::mem::take(&mut *lock(&GUARDS)) {
        take_down(&guard);
    }
}

/// Takes a bed down when it is dropped, and also when this process dies without dropping anything: a shell waits for the
/// end of a pipe that only this process holds open.
struct Guard(Shell);

/// The shell that takes one bed down; none once it has.
type Shell = Arc<Mutex<Option<Child>>>;

static GUARDS: LazyLock<Mutex<Vec<Shell>>> = LazyLock::new(Mutex::default);

impl Guard {
    fn new(dir: &Path) -> Result<Self> {
        let shell = Command::new("sh")
            .args([
                "-c",
                r#"cat >/dev/null; exec "$0" down --dir "$1/bed" >"$1/down.log" 2>&1"#,
            ])
            .arg(binary()?)
            .arg(dir)
            // Not in our process group: an interrupt at the terminal is for us.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let guard = Arc::new(Mutex::new(Some(shell)));
        lock(&GUARDS).push(Arc::clone(&guard));
        Ok(Self(guard))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        take_down(&self.0);
    }
}

fn take_down(guard: &Mutex<Option<Child>>) {
    if let Some(mut shell) = lock(guard).take() {
        drop(shell.stdin.take());
        // Its log says what could not be taken down; the end of a run has nobody left to tell.
        let _ = shell.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The multi-call binary of `tests/cluster`.
pub fn binary() -> Result<PathBuf> {
    let path = std::env::var_os("KEDA_TESTBED_BIN").map_or_else(
        || target_dir().join("testbed").join("bin").join("kube-testbed"),
        PathBuf::from,
    );
    if !path.is_file() {
        bail!(
            "{} is not built (`cargo xtask cluster up` builds it; KEDA_TESTBED_BIN names another)",
            path.display()
        );
    }
    Ok(path)
}

/// The folder that holds the beds of test runs, without those that earlier runs left behind.
fn beds_dir() -> Result<PathBuf> {
    let dir = target_dir().join("testbed").join("t");
    std::fs::create_dir_all(&dir)?;
    for entry in std::fs::read_dir(&dir)? {
        let path = entry?.path();
        let pid = path
            .file_name()
            .and_then(|n| n.to_str())
            .and_then(|n| n.rsplit_once('-'))
            .map(|(_, pid)| pid);
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another run may be removing the same leftovers.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    Ok(dir.canonicalize()?)
}
