//! Debian's NATS server on loopback: alone with JetStream, or three as a cluster. Each has a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use async_nats::jetstream::{self, consumer, stream};
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::free_port;
use crate::pki::{Authority, Pair};
use crate::process::{Launch, Process, installed};
use crate::wait::{look, wait_for};

const START: Duration = Duration::from_mins(1);

/// How a server wants to be spoken to.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The user and password of clients.
    pub login: Option<(String, String)>,
    /// The server's certificate for clients and for the monitoring endpoint.
    pub tls: Option<Pair>,
}

/// One server process.
pub struct Nats {
    process: Process,
    /// The address of clients.
    pub client: SocketAddr,
    /// The address of the monitoring endpoint.
    pub monitoring: SocketAddr,
    access: Access,
}

/// Fails with the reason when NATS is not installed.
pub fn available() -> Result<()> {
    if !installed("nats-server") {
        bail!("nats-server is not installed (Debian: nats-server)");
    }
    Ok(())
}

/// What makes a server a node of a cluster.
struct Node {
    name: String,
    host: [u8; 4],
    monitoring: u16,
    routes: Vec<String>,
    route: u16,
}

impl Nats {
    /// Starts a single server with JetStream.
    pub async fn start(dir: &Path, access: Access) -> Result<Self> {
        let nats = Self::spawn(dir, access, None)?;
        nats.answers().await?;
        Ok(nats)
    }

    fn spawn(dir: &Path, access: Access, node: Option<&Node>) -> Result<Self> {
        let host = node.map_or([127, 0, 0, 1], |node| node.host);
        let client = SocketAddr::from((host, free_port()));
        let monitoring = SocketAddr::from((host, node.map_or_else(free_port, |node| node.monitoring)));
        let data = dir.join(format!("nats-{}", client.port()));
        std::fs::create_dir_all(&data)?;
        let file = data.join("nats.conf");
        std::fs::write(&file, settings(&data, client, monitoring, &access, node))?;
        let process = Launch::new("nats", "nats-server", &data)
            .args(["-c".to_owned(), file.display().to_string()])
            .start()?;
        Ok(Self {
            process,
            client,
            monitoring,
            access,
        })
    }

    async fn answers(&self) -> Result<()> {
        wait_for(format!("nats on {}", self.client), START, || async {
            self.process.check_alive().map_err(|e| format!("{e:#}"))?;
            let mut stream = TcpStream::connect(self.client).await.map_err(|e| e.to_string())?;
            let mut info = [0; 5];
            stream.read_exact(&mut info).await.map_err(|e| e.to_string())?;
            TcpStream::connect(self.monitoring)
                .await
                .map_err(|e| e.to_string())?;
            look(&info == b"INFO ", || String::from_utf8_lossy(&info).into_owned())
        })
        .await
    }

    /// Ends the server as a crash would.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again on the same ports, with what it stored.
    pub async fn restart(&mut self) -> Result<()> {
        self.process = self.process.launch().clone().start()?;
        self.answers().await
    }

    /// A client of the server.
    pub async fn connect(&self, authority: Option<&Authority>) -> Result<async_nats::Client> {
        let mut options = async_nats::ConnectOptions::new();
        if let Some((user, password)) = &self.access.login {
            options = options.user_and_password(user.clone(), password.clone());
        }
        if let Some(authority) = authority {
            options = options
                .add_root_certificates(authority.file().to_owned())
                .require_tls(true);
        }
        let address = format!("nats://localhost:{}", self.client.port());
        let address = if authority.is_some() {
            address
        } else {
            format!("nats://{}", self.client)
        };
        Ok(options.connect(address).await?)
    }

    /// A stream of a subject with a durable pull consumer, and their client.
    pub async fn stream(&self, name: &str, subject: &str, consumer: &str, replicas: usize) -> Result<Jobs> {
        let jetstream = jetstream::new(self.connect(None).await?);
        let config = stream::Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            num_replicas: replicas,
            ..stream::Config::default()
        };
        // Right after its start, or an election, a server may have nobody yet who would keep a stream.
        let made = wait_for(format!("the stream {name}"), START, || async {
            let made = jetstream.get_or_create_stream(config.clone()).await;
            made.map_err(|error| error.to_string())
        })
        .await?;
        let config = consumer::pull::Config {
            durable_name: Some(consumer.to_owned()),
            ack_wait: Duration::from_hours(1),
            ..consumer::pull::Config::default()
        };
        let consumer = made.get_or_create_consumer(consumer, config).await?;
        Ok(Jobs { jetstream, consumer })
    }
}

