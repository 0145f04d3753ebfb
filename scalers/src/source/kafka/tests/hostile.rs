//! Brokers that send what no broker sends: each is an error in time, never a panic, a hang or a mountain of memory.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{ApiKey, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::super::reply;
use super::super::wire::{Malformed, Reader};
use super::*;

/// How a broker treats its client.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Says these bytes once it has been asked something, and waits.
    Says(&'static [u8]),
    /// Says these bytes, and hangs up.
    Leaves(&'static [u8]),
}

async fn serve(listener: TcpListener, manner: Manner) {
    let mut held = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = [0_u8; 64];
        if stream.read(&mut request).await.is_err() {
            continue;
        }
        let (Manner::Says(bytes) | Manner::Leaves(bytes)) = manner;
        // A client that has seen enough may be gone.
        let _ = stream.write_all(bytes).await;
        if matches!(manner, Manner::Says(_)) {
            held.push(stream);
        }
    }
}

/// What a client is told that opens a cluster of one such broker.
async fn meets(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let mut broker = JoinSet::new();
    broker.spawn(serve(listener, manner));
    let connect = Connect {
        timeout: Duration::from_millis(300),
        ..Connect::default()
    };
    let error = Kafka::open(&cluster(std::slice::from_ref(&address)), &connect).await;
    let text = error.err().expect("no broker").chain();
    text.replace(&address, "broker")
}

const LEFT: &str = "cannot reach broker: the broker closed the connection";
const SILENT: &str = "no answer from broker within 300ms";

/// What a broker does, and what its client is told.
const CASES: [(Manner, &str); 10] = [
    (Manner::Leaves(b""), LEFT),
    (Manner::Leaves(b"\0\0\0\x09\0\0"), LEFT),
    (Manner::Says(b""), SILENT),
    (Manner::Says(b"\0\0\0\x09\0\0"), SILENT),
    (
        Manner::Says(b"HTTP/1.1 400"),
        "cannot reach broker: a reply of 1213486160 bytes",
    ),
    (
        Manner::Says(b"\xff\xff\xff\xff"),
        "cannot reach broker: a reply of -1 bytes",
    ),
    (
        Manner::Says(b"\x15\x03\x03\0\x02\x02\x46"),
        "cannot reach broker: an alert of TLS, so the port wants TLS",
    ),
    (
        Manner::Says(b"\0\0\0\x0a\0\0\0\x07\0\0\0\0\0\0"),
        "cannot reach broker: a reply to a request that was not made",
    ),
    (
        Manner::Says(b"\0\0\0\x0a\0\0\0\0\0\0\x7f\xff\xff\xff"),
        "broker answered ApiVersions with a reply that ends too early",
    ),
    (
        Manner::Says(b"\0\0\0\x0a\0\0\0\0\0\x2a\0\0\0\0"),
        "broker answered error 42 when it was asked which requests it understands",
    ),
];

#[tokio::test]
async fn what_is_no_reply_is_named() {
    let told = join_all(CASES.iter().map(|(manner, _)| meets(*manner))).await;
    for ((manner, want), told) in CASES.iter().zip(told) {
        assert_eq!(told, *want, "{manner:?}");
    }
}

#[tokio::test]
async fn a_broker_without_a_version_that_is_known_is_named() {
    let fake = Fake::start(&[(ApiKey::ApiVersions, 0), (ApiKey::Metadata, 3)], 1).await;
    let kafka = open(&fake).await;
    let error = one(&kafka, &named("billing", &["jobs"]))
        .await
        .expect_err("too old");
    let text = error.to_string();
    assert!(
        text.ends_with("it speaks no version of Metadata that is known here; Kafka 1.0 or newer does"),
        "{text}"
    );
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

/// A reply about one topic, as a broker of a version would write it.
fn written(version: i16) -> Bytes {
    let broker = MetadataResponseBroker::default()
        .with_node_id(7.into())
        .with_host(text("::1"))
        .with_port(9092);
    let partition = MetadataResponsePartition::default()
        .with_partition_index(3)
        .with_leader_id(7.into())
        .with_replica_nodes(vec![7.into(), 8.into()])
        .with_isr_nodes(vec![7.into()]);
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(text("jobs"))))
        .with_partitions(vec![partition]);
    let reply = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text("c")))
        .with_topics(vec![topic]);
    let mut out = BytesMut::new();
    reply.encode(&mut out, version).expect("a reply");
    out.freeze()
}

