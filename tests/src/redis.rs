//! Debian's Redis on loopback: single, cluster, and master with replica and sentinel. Each server has a folder and ports
//! of its own; `redis-cli` plays the producers and consumers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::free_port;
use crate::pki::Pair;
use crate::process::{Launch, Process, installed};
use crate::wait::{Look, look, wait_for};

const START: Duration = Duration::from_mins(1);

/// How a server wants to be spoken to.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The password of the default user.
    pub password: Option<String>,
    /// The server's certificate and the CA file that clients trust.
    pub tls: Option<(Pair, std::path::PathBuf)>,
}

/// One server process.
pub struct Redis {
    process: Process,
    port: u16,
    access: Access,
}

/// Fails with the reason when Redis is not installed.
pub fn available() -> Result<()> {
    for program in ["redis-server", "redis-cli"] {
        if !installed(program) {
            bail!("{program} is not installed (Debian: redis-server, redis-tools)");
        }
    }
    Ok(())
}

impl Redis {
    /// Starts a single server and waits until it answers.
    pub async fn start(dir: &Path, access: Access) -> Result<Self> {
        Self::start_with(dir, access, &[]).await
    }

    /// Starts a server with settings added, as `redis-server` takes them.
    pub async fn start_with(dir: &Path, access: Access, extra: &[&str]) -> Result<Self> {
        let port = free_port();
        let redis = Self::spawn(dir, port, access, extra)?;
        redis.answers().await?;
        Ok(redis)
    }

    fn spawn(dir: &Path, port: u16, access: Access, extra: &[&str]) -> Result<Self> {
        let data = dir.join(format!("redis-{port}"));
        std::fs::create_dir_all(&data)?;
        let mut args: Vec<String> = [
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
            // A replica is given its first copy at once, not seconds later together with others that might come.
            "--repl-diskless-sync-delay",
            "0",
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(["--dir".to_owned(), data.display().to_string()]);
        let port_text = port.to_string();
        if let Some((pair, ca)) = &access.tls {
            let file = |path: &Path| path.display().to_string();
            args.extend(
                [
                    "--port",
                    "0",
                    "--tls-port",
                    &port_text,
                    "--tls-auth-clients",
                    "no",
                ]
                .map(str::to_owned),
            );
            args.extend(["--tls-cert-file".to_owned(), file(&pair.crt_file)]);
            args.extend(["--tls-key-file".to_owned(), file(&pair.key_file)]);
            args.extend(["--tls-ca-cert-file".to_owned(), file(ca)]);
            args.extend(["--tls-cluster", "yes", "--tls-replication", "yes"].map(str::to_owned));
        } else {
            args.extend(["--port".to_owned(), port_text]);
        }
        if let Some(password) = &access.password {
            // A replica logs in to its master, and a cluster's nodes to each other, with the same.
            args.extend(["--requirepass", password, "--masterauth", password].map(str::to_owned));
        }
        args.extend(extra.iter().map(|&s| s.to_owned()));
        let process = Launch::new("redis", "redis-server", &data).args(args).start()?;
        Ok(Self {
            process,
            port,
            access,
        })
    }

    async fn answers(&self) -> Result<()> {
        wait_for(format!("redis on {}", self.port), START, || async {
            self.process.check_alive().map_err(|e| format!("{e:#}"))?;
            let answer = self.cli(&["PING"]).map_err(|e| format!("{e:#}"))?;
            look(answer == "PONG", || answer.clone())
        })
        .await
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends the server as a crash would.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Starts it again on the same port, empty.
    pub async fn restart(&mut self) -> Result<()> {
        self.process = self.process.launch().clone().start()?;
        self.answers().await
    }

    /// Runs one command and returns the answer's text.
    pub fn cli(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new("redis-cli");
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-c",
            // An error of the server is an error here, and not a text.
            "-e",
            "--no-auth-warning",
        ]);
        if let Some(password) = &self.access.password {
            command.args(["-a", password]);
        }
        if let Some((_, ca)) = &self.access.tls {
            command.arg("--tls").arg("--cacert").arg(ca);
        }
        let output = command.args(args).output().context("redis-cli")?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() {
            bail!(
                "redis-cli {args:?}: {text} {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(text)
    }

    /// Adds `count` items to a list and returns its length.
    pub fn push(&self, list: &str, count: usize) -> Result<u64> {
        let items = vec!["job"; count];
        let length = self.cli(&[&["RPUSH", list], items.as_slice()].concat())?;
        Ok(length.trim().parse()?)
    }

    /// Takes up to `count` items off a list.
    pub fn pop(&self, list: &str, count: usize) -> Result<()> {
        self.cli(&["LPOP", list, &count.to_string()])?;
        Ok(())
    }
}

/// Three masters that share the slots.
pub struct Cluster {
    /// The servers.
    pub nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts the servers, joins them and waits until the slots are served.
    pub async fn start(dir: &Path, access: Access) -> Result<Self> {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let bus = free_port().to_string();
            nodes.push(
                Redis::start_with(
                    dir,
                    access.clone(),
                    &[
                        "--cluster-enabled",
                        "yes",
                        "--cluster-node-timeout",
                        "2000",
                        "--cluster-port",
                        &bus,
                    ],
                )
                .await?,
            );
        }
        let cluster = Self { nodes };
        cluster.join()?;
        for node in &cluster.nodes {
            wait_for("the cluster to serve all slots", START, || async {
                let info = node.cli(&["CLUSTER", "INFO"]).map_err(|e| format!("{e:#}"))?;
                look(
                    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3"),
                    || info.clone(),
                )
            })
            .await?;
        }
        Ok(cluster)
    }

    /// Every address, as `hosts:ports` or `addresses` take them.
    pub fn addresses(&self) -> String {
        self.nodes
            .iter()
            .map(Redis::address)
            .collect::<Vec<_>>()
            .join(",")
    }

    fn join(&self) -> Result<()> {
        // `redis-cli --cluster create` prompts, prints and cannot be told other bus ports: the same by its own commands.
        let bounds = [0_u16, 5461, 10923, 16384];
        for (index, node) in self.nodes.iter().enumerate() {
            node.cli(&[
                "CLUSTER",
                "ADDSLOTSRANGE",
                &bounds[index].to_string(),
                &(bounds[index + 1] - 1).to_string(),
            ])?;
            let epoch = (index + 1).to_string();
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])?;
        }
        for other in &self.nodes[1..] {
            let bus = other.cli(&["CONFIG", "GET", "cluster-port"])?;
            let bus = bus.lines().last().context("a setting has a value")?.to_owned();
            self.nodes[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), &bus])?;
        }
        Ok(())
    }
}

