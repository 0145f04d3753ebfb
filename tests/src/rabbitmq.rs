//! Debian's RabbitMQ on loopback, with the management API, TLS and logins by certificate. It takes long to start, so cases
//! share one server, where each has a virtual host of its own. Who disturbs it starts another.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::pki::{Authority, Pair};
use crate::process::{Launch, Process, installed};
use crate::wait::wait_for;
use crate::{free_port, target_dir};

const START: Duration = Duration::from_mins(4);
/// Where Debian keeps the scripts that do not change the user.
const BIN: &str = "/usr/lib/rabbitmq/bin";
/// The user of the server's own making.
pub const USER: &str = "guest";
/// Its password.
pub const PASSWORD: &str = "guest";

/// The server with its port mapper.
pub struct RabbitMq {
    amqp: u16,
    amqps: u16,
    http: u16,
    authority: Authority,
    client: Pair,
    node: Node,
    process: Process,
    _epmd: Process,
}

/// What Erlang knows the server by.
struct Node {
    dir: PathBuf,
    name: String,
    epmd_port: u16,
    dist_port: u16,
}

static SERVER: OnceCell<RabbitMq> = OnceCell::const_new();

/// Fails with the reason when RabbitMQ is not installed.
pub fn available() -> Result<()> {
    if !Path::new(BIN).join("rabbitmq-server").is_file() || !installed("epmd") {
        bail!("{BIN}/rabbitmq-server is not installed (Debian: rabbitmq-server)");
    }
    Ok(())
}

/// The server of this run, started by whoever needs it first and ended with the run.
pub async fn server() -> Result<&'static RabbitMq> {
    SERVER.get_or_try_init(|| RabbitMq::start("shared")).await
}

impl RabbitMq {
    /// Starts a server in a folder of that name, and waits until it serves.
    pub async fn start(name: &str) -> Result<Self> {
        let dir = target_dir()
            .join("testbed")
            .join("t")
            .join(format!("rabbitmq-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let authority = Authority::new(&dir, "rabbitmq-ca")?;
        let (pair, client) = (authority.issue("rabbitmq")?, authority.issue("worker")?);
        let [amqp, amqps, http, epmd_port, dist_port] = [(); 5].map(|()| free_port());
        write_settings(&dir, &pair, &authority, [amqp, amqps, http])?;
        // Started by the server itself, the port mapper would outlive it.
        let epmd = Launch::new("epmd", "epmd", &dir)
            .args(["-port".to_owned(), epmd_port.to_string()])
            .args(["-address", "127.0.0.1"])
            .start()?;
        let mut launch = Launch::new("rabbitmq", format!("{BIN}/rabbitmq-server"), &dir);
        let node = Node {
            name: format!("keda-{name}-{}@localhost", std::process::id()),
            dir,
            epmd_port,
            dist_port,
        };
        for (key, value) in node.environment() {
            launch = launch.env(key, value);
        }
        let process = launch.start()?;
        let rabbit = Self {
            amqp,
            amqps,
            http,
            authority,
            client,
            node,
            process,
            _epmd: epmd,
        };
        wait_for("rabbitmq to serve", START, || async {
            rabbit.process.check_alive().map_err(|e| format!("{e:#}"))?;
            rabbit
                .api("GET", "/api/vhosts", None)
                .await
                .map_err(|e| format!("{e:#}"))
        })
        .await?;
        // Whoever shows the client's certificate is this user.
        rabbit
            .api(
                "PUT",
                "/api/users/worker",
                Some(json!({"password_hash": "", "tags": "management"})),
            )
            .await?;
        Ok(rabbit)
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The loopback port that speaks AMQP.
    pub fn amqp_port(&self) -> u16 {
        self.amqp
    }

    /// The loopback port that speaks AMQP over TLS.
    pub fn amqps_port(&self) -> u16 {
        self.amqps
    }

    /// The address of the management API.
    pub fn http(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.http))
    }

    /// The address that speaks AMQP.
    pub fn amqp(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.amqp))
    }

    /// Who signed its certificate.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The certificate of the user `worker`.
    pub fn client(&self) -> &Pair {
        &self.client
    }

    /// One request to the management API as its own user; the reply's body, which may be empty.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.http()).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await?;
        let reply = String::from_utf8_lossy(&reply);
        let (head, body) = reply.split_once("\r\n\r\n").context("no HTTP reply")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        ensure!(status.starts_with('2'), "{method} {path}: {reply}");
        Ok(serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Makes a virtual host that both users may do everything in, and opens a channel to it.
    pub async fn vhost(&self, name: &str) -> Result<Vhost> {
        let path = name.replace('/', "%2F");
        self.api("PUT", &format!("/api/vhosts/{path}"), None).await?;
        for user in [USER, "worker"] {
            let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
            self.api("PUT", &format!("/api/permissions/{path}/{user}"), Some(all))
                .await?;
        }
        let uri = format!("amqp://{USER}:{PASSWORD}@{}/{path}", self.amqp());
        let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Vhost {
            path,
            channel,
            _connection: connection,
        })
    }

    /// The AMQP connections to a virtual host, as the server itself counts them: the number of channels of each.
    pub fn connections(&self, vhost: &str) -> Result<Vec<usize>> {
        let output = Command::new(format!("{BIN}/rabbitmqctl"))
            .args(["--quiet", "list_connections", "vhost", "channels"])
            .envs(self.node.environment())
            .output()
            .context("rabbitmqctl")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "rabbitmqctl: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let of = |line: &str| {
            let (name, channels) = line.split_once('\t')?;
            (name == vhost).then(|| channels.trim().parse().ok()).flatten()
        };
        Ok(text.lines().filter_map(of).collect())
    }
}

