//! A cluster that keeps its books in memory, for what a real one cannot be made to do: lie, be old, change its mind.
//!
//! It reads and writes with `kafka-protocol`, so that what is read here is checked against other people's writers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::super::wire::Frames;

/// The newest versions that brokers of an age know, by API.
pub(super) type Age = &'static [(ApiKey, i16)];

/// Kafka 1.0.
pub(super) const OLD: Age = &[
    (ApiKey::ApiVersions, 1),
    (ApiKey::Metadata, 5),
    (ApiKey::FindCoordinator, 1),
    (ApiKey::OffsetFetch, 3),
    (ApiKey::ListOffsets, 2),
    (ApiKey::DescribeGroups, 1),
    (ApiKey::ListGroups, 1),
    (ApiKey::SaslHandshake, 1),
    (ApiKey::SaslAuthenticate, 0),
];

/// Kafka 4.
pub(super) const NEW: Age = &[
    (ApiKey::ApiVersions, 4),
    (ApiKey::Metadata, 13),
    (ApiKey::FindCoordinator, 6),
    (ApiKey::OffsetFetch, 10),
    (ApiKey::ListOffsets, 11),
    (ApiKey::DescribeGroups, 6),
    (ApiKey::ListGroups, 5),
    (ApiKey::SaslHandshake, 1),
    (ApiKey::SaslAuthenticate, 2),
];

/// What the cluster holds, and what it was asked.
#[derive(Default)]
pub(super) struct Books {
    addresses: Vec<String>,
    age: Age,
    /// The newest offset of each partition of each topic. Partition `p` of a topic is led by broker `p` modulo all.
    pub(super) topics: BTreeMap<String, Vec<i64>>,
    /// What each group committed. A group is coordinated by the broker that its length gives.
    pub(super) groups: BTreeMap<String, BTreeMap<(String, i32), i64>>,
    /// How many members each group has.
    pub(super) members: BTreeMap<String, usize>,
    /// Errors to give once, by API.
    pub(super) errors: BTreeMap<i16, i16>,
    /// The password of PLAIN, and how long it is believed, in milliseconds.
    pub(super) password: Option<(String, i64)>,
    /// Requests by API.
    pub(super) asked: BTreeMap<i16, usize>,
    /// Connections that were accepted, by broker.
    pub(super) accepted: Vec<usize>,
    /// Groups and topics that replies with offsets are left without.
    pub(super) withheld: Vec<String>,
}

/// A cluster for as long as it is held.
pub(super) struct Fake {
    pub(super) addresses: Vec<String>,
    books: Arc<Mutex<Books>>,
    _brokers: JoinSet<()>,
}

impl Fake {
    /// Starts so many brokers of an age.
    pub(super) async fn start(age: Age, brokers: usize) -> Self {
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..brokers {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            addresses.push(listener.local_addr().expect("an address").to_string());
            listeners.push(listener);
        }
        let books = Arc::new(Mutex::new(Books {
            addresses: addresses.clone(),
            age,
            accepted: vec![0; brokers],
            ..Books::default()
        }));
        let mut tasks = JoinSet::new();
        for (broker, listener) in listeners.into_iter().enumerate() {
            tasks.spawn(serve(listener, broker, Arc::clone(&books)));
        }
        Self {
            addresses,
            books,
            _brokers: tasks,
        }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books
            .lock()
            .expect("no test panics while it holds the books")
    }

    /// How often an API was asked since this was last called for it.
    pub(super) fn asked(&self, api: ApiKey) -> usize {
        self.books().asked.remove(&(api as i16)).unwrap_or_default()
    }
}

async fn serve(listener: TcpListener, broker: usize, books: Arc<Mutex<Books>>) {
    let mut clients = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        books.lock().expect("books").accepted[broker] += 1;
        clients.spawn(talk(stream, broker, Arc::clone(&books)));
    }
}

async fn talk(mut stream: TcpStream, broker: usize, books: Arc<Mutex<Books>>) {
    let (read, mut write) = stream.split();
    let mut frames = Frames::new(read);
    while let Ok(frame) = frames.next().await {
        let reply = books.lock().expect("books").reply(frame, broker);
        let Some(reply) = reply else { return };
        if write.write_all(&reply).await.is_err() {
            return;
        }
    }
}

