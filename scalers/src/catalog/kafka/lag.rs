//! How far a group is behind, as a number to scale on. Pure, but for the memory that a trigger keeps.
//!
//! Upstream: `getLagForPartition` and `getTotalLag` in `kafka_scaler.go` and `apache_kafka_scaler.go`.

use std::collections::HashMap;

use crate::source::kafka::{PartitionOffsets, TopicOffsets};

/// What a partition counts that the group never committed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uncommitted {
    /// One, so that a consumer comes and commits.
    One,
    /// Everything that is in it.
    Everything,
    /// Nothing.
    Nothing,
}

/// What keeps the lag from asking for more replicas than have work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// Nothing.
    None,
    /// A replica for each partition.
    Partitions,
    /// A replica for each partition that is behind.
    Lagging,
}

/// The rules of one trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// The lag that one replica should have; above zero.
    pub(super) threshold: i64,
    pub(super) uncommitted: Uncommitted,
    /// Whether a partition counts nothing while its group does not move.
    pub(super) exclude_persistent: bool,
    pub(super) bound: Bound,
    /// Whether replicas should divide the partitions evenly.
    pub(super) even: bool,
}

/// The lag in the two ways that it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lag {
    /// What the HPA gets.
    pub(super) metric: i64,
    /// What decides on activity: persistent lag counts, and there is no bound.
    pub(super) activity: i64,
}

/// Where a group was when it was last seen, by topic and partition.
pub(super) type Seen = HashMap<String, HashMap<i32, i64>>;

/// Partitions that may be remembered though they are not there any more.
const SPARE: usize = 1_000;

/// The lag over all partitions. `seen` takes what this reading saw, where persistent lag is excluded.
pub(super) fn lag(rules: Rules, topics: &[TopicOffsets], seen: &mut Seen) -> Lag {
    let (mut sum, mut partitions, mut lagging) = (Lag::default(), 0_i64, 0_i64);
    for topic in topics {
        for offsets in &topic.partitions {
            let one = of_partition(rules, &topic.topic, offsets, seen);
            sum.metric = sum.metric.saturating_add(one.metric);
            sum.activity = sum.activity.saturating_add(one.activity);
            partitions += 1;
            lagging += i64::from(one.metric > 0);
        }
    }
    if rules.exclude_persistent {
        forget(topics, seen);
    }
    sum.metric = bounded(rules, sum.metric, partitions, lagging);
    sum
}

/// Forgets partitions that are not there any more, once they are many. Upstream keeps them.
fn forget(topics: &[TopicOffsets], seen: &mut Seen) {
    let there: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    let known: usize = seen.values().map(HashMap::len).sum();
    if known <= 2 * there + SPARE {
        return;
    }
    seen.clear();
    for topic in topics {
        let commits = topic.partitions.iter();
        let commits = commits.filter_map(|offsets| Some((offsets.partition, offsets.committed?)));
        seen.insert(topic.topic.clone(), commits.collect());
    }
}

fn of_partition(rules: Rules, topic: &str, offsets: &PartitionOffsets, seen: &mut Seen) -> Lag {
    let both = |value| Lag {
        metric: value,
        activity: value,
    };
    let Some(committed) = offsets.committed else {
        return both(match rules.uncommitted {
            Uncommitted::One => 1,
            Uncommitted::Everything => offsets.newest,
            Uncommitted::Nothing => 0,
        });
    };
    let behind = both(offsets.newest.saturating_sub(committed));
    if !rules.exclude_persistent {
        return behind;
    }
    let before = seen
        .entry(topic.to_owned())
        .or_default()
        .insert(offsets.partition, committed);
    if before == Some(committed) {
        Lag { metric: 0, ..behind }
    } else {
        behind
    }
}

