//! What `tune` prints and draws.

use engine::simulate::Summary;

use super::{Args, Day, Form, Tuned, report};
use crate::commands::simulate::output::{canvas, picture, write};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::simulate::object::Subject;
use crate::simulate::plot::html::{self, Change, Changes};
use crate::simulate::print::{self as figures, decimals};
use crate::simulate::run::{self, Run};
use crate::tune::print;
use crate::tune::scatter::{self, Scatter};

/// Prints and draws what was asked for.
pub(super) fn show(args: &Args, cx: &Context, tuned: &Tuned<'_>, day: &Day) -> Result<(), Failure> {
    let title = title(tuned);
    let scatter = Scatter::of(&title, tuned.search, tuned.goal);
    match args.output {
        Form::Table => cx.ui.data(&table(cx, tuned, &title, scatter.as_ref()))?,
        Form::Json => cx.ui.data(&report::render(args, tuned)?)?,
        Form::Diff => {
            if let Some(edit) = &tuned.edit {
                cx.ui.data(&edit.diff)?;
            }
        }
    }
    if args.world.closed.service_rate.is_none() {
        unmoved(cx, tuned);
    }
    if args.svg.is_none() && args.html.is_none() {
        return Ok(());
    }
    let Some(mut scatter) = scatter else {
        return Ok(());
    };
    if let Some(file) = &args.svg {
        write(file, &scatter::svg::render(&scatter)?)?;
    }
    if let Some(file) = &args.html {
        // The page has a title of its own.
        "trade-off".clone_into(&mut scatter.title);
        write(file, &page(tuned, day, &scatter::svg::render(&scatter)?)?)?;
    }
    Ok(())
}

fn title(tuned: &Tuned<'_>) -> String {
    let object = &tuned.subject.object;
    let name = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "ScaledObject {}/{} on {}, tuned to {} {}",
        name(&object.metadata.namespace),
        name(&object.metadata.name),
        object.spec.scale_target_ref.name,
        tuned.goal.direction.verb(),
        tuned.goal.figure
    )
}

/// The runs that are shown beside each other.
fn runs<'t>(tuned: &'t Tuned<'_>) -> (Vec<&'static str>, Vec<&'t Summary>) {
    let (mut names, mut runs) = (Vec::new(), Vec::new());
    let (first, best) = (&tuned.search.runs[0], tuned.search.proposal());
    for (name, run) in [("now", first), (tuned.search.called(), best)] {
        if let Some(summary) = &run.summary
            && (name == "now" || tuned.search.is_change())
        {
            names.push(name);
            runs.push(summary);
        }
    }
    if let Some([now, proposed]) = &tuned.holdout {
        names.push("other day, now");
        runs.push(now);
        if tuned.search.is_change() {
            names.push("other day, proposed");
            runs.push(proposed);
        }
    }
    (names, runs)
}

fn table(cx: &Context, tuned: &Tuned<'_>, title: &str, scatter: Option<&Scatter>) -> String {
    let (names, runs) = runs(tuned);
    let owned: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut parts = vec![
        format!("{title}\n"),
        figures::text(&figures::summary(&owned, &runs)),
        print::rules(tuned.goal, &names, &runs),
        print::parameters(
            tuned.parameters,
            &tuned.search.proposal().point,
            tuned.search.called(),
        ),
    ];
    if let Some(scatter) = scatter {
        let (columns, colour) = canvas(cx);
        parts.push(scatter::terminal::render(scatter, columns, colour));
    }
    parts.push(outcome(tuned));
    if let Some(edit) = &tuned.edit {
        parts.push(edit.diff.clone());
    }
    parts.join("\n")
}

