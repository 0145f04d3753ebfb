//! The text of `explain`.

use std::fmt::Write as _;

use engine::explain::{self, Explanation};
use engine::report::ObjectReport;
use jiff::Timestamp;

use super::Told;
use crate::observe::api;

/// Renders the explanation as paragraphs with a heading each.
pub(super) fn text(report: &ObjectReport, told: &Explanation, events: &[Told], records: bool) -> String {
    let mut text = format!("{}.\n", told.now);
    let because = if told.because.is_empty() {
        vec![api::why(report)]
    } else {
        told.because.clone()
    };
    paragraph(&mut text, "Why", &because);
    paragraph(&mut text, "Warning", &told.warnings);
    let triggers: Vec<String> = report.triggers.iter().map(trigger).collect();
    paragraph(&mut text, "Triggers", &triggers);
    let hpa: Vec<String> = report.hpa.iter().flat_map(hpa_lines).collect();
    paragraph(&mut text, "HPA", &hpa);
    let mistakes: Vec<String> = report
        .diagnostics
        .iter()
        .map(|d| format!("{}: {d}", d.severity))
        .collect();
    paragraph(&mut text, "Findings", &mistakes);
    if records {
        let all: Vec<String> = report
            .ledger
            .iter()
            .map(|record| format!("{}  {}", clock(record.at), explain::record(record)))
            .collect();
        paragraph(&mut text, "Ledger", &all);
    } else {
        let acted: Vec<String> = told
            .acted
            .iter()
            .map(|(at, line)| format!("{}  {line}", clock(*at)))
            .collect();
        paragraph(&mut text, "What acted", &acted);
    }
    let events: Vec<String> = events.iter().map(event).collect();
    paragraph(&mut text, "Events", &events);
    paragraph(&mut text, "Next", &told.next);
    text
}

fn paragraph(text: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{heading}:");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

fn trigger(report: &engine::report::TriggerReport) -> String {
    let name = report
        .name
        .as_ref()
        .map_or(String::new(), |name| format!(" `{name}`"));
    let metric = report
        .metric
        .as_ref()
        .map_or(String::new(), |metric| format!(", metric {metric}"));
    let state = match (&report.error, report.active) {
        (Some(error), _) => format!("failing: {error}"),
        (None, Some(true)) => "active".to_owned(),
        (None, Some(false)) => "not active".to_owned(),
        (None, None) => "activity unknown".to_owned(),
    };
    let value = match (&report.value, &report.target) {
        (Some(value), Some(target)) => format!(", {value} of {target}"),
        (Some(value), None) => format!(", {value}"),
        (None, Some(target)) => format!(", target {target}"),
        (None, None) => String::new(),
    };
    format!("{} {}{name}{metric}: {state}{value}", report.index, report.type_)
}

fn hpa_lines(hpa: &engine::report::HpaReport) -> Vec<String> {
    if !hpa.exists {
        return vec![format!("{} does not exist", hpa.name)];
    }
    // The API server leaves a zero out: what is absent beside something that is there is none.
    let seen = match (hpa.current, hpa.desired) {
        (None, None) => format!("{} has not looked yet", hpa.name),
        (current, desired) => {
            format!(
                "{} sees {} and wants {}",
                hpa.name,
                current.unwrap_or(0),
                desired.unwrap_or(0)
            )
        }
    };
    let mut lines = vec![seen];
    lines.extend(hpa.recomputed.as_ref().map(ToString::to_string));
    let said =
        |c: &engine::report::HpaCondition| format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message);
    lines.extend(hpa.conditions.iter().map(said));
    lines
}

fn event(told: &Told) -> String {
    let at = told.at.map_or_else(|| " ".repeat(20), clock);
    let times = if told.count > 1 {
        format!(" (x{})", told.count)
    } else {
        String::new()
    };
    format!("{at}  {}: {}{times}", told.reason, told.message)
}

/// Times as the API server writes them, to the second.
fn clock(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use crds::{Condition, ConditionType};
    use engine::activate::Decision;
    use engine::hpa::{Recomputed, Verdict};
    use engine::ledger::{Record, What};
    use engine::report::{DecisionReport, HpaCondition, HpaReport, ReplicasReport, TriggerReport};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn an_explanation_reads_from_top_to_bottom() {
        let wrote = What::Write {
            action: "scale apps/v1.Deployment worker from 0 to 1".to_owned(),
            error: None,
        };
        let kept = Recomputed {
            current: 4,
            desired: 4,
            verdict: Verdict::Agrees,
            changed_from: None,
            arithmetic: "s0-redis-jobs: ceil(20 / 5) = 4".to_owned(),
        };
        let scaled = Recomputed {
            current: 1,
            verdict: Verdict::Differs { least: 3, most: 3 },
            arithmetic: "s0-redis-jobs: ceil(12 / 5) = 3".to_owned(),
            ..kept.clone()
        };
        let report = ObjectReport {
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
            target: "apps/v1.Deployment worker".to_owned(),
            replicas: ReplicasReport {
                current: Some(4),
                max: 10,
                ..ReplicasReport::default()
            },
            triggers: vec![TriggerReport {
                type_: "redis".to_owned(),
                metric: Some("s0-redis-jobs".to_owned()),
                value: Some("20".to_owned()),
                target: Some("5 (avg)".to_owned()),
                active: Some(true),
                ..TriggerReport::default()
            }],
            hpa: Some(HpaReport {
                name: "keda-hpa-orders".to_owned(),
                exists: true,
                current: Some(4),
                desired: Some(4),
                recomputed: Some(kept.clone()),
                conditions: vec![HpaCondition {
                    type_: "ScalingActive".to_owned(),
                    status: crds::ConditionStatus::True,
                    reason: "ValidMetricFound".to_owned(),
                    message: "the HPA was able to compute the replica count".to_owned(),
                }],
            }),
            conditions: vec![Condition::holds(
                ConditionType::Ready,
                "ScaledObjectReady",
                "fine",
            )],
            decision: Some(DecisionReport {
                at: at(90),
                decision: Decision::StayActive,
                why: "s0-redis-jobs wants work done: the HPA decides between the bounds".to_owned(),
            }),
            next_poll: Some(at(130)),
            ledger: vec![
                Record::new(at(60), wrote),
                Record::new(at(75), What::Hpa(Box::new(scaled))),
            ],
            ..ObjectReport::default()
        };
        let told = explain::object(&report, at(100));
        insta::assert_snapshot!(text(&report, &told, &[], false));
    }
}