fn write_settings(dir: &Path, pair: &Pair, authority: &Authority, ports: [u16; 3]) -> Result<()> {
    let [amqp, amqps, http] = ports;
    let settings = format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp}\nlisteners.ssl.1 = 127.0.0.1:{amqps}\n\
         ssl_options.cacertfile = {ca}\nssl_options.certfile = {crt}\nssl_options.keyfile = {key}\n\
         ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = false\n\
         ssl_cert_login_from = common_name\n\
         auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\n\
         management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {http}\n\
         collect_statistics_interval = 1000\ndisk_free_limit.absolute = 1MB\n",
        ca = authority.file().display(),
        crt = pair.crt_file.display(),
        key = pair.key_file.display(),
    );
    std::fs::write(dir.join("rabbitmq.conf"), settings)?;
    let plugins = "[rabbitmq_management,rabbitmq_auth_mechanism_ssl].\n";
    std::fs::write(dir.join("enabled_plugins"), plugins)?;
    Ok(())
}

impl Node {
    /// What tells Debian's scripts where everything is, so that nothing of the machine's own server is touched.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |file: &str| self.dir.join(file).display().to_string();
        vec![
            ("HOME", self.dir.display().to_string()),
            ("RABBITMQ_NODENAME", self.name.clone()),
            ("ERL_EPMD_PORT", self.epmd_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_DIST_PORT", self.dist_port.to_string()),
            ("RABBITMQ_MNESIA_BASE", path("mnesia")),
            ("RABBITMQ_LOG_BASE", path("log")),
            ("RABBITMQ_CONFIG_FILE", path("rabbitmq")),
            ("RABBITMQ_CONF_ENV_FILE", path("none")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
            // The script becomes the server in place of starting it, so that ending one ends the other.
            ("RABBITMQ_ALLOW_INPUT", "1".to_owned()),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-noinput -kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
            ),
        ]
    }
}

/// A virtual host with the producers and consumers of a case.
pub struct Vhost {
    /// Its name as it stands in a URL.
    pub path: String,
    channel: Channel,
    _connection: Connection,
}

impl Vhost {
    /// Declares a queue that outlives the connection; `kind` is `classic` or `stream`.
    pub async fn declare(&self, queue: &str, kind: &str) -> Result<()> {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        let durable = QueueDeclareOptions::durable();
        self.channel
            .queue_declare(queue.into(), durable, arguments)
            .await?;
        Ok(())
    }

    /// Publishes messages to an exchange, and waits until the server has them.
    pub async fn publish(&self, exchange: &str, routing_key: &str, count: usize) -> Result<()> {
        for number in 0..count {
            let body = format!("message {number}");
            self.channel
                .basic_publish(
                    exchange.into(),
                    routing_key.into(),
                    BasicPublishOptions::default(),
                    body.as_bytes(),
                    BasicProperties::default(),
                )
                .await?;
        }
        self.channel.wait_for_confirms().await?;
        Ok(())
    }

    /// Takes messages off a queue, for good.
    pub async fn consume(&self, queue: &str, count: usize) -> Result<()> {
        for _ in 0..count {
            let no_ack = BasicGetOptions { no_ack: true };
            let got = self.channel.basic_get(queue.into(), no_ack).await?;
            ensure!(got.is_some(), "the queue {queue} is empty");
        }
        Ok(())
    }

    /// Takes messages off a queue, which must be these, and never delivered before.
    pub async fn consume_fresh(&self, queue: &str, bodies: &[&str]) -> Result<()> {
        for body in bodies {
            let no_ack = BasicGetOptions { no_ack: true };
            let got = self.channel.basic_get(queue.into(), no_ack).await?;
            let got = got.with_context(|| format!("the queue {queue} is empty"))?;
            let text = String::from_utf8_lossy(&got.delivery.data);
            ensure!(
                text == *body && !got.delivery.redelivered,
                "{text} came in place of {body}, or came again"
            );
        }
        Ok(())
    }

    /// Takes messages off a queue without acknowledging them; they stay taken for as long as this virtual host is held.
    pub async fn take(&self, queue: &str, count: usize) -> Result<()> {
        for _ in 0..count {
            let got = self
                .channel
                .basic_get(queue.into(), BasicGetOptions::default())
                .await?;
            ensure!(got.is_some(), "the queue {queue} is empty");
        }
        Ok(())
    }

    /// Makes a queue get the messages that an exchange sends under a key.
    pub async fn bind(&self, queue: &str, exchange: &str, routing_key: &str) -> Result<()> {
        self.channel
            .queue_bind(
                queue.into(),
                exchange.into(),
                routing_key.into(),
                lapin::options::QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
        Ok(())
    }
}
