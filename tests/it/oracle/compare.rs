//! What two traces of a scenario have different.

use std::fmt::Write as _;

use serde_json::Value;

use super::replay::replay;
use super::scenario::{Scenario, Trace};

/// Where engine and oracle part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Difference {
    /// In this step.
    Step(usize),
    /// The engine refuses what the oracle runs.
    Refused(String),
    /// The oracle refuses the scenario, so that it says nothing about the engine.
    Invalid(String),
}

/// Runs the scenario in the engine and compares with the oracle's trace.
pub(crate) fn difference(scenario: &Scenario, theirs: &Trace) -> Option<Difference> {
    if let Some(error) = &theirs.error {
        return Some(Difference::Invalid(error.clone()));
    }
    match replay(scenario) {
        Err(error) => Some(Difference::Refused(format!("{error:#}"))),
        Ok(ours) => first_step(&ours, theirs).map(Difference::Step),
    }
}

fn first_step(ours: &Trace, theirs: &Trace) -> Option<usize> {
    let steps = ours.steps.len().max(theirs.steps.len());
    (0..steps).find(|&step| ours.steps.get(step) != theirs.steps.get(step))
}

/// Both traces of the step in which they part, field by field.
pub(crate) fn side_by_side(scenario: &Scenario, theirs: &Trace) -> String {
    let step = match difference(scenario, theirs) {
        None => return "both traces are equal".to_owned(),
        Some(Difference::Refused(error)) => return format!("the engine refuses the scenario: {error}"),
        Some(Difference::Invalid(error)) => return format!("the oracle refuses the scenario: {error}"),
        Some(Difference::Step(step)) => step,
    };
    let ours = replay(scenario).map(|trace| trace.steps).unwrap_or_default();
    let value = |step: Option<_>| serde_json::to_value(step).unwrap_or_default();
    let (ours, theirs) = (value(ours.get(step)), value(theirs.steps.get(step)));
    let mut text = format!("step {step} of scenario {}:\n", scenario.name);
    let fields: Vec<&String> = theirs
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys())
        .collect();
    for field in fields {
        let (one, other) = (&ours[field], &theirs[field]);
        if one == other {
            let _ = writeln!(text, "  {field:<14} both     {one}");
        } else {
            let _ = writeln!(text, "  {field:<14} engine   {}", lines(one));
            let _ = writeln!(text, "  {:<14} oracle   {}", "", lines(other));
        }
    }
    text
}

/// Entries of a list below each other.
fn lines(value: &Value) -> String {
    match value {
        Value::Array(list) if !list.is_empty() => {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            list.join(&format!("\n{:26}", ""))
        }
        other => other.to_string(),
    }
}
