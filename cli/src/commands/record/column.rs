//! Which metric is written into which column, under a name by which `simulate` finds it again.

use engine::dry_run::{DryRun, MetricReport, TriggerReport};

use crate::exit::{self, Failure};
use crate::simulate::columns::{self, Metric};
use crate::simulate::series::write;
use crate::ui::printable;

/// A column of the series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Position of its trigger when the recording began.
    pub(super) trigger: usize,
    /// Name of its trigger.
    trigger_name: Option<String>,
    /// Its metric.
    pub(super) metric: String,
    /// The HPA measures it, and no source is asked.
    pub(super) measured: bool,
}

/// What there is to write down of an object.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The columns.
    pub(super) columns: Vec<Column>,
    /// Metrics that only an HPA measures.
    pub(super) resources: Vec<Column>,
}

/// The columns that the first answer shows. The time of day alone decides a `cron` trigger, so it needs none.
pub(super) fn find(report: &DryRun) -> Result<Found, Failure> {
    let all = metrics(report);
    let mut found = Found::default();
    for (position, metric) in all.iter().enumerate() {
        if report.triggers[metric.trigger].type_ == "cron" {
            continue;
        }
        let column = Column {
            name: name(&all, position)?,
            trigger: metric.trigger,
            trigger_name: metric.trigger_name.clone(),
            metric: metric.name.clone(),
            measured: metric.resource,
        };
        if metric.resource {
            found.resources.push(column);
        } else {
            found.columns.push(column);
        }
    }
    Ok(found)
}

/// The metrics as `simulate` sees them.
fn metrics(report: &DryRun) -> Vec<Metric> {
    let of = |(position, trigger): (usize, &TriggerReport)| {
        let resource = matches!(trigger.type_.as_str(), "cpu" | "memory");
        let (name, metrics) = (trigger.name.clone(), trigger.metrics.clone());
        metrics.into_iter().map(move |metric| Metric {
            trigger: position,
            trigger_name: name.clone(),
            name: metric.metric,
            resource,
            schedule: None,
        })
    };
    report.triggers.iter().enumerate().flat_map(of).collect()
}

/// The name of the trigger, of the metric, or its position: the first that means this metric and no other.
fn name(all: &[Metric], position: usize) -> Result<String, Failure> {
    let metric = &all[position];
    let names = metric.trigger_name.iter().chain([&metric.name]);
    let mut names = names.cloned().chain([metric.trigger.to_string()]);
    let found = names.find(|name| write::is_name(name) && columns::find(all, name) == Some(position));
    found.ok_or_else(|| {
        let message = format!(
            "metric `{}` of trigger {} cannot be told from others by any name",
            metric.name, metric.trigger
        );
        Failure::new(exit::DIAGNOSTICS, message).help("give every trigger a `name` of its own")
    })
}

impl Column {
    /// What the answer says of it: a value, or why there is none.
    pub(super) fn value(&self, report: &DryRun) -> Result<f64, String> {
        let mut triggers = report
            .triggers
            .iter()
            .filter(|trigger| trigger.name == self.trigger_name);
        let found = triggers.find_map(|trigger| {
            let mut metrics = trigger.metrics.iter();
            let metric = metrics.find(|metric| metric.metric == self.metric);
            // A trigger that cannot even be set up has no metrics.
            let broken = trigger.error.is_some() && trigger.index == self.trigger;
            (metric.is_some() || broken).then_some((trigger, metric))
        });
        let Some((trigger, metric)) = found else {
            return Err(format!(
                "the object has no metric `{}` any more: begin a new series",
                self.metric
            ));
        };
        let value = metric
            .and_then(|metric| metric.value)
            .filter(|value| value.is_finite());
        value.ok_or_else(|| why(trigger, metric))
    }
}

fn why(trigger: &TriggerReport, metric: Option<&MetricReport>) -> String {
    let error = metric.and_then(|metric| metric.error.as_ref());
    let error = error.or(trigger.error.as_ref());
    let error = error.map_or("the source gave no number", String::as_str);
    match &trigger.help {
        Some(help) => printable(&format!("{error} ({help})")),
        None => printable(error),
    }
}

#[cfg(test)]
mod tests {
    use engine::dry_run::{AskedBy, ReplicasReport};
    use jiff::Timestamp;

