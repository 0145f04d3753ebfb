//! How a run ends: the exit codes, and the failure that carries one together with what to do about it.
//!
//! Findings about the user's own input are not failures: they are diagnostics, printed by `ui::diagnostic`,
//! and end a run with [`DIAGNOSTICS`].

use std::error::Error;
use std::fmt;

/// Everything asked for was done.
pub const OK: u8 = 0;
/// Something failed that no other code names.
pub const UNEXPECTED: u8 = 1;
/// The command line is wrong; nothing was tried.
pub const USAGE: u8 = 2;
/// The input was read and has mistakes, all of which were printed.
pub const DIAGNOSTICS: u8 = 3;
/// The API server, or the kubeconfig that leads to it, cannot be used.
pub const UNREACHABLE: u8 = 4;
/// The cluster refused, as this user lacks a right.
pub const NOT_PERMITTED: u8 = 5;
/// What was asked to be checked is not as it should be, or does not exist.
pub const CHECK_FAILED: u8 = 6;
/// What was waited for did not happen in time.
pub const TIMED_OUT: u8 = 7;
/// Ended by Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Why a run ends early: what failed, why, and what to do next.
#[derive(Debug)]
pub struct Failure {
    /// One of the codes of this module.
    pub code: u8,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    help: Vec<String>,
}

impl Failure {
    /// A failure with the message as a lowercase fragment.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            source: None,
            help: Vec::new(),
        }
    }

    /// Keeps the cause, which is printed after the message.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds one thing the user can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// What the user can do about it, best first.
    pub fn helps(&self) -> &[String] {
        &self.help
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

/// The message and its chain of causes in one line. A cause that the text before it already ends with is left
/// out, as some libraries print their source in their own message.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(cause_text.as_str()) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_prints_each_cause_once() {
        let inner = Failure::new(UNEXPECTED, "connection refused");
        let outer = Failure::new(UNREACHABLE, "cannot reach it: connection refused").because(inner);
        let top = Failure::new(UNREACHABLE, "cannot list").because(outer);
        assert_eq!(chain(&top), "cannot list: cannot reach it: connection refused");
    }
}
