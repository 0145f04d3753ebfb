//! How often something happens, in two numbers.

use std::time::Duration;

use tokio::time::Instant;

/// Beyond this age what happened counts little.
const MEMORY: Duration = Duration::from_mins(2);

/// A rate that forgets: every event fades with time, so that neither a ring nor a clock tick is needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    since: Instant,
    at: Instant,
    weight: f64,
}

impl Rate {
    /// Nothing happened yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            at: now,
            weight: 0.0,
        }
    }

    /// Counts one event.
    pub(super) fn count(&mut self, now: Instant) {
        self.weight = self.faded(now) + 1.0;
        self.at = now;
    }

    /// Events a minute.
    pub(super) fn a_minute(&self, now: Instant) -> f64 {
        // A rate that is younger than its memory is measured against its age; below a minute there is none to speak of.
        let age = now.duration_since(self.since).max(Duration::from_mins(1));
        let seen = 1.0 - (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        self.faded(now) / seen / (MEMORY.as_secs_f64() / 60.0)
    }

    fn faded(&self, now: Instant) -> f64 {
        let age = now.duration_since(self.at);
        self.weight * (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts an event every so often for so long, and checks what the rate says half an interval later.
    #[track_caller]
    fn check(every: u64, seconds: u64, a_minute: f64) {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let mut at = start;
        for _ in 0..seconds / every {
            at += Duration::from_secs(every);
            rate.count(at);
        }
        let found = rate.a_minute(at + Duration::from_secs(every) / 2);
        assert!((found - a_minute).abs() <= a_minute * 0.1, "{found}");
    }

    #[test]
    fn is_what_happens_a_minute() {
        check(1, 60, 60.0);
        check(1, 3600, 60.0);
        check(5, 600, 12.0);
        check(30, 3600, 2.0);
    }

    #[test]
    fn fades_when_nothing_happens() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        for _ in 0..100 {
            rate.count(start);
        }
        assert!(rate.a_minute(start + Duration::from_hours(1)) < 0.01);
    }
}
