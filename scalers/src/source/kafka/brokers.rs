//! The brokers of one cluster: one connection each, opened when needed, and which of them keeps a group's offsets.
//!
//! Connections are known by their address, so that a bootstrap server that the cluster advertises under the same
//! address is reached by one connection, not by two.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use kafka_protocol::error::ResponseError;

use super::api;
use super::connection::{Connection, Way};
use super::reply::{self, Coordinator, Metadata};
use crate::ScalerError;

/// How many brokers a round waits for, one after the other.
const PHASES: u32 = 3;
/// A bootstrap server has a third of the time before the next is tried beside it; one of more than three has less.
const AT_LEAST: u32 = 3;
/// How many connections are kept.
const MOST_SLOTS: usize = 2 * reply::MOST_BROKERS;
/// How many coordinators are remembered. Groups beyond that are asked for each time.
const MOST_COORDINATORS: usize = 100_000;

/// Why there is no value, and whether asking once more might help.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) error: ScalerError,
    pub(super) again: bool,
}

impl From<ScalerError> for Fault {
    fn from(error: ScalerError) -> Self {
        let again = error.is_connection_lost();
        Self { error, again }
    }
}

impl Fault {
    /// What a code of Kafka means; `about` says whose code it is.
    pub(super) fn code(code: i16, endpoint: &str, about: &str) -> Option<Self> {
        let error = ResponseError::try_from_code(code)?;
        let refused = matches!(
            error,
            ResponseError::TopicAuthorizationFailed
                | ResponseError::GroupAuthorizationFailed
                | ResponseError::ClusterAuthorizationFailed
        );
        let text = format!("{error} for {about}");
        let again = error.is_retriable();
        let error = if refused {
            ScalerError::Unauthorized {
                endpoint: endpoint.to_owned(),
                source: Arc::new(std::io::Error::other(text)),
            }
        } else {
            ScalerError::Answer {
                endpoint: endpoint.to_owned(),
                answer: text,
            }
        };
        Some(Self { error, again })
    }

    /// A broker that the cluster named cannot be reached; the cluster itself can.
    ///
    /// It is no lost connection for the pool, which would close the connections to the other brokers, too.
    fn broker(error: &ScalerError, bootstrap: &str) -> Self {
        let text = format!("{}, which {bootstrap} named as a broker", error.chain());
        Self {
            error: ScalerError::Value(text),
            again: true,
        }
    }
}

/// One address, and the connection to it once there is one.
#[derive(Default)]
struct Slot {
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
}

/// The connections to one cluster.
pub(super) struct Brokers {
    endpoint: String,
    bootstrap: Vec<String>,
    way: Way,
    /// How long one bootstrap server may take to let us in, so that the next has a chance.
    attempt: Duration,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    /// The bootstrap server that answered last.
    good: Mutex<Option<String>>,
    coordinators: Mutex<HashMap<String, String>>,
}

impl Brokers {
    pub(super) fn new(endpoint: String, bootstrap: Vec<String>, way: Way) -> Self {
        let servers = u32::try_from(bootstrap.len()).unwrap_or(u32::MAX);
        Self {
            endpoint,
            bootstrap,
            attempt: way.patience / servers.clamp(1, AT_LEAST),
            way,
            slots: Mutex::default(),
            good: Mutex::default(),
            coordinators: Mutex::default(),
        }
    }

