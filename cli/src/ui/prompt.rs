//! Questions, asked only where somebody can answer. Elsewhere the flag to give is named instead.

use dialoguer::console::Term;
use dialoguer::{Confirm, Select};
use scalers::Secret;

use super::Ui;
use crate::exit::{self, Failure};

/// Lets the user pick one of several; `flag` is what to give where nobody can be asked.
pub(crate) fn choose(ui: Ui, question: &str, choices: &[String], flag: &str) -> Result<usize, Failure> {
    if !ui.can_ask() {
        return Err(
            Failure::new(exit::USAGE, format!("{question}: nobody can be asked here"))
                .help(format!("give {flag}")),
        );
    }
    let picked = Select::new()
        .with_prompt(question)
        .items(choices)
        .default(0)
        .max_length(12)
        .interact_opt();
    picked
        .map_err(unanswered)?
        .ok_or_else(|| Failure::new(exit::INTERRUPTED, "nothing was chosen"))
}

/// Asks yes or no; `flag` is what to give where nobody can be asked.
pub(crate) fn confirm(ui: Ui, question: &str, flag: &str) -> Result<bool, Failure> {
    if !ui.can_ask() {
        return Err(
            Failure::new(exit::USAGE, format!("{question}: nobody can be asked here"))
                .help(format!("give {flag}")),
        );
    }
    Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact()
        .map_err(unanswered)
}

/// Asks for a text that is not shown while it is typed; `flag` is what to give where nobody can be asked.
pub(crate) fn secret(ui: Ui, question: &str, flag: &str) -> Result<Secret<String>, Failure> {
    if !ui.can_ask() {
        return Err(
            Failure::new(exit::USAGE, format!("{question}: nobody can be asked here"))
                .help(format!("give {flag}")),
        );
    }
    let terminal = Term::stderr();
    terminal
        .write_str(&format!("{question}: "))
        .and_then(|()| terminal.read_secure_line())
        .map(Secret::new)
        .map_err(|error| unanswered(dialoguer::Error::IO(error)))
}

fn unanswered(error: dialoguer::Error) -> Failure {
    let dialoguer::Error::IO(error) = error;
    let code = if error.kind() == std::io::ErrorKind::Interrupted {
        exit::INTERRUPTED
    } else {
        exit::UNEXPECTED
    };
    Failure::new(code, "the question was not answered").because(error)
}
