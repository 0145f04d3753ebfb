//! A command at a terminal of its own, which util-linux's `script` gives it: keys are typed once something is shown.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use crate::process::installed;
use crate::wait::{look, wait_for};

/// A bound for a command that shows nothing more, or does not end.
const LIMIT: Duration = Duration::from_mins(1);

/// The key that goes to the next line of a list.
pub const DOWN: &str = "\x1b[B";
/// The key that takes what is marked.
pub const ENTER: &str = "\r";

/// A running command. Dropping it hangs up.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<String>>,
}

/// Fails with the reason when there is no `script`.
pub fn available() -> Result<()> {
    if !installed("script") {
        bail!("script is not installed (Debian: bsdutils)");
    }
    Ok(())
}

impl Terminal {
    /// Runs a line of the shell. What it redirects does not go to the terminal.
    pub fn run(line: &str) -> Result<Self> {
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", line, "/dev/null"])
            .env("TERM", "xterm")
            .env("KUBECONFIG", "/nowhere")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("script")?;
        let keys = child.stdin.take().context("its input is a pipe")?;
        let mut output = child.stdout.take().context("its output is a pipe")?;
        let shown = Arc::new(Mutex::new(String::new()));
        let screen = Arc::clone(&shown);
        tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes).await {
                let text = String::from_utf8_lossy(&bytes[..count]);
                screen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&text);
            }
        });
        Ok(Self { child, keys, shown })
    }

    /// Waits until a text was shown.
    pub async fn shows(&self, text: &str) -> Result<()> {
        wait_for(format!("`{text}` on the terminal"), LIMIT, || async {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            look(shown.contains(text), || format!("it shows {shown:?}"))
        })
        .await
    }

    /// Types keys.
    pub async fn types(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).await?;
        Ok(self.keys.flush().await?)
    }

    /// Waits for the end, and gives the exit code.
    pub async fn ends(mut self) -> Result<i32> {
        let status = tokio::time::timeout(LIMIT, self.child.wait()).await;
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let status = status.with_context(|| format!("it did not end: {shown:?}"))??;
        status.code().context("it was ended by a signal")
    }
}
