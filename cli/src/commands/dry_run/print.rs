//! The text of a dry run.

use std::fmt::Write as _;

use engine::dry_run::{Actor, AskedBy, DryRun, MetricReport, TriggerReport};

use crate::ui::{cut, printable};

/// Lines of an answer that are printed; `-o json` has more of it.
const LINES: usize = 6;
/// Characters of such a line.
const WIDTH: usize = 110;

/// Renders the answer from top to bottom: what would happen, from which values, and why.
pub(super) fn text(report: &DryRun) -> String {
    let mut text = format!("{}\n", headline(report));
    for trigger in &report.triggers {
        block(&mut text, report.asked_by, trigger);
    }
    let steps: Vec<String> = report
        .steps
        .iter()
        .map(|step| {
            let by = match step.by {
                Actor::Controller => "controller",
                Actor::Hpa => "HPA",
            };
            format!("{} -> {}  by the {by}", step.from, step.to)
        })
        .collect();
    paragraph(&mut text, "Replicas", &steps);
    paragraph(&mut text, "Why", &report.why);
    paragraph(&mut text, "Next", &report.next);
    let findings: Vec<String> = report
        .findings
        .iter()
        .map(|found| {
            let at = if found.path.is_empty() {
                String::new()
            } else {
                format!(" {}:", found.path)
            };
            let help = found
                .help
                .as_ref()
                .map_or(String::new(), |help| format!(" ({help})"));
            format!("{}:{at} {}{help}", found.severity, found.message)
        })
        .collect();
    paragraph(&mut text, "Findings", &findings);
    paragraph(&mut text, "Notes", &report.notes);
    text
}

fn headline(report: &DryRun) -> String {
    let object = format!("{} {}/{}", report.kind, report.namespace, report.name);
    let bounds = format!("between {} and {}", report.replicas.min, report.replicas.max);
    match (report.replicas.now, report.after) {
        _ if report.has_errors() => format!("{object} would not be worked on: it has mistakes."),
        (Some(now), Some(after)) if now == after => {
            format!(
                "{object} would keep {} at {}, {bounds}.",
                report.target,
                count(now)
            )
        }
        (Some(now), Some(after)) => {
            format!(
                "{object} would take {} from {now} to {}, {bounds}.",
                report.target,
                count(after)
            )
        }
        _ => format!(
            "{object} scales {} {bounds}; its replicas are not known.",
            report.target
        ),
    }
}

fn count(replicas: i32) -> String {
    if replicas == 1 {
        "1 replica".to_owned()
    } else {
        format!("{replicas} replicas")
    }
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

fn block(text: &mut String, by: AskedBy, trigger: &TriggerReport) {
    let name = trigger
        .name
        .as_ref()
        .map_or(String::new(), |name| format!(" `{name}`"));
    let head = format!("Trigger {}: {}{name}", trigger.index, trigger.type_);
    let Some(first) = trigger.metrics.first() else {
        let _ = writeln!(text, "\n{head}");
        field(text, "source", trigger.source.as_deref().unwrap_or_default());
        field(
            text,
            "failed",
            trigger.error.as_deref().unwrap_or("it has no metric"),
        );
        field(text, "help", trigger.help.as_deref().unwrap_or_default());
        return;
    };
    let _ = writeln!(text, "\n{head}, metric {}", first.metric);
    field(text, "source", &source(by, trigger, first));
    for (position, metric) in trigger.metrics.iter().enumerate() {
        if position > 0 {
            let _ = writeln!(text, "  and metric {}", metric.metric);
        }
        fields(text, metric);
    }
    field(text, "help", trigger.help.as_deref().unwrap_or_default());
}

/// One line, unless there is nothing to say.
fn field(text: &mut String, label: &str, value: &str) {
    let mut lines = value.lines();
    if let Some(first) = lines.next().filter(|first| !first.is_empty()) {
        let _ = writeln!(text, "  {label:<9} {}", printable(first));
        for line in lines {
            let _ = writeln!(text, "  {:<9} {}", "", printable(line));
        }
    }
}

fn source(by: AskedBy, trigger: &TriggerReport, metric: &MetricReport) -> String {
    let Some(source) = &trigger.source else {
        return "measured by the HPA".to_owned();
    };
    if metric.given {
        return format!("{source}, not asked");
    }
    let from = match by {
        AskedBy::Command => "",
        AskedBy::Controller => " by the controller",
    };
    match metric.took_ms {
        Some(took) => format!("{source}, asked{from} ({took:.1} ms)"),
        None => source.clone(),
    }
}

fn fields(text: &mut String, metric: &MetricReport) {
    if let Some(raw) = &metric.raw {
        field(text, "answer", &excerpt(raw));
    }
    if let Some(error) = &metric.error {
        field(text, "failed", error);
    }
    if let Some(value) = metric.value {
        let from = if metric.given { " (given)" } else { "" };
        field(text, "value", &format!("{value}{from}{}", activity(metric)));
    }
    field(text, "target", &metric.target);
    if let Some(arithmetic) = &metric.arithmetic {
        field(text, "replicas", arithmetic);
    }
}

fn activity(metric: &MetricReport) -> String {
    let (above, active) = match metric.active {
        Some(true) => ("above", "active"),
        Some(false) => ("not above", "not active"),
        None => return String::new(),
    };
    match metric.activation {
        Some(activation) => format!(", {above} {activation}: {active}"),
        None => format!(", and the source says {active}"),
    }
}

/// The first lines of an answer.
fn excerpt(raw: &str) -> String {
    let all: Vec<&str> = raw.trim_end().lines().collect();
    let mut lines: Vec<String> = all.iter().take(LINES).map(|line| cut(line, WIDTH)).collect();
    if all.len() > LINES {
        lines.push(format!(
            "… and {} lines more (`-o json` has them)",
            all.len() - LINES
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_short_and_cannot_steer_the_terminal() {
        assert_eq!(excerpt("37\n"), "37");
        let mut text = String::new();
        field(&mut text, "answer", "a\x1b[2Jb\nc\rd");
        assert_eq!(text, "  answer    a [2Jb\n            c d\n");
        let long = "x\n".repeat(20);
        assert!(excerpt(&long).ends_with("… and 14 lines more (`-o json` has them)"));
        assert_eq!(excerpt(&"y".repeat(500)).chars().count(), WIDTH);
    }
}
