//! The monitoring endpoint of NATS: what JetStream says of an account, from one server or from all of a cluster.
//!
//! ```text
//! Question ──▶ GET /jsz at the endpoint ─ alone ──▶ Report
//!                         └ cluster ──▶ GET /varz ──▶ each node's /jsz ──▶ Reports, each with its server's name
//! ```
//!
//! Only the leader of a consumer counts what it has pending. Asking every node of a cluster finds all leaders at once,
//! for all triggers of the account, and leaves no cached leader to go stale.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use reqwest::Url;
use serde::Deserialize;

use super::http::{self, Http, Origin, origin_of};
use super::http_auth::Credentials;
use crate::ScalerError;
use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;

/// More nodes than any cluster has: what is beyond is not asked.
const MOST_NODES: usize = 64;

/// A monitoring endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// Whether TLS is spoken.
    pub(crate) https: bool,
    /// `host:port`.
    pub(crate) address: String,
}

/// What JetStream says of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// The account to ask for.
    pub(crate) account: String,
}

/// What every server said.
#[derive(Clone, Debug)]
pub(crate) struct Answer(pub(crate) Arc<Vec<Report>>);

/// What one server said.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Its name; a server that is alone need not have one.
    pub(crate) server: Option<String>,
    /// The accounts it told of, or why there are none.
    pub(crate) accounts: Result<Vec<Account>, ScalerError>,
}

/// An account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename = "stream_detail")]
    pub(crate) streams: Option<Vec<Stream>>,
}

/// A stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) config: Option<StreamConfig>,
    pub(crate) state: Option<StreamState>,
    #[serde(rename = "consumer_detail")]
    pub(crate) consumers: Option<Vec<Consumer>>,
}

/// Settings of a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamConfig {
    pub(crate) subjects: Option<Vec<String>>,
}

/// Figures of a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamState {
    pub(crate) messages: u64,
}

/// A consumer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Consumer {
    pub(crate) name: String,
    pub(crate) config: Option<ConsumerConfig>,
    pub(crate) num_pending: Option<u64>,
    pub(crate) num_ack_pending: Option<i64>,
    pub(crate) cluster: Option<Leader>,
}

/// Settings of a consumer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConsumerConfig {
    pub(crate) filter_subject: Option<String>,
    pub(crate) filter_subjects: Option<Vec<String>>,
}