/// One line that says it all.
fn outcome(tuned: &Tuned<'_>) -> String {
    let (search, goal) = (tuned.search, tuned.goal);
    let tried = search.runs.iter().filter(|run| run.summary.is_some());
    let keep = tried
        .clone()
        .filter_map(|run| run.summary.as_ref())
        .filter(|summary| goal.score(summary).is_feasible())
        .count();
    let tried = tried.count();
    let rules = if goal.rules.len() == 1 {
        "the rule"
    } else {
        "the rules"
    };
    let counted = format!("{tried} simulations, of which {keep} keep {rules}");
    let objective = |position: usize| goal.objective(search.runs[position].summary.as_ref()?);
    match (objective(0), objective(search.best)) {
        (Some(now), Some(best)) if search.is_change() && search.feasible => {
            let share = print::share(now, best)
                .map(|share| format!(" ({share})"))
                .unwrap_or_default();
            format!(
                "{}: {} instead of {}{share}\n{counted}\n",
                goal.figure,
                decimals(best, 2),
                decimals(now, 2)
            )
        }
        _ => format!("{counted}\n"),
    }
}

/// A rule about figures that no parameter moves is easily one about the wrong figure.
fn unmoved(cx: &Context, tuned: &Tuned<'_>) {
    let Some(bound) = tuned.goal.traded() else { return };
    let summaries = tuned.search.runs.iter().filter_map(|run| run.summary.as_ref());
    let mut values = summaries.filter_map(|summary| tuned.goal.look(summary, bound.figure));
    let Some(first) = values.next() else { return };
    if values.all(|value| value.total_cmp(&first).is_eq()) {
        cx.ui.note(&format!(
            "`{}` is {} in every simulation: what is recorded does not follow the replicas; `--service-rate` closes the loop",
            bound.figure,
            decimals(first, 2)
        ));
    }
}

/// Why nothing is proposed.
pub(super) fn infeasible(tuned: &Tuned<'_>) -> Failure {
    let goal = tuned.goal;
    let Some(closest) = &tuned.search.proposal().summary else {
        return Failure::new(exit::CHECK_FAILED, "no combination can be simulated");
    };
    let shortfall = |rule: &&crate::simulate::assertion::Assertion| goal.shortfall(closest, rule);
    let binding = goal
        .rules
        .iter()
        .max_by(|one, other| shortfall(one).total_cmp(&shortfall(other)));
    let binding = binding.map(ToString::to_string).unwrap_or_default();
    let message = format!(
        "none of {} combinations keeps the rules; `{binding}` is the furthest from holding",
        tuned.search.runs.len()
    );
    Failure::new(exit::CHECK_FAILED, message)
        .help("`--vary PARAMETER=FROM..TO` searches further, `--evaluations` longer")
        .help("what the pods are limits it too: `--service-rate`, `--pod-startup`")
}

/// The page: the trade-off, and both runs over time.
fn page(tuned: &Tuned<'_>, day: &Day, drawing: &str) -> Result<String, Failure> {
    let mut changes = Changes::default();
    let mut played: Vec<(Subject, Run)> = Vec::new();
    for (name, subject) in [(tuned.search.called(), &tuned.proposed), ("now", tuned.subject)] {
        if name == "now" || tuned.search.is_change() {
            let first = played.is_empty();
            let run = run::play(
                subject,
                day.settings.clone(),
                day.zero,
                day.held.rows(),
                &mut |zero, step| {
                    if first && step.is_change() {
                        changes.push(|| Change::of(zero, step));
                    }
                    Ok(())
                },
            )?;
            let subject = Subject {
                file: name.to_owned(),
                ..subject.clone()
            };
            played.push((subject, run));
        }
    }
    let (subjects, runs): (Vec<Subject>, Vec<Run>) = played.into_iter().unzip();
    let mut picture = picture(&subjects, &runs);
    picture.title = title(tuned);
    let names: Vec<String> = subjects.iter().map(|subject| subject.file.clone()).collect();
    let summaries: Vec<&Summary> = runs.iter().map(|run| &run.summary).collect();
    html::render(&picture, drawing, &figures::summary(&names, &summaries), &changes)
}
