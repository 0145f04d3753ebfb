//! From answers to replicas.

use crds::ScaledObject;
use jiff::Timestamp;

use super::recommend::{Limit, Recommendation, recommend};
use super::report::{
    Actor, DryRun, FindingReport, MetricReport, ReplicasReport, SCHEMA, Step, TriggerReport,
};
use super::{Asked, MetricAnswer, World};
use crate::action::ScaleTarget;
use crate::activate::{self, Decision, Observed, Reading, Source, TriggerReading, Why};
use crate::condition::seconds;
use crate::desired::{self, Desired, TargetRef};
use crate::diagnostic::Diagnostic;
use crate::metric::{MetricName, MetricTarget, TriggerMetrics};
use crate::quantity::Quantity;
use crate::validate::{self, DEFAULT_MAX_REPLICAS};
use crate::{explain, hpa_spec};

/// Concludes from what the triggers said. Total: whatever is missing is said in the answer.
pub fn predict(object: &ScaledObject, world: &World, asked: &[Asked], now: Timestamp) -> DryRun {
    let mut report = begin(object, world, asked, now);
    let want = match desired::validate(object) {
        Ok(want) => want,
        Err(found) => {
            let message = validate::first_failure(&found).unwrap_or_else(|| line(&found));
            report.why.push(format!(
                "the controller would not act on it, and the target is left as it is: {message}"
            ));
            report.findings.extend(found.iter().map(finding));
            report.after = world.replicas;
            return report;
        }
    };
    report.findings.extend(want.warnings.iter().map(finding));
    let seen = observed(object, world, &want, asked);
    let decision = activate::decide(&want, &seen, now);
    report.decision = Some(decision.word().to_owned());
    report
        .why
        .push(explain::would(&decision, &seen.readings, world.replicas));
    let may_scale = build_hpa(&mut report, world, &want, asked);
    let activated = activate_step(&mut report, world, &want, &decision);
    let recommended = recommend(world, &want, asked, activated, now);
    show_proposals(&mut report, asked, &recommended);
    if let Some(current) = activated {
        report.after = Some(current);
        if may_scale && hpa_acts(&want, &decision, current) {
            hpa_step(&mut report, &want, current, &recommended);
        }
    } else {
        report
            .notes
            .push("the replicas of the target are not known: without them only what each trigger asks for can be told".to_owned());
    }
    later(&mut report, &want, &decision, asked);
    report
}

fn begin(object: &ScaledObject, world: &World, asked: &[Asked], now: Timestamp) -> DryRun {
    let (meta, spec, target) = (&object.metadata, &object.spec, TargetRef::of(object));
    DryRun {
        schema: SCHEMA,
        kind: "ScaledObject".to_owned(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        target: format!("{target} {}", target.name),
        at: now,
        asked_by: world.asked_by,
        replicas: ReplicasReport {
            now: world.replicas,
            ready: world.ready,
            min: spec.min_replica_count.unwrap_or(0),
            max: spec.max_replica_count.unwrap_or(DEFAULT_MAX_REPLICAS),
            idle: spec.idle_replica_count,
        },
        triggers: asked.iter().map(trigger).collect(),
        decision: None,
        steps: Vec::new(),
        after: None,
        why: Vec::new(),
        next: Vec::new(),
        hpa: None,
        findings: asked
            .iter()
            .flat_map(|asked| &asked.warnings)
            .map(finding)
            .collect(),
        notes: Vec::new(),
    }
}

fn trigger(asked: &Asked) -> TriggerReport {
    let described = |name: String, target: &MetricTarget, answer: Option<&MetricAnswer>| {
        let result = answer.map(|answer| &answer.result);
        let value = result.and_then(|result| result.as_ref().ok());
        MetricReport {
            metric: name,
            target_type: target.kind().to_string(),
            target: target.to_string(),
            raw: answer.and_then(|answer| answer.raw.clone()),
            value: value.map(|(value, _)| *value),
            quantity: value.map(|(value, _)| Quantity::from_f64_milli(*value).to_string()),
            given: answer.is_some_and(|answer| answer.given),
            activation: answer.and_then(|answer| answer.activation),
            active: value.map(|(_, active)| *active),
            error: result.and_then(|result| result.as_ref().err().cloned()),
            took_ms: answer.and_then(|answer| answer.took_ms),
            ..MetricReport::default()
        }
    };
    let metrics = match &asked.metrics {
        Err(_) => Vec::new(),
        Ok(TriggerMetrics::Resource(resource)) => {
            let mut metric = described(
                resource.resource.to_string(),
                &resource.target,
                asked.answers.first(),
            );
            // What the HPA measures carries no activity.
            metric.active = None;
            vec![metric]
        }
        Ok(TriggerMetrics::External(list)) => list
            .iter()
            .map(|metric| {
                let answer = answer(asked, &metric.name);
                described(metric.name.to_string(), &metric.target, answer)
            })
            .collect(),
    };
    TriggerReport {
        index: asked.index,
        type_: asked.type_.clone(),
        name: asked.name.clone(),
        source: asked.endpoint.clone(),
        metrics,
        error: asked.metrics.as_ref().err().cloned(),
        help: None,
    }
}

pub(super) fn answer<'a>(asked: &'a Asked, metric: &MetricName) -> Option<&'a MetricAnswer> {
    asked.answers.iter().find(|answer| answer.metric == *metric)
}

