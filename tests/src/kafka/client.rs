//! What producers and consumers do to a broker: make topics, write records, commit offsets, join groups.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, CreateTopicsRequest, CreateTopicsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, GroupId, JoinGroupRequest, JoinGroupResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, MetadataResponse, OffsetCommitRequest, OffsetCommitResponse,
    ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::wait::wait_for;

/// A bound for a broker that is busy with its first group.
const DEADLINE: Duration = Duration::from_mins(1);

/// A connection without login.
pub struct Client {
    stream: TcpStream,
}

fn name(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn right(code: i16, what: &str) -> Result<()> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(error) => bail!("{what}: {error}"),
    }
}

impl Client {
    /// Connects to a listener that wants no login.
    pub async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    async fn call<Q, A>(&mut self, api: ApiKey, version: i16, request: &Q) -> Result<A>
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        let header = RequestHeader::default()
            .with_request_api_key(api as i16)
            .with_request_api_version(version)
            .with_client_id(Some(name("tests")));
        let mut body = BytesMut::new();
        header.encode(&mut body, Q::header_version(version))?;
        request.encode(&mut body, version)?;
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(body.len())?);
        frame.extend_from_slice(&body);
        self.stream.write_all(&frame).await?;
        let length = self.stream.read_i32().await?;
        let mut reply = vec![0; usize::try_from(length)?];
        self.stream.read_exact(&mut reply).await?;
        let mut reply = Bytes::from(reply);
        ResponseHeader::decode(&mut reply, A::header_version(version))?;
        let answer = A::decode(&mut reply, version)?;
        ensure!(!reply.has_remaining(), "bytes follow the reply to {api:?}");
        Ok(answer)
    }

    /// Whether some broker keeps the offsets of a group.
    pub async fn coordinates(&mut self, group: &str) -> Result<()> {
        let request = FindCoordinatorRequest::default().with_key(name(group));
        let reply: FindCoordinatorResponse = self.call(ApiKey::FindCoordinator, 2, &request).await?;
        right(reply.error_code, "the coordinator")
    }

    /// Makes topics with so many partitions each, and waits until they are led.
    pub async fn create(&mut self, topics: &[&str], partitions: i32) -> Result<()> {
        let topic = |topic: &&str| {
            CreatableTopic::default()
                .with_name(TopicName(name(topic)))
                .with_num_partitions(partitions)
                .with_replication_factor(1)
        };
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(topic).collect())
            .with_timeout_ms(60_000);
        let reply: CreateTopicsResponse = self.call(ApiKey::CreateTopics, 4, &request).await?;
        for topic in reply.topics {
            right(topic.error_code, &topic.name)?;
        }
        self.led(topics, partitions).await
    }

    /// Waits until the newest offset of every partition can be asked for: a topic is listed before its partitions are led.
    async fn led(&mut self, topics: &[&str], partitions: i32) -> Result<()> {
        let newest = |partition| {
            ListOffsetsPartition::default()
                .with_partition_index(partition)
                .with_timestamp(-1)
        };
        let topic = |topic: &&str| {
            ListOffsetsTopic::default()
                .with_name(TopicName(name(topic)))
                .with_partitions((0..partitions).map(newest).collect())
        };
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(topics.iter().map(topic).collect());
        let client = tokio::sync::Mutex::new(self);
        wait_for(format!("leaders of {topics:?}"), DEADLINE, || async {
            let mut client = client.lock().await;
            let reply: Result<ListOffsetsResponse> = client.call(ApiKey::ListOffsets, 1, &request).await;
            let reply = reply.map_err(|e| format!("{e:#}"))?;
            for topic in reply.topics {
                for partition in topic.partitions {
                    right(partition.error_code, &topic.name).map_err(|e| format!("{e:#}"))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Every topic that there is.
    pub async fn topics(&mut self) -> Result<Vec<String>> {
        let request = MetadataRequest::default()
            .with_topics(None)
            .with_allow_auto_topic_creation(false);
        let reply: MetadataResponse = self.call(ApiKey::Metadata, 5, &request).await?;
        let names = reply.topics.into_iter().filter(|topic| topic.error_code == 0);
        Ok(names.filter_map(|topic| Some(topic.name?.to_string())).collect())
    }

    /// Writes so many records to a partition.
    pub async fn produce(&mut self, topic: &str, partition: i32, records: u8) -> Result<()> {
        let record = |offset: u8| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(offset),
            // One batch goes into a request, and the encoder begins another where sequence and offset part.
            sequence: NO_SEQUENCE.wrapping_add(i32::from(offset)),
            timestamp: 0,
            key: None,
            value: Some(Bytes::from_static(b"job")),
            headers: [].into_iter().collect(),
        };
        let records: Vec<Record> = (0..records).map(record).collect();
        let mut batch = BytesMut::new();
        let options = RecordEncodeOptions {
            version: 2,
            compression: Compression::None,
        };
        RecordBatchEncoder::encode(&mut batch, &records, &options)?;
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(batch.freeze()));
        let topic_data = TopicProduceData::default()
            .with_name(TopicName(name(topic)))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(60_000)
            .with_topic_data(vec![topic_data]);
        let client = tokio::sync::Mutex::new(self);
        // A new partition may have no leader for a moment.
        wait_for(format!("the records of {topic}"), DEADLINE, || async {
            let mut client = client.lock().await;
            let reply: Result<ProduceResponse> = client.call(ApiKey::Produce, 7, &request).await;
            let reply = reply.map_err(|e| format!("{e:#}"))?;
            let all = reply
                .responses
                .iter()
                .flat_map(|topic| &topic.partition_responses);
            for partition in all {
                right(partition.error_code, topic).map_err(|e| format!("{e:#}"))?;
            }
            Ok(())
        })
        .await
    }

    /// Commits an offset for a group, once the broker has read what it keeps for it.
    pub async fn commit(&mut self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let commit = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(name(topic)))
            .with_partitions(vec![commit]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(name(group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let client = tokio::sync::Mutex::new(self);
        wait_for(format!("the commit of {group}"), DEADLINE, || async {
            let mut client = client.lock().await;
            let reply: Result<OffsetCommitResponse> = client.call(ApiKey::OffsetCommit, 7, &request).await;
            let reply = reply.map_err(|e| format!("{e:#}"))?;
            let all = reply.topics.iter().flat_map(|topic| &topic.partitions);
            for partition in all {
                right(partition.error_code, group).map_err(|e| format!("{e:#}"))?;
            }
            Ok(())
        })
        .await
    }

    /// Makes this client the one member of a group.
    pub async fn join(&mut self, group: &str) -> Result<()> {
        let protocol = JoinGroupRequestProtocol::default().with_name(name("range"));
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(name(group)))
            .with_session_timeout_ms(300_000)
            .with_rebalance_timeout_ms(300_000)
            .with_protocol_type(name("consumer"))
            .with_protocols(vec![protocol]);
        let reply: JoinGroupResponse = self.call(ApiKey::JoinGroup, 3, &request).await?;
        right(reply.error_code, group)
    }
}
