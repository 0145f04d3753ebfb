//! Progress on standard error: a bar or a spinner on a terminal, one line a step elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Ui;

/// What is going on, shown as it goes.
#[derive(Debug)]
pub(crate) struct Progress {
    ui: Ui,
    bar: ProgressBar,
}

impl Progress {
    /// A bar of known length.
    pub(crate) fn bar(ui: Ui, steps: u64) -> Self {
        let style =
            ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}").expect("the template is fixed");
        Self {
            ui,
            bar: drawn(ui, ProgressBar::new(steps).with_style(style)),
        }
    }

    /// A spinner for a wait of unknown length.
    pub(crate) fn spinner(ui: Ui) -> Self {
        let style =
            ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").expect("the template is fixed");
        let bar = drawn(ui, ProgressBar::new_spinner().with_style(style));
        if ui.stderr_is_tty {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { ui, bar }
    }

    /// Says what is being done. Off a terminal each different text is a line.
    pub(crate) fn doing(&self, what: &str) {
        if !self.ui.stderr_is_tty && self.bar.message() != what {
            self.ui.say(what);
        }
        self.bar.set_message(what.to_owned());
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    /// Prints a line that stays, above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| self.ui.say(line));
    }
}

/// The bar is gone when what it showed is over, whatever the outcome.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn drawn(ui: Ui, bar: ProgressBar) -> ProgressBar {
    bar.set_draw_target(if ui.stderr_is_tty {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    });
    bar
}
