//! Which column of a series is which metric: by the name of the trigger, the name of the metric, or its position.

use crate::exit::{self, Failure};
use crate::manifest::schema::likeliest;
use crate::simulate::feed::Schedule;
use crate::simulate::series;

/// Columns that a message lists.
const LISTED: usize = 20;

/// The column of arrivals in a closed loop.
pub(crate) const ARRIVALS: &str = "arrivals";

/// A metric of the object that is simulated.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    /// Position of its trigger.
    pub(crate) trigger: usize,
    /// Name of its trigger.
    pub(crate) trigger_name: Option<String>,
    /// Its own name: `s0-redis-jobs`, `cpu`.
    pub(crate) name: String,
    /// Whether the HPA measures it by itself.
    pub(crate) resource: bool,
    /// The trigger, where the time of day alone decides its value.
    pub(crate) schedule: Option<Schedule>,
}

impl Metric {
    /// How well a text names it: 1 is best.
    fn named_by(&self, text: &str) -> Option<u8> {
        if self.trigger_name.as_deref() == Some(text) {
            Some(1)
        } else if self.name.eq_ignore_ascii_case(text) {
            Some(2)
        } else {
            (text.parse() == Ok(self.trigger)).then_some(3)
        }
    }

    /// What a column of it is called.
    pub(crate) fn called(&self) -> &str {
        self.trigger_name.as_deref().unwrap_or(&self.name)
    }

    /// As people call it.
    fn described(&self) -> String {
        match &self.trigger_name {
            Some(name) => format!("trigger {} (`{name}`, `{}`)", self.trigger, self.name),
            None => format!("trigger {} (`{}`)", self.trigger, self.name),
        }
    }
}

/// The metric that a text means.
pub(crate) fn find(metrics: &[Metric], text: &str) -> Option<usize> {
    let named = metrics
        .iter()
        .enumerate()
        .filter_map(|(position, metric)| Some((metric.named_by(text)?, position)));
    named.min().map(|(_, position)| position)
}

/// The column of each metric, and of the arrivals.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bound {
    /// One a metric; `None` where no column is for it.
    pub(crate) metrics: Vec<Option<usize>>,
    /// The column of arrivals.
    pub(crate) arrivals: Option<usize>,
    /// The columns that nothing of this object takes.
    pub(crate) spare: Vec<usize>,
}

/// Finds what each column is for. `given` says it of some: trigger and column.
pub(crate) fn bind(
    series: &str,
    columns: &[String],
    metrics: &[Metric],
    given: &[(String, String)],
) -> Result<Bound, Failure> {
    let mut bound = Bound {
        metrics: vec![None; metrics.len()],
        ..Bound::default()
    };
    let mut taken = vec![false; columns.len()];
    for (trigger, column) in given {
        let position = columns.iter().position(|own| own == column).ok_or_else(|| {
            let message = format!("{series} has no column `{column}`");
            Failure::new(exit::USAGE, message).help(format!("its columns are {}", quoted(columns)))
        })?;
        taken[position] = true;
        if trigger == ARRIVALS {
            bound.arrivals = Some(position);
            continue;
        }
        let metric = find(metrics, trigger).ok_or_else(|| unknown_trigger("--column", metrics, trigger))?;
        bound.metrics[metric] = Some(position);
    }
    for (position, column) in columns
        .iter()
        .enumerate()
        .filter(|(position, _)| !taken[*position])
    {
        match find(metrics, column) {
            Some(metric) => {
                if let Some(other) = bound.metrics[metric].replace(position) {
                    let message = format!(
                        "columns `{}` and `{column}` of {series} are both for {}",
                        columns[other],
                        metrics[metric].described()
                    );
                    return Err(Failure::new(exit::DIAGNOSTICS, message)
                        .help("leave one of them out, or say which with `--column TRIGGER=COLUMN`"));
                }
            }
            None if column == ARRIVALS => bound.arrivals = Some(position),
            None => bound.spare.push(position),
        }
    }
    Ok(bound)
}

/// Nothing says what metrics read that take values; `None` where each goes by the time of day. `whose` is for messages.
pub(crate) fn without_values(metrics: &[Metric], whose: &str) -> Option<Failure> {
    let wanting: Vec<&Metric> = metrics
        .iter()
        .filter(|metric| metric.schedule.is_none())
        .collect();
    let first = wanting.first()?;
    let all: Vec<String> = wanting.iter().map(|metric| metric.described()).collect();
    let message = format!("nothing says what {}{whose} would have read", all.join(", "));
    let failure = Failure::new(exit::USAGE, message)
        .help(format!(
            "`--series FILE` reads what was recorded, `--load '{}=day(peak=500,base=20)'` makes it up, `--prometheus URL` fetches it",
            first.called()
        ))
        .help("`kubectl keda record` writes such a file; only `cron` triggers need none");
    Some(failure)
}

