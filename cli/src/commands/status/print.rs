//! The table of `status`.

use crds::ConditionStatus;
use engine::report::{ObjectReport, TriggerReport};
use jiff::Timestamp;

use crate::observe::{Item, api};
use crate::ui::{cut, table};

/// Triggers that the narrow table names; the rest is counted.
const TRIGGERS: usize = 2;

/// Characters of the reason that the narrow table shows.
const WHY: usize = 120;

/// Renders the objects.
pub(super) fn table(items: &[Item], namespaces: bool, wide: bool, bare: bool) -> String {
    let mut headings = vec![
        "NAME", "TARGET", "READY", "ACTIVE", "REPLICAS", "MIN-MAX", "TRIGGERS",
    ];
    if namespaces {
        headings.insert(0, "NAMESPACE");
    }
    if wide {
        headings.extend(["HPA", "WANTS", "PAUSED", "LAST ACTIVE", "NEXT POLL", "AGE"]);
    }
    headings.push("WHY");
    let now = Timestamp::now();
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| row(item, namespaces, wide, now))
        .collect();
    let text = table::render(&headings, &rows);
    if bare {
        text.split_once('\n')
            .map_or(String::new(), |(_, rows)| rows.to_owned())
    } else {
        text
    }
}

fn row(item: &Item, namespaces: bool, wide: bool, now: Timestamp) -> Vec<String> {
    let report = &item.report;
    let mut row = vec![
        report.name.clone(),
        target(report),
        condition(report, "Ready"),
        condition(report, "Active"),
        report
            .replicas
            .current
            .map_or_else(String::new, |replicas| replicas.to_string()),
        bounds(report),
        triggers(report, wide),
    ];
    if namespaces {
        row.insert(0, report.namespace.clone());
    }
    if wide {
        row.extend(wide_cells(item, now));
    }
    let why = api::why(report);
    // Messages of the HPA controller run to hundreds of characters; `explain` and `-o wide` have all of them.
    row.push(if wide { why } else { cut(&why, WHY) });
    row
}

/// `deployment/web` for `apps/v1.Deployment web`.
fn target(report: &ObjectReport) -> String {
    let Some((kind, name)) = report.target.rsplit_once(' ') else {
        return report.target.clone();
    };
    format!(
        "{}/{name}",
        kind.rsplit_once('.')
            .map_or(kind, |(_, kind)| kind)
            .to_lowercase()
    )
}

fn condition(report: &ObjectReport, type_: &str) -> String {
    let found = report
        .conditions
        .iter()
        .find(|condition| condition.type_.to_string() == type_);
    found.map_or_else(
        || ConditionStatus::Unknown.to_string(),
        |condition| condition.status.to_string(),
    )
}

fn bounds(report: &ObjectReport) -> String {
    let replicas = &report.replicas;
    match replicas.idle {
        Some(idle) => format!("{idle}/{}-{}", replicas.min, replicas.max),
        None => format!("{}-{}", replicas.min, replicas.max),
    }
}

fn triggers(report: &ObjectReport, wide: bool) -> String {
    let shown = if wide { usize::MAX } else { TRIGGERS };
    let mut texts: Vec<String> = report.triggers.iter().take(shown).map(trigger).collect();
    if report.triggers.len() > shown {
        texts.push(format!("+{} more", report.triggers.len() - shown));
    }
    texts.join(", ")
}

/// `redis 200/5 (avg)`: type or name, value, target.
fn trigger(report: &TriggerReport) -> String {
    let name = report.name.as_deref().unwrap_or(&report.type_);
    match (&report.error, &report.value, &report.target) {
        (Some(_), _, Some(target)) => format!("{name} failing/{target}"),
        (Some(_), _, None) => format!("{name} failing"),
        (None, Some(value), Some(target)) => format!("{name} {value}/{target}"),
        (None, Some(value), None) => format!("{name} {value}"),
        (None, None, Some(target)) => format!("{name} ?/{target}"),
        (None, None, None) => name.to_owned(),
    }
}

fn wide_cells(item: &Item, now: Timestamp) -> [String; 6] {
    let report = &item.report;
    let hpa = report.hpa.as_ref();
    let ago = |time: Timestamp| table::human_duration(now.duration_since(time).as_secs());
    let created = item
        .object
        .pointer("/metadata/creationTimestamp")
        .and_then(|time| time.as_str()?.parse().ok());
    [
        hpa.filter(|hpa| hpa.exists)
            .map_or_else(String::new, |hpa| hpa.name.clone()),
        hpa.and_then(|hpa| hpa.desired)
            .map_or_else(String::new, |desired| desired.to_string()),
        paused(report),
        report
            .last_active
            .map_or_else(String::new, |time| format!("{} ago", ago(time))),
        report.next_poll.map_or_else(String::new, |time| {
            format!("in {}s", time.duration_since(now).as_secs().max(0))
        }),
        created.map_or_else(String::new, ago),
    ]
}

fn paused(report: &ObjectReport) -> String {
    use engine::pause::Pause;
    match report.pause {
        Pause::Off => "no".to_owned(),
        Pause::ScaleIn => "scale-in".to_owned(),
        Pause::ScaleOut => "scale-out".to_owned(),
        Pause::BothDirections => "both".to_owned(),
        Pause::Full => "yes".to_owned(),
        Pause::At(replicas) => format!("at {replicas}"),
    }
}

#[cfg(test)]
mod tests {
    use crds::{Condition, ConditionType};
    use engine::report::ReplicasReport;
    use serde_json::json;

    use super::*;

    fn item(name: &str) -> Item {
        let trigger = TriggerReport {
            type_: "redis".to_owned(),
            value: Some("200".to_owned()),
            target: Some("5 (avg)".to_owned()),
            ..TriggerReport::default()
        };
        let report = ObjectReport {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            target: "apps/v1.Deployment worker".to_owned(),
            replicas: ReplicasReport {
                current: Some(3),
                max: 10,
                ..ReplicasReport::default()
            },
            triggers: vec![trigger],
            conditions: vec![
                Condition::holds(
                    ConditionType::Ready,
                    "ScaledObjectReady",
                    "ScaledObject is defined correctly",
                ),
                Condition::holds(ConditionType::Active, "ScalerActive", "Scaling is performed"),
            ],
            ..ObjectReport::default()
        };
        Item {
            object: json!({}),
            report,
        }
    }

    #[test]
    fn the_table_says_what_scales_what_and_why() {
        let mut failing = item("mails");
        failing.report.triggers[0].error = Some("connection refused".to_owned());
        failing.report.replicas.current = None;
        failing.report.conditions[0] = Condition::fails(
            ConditionType::Ready,
            "TriggerError",
            "Triggers defined in ScaledObject are not working correctly",
        );
        let items = [item("orders"), failing];
        insta::assert_snapshot!(table(&items, true, false, false));
        insta::assert_snapshot!(table(&items, false, true, false));
    }

    #[test]
    fn headings_can_be_left_out() {
        assert!(table(&[item("orders")], false, false, true).starts_with("orders "));
    }
}
