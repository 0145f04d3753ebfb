//! What `tune` prints, for people: figures, rules, parameters.

use engine::simulate::Summary;

use super::goal::Goal;
use super::parameter::Parameter;
use crate::simulate::assertion::Assertion;
use crate::simulate::print::decimals;
use crate::ui::table;

/// Figures and whether the rules hold, a column a run.
pub(crate) fn rules(goal: &Goal<'_>, names: &[&str], runs: &[&Summary]) -> String {
    let capitals: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
    let headings: Vec<&str> = std::iter::once("RULE")
        .chain(capitals.iter().map(String::as_str))
        .collect();
    let rows = goal.rules.iter().map(|rule| {
        let cells = runs.iter().map(|run| verdict(goal, rule, run));
        std::iter::once(rule.to_string()).chain(cells).collect()
    });
    table::render(&headings, &rows.collect::<Vec<Vec<String>>>())
}

/// `holds: 430`; with the names of the figures where there are several.
fn verdict(goal: &Goal<'_>, rule: &Assertion, run: &Summary) -> String {
    let figures = rule.figures();
    let values = figures.iter().map(|figure| {
        let value = match goal.look(run, figure) {
            Some(value) => decimals(value, 2),
            None => "no value".to_owned(),
        };
        if figures.len() > 1 {
            format!("{figure} {value}")
        } else {
            value
        }
    });
    let values: Vec<String> = values.collect();
    let verdict = if goal.shortfall(run, rule) > 0.0 {
        "broken"
    } else {
        "holds"
    };
    format!("{verdict}: {}", values.join(", "))
}

/// Every parameter that was searched, with its value now and the one that is proposed.
pub(crate) fn parameters(parameters: &[Parameter], point: &[usize], name: &str) -> String {
    let headings = ["PARAMETER", "NOW", &name.to_uppercase(), "SEARCHED"];
    let rows: Vec<Vec<String>> = parameters
        .iter()
        .zip(point)
        .map(|(parameter, position)| {
            let number = parameter.values[*position];
            let now = parameter.text(parameter.now);
            let default = if parameter.given { "" } else { " (default)" };
            vec![
                parameter.name.clone(),
                format!("{now}{default}"),
                if parameter.is_changed_by(number) {
                    parameter.text(number)
                } else {
                    "=".to_owned()
                },
                searched(parameter),
            ]
        })
        .collect();
    table::render(&headings, &rows)
}

/// The ends of what was searched, and how many values that are.
fn searched(parameter: &Parameter) -> String {
    let text = |value: Option<&f64>| value.map(|value| parameter.text(*value)).unwrap_or_default();
    match parameter.values.as_slice() {
        [only] => parameter.text(*only),
        values => format!(
            "{}..{} ({})",
            text(values.first()),
            text(values.last()),
            values.len()
        ),
    }
}

/// How much a figure changes: `-27%`, `+4.5%`.
pub(crate) fn share(now: f64, proposed: f64) -> Option<String> {
    let percent = (proposed / now - 1.0) * 100.0;
    let sign = if percent > 0.0 { "+" } else { "" };
    percent
        .is_finite()
        .then(|| format!("{sign}{}%", decimals(percent, usize::from(percent.abs() < 10.0))))
}