/// The lag that asks for no more replicas than the bound allows.
fn bounded(rules: Rules, lag: i64, partitions: i64, lagging: i64) -> i64 {
    let most = match rules.bound {
        Bound::None => return lag,
        Bound::Partitions => partitions,
        Bound::Lagging => lagging,
    };
    let lag = if rules.even {
        even_replicas(lag, partitions, rules.threshold).saturating_mul(rules.threshold)
    } else {
        lag
    };
    // A threshold of zero is refused before anything is asked; it would end the process here.
    let replicas = lag.checked_div(rules.threshold).unwrap_or_default();
    if replicas > most {
        most.saturating_mul(rules.threshold)
    } else {
        lag
    }
}

/// The fewest replicas that divide the partitions evenly and have no more than their share of the lag.
///
/// Upstream: `getNextFactorThatBalancesConsumersToTopicPartitions`.
fn even_replicas(lag: i64, partitions: i64, threshold: i64) -> i64 {
    let divisors = (1..=partitions).filter(|divisor| partitions % divisor == 0);
    let mut enough = divisors.filter(|divisor| divisor.saturating_mul(threshold) >= lag);
    enough.next().unwrap_or(partitions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules {
        threshold: 10,
        uncommitted: Uncommitted::One,
        exclude_persistent: false,
        bound: Bound::Partitions,
        even: false,
    };

    /// A topic whose partitions have these commits and newest offsets.
    fn topic(offsets: &[(Option<i64>, i64)]) -> Vec<TopicOffsets> {
        let partitions = (0..)
            .zip(offsets)
            .map(|(partition, (committed, newest))| PartitionOffsets {
                partition,
                committed: *committed,
                newest: *newest,
            });
        vec![TopicOffsets {
            topic: "jobs".to_owned(),
            partitions: partitions.collect(),
        }]
    }

    #[track_caller]
    fn check(rules: Rules, offsets: &[(Option<i64>, i64)], metric: i64, activity: i64) {
        let found = lag(rules, &topic(offsets), &mut Seen::new());
        assert_eq!(found, Lag { metric, activity });
    }

    #[test]
    fn the_lag_is_what_lies_between_commit_and_newest() {
        check(RULES, &[], 0, 0);
        check(RULES, &[(Some(0), 0)], 0, 0);
        check(RULES, &[(Some(3), 7)], 4, 4);
        check(RULES, &[(Some(3), 7), (Some(0), 2), (Some(9), 9)], 6, 6);
        // A topic that was made anew: upstream counts below zero, too.
        check(RULES, &[(Some(9), 4), (Some(0), 2)], -3, -3);
    }

    #[test]
    fn a_partition_without_commit_counts_as_its_policy_says() {
        let offsets = [(None, 40), (Some(5), 6)];
        let with = |uncommitted| Rules { uncommitted, ..RULES };
        check(with(Uncommitted::One), &offsets, 2, 2);
        check(with(Uncommitted::Everything), &offsets, 20, 41);
        check(with(Uncommitted::Nothing), &offsets, 1, 1);
    }

    #[test]
    fn no_more_replicas_are_asked_for_than_have_work() {
        let offsets = [(Some(0), 70), (Some(0), 0), (Some(0), 5)];
        let with = |bound| Rules { bound, ..RULES };
        check(with(Bound::None), &offsets, 75, 75);
        check(with(Bound::Partitions), &offsets, 30, 75);
        check(with(Bound::Lagging), &offsets, 20, 75);
        // 39 / 10 is 3, which is not above the bound.
        check(
            with(Bound::Partitions),
            &[(Some(0), 39), (Some(0), 0), (Some(0), 0)],
            39,
            39,
        );
    }

    #[test]
    fn replicas_divide_the_partitions_evenly() {
        let even = Rules { even: true, ..RULES };
        let of = |lag: i64, partitions: usize| {
            let mut offsets = vec![(Some(0), 0); partitions];
            offsets[0].1 = lag;
            offsets
        };
        for (behind, partitions, metric) in [
            (0, 10, 10),
            (10, 10, 10),
            (11, 10, 20),
            (21, 10, 50),
            (51, 10, 100),
            (999, 10, 100),
            (15, 7, 70),
        ] {
            check(even, &of(behind, partitions), metric, behind);
        }
        check(even, &[], 0, 0);
    }

    #[test]
    fn persistent_lag_counts_for_activity_only() {
        let rules = Rules {
            exclude_persistent: true,
            ..RULES
        };
        let mut seen = Seen::new();
        let mut read = |committed: i64, newest: i64| {
            let found = lag(rules, &topic(&[(Some(committed), newest)]), &mut seen);
            (found.metric, found.activity)
        };
        assert_eq!(read(3, 7), (4, 4), "seen for the first time");
        assert_eq!(read(3, 8), (0, 5), "the group has not moved");
        assert_eq!(read(4, 8), (4, 4), "it has");
        assert_eq!(read(4, 8), (0, 4));
        assert_eq!(read(8, 8), (0, 0));
    }

    #[test]
    fn a_partition_that_stands_still_is_not_lagging() {
        let rules = Rules {
            exclude_persistent: true,
            bound: Bound::Lagging,
            ..RULES
        };
        let mut seen = Seen::new();
        let first = lag(rules, &topic(&[(Some(1), 60), (Some(0), 60)]), &mut seen);
        assert_eq!(first.metric, 20);
        let second = lag(rules, &topic(&[(Some(1), 60), (Some(5), 60)]), &mut seen);
        assert_eq!(
            second,
            Lag {
                metric: 10,
                activity: 114
            }
        );
    }

    #[test]
    fn partitions_that_come_and_go_are_not_remembered_without_end() {
        let rules = Rules {
            exclude_persistent: true,
            ..RULES
        };
        let mut seen = Seen::new();
        for number in 0..10 * SPARE {
            let mut topics = topic(&[(Some(3), 7), (None, 9)]);
            lag(rules, &topics, &mut seen);
            topics[0].topic = format!("jobs-{number}");
            lag(rules, &topics, &mut seen);
        }
        assert!(seen.len() <= SPARE + 5, "{}", seen.len());
        // What is there is not forgotten.
        let again = lag(rules, &topic(&[(Some(3), 7), (None, 9)]), &mut seen);
        assert_eq!(
            again,
            Lag {
                metric: 1,
                activity: 5
            }
        );
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let uncommitted = prop_oneof![
            Just(Uncommitted::One),
            Just(Uncommitted::Everything),
            Just(Uncommitted::Nothing)
        ];
        let bound = prop_oneof![Just(Bound::None), Just(Bound::Partitions), Just(Bound::Lagging)];
        let threshold = prop_oneof![1..50_i64, Just(i64::MAX)];
        (threshold, uncommitted, any::<bool>(), bound, any::<bool>()).prop_map(
            |(threshold, uncommitted, exclude_persistent, bound, even)| Rules {
                threshold,
                uncommitted,
                exclude_persistent,
                bound,
                even,
            },
        )
    }

    proptest! {
        /// Whatever offsets a broker claims, there is a value, and the bound holds.
        #[test]
        fn the_bound_holds(
            rules in rules(),
            offsets in prop::collection::vec((prop::option::of(any::<i64>()), any::<i64>()), 0..12),
        ) {
            let found = lag(rules, &topic(&offsets), &mut Seen::new());
            if rules.bound != Bound::None {
                prop_assert!(found.metric / rules.threshold <= i64::try_from(offsets.len()).expect("few"));
            }
        }

        /// The persistent part never makes the metric larger than the activity, unless evenness raises it.
        #[test]
        fn the_metric_is_never_above_the_activity(
            rules in rules(),
            offsets in prop::collection::vec((prop::option::of(0..1_000_i64), 1_000..2_000_i64), 0..12),
        ) {
            let rules = Rules { even: false, ..rules };
            let mut seen = Seen::new();
            for _ in 0..2 {
                let found = lag(rules, &topic(&offsets), &mut seen);
                prop_assert!(found.metric <= found.activity);
            }
        }

        #[test]
        fn even_replicas_divide_the_partitions(behind in any::<i64>(), partitions in 1..300_i64, threshold in 1..50_i64) {
            let replicas = even_replicas(behind, partitions, threshold);
            prop_assert_eq!(partitions % replicas, 0);
        }
    }
}
