//! Puts together what `kubectl keda status` and `explain` print about one object.

use std::collections::BTreeMap;

use crds::ScaledObject;
use engine::desired::{self, ObjectKey, TargetRef};
use engine::metric::{MetricTarget, TriggerMetrics};
use engine::pause::Pause;
use engine::quantity::Quantity;
use engine::report::{HpaReport, ObjectReport, ReplicasReport, TriggerReport};

use crate::ask::Answer;
use crate::hpa::KnownHpa;
use crate::live::{Live, Memory};
use crate::operator::Operator;

/// The report of an object; the ledger comes along on request.
pub(crate) fn report(operator: &Operator, live: &Live, object: &ScaledObject, records: bool) -> ObjectReport {
    let memory = live.memory(records);
    let status = object.status.clone().unwrap_or_default();
    let checked = desired::validate(object);
    let want = checked.as_ref().ok();
    let target = TargetRef::of(object);
    let hpa_name = status
        .hpa_name
        .clone()
        .or_else(|| want.map(|want| want.hpa_name.clone()));
    let hpa = hpa_name.map(|name| {
        let key = ObjectKey::new(live.key.namespace.clone(), name.clone());
        let known = operator.caches.hpas.get(&key);
        HpaReport {
            recomputed: memory.recomputed.clone().filter(|_| known.is_some()),
            ..KnownHpa::report(name, known.as_deref())
        }
    });
    ObjectReport {
        namespace: live.key.namespace.clone(),
        name: live.key.name.clone(),
        generation: object.metadata.generation.unwrap_or_default(),
        target: format!("{target} {}", target.name),
        replicas: ReplicasReport {
            current: memory.replicas,
            ready: None,
            min: want.map_or(0, |want| want.min),
            max: want.map_or(0, |want| want.max),
            idle: want.and_then(|want| want.idle),
        },
        triggers: triggers(live, object, &memory),
        hpa,
        conditions: status.conditions,
        pause: Pause::read(&object.metadata.annotations.clone().unwrap_or_default()).unwrap_or(Pause::Full),
        last_active: status.last_active_time.map(|time| time.0),
        decision: memory.decision,
        next_poll: memory.next,
        diagnostics: match checked {
            Ok(want) => want.warnings,
            Err(found) => found,
        },
        ledger: memory.records,
        ..ObjectReport::default()
    }
}

/// One entry a metric; a trigger that was never built has one entry without a metric.
fn triggers(live: &Live, object: &ScaledObject, memory: &Memory) -> Vec<TriggerReport> {
    let built = live.triggers(object.metadata.generation.unwrap_or_default());
    let metrics: BTreeMap<usize, TriggerMetrics> = built
        .iter()
        .flat_map(|triggers| triggers.metrics().into_iter().enumerate())
        .collect();
    let mut reports = Vec::new();
    for (index, trigger) in object.spec.triggers.iter().enumerate() {
        let plain = TriggerReport {
            index,
            type_: trigger.type_.clone(),
            name: trigger.name.clone(),
            ..TriggerReport::default()
        };
        match metrics.get(&index) {
            None => reports.push(plain),
            Some(TriggerMetrics::Resource(resource)) => reports.push(TriggerReport {
                metric: Some(resource.resource.to_string()),
                target: Some(resource.target.to_string()),
                ..plain
            }),
            Some(TriggerMetrics::External(external)) => {
                for metric in external {
                    reports.push(external_report(
                        &plain,
                        metric.name.as_str(),
                        &metric.target,
                        memory,
                    ));
                }
            }
        }
    }
    reports
}

fn external_report(
    plain: &TriggerReport,
    metric: &str,
    target: &MetricTarget,
    memory: &Memory,
) -> TriggerReport {
    let answer = memory.answers.get(metric);
    TriggerReport {
        metric: Some(metric.to_owned()),
        target: Some(target.to_string()),
        value: answer
            .and_then(Answer::value)
            .map(|value| Quantity::from_f64_milli(value).to_string()),
        active: answer.filter(|answer| answer.result.is_ok()).map(Answer::active),
        error: answer.and_then(|answer| answer.result.as_ref().err().cloned()),
        read_at: answer.map(|answer| answer.at),
        ..plain.clone()
    }
}
