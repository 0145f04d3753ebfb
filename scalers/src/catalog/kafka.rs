//! `kafka` and `apache-kafka`: scale on how far a consumer group is behind.
//!
//! The two have the same rules for the lag, and differ in how topics are named and in what is checked beforehand.

mod apache;
mod classic;
mod lag;

use std::sync::{Arc, Mutex, PoisonError};

use scalers_derive::TriggerMetadata;

use self::lag::{Bound, Rules, Seen, Uncommitted};
use crate::metadata::{Reader, word};
use crate::scaler::{Metric, Offer, Reading, ScalerType, Target};
use crate::source::kafka::{Answer, Password, TopicOffsets};
use crate::tls::TlsSettings;
use crate::{ScalerError, Secret};

pub(super) const APACHE_KAFKA: ScalerType = ScalerType::new::<apache::ApacheKafka>(
    "apache-kafka",
    "Lag of a consumer group on topics of Apache Kafka",
    "{ bootstrapServers: \"kafka.default.svc:9092\", consumerGroup: billing, topic: \"payments,refunds\" }",
)
.noting(
    "Without `topic`, every topic of the cluster counts, and the group must have members. What the brokers must be is said at `kafka`.",
);

pub(super) const KAFKA: ScalerType = ScalerType::new::<classic::Kafka>(
    "kafka",
    "Lag of a consumer group on a topic of Apache Kafka",
    "{ bootstrapServers: \"kafka.default.svc:9092\", consumerGroup: billing, topic: payments }",
)
.noting(
    "Without `topic`, every topic counts that the group committed offsets for. Brokers must be of Kafka 1.0 or newer; \
     the version of the protocol is agreed on with each of them. The user needs to describe the topics and the group. \
     No topic is ever created by being asked for.",
);

word! {
    /// Whether to speak TLS.
    Switch {
        Enable = "enable",
        Disable = "disable",
    }
}

word! {
    /// Where a consumer begins that has no offset.
    ResetPolicy {
        Latest = "latest",
        Earliest = "earliest",
    }
}

/// Which cluster and group, and what the lag means.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the settings of KEDA are so many switches"
)]
struct LagSettings {
    /// `host:port` of brokers to begin with, between commas.
    #[keda(from(metadata, env))]
    bootstrap_servers: Vec<String>,
    /// The consumer group whose lag counts.
    #[keda(from(metadata, env))]
    consumer_group: String,
    /// Records that one replica should have waiting; above zero.
    #[keda(default = "10")]
    lag_threshold: i64,
    /// Records above which the trigger is active. Persistent lag counts here, even where it is excluded.
    #[keda(default = "0")]
    activation_lag_threshold: i64,
    /// What a partition counts that the group has no offset for: 1 with `latest`, everything in it with `earliest`.
    #[keda(default = "latest")]
    offset_reset_policy: ResetPolicy,
    /// Whether a partition that the group has no offset for counts nothing.
    #[keda(default = "false")]
    scale_to_zero_on_invalid_offset: bool,
    /// Whether there may be more replicas than partitions.
    #[keda(default = "false")]
    allow_idle_consumers: bool,
    /// Whether a partition counts nothing while its group does not move.
    #[keda(default = "false")]
    exclude_persistent_lag: bool,
    /// Whether there may be no more replicas than partitions with lag; needs `topic`.
    #[keda(default = "false")]
    limit_to_partitions_with_lag: bool,
    /// Whether the number of replicas should divide the number of partitions; needs `topic`.
    #[keda(default = "false")]
    ensure_even_distribution_of_partitions: bool,
}

/// How brokers are known, and how we are known to them.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct Connection {
    /// Whether to speak TLS.
    #[keda(from(metadata, auth), default = "disable")]
    tls: Switch,
    /// PEM certificates that are trusted beside those of the system.
    #[keda(from(auth))]
    ca: Option<Secret<String>>,
    /// PEM chain of the client.
    #[keda(from(auth))]
    cert: Option<Secret<String>>,
    /// PEM key of the client.
    #[keda(from(auth))]
    key: Option<Secret<String>>,
    /// Password of an encrypted key.
    #[keda(from(auth))]
    key_password: Option<Secret<String>>,
    /// User for SASL; with `oauthbearer`, the client.
    #[keda(from(auth))]
    username: Option<String>,
    /// Password for SASL; with `oauthbearer`, the client's secret.
    #[keda(from(auth))]
    password: Option<Secret<String>>,
    /// Region of the brokers, for `aws_msk_iam`.
    aws_region: Option<String>,
}

impl LagSettings {
    fn check(&self, reader: &mut Reader<'_>, has_topic: bool) {
        if self.lag_threshold <= 0 {
            reader.error("lagThreshold", "`lagThreshold` must be above 0");
        }
        if self.activation_lag_threshold < 0 {
            reader.error(
                "activationLagThreshold",
                "`activationLagThreshold` must not be below 0",
            );
        }
        if self.limit_to_partitions_with_lag && self.allow_idle_consumers {
            reader.error(
                "limitToPartitionsWithLag",
                "`limitToPartitionsWithLag` and `allowIdleConsumers` cannot be given together",
            );
        }
        if self.limit_to_partitions_with_lag && !has_topic {
            reader.missing("topic", "missing `topic`, which `limitToPartitionsWithLag` needs");
        }
    }

