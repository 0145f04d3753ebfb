//! Steps of a long command: a spinner while one runs, a line with its time once it is done.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

/// Prints steps on stderr: live in a terminal, a line each elsewhere.
pub(crate) struct Steps {
    live: bool,
}

impl Steps {
    /// Finds out whether stderr is a terminal.
    pub(crate) fn new() -> Self {
        Self {
            live: std::io::stderr().is_terminal(),
        }
    }

    /// Runs one step; its error says which step it was.
    pub(crate) fn run<T>(&self, what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let started = Instant::now();
        let spinner = self.live.then(|| spinner(what));
        let result = work();
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        let seconds = started.elapsed().as_secs_f64();
        let mark = if result.is_ok() { '√' } else { '×' };
        eprintln!("{mark} {what} ({seconds:.1} s)");
        result.with_context(|| format!("step failed: {what}"))
    }
}

fn spinner(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]")
        .expect("the template is a constant that parses")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ");
    let bar = ProgressBar::new_spinner()
        .with_style(style)
        .with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
