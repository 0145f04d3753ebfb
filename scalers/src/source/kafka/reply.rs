//! What brokers answer, read out of their frames: only what is needed, and in every version that [`super::api`] asks for.
//!
//! The decoders of `kafka-protocol` allocate as many elements as a reply claims to have; a broker that lies could end
//! the process with that, so replies are read here.

use std::collections::HashMap;

use bytes::Bytes;

use super::wire::{Malformed, Reader};

/// More brokers than any cluster has: each of them would be connected to.
pub(super) const MOST_BROKERS: usize = 1_000;

/// The versions that a broker understands, by the number of the API.
pub(super) type Versions = HashMap<i16, (i16, i16)>;

/// What a broker says of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metadata {
    /// `host:port` of each broker.
    pub(super) brokers: HashMap<i32, String>,
    pub(super) topics: Vec<Topic>,
}

/// A topic with its partitions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Topic {
    pub(super) error: i16,
    pub(super) name: String,
    pub(super) internal: bool,
    pub(super) partitions: Vec<Partition>,
}

/// A partition and the broker that leads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Partition {
    pub(super) error: i16,
    pub(super) index: i32,
    pub(super) leader: i32,
}

/// The broker that keeps the offsets of a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Coordinator {
    pub(super) group: String,
    pub(super) error: i16,
    pub(super) address: String,
}

/// The offsets that a group committed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Commits {
    pub(super) group: String,
    pub(super) error: i16,
    pub(super) topics: Vec<Offsets>,
}

/// Offsets of a topic's partitions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offsets {
    pub(super) topic: String,
    pub(super) partitions: Vec<Offset>,
}

/// An offset, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Offset {
    pub(super) partition: i32,
    pub(super) error: i16,
    #[expect(clippy::struct_field_names, reason = "the term of the protocol")]
    pub(super) offset: i64,
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    #[expect(clippy::struct_field_names, reason = "as in every other reply")]
    pub(super) group: String,
    pub(super) error: i16,
    pub(super) state: String,
    pub(super) members: usize,
}

/// The answer to a step of an exchange of credentials.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) error: i16,
    pub(super) message: Option<String>,
    pub(super) bytes: Bytes,
    /// Milliseconds until the broker wants to see credentials again; 0 for never.
    pub(super) lifetime: i64,
}

/// `ApiVersions`, version 0.
pub(super) fn versions(mut r: Reader) -> Result<(i16, Versions), Malformed> {
    let error = r.i16()?;
    let all = r.list(|r| Ok((r.i16()?, (r.i16()?, r.i16()?))))?;
    Ok((error, all.into_iter().collect()))
}

/// `SaslHandshake`, version 1: an error, and the mechanisms that the broker knows.
pub(super) fn handshake(mut r: Reader) -> Result<(i16, Vec<String>), Malformed> {
    Ok((r.i16()?, r.list(Reader::text)?))
}

/// `SaslAuthenticate`, versions 0 and 1.
pub(super) fn step(mut r: Reader, version: i16) -> Result<Step, Malformed> {
    Ok(Step {
        error: r.i16()?,
        message: r.text_or_none()?,
        bytes: r.blob()?,
        lifetime: if version >= 1 { r.i64()? } else { 0 },
    })
}

/// `Metadata`, versions 4 to 12.
pub(super) fn metadata(mut r: Reader, version: i16) -> Result<Metadata, Malformed> {
    r.i32()?;
    let brokers = r.list(|r| {
        let (node, host, port) = (r.i32()?, r.text()?, r.i32()?);
        r.text_or_none()?;
        r.end()?;
        Ok((node, address(&host, port)))
    })?;
    if brokers.len() > MOST_BROKERS {
        return Err(Malformed::Value("more brokers than any cluster has"));
    }
    r.text_or_none()?;
    r.i32()?;
    let topics = r.list(|r| topic(r, version))?;
    Ok(Metadata {
        brokers: brokers.into_iter().collect(),
        topics,
    })
}

fn topic(r: &mut Reader, version: i16) -> Result<Topic, Malformed> {
    let error = r.i16()?;
    let name = r.text_or_none()?.unwrap_or_default();
    if version >= 10 {
        r.skip(16)?;
    }
    let internal = r.flag()?;
    let partitions = r.list(|r| partition(r, version))?;
    if version >= 8 {
        r.i32()?;
    }
    r.end()?;
    Ok(Topic {
        error,
        name,
        internal,
        partitions,
    })
}

