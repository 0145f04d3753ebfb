//! Completion as kubectl asks plugins for it: `kubectl_complete-keda WORD… WORD-TO-COMPLETE`, which runs
//! `kubectl-keda __complete` with the same words.
//!
//! The answer is that of cobra's `__complete`: a candidate a line, behind a tab what it is, and last `:N`, which tells
//! the shell what else to offer. It is made from the command tree alone: no cluster is asked while somebody types.

use std::collections::BTreeMap;

use clap::{Arg, Command};
use scalers::SCALERS;

use crate::exit;
use crate::ui::Ui;

/// The first word of a command line that asks for candidates. It is for programs, so no help names it.
pub(crate) const WORD: &str = "__complete";

/// The executable that kubectl looks for, as text; the file in `completions/` is exactly this.
pub(crate) const SCRIPT: &str = "\
#!/bin/sh
# kubectl asks this executable, by its name `kubectl_complete-keda`, what may follow `kubectl keda`.
exec kubectl-keda __complete \"$@\"
";

/// What the shell offers besides the candidates; the numbers are cobra's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directive {
    /// Files, where there is no candidate.
    Files = 0,
    /// Nothing.
    Nothing = 4,
    /// Nothing, and no space behind the one candidate.
    NoSpace = 6,
}

/// Candidates with what they are.
type Candidates = BTreeMap<String, String>;

/// Forms of output; a flag takes those that its help names.
const FORMS: &[&str] = &["json", "jsonpath=", "name", "table", "wide", "yaml"];

/// Prints the answer to these words. Returns the exit code.
pub(crate) fn run(words: &[String]) -> u8 {
    let ui = Ui::detect();
    match ui.data(&answer(words)) {
        Ok(()) => exit::OK,
        Err(failure) => {
            ui.failure(&failure);
            failure.code
        }
    }
}

/// The answer to these words, of which the last is to be completed.
pub(crate) fn answer(words: &[String]) -> String {
    let mut root = crate::command();
    root.build();
    let (candidates, directive) = candidates(&root, words);
    let mut lines: Vec<String> = candidates
        .into_iter()
        .map(|(candidate, about)| match about.lines().next() {
            Some(about) => format!("{candidate}\t{about}\n"),
            None => format!("{candidate}\n"),
        })
        .collect();
    lines.push(format!(":{}\n", directive as u8));
    lines.concat()
}

/// Where in the command line the last word stands.
struct Place<'a> {
    command: &'a Command,
    /// Arguments before it that are no flags.
    positionals: usize,
    /// The flag whose value it is.
    flag: Option<&'a Arg>,
    /// Nothing is a flag any more.
    plain: bool,
}

impl<'a> Place<'a> {
    fn behind(root: &'a Command, words: &[String]) -> Self {
        let mut place = Self {
            command: root,
            positionals: 0,
            flag: None,
            plain: false,
        };
        for word in words {
            place.pass(word);
        }
        place
    }

    /// Goes past a word.
    fn pass(&mut self, word: &str) {
        if self.flag.take().is_some() {
            return;
        }
        match word.strip_prefix("--") {
            _ if self.plain || !word.starts_with('-') || word == "-" => self.pass_plain(word),
            Some("") => self.plain = true,
            Some(long) => {
                let awaits = |arg: &&Arg| arg.get_long() == Some(long) && takes_next(arg);
                self.flag = self.command.get_arguments().find(awaits);
            }
            None => {
                // Of several letters in one word only the last can have its value in the next one.
                let awaits = |arg: &&Arg| arg.get_short() == word.chars().last() && takes_next(arg);
                self.flag = self.command.get_arguments().find(awaits);
            }
        }
    }

    fn pass_plain(&mut self, word: &str) {
        match self.command.find_subcommand(word) {
            Some(verb) if self.positionals == 0 && !self.plain => self.command = verb,
            _ => self.positionals += 1,
        }
    }
}