fn settings(
    data: &Path,
    client: SocketAddr,
    monitoring: SocketAddr,
    access: &Access,
    node: Option<&Node>,
) -> String {
    let mut text = format!(
        "listen: \"{client}\"\njetstream {{ store_dir: \"{}\" }}\n",
        data.display()
    );
    let line = |text: &mut String, line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if let Some((user, password)) = &access.login {
        line(
            &mut text,
            format!("authorization {{ user: \"{user}\", password: \"{password}\" }}"),
        );
    }
    if let Some(pair) = &access.tls {
        let (crt, key) = (pair.crt_file.display(), pair.key_file.display());
        line(
            &mut text,
            format!("tls {{ cert_file: \"{crt}\", key_file: \"{key}\" }}"),
        );
        line(&mut text, format!("https: \"{monitoring}\""));
    } else {
        line(&mut text, format!("http: \"{monitoring}\""));
    }
    if let Some(node) = node {
        let own = SocketAddr::from((node.host, node.route));
        let routes = node.routes.join(", ");
        line(&mut text, format!("server_name: \"{}\"", node.name));
        line(
            &mut text,
            format!("cluster {{ name: \"jobs\", listen: \"{own}\", routes: [{routes}] }}"),
        );
    }
    text
}

/// A stream's producer and consumer.
pub struct Jobs {
    jetstream: jetstream::Context,
    consumer: jetstream::consumer::PullConsumer,
}

impl Jobs {
    /// Publishes messages, and waits until the stream has them.
    pub async fn publish(&self, subject: &str, count: usize) -> Result<()> {
        for number in 0..count {
            let body = format!("message {number}").into();
            self.jetstream.publish(subject.to_owned(), body).await?.await?;
        }
        Ok(())
    }

    /// Takes messages; the first so many are acknowledged.
    pub async fn take(&self, count: usize, acknowledged: usize) -> Result<()> {
        let mut batch = self.consumer.fetch().max_messages(count).messages().await?;
        let mut taken = 0;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| anyhow::anyhow!("{error}"))?;
            if taken < acknowledged {
                message
                    .double_ack()
                    .await
                    .map_err(|error| anyhow::anyhow!("{error}"))?;
            }
            taken += 1;
        }
        if taken != count {
            bail!("{taken} messages instead of {count}");
        }
        Ok(())
    }

    /// Acknowledges everything that was published so far.
    pub async fn finish(&self) -> Result<()> {
        let mut batch = self.consumer.fetch().max_messages(1000).messages().await?;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| anyhow::anyhow!("{error}"))?;
            message
                .double_ack()
                .await
                .map_err(|error| anyhow::anyhow!("{error}"))?;
        }
        Ok(())
    }

    /// The name of the server that leads the consumer.
    pub async fn leader(&mut self) -> Result<String> {
        let info = self.consumer.info().await?;
        let cluster = info.cluster.as_ref().context("the consumer is in a cluster")?;
        cluster.leader.clone().context("the consumer has a leader")
    }
}

/// Three servers, each at a loopback address of its own, as the pods of a StatefulSet are.
pub struct Cluster {
    /// Its nodes by name.
    pub nodes: Vec<(String, Nats)>,
    _dir: PathBuf,
}

impl Cluster {
    /// Starts the servers and waits until JetStream has elected somebody.
    pub async fn start(dir: &Path) -> Result<Self> {
        let hosts = [[127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 4]];
        let (monitoring, route) = (free_port(), free_port());
        let routes: Vec<String> = hosts
            .iter()
            .map(|host| format!("\"nats-route://{}\"", SocketAddr::from((*host, route))))
            .collect();
        let mut nodes = Vec::new();
        for (number, host) in hosts.into_iter().enumerate() {
            let node = Node {
                name: format!("n{number}"),
                host,
                monitoring,
                routes: routes.clone(),
                route,
            };
            nodes.push((
                node.name.clone(),
                Nats::spawn(dir, Access::default(), Some(&node))?,
            ));
        }
        for (_, node) in &nodes {
            node.answers().await?;
        }
        let cluster = Self {
            nodes,
            _dir: dir.to_owned(),
        };
        wait_for("a leader of JetStream", START, || async {
            let text = get(cluster.nodes[0].1.monitoring, "/jsz")
                .await
                .map_err(|e| format!("{e:#}"))?;
            let elected = text.contains("\"leader\"") && text.contains("\"cluster_size\": 3");
            look(elected, || text.clone())
        })
        .await?;
        Ok(cluster)
    }
}

/// The reply of the monitoring endpoint, head and body.
async fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: nats\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}
