//! `nats-jetstream`: scales on the messages that a JetStream consumer has before it.

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use reqwest::Url;
use scalers_derive::TriggerMetadata;

use self::push::Push;
use crate::escape::unescaped;
use crate::metadata::Reader;
use crate::observer::Asker;
use crate::pool::Pool;
use crate::scaler::{Metric, Offer, Pushed, Reading, ScalerType, Target, Trigger};
use crate::source::nats::{Login, Servers};
use crate::source::nats_monitoring::{Answer, Consumer, Endpoint, Monitoring, Question, Stream};
use crate::tls::TlsSettings;
use crate::{ScalerError, Secret};

mod push;

/// Subjects that are listened to at most where a server names them.
const MOST_SUBJECTS: usize = 1_000;

pub(super) const NATS_JETSTREAM: ScalerType = ScalerType::new::<JetStream>(
    "nats-jetstream",
    "Messages that a JetStream consumer has before it",
    "{ natsServerMonitoringEndpoint: \"nats.default.svc:8222\", account: $G, stream: ORDERS, consumer: billing }",
)
.noting(NOTES);

const NOTES: &str = r#"The value is what the consumer has pending and what it was given and did not acknowledge yet. In a cluster the leader of
the consumer counts; all nodes are asked, at the hosts of the routes that the endpoint names and the port of the endpoint.
Triggers of one account share the requests.

**Push (not in KEDA).** With `push: "true"` and `pushServer`, a message activates at once, between two polls. A plain
subscription listens to the subjects of the stream, or to those that the consumer filters; it takes nothing from the stream
or its consumers, and needs only the permission to subscribe. It ends itself at the server after one message and begins
anew, so a busy stream costs one message a subject and second, however large it is. With `activationLagThreshold` above 0
a message is a reason to look at the consumer; only the value activates. Messages that reach a stream by mirroring are left
to the polls, which go on. Users and tokens are understood, credentials files are not yet."#;

/// Settings of a `nats-jetstream` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct JetStream {
    /// Name of the account; required unless `accountID` is given.
    #[keda(from(auth, metadata))]
    account: Option<String>,
    /// ID of the account.
    #[keda(name = "accountID", from(auth, metadata))]
    account_id: Option<String>,
    /// Name of the stream.
    stream: String,
    /// Name of the consumer.
    consumer: String,
    /// Messages that one replica should have before it.
    #[keda(default = "10")]
    lag_threshold: i64,
    /// Messages above which the trigger is active.
    #[keda(default = "0")]
    activation_lag_threshold: i64,
    /// Whether the monitoring endpoint speaks TLS.
    #[keda(default = "false")]
    use_https: bool,
    /// `host:port` of the monitoring endpoint.
    #[keda(from(auth, metadata))]
    nats_server_monitoring_endpoint: String,
    /// Not in KEDA: whether a message activates between two polls.
    #[keda(default = "false")]
    push: bool,
    /// Not in KEDA: `nats://host:port` of the servers to listen to, between commas; `tls://` for TLS.
    #[keda(from(metadata, auth), default = "")]
    push_server: Vec<String>,
    /// Not in KEDA: subjects to listen to, between commas, in place of those of the stream.
    #[keda(default = "")]
    push_subjects: Vec<String>,
    /// Not in KEDA: user to listen as.
    #[keda(from(auth))]
    push_username: Option<String>,
    /// Not in KEDA: password of that user.
    #[keda(from(auth))]
    push_password: Option<Secret<String>>,
    /// Not in KEDA: token to listen with.
    #[keda(from(auth))]
    push_token: Option<Secret<String>>,
    /// Not in KEDA: PEM certificates that are trusted beside those of the system, where it listens.
    #[keda(from(auth))]
    push_ca: Option<Secret<String>>,
    /// Not in KEDA: PEM chain of the client that listens.
    #[keda(from(auth))]
    push_cert: Option<Secret<String>>,
    /// Not in KEDA: PEM key of the client that listens.
    #[keda(from(auth))]
    push_key: Option<Secret<String>>,
}

impl Trigger for JetStream {
    type Source = Monitoring;

