//! `kafka`: one topic, or those that the group committed offsets for.
//!
//! Upstream: `pkg/scalers/kafka_scaler.go`.

use std::collections::BTreeMap;

use scalers_derive::TriggerMetadata;

use super::{Connection, LagSettings, Memory, ascending, offers, offsets, warn_later};
use crate::metadata::{Kind, MOST_NUMBERS, Reader, UrlQuery, Value, fits, word};
use crate::scaler::{Metric, Offer, Reading, Trigger};
use crate::source::http_auth::OAuth;
use crate::source::kafka::{self as source, Answer, Cluster, Question, Sasl, TokenSource, Topics};
use crate::{ScalerError, Secret};

word! {
    /// How to log in.
    Mechanism {
        None = "none",
        Plaintext = "plaintext",
        ScramSha256 = "scram_sha256",
        ScramSha512 = "scram_sha512",
        OAuthBearer = "oauthbearer",
        Gssapi = "gssapi",
    }
}

word! {
    /// Where tokens come from.
    TokenProvider {
        Bearer = "bearer",
        AwsMskIam = "aws_msk_iam",
    }
}

/// Numbers of partitions.
#[derive(Clone, Debug, Default, PartialEq)]
struct Partitions(Vec<i32>);

impl Value for Partitions {
    const KIND: Kind = Kind::Integers;

    /// Upstream: `ParseInt32List`.
    fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let wrong = || "must be numbers of partitions and ranges such as `1,3-5`".to_owned();
            text.trim().parse::<i32>().map_err(|_| wrong())
        };
        let mut all = Vec::new();
        for element in text.split(',').map(str::trim) {
            let (low, high) = element.split_once('-').unwrap_or((element, element));
            let (low, high) = (number(low)?, number(high)?);
            // DEVIATION: upstream has no limit.
            if !fits(all.len(), low.into(), high.into()) {
                return Err(format!("must not hold more than {MOST_NUMBERS} numbers"));
            }
            all.extend(low..=high);
        }
        Ok(Self(all))
    }
}

/// Settings of a trigger that follows a group.
#[derive(Clone, Debug, TriggerMetadata)]
pub(super) struct Kafka {
    /// Group and lag.
    #[keda(block)]
    group: LagSettings,
    /// The topic whose lag counts; without it, every topic that the group committed offsets for.
    #[keda(from(metadata, env))]
    topic: Option<String>,
    /// The partitions that count, as numbers and ranges between commas; needs `topic`.
    partition_limitation: Option<Partitions>,
    // DEVIATION: upstream keeps the metadata of all topics, and speaks the version that is given.
    /// Accepted and not needed: only what is needed is ever asked for.
    #[keda(default = "true")]
    full_metadata: bool,
    /// Accepted and not needed: the version of the protocol is agreed on with each broker.
    #[keda(default = "1.0.0")]
    version: String,
    /// Whether any certificate of the brokers will do.
    #[keda(default = "false")]
    unsafe_ssl: bool,
    /// How to log in.
    #[keda(from(metadata, auth), default = "none")]
    sasl: Mechanism,
    /// TLS and login.
    #[keda(block)]
    connection: Connection,
    /// Tokens and Kerberos.
    #[keda(block)]
    more: More,
    #[keda(skip)]
    memory: Memory,
}

/// What only some ways to log in need.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct More {
    /// For `oauthbearer`: where tokens come from.
    #[keda(from(metadata, auth), default = "bearer")]
    sasl_token_provider: TokenProvider,
    /// For `oauthbearer`: the URL that gives out tokens.
    #[keda(from(auth))]
    oauth_token_endpoint_uri: Option<String>,
    /// For `oauthbearer`: the scopes to ask for, between commas.
    #[keda(from(auth))]
    scopes: Option<String>,
    /// For `oauthbearer`: what is sent beside the token, as `key=value` between commas.
    #[keda(from(auth))]
    oauth_extensions: Option<Secret<String>>,
    /// For `gssapi`: the key table, in place of a password.
    #[keda(from(auth))]
    keytab: Option<Secret<String>>,
    /// For `gssapi`: the realm.
    #[keda(from(auth))]
    realm: Option<String>,
    /// For `gssapi`: the text of a `krb5.conf`.
    #[keda(from(auth))]
    kerberos_config: Option<Secret<String>>,
    /// For `gssapi`: the name of the brokers' service.
    #[keda(from(auth), default = "kafka")]
    kerberos_service_name: String,
    /// For `gssapi`: whether to do without FAST.
    #[keda(name = "kerberosDisableFAST", from(auth), default = "false")]
    kerberos_disable_fast: bool,
}

impl Kafka {
    fn check_mechanism(&self, reader: &mut Reader<'_>) {
        let connection = &self.connection;
        match self.sasl {
            Mechanism::None => {}
            Mechanism::Plaintext => connection.check_password(reader, "plaintext"),
            Mechanism::ScramSha256 => connection.check_password(reader, "scram_sha256"),
            Mechanism::ScramSha512 => connection.check_password(reader, "scram_sha512"),
            Mechanism::OAuthBearer if self.more.sasl_token_provider == TokenProvider::AwsMskIam => {
                connection.check_msk(reader);
                warn_later(reader, "saslTokenProvider", "aws_msk_iam");
            }
            Mechanism::OAuthBearer => {
                connection.check_password(reader, "oauthbearer");
                self.more.check_tokens(reader);
            }
            Mechanism::Gssapi => {
                self.more.check_kerberos(connection, reader);
                warn_later(reader, "sasl", "gssapi");
            }
        }
    }

