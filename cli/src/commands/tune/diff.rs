//! The proposal as a change of the user's own file.

use engine::diagnostic::FieldPath;
use kube::ResourceExt as _;
use serde_json::Value;
use similar::TextDiff;

use crate::check;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::manifest::edit::{self, Refusal};
use crate::manifest::{Source, place};
use crate::simulate::object::Subject;

/// Lines around a change.
const CONTEXT: usize = 3;

/// A file and what it will be.
#[derive(Debug)]
pub(super) struct Edit {
    /// Its name; `-` is standard input.
    pub(super) file: String,
    /// Its text with the changes.
    pub(super) new: String,
    /// The difference, as `patch` and `git apply` take it.
    pub(super) diff: String,
}

/// Edits the file that the object is in. The outcome is checked as `validate` checks it.
pub(super) fn edit(
    sources: &[Source],
    subject: &Subject,
    changes: &[(FieldPath, Value)],
    cx: &Context,
) -> Result<Edit, Failure> {
    let name = subject.object.name_any();
    let place = place::find(sources, "ScaledObject", &name)
        .ok_or_else(|| Failure::new(exit::UNEXPECTED, format!("ScaledObject `{name}` is in no file")))?;
    let source = &sources[place.source];
    let changes: Vec<(FieldPath, Value)> = changes
        .iter()
        .map(|(path, value)| (place.base.join(path), value.clone()))
        .collect();
    let (before, rest) = source.text.split_at(place.document.start);
    let (document, after) = rest.split_at(place.document.len());
    let edited =
        edit::edit(document, &changes).map_err(|refusal| by_hand(&source.name, &refusal, &changes))?;
    let new = format!("{before}{edited}{after}");
    check_again(sources, place.source, &new, cx)?;
    Ok(Edit {
        file: source.name.clone(),
        diff: unified(&source.name, &source.text, &new),
        new,
    })
}

/// What cannot be edited can still be told.
fn by_hand(file: &str, refusal: &Refusal, changes: &[(FieldPath, Value)]) -> Failure {
    let failure = Failure::new(exit::DIAGNOSTICS, format!("cannot edit {file}: {refusal}"));
    let list: Vec<String> = changes
        .iter()
        .map(|(path, value)| format!("{path}: {value}"))
        .collect();
    failure.help(format!("the changes are {}: write them by hand", list.join(", ")))
}

/// Nothing is proposed that would be refused.
fn check_again(sources: &[Source], changed: usize, new: &str, cx: &Context) -> Result<(), Failure> {
    let sources: Vec<Source> = sources
        .iter()
        .enumerate()
        .map(|(position, source)| Source {
            name: source.name.clone(),
            text: if position == changed {
                new.to_owned()
            } else {
                source.text.clone()
            },
        })
        .collect();
    let namespace = cx.kube.namespace.as_deref().unwrap_or("default");
    let checked = futures::executor::block_on(check::all(&sources, namespace));
    match checked.findings.iter().find(|found| found.diagnostic.is_error()) {
        None => Ok(()),
        Some(found) => Err(Failure::new(
            exit::UNEXPECTED,
            format!("the proposal would be refused: {}", found.diagnostic),
        )),
    }
}

fn unified(file: &str, old: &str, new: &str) -> String {
    let name = file.trim_start_matches('/');
    let name = name.strip_prefix("./").unwrap_or(name);
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}