    use super::*;

    fn trigger(index: usize, type_: &str, name: &str, metrics: &[&str]) -> TriggerReport {
        let metric = |name: &&str| MetricReport {
            metric: (*name).to_owned(),
            ..MetricReport::default()
        };
        TriggerReport {
            index,
            type_: type_.to_owned(),
            name: (!name.is_empty()).then(|| name.to_owned()),
            source: None,
            metrics: metrics.iter().map(metric).collect(),
            error: None,
            help: None,
        }
    }

    fn report(triggers: Vec<TriggerReport>) -> DryRun {
        DryRun {
            schema: 1,
            kind: "ScaledObject".to_owned(),
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
            target: "apps/v1.Deployment worker".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            asked_by: AskedBy::Command,
            replicas: ReplicasReport::default(),
            triggers,
            decision: None,
            steps: Vec::new(),
            after: None,
            why: Vec::new(),
            next: Vec::new(),
            hpa: None,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[track_caller]
    fn check(triggers: Vec<TriggerReport>, columns: &[&str], resources: &[&str]) {
        let found = find(&report(triggers)).expect("every metric has a name");
        let names = |columns: &[Column]| -> Vec<String> {
            columns.iter().map(|column| column.name.clone()).collect()
        };
        assert_eq!(
            (names(&found.columns), names(&found.resources)),
            (
                columns.iter().map(ToString::to_string).collect(),
                resources.iter().map(ToString::to_string).collect()
            )
        );
    }

    #[test]
    fn a_column_is_called_by_its_trigger_else_by_its_metric() {
        check(
            vec![
                trigger(0, "redis", "orders", &["s0-redis-jobs"]),
                trigger(1, "redis", "", &["s1-redis-mails"]),
                trigger(2, "cron", "night", &["s2-cron-x"]),
                trigger(3, "cpu", "", &["cpu"]),
            ],
            &["orders", "s1-redis-mails"],
            &["cpu"],
        );
    }

    #[test]
    fn a_name_that_means_another_metric_is_not_taken() {
        check(
            vec![
                trigger(0, "redis", "t", &["s0-redis-jobs"]),
                trigger(1, "redis", "s2-redis-a", &["s1-redis-b"]),
                trigger(2, "redis", "", &["s2-redis-a"]),
                trigger(3, "external", "both", &["s3-a", "s3-b"]),
                trigger(4, "cpu", "", &["cpu"]),
                trigger(5, "cpu", "", &["cpu"]),
            ],
            &["s0-redis-jobs", "s2-redis-a", "2", "both", "s3-b"],
            &["cpu", "5"],
        );
    }

    #[test]
    fn two_triggers_that_no_name_tells_apart_are_refused() {
        let twin = |index| trigger(index, "cpu", "1", &["cpu"]);
        let failure = find(&report(vec![twin(0), twin(1)])).expect_err("both are called `1` and `cpu`");
        assert_eq!(
            failure.to_string(),
            "metric `cpu` of trigger 1 cannot be told from others by any name"
        );
    }

    #[test]
    fn a_value_is_there_or_its_absence_has_a_reason() {
        let first = report(vec![trigger(0, "redis", "orders", &["s0-redis-jobs"])]);
        let column = find(&first).expect("it has a name").columns.remove(0);
        let with = |value: Option<f64>, error: Option<&str>| {
            let mut report = first.clone();
            report.triggers[0].metrics[0].value = value;
            report.triggers[0].metrics[0].error = error.map(str::to_owned);
            column.value(&report)
        };
        assert_eq!(with(Some(3.5), None), Ok(3.5));
        assert_eq!(
            with(Some(f64::NAN), None),
            Err("the source gave no number".to_owned())
        );
        assert_eq!(with(None, Some("refused\x1b[2J")), Err("refused [2J".to_owned()));

        let mut broken = first.clone();
        broken.triggers[0].metrics.clear();
        broken.triggers[0].error = Some("no Secret".to_owned());
        assert_eq!(column.value(&broken), Err("no Secret".to_owned()));
        let other = report(vec![trigger(0, "redis", "orders", &["s0-redis-other"])]);
        assert!(column.value(&other).is_err_and(|why| why.contains("any more")));
    }
}
