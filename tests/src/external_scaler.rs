//! The external scaler of `tests/external-scaler`: built on KEDA's own generated code, told over HTTP what to answer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::process::{Launch, Process, installed};
use crate::wait::{look, wait_for};
use crate::{free_port, target_dir, workspace};

/// The process.
pub struct ExternalScaler {
    process: Process,
    port: u16,
    control: u16,
}

/// Fails with the reason when it cannot be built here.
pub fn available() -> Result<()> {
    if !installed("go") {
        bail!("go is not installed, so the external scaler cannot be built");
    }
    Ok(())
}

/// Builds the scaler; Go's cache makes a second build instant.
fn build() -> Result<PathBuf> {
    let path = target_dir().join("testbed").join("bin").join("external-scaler");
    let output = Command::new("go")
        .args(["build", "-trimpath", "-o"])
        .arg(&path)
        .arg(".")
        .current_dir(workspace().join("tests/external-scaler"))
        .env("CGO_ENABLED", "0")
        .output()
        .context("go build")?;
    if !output.status.success() {
        bail!(
            "the external scaler does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(path)
}

impl ExternalScaler {
    /// Builds it if needed, starts it on free ports and waits until it answers.
    pub async fn start(dir: &Path) -> Result<Self> {
        let binary = tokio::task::spawn_blocking(build).await??;
        let (port, control) = (free_port(), free_port());
        let args = [
            format!("--address=127.0.0.1:{port}"),
            format!("--control=127.0.0.1:{control}"),
        ];
        let process = Launch::new(&format!("external-scaler-{port}"), binary, dir)
            .args(args)
            .start()?;
        let scaler = Self {
            process,
            port,
            control,
        };
        wait_for("the external scaler", Duration::from_secs(30), || async {
            scaler.process.check_alive().map_err(|e| format!("{e:#}"))?;
            scaler
                .queue("any")
                .await
                .map(|_| ())
                .map_err(|e| format!("{e:#}"))
        })
        .await?;
        Ok(scaler)
    }

    /// `HOST:PORT`, as `scalerAddress` takes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sets what a queue answers.
    pub async fn set(&self, queue: &str, length: f64, active: bool) -> Result<()> {
        self.call(
            "PUT",
            &format!("/queues/{queue}"),
            &json!({"length": length, "active": active}),
        )
        .await?;
        Ok(())
    }

    /// Makes every call for a queue fail.
    pub async fn fail(&self, queue: &str) -> Result<()> {
        self.call("PUT", &format!("/queues/{queue}"), &json!({"fails": true}))
            .await?;
        Ok(())
    }

    /// Pushes activity to every open stream of a queue, of which there must be at least one.
    pub async fn push(&self, queue: &str) -> Result<()> {
        let streams = self
            .call("POST", &format!("/queues/{queue}/push"), &Value::Null)
            .await?;
        if streams.trim() == "0" {
            bail!("nobody listens to the pushes of {queue}");
        }
        Ok(())
    }

    /// Waits until somebody listens to the pushes of a queue.
    pub async fn listened(&self, queue: &str) -> Result<()> {
        wait_for(
            format!("a push stream for {queue}"),
            Duration::from_mins(1),
            || async {
                let found = self.queue(queue).await.map_err(|e| format!("{e:#}"))?;
                look(found["streams"].as_u64() >= Some(1), || found.to_string())
            },
        )
        .await
    }

    /// A queue with its streams and reads.
    pub async fn queue(&self, queue: &str) -> Result<Value> {
        Ok(serde_json::from_str(
            &self
                .call("GET", &format!("/queues/{queue}"), &Value::Null)
                .await?,
        )?)
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Result<String> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.control)).await?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").context("not an HTTP answer")?;
        if head.split(' ').nth(1) != Some("200") {
            bail!("{method} {path}: {head} {body}");
        }
        Ok(body.to_owned())
    }
}
