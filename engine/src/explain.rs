//! Sentences about decisions, records and whole objects, for people.

use crds::{ConditionType, find_condition};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::activate::{Decision, Reading, TriggerReading, Why, failures};
use crate::condition::seconds;
use crate::hpa::Recomputed;
use crate::ledger::{Record, What};
use crate::quantity::Quantity;
use crate::report::ObjectReport;

/// Why a decision was made, from what was seen.
pub fn decision(decision: &Decision, readings: &[TriggerReading], replicas: Option<i32>) -> String {
    let now = replicas.map_or_else(|| "an unknown number of replicas".to_owned(), count);
    let because = because(readings);
    match decision {
        Decision::Activate { to } => format!("{because}, and the target had {now}: it was scaled to {to}"),
        Decision::StayActive => {
            format!("{because}: the HPA decides between the bounds, the target has {now}")
        }
        Decision::Deactivate { to } => {
            format!("no trigger is active and the cooldown is over: the target went from {now} to {to}")
        }
        Decision::RaiseToMin { to } => {
            format!("the target had {now}, below the minimum of {to}: it was raised")
        }
        Decision::CoolDown { until } => {
            format!(
                "no trigger is active: the target keeps {now} until the cooldown ends at {}",
                seconds(*until)
            )
        }
        Decision::Hold(why) => hold(*why, readings, &now),
    }
}

/// As [`decision`], for one that nobody carries out.
pub fn would(decision: &Decision, readings: &[TriggerReading], replicas: Option<i32>) -> String {
    let now = replicas.map_or_else(|| "an unknown number of replicas".to_owned(), count);
    match decision {
        Decision::Activate { to } => {
            format!(
                "{}, and the target has {now}: it would be scaled to {to}",
                because(readings)
            )
        }
        Decision::Deactivate { to } => {
            format!("no trigger is active and no cooldown is left: the target would go from {now} to {to}")
        }
        Decision::RaiseToMin { to } => {
            format!(
                "no trigger is active, and the target has {now}, below the minimum of {to}: it would be raised"
            )
        }
        other => self::decision(other, readings, replicas),
    }
}

/// Who is active.
fn because(readings: &[TriggerReading]) -> String {
    let active = names(readings, &Reading::Active);
    if active.is_empty() {
        "activation is forced or nothing but cpu and memory is measured".to_owned()
    } else {
        format!("{active} wants work done")
    }
}

fn hold(why: Why, readings: &[TriggerReading], now: &str) -> String {
    let active = names(readings, &Reading::Active);
    match why {
        Why::Paused => format!("an annotation pauses the object: the target keeps {now}"),
        Why::ScaleOutPaused => {
            format!("triggers are active, but an annotation pauses scaling out: the target keeps {now}")
        }
        Why::ScaleInPaused => {
            format!("no trigger is active, but an annotation pauses scaling in: the target keeps {now}")
        }
        Why::SomeTriggersFailed => {
            let who = if active.is_empty() {
                "the object".to_owned()
            } else {
                active
            };
            format!(
                "{who} is active, so the HPA goes on, although triggers failed ({})",
                failures(readings)
            )
        }
        Why::TriggersFailed => {
            format!(
                "triggers failed ({}): without them nothing is scaled in, the target keeps {now}",
                failures(readings)
            )
        }
        Why::ReplicasUnknown => {
            "the replicas of the target could not be read: nothing is done until they can".to_owned()
        }
        Why::AlreadyThere => format!("no trigger is active, and {now} is what that means"),
        Why::NothingPushed => "a push asked for nothing".to_owned(),
    }
}

fn count(replicas: i32) -> String {
    if replicas == 1 {
        "1 replica".to_owned()
    } else {
        format!("{replicas} replicas")
    }
}

fn names(readings: &[TriggerReading], state: &Reading) -> String {
    let list: Vec<&str> = readings
        .iter()
        .filter(|trigger| trigger.reading == *state)
        .map(|trigger| trigger.metric.as_str())
        .collect();
    list.join(", ")
}

fn reading(trigger: &TriggerReading) -> String {
    let value = trigger.value.map_or_else(String::new, |value| {
        format!("={}", Quantity::from_f64_milli(value))
    });
    match &trigger.reading {
        Reading::Active => format!("{}{value} active", trigger.metric),
        Reading::Inactive => format!("{}{value} not active", trigger.metric),
        Reading::Resource => format!("{} read by the HPA", trigger.metric),
        Reading::Failed(error) => format!("{} failed: {error}", trigger.metric),
    }
}

