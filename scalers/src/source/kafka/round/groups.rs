//! What the brokers that coordinate groups know: commits, members.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::future::join_all;

use super::super::api::{self, CommitsOf};
use super::super::brokers::{Brokers, Fault};
use super::super::reply::{self, Commits, Group, Offset};
use super::{Committed, Partitions};
use crate::ScalerError;

/// Groups by the broker that keeps their offsets; a group whose broker is not known goes to `failed`.
fn by_coordinator<'q, T>(
    groups: impl Iterator<Item = &'q str>,
    coordinators: &BTreeMap<&'q str, Result<String, Fault>>,
    failed: &mut BTreeMap<&'q str, Result<T, Fault>>,
) -> BTreeMap<String, Vec<&'q str>> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for group in groups {
        match coordinators.get(group) {
            Some(Ok(address)) => places.entry(address.clone()).or_default().push(group),
            Some(Err(fault)) => drop(failed.insert(group, Err(fault.clone()))),
            None => {}
        }
    }
    places
}

/// What groups committed: one request to each broker that keeps offsets of any.
pub(super) async fn commits<'q>(
    brokers: &Brokers,
    wanted: &BTreeMap<&'q str, Option<Partitions<'q>>>,
    coordinators: &BTreeMap<&'q str, Result<String, Fault>>,
) -> BTreeMap<&'q str, Result<Committed, Fault>> {
    let mut found = BTreeMap::new();
    // A question whose topics are not known asks for nothing, and needs no request.
    let groups = wanted
        .iter()
        .filter(|(_, topics)| topics.as_ref().is_none_or(|all| !all.is_empty()));
    let places = by_coordinator(groups.map(|(group, _)| *group), coordinators, &mut found);
    let all = places.len();
    let asked = places.into_iter().map(|(address, groups)| async move {
        let lists = groups.iter().map(|group| {
            let topics = wanted.get(group).and_then(Option::as_ref);
            let list = topics.map(|topics| {
                let topic =
                    |(topic, all): (&&'q str, &BTreeSet<i32>)| (*topic, all.iter().copied().collect());
                topics.iter().map(topic).collect()
            });
            (*group, list)
        });
        let lists = lists.collect::<Vec<_>>();
        let asked = commits_at(brokers, &address, &lists);
        let replies = brokers.among(all, &address, asked).await;
        (address, groups, replies)
    });
    for (address, groups, replies) in join_all(asked).await {
        let mut replies = match replies {
            Ok(replies) => replies,
            Err(fault) => {
                for group in groups {
                    brokers.forget(group);
                    found.insert(group, Err(fault.clone()));
                }
                continue;
            }
        };
        for group in groups {
            let reply = checked(replies.remove(group), &address, group, |reply| reply.error);
            if reply.as_ref().is_err_and(|fault| fault.again) {
                brokers.forget(group);
            }
            found.insert(group, reply.map(committed));
        }
    }
    found
}

/// The reply about a group, unless it is missing or an error.
fn checked<T>(reply: Option<T>, address: &str, group: &str, code: impl Fn(&T) -> i16) -> Result<T, Fault> {
    let about = format!("the group `{group}`");
    let missing = || ScalerError::Answer {
        endpoint: address.to_owned(),
        answer: format!("without {about}"),
    };
    let reply = reply.ok_or_else(|| Fault::from(missing()))?;
    match Fault::code(code(&reply), address, &about) {
        Some(fault) => Err(fault),
        None => Ok(reply),
    }
}

fn committed(reply: Commits) -> Committed {
    let partitions = |offsets: Vec<Offset>| offsets.into_iter().map(|offset| (offset.partition, offset));
    let topics = reply.topics.into_iter();
    topics
        .map(|topic| (topic.topic, partitions(topic.partitions).collect()))
        .collect()
}

async fn commits_at(
    brokers: &Brokers,
    address: &str,
    groups: &[CommitsOf<'_>],
) -> Result<HashMap<String, Commits>, Fault> {
    let connection = brokers.named(address).await?;
    let version = connection.version(api::COMMITS)?;
    let at_once = if version >= api::MANY_COMMITS {
        groups.len()
    } else {
        1
    };
    let asked = groups.chunks(at_once.max(1)).map(|groups| {
        let connection = &connection;
        async move {
            let request = api::commits(version, groups);
            let reader = connection.call(api::COMMITS, version, &request).await?;
            let first = groups.first().map_or("", |(group, _)| *group);
            connection.read(api::COMMITS, reply::commits(reader, version, first))
        }
    });
    let replies: Result<Vec<_>, ScalerError> = join_all(asked).await.into_iter().collect();
    let all = replies?.into_iter().flatten();
    Ok(all.map(|reply| (reply.group.clone(), reply)).collect())
}

/// State and members of groups.
pub(super) async fn describe<'q>(
    brokers: &Brokers,
    groups: &BTreeSet<&'q str>,
    coordinators: &BTreeMap<&'q str, Result<String, Fault>>,
) -> BTreeMap<&'q str, Result<Group, Fault>> {
    let mut found = BTreeMap::new();
    let places = by_coordinator(groups.iter().copied(), coordinators, &mut found);
    let all = places.len();
    let asked = places.into_iter().map(|(address, groups)| async move {
        let asked = groups_at(brokers, &address, &groups);
        let replies = brokers.among(all, &address, asked).await;
        (address, groups, replies)
    });
    for (address, groups, replies) in join_all(asked).await {
        for group in groups {
            let reply = match &replies {
                Ok(replies) => checked(replies.get(group).cloned(), &address, group, |reply| reply.error),
                Err(fault) => Err(fault.clone()),
            };
            if reply.as_ref().is_err_and(|fault| fault.again) {
                brokers.forget(group);
            }
            found.insert(group, reply);
        }
    }
    found
}

async fn groups_at(
    brokers: &Brokers,
    address: &str,
    groups: &[&str],
) -> Result<HashMap<String, Group>, Fault> {
    let connection = brokers.named(address).await?;
    let version = connection.version(api::GROUPS)?;
    let reader = connection
        .call(api::GROUPS, version, &api::groups(groups))
        .await?;
    let replies = connection.read(api::GROUPS, reply::groups(reader, version))?;
    Ok(replies
        .into_iter()
        .map(|reply| (reply.group.clone(), reply))
        .collect())
}