fn partition(r: &mut Reader, version: i16) -> Result<Partition, Malformed> {
    let (error, index, leader) = (r.i16()?, r.i32()?, r.i32()?);
    if version >= 7 {
        r.i32()?;
    }
    r.skip_numbers()?;
    r.skip_numbers()?;
    if version >= 5 {
        r.skip_numbers()?;
    }
    r.end()?;
    Ok(Partition { error, index, leader })
}

/// `FindCoordinator`, versions 1 to 4. Before version 4 it answers for the one group that was asked for.
pub(super) fn coordinators(mut r: Reader, version: i16, asked: &str) -> Result<Vec<Coordinator>, Malformed> {
    r.i32()?;
    if version >= 4 {
        return r.list(|r| {
            let group = r.text()?;
            r.i32()?;
            let address = address(&r.text()?, r.i32()?);
            let error = r.i16()?;
            r.text_or_none()?;
            r.end()?;
            Ok(Coordinator {
                group,
                error,
                address,
            })
        });
    }
    let error = r.i16()?;
    r.text_or_none()?;
    r.i32()?;
    let address = address(&r.text()?, r.i32()?);
    Ok(vec![Coordinator {
        group: asked.to_owned(),
        error,
        address,
    }])
}

/// `OffsetFetch`, versions 3 to 8. Before version 8 it answers for the one group that was asked for.
pub(super) fn commits(mut r: Reader, version: i16, asked: &str) -> Result<Vec<Commits>, Malformed> {
    r.i32()?;
    if version >= 8 {
        return r.list(|r| {
            let group = r.text()?;
            let topics = r.list(|r| committed(r, version))?;
            let error = r.i16()?;
            r.end()?;
            Ok(Commits { group, error, topics })
        });
    }
    let topics = r.list(|r| committed(r, version))?;
    Ok(vec![Commits {
        group: asked.to_owned(),
        error: r.i16()?,
        topics,
    }])
}

fn committed(r: &mut Reader, version: i16) -> Result<Offsets, Malformed> {
    let topic = r.text()?;
    let partitions = r.list(|r| {
        let (partition, offset) = (r.i32()?, r.i64()?);
        if version >= 5 {
            r.i32()?;
        }
        r.text_or_none()?;
        let error = r.i16()?;
        r.end()?;
        Ok(Offset {
            partition,
            error,
            offset,
        })
    })?;
    r.end()?;
    Ok(Offsets { topic, partitions })
}

/// `ListOffsets`, versions 2 to 6.
pub(super) fn offsets(mut r: Reader, version: i16) -> Result<Vec<Offsets>, Malformed> {
    r.i32()?;
    r.list(|r| {
        let topic = r.text()?;
        let partitions = r.list(|r| {
            let (partition, error) = (r.i32()?, r.i16()?);
            r.i64()?;
            let offset = r.i64()?;
            if version >= 4 {
                r.i32()?;
            }
            r.end()?;
            Ok(Offset {
                partition,
                error,
                offset,
            })
        })?;
        r.end()?;
        Ok(Offsets { topic, partitions })
    })
}

/// `DescribeGroups`, versions 1 to 5.
pub(super) fn groups(mut r: Reader, version: i16) -> Result<Vec<Group>, Malformed> {
    r.i32()?;
    r.list(|r| {
        let (error, group, state) = (r.i16()?, r.text()?, r.text()?);
        r.text()?;
        r.text()?;
        let members = r.list(|r| {
            r.text()?;
            if version >= 4 {
                r.text_or_none()?;
            }
            r.text()?;
            r.text()?;
            r.blob()?;
            r.blob()?;
            r.end()
        })?;
        if version >= 3 {
            r.i32()?;
        }
        r.end()?;
        Ok(Group {
            group,
            error,
            state,
            members: members.len(),
        })
    })
}

/// `ListGroups`, versions 1 to 4: an error, and each group with the state it is in, where the broker tells.
pub(super) fn listed(mut r: Reader, version: i16) -> Result<(i16, Vec<(String, String)>), Malformed> {
    r.i32()?;
    let error = r.i16()?;
    let groups = r.list(|r| {
        let group = r.text()?;
        r.text()?;
        let state = if version >= 4 { r.text()? } else { String::new() };
        r.end()?;
        Ok((group, state))
    })?;
    Ok((error, groups))
}

/// `host:port`; an IPv6 address stands in brackets.
fn address(host: &str, port: i32) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