/// Who leads a group of servers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Leader {
    pub(crate) leader: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Jsz {
    account_details: Option<Vec<Account>>,
    meta_cluster: Option<Meta>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    cluster_size: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Varz {
    server_name: Option<String>,
    cluster: Option<Routes>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Routes {
    urls: Option<Vec<String>>,
}

/// A monitoring endpoint, and through it the nodes of its cluster.
pub(crate) struct Monitoring {
    base: Url,
    http: Http,
}

impl Endpoint {
    fn text(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The URL of the server, or `None` where the address is none.
    pub(crate) fn url(&self) -> Option<Url> {
        let url = self.text().parse::<Url>().ok()?;
        url.host_str().is_some_and(|host| !host.is_empty()).then_some(url)
    }
}

impl Source for Monitoring {
    type Key = Endpoint;
    type Question = Question;
    type Answer = Answer;
    const PROTOCOL: &'static str = "http";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.nats_monitoring
    }

    fn endpoint(key: &Endpoint) -> String {
        key.url()
            .map_or_else(|| "an unreadable address".to_owned(), |url| origin_of(&url))
    }

    async fn open(key: &Endpoint, connect: &Connect) -> Result<Self, ScalerError> {
        let base = key.url().ok_or_else(|| {
            ScalerError::Setting("`natsServerMonitoringEndpoint` must be `host:port`".to_owned())
        })?;
        let origin = Origin {
            base: origin_of(&base),
            credentials: Credentials::default(),
            tls: TlsSettings::default(),
        };
        let http = Http::open(&origin, connect).await?;
        Ok(Self { base, http })
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        join_all(questions.iter().map(|question| self.answer(question))).await
    }
}

impl Monitoring {
    async fn answer(&self, question: &Question) -> Result<Answer, ScalerError> {
        let first = read::<Jsz>(&self.get(jsz(&self.base, question)).await?, "jsz")?;
        if first.meta_cluster.is_none_or(|meta| meta.cluster_size <= 1) {
            let alone = Report {
                server: None,
                accounts: Ok(first.account_details.unwrap_or_default()),
            };
            return Ok(Answer(Arc::new(vec![alone])));
        }
        // DEVIATION: upstream looks for the leader of one consumer, node by node, and remembers it.
        let varz = read::<Varz>(&self.get(at(&self.base, "varz")).await?, "varz")?;
        let mut nodes: Vec<Url> = varz
            .cluster
            .and_then(|routes| routes.urls)
            .unwrap_or_default()
            .iter()
            .filter_map(|route| node(&self.base, route))
            .collect();
        nodes.sort();
        nodes.dedup();
        nodes.truncate(MOST_NODES);
        if nodes.is_empty() {
            return Err(ScalerError::Value(
                "the cluster names no routes to its nodes".to_owned(),
            ));
        }
        let reports = nodes.iter().map(|node| self.report(node, question));
        Ok(Answer(Arc::new(join_all(reports).await)))
    }

    /// What one node of a cluster says. That a node is lost says nothing about the consumers of others.
    async fn report(&self, node: &Url, question: &Question) -> Report {
        let (varz, jsz) = futures::join!(self.get(at(node, "varz")), self.get(jsz(node, question)));
        let name = varz.and_then(|body| read::<Varz>(&body, "varz"));
        let accounts = jsz
            .and_then(|body| read::<Jsz>(&body, "jsz"))
            .map(|jsz| jsz.account_details.unwrap_or_default());
        match name {
            Ok(varz) => Report {
                server: varz.server_name,
                accounts,
            },
            Err(error) => Report {
                server: None,
                accounts: Err(error),
            },
        }
    }

    async fn get(&self, url: Url) -> Result<Bytes, ScalerError> {
        let mut answers = self.http.ask(&[http::Question::Get(url)]).await;
        match answers.pop() {
            Some(Ok(http::Answer::One(body))) => Ok(body),
            Some(Err(error)) => Err(error),
            Some(Ok(http::Answer::Each(_))) | None => Err(ScalerError::Value("there is no reply".to_owned())),
        }
    }
}

/// What JetStream says of an account.
fn jsz(server: &Url, question: &Question) -> Url {
    let mut url = at(server, "jsz");
    url.query_pairs_mut()
        .append_pair("acc", &question.account)
        .append_pair("config", "true")
        .append_pair("consumers", "true");
    url
}

/// A path below a server's own.
fn at(server: &Url, path: &str) -> Url {
    let mut url = server.clone();
    let base = server.path().trim_end_matches('/');
    url.set_path(&format!("{base}/{path}"));
    url
}

/// The monitoring endpoint of the node that a route leads to: its host with the port of the endpoint.
fn node(base: &Url, route: &str) -> Option<Url> {
    let route = if route.contains("://") {
        route.parse::<Url>()
    } else {
        format!("nats://{route}").parse::<Url>()
    };
    let route = route.ok()?;
    let mut url = base.clone();
    url.set_host(Some(route.host_str().filter(|host| !host.is_empty())?))
        .ok()?;
    Some(url)
}

/// The parser's message is dropped: it may quote the reply.
fn read<T: serde::de::DeserializeOwned>(body: &[u8], what: &str) -> Result<T, ScalerError> {
    serde_json::from_slice(body)
        .map_err(|_| ScalerError::Value(format!("the reply of /{what} cannot be read")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_node_has_the_port_of_the_endpoint() {
        let base = Endpoint {
            https: false,
            address: "nats.example.svc:8222".to_owned(),
        };
        let base = base.url().expect("a URL");
        let node = |route| node(&base, route).map(String::from);
        assert_eq!(node("10.0.0.7:6222").as_deref(), Some("http://10.0.0.7:8222/"));
        assert_eq!(
            node("nats-route://nats-1.nats.svc:6222").as_deref(),
            Some("http://nats-1.nats.svc:8222/")
        );
        assert_eq!(node("[::1]:6222").as_deref(), Some("http://[::1]:8222/"));
        assert_eq!(node(""), None);
    }

    #[test]
    fn paths_stand_below_that_of_the_endpoint() {
        let url = Endpoint {
            https: true,
            address: "proxy.example:443/nats/".to_owned(),
        };
        let url = url.url().expect("a URL");
        assert_eq!(at(&url, "jsz").as_str(), "https://proxy.example/nats/jsz");
        let nothing = Endpoint {
            https: true,
            address: String::new(),
        };
        assert_eq!(nothing.url(), None);
    }

    proptest! {
        #[test]
        fn replies_never_panic(body in ".{0,80}") {
            let _ = read::<Jsz>(body.as_bytes(), "jsz");
            let _ = read::<Varz>(body.as_bytes(), "varz");
        }
    }
}