/// Whether the word behind a flag is its value.
fn takes_next(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

fn candidates(root: &Command, words: &[String]) -> (Candidates, Directive) {
    let Some((last, before)) = words.split_last() else {
        return (Candidates::new(), Directive::Nothing);
    };
    let place = Place::behind(root, before);
    if let Some(flag) = place.flag {
        return values(flag, last);
    }
    if !place.plain && last.starts_with('-') {
        return match last.split_once('=') {
            None => (flags(place.command, last), Directive::Nothing),
            Some((flag, value)) => {
                let named = |arg: &&Arg| arg.get_long().is_some_and(|long| flag == format!("--{long}"));
                let found = place.command.get_arguments().find(named);
                found.map_or((Candidates::new(), Directive::Nothing), |arg| values(arg, value))
            }
        };
    }
    if place.positionals == 0 && place.command.has_subcommands() {
        let verbs = place.command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let verbs = verbs.map(|verb| (verb.get_name().to_owned(), about(verb.get_about())));
        return (starting(verbs, last), Directive::Nothing);
    }
    match place.command.get_positionals().nth(place.positionals) {
        Some(arg) => values(arg, last),
        None => (Candidates::new(), Directive::Nothing),
    }
}

fn flags(command: &Command, start: &str) -> Candidates {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let named = shown.flat_map(|arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        long.into_iter()
            .chain(short)
            .map(|name| (name, about(arg.get_help())))
    });
    starting(named, start)
}

fn values(arg: &Arg, start: &str) -> (Candidates, Directive) {
    let called = arg
        .get_value_names()
        .and_then(<[_]>::first)
        .map_or("", |name| name.as_str());
    let found = match called {
        "TYPE" => starting(
            SCALERS
                .iter()
                .map(|scaler| (scaler.name.to_owned(), scaler.summary.to_owned())),
            start,
        ),
        "FORM" => {
            let help = about(arg.get_help());
            let named = FORMS.iter().filter(|form| help.contains(**form));
            starting(named.map(|form| ((*form).to_owned(), String::new())), start)
        }
        name if name.contains("FILE") => return (Candidates::new(), Directive::Files),
        _ => {
            let possible = arg.get_possible_values().into_iter();
            let shown = possible.filter(|value| !value.is_hide_set());
            starting(
                shown.map(|value| (value.get_name().to_owned(), about(value.get_help()))),
                start,
            )
        }
    };
    let goes_on = found.len() == 1 && found.keys().all(|name| name.ends_with('='));
    let directive = if goes_on {
        Directive::NoSpace
    } else {
        Directive::Nothing
    };
    (found, directive)
}

fn starting(all: impl Iterator<Item = (String, String)>, start: &str) -> Candidates {
    all.filter(|(name, _)| name.starts_with(start)).collect()
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: &[&str], directive: Directive) {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let mut root = crate::command();
        root.build();
        let (found, told) = candidates(&root, &words);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!((names.as_slice(), told), (expected, directive), "{words:?}");
    }

    #[test]
    fn verbs_flags_and_values_are_offered_where_they_belong() {
        use Directive::{Files, NoSpace, Nothing};
        check("st", &["status"], Nothing);
        check("status --all", &["--all-namespaces"], Nothing);
        check("status -A --no-h", &["--no-headers"], Nothing);
        check("--context st st", &["status"], Nothing);
        check("--context=st st", &["status"], Nothing);
        check("-n st st", &["status"], Nothing);
        check("completion z", &["zsh"], Nothing);
        check("status --debug-token o", &["own"], Nothing);
        check("status --debug-token=o", &["own"], Nothing);
        check("scaffold cro", &["cron"], Nothing);
        check("scaffold cron r", &[], Nothing);
        check("explain x -o j", &["json", "jsonpath="], Nothing);
        check("explain x -o jsonp", &["jsonpath="], NoSpace);
        check("explain x -o w", &[], Nothing);
        check("status -o w", &["wide"], Nothing);
        check("validate -f ", &[], Files);
        check("validate --strict -f x -- --", &[], Nothing);
        check("status so/orders ", &[], Nothing);
        check("why x --rec", &["--records"], Nothing);
    }

    #[test]
    fn the_answer_is_read_as_cobras() {
        let answer = answer(&["uni".to_owned()]);
        assert_eq!(answer, "uninstall\tRemove an installation\n:4\n");
        assert!(!super::answer(&[String::new()]).contains(WORD));
    }
}