fn name(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Reads a request of a type, answers it, and writes the answer.
fn through<Q: Decodable, A: Encodable>(
    body: &mut Bytes,
    version: i16,
    out: &mut BytesMut,
    answer: impl FnOnce(Q) -> A,
) {
    let request = Q::decode(body, version).expect("a right request");
    assert!(body.is_empty(), "nothing follows a request");
    answer(request).encode(out, version).expect("a right answer");
}

impl Books {
    fn reply(&mut self, mut body: Bytes, broker: usize) -> Option<BytesMut> {
        let number = i16::from_be_bytes([body[0], body[1]]);
        let version = i16::from_be_bytes([body[2], body[3]]);
        let api = ApiKey::try_from(number).expect("an API");
        let header = RequestHeader::decode(&mut body, api.request_header_version(version)).expect("a header");
        *self.asked.entry(number).or_default() += 1;
        let error = self.errors.remove(&number).unwrap_or_default();
        let mut out = BytesMut::new();
        ResponseHeader::default()
            .with_correlation_id(header.correlation_id)
            .encode(&mut out, api.response_header_version(version))
            .expect("a header");
        let (b, v, o) = (&mut body, version, &mut out);
        match api {
            ApiKey::ApiVersions => through(b, v, o, |_: ApiVersionsRequest| self.versions()),
            ApiKey::Metadata => through(b, v, o, |q| self.metadata(q, v)),
            ApiKey::FindCoordinator => through(b, v, o, |q| self.coordinators(&q, v, error)),
            ApiKey::OffsetFetch => through(b, v, o, |q| self.commits(q, v, error, broker)),
            ApiKey::ListOffsets => through(b, v, o, |q| self.offsets(q, error, broker)),
            ApiKey::DescribeGroups => through(b, v, o, |q| self.described(&q)),
            ApiKey::ListGroups => through(b, v, o, |_: ListGroupsRequest| self.listed(v, broker)),
            ApiKey::SaslHandshake => through(b, v, o, |q| handshake(&q)),
            ApiKey::SaslAuthenticate => through(b, v, o, |q| self.authenticate(&q, v)),
            _ => return None,
        }
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(out.len()).expect("short"));
        frame.extend_from_slice(&out);
        Some(frame)
    }

    fn versions(&self) -> ApiVersionsResponse {
        let api = |(api, newest): &(ApiKey, i16)| {
            ApiVersion::default()
                .with_api_key(*api as i16)
                .with_max_version(*newest)
        };
        ApiVersionsResponse::default().with_api_keys(self.age.iter().map(api).collect())
    }

    fn metadata(&self, request: MetadataRequest, version: i16) -> MetadataResponse {
        assert!(
            !request.allow_auto_topic_creation,
            "asking must not create a topic"
        );
        let broker = |(node, address): (i32, &String)| {
            let (host, port) = address.rsplit_once(':').expect("an address");
            MetadataResponseBroker::default()
                .with_node_id(node.into())
                .with_host(name(host))
                .with_port(port.parse().expect("a port"))
        };
        let asked: Vec<String> = match request.topics {
            None => self.topics.keys().cloned().collect(),
            Some(topics) => topics
                .into_iter()
                .map(|topic| topic.name.expect("a name").to_string())
                .collect(),
        };
        let topic = |topic: &String| {
            let found = MetadataResponseTopic::default()
                .with_name(Some(TopicName(name(topic))))
                .with_is_internal(topic.starts_with("__"));
            let Some(partitions) = self.topics.get(topic) else {
                return found.with_error_code(3);
            };
            let partition = |index| {
                MetadataResponsePartition::default()
                    .with_partition_index(index)
                    .with_leader_id(self.leader(index).into())
                    .with_leader_epoch(if version >= 7 { 5 } else { -1 })
                    .with_replica_nodes(vec![0.into(), 1.into()])
            };
            let last = i32::try_from(partitions.len()).expect("few");
            found.with_partitions((0..last).map(partition).collect())
        };
        MetadataResponse::default()
            .with_brokers((0..).zip(&self.addresses).map(broker).collect())
            .with_controller_id(0.into())
            .with_topics(asked.iter().map(topic).collect())
    }

    /// Says of a broker that it is elsewhere.
    pub(super) fn move_broker(&mut self, broker: usize, address: &str) {
        address.clone_into(&mut self.addresses[broker]);
    }

    fn leader(&self, partition: i32) -> i32 {
        partition % i32::try_from(self.addresses.len()).expect("few")
    }

    fn coordinator(&self, group: &str) -> usize {
        group.len() % self.addresses.len()
    }

    fn coordinators(
        &self,
        request: &FindCoordinatorRequest,
        version: i16,
        error: i16,
    ) -> FindCoordinatorResponse {
        let place = |group: &str| {
            let node = self.coordinator(group);
            let (host, port) = self.addresses[node].rsplit_once(':').expect("an address");
            let port: i32 = port.parse().expect("a port");
            (i32::try_from(node).expect("few"), name(host), port)
        };
        if version < 4 {
            let (node, host, port) = place(&request.key);
            return FindCoordinatorResponse::default()
                .with_error_code(error)
                .with_node_id(node.into())
                .with_host(host)
                .with_port(port);
        }
        let one = |group: &StrBytes| {
            let (node, host, port) = place(group);
            Coordinator::default()
                .with_key(group.clone())
                .with_error_code(error)
                .with_node_id(node.into())
                .with_host(host)
                .with_port(port)
        };
        FindCoordinatorResponse::default()
            .with_coordinators(request.coordinator_keys.iter().map(one).collect())
    }

    /// What a group committed for the partitions that are asked for, or for all.
    fn committed(
        &self,
        group: &str,
        asked: Option<Vec<(String, Vec<i32>)>>,
    ) -> BTreeMap<String, Vec<(i32, i64)>> {
        let none = BTreeMap::new();
        let all = self.groups.get(group).unwrap_or(&none);
        let mut found: BTreeMap<String, Vec<(i32, i64)>> = BTreeMap::new();
        match asked {
            None => {
                for ((topic, partition), offset) in all {
                    found
                        .entry(topic.clone())
                        .or_default()
                        .push((*partition, *offset));
                }
            }
            Some(topics) => {
                for (topic, partitions) in topics {
                    let offset = |partition| all.get(&(topic.clone(), partition)).copied().unwrap_or(-1);
                    let offsets = partitions
                        .into_iter()
                        .map(|partition| (partition, offset(partition)));
                    found.insert(topic.clone(), offsets.collect());
                }
            }
        }
        found
    }

    fn commits(
        &self,
        request: OffsetFetchRequest,
        version: i16,
        error: i16,
        broker: usize,
    ) -> OffsetFetchResponse {
        let wrong = |group: &str| {
            if self.coordinator(group) == broker {
                error
            } else {
                16
            }
        };
        if version < 8 {
            let asked = request.topics.map(|topics| {
                let topics = topics.into_iter();
                topics
                    .map(|topic| (topic.name.to_string(), topic.partition_indexes))
                    .collect()
            });
            let partition = |(index, offset)| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
            };
            let topics = self.committed(&request.group_id, asked).into_iter();
            let topic = |(topic, partitions): (String, Vec<(i32, i64)>)| {
                OffsetFetchResponseTopic::default()
                    .with_name(TopicName(name(&topic)))
                    .with_partitions(partitions.into_iter().map(partition).collect())
            };
            return OffsetFetchResponse::default()
                .with_topics(topics.map(topic).collect())
                .with_error_code(wrong(&request.group_id));
        }
        self.commits_of_many(request, &wrong)
    }

    /// From version 8 on, a request is about many groups.
    fn commits_of_many(
        &self,
        request: OffsetFetchRequest,
        wrong: &dyn Fn(&str) -> i16,
    ) -> OffsetFetchResponse {
        let groups = request.groups.into_iter();
        let groups = groups.filter(|group| {
            !self
                .withheld
                .iter()
                .any(|name| **name == *group.group_id.as_str())
        });
        let one = |group: offset_fetch_request::OffsetFetchRequestGroup| {
            let asked = group.topics.map(|topics| {
                let topics = topics.into_iter();
                topics
                    .map(|topic| (topic.name.to_string(), topic.partition_indexes))
                    .collect()
            });
            let partition = |(index, offset)| {
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
                    .with_metadata(Some(name("a note")))
            };
            let topics = self.committed(&group.group_id, asked).into_iter();
            let topic = |(topic, partitions): (String, Vec<(i32, i64)>)| {
                OffsetFetchResponseTopics::default()
                    .with_name(TopicName(name(&topic)))
                    .with_partitions(partitions.into_iter().map(partition).collect())
            };
            let error = wrong(&group.group_id);
            OffsetFetchResponseGroup::default()
                .with_group_id(group.group_id)
                .with_topics(topics.map(topic).collect())
                .with_error_code(error)
        };
        OffsetFetchResponse::default().with_groups(groups.map(one).collect())
    }

    fn offsets(&self, request: ListOffsetsRequest, error: i16, broker: usize) -> ListOffsetsResponse {
        let topic = |topic: list_offsets_request::ListOffsetsTopic| {
            let partition = |partition: &list_offsets_request::ListOffsetsPartition| {
                assert_eq!(partition.timestamp, -1, "the newest offset is asked for");
                let index = partition.partition_index;
                let leads = usize::try_from(self.leader(index)) == Ok(broker);
                let newest = self.topics.get(topic.name.as_str());
                let newest = newest.and_then(|all| all.get(usize::try_from(index).ok()?).copied());
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(index)
                    .with_offset(newest.unwrap_or(-1))
                    .with_error_code(if leads { error } else { 6 })
            };
            let partitions = topic.partitions.iter().map(partition).collect();
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions)
        };
        let topics = request.topics.into_iter();
        let told = topics.filter(|topic| !self.withheld.iter().any(|name| **name == *topic.name.as_str()));
        ListOffsetsResponse::default().with_topics(told.map(topic).collect())
    }

    fn described(&self, request: &DescribeGroupsRequest) -> DescribeGroupsResponse {
        let one = |group: &GroupId| {
            let members = self.members.get(group.as_str()).copied().unwrap_or_default();
            let member = DescribedGroupMember::default()
                .with_member_id(name("member"))
                .with_member_assignment(Bytes::from_static(b"\0\x01"));
            DescribedGroup::default()
                .with_group_id(group.clone())
                .with_group_state(name(if members > 0 { "Stable" } else { "Empty" }))
                .with_members(vec![member; members])
        };
        DescribeGroupsResponse::default().with_groups(request.groups.iter().map(one).collect())
    }

    fn listed(&self, version: i16, broker: usize) -> ListGroupsResponse {
        let own = self
            .groups
            .keys()
            .filter(|group| self.coordinator(group) == broker);
        let one = |group: &String| {
            let state = if version >= 4 { "Empty" } else { "" };
            ListedGroup::default()
                .with_group_id(GroupId(name(group)))
                .with_group_state(name(state))
        };
        ListGroupsResponse::default().with_groups(own.map(one).collect())
    }

    fn authenticate(&self, request: &SaslAuthenticateRequest, version: i16) -> SaslAuthenticateResponse {
        let (password, lifetime) = self.password.clone().expect("the test gave a password");
        let right = format!("\0alice\0{password}");
        if request.auth_bytes == right.as_bytes() {
            let lifetime = if version >= 1 { lifetime } else { 0 };
            return SaslAuthenticateResponse::default().with_session_lifetime_ms(lifetime);
        }
        let said = String::from_utf8_lossy(&request.auth_bytes).replace('\0', " ");
        SaslAuthenticateResponse::default()
            .with_error_code(58)
            .with_error_message(Some(name(&format!("no such pair:{said}"))))
    }
}

fn handshake(request: &SaslHandshakeRequest) -> SaslHandshakeResponse {
    let known = request.mechanism.as_str() == "PLAIN";
    SaslHandshakeResponse::default()
        .with_error_code(if known { 0 } else { 33 })
        .with_mechanisms(vec![name("PLAIN")])
}
