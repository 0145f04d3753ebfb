//! Debian's PostgreSQL on loopback, with a CA of its own; `psql` plays everybody else.
//!
//! The server refuses to run as root: started by root, it runs as the user that its package made.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::free_port;
use crate::pki::{Authority, Pair};
use crate::process::{Launch, Process, installed};
use crate::wait::wait_for;

const START: Duration = Duration::from_mins(1);
const SUPERUSER: &str = "postgres";

/// Who may log in, and how; the first line that fits counts.
const ACCESS: &str = "\
hostssl   all certificate all cert
hostssl   all plain_only  all reject
hostnossl all tls_only    all reject
host      all all         all scram-sha-256
";

/// One server process.
pub struct PostgreSql {
    process: Process,
    port: u16,
    superuser: String,
    /// The CA that signed the server's certificate, and whose certificates the server takes.
    pub ca: Authority,
    /// A certificate for the user `certificate`.
    pub client: Pair,
}

/// Fails with the reason when PostgreSQL is not installed.
pub fn available() -> Result<()> {
    bin("postgres")?;
    if !installed("psql") {
        bail!("psql is not installed (Debian: postgresql)");
    }
    Ok(())
}

/// A program of the newest version that is installed.
fn bin(program: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(program))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
        .pop()
        .context("PostgreSQL is not installed (Debian: postgresql)")
}

/// User and group of the server, where we are root.
fn account() -> Result<Option<(u32, u32)>> {
    let id = Command::new("id").arg("-u").output()?;
    if id.stdout.trim_ascii() != b"0" {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let fields = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&SUPERUSER))
        .context("there is no user `postgres` (Debian: postgresql)")?;
    Ok(Some((fields[2].parse()?, fields[3].parse()?)))
}

/// The arguments of `setpriv` that make a program run as the server's user; a change of user clears what is to happen
/// when the parent dies, so that is said again.
fn as_server(program: &Path, args: &[String]) -> Result<(PathBuf, Vec<String>)> {
    let Some((user, group)) = account()? else {
        return Ok((program.to_owned(), args.to_vec()));
    };
    let mut all: Vec<String> = ["--clear-groups", "--pdeathsig", "KILL"]
        .map(str::to_owned)
        .to_vec();
    all.extend([
        format!("--reuid={user}"),
        format!("--regid={group}"),
        "--".to_owned(),
    ]);
    all.push(program.display().to_string());
    all.extend_from_slice(args);
    Ok((PathBuf::from("setpriv"), all))
}

/// Gives a file to the server's user alone.
fn give(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    if let Some((user, group)) = account()? {
        chown(path, Some(user), Some(group))?;
    }
    Ok(())
}

impl PostgreSql {
    /// Makes a cluster of databases in a folder, starts its server and waits until it answers.
    pub async fn start(dir: &Path) -> Result<Self> {
        let ca = Authority::new(dir, "postgresql-ca")?;
        let (server, client) = (ca.issue("postgresql")?, ca.issue("certificate")?);
        let home = reachable(dir)?;
        give(&home, 0o700)?;
        let superuser = format!("superuser-{}", std::process::id());
        let data = home.join("data");
        make(&home, &data, &superuser)?;
        for (name, text) in [
            ("pg_hba.conf", ACCESS),
            ("server.pem", &server.crt),
            ("server.key", &server.key),
            ("ca.pem", ca.pem()),
        ] {
            std::fs::write(data.join(name), text)?;
            give(&data.join(name), 0o600)?;
        }
        let port = free_port();
        let mut args: Vec<String> = vec!["-D".to_owned(), data.display().to_string(), "-F".to_owned()];
        for setting in [
            &format!("port={port}"),
            "listen_addresses=127.0.0.1,127.0.0.2",
            "unix_socket_directories=",
            "ssl=on",
            "ssl_cert_file=server.pem",
            "ssl_key_file=server.key",
            "ssl_ca_file=ca.pem",
            "max_connections=60",
            "shared_buffers=16MB",
        ] {
            args.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let (program, args) = as_server(&bin("postgres")?, &args)?;
        let process = Launch::new("postgresql", program, dir).args(args).start()?;
        let server = Self {
            process,
            port,
            superuser,
            ca,
            client,
        };
        server.answers().await?;
        Ok(server)
    }

    async fn answers(&self) -> Result<()> {
        wait_for(format!("postgresql on {}", self.port), START, || async {
            self.process.check_alive().map_err(|e| format!("{e:#}"))?;
            self.sql("postgres", "SELECT 1")
                .map(|_| ())
                .map_err(|e| format!("{e:#}"))
        })
        .await
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that all its others are children of.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Ends the server as a crash would.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again on the same port.
    pub async fn restart(&mut self) -> Result<()> {
        let launch = self.process.launch().clone();
        let started = wait_for("postgresql to start again", START, || async {
            let process = launch.clone().start().map_err(|e| format!("{e:#}"))?;
            // The children of the one that was killed may hold its memory for a moment, and then this one ends.
            wait_for("an answer", Duration::from_secs(5), || async {
                process.check_alive().map_err(|e| format!("{e:#}"))?;
                self.sql("postgres", "SELECT 1").map_err(|e| format!("{e:#}"))
            })
            .await
            .map_err(|e| format!("{e:#}"))?;
            Ok(process)
        });
        self.process = started.await?;
        Ok(())
    }

    /// Runs SQL as the superuser and returns what it wrote, values between `|`.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let output = Command::new("psql")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", SUPERUSER])
            .args(["-d", database, "-AtXq", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGPASSWORD", &self.superuser)
            .env("PGCONNECT_TIMEOUT", "5")
            .output()
            .context("psql")?;
        if !output.status.success() {
            bail!("psql `{sql}`: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Makes a cluster of databases.
fn make(home: &Path, data: &Path, superuser: &str) -> Result<()> {
    let password = home.join("password");
    std::fs::write(&password, superuser)?;
    give(&password, 0o600)?;
    let mut args: Vec<String> = [
        "-A",
        "scram-sha-256",
        "-U",
        SUPERUSER,
        "-N",
        "-E",
        "UTF8",
        "--locale=C",
        "--wal-segsize=1",
    ]
    .map(str::to_owned)
    .to_vec();
    args.extend([
        format!("--pwfile={}", password.display()),
        format!("--pgdata={}", data.display()),
    ]);
    let (program, args) = as_server(&bin("initdb")?, &args)?;
    let made = Command::new(program).args(args).current_dir("/").output()?;
    let said = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "initdb: {said}");
    Ok(())
}

/// A folder that the server's user can get at: inside the given one, or where everybody can.
fn reachable(dir: &Path) -> Result<PathBuf> {
    let home = dir.join(format!("postgresql-{}", free_port()));
    std::fs::create_dir_all(&home)?;
    let (program, args) = as_server(Path::new("test"), &["-x".to_owned(), home.display().to_string()])?;
    if Command::new(program)
        .args(args)
        .current_dir("/")
        .status()?
        .success()
    {
        return Ok(home);
    }
    Ok(tempfile::Builder::new()
        .prefix("keda-postgresql-")
        .tempdir()?
        .keep())
}