    fn check(&self, reader: &mut Reader<'_>) {
        if self.account.is_none() && self.account_id.is_none() {
            reader.missing("account", "missing `account` or `accountID`");
        }
        // Upstream finds it out when the metric is read.
        if self.source().url().is_none() {
            reader.warning(
                "natsServerMonitoringEndpoint",
                "`natsServerMonitoringEndpoint` must be `host:port`",
            );
        }
        if self.push && self.push_server.is_empty() {
            reader.missing("pushServer", "missing `pushServer`, which `push` asks for");
        }
        if self.push_server.iter().any(|text| address(text).is_none()) {
            reader.error(
                "pushServer",
                "`pushServer` must be `nats://host:port` or `tls://host:port`",
            );
        }
        if !self.push && !self.push_server.is_empty() {
            reader.warning("pushServer", "`pushServer` needs `push: \"true\"`");
        }
        if self.push_cert.is_some() != self.push_key.is_some() {
            reader.missing("pushCert", "`pushCert` and `pushKey` must be given together");
        }
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let metric = Metric::new(
            format!("nats-jetstream-{}", self.stream),
            Target::Whole(self.lag_threshold),
        );
        Some(vec![metric.active_above(self.activation_lag_threshold as f64)])
    }

    fn source(&self) -> Endpoint {
        Endpoint {
            https: self.use_https,
            address: self.nats_server_monitoring_endpoint.clone(),
        }
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        Ok(self.asked())
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        Ok(vec![Reading::from(self.lag(answer)?)])
    }

    fn inventory_question(&self) -> Option<Question> {
        Some(self.asked())
    }

    fn read_inventory(&self, answer: &Answer) -> Result<Vec<Offer>, ScalerError> {
        let mut offers = Vec::new();
        for stream in self.streams(answer).map(|(_, stream)| stream) {
            let messages = stream.state.as_ref().map(|state| state.messages);
            offers.push(Offer {
                parameter: "stream",
                value: stream.name.clone(),
                note: messages
                    .map(|count| format!("{count} messages"))
                    .unwrap_or_default(),
            });
            for consumer in stream.consumers.iter().flatten() {
                offers.push(Offer {
                    parameter: "consumer",
                    value: consumer.name.clone(),
                    note: format!("of stream {}", stream.name),
                });
            }
        }
        Ok(offers)
    }

    fn push(&self, pool: &Pool, asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        if !self.push {
            return None;
        }
        let push = Push::new(
            self.clone(),
            pool.opener(&self.servers(), asker),
            self.opener(pool, asker),
        );
        Some(stream::unfold(push, Push::next).boxed())
    }
}

impl JetStream {
    fn account_id(&self) -> &str {
        let id = self.account_id.as_deref().or(self.account.as_deref());
        id.unwrap_or_default()
    }

    fn asked(&self) -> Question {
        Question {
            account: self.account_id().to_owned(),
        }
    }

