//! What `tune -o json` prints.

use engine::simulate::Summary;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Args, Tuned};
use crate::exit::{self, Failure};
use crate::tune::goal::Goal;
use crate::tune::parameter::Parameter;

/// What came of a search.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// What became of it.
    outcome: Outcome,
    /// The figure that should be small, or large.
    objective: Objective,
    /// What must hold.
    subject_to: Vec<String>,
    /// The seed that the search began with.
    seed: u64,
    /// Most simulations that were allowed.
    evaluations: u32,
    /// The parameters that were searched.
    parameters: Vec<ParameterReport>,
    /// What is there now.
    baseline: RunReport,
    /// What is proposed: the same as now where no change is better, the closest to keeping the rules where none does.
    proposal: RunReport,
    /// The same on the series of `--holdout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    holdout: Option<Holdout>,
    /// What the proposal changes.
    changes: Vec<ChangeReport>,
    /// Everything that was tried, in the order in which it was; the first is what is there now.
    points: Vec<PointReport>,
    /// Positions of the points that no other beats in both the objective and the figure that the first rule limits.
    front: Vec<usize>,
    /// The change of the file, as `patch` and `git apply` take it; nothing where nothing is proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

/// What became of a search.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// The proposal is better than what is there now.
    Better,
    /// Nothing is better than what is there now.
    Unchanged,
    /// Nothing that was tried keeps the rules.
    Infeasible,
}

/// A figure and where it should go.
#[derive(Serialize, JsonSchema)]
struct Objective {
    /// The figure, as rules call it.
    figure: String,
    /// Whether it is maximised.
    maximize: bool,
}

/// A parameter and its values.
#[derive(Serialize, JsonSchema)]
struct ParameterReport {
    /// What it is called on the command line.
    name: String,
    /// Where it stands in the object.
    path: String,
    /// What it is now.
    now: Value,
    /// Whether the manifest says so; otherwise it is the default.
    given: bool,
    /// What was searched.
    values: Vec<Value>,
}

/// One run.
#[derive(Serialize, JsonSchema)]
struct RunReport {
    /// The objective.
    objective: Option<f64>,
    /// What became of the rules.
    rules: Vec<RuleReport>,
    /// Its figures.
    summary: Summary,
}

/// What became of a rule.
#[derive(Serialize, JsonSchema)]
struct RuleReport {
    /// The rule as it was given.
    rule: String,
    /// Whether it holds.
    holds: bool,
}

/// Figures on another day.
#[derive(Serialize, JsonSchema)]
struct Holdout {
    /// Of what is there now.
    baseline: RunReport,
    /// Of what is proposed.
    proposal: RunReport,
}

/// A change of the object.
#[derive(Serialize, JsonSchema)]
struct ChangeReport {
    /// Where.
    path: String,
    /// What it is now; nothing where the manifest does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Value>,
    /// What is proposed.
    to: Value,
}

/// Something that was tried.
#[derive(Serialize, JsonSchema)]
struct PointReport {
    /// A value a parameter, in their order.
    values: Vec<Value>,
    /// The objective; nothing where the object would be refused.
    objective: Option<f64>,
    /// The figure that the first rule limits.
    traded: Option<f64>,
    /// Whether all rules hold.
    holds: bool,
}

/// The report as text.
pub(super) fn render(args: &Args, tuned: &Tuned<'_>) -> Result<String, Failure> {
    let unprintable = |error| Failure::new(exit::UNEXPECTED, "cannot print the answer").because(error);
    let report = report(args, tuned)
        .ok_or_else(|| Failure::new(exit::CHECK_FAILED, "no combination can be simulated"))?;
    let mut text = serde_json::to_string_pretty(&report).map_err(unprintable)?;
    text.push('\n');
    Ok(text)
}

fn report(args: &Args, tuned: &Tuned<'_>) -> Option<Report> {
    let (search, goal) = (tuned.search, tuned.goal);
    let outcome = match (search.feasible, search.is_change()) {
        (false, _) => Outcome::Infeasible,
        (true, true) => Outcome::Better,
        (true, false) => Outcome::Unchanged,
    };
    Some(Report {
        outcome,
        objective: Objective {
            figure: goal.figure.to_owned(),
            maximize: args.maximize.is_some(),
        },
        subject_to: goal.rules.iter().map(ToString::to_string).collect(),
        seed: args.seed,
        evaluations: args.evaluations,
        parameters: tuned.parameters.iter().map(parameter).collect(),
        baseline: run(goal, search.runs[0].summary.as_ref()?),
        proposal: run(goal, search.proposal().summary.as_ref()?),
        holdout: tuned.holdout.as_ref().map(|[now, proposed]| Holdout {
            baseline: run(goal, now),
            proposal: run(goal, proposed),
        }),
        changes: changes(tuned),
        points: search.runs.iter().map(|tried| point(tuned, tried)).collect(),
        front: search.front.clone(),
        diff: tuned.edit.as_ref().map(|edit| edit.diff.clone()),
    })
}

fn parameter(parameter: &Parameter) -> ParameterReport {
    ParameterReport {
        name: parameter.name.clone(),
        path: parameter.path.to_string(),
        now: parameter.value(parameter.now),
        given: parameter.given,
        values: parameter
            .values
            .iter()
            .map(|value| parameter.value(*value))
            .collect(),
    }
}

fn run(goal: &Goal<'_>, summary: &Summary) -> RunReport {
    RunReport {
        objective: goal.objective(summary),
        rules: goal
            .rules
            .iter()
            .map(|rule| RuleReport {
                rule: rule.to_string(),
                holds: goal.shortfall(summary, rule) <= 0.0,
            })
            .collect(),
        summary: summary.clone(),
    }
}

fn changes(tuned: &Tuned<'_>) -> Vec<ChangeReport> {
    let changes = tuned.trial.changes(&tuned.search.proposal().point);
    let change = |(path, to): (engine::diagnostic::FieldPath, Value)| {
        let parameter = tuned.parameters.iter().find(|parameter| parameter.path == path);
        ChangeReport {
            from: parameter
                .filter(|parameter| parameter.given)
                .map(|parameter| parameter.value(parameter.now)),
            path: path.to_string(),
            to,
        }
    };
    changes.into_iter().map(change).collect()
}

fn point(tuned: &Tuned<'_>, tried: &crate::tune::proposal::Run) -> PointReport {
    let (goal, summary) = (tuned.goal, tried.summary.as_ref());
    let values = tuned.parameters.iter().zip(&tried.point);
    let traded = goal
        .traded()
        .zip(summary)
        .and_then(|(bound, summary)| goal.look(summary, bound.figure));
    PointReport {
        values: values
            .map(|(parameter, position)| parameter.value(parameter.values[*position]))
            .collect(),
        objective: summary.and_then(|summary| goal.objective(summary)),
        traded,
        holds: summary.is_some_and(|summary| goal.score(summary).is_feasible()),
    }
}
