//! Redis: one server, a cluster, or a server found through sentinels.
//!
//! ```text
//! ask(questions) ──one pipeline──▶ connection        poll
//! listen(key)    ──SUBSCRIBE────▶ line (a connection of its own, shared by all keys) ──▶ watch ──▶ Pushed    push
//! ```

mod cluster;
mod connect;
mod inventory;
mod line;
mod listen;
mod question;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, Value, cmd};

use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;
use crate::{ScalerError, Secret};

use line::Lines;
pub(crate) use question::{Answer, Kind, Question};
pub(crate) use watch::watch;

/// How the server is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topology {
    /// The first address is the server.
    Single,
    /// Every address is a node of a cluster.
    Cluster,
    /// Every address is a sentinel.
    Sentinel {
        /// The name of the master they watch.
        master: String,
        /// Credentials of the sentinels.
        login: Login,
    },
}

/// A user and a password, either of which may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret<String>>,
}

/// A server with everything that makes its connection different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) topology: Topology,
    /// `host:port` texts.
    pub(crate) addresses: Vec<String>,
    pub(crate) login: Login,
    pub(crate) database: i64,
    pub(crate) tls: Option<TlsSettings>,
}

impl Server {
    /// The first address, the only one of a single server that is ever asked.
    fn first(&self) -> &str {
        self.addresses.first().map(String::as_str).unwrap_or_default()
    }

    /// The database; a cluster has only one.
    fn database(&self) -> i64 {
        match self.topology {
            Topology::Cluster => 0,
            Topology::Single | Topology::Sentinel { .. } => self.database,
        }
    }
}

/// Questions that travel in one write.
const TOGETHER: usize = 256;

/// An open connection.
pub(crate) struct Redis {
    server: Server,
    connect: Connect,
    endpoint: String,
    connection: Connection,
    /// Whether the server was seen to be of a version that tells the lag of a group.
    modern: AtomicBool,
    /// What is listened to.
    lines: Lines,
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Source for Redis {
    type Key = Server;
    type Question = Question;
    type Answer = Answer;
    const PROTOCOL: &'static str = "redis";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.redis
    }

    fn endpoint(key: &Server) -> String {
        match &key.topology {
            Topology::Single => key.first().to_owned(),
            Topology::Cluster => key.addresses.join(","),
            Topology::Sentinel { master, .. } => format!("{}/{master}", key.addresses.join(",")),
        }
    }

    fn together(key: &Server) -> usize {
        match key.topology {
            Topology::Single | Topology::Sentinel { .. } => TOGETHER,
            // A node that does not answer must not hold up what the others have answered.
            Topology::Cluster => 1,
        }
    }

    fn describe(answer: &Answer) -> String {
        if let Answer::Length(length) = answer {
            return length.to_string();
        }
        format!("{answer:?}")
    }

    async fn open(key: &Server, connect: &Connect) -> Result<Self, ScalerError> {
        let endpoint = Self::endpoint(key);
        let connection = match &key.topology {
            Topology::Cluster => {
                let certificates = connect::trust(key, connect)?;
                Connection::Cluster(connect::cluster(key, certificates, connect).await?)
            }
            Topology::Single | Topology::Sentinel { .. } => {
                let client = connect::server(key, connect).await?;
                Connection::Single(connect::single(&endpoint, &client).await?)
            }
        };
        let opened = Self {
            server: key.clone(),
            connect: connect.clone(),
            endpoint,
            connection,
            modern: AtomicBool::new(false),
            lines: Lines::default(),
        };
        opened.send(cmd("PING")).await?;
        Ok(opened)
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        match &self.connection {
            Connection::Single(connection) => self.ask_one(connection.clone(), questions).await,
            Connection::Cluster(connection) => {
                // A pipeline goes to one node: keys have their own. What is sent to one node at the same time travels in
                // one write.
                let asked = questions
                    .iter()
                    .map(|question| self.ask_node(connection.clone(), question));
                join_all(asked).await
            }
        }
    }
}

