//! Child processes that end with us: by their guard, at the end of the run, or by the kernel when we die.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::wait::wait_for;

/// How long a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);

/// How to start a process.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What it is called in messages, and the name of its log file.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables set on top of our environment.
    pub env: BTreeMap<String, String>,
    /// The folder its log goes to.
    pub logs: PathBuf,
}

impl Launch {
    /// A launch without arguments.
    pub fn new(name: &str, program: impl Into<PathBuf>, logs: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            logs: logs.to_owned(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.insert(key.to_owned(), value.into());
        self
    }

    /// Starts the process.
    pub fn start(self) -> Result<Process> {
        std::fs::create_dir_all(&self.logs)?;
        let log = self.logs.join(format!("{}.log", self.name));
        let out = File::options().create(true).append(true).open(&log)?;
        // Signals of the parent's death follow the thread that forked: one thread that never ends does all forks.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .args(&self.args)
            .envs(&self.env);
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = fork(command).with_context(|| format!("cannot start {}", self.name))?;
        let pid = child.id();
        let child = Arc::new(Mutex::new(child));
        lock(&RUNNING).push((pid, Arc::clone(&child)));
        Ok(Process {
            launch: self,
            log,
            pid,
            child,
        })
    }

    /// Runs the process to its end and returns its status with all it wrote.
    pub async fn run(self, deadline: Duration) -> Result<(ExitStatus, String)> {
        let from = std::fs::metadata(self.logs.join(format!("{}.log", self.name))).map_or(0, |m| m.len());
        let process = self.start()?;
        let status = process.exited(deadline).await?;
        Ok((status, process.log_from(from)?))
    }
}

/// A running child. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    log: PathBuf,
    pid: u32,
    child: Arc<Mutex<Child>>,
}

impl Process {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The file both output streams go to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it was started, to start another.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        lock(&self.child).try_wait().ok().flatten()
    }

    /// Ends the process with SIGKILL, as a crash would.
    pub fn kill(&self) {
        kill(&self.child);
    }

    /// Stops the process and its children where they are, until the guard is dropped: they keep their connections, take new
    /// ones, and answer nobody.
    pub fn freeze(&self) -> Result<Frozen> {
        let frozen = Frozen(self.pid);
        // Whoever is stopped makes no more children.
        signal(self.pid, "STOP")?;
        for child in descendants(self.pid)? {
            // It may have ended meanwhile, which is as quiet.
            let _ = signal(child, "STOP");
        }
        Ok(frozen)
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn terminate(&self) -> Result<ExitStatus> {
        signal(self.pid, "TERM")?;
        self.exited(GRACE).await
    }

    /// Waits for the process to end by itself.
    pub async fn exited(&self, deadline: Duration) -> Result<ExitStatus> {
        wait_for(format!("the end of {}", self.launch.name), deadline, || async {
            self.status()
                .ok_or_else(|| format!("it runs; its log ends with\n{}", self.log_tail(20)))
        })
        .await
    }

    /// The last lines it wrote.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// Everything it wrote after an offset.
    pub fn log_from(&self, offset: u64) -> Result<String> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// An error that shows the log when the process has ended.
    pub fn check_alive(&self) -> Result<()> {
        if let Some(status) = self.status() {
            bail!(
                "{} ended ({status}); its log ends with\n{}",
                self.launch.name,
                self.log_tail(30)
            );
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        kill(&self.child);
        lock(&RUNNING).retain(|(pid, _)| *pid != self.pid);
    }
}

/// A process that is stopped with its children. Dropping it lets them go on: children that stay stopped would outlive a
/// parent that is killed.
#[derive(Debug)]
#[must_use = "the process goes on when this is dropped"]
pub struct Frozen(u32);

impl Drop for Frozen {
    fn drop(&mut self) {
        let children = descendants(self.0).unwrap_or_default();
        for pid in children.into_iter().chain([self.0]) {
            // One that has ended needs no signal.
            let _ = signal(pid, "CONT");
        }
    }
}

/// Ends every child that still runs, the last started first.
pub fn end_all() {
    let children: Vec<_> = lock(&RUNNING).drain(..).collect();
    for (_, child) in children.iter().rev() {
        kill(child);
    }
}

/// The last lines of a file, or why there are none.
pub fn tail(path: &Path, lines: usize) -> String {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("{}: {error}", path.display()),
    }
}

/// Sends a signal by name. The shell's builtin is the one way that every machine has.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{name} {pid}"))
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("no process {pid} to send SIG{name}");
    }
    Ok(())
}

/// The children of a process, their children, and so on. A server may give each a session of its own, so that no signal to a
/// group reaches them all.
fn descendants(pid: u32) -> Result<Vec<u32>> {
    let mut parents: BTreeMap<u32, u32> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(pid) = path.file_name().and_then(|n| n.to_str()?.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else {
            continue;
        };
        // Its name stands between parentheses and may hold any; state and parent follow.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if let Some(parent) = rest.split_whitespace().nth(1).and_then(|text| text.parse().ok()) {
            parents.insert(pid, parent);
        }
    }
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = parents.iter().filter(|&(_, of)| *of == parent);
        found.extend(children.map(|(child, _)| *child));
        next += 1;
    }
    found.remove(0);
    Ok(found)
}

/// Whether an executable of this name is on the path.
pub fn installed(program: &str) -> bool {
    let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(sbin)
        .any(|dir| dir.join(program).is_file())
}

/// A child by its process id.
type Running = (u32, Arc<Mutex<Child>>);

static RUNNING: LazyLock<Mutex<Vec<Running>>> = LazyLock::new(Mutex::default);

type Fork = (Command, Sender<std::io::Result<Child>>);

static FORKS: LazyLock<Sender<Fork>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Fork>();
    std::thread::spawn(move || {
        for (mut command, answer) in receiver {
            // The asker waits for the answer; it can only be gone if its thread panicked.
            let _ = answer.send(command.spawn());
        }
    });
    sender
});

fn fork(command: Command) -> Result<Child> {
    let (sender, receiver) = channel();
    FORKS
        .send((command, sender))
        .ok()
        .context("the forking thread has ended")?;
    Ok(receiver.recv()??)
}

fn kill(child: &Mutex<Child>) {
    let mut child = lock(child);
    // Both fail only for a process that has already been waited for.
    let _ = child.kill();
    let _ = child.wait();
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