/// A master with one replica, watched by one sentinel.
pub struct Sentinel {
    /// The server that takes writes at the start.
    pub master: Redis,
    /// Its copy.
    pub replica: Redis,
    /// The one that knows which is which.
    pub sentinel: Redis,
    /// What the sentinel calls the master.
    pub name: String,
}

impl Sentinel {
    /// Starts all three and waits until the replica follows the master, and the sentinel knows it.
    pub async fn start(dir: &Path, access: Access) -> Result<Self> {
        let master = Redis::start(dir, access.clone()).await?;
        let replicaof = master.port.to_string();
        let replica =
            Redis::start_with(dir, access.clone(), &["--replicaof", "127.0.0.1", &replicaof]).await?;
        let name = "jobs".to_owned();
        let port = free_port();
        let folder = dir.join(format!("redis-{port}"));
        std::fs::create_dir_all(&folder)?;
        let auth = access.password.as_ref().map_or_else(String::new, |password| {
            format!("sentinel auth-pass {name} {password}\n")
        });
        let config = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {name} 127.0.0.1 {replicaof} 1\n\
             sentinel down-after-milliseconds {name} 1000\nsentinel failover-timeout {name} 3000\n{auth}",
            folder.display()
        );
        let file = folder.join("sentinel.conf");
        std::fs::write(&file, config)?;
        let process = Launch::new("redis", "redis-server", &folder)
            .args([file.display().to_string(), "--sentinel".to_owned()])
            .start()?;
        let sentinel = Redis {
            process,
            port,
            access: Access::default(),
        };
        sentinel.answers().await?;
        let set = Self {
            master,
            replica,
            sentinel,
            name,
        };
        set.followed().await?;
        Ok(set)
    }

    /// Waits until the replica follows the master, as it says itself and as the sentinel sees it: the sentinel promotes
    /// nobody whose link it never saw.
    async fn followed(&self) -> Result<()> {
        wait_for("the replica to follow the master", START, || async {
            let link = field(&self.replica, "master_link_status")?;
            look(link == "up", || format!("its link is {link}"))
        })
        .await?;
        wait_for("the sentinel to know the replica", START, || async {
            let found = self
                .sentinel
                .cli(&["SENTINEL", "REPLICAS", &self.name])
                .map_err(|e| format!("{e:#}"))?;
            let lines: Vec<&str> = found.lines().collect();
            let says = |key: &str, value: &str| lines.windows(2).any(|pair| pair == [key, value]);
            let known = says("port", &self.replica.port.to_string()) && says("master-link-status", "ok");
            look(known, || found.clone())
        })
        .await
    }

    /// Waits until the replica holds everything that the master holds now. `WAIT` would not do: it counts the replicas
    /// that have what its own connection wrote, and each command here has a connection of its own.
    pub async fn copied(&self) -> Result<()> {
        let offset = |redis: &Redis, key: &str| {
            let text = field(redis, key)?;
            text.parse::<u64>().map_err(|e| format!("{key} `{text}`: {e}"))
        };
        let written = offset(&self.master, "master_repl_offset").map_err(|e| anyhow!(e))?;
        wait_for("the replica to hold what the master holds", START, || async {
            let (link, copied) = (
                field(&self.replica, "master_link_status")?,
                offset(&self.replica, "slave_repl_offset")?,
            );
            look(link == "up" && copied >= written, || {
                format!("its link is {link}, and it has {copied} of {written} bytes")
            })
        })
        .await
    }

    /// Waits until the sentinel names another master than the one that was killed, and returns its address.
    pub async fn failed_over(&self) -> Result<String> {
        let replica = self.replica.port.to_string();
        wait_for("the sentinel to promote the replica", START, || async {
            let found = self
                .sentinel
                .cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &self.name])
                .map_err(|e| format!("{e:#}"))?;
            look(found.lines().any(|l| l == replica), || found.clone())
        })
        .await?;
        Ok(self.replica.address())
    }
}

/// What a server says of its replication under a key.
fn field(redis: &Redis, key: &str) -> Look<String> {
    let told = redis
        .cli(&["INFO", "replication"])
        .map_err(|e| format!("{e:#}"))?;
    let value = told
        .lines()
        .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(':'));
    value
        .map(str::to_owned)
        .ok_or_else(|| format!("no {key} in {told}"))
}
