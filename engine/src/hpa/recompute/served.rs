//! What the HPA was served, until a status tells which of it was used.

/// A moment in milliseconds since 1970.
pub(super) type Millis = i64;

/// No read since the last one that a status has shown.
const NONE: Millis = Millis::MAX;
/// Values of a metric that wait for a status. The HPA makes one a sync; more come from others who read.
const MOST: usize = 6;

/// The values of one metric, newest last.
#[derive(Clone, Debug)]
struct Series {
    metric: Box<str>,
    entries: Vec<Entry>,
    /// Whether the oldest is the one that a status has shown last.
    shown: bool,
    /// Whether values were dropped that no status has shown yet.
    lost: bool,
}

/// A value that was served once or several times in a row.
#[derive(Clone, Copy, Debug)]
struct Entry {
    milli: i64,
    /// The first read that no status has shown yet.
    first: Millis,
    /// The read before the last one.
    previous: Millis,
    last: Millis,
}

/// A value that a sync may have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The value, in thousandths.
    pub(super) milli: i64,
    /// The sync was not before.
    pub(super) since: Millis,
}

/// When a value was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reads {
    /// The read before the last one.
    pub(super) previous: Millis,
    /// The last one.
    pub(super) last: Millis,
}

/// The values of all metrics.
#[derive(Clone, Debug, Default)]
pub(super) struct Served(Vec<Series>);

impl Served {
    /// Notes a value that goes out.
    pub(super) fn note(&mut self, metric: &str, milli: i64, at: Millis) {
        let position = self.0.iter().position(|series| &*series.metric == metric);
        let position = position.unwrap_or_else(|| {
            self.0.reserve_exact(1);
            self.0.push(Series {
                metric: metric.into(),
                entries: Vec::with_capacity(2),
                shown: false,
                lost: false,
            });
            self.0.len() - 1
        });
        let series = &mut self.0[position];
        if let Some(entry) = series.entries.last_mut().filter(|entry| entry.milli == milli) {
            entry.previous = entry.last;
            entry.last = at;
            entry.first = entry.first.min(at);
            return;
        }
        if series.entries.len() == MOST {
            series.lost |= series.entries.remove(0).first != NONE;
            series.shown = false;
        }
        series.entries.push(Entry {
            milli,
            first: at,
            previous: at,
            last: at,
        });
    }

    fn series(&self, metric: &str) -> Option<&Series> {
        self.0.iter().find(|series| &*series.metric == metric)
    }

    /// The values that no status has shown yet, oldest first; `slack` is how late a status may be seen.
    pub(super) fn candidates(
        &self,
        metric: &str,
        now: Millis,
        slack: Millis,
    ) -> impl Iterator<Item = Candidate> {
        let entries = self.series(metric).map(|series| series.entries.as_slice());
        let waiting = entries.unwrap_or_default().iter();
        waiting
            .filter(|entry| entry.first != NONE)
            .map(move |entry| Candidate {
                milli: entry.milli,
                since: entry.first.max(entry.previous.min(now.saturating_sub(slack))),
            })
    }

    /// Whether the list of those values is whole.
    pub(super) fn is_whole(&self, metric: &str) -> bool {
        self.series(metric).is_some_and(|series| !series.lost)
    }

    /// The reads of the value that the last status has shown.
    pub(super) fn shown(&self, metric: &str) -> Option<Reads> {
        let series = self.series(metric).filter(|series| series.shown)?;
        let entry = series.entries.first()?;
        Some(Reads {
            previous: entry.previous,
            last: entry.last,
        })
    }

    /// A status shows this value: what is older counts no more, and is given back with the time of its last read, if no status
    /// has shown it.
    pub(super) fn show(&mut self, metric: &str, milli: i64) -> Vec<(i64, Millis)> {
        let series = self.0.iter_mut().find(|series| &*series.metric == metric);
        let Some(series) = series else { return Vec::new() };
        let waiting = |entry: &Entry| entry.first != NONE;
        let shown = |entry: &Entry| waiting(entry) && entry.milli == milli;
        let Some(position) = series.entries.iter().position(shown) else {
            return Vec::new();
        };
        (series.shown, series.lost) = (true, false);
        series.entries[position].first = NONE;
        let older = series.entries.drain(..position);
        older
            .filter(waiting)
            .map(|entry| (entry.milli, entry.last))
            .collect()
    }

    /// Forgets metrics that the HPA has no more.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.0.retain(|series| is_kept(&series.metric));
    }
}
