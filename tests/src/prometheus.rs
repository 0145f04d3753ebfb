//! Debian's Prometheus on loopback. It scrapes nothing: PromQL has constants of its own, which are exact, and a past that is
//! given to it is exact too.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::free_port;
use crate::pki::Pair;
use crate::process::{Launch, Process, installed};
use crate::wait::wait_for;

const START: Duration = Duration::from_mins(1);

/// The user that a guarded server knows.
pub const USER: &str = "alice";
/// That user's password.
pub const PASSWORD: &str = "a-password-that-no-message-may-show";
/// The same password as the server keeps it, at bcrypt's lowest cost.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuukjsz7vVyd6W90c3edaYi2CyPMLJ/i0a";

/// How a server wants to be spoken to.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Whether only [`USER`] may ask.
    pub guarded: bool,
    /// The certificate of the server.
    pub tls: Option<Pair>,
}

/// One server process.
pub struct Prometheus {
    process: Process,
    port: u16,
    tls: bool,
}

/// Fails with the reason when Prometheus is not installed.
pub fn available() -> Result<()> {
    for program in ["prometheus", "promtool"] {
        if !installed(program) {
            bail!("{program} is not installed (Debian: prometheus)");
        }
    }
    Ok(())
}

impl Prometheus {
    /// Starts a server and waits until it answers.
    pub async fn start(dir: &Path, access: &Access) -> Result<Self> {
        Self::start_with_past(dir, access, None).await
    }

    /// Starts a server that has seen these samples, which are OpenMetrics text with a time each.
    pub async fn start_with_past(dir: &Path, access: &Access, past: Option<&str>) -> Result<Self> {
        let port = free_port();
        let data = dir.join(format!("prometheus-{port}"));
        std::fs::create_dir_all(&data)?;
        if let Some(past) = past {
            fill(&data, past)?;
        }
        let config = data.join("prometheus.yml");
        std::fs::write(&config, "global: {}\n")?;
        let web = data.join("web.yml");
        std::fs::write(&web, settings(access))?;
        let flag = |name: &str, file: PathBuf| format!("--{name}={}", file.display());
        let process = Launch::new("prometheus", "prometheus", &data)
            .args([
                flag("config.file", config),
                flag("web.config.file", web),
                flag("storage.tsdb.path", data.join("data")),
                format!("--web.listen-address=127.0.0.1:{port}"),
            ])
            .start()?;
        let server = Self {
            process,
            port,
            tls: access.tls.is_some(),
        };
        server.ready().await?;
        Ok(server)
    }

    async fn ready(&self) -> Result<()> {
        wait_for(format!("prometheus on {}", self.port), START, || async {
            self.process.check_alive().map_err(|e| format!("{e:#}"))?;
            if self
                .process
                .log_tail(200)
                .contains("Server is ready to receive web requests")
            {
                return Ok(());
            }
            Err(self.process.log_tail(5))
        })
        .await
    }

    /// `SCHEME://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Ends the server as a crash would.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again on the same port.
    pub async fn restart(&mut self) -> Result<()> {
        // It says that it is ready into the same log once more.
        std::fs::write(self.process.log(), "")?;
        self.process = self.process.launch().clone().start()?;
        self.ready().await
    }
}

/// Writes the blocks that a server finds when it starts.
fn fill(data: &Path, past: &str) -> Result<()> {
    let file = data.join("past.om");
    std::fs::write(&file, past)?;
    let mut promtool = Command::new("promtool");
    promtool.args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"]);
    let output = promtool.arg(&file).arg(data.join("data")).output();
    let output = output.context("promtool")?;
    if !output.status.success() {
        bail!("promtool: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn settings(access: &Access) -> String {
    let mut text = String::new();
    if access.guarded {
        let _ = writeln!(text, "basic_auth_users:\n  {USER}: {HASH}");
    }
    if let Some(pair) = &access.tls {
        let (crt, key) = (pair.crt_file.display(), pair.key_file.display());
        let _ = writeln!(text, "tls_server_config:\n  cert_file: {crt}\n  key_file: {key}");
    }
    text
}
