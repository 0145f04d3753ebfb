//! The moments at which rows are due: multiples of the interval since 1970, so that they never drift. Pure.

/// Says when the next row is due, and counts the moments that have none. All times are milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    every: i64,
    /// The moment after which nothing is due.
    end: Option<i64>,
    /// The last moment that has a row or is known to have none.
    last: i64,
    missed: i64,
}

impl Clock {
    /// Begins now, at what is no moment of its own.
    pub(super) fn new(every: i64, now: i64, length: Option<i64>) -> Self {
        Self {
            every,
            end: length.map(|length| now.saturating_add(length)),
            last: moment(every, now),
            missed: 0,
        }
    }

    /// The next moment, or none where the recording is over. Moments that passed while the last row was made are missed.
    pub(super) fn next(&mut self, now: i64) -> Option<i64> {
        let passed = moment(self.every, now).max(self.last);
        let within = self.end.map_or(passed, |end| passed.min(moment(self.every, end)));
        self.missed += (within - self.last).max(0) / self.every;
        self.last = passed;
        let due = passed + self.every;
        self.end.is_none_or(|end| due <= end).then_some(due)
    }

    /// The moment of a row that is made now: the one that is due, or a later one where the machine slept meanwhile.
    pub(super) fn wake(&mut self, due: i64, now: i64) -> i64 {
        let at = moment(self.every, now).max(due);
        self.missed += (at - due) / self.every;
        self.last = at;
        at
    }

    /// How many moments have no row.
    pub(super) fn missed(&self) -> i64 {
        self.missed
    }
}

/// The last moment until a time.
fn moment(every: i64, at: i64) -> i64 {
    at.div_euclid(every) * every
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_multiples_of_the_interval() {
        let mut clock = Clock::new(15, 100, None);
        let mut moments = Vec::new();
        let mut now = 100;
        for late in [0, 1, 14, 2, 0] {
            let due = clock.next(now).expect("it has no end");
            now = due + late;
            moments.push(clock.wake(due, now));
        }
        assert_eq!(moments, [105, 120, 135, 150, 165]);
        assert_eq!(clock.missed(), 0);
    }

    #[test]
    fn a_row_that_takes_long_misses_moments() {
        let mut clock = Clock::new(15, 100, None);
        let due = clock.next(100).expect("it has no end");
        assert_eq!(clock.wake(due, 105), 105);
        // It took until 136: 120 and 135 have no row.
        assert_eq!(clock.next(136), Some(150));
        assert_eq!(clock.missed(), 2);
    }

    #[test]
    fn a_machine_that_slept_makes_a_row_for_now() {
        let mut clock = Clock::new(15, 100, None);
        let due = clock.next(100).expect("it has no end");
        assert_eq!(clock.wake(due, 151), 150);
        assert_eq!(clock.missed(), 3);
        assert_eq!(clock.next(151), Some(165));
        assert_eq!(clock.missed(), 3);
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_moment_twice() {
        let mut clock = Clock::new(15, 100, None);
        let due = clock.next(100).expect("it has no end");
        assert_eq!(clock.wake(due, 105), 105);
        assert_eq!(clock.next(50), Some(120));
        assert_eq!(clock.wake(120, 60), 120);
        assert_eq!(clock.missed(), 0);
    }

    #[test]
    fn the_end_is_part_of_it() {
        let mut clock = Clock::new(15, 100, Some(20));
        assert_eq!(clock.next(100), Some(105));
        clock.wake(105, 105);
        assert_eq!(clock.next(105), Some(120));
        clock.wake(120, 120);
        assert_eq!(clock.next(120), None);
        assert_eq!(clock.missed(), 0);
    }

    #[test]
    fn moments_after_the_end_are_not_missed() {
        let mut clock = Clock::new(15, 100, Some(35));
        assert_eq!(clock.next(100), Some(105));
        clock.wake(105, 105);
        assert_eq!(clock.next(1000), None);
        // 120 and 135.
        assert_eq!(clock.missed(), 2);
    }
}