fn finding(diagnostic: &Diagnostic) -> FindingReport {
    FindingReport {
        severity: diagnostic.severity.to_string(),
        code: diagnostic.code.to_string(),
        path: diagnostic.path.to_string(),
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
    }
}

fn line(found: &[Diagnostic]) -> String {
    let lines: Vec<String> = found
        .iter()
        .filter(|finding| finding.is_error())
        .map(ToString::to_string)
        .collect();
    lines.join("; ")
}

/// The world as one iteration of the scale loop would see it.
fn observed(object: &ScaledObject, world: &World, want: &Desired, asked: &[Asked]) -> Observed {
    let status = object.status.as_ref();
    Observed {
        target: ScaleTarget {
            gvkr: world.gvkr.clone(),
            namespace: want.key.namespace.clone(),
            name: want.target.name.clone(),
        },
        replicas: world.replicas.ok_or_else(|| "not known".to_owned()),
        readings: asked.iter().flat_map(readings).collect(),
        last_active: status
            .and_then(|status| status.last_active_time.as_ref())
            .map(|time| time.0),
        conditions: status.map(|status| status.conditions.clone()).unwrap_or_default(),
        hpa: None,
        source: Source::Poll,
    }
}

fn readings(asked: &Asked) -> Vec<TriggerReading> {
    let of = |metric: MetricName, value, reading| TriggerReading {
        trigger: asked.index,
        metric,
        value,
        reading,
    };
    match &asked.metrics {
        // The metric has no name yet: the trigger's type stands for it.
        Err(error) => vec![of(
            MetricName::indexed(asked.index, &asked.type_),
            None,
            Reading::Failed(error.clone()),
        )],
        Ok(TriggerMetrics::Resource(resource)) => {
            vec![of(
                MetricName::new(resource.resource.as_str()),
                None,
                Reading::Resource,
            )]
        }
        Ok(TriggerMetrics::External(list)) => list
            .iter()
            .filter_map(|metric| answer(asked, &metric.name))
            .map(|answer| match &answer.result {
                Ok((value, true)) => of(answer.metric.clone(), Some(*value), Reading::Active),
                Ok((value, false)) => of(answer.metric.clone(), Some(*value), Reading::Inactive),
                Err(error) => of(answer.metric.clone(), None, Reading::Failed(error.clone())),
            })
            .collect(),
    }
}

/// Adds the HPA that would be written; says whether there would be one.
fn build_hpa(report: &mut DryRun, world: &World, want: &Desired, asked: &[Asked]) -> bool {
    if want.pause.is_full() {
        return false;
    }
    let mut metrics = Vec::new();
    for asked in asked {
        match &asked.metrics {
            Ok(found) => metrics.push(found.clone()),
            Err(error) => {
                report.notes.push(format!(
                    "no HPA would be written, as trigger {} cannot be used: {error}",
                    asked.index
                ));
                return false;
            }
        }
    }
    match hpa_spec::build(want, &world.gvkr, &metrics, &world.version) {
        Ok(hpa) => {
            report.hpa = serde_json::to_value(&hpa).ok();
            true
        }
        Err(error) => {
            report.notes.push(format!("no HPA would be written: {error}"));
            false
        }
    }
}

