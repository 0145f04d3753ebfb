//! Apache Kafka on loopback: one broker that is its own controller, with a listener for each way to log in.
//!
//! Cases share the process, as it takes seconds to start; each has topics and groups of its own. Who disturbs it starts
//! another.

pub mod client;
pub mod proxy;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::sync::OnceCell;

use crate::pki::{Authority, Pair};
use crate::process::{Launch, Process, installed};
use crate::wait::wait_for;
use crate::{free_port, target_dir, workspace};
use client::Client;

/// A Java process on a busy machine with two processors.
const START: Duration = Duration::from_mins(3);

/// The user of every login.
pub const USER: &str = "alice";
/// Their password.
pub const PASSWORD: &str = "a-password-that-no-message-may-show";

/// Listeners of the broker, with the protocol that each speaks.
const LISTENERS: [(&str, &str); 8] = [
    ("PLAIN", "PLAINTEXT"),
    ("COUNTED", "PLAINTEXT"),
    ("CUT", "PLAINTEXT"),
    ("LOGIN", "SASL_PLAINTEXT"),
    ("TOKEN", "SASL_PLAINTEXT"),
    ("TLS", "SSL"),
    ("MUTUAL", "SSL"),
    ("BOTH", "SASL_SSL"),
];

/// A running broker.
pub struct Kafka {
    process: Process,
    ports: Vec<u16>,
    /// Where clients are told to go: the port itself, or that of a proxy.
    advertised: Vec<u16>,
    authority: Authority,
    client: Pair,
    foreign: Authority,
}

/// Fails with the reason when Kafka cannot run here.
pub fn available() -> Result<()> {
    if !installed("java") {
        bail!("java is not installed (Debian: default-jre-headless), so Kafka cannot run");
    }
    let jars = jars();
    if !jars.is_dir() {
        bail!(
            "there is no Kafka in {}: `cargo xtask test` fetches it",
            jars.display()
        );
    }
    Ok(())
}

/// The folder of Kafka's jars.
fn jars() -> PathBuf {
    let servers = std::env::var_os("KEDA_SERVERS_DIR")
        .map_or_else(|| workspace().join("target/servers"), PathBuf::from);
    servers.join("kafka")
}

/// The broker that cases share, started by the first of them.
pub async fn shared() -> Result<&'static Kafka> {
    static SHARED: OnceCell<Kafka> = OnceCell::const_new();
    SHARED.get_or_try_init(|| Kafka::start("shared")).await
}

impl Kafka {
    /// Starts a broker in a folder of that name, and waits until it answers.
    pub async fn start(name: &str) -> Result<Self> {
        let name = format!("kafka-{name}-{}", std::process::id());
        let dir = target_dir().join("testbed").join("t").join(name);
        std::fs::create_dir_all(&dir)?;
        let authority = Authority::new(&dir, "kafka-ca")?;
        let foreign = Authority::new(&dir, "foreign-ca")?;
        let server = authority.issue("kafka")?;
        let client = authority.issue(USER)?;
        std::fs::write(dir.join("server.pem"), format!("{}{}", server.key, server.crt))?;
        let ports: Vec<u16> = LISTENERS.iter().map(|_| free_port()).collect();
        let advertised = LISTENERS.iter().zip(&ports).map(|((name, _), port)| {
            let proxied = ["COUNTED", "CUT"].contains(name);
            if proxied { free_port() } else { *port }
        });
        let advertised: Vec<u16> = advertised.collect();
        let settings = dir.join("server.properties");
        std::fs::write(&settings, properties(&dir, &authority, &ports, &advertised))?;
        std::fs::write(dir.join("log4j2.yaml"), LOGGING)?;
        format_storage(&dir, &settings)?;
        let process = Launch::new("kafka", "java", &dir)
            .args(java(&dir))
            .args(["kafka.Kafka".to_owned(), settings.display().to_string()])
            .start()?;
        let kafka = Self {
            process,
            ports,
            advertised,
            authority,
            client,
            foreign,
        };
        kafka.answers().await?;
        Ok(kafka)
    }