/// One record of the ledger as a line without its time.
pub fn record(record: &Record) -> String {
    let text = match &record.what {
        What::Poll {
            readings,
            replicas,
            decision,
        } => {
            let seen: Vec<String> = readings.iter().map(reading).collect();
            let replicas = replicas.map_or_else(String::new, |replicas| format!(", {}", count(replicas)));
            format!("poll: {}{replicas} -> {decision}", seen.join("; "))
        }
        What::Push { metric, decision, .. } => format!("push: {metric} active -> {decision}"),
        What::Read {
            metric,
            value: Ok(value),
            cached,
        } => {
            let source = if *cached { " (from the last poll)" } else { "" };
            format!("read by the HPA: {metric}={value}{source}")
        }
        What::Read {
            metric,
            value: Err(error),
            ..
        } => format!("read by the HPA: {metric} failed: {error}"),
        What::Hpa(recomputed) => recomputed.to_string(),
        What::Write { action, error: None } => format!("wrote: {action}"),
        What::Write {
            action,
            error: Some(error),
        } => format!("could not {action}: {error}"),
        What::Reconcile { outcome } => format!("reconciled: {outcome}"),
        What::Note { text } => text.clone(),
    };
    if record.count > 1 {
        format!("{text} (x{}, until {})", record.count, seconds(record.until))
    } else {
        text
    }
}

/// The explanation of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What the object does now, in one sentence.
    pub now: String,
    /// Why, as one sentence each.
    pub because: Vec<String>,
    /// What the HPA did otherwise than its algorithm says, with what may be the cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What happens next.
    pub next: Vec<String>,
    /// What acted on the target, oldest first, as (time, line).
    pub acted: Vec<(Timestamp, String)>,
}

/// Explains an object from its report: what acted, why, and what is next.
pub fn object(report: &ObjectReport, now: Timestamp) -> Explanation {
    let mut because = Vec::new();
    let mut next = Vec::new();
    for type_ in [ConditionType::Ready, ConditionType::HpaActive] {
        if let Some(condition) =
            find_condition(&report.conditions, &type_).filter(|condition| !condition.is_true())
        {
            because.push(format!("{type_} is {}: {}", condition.status, condition.message));
        }
    }
    for trigger in report
        .triggers
        .iter()
        .filter_map(|trigger| trigger.error.as_ref().map(|error| (trigger, error)))
    {
        because.push(format!(
            "trigger {} ({}) failed: {}",
            trigger.0.index, trigger.0.type_, trigger.1
        ));
    }
    if let Some(decision) = &report.decision {
        because.push(decision.why.clone());
        if let Decision::CoolDown { until } = decision.decision {
            let to = report.replicas.idle.unwrap_or(report.replicas.min);
            next.push(format!(
                "if no trigger becomes active, the target goes to {to} {}",
                when(until, now)
            ));
        }
    }
    if report.pause.is_on() {
        next.push("nothing changes in the paused direction until the annotation is removed".to_owned());
    }
    if let Some(poll) = report.next_poll {
        next.push(format!("the triggers are polled again {}", when(poll, now)));
    }
    let acted = report
        .ledger
        .iter()
        .filter(|entry| is_act(&entry.what))
        .map(|entry| (entry.at, record(entry)))
        .collect();
    Explanation {
        now: headline(report),
        because,
        warnings: difference(report).into_iter().collect(),
        next,
        acted,
    }
}

/// Whether a record says that something changed or was tried.
fn is_act(what: &What) -> bool {
    match what {
        What::Write { .. } | What::Push { .. } | What::Note { .. } | What::Hpa(_) => true,
        What::Poll { decision, .. } => !matches!(
            decision,
            Decision::StayActive
                | Decision::CoolDown { .. }
                | Decision::Hold(Why::AlreadyThere | Why::Paused)
        ),
        What::Read { value, .. } => value.is_err(),
        What::Reconcile { .. } => false,
    }
}

/// The last difference between the HPA and its recomputation.
fn difference(report: &ObjectReport) -> Option<String> {
    let last = report.hpa.as_ref().and_then(|hpa| hpa.recomputed.as_ref());
    let told = |at: Option<Timestamp>, found: &Recomputed| {
        let at = at.map_or_else(String::new, |at| format!("{}: ", seconds(at)));
        let cause = found.reasons()?;
        Some(format!("{at}{found}. Possible cause: {cause}"))
    };
    if let Some(last) = last.filter(|last| last.is_difference()) {
        return told(None, last);
    }
    report.ledger.iter().rev().find_map(|record| match &record.what {
        What::Hpa(found) if found.is_difference() => told(Some(record.until), found),
        _ => None,
    })
}

