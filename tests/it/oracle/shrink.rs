//! A smaller scenario with the same kind of difference: fewer steps, metrics, pods and fields, then simpler values.

use anyhow::Result;
use serde_json::{Value, json};

use super::compare::{Difference, difference};
use super::process;
use super::scenario::{Scenario, Trace};

/// After so many questions what there is has to do.
const MOST_QUESTIONS: usize = 6000;

/// Makes a scenario smaller as long as engine and oracle still differ, and gives it with the oracle's trace.
pub(crate) fn shrink(scenario: Scenario, trace: Trace) -> Result<(Scenario, Trace)> {
    let mut best = (scenario, trace);
    if let Some(Difference::Step(step)) = difference(&best.0, &best.1) {
        let mut cut = best.0.clone();
        cut.steps.truncate(step + 1);
        cut.length = step + 1;
        if let Some(smaller) = first_differing(&[cut])? {
            best = smaller;
        }
    }
    let mut questions = 0;
    while questions < MOST_QUESTIONS {
        let candidates = candidates(&best.0);
        questions += candidates.len();
        match first_differing(&candidates)? {
            Some(smaller) => best = smaller,
            None => break,
        }
    }
    Ok(best)
}

/// The first of the scenarios in which engine and oracle differ.
fn first_differing(scenarios: &[Scenario]) -> Result<Option<(Scenario, Trace)>> {
    const AT_ONCE: usize = 64;
    for some in scenarios.chunks(AT_ONCE) {
        let mut found = None;
        process::ask(some, |position, trace| {
            let differs = match difference(&some[position], &trace) {
                None | Some(Difference::Invalid(_)) => false,
                Some(Difference::Step(_) | Difference::Refused(_)) => true,
            };
            if differs && found.is_none() {
                found = Some((some[position].clone(), trace));
            }
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Everything that is one cut smaller, the boldest cuts first.
fn candidates(scenario: &Scenario) -> Vec<Scenario> {
    let mut out = without_steps(scenario);
    out.extend(without_metrics(scenario));
    let whole = serde_json::to_value(scenario).unwrap_or_default();
    let mut paths = Vec::new();
    collect(&whole, &mut String::new(), &mut paths);
    // Short paths are large parts.
    paths.sort_by_key(|path| path.matches('/').count());
    let parse = |value: Value| serde_json::from_value::<Scenario>(value).ok();
    for path in &paths {
        out.extend(without(&whole, path).and_then(parse));
    }
    for path in &paths {
        let simpler = whole.pointer(path).map(simpler).unwrap_or_default();
        for value in simpler {
            let mut changed = whole.clone();
            if let Some(place) = changed.pointer_mut(path) {
                *place = value;
                out.extend(parse(changed));
            }
        }
    }
    out.retain(|candidate| {
        candidate != scenario && !candidate.steps.is_empty() && candidate.name == scenario.name
    });
    out
}

/// A step is merged into the next one, which has to go on where it left.
fn without_steps(scenario: &Scenario) -> Vec<Scenario> {
    let mut out = Vec::new();
    for gone in 0..scenario.steps.len() {
        let mut smaller = scenario.clone();
        let step = smaller.steps.remove(gone);
        if let Some(next) = smaller.steps.get_mut(gone) {
            next.spec = next.spec.take().or(step.spec);
            next.replicas = next.replicas.take().or(step.replicas);
            next.status_replicas = next.status_replicas.take().or(step.status_replicas);
            next.scale_get = next.scale_get.take().or(step.scale_get);
            next.scale_update = next.scale_update.take().or(step.scale_update);
            next.pods = next.pods.take().or(step.pods);
            next.metrics = next.metrics.take().or(step.metrics);
        }
        smaller.length = smaller.length.saturating_sub(1).max(smaller.steps.len());
        out.push(smaller);
    }
    out
}

/// A metric goes with its answers.
fn without_metrics(scenario: &Scenario) -> Vec<Scenario> {
    let most = scenario.spec.metrics.as_ref().map_or(0, Vec::len);
    let mut out = Vec::new();
    for gone in 0..most {
        let mut smaller = scenario.clone();
        let specs = smaller.steps.iter_mut().filter_map(|step| step.spec.as_mut());
        for spec in specs.chain([&mut smaller.spec]) {
            remove(&mut spec.metrics, gone);
        }
        for step in &mut smaller.steps {
            remove(&mut step.metrics, gone);
        }
        out.push(smaller);
    }
    out
}

fn remove<T>(list: &mut Option<Vec<T>>, gone: usize) {
    if let Some(list) = list
        && gone < list.len()
        && list.len() > 1
    {
        list.remove(gone);
    }
}

/// The paths of all parts, as JSON pointers.
fn collect(value: &Value, path: &mut String, paths: &mut Vec<String>) {
    let length = path.len();
    let mut visit = |key: String, value: &Value, path: &mut String| {
        path.push('/');
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        paths.push(path.clone());
        collect(value, path, paths);
        path.truncate(length);
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| visit(key.clone(), value, path)),
        Value::Array(list) => {
            for (position, value) in list.iter().enumerate() {
                visit(position.to_string(), value, path);
            }
        }
        _ => {}
    }
}

fn without(whole: &Value, path: &str) -> Option<Value> {
    let (parent, key) = path.rsplit_once('/')?;
    let mut smaller = whole.clone();
    match smaller.pointer_mut(parent)? {
        Value::Object(fields) => fields.remove(&key.replace("~1", "/").replace("~0", "~"))?,
        Value::Array(list) => list.remove(key.parse().ok()?),
        _ => return None,
    };
    Some(smaller)
}

/// Numbers closer to zero, rounder ones first.
fn simpler(value: &Value) -> Vec<Value> {
    let Some(number) = value.as_f64() else {
        return Vec::new();
    };
    if let Some(number) = value.as_i64() {
        let round = [
            0,
            1,
            1000,
            number / 1000 * 1000,
            number / 2,
            number - number.signum(),
        ];
        let closer = round
            .into_iter()
            .filter(|new| new.unsigned_abs() < number.unsigned_abs());
        return closer.map(|new| json!(new)).collect();
    }
    vec![json!(number.trunc())]
        .into_iter()
        .filter(|new| new != value)
        .collect()
}
