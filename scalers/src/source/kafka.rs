//! Kafka: one cluster, reached by a thin client of our own that asks for offsets and nothing else.
//!
//! ```text
//! questions ─▶ round ─▶ brokers ─▶ connection ─▶ frames of bytes
//! ```
//! `kafka-protocol` writes the requests; replies are read here, by readers that no broker can make allocate or panic.

mod api;
mod brokers;
mod connection;
mod reply;
mod round;
mod sasl;
mod token;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsConnector;

use self::brokers::{Brokers, Fault};
use self::connection::Way;
use self::sasl::Login;
use self::token::Tokens;
use crate::ScalerError;
use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;

pub(crate) use sasl::Password;
pub(crate) use token::TokenSource;

/// Questions that one round of requests answers: each request of the protocol holds many topics and groups.
const TOGETHER: usize = 1000;

/// How long a cluster is given before what may have changed hands is asked for once more.
const PAUSE: Duration = Duration::from_millis(100);

/// How a client proves who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Sasl {
    #[default]
    None,
    Plain(Password),
    ScramSha256(Password),
    ScramSha512(Password),
    OAuthBearer(TokenSource),
    /// A way that KEDA has and this version lacks, as the user wrote it.
    Later(&'static str),
}

/// A cluster with everything that makes its connections different from another's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cluster {
    /// `host:port` texts, tried in this order.
    pub(crate) bootstrap: Vec<String>,
    pub(crate) sasl: Sasl,
    pub(crate) tls: Option<TlsSettings>,
}

/// Which topics a question is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topics {
    /// These.
    Named(Vec<String>),
    /// Those that the group committed offsets for.
    Committed,
    /// All of the cluster; the group must have members.
    All,
}

/// Something to ask a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// How far a group is behind.
    Lag {
        group: String,
        topics: Topics,
        /// The partitions that count, ascending; all without it.
        only: Option<Vec<i32>>,
    },
    /// Which topics and groups there are.
    Inventory,
}

/// What a cluster answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Offsets of each topic.
    Offsets(Arc<Vec<TopicOffsets>>),
    /// Topics and groups.
    Inventory(Arc<Inventory>),
}

/// The offsets of a topic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TopicOffsets {
    pub(crate) topic: String,
    pub(crate) partitions: Vec<PartitionOffsets>,
}

/// The offsets of a partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PartitionOffsets {
    pub(crate) partition: i32,
    /// Where the group is; `None` if it never committed.
    pub(crate) committed: Option<i64>,
    /// Where producers are.
    pub(crate) newest: i64,
}

/// What a cluster has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inventory {
    /// Each topic, and how many partitions it has; without those of Kafka itself.
    pub(crate) topics: Vec<(String, usize)>,
    /// Each group, and the state it is in, which old brokers do not tell.
    pub(crate) groups: Vec<(String, String)>,
}

/// The connections to one cluster.
pub(crate) struct Kafka {
    brokers: Brokers,
}

impl Source for Kafka {
    type Key = Cluster;
    type Question = Question;
    type Answer = Answer;
    const PROTOCOL: &'static str = "kafka";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.kafka
    }

    fn endpoint(key: &Cluster) -> String {
        key.bootstrap.join(",")
    }

    fn together(_key: &Cluster) -> usize {
        TOGETHER
    }

    async fn open(key: &Cluster, connect: &Connect) -> Result<Self, ScalerError> {
        let tls = key.tls.as_ref().map(|tls| tls.client(connect)).transpose()?;
        let way = Way {
            tls: tls.map(|config| TlsConnector::from(Arc::new(config))),
            login: login(&key.sasl, connect)?,
            patience: connect.timeout,
        };
        let brokers = Brokers::new(Self::endpoint(key), key.bootstrap.clone(), way);
        brokers.any().await?;
        Ok(Self { brokers })
    }

    /// The protocol says which errors are gone when routing was refreshed: what meets one of those is asked once more.
    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        let all: Vec<&Question> = questions.iter().collect();
        let mut answers = round::answer(&self.brokers, &all).await;
        let again = |answer: &Result<Answer, Fault>| answer.as_ref().is_err_and(|fault| fault.again);
        let places: Vec<usize> = (0..answers.len())
            .filter(|place| again(&answers[*place]))
            .collect();
        if !places.is_empty() {
            tokio::time::sleep(PAUSE).await;
            let rest: Vec<&Question> = places.iter().map(|place| all[*place]).collect();
            for (place, answer) in places.into_iter().zip(round::answer(&self.brokers, &rest).await) {
                answers[place] = answer;
            }
        }
        let plain = |answer: Result<Answer, Fault>| answer.map_err(|fault| fault.error);
        answers.into_iter().map(plain).collect()
    }
}

fn login(sasl: &Sasl, connect: &Connect) -> Result<Option<Login>, ScalerError> {
    Ok(match sasl {
        Sasl::None => None,
        Sasl::Plain(pair) => Some(Login::Plain(pair.clone())),
        Sasl::ScramSha256(pair) => Some(Login::ScramSha256(pair.clone())),
        Sasl::ScramSha512(pair) => Some(Login::ScramSha512(pair.clone())),
        Sasl::OAuthBearer(source) => Some(Login::Token(Tokens::new(source.clone(), connect)?)),
        Sasl::Later(name) => {
            let text = format!("`{name}` is not in this version yet, so the cluster cannot be asked");
            return Err(ScalerError::Setting(text));
        }
    })
}

#[cfg(test)]
mod tests;