impl Redis {
    /// Asks a single server everything in one pipeline.
    async fn ask_one(
        &self,
        mut connection: MultiplexedConnection,
        questions: &[Question],
    ) -> Vec<Result<Answer, ScalerError>> {
        let modern = self.modern.load(Ordering::Relaxed);
        let mut pipeline = Pipeline::new();
        let mut counts = Vec::with_capacity(questions.len());
        for question in questions {
            let before = pipeline.len();
            for command in question.commands(modern) {
                pipeline.add_command(command);
            }
            counts.push(pipeline.len() - before);
        }
        let length = pipeline.len();
        let sent = match length {
            0 => Ok(Vec::new()),
            _ => connection.req_packed_commands(&pipeline, 0, length).await,
        };
        let mut values = match sent {
            Ok(values) => values.into_iter(),
            Err(error) => {
                let failed = failure(&self.endpoint, error);
                return questions.iter().map(|_| Err(failed.clone())).collect();
            }
        };
        let mut answers = Vec::with_capacity(questions.len());
        for (question, count) in questions.iter().zip(counts) {
            let replies = values.by_ref().take(count).collect();
            answers.push(self.answer(question, replies).await);
        }
        answers
    }

    /// Asks the node of a cluster that has the key.
    async fn ask_node(
        &self,
        mut connection: ClusterConnection,
        question: &Question,
    ) -> Result<Answer, ScalerError> {
        let Some((key, _)) = question.key() else {
            return self.answer(question, Vec::new()).await;
        };
        let mut pipeline = Pipeline::new();
        for command in question.commands(self.modern.load(Ordering::Relaxed)) {
            pipeline.add_command(command);
        }
        let length = pipeline.len();
        let values = connection
            .route_pipeline(pipeline, 0, length, owner(key))
            .await
            .map_err(|error| failure(&self.endpoint, error))?;
        self.answer(question, values).await
    }

    async fn answer(&self, question: &Question, replies: Vec<Value>) -> Result<Answer, ScalerError> {
        if let Question::Keys(kind) = question {
            return inventory::keys(self, *kind).await;
        }
        let answer = question.read(&self.endpoint, replies)?;
        if matches!(question, Question::Lag { .. }) {
            self.modern.store(true, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Sends one command, wherever it belongs.
    async fn send(&self, command: Cmd) -> Result<Value, ScalerError> {
        self.send_to(None, command).await
    }

    /// Sends one command to a node of the cluster, where this is one.
    async fn send_to(&self, node: Option<SingleNodeRoutingInfo>, command: Cmd) -> Result<Value, ScalerError> {
        let sent = match (self.connection.clone(), node) {
            (Connection::Single(mut connection), _) => connection.req_packed_command(&command).await,
            (Connection::Cluster(mut connection), None) => connection.req_packed_command(&command).await,
            (Connection::Cluster(mut connection), Some(node)) => {
                connection
                    .route_command(command, RoutingInfo::SingleNode(node))
                    .await
            }
        };
        sent.and_then(Value::extract_error)
            .map_err(|error| failure(&self.endpoint, error))
    }
}

/// The node that has a key.
fn owner(key: &str) -> SingleNodeRoutingInfo {
    SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master))
}

/// What a failure of the client means. The texts of the client name no credentials.
fn failure(endpoint: &str, error: RedisError) -> ScalerError {
    let code = error.code().unwrap_or_default();
    let refused =
        error.kind() == ErrorKind::AuthenticationFailed || ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&code);
    if refused {
        return ScalerError::Unauthorized {
            endpoint: endpoint.to_owned(),
            source: Arc::new(error),
        };
    }
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => ScalerError::Answer {
            endpoint: endpoint.to_owned(),
            answer: error.to_string(),
        },
        ErrorKind::MasterNameNotFoundBySentinel => ScalerError::Answer {
            endpoint: endpoint.to_owned(),
            answer: "that it knows no such master".to_owned(),
        },
        _ => ScalerError::unreachable(endpoint, error),
    }
}

#[cfg(test)]
mod tests;
