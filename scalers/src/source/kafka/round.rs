//! One round of requests for a batch of questions, however many there are:
//!
//! ```text
//! groups ─▶ FindCoordinator ┐               ┌▶ OffsetFetch, one a coordinator ┐
//!                           ├─ side by side ┤                                 ├▶ ListOffsets, one a leader
//! topics ─▶ Metadata ───────┘               └▶ DescribeGroups                 ┘
//! ```
//! Commits are read before the newest offsets: a lag that falls meanwhile is never read as below zero.

mod groups;
mod leaders;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::future::join;

use super::brokers::{Brokers, Fault};
use super::reply::{self, Group, Offset, Topic};
use super::{Answer, PartitionOffsets, Question, TopicOffsets, Topics};
use crate::ScalerError;

/// Partitions by topic.
type Partitions<'q> = BTreeMap<&'q str, BTreeSet<i32>>;
/// What a group committed; `None` for a partition that it never committed for.
type Committed = HashMap<String, HashMap<i32, Offset>>;

/// The newest offset of each partition of each topic.
type Newest = HashMap<String, HashMap<i32, Result<i64, Fault>>>;

/// What the questions are about.
#[derive(Default)]
struct Plan<'q> {
    groups: BTreeSet<&'q str>,
    named: BTreeSet<&'q str>,
    /// Groups that must have members.
    described: BTreeSet<&'q str>,
    every_topic: bool,
    every_group: bool,
}

/// Topics and brokers as metadata has them.
#[derive(Default)]
struct Cluster {
    brokers: HashMap<i32, String>,
    topics: BTreeMap<String, Topic>,
}

/// Everything that was learnt, by what it is about.
struct Seen<'q> {
    cluster: Result<Cluster, Fault>,
    commits: BTreeMap<&'q str, Result<Committed, Fault>>,
    groups: BTreeMap<&'q str, Result<Group, Fault>>,
    /// Groups that were asked for the commits of named partitions.
    explicit: BTreeSet<&'q str>,
    newest: Newest,
}

/// Answers all questions; one answer or fault each, same order.
pub(super) async fn answer(brokers: &Brokers, questions: &[&Question]) -> Vec<Result<Answer, Fault>> {
    let plan = Plan::of(questions);
    let (coordinators, mut cluster) =
        join(brokers.coordinators(&plan.groups), Cluster::ask(brokers, &plan)).await;
    let wanted = commits_wanted(questions, cluster.as_ref().ok());
    let (commits, groups) = join(
        groups::commits(brokers, &wanted, &coordinators),
        groups::describe(brokers, &plan.described, &coordinators),
    )
    .await;
    if let Ok(known) = &mut cluster
        && let Err(fault) = known.add_committed(brokers, questions, &commits).await
    {
        cluster = Err(fault);
    }
    let mut seen = Seen {
        cluster,
        commits,
        groups,
        explicit: wanted
            .iter()
            .filter_map(|(group, topics)| topics.as_ref().map(|_| *group))
            .collect(),
        newest: Newest::new(),
    };
    seen.newest = leaders::newest(brokers, questions, &seen).await;
    let listed = if plan.every_group {
        Some(leaders::inventory(brokers, &seen).await)
    } else {
        None
    };
    let answers = questions.iter().map(|question| match question {
        Question::Lag { group, topics, only } => seen.lag(brokers, group, topics, only.as_deref()),
        Question::Inventory => listed
            .clone()
            .unwrap_or_else(|| Ok(Answer::Inventory(Arc::default()))),
    });
    answers.collect()
}

impl<'q> Plan<'q> {
    fn of(questions: &[&'q Question]) -> Self {
        let mut plan = Self::default();
        for question in questions {
            match question {
                Question::Inventory => (plan.every_topic, plan.every_group) = (true, true),
                Question::Lag { group, topics, .. } => {
                    plan.groups.insert(group);
                    match topics {
                        Topics::Named(names) => plan.named.extend(names.iter().map(String::as_str)),
                        Topics::Committed => {}
                        Topics::All => {
                            plan.every_topic = true;
                            plan.described.insert(group);
                        }
                    }
                }
            }
        }
        plan
    }
}

impl Cluster {
    async fn ask(brokers: &Brokers, plan: &Plan<'_>) -> Result<Self, Fault> {
        let names = plan.named.iter().copied().collect::<Vec<_>>();
        if names.is_empty() && !plan.every_topic {
            return Ok(Self::default());
        }
        let mut cluster = Self::default();
        cluster.add(brokers, (!plan.every_topic).then_some(names)).await?;
        Ok(cluster)
    }

    async fn add(&mut self, brokers: &Brokers, names: Option<Vec<&str>>) -> Result<(), Fault> {
        let metadata = brokers.metadata(names).await?;
        self.brokers = metadata.brokers;
        let topics = metadata.topics.into_iter();
        self.topics
            .extend(topics.map(|topic| (topic.name.clone(), topic)));
        Ok(())
    }

