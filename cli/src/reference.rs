//! The files that are made from the command tree: the reference page and the completion scripts.

use std::fmt::Write;

use clap::{Arg, Command};

use crate::commands::completion::{Shell, render_script};
use crate::commands::{dry_run, simulate, tune};
use crate::exit;

/// Exit codes with their meaning, as the page lists them.
const EXIT_CODES: &[(u8, &str)] = &[
    (exit::OK, "everything asked for was done"),
    (exit::UNEXPECTED, "something failed that no other code names"),
    (
        exit::USAGE,
        "the command line is wrong, or a file it names cannot be read; nothing was tried",
    ),
    (
        exit::DIAGNOSTICS,
        "the input has mistakes, all of which were printed",
    ),
    (
        exit::UNREACHABLE,
        "the API server, or the kubeconfig that leads to it, cannot be used",
    ),
    (
        exit::NOT_PERMITTED,
        "the cluster refused, as this user lacks a right",
    ),
    (
        exit::CHECK_FAILED,
        "what was asked about does not exist or is not as it should be",
    ),
    (exit::TIMED_OUT, "what was waited for did not happen in time"),
    (exit::INTERRUPTED, "ended by Ctrl-C"),
];

/// Every generated file as path below the repository and text.
pub fn files() -> Vec<(&'static str, String)> {
    vec![
        ("completions/kubectl-keda.bash", render_script(Shell::Bash)),
        ("completions/_kubectl-keda", render_script(Shell::Zsh)),
        ("completions/kubectl-keda.fish", render_script(Shell::Fish)),
        ("completions/_kubectl-keda.ps1", render_script(Shell::Powershell)),
        ("completions/kubectl_complete-keda", render_script(Shell::Kubectl)),
        ("docs/cli.md", page()),
        ("docs/schema/dry-run.json", dry_run::schema()),
        ("docs/schema/simulate.json", simulate::schema()),
        ("docs/schema/tune.json", tune::schema()),
    ]
}

/// The reference page.
fn page() -> String {
    let mut root = crate::command();
    root.build();
    let mut text = String::from(
        "<!-- Generated from the command tree by `cargo xtask gen`; edit the sources in cli/src. -->\n\
         # `kubectl keda`\n\n\
         The binary is `kubectl-keda`; kubectl finds it on the `PATH` as `kubectl keda`.\n\n\
         Data goes to standard output, everything else to standard error. Output is readable without colour, and has none \
         when `NO_COLOR` is set or it is no terminal.\n\n",
    );
    text.push_str("| command | what it does |\n| --- | --- |\n");
    for verb in verbs(&root) {
        let _ = writeln!(
            text,
            "| [`{0}`](#kubectl-keda-{0}) | {1} |",
            verb.get_name(),
            about(verb)
        );
    }
    text.push_str(
        "\n## Cluster options\n\nEvery command takes these flags of kubectl, with the same meaning.\n\n",
    );
    options(&root, &mut text);
    text.push_str("\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n");
    for (code, meaning) in EXIT_CODES {
        let _ = writeln!(text, "| {code} | {meaning} |");
    }
    for verb in verbs(&root) {
        section(verb, &mut text);
    }
    text
}

fn verbs(root: &Command) -> impl Iterator<Item = &Command> {
    root.get_subcommands()
        .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
}

fn about(verb: &Command) -> String {
    verb.get_about().map(ToString::to_string).unwrap_or_default()
}

fn section(verb: &Command, text: &mut String) {
    let _ = write!(
        text,
        "\n## `kubectl keda {}`\n\n{}.\n\n",
        verb.get_name(),
        about(verb)
    );
    let usage = verb.clone().render_usage().to_string();
    let _ = write!(text, "```text\n{}\n```\n\n", usage.trim_start_matches("Usage: "));
    options(verb, text);
    if let Some(after) = verb.get_after_help() {
        let _ = write!(text, "\n```text\n{}\n```\n", after.to_string().trim_end());
    }
}

/// Arguments and flags of one command; those of all commands have a section of their own.
fn options(command: &Command, text: &mut String) {
    let is_root = command.get_subcommands().next().is_some();
    for arg in command.get_arguments() {
        let own = is_root || !arg.is_global_set();
        if own && !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version") {
            let _ = writeln!(text, "- {}", option(arg));
        }
    }
}

fn option(arg: &Arg) -> String {
    let value = match arg.get_value_names() {
        Some(names) if arg.get_action().takes_values() => names.join(" "),
        _ => String::new(),
    };
    let flags = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => return format!("`{value}`: {}", help(arg)),
    };
    let gap = if value.is_empty() { "" } else { " " };
    format!("`{flags}{gap}{value}`: {}", help(arg))
}

fn help(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let words: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if arg.get_action().takes_values() && !words.is_empty() {
        let _ = write!(text, " ({})", words.join(", "));
    }
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    if arg.get_action().takes_values() && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        let _ = write!(text, "; default `{}`", defaults.join(","));
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// With `KEDA_GEN=write` in the environment it writes the files (`cargo xtask gen`).
    #[test]
    fn generated_files_are_up_to_date() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let write = std::env::var_os("KEDA_GEN").is_some_and(|value| value == "write");
        for (path, text) in files() {
            let file = root.join(path);
            if write {
                let folder = file.parent().expect("a file is in a folder");
                std::fs::create_dir_all(folder).expect("the folder can be made");
                std::fs::write(&file, &text).expect("the file can be written");
            }
            let there = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(there == text, "{path} is out of date: run `cargo xtask gen`");
        }
    }
}
