//! Questions, asked only where somebody can answer. Elsewhere the flag to give is named instead.

use dialoguer::{Confirm, Select};

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

fn unanswered(error: dialoguer::Error) -> Failure {
    let dialoguer::Error::IO(error) = error;
    let code = if error.kind() == std::io::ErrorKind::Interrupted {
        exit::INTERRUPTED
    } else {
        exit::UNEXPECTED
    };
    Failure::new(code, "the question was not answered").because(error)
}