fn headline(report: &ObjectReport) -> String {
    let replicas = report
        .replicas
        .current
        .map_or_else(|| "an unknown number of replicas".to_owned(), count);
    let subject = format!(
        "{} {}/{} holds {} at {replicas}{}",
        report.kind,
        report.namespace,
        report.name,
        report.target,
        unready(report)
    );
    let bounds = format!("between {} and {}", report.replicas.min, report.replicas.max);
    if report.pause.is_full() {
        format!("{subject} because it is paused")
    } else {
        format!("{subject}, {bounds}")
    }
}

/// How many replicas are ready, where that is known and not all of them.
fn unready(report: &ObjectReport) -> String {
    match report.replicas.ready {
        Some(ready) if report.replicas.current.is_some_and(|wanted| wanted != ready) => {
            format!(" ({ready} ready)")
        }
        _ => String::new(),
    }
}

/// A moment relative to now: `in 12s`, `at once`.
fn when(time: Timestamp, now: Timestamp) -> String {
    let left = time.duration_since(now);
    if left <= SignedDuration::ZERO {
        "at once".to_owned()
    } else {
        format!("in {}", span(left))
    }
}

/// A duration in the two largest units that say something.
pub fn span(duration: SignedDuration) -> String {
    let total = duration.as_secs().abs();
    let (days, hours, minutes, rest) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m{rest}s"),
        (0, _, _) => format!("{hours}h{minutes}m"),
        _ => format!("{days}d{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::MetricName;
    use crate::report::DecisionReport;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn active(metric: &str, value: f64) -> TriggerReading {
        TriggerReading {
            trigger: 0,
            metric: MetricName::new(metric),
            value: Some(value),
            reading: Reading::Active,
        }
    }

    #[test]
    fn decisions_are_sentences() {
        let text = decision(
            &Decision::Activate { to: 1 },
            &[active("s0-redis-jobs", 200.0)],
            Some(0),
        );
        assert_eq!(
            text,
            "s0-redis-jobs wants work done, and the target had 0 replicas: it was scaled to 1"
        );
        let failed = TriggerReading {
            reading: Reading::Failed("connection refused".to_owned()),
            ..active("s0-x", 0.0)
        };
        let text = decision(&Decision::Hold(Why::TriggersFailed), &[failed], Some(3));
        assert_eq!(
            text,
            "triggers failed (s0-x: connection refused): without them nothing is scaled in, the target keeps 3 replicas"
        );
    }

    #[test]
    fn records_are_lines() {
        let what = What::Poll {
            readings: vec![active("s0-x", 2.5)],
            replicas: Some(1),
            decision: Decision::StayActive,
        };
        let mut entry = Record::new(at(0), what);
        assert_eq!(
            record(&entry),
            "poll: s0-x=2500m active, 1 replica -> active: the HPA decides the number of replicas"
        );
        entry.count = 4;
        entry.until = at(90);
        assert!(record(&entry).ends_with("(x4, until 1970-01-01T00:01:30Z)"));
    }

    #[test]
    fn an_object_in_cooldown_says_when_it_ends() {
        let report = ObjectReport {
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
            target: "apps/v1.Deployment web".to_owned(),
            decision: Some(DecisionReport {
                at: at(0),
                decision: Decision::CoolDown { until: at(100) },
                why: "w".to_owned(),
            }),
            next_poll: Some(at(30)),
            ..ObjectReport::default()
        };
        let explained = object(&report, at(10));
        assert_eq!(
            explained.next[0],
            "if no trigger becomes active, the target goes to 0 in 1m30s"
        );
        assert_eq!(explained.next[1], "the triggers are polled again in 20s");
    }

    #[test]
    fn spans_name_two_units() {
        let of = |secs| span(SignedDuration::from_secs(secs));
        assert_eq!(
            (of(5), of(65), of(3_660), of(90_000)),
            ("5s".into(), "1m5s".into(), "1h1m".into(), "1d1h".into())
        );
    }

    #[test]
    fn a_report_survives_json() {
        let report = ObjectReport {
            ledger: vec![Record::new(
                at(1),
                What::Read {
                    metric: MetricName::new("m"),
                    value: Err("x".into()),
                    cached: false,
                },
            )],
            ..ObjectReport::default()
        };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<ObjectReport>(&text).unwrap(), report);
        assert!(text.contains("\"schema\":1"));
    }
}
