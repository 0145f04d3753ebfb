//! The figures of a run: what `--assert` may speak of.

use engine::simulate::{Spread, Summary};

use crate::exit::{self, Failure};
use crate::manifest::schema::likeliest;
use crate::simulate::assertion::Assertion;
use crate::simulate::columns::{Metric, find};

/// Figures that are one number.
const PLAIN: [&str; 13] = [
    "changes",
    "cold-starts",
    "cost",
    "failed-reads",
    "fallbacks",
    "flaps",
    "hpa-syncs",
    "mean(replicas)",
    "peak",
    "polls",
    "replica-hours",
    "seconds",
    "time-at-zero",
];
/// What is known of a spread.
const OF_SPREAD: [&str; 3] = ["p50", "p95", "max"];

/// Which figures a run will have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// The metrics of the object.
    pub(crate) metrics: &'a [Metric],
    /// Whether the loop is closed, so that there is a backlog.
    pub(crate) closed: bool,
    /// Whether a replica has a price.
    pub(crate) priced: bool,
}

impl Known<'_> {
    /// Refuses a figure that there will not be.
    pub(crate) fn check(&self, assertion: &Assertion) -> Result<(), Failure> {
        let mut figures = assertion.figures().into_iter();
        figures.try_for_each(|figure| self.check_one(&format!("cannot check `{assertion}`"), figure))
    }

    /// Refuses a figure that there will not be; `failed` is what cannot be done then.
    pub(crate) fn check_one(&self, failed: &str, figure: &str) -> Result<(), Failure> {
        let wrong = |why: &str| Failure::new(exit::USAGE, format!("{failed}: {why}"));
        match (figure, parts(figure)) {
            ("cost", _) if !self.priced => {
                Err(wrong("`cost` is not known").help("`--replica-hour-price` says what a replica costs"))
            }
            (_, Some((_, "backlog"))) if !self.closed => Err(wrong("there is no backlog")
                .help("a backlog takes a closed loop: `--service-rate` and a column `arrivals`")
                .help("`max(METRIC)`, `p95(METRIC)` and `p50(METRIC)` are of the values in the series")),
            (name, _) if PLAIN.contains(&name) => Ok(()),
            (_, Some((how, "backlog"))) if OF_SPREAD.contains(&how) => Ok(()),
            (_, Some((how, metric))) if OF_SPREAD.contains(&how) && find(self.metrics, metric).is_some() => {
                Ok(())
            }
            _ => {
                let all = self.all();
                let failure = wrong(&format!("there is no figure `{figure}`"));
                let failure = match likeliest(figure, all.iter().map(String::as_str)) {
                    Some(word) => failure.help(format!("did you mean `{word}`?")),
                    None => failure,
                };
                Err(failure.help(format!("there are {}", all.join(", "))))
            }
        }
    }

    fn all(&self) -> Vec<String> {
        let mut all: Vec<String> = PLAIN.iter().map(|&name| name.to_owned()).collect();
        all.retain(|name| self.priced || name != "cost");
        let backlog = self.closed.then(|| "backlog".to_owned());
        let metrics = self.metrics.iter().map(|metric| metric.called().to_owned());
        for what in backlog.into_iter().chain(metrics) {
            all.extend(OF_SPREAD.iter().map(|how| format!("{how}({what})")));
        }
        all
    }
}

/// `p95(orders)` as `p95` and `orders`.
fn parts(figure: &str) -> Option<(&str, &str)> {
    figure.strip_suffix(')')?.split_once('(')
}

/// A figure of a run that is over; `None` where a metric never had a value.
pub(crate) fn look(summary: &Summary, metrics: &[Metric], figure: &str) -> Option<f64> {
    let count = |number: u64| number as f64;
    Some(match figure {
        "changes" => count(summary.changes),
        "cold-starts" => count(summary.cold_starts),
        "cost" => summary.cost?,
        "failed-reads" => count(summary.failed_reads),
        "fallbacks" => count(summary.fallbacks),
        "flaps" => count(summary.flaps),
        "hpa-syncs" => count(summary.hpa_syncs),
        "mean(replicas)" => mean(summary),
        "peak" => f64::from(summary.peak),
        "polls" => count(summary.polls),
        "replica-hours" => summary.replica_hours,
        "seconds" => summary.seconds,
        "time-at-zero" => summary.seconds_at_zero,
        other => {
            let (how, what) = parts(other)?;
            let spread = match what {
                "backlog" => summary.backlog.as_ref()?,
                metric => summary.metrics.get(&metrics.get(find(metrics, metric)?)?.name)?,
            };
            of_spread(spread, how)?
        }
    })
}

/// Replicas on average.
pub(crate) fn mean(summary: &Summary) -> f64 {
    if summary.seconds > 0.0 {
        summary.replica_hours * 3600.0 / summary.seconds
    } else {
        f64::from(summary.peak)
    }
}

fn of_spread(spread: &Spread, how: &str) -> Option<f64> {
    Some(match how {
        "p50" => spread.p50,
        "p95" => spread.p95,
        "max" => spread.max,
        _ => return None,
    })
}