#[test]
fn more_brokers_than_a_cluster_has_are_refused() {
    let named = |count: i32| {
        let broker = |node: i32| {
            MetadataResponseBroker::default()
                .with_node_id(node.into())
                .with_host(text("b"))
                .with_port(9092)
        };
        let reply = MetadataResponse::default().with_brokers((0..count).map(broker).collect());
        let mut out = BytesMut::new();
        reply.encode(&mut out, 9).expect("a reply");
        reply::metadata(Reader::new(out.freeze(), true), 9)
    };
    assert_eq!(named(1_000).expect("a large cluster").brokers.len(), 1_000);
    assert_eq!(
        named(1_001),
        Err(Malformed::Value("more brokers than any cluster has"))
    );
}

#[test]
fn a_reply_that_is_cut_anywhere_is_refused_or_whole() {
    for version in 4..=12 {
        let whole = written(version);
        let read = |bytes: Bytes| reply::metadata(Reader::new(bytes, version >= 9), version);
        let right = read(whole.clone()).expect("whole");
        assert_eq!(right.brokers[&7], "[::1]:9092");
        assert_eq!(right.topics[0].partitions.len(), 1);
        for length in 0..whole.len() {
            if let Ok(found) = read(whole.slice(..length)) {
                assert_eq!(found, right, "version {version} after {length} bytes");
            }
        }
    }
}

proptest! {
    /// No decoder panics, whatever it is given, and none finds more than there is.
    #[test]
    fn any_reply_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0..13_i16, flexible in any::<bool>()) {
        let size = bytes.len();
        let reader = || Reader::new(Bytes::from(bytes.clone()), flexible);
        if let Ok(found) = reply::metadata(reader(), version) {
            let partitions: usize = found.topics.iter().map(|topic| topic.partitions.len()).sum();
            prop_assert!(found.brokers.len() + found.topics.len() + partitions <= size);
        }
        if let Ok(found) = reply::commits(reader(), version, "g") {
            prop_assert!(found.iter().map(|group| group.topics.len()).sum::<usize>() <= size);
        }
        if let Ok(found) = reply::offsets(reader(), version) {
            prop_assert!(found.iter().map(|topic| topic.partitions.len()).sum::<usize>() <= size);
        }
        if let Ok(found) = reply::groups(reader(), version) {
            prop_assert!(found.iter().map(|group| group.members).sum::<usize>() <= size);
        }
        if let Ok((_, found)) = reply::listed(reader(), version) {
            prop_assert!(found.len() <= size);
        }
        if let Ok(found) = reply::coordinators(reader(), version, "g") {
            prop_assert!(found.len() <= size);
        }
        if let Ok((_, found)) = reply::versions(reader()) {
            prop_assert!(found.len() <= size);
        }
        if let Ok((_, found)) = reply::handshake(reader()) {
            prop_assert!(found.len() <= size);
        }
        if let Ok(found) = reply::step(reader(), version) {
            prop_assert!(found.bytes.len() <= size);
        }
    }

    /// A right reply with a few wrong bytes is read or refused, too.
    #[test]
    fn a_damaged_reply_is_read_or_refused(
        version in 4..=12_i16,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = written(version).to_vec();
        for (place, byte) in &damage {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        let size = bytes.len();
        if let Ok(found) = reply::metadata(Reader::new(Bytes::from(bytes), version >= 9), version) {
            prop_assert!(found.brokers.len() + found.topics.len() <= size);
        }
    }
}
