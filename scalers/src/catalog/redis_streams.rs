//! `redis-streams`, `redis-cluster-streams` and `redis-sentinel-streams`: scale on the entries of a stream, or on those a
//! consumer group has ahead of it.

use std::fmt::Debug;
use std::marker::PhantomData;

use futures::stream::BoxStream;
use scalers_derive::TriggerMetadata;

use super::redis::{Cluster, Connection, Mode, Sentinel, Single, offers};
use crate::ScalerError;
use crate::metadata::Reader;
use crate::observer::Asker;
use crate::pool::Pool;
use crate::scaler::{Metric, Offer, Pushed, Reading, ScalerType, Target, Trigger};
use crate::source::redis::{Answer, Kind, Question, Redis, Server, watch};

pub(super) const REDIS_STREAMS: ScalerType = ScalerType::new::<RedisStream<Single>>(
    "redis-streams",
    "Entries of a stream on a Redis server",
    "{ address: redis.default.svc:6379, stream: orders, consumerGroup: billing, lagCount: \"10\" }",
)
.noting(NOTES);

pub(super) const REDIS_CLUSTER_STREAMS: ScalerType = ScalerType::new::<RedisStream<Cluster>>(
    "redis-cluster-streams",
    "Entries of a stream in a Redis cluster",
    "{ addresses: \"redis-0:6379,redis-1:6379\", stream: orders, consumerGroup: billing, lagCount: \"10\" }",
)
.noting(NOTES);

pub(super) const REDIS_SENTINEL_STREAMS: ScalerType = ScalerType::new::<RedisStream<Sentinel>>(
    "redis-sentinel-streams",
    "Entries of a stream on the Redis server that sentinels name",
    "{ addresses: \"sentinel-0:26379\", sentinelMaster: main, stream: orders, consumerGroup: billing }",
)
.noting(NOTES);

const NOTES: &str = "What is counted depends on the settings:\n\n\
    - without `consumerGroup`: the entries of the stream, `streamLength` for each replica. They only become fewer when the \
    stream is trimmed;\n\
    - with `consumerGroup`: the entries that its consumers were given and have not acknowledged, `pendingEntriesCount` for \
    each replica;\n\
    - with `consumerGroup` and `lagCount`: the entries that it has not been given yet, `lagCount` for each replica. This needs \
    Redis 7. A stream that does not exist has none; a group that does not exist, or whose lag Redis cannot tell, has the whole \
    stream ahead.\n\n\
    `activationLagCount` is compared with whatever is counted. The server is given as `address`, or as `host` and `port`.\n\n\
    With `push: \"true\"`, a setting that KEDA does not have, the trigger is also active as soon as entries arrive: it listens to \
    keyspace notifications, over one more connection a server, and counts when it is told of a change. Nothing is consumed. The \
    server must send them: `notify-keyspace-events` holds `K` and `t` (`A` is all), which is never changed from here. Where it \
    does not, the trigger says so and is polled as usual.";

/// Settings of a trigger that counts the entries of a stream.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct RedisStream<M: Mode> {
    /// Entries given to the group and not acknowledged that one replica should have.
    #[keda(default = "5")]
    pending_entries_count: i64,
    /// Entries of the stream that one replica should have, where no `consumerGroup` is given.
    #[keda(default = "5")]
    stream_length: i64,
    /// Entries not given to the group yet that one replica should have; needs Redis 7.
    lag_count: Option<i64>,
    /// Name of the stream.
    stream: String,
    /// Name of the consumer group.
    consumer_group: Option<String>,
    /// Count above which the trigger is active.
    #[keda(default = "0")]
    activation_lag_count: i64,
    /// Number of the database; a cluster has only one.
    #[keda(default = "0")]
    database_index: i64,
    /// Whether to be active as soon as entries arrive, by keyspace notifications; KEDA does not have this setting.
    #[keda(default = "false")]
    push: bool,
    /// How the server is reached.
    #[keda(block)]
    connection: Connection,
    #[keda(skip)]
    mode: PhantomData<M>,
}

impl<M: Mode> RedisStream<M> {
    /// What is counted, and how much of it one replica should have.
    fn counted(&self) -> (Question, i64) {
        let stream = self.stream.clone();
        let lag = self.lag_count.filter(|count| *count != 0);
        match (self.consumer_group.clone(), lag) {
            (None, _) => (Question::Entries(stream), self.stream_length),
            (Some(group), Some(count)) => (Question::Lag { stream, group }, count),
            (Some(group), None) => (Question::Pending { stream, group }, self.pending_entries_count),
        }
    }
}

impl<M: Mode> Trigger for RedisStream<M> {
    type Source = Redis;

    fn check(&self, reader: &mut Reader<'_>) {
        self.connection.check::<M>(reader);
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let (_, target) = self.counted();
        let metric = Metric::new(format!("redis-streams-{}", self.stream), Target::Whole(target));
        Some(vec![metric.active_above(self.activation_lag_count as f64)])
    }

    fn source(&self) -> Server {
        self.connection.server::<M>(self.database_index)
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        Ok(self.counted().0)
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        match answer {
            Answer::Length(count) => Ok(vec![Reading::from(*count as f64)]),
            Answer::OtherType(_) | Answer::Keys(_) => {
                Err(ScalerError::Value("the server counted nothing".to_owned()))
            }
        }
    }

    fn inventory_question(&self) -> Option<Question> {
        Some(Question::Keys(Kind::Stream))
    }

    fn read_inventory(&self, answer: &Answer) -> Result<Vec<Offer>, ScalerError> {
        Ok(offers("stream", "entries", answer))
    }

    fn push(&self, pool: &Pool, asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        if !self.push {
            return None;
        }
        let threshold = self.activation_lag_count;
        let above = move |answer: &Answer| match answer {
            Answer::Length(count) => Ok(*count > threshold),
            Answer::OtherType(_) | Answer::Keys(_) => {
                Err(ScalerError::Value("the server counted nothing".to_owned()))
            }
        };
        Some(watch(self.opener(pool, asker), self.counted().0, above))
    }
}

#[cfg(test)]
mod tests;