/// The controller's own change. Gives the replicas after it, if those before are known.
fn activate_step(report: &mut DryRun, world: &World, want: &Desired, decision: &Decision) -> Option<i32> {
    let from = world.replicas?;
    let to = match decision {
        Decision::Activate { to } | Decision::Deactivate { to } | Decision::RaiseToMin { to } => *to,
        Decision::Hold(Why::Paused) => want.pause.replicas().unwrap_or(from),
        _ => from,
    };
    if to != from {
        report.steps.push(Step {
            by: Actor::Controller,
            from,
            to,
        });
    }
    Some(to)
}

/// The recommendation has the metrics in the order of the report.
fn show_proposals(report: &mut DryRun, asked: &[Asked], recommended: &Recommendation) {
    debug_assert_eq!(asked.len(), report.triggers.len());
    let metrics = report
        .triggers
        .iter_mut()
        .flat_map(|trigger| &mut trigger.metrics);
    for (metric, proposal) in metrics.zip(&recommended.proposals) {
        match proposal {
            Some(Ok(proposal)) => {
                metric.arithmetic = Some(proposal.calculation.to_string());
                metric.replicas = Some(proposal.replicas);
            }
            Some(Err(error)) if metric.error.is_none() => metric.arithmetic = Some(error.to_string()),
            _ => {}
        }
    }
}

/// An HPA does nothing at zero replicas, and the controller keeps it from an idle workload.
fn hpa_acts(want: &Desired, decision: &Decision, current: i32) -> bool {
    let idle = want.idle.is_some()
        && matches!(
            decision,
            Decision::Deactivate { .. } | Decision::Hold(Why::AlreadyThere)
        );
    current > 0 && !idle
}

fn hpa_step(report: &mut DryRun, want: &Desired, current: i32, recommended: &Recommendation) {
    let wanted = recommended.replicas;
    let mut why = hpa_sentence(report, current, recommended);
    let to = if want.pause.stops_scale_in() && wanted < current {
        why.push_str(", but an annotation pauses scaling in");
        current
    } else if want.pause.stops_scale_out() && wanted > current {
        why.push_str(", but an annotation pauses scaling out");
        current
    } else {
        wanted
    };
    report.why.push(why);
    if to != current {
        report.steps.push(Step {
            by: Actor::Hpa,
            from: current,
            to,
        });
    }
    report.after = Some(to);
}

fn hpa_sentence(report: &DryRun, current: i32, recommended: &Recommendation) -> String {
    let names: Vec<&str> = report
        .triggers
        .iter()
        .flat_map(|trigger| &trigger.metrics)
        .map(|metric| metric.metric.as_str())
        .collect();
    let asks = |position: usize| match &recommended.proposals[position] {
        Some(Ok(proposal)) => format!("{}: {}", names[position], proposal.calculation),
        _ => names[position].to_owned(),
    };
    let to = recommended.replicas;
    let moves = if to == current {
        format!("the HPA would keep {current}")
    } else {
        format!("the HPA would go from {current} to {to}")
    };
    match recommended.limit {
        Limit::Metric(position) => format!("{moves} ({})", asks(position)),
        Limit::Max(position) => format!("{moves}, its maximum ({})", asks(position)),
        Limit::Min(position) => format!("{moves}, its minimum ({})", asks(position)),
        Limit::HeldByFailure => {
            format!("{moves}: a metric fails, and without it the HPA does not scale in")
        }
        Limit::NoValue => format!("{moves}: no metric has a value to go by"),
    }
}

/// What comes after the changes above, and what was left out of them.
fn later(report: &mut DryRun, want: &Desired, decision: &Decision, asked: &[Asked]) {
    if let Decision::CoolDown { until } = decision {
        report.next.push(format!(
            "if no trigger becomes active, the target goes to {} at {}",
            want.dormant_floor(),
            seconds(*until)
        ));
    }
    for asked in asked {
        if let Ok(TriggerMetrics::Resource(resource)) = &asked.metrics
            && asked.answers.is_empty()
        {
            report.notes.push(format!(
                "{} is measured by the HPA itself and not counted here: `--set {}=VALUE` tries a value",
                resource.resource, asked.index
            ));
        }
    }
}