    /// Waits until groups can be asked for, whose topic is made by the first question.
    async fn answers(&self) -> Result<()> {
        wait_for("Kafka", START, || async {
            self.process.check_alive().map_err(|e| format!("{e:#}"))?;
            let ready = async {
                Client::connect(&self.address("PLAIN"))
                    .await?
                    .coordinates("first")
                    .await
            };
            ready.await.map_err(|e: anyhow::Error| format!("{e:#}"))
        })
        .await
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// `127.0.0.1:PORT` of a listener, as the broker advertises it.
    pub fn address(&self, listener: &str) -> String {
        format!("127.0.0.1:{}", self.advertised[place(listener)])
    }

    /// `127.0.0.1:PORT` where a listener really is.
    pub fn behind(&self, listener: &str) -> String {
        format!("127.0.0.1:{}", self.ports[place(listener)])
    }

    /// The authority that signed the broker's certificate, as PEM.
    pub fn ca(&self) -> &str {
        self.authority.pem()
    }

    /// Another authority.
    pub fn foreign_ca(&self) -> &str {
        self.foreign.pem()
    }

    /// A client's certificate, which the broker trusts.
    pub fn client(&self) -> &Pair {
        &self.client
    }

    /// A client that produces and commits.
    pub async fn producer(&self) -> Result<Client> {
        Client::connect(&self.address("PLAIN")).await
    }
}

fn place(listener: &str) -> usize {
    let found = LISTENERS.iter().position(|(name, _)| *name == listener);
    found.expect("the caller names one of the listeners")
}

/// A machine's virtual memory is small beside what the JVM would take, and it lives for a minute only.
fn java(dir: &Path) -> Vec<String> {
    vec![
        "-Xmx256m".to_owned(),
        "-XX:+UseSerialGC".to_owned(),
        "-XX:TieredStopAtLevel=1".to_owned(),
        "-Xshare:auto".to_owned(),
        format!("-Dlog4j2.configurationFile={}", dir.join("log4j2.yaml").display()),
        "-cp".to_owned(),
        jars().join("*").display().to_string(),
    ]
}

fn format_storage(dir: &Path, settings: &Path) -> Result<()> {
    let mut command = Command::new("java");
    command
        .args(java(dir))
        .args(["kafka.tools.StorageTool", "format"]);
    command.args(["-t", "AAAAAAAAQACAAAAAAAAAAQ", "-c"]).arg(settings);
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let user = format!("{mechanism}=[name={USER},password={PASSWORD}]");
        command.args(["--add-scram", &user]);
    }
    let output = command.output().context("java")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("Kafka's storage cannot be formatted: {said}");
    }
    Ok(())
}

/// Only what goes wrong is logged.
const LOGGING: &str = "\
Configuration:
  status: warn
  Appenders:
    Console:
      name: STDOUT
      PatternLayout: {pattern: \"%d %p %c %m%n\"}
  Loggers:
    Root:
      level: WARN
      AppenderRef: [{ref: STDOUT}]
";

/// The settings of the broker.
fn properties(dir: &Path, authority: &Authority, ports: &[u16], advertised: &[u16]) -> String {
    let controller = free_port();
    let list = |ports: &[u16]| {
        let each = LISTENERS.iter().zip(ports);
        let each = each.map(|((name, _), port)| format!("{name}://127.0.0.1:{port}"));
        each.collect::<Vec<_>>().join(",")
    };
    let protocols = LISTENERS
        .map(|(name, protocol)| format!("{name}:{protocol}"))
        .join(",");
    let (own, data) = (dir.join("server.pem"), dir.join("data"));
    let login = "org.apache.kafka.common.security";
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners={},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={}\n\
         inter.broker.listener.name=PLAIN\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocols}\n\
         ssl.keystore.type=PEM\n\
         ssl.keystore.location={}\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={}\n\
         listener.name.mutual.ssl.client.auth=required\n\
         log.dirs={}\n\
         num.partitions=1\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=3\n\
         group.initial.rebalance.delay.ms=0\n\
         auto.create.topics.enable=true\n",
        list(ports),
        list(advertised),
        own.display(),
        authority.file().display(),
        data.display(),
    );
    for listener in ["login", "both"] {
        let prefix = format!("listener.name.{listener}");
        let plain = format!("{login}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";");
        let scram = format!("{login}.scram.ScramLoginModule required;");
        let lines = [
            format!("{prefix}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
            format!("{prefix}.plain.sasl.jaas.config={plain}"),
            format!("{prefix}.scram-sha-256.sasl.jaas.config={scram}"),
            format!("{prefix}.scram-sha-512.sasl.jaas.config={scram}"),
        ];
        text.push_str(&(lines.join("\n") + "\n"));
    }
    // Tokens that nobody signed will do, and a session lasts for a second.
    let module =
        format!("{login}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"x\";");
    let prefix = "listener.name.token";
    let _ = writeln!(text, "{prefix}.sasl.enabled.mechanisms=OAUTHBEARER");
    let _ = writeln!(text, "{prefix}.oauthbearer.sasl.jaas.config={module}");
    let _ = writeln!(text, "{prefix}.oauthbearer.connections.max.reauth.ms=1000");
    text
}