    fn metric(&self, name: String) -> Metric {
        let metric = Metric::new(name, Target::Whole(self.lag_threshold));
        metric.active_above(self.activation_lag_threshold as f64)
    }

    fn rules(&self) -> Rules {
        let uncommitted = match self.offset_reset_policy {
            _ if self.scale_to_zero_on_invalid_offset => Uncommitted::Nothing,
            ResetPolicy::Latest => Uncommitted::One,
            ResetPolicy::Earliest => Uncommitted::Everything,
        };
        let even = self.ensure_even_distribution_of_partitions;
        let bound = match (self.limit_to_partitions_with_lag, self.allow_idle_consumers) {
            (true, _) => Bound::Lagging,
            (false, true) if !even => Bound::None,
            (false, _) => Bound::Partitions,
        };
        Rules {
            threshold: self.lag_threshold,
            uncommitted,
            exclude_persistent: self.exclude_persistent_lag,
            bound,
            even,
        }
    }

    /// The value of a reading, and whether it is active.
    fn reading(&self, topics: &[TopicOffsets], memory: &Memory) -> Reading {
        let lag = memory.with(|seen| lag::lag(self.rules(), topics, seen));
        Reading {
            value: lag.metric as f64,
            active: Some(lag.activity > self.activation_lag_threshold),
        }
    }
}

impl Connection {
    /// A certificate without its key, or the other way round, is half a pair.
    fn check_tls(&self, reader: &mut Reader<'_>) {
        if self.tls == Switch::Enable {
            match (&self.cert, &self.key) {
                (Some(_), None) => reader.missing("key", "missing parameter `key` beside `cert`"),
                (None, Some(_)) => reader.missing("cert", "missing parameter `cert` beside `key`"),
                _ => {}
            }
        }
    }

    /// What `aws_msk_iam` needs.
    fn check_msk(&self, reader: &mut Reader<'_>) {
        if self.aws_region.is_none() {
            reader.missing("awsRegion", "missing `awsRegion`, which `aws_msk_iam` needs");
        }
        if self.tls == Switch::Disable {
            reader.missing("tls", "`aws_msk_iam` needs `tls: enable`");
        }
    }

    /// Both halves of a login, for a mechanism.
    fn check_password(&self, reader: &mut Reader<'_>, mechanism: &str) {
        if self.username.is_none() {
            reader.missing(
                "username",
                format!("missing parameter `username`, which `{mechanism}` needs"),
            );
        }
        if self.password.is_none() {
            reader.missing(
                "password",
                format!("missing parameter `password`, which `{mechanism}` needs"),
            );
        }
    }

    fn login(&self) -> Password {
        Password {
            username: self.username.clone().unwrap_or_default(),
            password: self.password.clone().unwrap_or_default(),
        }
    }

    fn tls_settings(&self, unsafe_ssl: bool) -> Option<TlsSettings> {
        (self.tls == Switch::Enable).then(|| TlsSettings {
            ca: self.ca.clone(),
            certificate: self.cert.clone(),
            key: self.key.clone(),
            key_password: self.key_password.clone(),
            unsafe_ssl,
        })
    }
}

/// Numbers of partitions as a question has them.
fn ascending(mut numbers: Vec<i32>) -> Vec<i32> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Says at once what can only fail later.
fn warn_later(reader: &mut Reader<'_>, key: &str, mechanism: &str) {
    reader.warning(
        key,
        format!("`{mechanism}` is not in this version yet: every reading will fail"),
    );
}

/// Where the group was at the last reading: it lives as long as the trigger, however often that is cloned.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Seen>>);

impl Memory {
    fn with<T>(&self, read: impl FnOnce(&mut Seen) -> T) -> T {
        // A panic while the lock was held cannot leave the table half-written.
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn offsets(answer: &Answer) -> Result<&[TopicOffsets], ScalerError> {
    match answer {
        Answer::Offsets(topics) => Ok(topics),
        Answer::Inventory(_) => Err(ScalerError::Value(
            "the cluster answered another question".to_owned(),
        )),
    }
}

/// Topics and groups that a trigger could name.
fn offers(answer: &Answer) -> Vec<Offer> {
    let Answer::Inventory(found) = answer else {
        return Vec::new();
    };
    let topics = found.topics.iter().map(|(topic, partitions)| Offer {
        parameter: "topic",
        value: topic.clone(),
        note: match partitions {
            1 => "1 partition".to_owned(),
            more => format!("{more} partitions"),
        },
    });
    let groups = found.groups.iter().map(|(group, state)| Offer {
        parameter: "consumerGroup",
        value: group.clone(),
        note: state.to_lowercase(),
    });
    topics.chain(groups).collect()
}

#[cfg(test)]
mod tests;
