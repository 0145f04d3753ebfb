//! The queue of a closed loop: what arrives is what was served and what waits, to the millionth of a message.

use super::Millis;

/// Millionths of a message in one: thousandths a second, times milliseconds.
pub(super) const MICRO: i128 = 1_000_000;

/// A queue and what was done with it.
#[derive(Debug)]
pub(super) struct Load {
    /// Thousandths of a message that one ready replica can do in a second.
    rate: i128,
    /// Thousandths of a message that arrive in a second.
    arriving: i128,
    backlog: i128,
    peak: i128,
    arrived: i128,
    served: i128,
    /// Since the last sync.
    recently_served: i128,
    recent_capacity: i128,
}

impl Load {
    /// A queue with this many millionths of a message in it.
    pub(super) fn new(rate_milli: i64, backlog: i128) -> Self {
        Self {
            rate: i128::from(rate_milli),
            arriving: 0,
            backlog,
            peak: backlog,
            arrived: 0,
            served: 0,
            recently_served: 0,
            recent_capacity: 0,
        }
    }

    /// Sets what arrives from now on, in thousandths of a message a second.
    pub(super) fn arrive(&mut self, milli: i64) {
        self.arriving = i128::from(milli.max(0));
    }

    /// Lets time pass, while so many replicas are ready.
    ///
    /// Both rates are constant meanwhile, so the backlog is linear until it is empty: its ends decide everything.
    pub(super) fn pass(&mut self, time: Millis, ready: i32) {
        let time = i128::from(time);
        let arrived = self.arriving.saturating_mul(time);
        let capacity = self.rate.saturating_mul(i128::from(ready)).saturating_mul(time);
        let present = self.backlog.saturating_add(arrived);
        let served = present.min(capacity);
        self.backlog = present - served;
        self.peak = self.peak.max(self.backlog);
        self.arrived = self.arrived.saturating_add(arrived);
        self.served = self.served.saturating_add(served);
        self.recently_served = self.recently_served.saturating_add(served);
        self.recent_capacity = self.recent_capacity.saturating_add(capacity);
    }

    /// Millionths of a message that wait.
    pub(super) fn backlog(&self) -> i128 {
        self.backlog
    }

    /// The most that ever waited, in millionths of a message.
    pub(super) fn peak(&self) -> i128 {
        self.peak
    }

    /// Millionths of a message that arrived, and that were served.
    pub(super) fn totals(&self) -> (i128, i128) {
        (self.arrived, self.served)
    }

    /// Messages that arrive a second.
    pub(super) fn arrivals(&self) -> f64 {
        self.arriving as f64 / 1000.0
    }

    /// The whole messages that wait.
    pub(super) fn waiting(&self) -> f64 {
        (self.backlog / MICRO) as f64
    }

    /// The messages that wait or are being worked on, one by a busy replica, to three decimals.
    pub(super) fn in_system(&self, ready: i32) -> f64 {
        let most = i128::from(ready) * 1000;
        let busy = if self.backlog > 0 {
            most
        } else {
            (self.arriving.saturating_mul(1000) / self.rate.max(1)).min(most)
        };
        self.waiting() + busy as f64 / 1000.0
    }

    /// Percent of the capacity that was in use since the last sync, to three decimals; `None` if there was no capacity.
    pub(super) fn busy(&self) -> Option<f64> {
        (self.recent_capacity > 0)
            .then(|| (self.recently_served.saturating_mul(100_000) / self.recent_capacity) as f64 / 1000.0)
    }

    /// Begins the next measurement of [`Load::busy`].
    pub(super) fn measure(&mut self) {
        (self.recently_served, self.recent_capacity) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backlog_grows_by_what_is_not_served() {
        // 10 messages a second a replica, 25 arrive.
        let mut load = Load::new(10_000, 0);
        load.arrive(25_000);
        load.pass(4_000, 0);
        assert_eq!((load.waiting(), load.busy()), (100.0, None));
        load.pass(10_000, 2);
        assert_eq!(
            (load.waiting(), load.in_system(3), load.busy()),
            (150.0, 153.0, Some(100.0))
        );
        load.pass(30_000, 3);
        assert_eq!((load.waiting(), load.in_system(3)), (0.0, 2.5));
        assert_eq!(load.peak(), 150 * MICRO);
        load.measure();
        load.pass(1_000, 4);
        assert_eq!(
            (load.busy(), load.in_system(4), load.in_system(2)),
            (Some(62.5), 2.5, 2.0)
        );
    }

    #[test]
    fn fractions_of_a_message_are_carried() {
        // A message in three seconds: 0.333 a second.
        let mut load = Load::new(1_000, 0);
        load.arrive(333);
        for _ in 0..9_010 {
            load.pass(1, 0);
        }
        assert_eq!((load.backlog(), load.waiting()), (333 * 9_010, 3.0));
    }

    #[test]
    fn absurd_rates_do_not_overflow() {
        let mut load = Load::new(i64::MAX, 0);
        load.arrive(i64::MAX);
        for ready in [0, i32::MAX] {
            load.pass(super::super::MAX_LENGTH, ready);
            let (arrived, served) = load.totals();
            assert_eq!(arrived, served + load.backlog());
        }
        assert!(load.busy().is_some());
    }
}
