//! What the brokers that lead partitions know: the newest offsets. And what all brokers have, for an inventory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::future::join_all;

use super::super::api;
use super::super::brokers::{Brokers, Fault};
use super::super::reply::{self, Offsets};
use super::super::{Answer, Inventory, Question};
use super::{Cluster, Newest, Partitions, Seen, chosen, missing};
use crate::ScalerError;

/// The newest offsets of all partitions that the questions are about: one request to each leader of any.
pub(super) async fn newest(brokers: &Brokers, questions: &[&Question], seen: &Seen<'_>) -> Newest {
    let Ok(cluster) = &seen.cluster else {
        return Newest::new();
    };
    let mut found = Newest::new();
    let places = by_leader(questions, seen, cluster, &mut found, brokers.endpoint());
    let all = places.len();
    let asked = places.into_iter().map(|(address, wanted)| async move {
        let asked = newest_at(brokers, &address, &wanted);
        let replies = brokers.among(all, &address, asked).await;
        (address, wanted, replies)
    });
    for (address, wanted, replies) in join_all(asked).await {
        let replies = replies.map(by_partition);
        for (topic, partitions) in wanted {
            let place = found.entry(topic.to_owned()).or_default();
            for partition in partitions {
                let about = || format!("partition {partition} of `{topic}`");
                let offset = match &replies {
                    Err(fault) => Err(fault.clone()),
                    Ok(replies) => match replies.get(&(topic.to_owned(), partition)) {
                        None => Err(missing(&address, &about())),
                        Some((code, offset)) => match Fault::code(*code, &address, &about()) {
                            Some(fault) => Err(fault),
                            None if *offset < 0 => Err(missing(&address, &about())),
                            None => Ok(*offset),
                        },
                    },
                };
                place.insert(partition, offset);
            }
        }
    }
    found
}

/// Partitions by the broker that leads them; those without one go to `failed`.
fn by_leader<'c>(
    questions: &[&Question],
    seen: &Seen<'_>,
    cluster: &'c Cluster,
    failed: &mut Newest,
    endpoint: &str,
) -> BTreeMap<String, Partitions<'c>> {
    let mut places: BTreeMap<String, Partitions<'_>> = BTreeMap::new();
    for question in questions {
        let Question::Lag { group, topics, only } = question else {
            continue;
        };
        let committed = seen
            .commits
            .get(group.as_str())
            .and_then(|found| found.as_ref().ok());
        for name in cluster.names(topics, committed) {
            let Some((name, topic)) = cluster.topics.get_key_value(name) else {
                continue;
            };
            for partition in chosen(topic, only.as_deref()) {
                if let Some(address) = cluster.brokers.get(&partition.leader) {
                    let place = places.entry(address.clone()).or_default();
                    place.entry(name).or_default().insert(partition.index);
                    continue;
                }
                let about = format!("partition {} of `{name}`", partition.index);
                // A partition between two leaders has one soon.
                let fault = Fault::code(partition.error, endpoint, &about).unwrap_or_else(|| Fault {
                    again: true,
                    error: ScalerError::Value(format!("{about} has no leader")),
                });
                let place = failed.entry(name.clone()).or_default();
                place.insert(partition.index, Err(fault));
            }
        }
    }
    places
}

async fn newest_at(brokers: &Brokers, address: &str, wanted: &Partitions<'_>) -> Result<Vec<Offsets>, Fault> {
    let connection = brokers.named(address).await?;
    let version = connection.version(api::OFFSETS)?;
    let list = |all: &BTreeSet<i32>| all.iter().copied().collect();
    let wanted: Vec<(&str, Vec<i32>)> = wanted.iter().map(|(topic, all)| (*topic, list(all))).collect();
    let reader = connection
        .call(api::OFFSETS, version, &api::offsets(&wanted))
        .await?;
    Ok(connection.read(api::OFFSETS, reply::offsets(reader, version))?)
}

fn by_partition(topics: Vec<Offsets>) -> HashMap<(String, i32), (i16, i64)> {
    let mut all = HashMap::new();
    for topic in topics {
        for offset in topic.partitions {
            all.insert(
                (topic.topic.clone(), offset.partition),
                (offset.error, offset.offset),
            );
        }
    }
    all
}

/// Topics with their partitions, and the groups of every broker that answers.
pub(super) async fn inventory(brokers: &Brokers, seen: &Seen<'_>) -> Result<Answer, Fault> {
    let cluster = seen.cluster.as_ref().map_err(Clone::clone)?;
    let topics = cluster
        .topics
        .values()
        .filter(|topic| topic.error == 0 && !topic.internal);
    let topics = topics
        .map(|topic| (topic.name.clone(), topic.partitions.len()))
        .collect();
    let addresses: BTreeSet<&String> = cluster.brokers.values().collect();
    let asked = addresses.into_iter().map(|address| groups_at(brokers, address));
    let (mut groups, mut fault) = (BTreeMap::new(), None);
    for found in join_all(asked).await {
        match found {
            Ok(found) => groups.extend(found),
            Err(error) => drop(fault.get_or_insert(error)),
        }
    }
    match fault {
        // What some brokers know is better than nothing for those who are still writing.
        Some(fault) if groups.is_empty() => Err(fault),
        _ => Ok(Answer::Inventory(Arc::new(Inventory {
            topics,
            groups: groups.into_iter().collect(),
        }))),
    }
}

async fn groups_at(brokers: &Brokers, address: &str) -> Result<Vec<(String, String)>, Fault> {
    let connection = brokers.named(address).await?;
    let version = connection.version(api::LIST)?;
    let reader = connection.call(api::LIST, version, &api::list()).await?;
    let (error, groups) = connection.read(api::LIST, reply::listed(reader, version))?;
    match Fault::code(error, address, "the list of groups") {
        Some(fault) => Err(fault),
        None => Ok(groups),
    }
}