    /// The streams of the account, each with the name of the server that told of it.
    fn streams<'a>(&'a self, answer: &'a Answer) -> impl Iterator<Item = (Option<&'a str>, &'a Stream)> {
        let own = |account: &&crate::source::nats_monitoring::Account| {
            account.id == self.account_id() || self.account.as_ref().is_some_and(|name| *name == account.name)
        };
        answer.0.iter().flat_map(move |report| {
            let accounts = report.accounts.as_ref().into_iter().flatten();
            accounts
                .filter(own)
                .flat_map(|account| account.streams.iter().flatten())
                .map(|stream| (report.server.as_deref(), stream))
        })
    }

    /// The consumer as each server sees it.
    fn consumers<'a>(
        &'a self,
        answer: &'a Answer,
    ) -> impl Iterator<Item = (Option<&'a str>, &'a Stream, &'a Consumer)> {
        let streams = self
            .streams(answer)
            .filter(|(_, stream)| stream.name == self.stream);
        streams.flat_map(|(server, stream)| {
            let consumers = stream.consumers.iter().flatten();
            consumers
                .filter(|consumer| consumer.name == self.consumer)
                .map(move |consumer| (server, stream, consumer))
        })
    }

    /// Upstream: `getMaxMsgLag`; only the leader of a consumer knows.
    fn lag(&self, answer: &Answer) -> Result<f64, ScalerError> {
        let Self { stream, consumer, .. } = self;
        let alone = answer.0.len() == 1 && answer.0.iter().all(|report| report.server.is_none());
        let mut leader = None;
        for (server, _, seen) in self.consumers(answer) {
            leader = seen
                .cluster
                .as_ref()
                .and_then(|cluster| cluster.leader.as_deref());
            if alone || leader.is_some() && leader == server {
                let (Some(pending), Some(unacknowledged)) = (seen.num_pending, seen.num_ack_pending) else {
                    return Err(ScalerError::Value(format!(
                        "the server does not say what the consumer `{consumer}` has pending"
                    )));
                };
                return Ok(pending as f64 + unacknowledged as f64);
            }
        }
        // A node that did not answer may be the one that knows.
        let unanswered = answer.0.iter().find_map(|report| report.accounts.as_ref().err());
        if let Some(error) = unanswered {
            return Err(error.clone());
        }
        Err(ScalerError::Value(match leader {
            Some(leader) => {
                format!(
                    "the leader `{leader}` of the consumer `{consumer}` is not among the nodes that were asked"
                )
            }
            None if self.consumers(answer).next().is_some() => {
                format!("the consumer `{consumer}` of the stream `{stream}` has no leader")
            }
            None if self.streams(answer).any(|(_, seen)| seen.name == *stream) => {
                format!("the stream `{stream}` has no consumer `{consumer}`")
            }
            None => format!("the account `{}` has no stream `{stream}`", self.account_id()),
        }))
    }

    /// What to listen to for a consumer that is asked about.
    fn listened(&self, answer: &Answer) -> Result<Vec<String>, ScalerError> {
        let subjects = self.subjects(answer);
        let Self { stream, consumer, .. } = self;
        let reason = match subjects.len() {
            0 => format!(
                "there is no consumer `{consumer}` of the stream `{stream}` with subjects to listen to"
            ),
            1..=MOST_SUBJECTS => return Ok(subjects),
            more => format!(
                "the consumer `{consumer}` of the stream `{stream}` has {more} subjects, and no more than \
                 {MOST_SUBJECTS} are listened to"
            ),
        };
        Err(ScalerError::Value(format!("{reason}; `pushSubjects` names them")))
    }

    /// The subjects to listen to: those given, or those of the consumer, or those of the stream.
    fn subjects(&self, answer: &Answer) -> Vec<String> {
        let Some((_, stream, consumer)) = self.consumers(answer).next() else {
            return Vec::new();
        };
        let filter = consumer.config.clone().unwrap_or_default();
        let mut subjects = filter.filter_subjects.unwrap_or_default();
        subjects.extend(filter.filter_subject);
        subjects.retain(|subject| !subject.is_empty());
        if subjects.is_empty() {
            subjects.extend(
                stream
                    .config
                    .iter()
                    .flat_map(|config| config.subjects.iter().flatten())
                    .cloned(),
            );
        }
        subjects
    }

    /// Where it listens. Credentials in an address count as if they were given apart.
    fn servers(&self) -> Servers {
        let urls: Vec<Url> = self.push_server.iter().filter_map(|text| address(text)).collect();
        let in_url = urls.iter().find(|url| !url.username().is_empty());
        let login = Login {
            username: self
                .push_username
                .clone()
                .or_else(|| in_url.map(|url| unescaped(url.username()))),
            password: self.push_password.clone().or_else(|| {
                in_url
                    .and_then(Url::password)
                    .map(|text| Secret::new(unescaped(text)))
            }),
            token: self.push_token.clone(),
        };
        let own = self.push_ca.is_some() || self.push_cert.is_some();
        let tls = (own || urls.iter().any(|url| url.scheme() == "tls")).then(|| TlsSettings {
            ca: self.push_ca.clone(),
            certificate: self.push_cert.clone(),
            key: self.push_key.clone(),
            key_password: None,
            unsafe_ssl: false,
        });
        let bare = |mut url: Url| {
            // They fail only for URLs without a host.
            let _ = (url.set_username(""), url.set_password(None));
            url.to_string()
        };
        Servers {
            addresses: urls.into_iter().map(bare).collect(),
            login,
            tls,
        }
    }
}

/// The URL of a server; without a scheme it is `nats://`.
fn address(text: &str) -> Option<Url> {
    let url = if text.contains("://") {
        text.parse::<Url>().ok()?
    } else {
        format!("nats://{text}").parse::<Url>().ok()?
    };
    let host = url.host_str().is_some_and(|host| !host.is_empty());
    (host && matches!(url.scheme(), "nats" | "tls")).then_some(url)
}

#[cfg(test)]
mod tests;
