//! Debian's MariaDB on loopback, with a CA of its own; `mariadb` plays everybody else.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::free_port;
use crate::pki::Authority;
use crate::process::{Launch, Process, installed};
use crate::wait::wait_for;

const START: Duration = Duration::from_mins(1);

/// One server process.
pub struct MySql {
    process: Process,
    port: u16,
    /// The CA that signed the server's certificate.
    pub ca: Authority,
}

/// Fails with the reason when MariaDB is not installed.
pub fn available() -> Result<()> {
    for program in ["mariadbd", "mariadb-install-db", "mariadb"] {
        if !installed(program) {
            bail!("{program} is not installed (Debian: mariadb-server-core, mariadb-client-core)");
        }
    }
    Ok(())
}

impl MySql {
    /// Makes the system tables in a folder, starts the server and waits until it answers.
    pub async fn start(dir: &Path) -> Result<Self> {
        let ca = Authority::new(dir, "mysql-ca")?;
        let certificate = ca.issue("mysql")?;
        let data = dir.join(format!("mysql-{}", free_port()));
        let user = String::from_utf8(Command::new("id").arg("-un").output()?.stdout)?;
        let user = format!("--user={}", user.trim());
        let made = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                &user,
            ])
            .arg(format!("--datadir={}", data.display()))
            .output()?;
        ensure!(
            made.status.success(),
            "mariadb-install-db: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        let process = Launch::new("mysql", "mariadbd", dir)
            .args([
                "--no-defaults",
                "--skip-name-resolve",
                "--bind-address=127.0.0.1",
                &user,
            ])
            .args([
                format!("--datadir={}", data.display()),
                format!("--port={port}"),
                format!("--ssl-cert={}", certificate.crt_file.display()),
                format!("--ssl-key={}", certificate.key_file.display()),
                format!("--ssl-ca={}", ca.file().display()),
            ])
            .args([
                // It lies in the folder of the data; the whole path would be too long for a socket.
                "--socket=mysql.sock",
                "--innodb-log-file-size=4M",
                "--innodb-flush-method=fsync",
                "--innodb-buffer-pool-size=16M",
                "--max-connections=60",
            ])
            .start()?;
        let server = Self { process, port, ca };
        server.answers().await?;
        Ok(server)
    }

    async fn answers(&self) -> Result<()> {
        wait_for(format!("mysql on {}", self.port), START, || async {
            self.process.check_alive().map_err(|e| format!("{e:#}"))?;
            self.sql("SELECT 1").map(|_| ()).map_err(|e| format!("{e:#}"))
        })
        .await
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server as a crash would.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again on the same port.
    pub async fn restart(&mut self) -> Result<()> {
        self.process = self.process.launch().clone().start()?;
        self.answers().await
    }

    /// Runs SQL as root and returns what it wrote, values between tabs.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let output = Command::new("mariadb")
            .args([
                "--no-defaults",
                "--host=127.0.0.1",
                "--user=root",
                "--batch",
                "--skip-column-names",
            ])
            .args([
                "--connect-timeout=5",
                &format!("--port={}", self.port),
                "--execute",
                sql,
            ])
            .output()
            .context("mariadb")?;
        if !output.status.success() {
            bail!(
                "mariadb `{sql}`: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
