//! The pods of the workload: they start, become ready, and end, oldest last.

use std::collections::VecDeque;

use super::Millis;

/// Pods that were created at the same moment.
#[derive(Clone, Copy, Debug)]
struct Batch {
    created: Millis,
    ready: Millis,
    count: i32,
}

/// One pod as the HPA sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// When it was created.
    pub(super) created: Millis,
    /// Since when it is ready.
    pub(super) ready: Option<Millis>,
    /// Whether it was deleted and drains.
    pub(super) deleted: bool,
}

/// The pods of the workload, whose controller acts at once.
#[derive(Debug)]
pub(super) struct Pods {
    startup: Millis,
    drain: Millis,
    /// Oldest first, so the ready ones come first.
    batches: VecDeque<Batch>,
    /// How many batches are ready.
    settled: usize,
    /// Ready pods that were deleted, with the moment they are gone.
    draining: VecDeque<(Millis, Batch)>,
    replicas: i32,
    ready: i32,
    drained: i64,
}

impl Pods {
    /// A workload whose pods have been ready for so long before the start that nothing depends on it.
    pub(super) fn new(replicas: i32, startup: Millis, drain: Millis) -> Self {
        const LONG_AGO: Millis = -30 * 86_400_000;
        let mut pods = Self {
            startup,
            drain,
            batches: VecDeque::new(),
            settled: 0,
            draining: VecDeque::new(),
            replicas,
            ready: replicas,
            drained: 0,
        };
        if replicas > 0 {
            pods.settled = 1;
            pods.batches.push_back(Batch {
                created: LONG_AGO,
                ready: LONG_AGO,
                count: replicas,
            });
        }
        pods
    }

    /// `spec.replicas`, and so the pods that are not deleted.
    pub(super) fn replicas(&self) -> i32 {
        self.replicas
    }

    /// The ready pods that are not deleted.
    pub(super) fn ready(&self) -> i32 {
        self.ready
    }

    /// All pods that there are, those that drain included.
    pub(super) fn existing(&self) -> i64 {
        i64::from(self.replicas) + self.drained
    }

    /// When the next pod becomes ready or is gone.
    pub(super) fn due(&self) -> Option<Millis> {
        let ready = self.batches.get(self.settled).map(|batch| batch.ready);
        let gone = self.draining.front().map(|(gone, _)| *gone);
        match (ready, gone) {
            (Some(ready), Some(gone)) => Some(ready.min(gone)),
            (ready, gone) => ready.or(gone),
        }
    }

    /// Lets pods become ready, and end, whose time has come.
    pub(super) fn settle(&mut self, now: Millis) {
        while let Some(batch) = self.batches.get(self.settled).filter(|batch| batch.ready <= now) {
            self.ready += batch.count;
            self.settled += 1;
        }
        while let Some((_, batch)) = self.draining.pop_front_if(|(gone, _)| *gone <= now) {
            self.drained -= i64::from(batch.count);
        }
    }

    /// Sets `spec.replicas`. The pods that are not ready go first, then those that were ready last.
    ///
    /// Upstream: the order of `ActivePodsWithRanks` in `pkg/controller/controller_utils.go`.
    pub(super) fn scale(&mut self, now: Millis, to: i32) {
        let to = to.max(0);
        if to > self.replicas {
            self.batches.push_back(Batch {
                created: now,
                ready: now.saturating_add(self.startup),
                count: to - self.replicas,
            });
        }
        let mut surplus = self.replicas.saturating_sub(to);
        while surplus > 0 {
            let was_ready = self.batches.len() <= self.settled;
            let Some(batch) = self.batches.back_mut() else {
                break;
            };
            let taken = surplus.min(batch.count);
            batch.count -= taken;
            surplus -= taken;
            let gone = Batch {
                count: taken,
                ..*batch
            };
            if batch.count == 0 {
                self.batches.pop_back();
            }
            if was_ready {
                self.ready -= taken;
                self.settled = self.settled.min(self.batches.len());
            }
            if was_ready && self.drain > 0 {
                self.drained += i64::from(taken);
                self.draining.push_back((now.saturating_add(self.drain), gone));
            }
        }
        self.replicas = to;
        self.settle(now);
    }

    /// Every pod, the draining ones last.
    pub(super) fn each(&self, mut see: impl FnMut(Seen)) {
        let live = self.batches.iter().enumerate().map(|(index, batch)| {
            let ready = (index < self.settled).then_some(batch.ready);
            (batch, ready, false)
        });
        let draining = self
            .draining
            .iter()
            .map(|(_, batch)| (batch, Some(batch.ready), true));
        for (batch, ready, deleted) in live.chain(draining) {
            for _ in 0..batch.count {
                see(Seen {
                    created: batch.created,
                    ready,
                    deleted,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Startup 10 s, drain 5 s; commands are `t:replicas`, and after each `existing/replicas/ready` is noted.
    #[track_caller]
    fn check(commands: &[(Millis, Option<i32>)], expected: &[(i64, i32, i32)]) {
        let mut pods = Pods::new(1, 10, 5);
        let mut found = Vec::new();
        for (now, to) in commands {
            pods.settle(*now);
            if let Some(to) = to {
                pods.scale(*now, *to);
            }
            found.push((pods.existing(), pods.replicas(), pods.ready()));
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn pods_start_and_drain() {
        check(
            &[(0, Some(3)), (9, None), (10, None)],
            &[(3, 3, 1), (3, 3, 1), (3, 3, 3)],
        );
        check(
            &[(0, Some(3)), (10, Some(1)), (14, None), (15, None)],
            &[(3, 3, 1), (3, 1, 1), (3, 1, 1), (1, 1, 1)],
        );
    }

    #[test]
    fn pods_that_are_not_ready_go_first_and_at_once() {
        check(
            &[(0, Some(3)), (5, Some(2)), (6, Some(1))],
            &[(3, 3, 1), (2, 2, 1), (1, 1, 1)],
        );
        check(&[(0, Some(3)), (5, Some(0))], &[(3, 3, 1), (1, 0, 0)]);
    }

    #[test]
    fn the_next_change_is_known() {
        let mut pods = Pods::new(1, 10, 5);
        assert_eq!(pods.due(), None);
        pods.scale(100, 2);
        assert_eq!(pods.due(), Some(110));
        pods.scale(101, 0);
        assert_eq!(pods.due(), Some(106));
        pods.settle(106);
        assert_eq!((pods.due(), pods.existing()), (None, 0));
    }

    #[test]
    fn the_hpa_sees_them_one_by_one() {
        let mut pods = Pods::new(1, 10, 5);
        pods.scale(0, 3);
        pods.settle(10);
        pods.scale(20, 4);
        pods.scale(25, 2);
        let mut seen = Vec::new();
        pods.each(|pod| seen.push((pod.ready.is_some(), pod.deleted)));
        assert_eq!(seen, [(true, false), (true, false), (true, true)]);
    }
}
