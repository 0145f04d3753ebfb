//! The requests that are made, each with the versions that are understood here.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    ApiKey, BrokerId, DescribeGroupsRequest, GroupId, ListGroupsRequest, RequestHeader, TopicName,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};

/// What brokers log as the client.
const CLIENT: &str = "kubectl-keda";

/// An API and the versions of it that are spoken here. The lowest are those of Kafka 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Api {
    pub(super) name: &'static str,
    key: ApiKey,
    oldest: i16,
    newest: i16,
    /// The first version whose reply is flexible.
    flexible: i16,
}

impl Api {
    const fn new(name: &'static str, key: ApiKey, versions: (i16, i16), flexible: i16) -> Self {
        let (oldest, newest) = versions;
        Self {
            name,
            key,
            oldest,
            newest,
            flexible,
        }
    }

    pub(super) fn key(self) -> i16 {
        self.key as i16
    }

    /// The newest version that both sides understand.
    pub(super) fn version(self, (oldest, newest): (i16, i16)) -> Option<i16> {
        let version = newest.min(self.newest);
        (version >= oldest.max(self.oldest)).then_some(version)
    }

    pub(super) fn is_flexible(self, version: i16) -> bool {
        version >= self.flexible
    }
}

/// No version of the range is flexible.
const NEVER: i16 = i16::MAX;

/// Every broker answers version 0, whatever else it has learnt.
pub(super) const VERSIONS: Api = Api::new("ApiVersions", ApiKey::ApiVersions, (0, 0), NEVER);
pub(super) const HANDSHAKE: Api = Api::new("SaslHandshake", ApiKey::SaslHandshake, (1, 1), NEVER);
pub(super) const AUTHENTICATE: Api = Api::new("SaslAuthenticate", ApiKey::SaslAuthenticate, (0, 1), NEVER);
/// From version 4 on, asking for a topic need not create it.
pub(super) const METADATA: Api = Api::new("Metadata", ApiKey::Metadata, (4, 12), 9);
/// From version 4 on, one request asks for many groups.
pub(super) const COORDINATOR: Api = Api::new("FindCoordinator", ApiKey::FindCoordinator, (1, 4), 3);
/// From version 8 on, one request asks for many groups.
pub(super) const COMMITS: Api = Api::new("OffsetFetch", ApiKey::OffsetFetch, (3, 8), 6);
pub(super) const OFFSETS: Api = Api::new("ListOffsets", ApiKey::ListOffsets, (2, 6), 6);
pub(super) const GROUPS: Api = Api::new("DescribeGroups", ApiKey::DescribeGroups, (1, 5), 5);
pub(super) const LIST: Api = Api::new("ListGroups", ApiKey::ListGroups, (1, 4), 3);

/// Many groups fit into one request from these versions on.
pub(super) const MANY_COORDINATORS: i16 = 4;
pub(super) const MANY_COMMITS: i16 = 8;

/// The offset after the last record that consumers may read.
const NEWEST: i64 = -1;
/// The kind of key that a consumer group is.
const GROUP: i8 = 0;

/// Partitions by topic.
pub(super) type Wanted<'a> = &'a [(&'a str, Vec<i32>)];

/// A whole frame: length, header, body. `None` if the request cannot be written in this version.
pub(super) fn frame<R: Encodable + HeaderVersion>(
    api: Api,
    version: i16,
    correlation: i32,
    request: &R,
) -> Option<Bytes> {
    let header = RequestHeader::default()
        .with_request_api_key(api.key())
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT)));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version)).ok()?;
    request.encode(&mut body, version).ok()?;
    let mut frame = BytesMut::with_capacity(body.len() + 4);
    frame.put_i32(i32::try_from(body.len()).ok()?);
    frame.extend_from_slice(&body);
    Some(frame.freeze())
}

/// Topics and who leads their partitions; all of them without names. None is created by being asked for.
pub(super) fn metadata(topics: Option<Vec<&str>>) -> MetadataRequest {
    let topics = topics.map(|names| {
        let named = |name| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        names.into_iter().map(named).collect()
    });
    MetadataRequest::default()
        .with_topics(topics)
        .with_allow_auto_topic_creation(false)
}

/// Which brokers keep the offsets of groups. Before [`MANY_COORDINATORS`] there must be one group.
pub(super) fn coordinators(version: i16, groups: &[&str]) -> FindCoordinatorRequest {
    let request = FindCoordinatorRequest::default().with_key_type(GROUP);
    if version >= MANY_COORDINATORS {
        return request.with_coordinator_keys(groups.iter().map(|group| text(group)).collect());
    }
    request.with_key(groups.first().map(|group| text(group)).unwrap_or_default())
}

/// What a group committed: for some partitions, or for all that it ever committed for.
pub(super) type CommitsOf<'a> = (&'a str, Option<Vec<(&'a str, Vec<i32>)>>);

/// What groups committed. Before [`MANY_COMMITS`] there must be one group.
pub(super) fn commits(version: i16, groups: &[CommitsOf<'_>]) -> OffsetFetchRequest {
    let request = OffsetFetchRequest::default();
    if version >= MANY_COMMITS {
        let group = |(group, topics): &CommitsOf<'_>| {
            let topic = |(topic, partitions): &(&str, Vec<i32>)| {
                OffsetFetchRequestTopics::default()
                    .with_name(TopicName(text(topic)))
                    .with_partition_indexes(partitions.clone())
            };
            OffsetFetchRequestGroup::default()
                .with_group_id(GroupId(text(group)))
                .with_topics(topics.as_ref().map(|topics| topics.iter().map(topic).collect()))
        };
        return request.with_groups(groups.iter().map(group).collect());
    }
    let Some((group, topics)) = groups.first() else {
        return request;
    };
    let topic = |(topic, partitions): &(&str, Vec<i32>)| {
        OffsetFetchRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partition_indexes(partitions.clone())
    };
    request
        .with_group_id(GroupId(text(group)))
        .with_topics(topics.as_ref().map(|topics| topics.iter().map(topic).collect()))
}

/// The newest offsets of partitions that one broker leads.
pub(super) fn offsets(wanted: Wanted<'_>) -> ListOffsetsRequest {
    let partition = |index: &i32| {
        ListOffsetsPartition::default()
            .with_partition_index(*index)
            .with_current_leader_epoch(-1)
            .with_timestamp(NEWEST)
    };
    let topic = |(topic, partitions): &(&str, Vec<i32>)| {
        ListOffsetsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    // Only a replica gives a number of its own.
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(wanted.iter().map(topic).collect())
}

/// State and members of groups.
pub(super) fn groups(groups: &[&str]) -> DescribeGroupsRequest {
    DescribeGroupsRequest::default().with_groups(groups.iter().map(|group| GroupId(text(group))).collect())
}

/// Every group that a broker coordinates.
pub(super) fn list() -> ListGroupsRequest {
    ListGroupsRequest::default()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