/// No trigger is called so; `flag` is what names it.
pub(crate) fn unknown_trigger(flag: &str, metrics: &[Metric], text: &str) -> Failure {
    let message = format!(
        "the object has no trigger `{}`, which `{flag}` names",
        series::shown(text)
    );
    let failure = Failure::new(exit::USAGE, message);
    let failure = match likeliest(text, metrics.iter().map(Metric::called)) {
        Some(word) => failure.help(format!("did you mean `{word}`?")),
        None => failure,
    };
    failure.help(format!("it has {}", described(metrics)))
}

/// A column that no trigger takes is easily a slip in its name.
pub(crate) fn unknown_column(series: &str, column: &str, metrics: &[Metric]) -> Failure {
    let message = format!(
        "column `{}` of {series} belongs to no trigger",
        series::shown(column)
    );
    Failure::new(exit::DIAGNOSTICS, message)
        .help(format!("the object has {}", described(metrics)))
        .help("`--column TRIGGER=COLUMN` says which column is for which trigger, and leaves the others out")
}

/// A metric without values.
pub(crate) fn missing_column(series: &str, columns: &[String], metric: &Metric) -> Failure {
    let message = format!("{series} has no column for {}", metric.described());
    let wanted = metric.called();
    let failure = Failure::new(exit::DIAGNOSTICS, message)
        .help(format!("its columns are {}", quoted(columns)))
        .help(format!(
            "call one of them `{wanted}`, or say which with `--column {}=COLUMN`",
            metric.trigger
        ));
    if metric.resource {
        failure.help("`kubectl keda record so/NAME` writes down what the HPA of the object measures")
    } else {
        failure
    }
}

fn described(metrics: &[Metric]) -> String {
    let texts: Vec<String> = metrics.iter().map(Metric::described).collect();
    texts.join(", ")
}

/// The names of the columns, of which a file may have many, and long ones.
pub(crate) fn quoted(columns: &[String]) -> String {
    let shown = columns
        .iter()
        .take(LISTED)
        .map(|column| format!("`{}`", series::shown(column)));
    let mut texts: Vec<String> = shown.collect();
    if columns.len() > LISTED {
        texts.push(format!("{} more", columns.len() - LISTED));
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Vec<Metric> {
        let metric = |trigger, trigger_name: Option<&str>, name: &str| Metric {
            trigger,
            trigger_name: trigger_name.map(str::to_owned),
            name: name.to_owned(),
            resource: name == "cpu",
            schedule: None,
        };
        vec![
            metric(0, Some("orders"), "s0-redis-jobs"),
            metric(1, None, "s1-metric-api-load"),
            metric(2, Some("1"), "cpu"),
        ]
    }

    fn bound(columns: &[&str], given: &[(&str, &str)]) -> Result<Bound, Failure> {
        let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        let given: Vec<_> = given.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect();
        bind("day.csv", &columns, &metrics(), &given)
    }

    #[test]
    fn a_column_is_found_by_trigger_metric_and_position() {
        for (columns, want) in [
            (["orders", "s1-metric-api-load", "1"], [Some(0), Some(1), Some(2)]),
            (["cpu", "S1-METRIC-API-LOAD", "0"], [Some(2), Some(1), Some(0)]),
        ] {
            assert_eq!(bound(&columns, &[]).expect("fits").metrics, want, "{columns:?}");
        }
    }

    #[test]
    fn arrivals_and_strange_columns_are_kept_apart() {
        let found = bound(&["arrivals", "orders", "mails"], &[]).expect("fits");
        assert_eq!((found.arrivals, found.spare), (Some(0), vec![2]));
    }

    #[test]
    fn a_column_may_be_told() {
        let found = bound(&["depth"], &[("orders", "depth")]).expect("fits");
        assert_eq!(found.metrics, [Some(0), None, None]);
        let failure = bound(&["depth"], &[("orders", "deep")]).expect_err("no such column");
        assert_eq!(failure.to_string(), "day.csv has no column `deep`");
        let failure = bound(&["depth"], &[("mails", "depth")]).expect_err("no such trigger");
        assert_eq!(
            failure.to_string(),
            "the object has no trigger `mails`, which `--column` names"
        );
        let failure = bound(&["depth"], &[("order", "depth")]).expect_err("no such trigger");
        assert_eq!(failure.helps()[0], "did you mean `orders`?");
    }

    #[test]
    fn what_takes_values_is_told() {
        let failure = without_values(&metrics(), "").expect("they do");
        let want = "nothing says what trigger 0 (`orders`, `s0-redis-jobs`), trigger 1 (`s1-metric-api-load`), trigger 2 (`1`, `cpu`) \
                    would have read";
        assert_eq!(failure.to_string(), want);
        assert!(without_values(&[], "").is_none());
    }

    #[test]
    fn two_columns_cannot_be_for_one_trigger() {
        let failure = bound(&["orders", "0"], &[]).expect_err("both are trigger 0");
        assert!(
            failure
                .to_string()
                .starts_with("columns `orders` and `0` of day.csv are both for trigger 0")
        );
    }
}
