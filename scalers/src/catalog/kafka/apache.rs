//! `apache-kafka`: any number of topics, or all of the cluster.
//!
//! Upstream: `pkg/scalers/apache_kafka_scaler.go`.

use scalers_derive::TriggerMetadata;

use super::{Connection, LagSettings, Memory, ascending, offers, offsets, warn_later};
use crate::ScalerError;
use crate::metadata::{Reader, word};
use crate::scaler::{Metric, Offer, Reading, Trigger};
use crate::source::kafka::{self as source, Answer, Cluster, Question, Sasl, Topics};

word! {
    /// How to log in.
    Mechanism {
        None = "none",
        Plaintext = "plaintext",
        ScramSha256 = "scram_sha256",
        ScramSha512 = "scram_sha512",
        Gssapi = "gssapi",
        AwsMskIam = "aws_msk_iam",
    }
}

/// Settings of a trigger that follows a group.
#[derive(Clone, Debug, TriggerMetadata)]
pub(super) struct ApacheKafka {
    /// Group and lag.
    #[keda(block)]
    group: LagSettings,
    /// The topics whose lag counts, between commas; without them, all of the cluster.
    #[keda(from(metadata, env), default = "")]
    topic: Vec<String>,
    /// The partitions that count, as numbers and ranges between commas.
    #[keda(default = "")]
    partition_limitation: Vec<i64>,
    /// How to log in.
    #[keda(from(metadata, auth), default = "none")]
    sasl: Mechanism,
    /// TLS and login.
    #[keda(block)]
    connection: Connection,
    #[keda(skip)]
    memory: Memory,
}

impl ApacheKafka {
    fn check_mechanism(&self, reader: &mut Reader<'_>) {
        let connection = &self.connection;
        match self.sasl {
            Mechanism::None => {}
            Mechanism::Plaintext => connection.check_password(reader, "plaintext"),
            Mechanism::ScramSha256 | Mechanism::ScramSha512 => {
                // Upstream accepts this while it reads the trigger, and fails when it connects.
                if connection.username.is_none() || connection.password.is_none() {
                    reader.warning("sasl", "SCRAM needs the parameters `username` and `password`");
                }
            }
            Mechanism::Gssapi => warn_later(reader, "sasl", "gssapi"),
            Mechanism::AwsMskIam => {
                connection.check_msk(reader);
                warn_later(reader, "sasl", "aws_msk_iam");
            }
        }
    }
}

/// A setting that was given in both places where it may stand.
fn check_once(reader: &mut Reader<'_>, key: &str) {
    let given = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
    let input = reader.input();
    if given(input.metadata.get(key).map(String::as_str)) && given(input.auth.get(key)) {
        reader.error(
            key,
            format!("`{key}` cannot be given in the metadata and in a TriggerAuthentication"),
        );
    }
}

impl Trigger for ApacheKafka {
    type Source = source::Kafka;

    fn check(&self, reader: &mut Reader<'_>) {
        self.group.check(reader, !self.topic.is_empty());
        check_once(reader, "sasl");
        check_once(reader, "tls");
        self.connection.check_tls(reader);
        self.check_mechanism(reader);
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let name = if self.topic.is_empty() {
            format!("kafka-{}-topics", self.group.consumer_group)
        } else {
            format!("kafka-{}", self.topic.join(","))
        };
        Some(vec![self.group.metric(name)])
    }

    fn source(&self) -> Cluster {
        let login = || self.connection.login();
        Cluster {
            bootstrap: self.group.bootstrap_servers.clone(),
            sasl: match self.sasl {
                Mechanism::None => Sasl::None,
                Mechanism::Plaintext => Sasl::Plain(login()),
                Mechanism::ScramSha256 => Sasl::ScramSha256(login()),
                Mechanism::ScramSha512 => Sasl::ScramSha512(login()),
                Mechanism::Gssapi => Sasl::Later("gssapi"),
                Mechanism::AwsMskIam => Sasl::Later("aws_msk_iam"),
            },
            tls: self.connection.tls_settings(false),
        }
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        // No partition has a number below zero, so one that is too large is never found.
        let only = self.partition_limitation.iter();
        let only = ascending(only.map(|number| i32::try_from(*number).unwrap_or(-1)).collect());
        Ok(Question::Lag {
            group: self.group.consumer_group.clone(),
            topics: if self.topic.is_empty() {
                Topics::All
            } else {
                Topics::Named(self.topic.clone())
            },
            only: (!only.is_empty()).then_some(only),
        })
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        Ok(vec![self.group.reading(offsets(answer)?, &self.memory)])
    }

    fn inventory_question(&self) -> Option<Question> {
        Some(Question::Inventory)
    }

    fn read_inventory(&self, answer: &Answer) -> Result<Vec<Offer>, ScalerError> {
        Ok(offers(answer))
    }
}