    fn credentials(&self) -> Sasl {
        let login = || self.connection.login();
        match self.sasl {
            Mechanism::None => Sasl::None,
            Mechanism::Plaintext => Sasl::Plain(login()),
            Mechanism::ScramSha256 => Sasl::ScramSha256(login()),
            Mechanism::ScramSha512 => Sasl::ScramSha512(login()),
            Mechanism::Gssapi => Sasl::Later("gssapi"),
            Mechanism::OAuthBearer => match self.more.sasl_token_provider {
                TokenProvider::AwsMskIam => Sasl::Later("aws_msk_iam"),
                TokenProvider::Bearer => Sasl::OAuthBearer(self.more.tokens(login())),
            },
        }
    }
}

impl More {
    fn check_tokens(&self, reader: &mut Reader<'_>) {
        match &self.oauth_token_endpoint_uri {
            None => reader.missing(
                "oauthTokenEndpointUri",
                "missing parameter `oauthTokenEndpointUri`, which `oauthbearer` needs",
            ),
            Some(uri) if uri.parse::<reqwest::Url>().is_err() => {
                reader.warning("oauthTokenEndpointUri", "`oauthTokenEndpointUri` must be a URL");
            }
            Some(_) => {}
        }
        if self.extensions().is_none() {
            reader.error(
                "oauthExtensions",
                "`oauthExtensions` must be `key=value` between commas",
            );
        }
    }

    fn check_kerberos(&self, connection: &Connection, reader: &mut Reader<'_>) {
        let mut need = |given: bool, key: &str| {
            if !given {
                reader.missing(key, format!("missing parameter `{key}`, which `gssapi` needs"));
            }
        };
        need(connection.username.is_some(), "username");
        need(self.realm.is_some(), "realm");
        need(self.kerberos_config.is_some(), "kerberosConfig");
        match (&connection.password, &self.keytab) {
            (None, None) => need(false, "password"),
            (Some(_), Some(_)) => {
                reader.error("password", "`password` and `keytab` cannot be given together");
            }
            _ => {}
        }
    }

    /// What is sent beside a token; `None` if it is not in pairs.
    fn extensions(&self) -> Option<BTreeMap<String, Secret<String>>> {
        let Some(text) = &self.oauth_extensions else {
            return Some(BTreeMap::new());
        };
        let pair = |text: &str| {
            let (key, value) = text.split_once('=')?;
            (!value.contains('=')).then(|| (key.to_owned(), Secret::from(value)))
        };
        text.expose().split(',').map(pair).collect()
    }

    fn tokens(&self, login: source::Password) -> TokenSource {
        let scopes = self.scopes.as_deref().unwrap_or_default();
        TokenSource {
            oauth: OAuth {
                token_uri: self.oauth_token_endpoint_uri.clone().unwrap_or_default(),
                client_id: login.username,
                client_secret: login.password,
                scopes: scopes
                    .split(',')
                    .filter(|scope| !scope.is_empty())
                    .map(str::to_owned)
                    .collect(),
                parameters: UrlQuery::default(),
            },
            extensions: self.extensions().unwrap_or_default(),
        }
    }
}

impl Trigger for Kafka {
    type Source = source::Kafka;

    fn check(&self, reader: &mut Reader<'_>) {
        let group = &self.group;
        group.check(reader, self.topic.is_some());
        if group.ensure_even_distribution_of_partitions && group.limit_to_partitions_with_lag {
            reader.error(
                "limitToPartitionsWithLag",
                "`limitToPartitionsWithLag` and `ensureEvenDistributionOfPartitions` cannot be given together",
            );
        }
        if self.topic.is_none() {
            if group.ensure_even_distribution_of_partitions {
                reader.missing(
                    "topic",
                    "missing `topic`, which `ensureEvenDistributionOfPartitions` needs",
                );
            }
            if !self.full_metadata {
                reader.missing("topic", "missing `topic`, which `fullMetadata: false` needs");
            }
            if self.partition_limitation.is_some() {
                reader.warning(
                    "partitionLimitation",
                    "`partitionLimitation` means nothing without `topic`",
                );
            }
        }
        if !is_version(&self.version) {
            let given = &self.version;
            reader.error(
                "version",
                format!("`version` must be a version such as `2.8.0`, not `{given}`"),
            );
        }
        self.connection.check_tls(reader);
        self.check_mechanism(reader);
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let name = match &self.topic {
            Some(topic) => format!("kafka-{topic}"),
            None => format!("kafka-{}-topics", self.group.consumer_group),
        };
        Some(vec![self.group.metric(name)])
    }

    fn source(&self) -> Cluster {
        Cluster {
            bootstrap: self.group.bootstrap_servers.clone(),
            sasl: self.credentials(),
            tls: self.connection.tls_settings(self.unsafe_ssl),
        }
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        let only = self
            .partition_limitation
            .as_ref()
            .map(|all| ascending(all.0.clone()));
        Ok(Question::Lag {
            group: self.group.consumer_group.clone(),
            topics: match &self.topic {
                Some(topic) => Topics::Named(vec![topic.clone()]),
                None => Topics::Committed,
            },
            only: only.filter(|all| self.topic.is_some() && !all.is_empty()),
        })
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        let topics = offsets(answer)?;
        if let Some(empty) = topics.iter().find(|topic| topic.partitions.is_empty()) {
            let topic = &empty.topic;
            return Err(ScalerError::Value(format!(
                "the topic `{topic}` has none of the partitions that count"
            )));
        }
        Ok(vec![self.group.reading(topics, &self.memory)])
    }

    fn inventory_question(&self) -> Option<Question> {
        Some(Question::Inventory)
    }

    fn read_inventory(&self, answer: &Answer) -> Result<Vec<Offer>, ScalerError> {
        Ok(offers(answer))
    }
}

/// Three numbers between dots; four, if the first is 0.
fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let numbers = parts
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    numbers && (parts.len() == 3 || parts.len() == 4 && parts[0] == "0")
}