    /// Asks for the topics that only the commits of a group name.
    async fn add_committed(
        &mut self,
        brokers: &Brokers,
        questions: &[&Question],
        commits: &BTreeMap<&str, Result<Committed, Fault>>,
    ) -> Result<(), Fault> {
        let mut missing = BTreeSet::new();
        for question in questions {
            if let Question::Lag {
                group,
                topics: Topics::Committed,
                ..
            } = question
                && let Some(Ok(committed)) = commits.get(group.as_str())
            {
                let unknown = committed.keys().filter(|topic| !self.topics.contains_key(*topic));
                missing.extend(unknown.map(String::as_str));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.add(brokers, Some(missing.into_iter().collect())).await
    }

    /// The topics of a question, as far as they are known.
    fn names<'a>(&'a self, topics: &'a Topics, committed: Option<&'a Committed>) -> BTreeSet<&'a str> {
        match topics {
            Topics::Named(names) => names.iter().map(String::as_str).collect(),
            Topics::Committed => committed
                .map(|all| all.keys().map(String::as_str).collect())
                .unwrap_or_default(),
            Topics::All => self.topics.keys().map(String::as_str).collect(),
        }
    }
}

/// The partitions of a topic that a question is about.
fn chosen(topic: &Topic, only: Option<&[i32]>) -> impl Iterator<Item = reply::Partition> {
    let all = topic.partitions.iter().copied();
    all.filter(move |partition| only.is_none_or(|only| only.binary_search(&partition.index).is_ok()))
}

/// Which commits each group is asked for; `None` for all that it has.
fn commits_wanted<'q>(
    questions: &[&'q Question],
    cluster: Option<&Cluster>,
) -> BTreeMap<&'q str, Option<Partitions<'q>>> {
    let mut wanted: BTreeMap<&str, Option<Partitions<'_>>> = BTreeMap::new();
    for question in questions {
        let Question::Lag { group, topics, only } = question else {
            continue;
        };
        let entry = wanted.entry(group).or_insert_with(|| Some(Partitions::new()));
        let Topics::Named(names) = topics else {
            *entry = None;
            continue;
        };
        let Some(partitions) = entry else { continue };
        for name in names {
            let topic = cluster.and_then(|cluster| cluster.topics.get(name));
            if let Some(topic) = topic.filter(|topic| topic.error == 0) {
                let indexes = chosen(topic, only.as_deref()).map(|partition| partition.index);
                partitions.entry(name).or_default().extend(indexes);
            }
        }
    }
    wanted
}

impl Seen<'_> {
    /// The offsets that one question is about.
    fn lag(
        &self,
        brokers: &Brokers,
        group: &str,
        topics: &Topics,
        only: Option<&[i32]>,
    ) -> Result<Answer, Fault> {
        let cluster = self.cluster.as_ref().map_err(Clone::clone)?;
        if *topics == Topics::All {
            self.has_members(group)?;
        }
        let none = Committed::new();
        let committed = match self.commits.get(group) {
            Some(Ok(committed)) => committed,
            Some(Err(fault)) => return Err(fault.clone()),
            None => &none,
        };
        let mut all = Vec::new();
        for name in cluster.names(topics, Some(committed)) {
            let about = format!("the topic `{name}`");
            // DEVIATION: for `apache-kafka`, upstream counts nothing for a topic that does not exist, or whose partitions
            // answer with an error; a workload must not be taken away because nobody can say.
            let Some(topic) = cluster.topics.get(name) else {
                return Err(missing(brokers.endpoint(), &about));
            };
            if let Some(fault) = Fault::code(topic.error, brokers.endpoint(), &about) {
                return Err(fault);
            }
            let mut partitions = Vec::new();
            for partition in chosen(topic, only) {
                let offset = committed.get(name).and_then(|all| all.get(&partition.index));
                partitions.push(PartitionOffsets {
                    partition: partition.index,
                    committed: self.committed(brokers, group, name, partition.index, offset)?,
                    newest: self.newest(brokers, name, partition.index)?,
                });
            }
            all.push(TopicOffsets {
                topic: name.to_owned(),
                partitions,
            });
        }
        Ok(Answer::Offsets(Arc::new(all)))
    }

    /// Upstream: `DescribeGroups` in `apache_kafka_scaler.go`.
    fn has_members(&self, group: &str) -> Result<(), Fault> {
        match self.groups.get(group) {
            Some(Ok(found)) if found.members > 0 => Ok(()),
            Some(Ok(found)) => {
                let state = &found.state;
                let text = format!("the group `{group}` has no members, and its state is {state}");
                Err(Fault::from(ScalerError::Value(text)))
            }
            Some(Err(fault)) => Err(fault.clone()),
            None => Ok(()),
        }
    }

    /// What a group committed for a partition; `None` if it never did.
    fn committed(
        &self,
        brokers: &Brokers,
        group: &str,
        topic: &str,
        partition: i32,
        offset: Option<&Offset>,
    ) -> Result<Option<i64>, Fault> {
        let about = || format!("the commits of `{group}` for partition {partition} of `{topic}`");
        let Some(offset) = offset else {
            // Whoever asks for all commits is told of those that there are.
            let told = !self.explicit.contains(group);
            return if told {
                Ok(None)
            } else {
                Err(missing(brokers.endpoint(), &about()))
            };
        };
        match Fault::code(offset.error, brokers.endpoint(), &about()) {
            Some(fault) => Err(fault),
            None => Ok((offset.offset >= 0).then_some(offset.offset)),
        }
    }

    fn newest(&self, brokers: &Brokers, topic: &str, partition: i32) -> Result<i64, Fault> {
        // DEVIATION: upstream counts nothing for a partition whose newest offset is not in the reply.
        let found = self.newest.get(topic).and_then(|all| all.get(&partition));
        found.cloned().unwrap_or_else(|| {
            let about = format!("the newest offset of partition {partition} of `{topic}`");
            Err(missing(brokers.endpoint(), &about))
        })
    }
}

/// A reply that leaves out what was asked for.
fn missing(endpoint: &str, about: &str) -> Fault {
    Fault::from(ScalerError::Answer {
        endpoint: endpoint.to_owned(),
        answer: format!("without {about}"),
    })
}