    /// The bootstrap servers as text.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The connection to an address, opened if need be.
    async fn connection(&self, address: &str) -> Result<Arc<Connection>, ScalerError> {
        let slot = self.slot(address);
        let mut held = slot.connection.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| connection.is_usable()) {
            return Ok(Arc::clone(connection));
        }
        // The old one may still answer what it was asked; it closes with its last caller.
        *held = None;
        let opened = tokio::time::timeout(self.attempt, Connection::open(address, &self.way)).await;
        let late = |_| ScalerError::TimedOut {
            endpoint: address.to_owned(),
            after: self.attempt,
        };
        let connection = Arc::new(opened.map_err(late)??);
        *held = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// The place of an address in the table. A cluster that names ever new ones loses the connections that are not being
    /// opened just now.
    fn slot(&self, address: &str) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if slots.len() >= MOST_SLOTS && !slots.contains_key(address) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(address.to_owned()).or_default())
    }

    /// The connection to a broker that the cluster named.
    pub(super) async fn named(&self, address: &str) -> Result<Arc<Connection>, Fault> {
        self.connection(address).await.map_err(|error| match error {
            ScalerError::Unreachable { .. } | ScalerError::TimedOut { .. }
                if !self.bootstrap.iter().any(|server| server == address) =>
            {
                Fault::broker(&error, &self.endpoint)
            }
            error => Fault::from(error),
        })
    }

    /// Waits for one broker of several no longer than a part of the time, so that it does not hold up the others.
    pub(super) async fn among<T>(
        &self,
        brokers: usize,
        address: &str,
        asked: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        if brokers < 2 {
            return asked.await;
        }
        let after = self.way.patience / PHASES;
        let answer = tokio::time::timeout(after, asked).await;
        answer.unwrap_or_else(|_| {
            let endpoint = address.to_owned();
            Err(Fault::from(ScalerError::TimedOut { endpoint, after }))
        })
    }

    /// A connection to any bootstrap server: the one that answered last, then the others as they were given. The next one is
    /// tried when one fails, and beside one that says nothing for a while, so that the last of many silent ones is heard too.
    pub(super) async fn any(&self) -> Result<Arc<Connection>, ScalerError> {
        let good = lock(&self.good).clone();
        let others = self
            .bootstrap
            .iter()
            .filter(|server| Some(*server) != good.as_ref());
        let mut servers = good.iter().chain(others);
        let turn = self.way.patience
            / u32::try_from(self.bootstrap.len())
                .unwrap_or(u32::MAX)
                .max(AT_LEAST);
        let mut tries = FuturesUnordered::new();
        let mut first = None;
        loop {
            let next = servers.next();
            tries.extend(next.map(|server| async move { (server, self.connection(server).await) }));
            let ended = match next {
                Some(_) => tokio::time::timeout(turn, tries.next()).await,
                None => Ok(tries.next().await),
            };
            match ended {
                Ok(Some((server, Ok(connection)))) => {
                    *lock(&self.good) = Some(server.clone());
                    return Ok(connection);
                }
                // Credentials are the same everywhere: trying them elsewhere could lock the user out.
                Ok(Some((_, Err(error @ (ScalerError::Unauthorized { .. } | ScalerError::Setting(_)))))) => {
                    return Err(error);
                }
                Ok(Some((_, Err(error)))) => {
                    first.get_or_insert(error);
                }
                Ok(None) => break,
                Err(_) => {}
            }
        }
        Err(first.unwrap_or_else(|| ScalerError::Setting("there is no bootstrap server".to_owned())))
    }

    /// Topics and their leaders; all of them without names. Connections to brokers that left are dropped.
    pub(super) async fn metadata(&self, topics: Option<Vec<&str>>) -> Result<Metadata, Fault> {
        let connection = self.any().await?;
        let version = connection.version(api::METADATA)?;
        let request = api::metadata(topics);
        let reader = connection.call(api::METADATA, version, &request).await?;
        let metadata = connection.read(api::METADATA, reply::metadata(reader, version))?;
        let known: BTreeSet<&String> = metadata.brokers.values().chain(&self.bootstrap).collect();
        lock(&self.slots).retain(|address, _| known.contains(address));
        Ok(metadata)
    }

    /// Which address keeps the offsets of each group.
    pub(super) async fn coordinators<'a>(
        &self,
        groups: &BTreeSet<&'a str>,
    ) -> BTreeMap<&'a str, Result<String, Fault>> {
        let mut found = BTreeMap::new();
        let mut unknown = Vec::new();
        {
            let known = lock(&self.coordinators);
            for group in groups {
                match known.get(*group) {
                    Some(address) => drop(found.insert(*group, Ok(address.clone()))),
                    None => unknown.push(*group),
                }
            }
        }
        if unknown.is_empty() {
            return found;
        }
        let replies = match self.find(&unknown).await {
            Ok(replies) => replies,
            Err(fault) => {
                found.extend(unknown.into_iter().map(|group| (group, Err(fault.clone()))));
                return found;
            }
        };
        for group in unknown {
            found.insert(group, self.coordinator(group, replies.get(group)));
        }
        found
    }

    fn coordinator(&self, group: &str, reply: Option<&Coordinator>) -> Result<String, Fault> {
        let Some(reply) = reply else {
            return Err(Fault::from(ScalerError::Answer {
                endpoint: self.endpoint.clone(),
                answer: format!("without the coordinator of the group `{group}`"),
            }));
        };
        if let Some(fault) = Fault::code(reply.error, &self.endpoint, &format!("the group `{group}`")) {
            return Err(fault);
        }
        let mut known = lock(&self.coordinators);
        if known.len() < MOST_COORDINATORS {
            known.insert(group.to_owned(), reply.address.clone());
        }
        Ok(reply.address.clone())
    }

    async fn find(&self, groups: &[&str]) -> Result<HashMap<String, Coordinator>, Fault> {
        let connection = self.any().await?;
        let version = connection.version(api::COORDINATOR)?;
        let at_once = if version >= api::MANY_COORDINATORS {
            groups.len()
        } else {
            1
        };
        let asked = groups.chunks(at_once).map(|groups| {
            let connection = &connection;
            async move {
                let request = api::coordinators(version, groups);
                let reader = connection.call(api::COORDINATOR, version, &request).await?;
                let first = groups.first().copied().unwrap_or_default();
                connection.read(api::COORDINATOR, reply::coordinators(reader, version, first))
            }
        });
        let replies: Result<Vec<_>, ScalerError> = join_all(asked).await.into_iter().collect();
        let all = replies?.into_iter().flatten();
        Ok(all.map(|reply| (reply.group.clone(), reply)).collect())
    }

    /// Forgets who keeps the offsets of a group, as it is somebody else by now.
    pub(super) fn forget(&self, group: &str) {
        lock(&self.coordinators).remove(group);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave these tables half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_without_end_are_not_kept() {
        let way = Way {
            tls: None,
            login: None,
            patience: Duration::from_secs(3),
        };
        let brokers = Brokers::new("kafka:9092".to_owned(), vec!["kafka:9092".to_owned()], way);
        for number in 0..2 * MOST_SLOTS {
            let error = brokers
                .named(&format!("no-port-{number}"))
                .await
                .err()
                .expect("no address");
            assert!(error.error.to_string().contains("no-port-"));
        }
        let kept = lock(&brokers.slots).len();
        assert!(kept <= MOST_SLOTS, "{kept}");
    }
}
