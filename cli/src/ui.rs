//! The terminal: data to standard output, talk to standard error. The only place that prints.

pub(crate) mod diagnostic;
pub(crate) mod progress;
pub(crate) mod prompt;
pub(crate) mod screen;
pub(crate) mod table;

use std::io::{self, IsTerminal, Write};

use crate::exit::{self, Failure};

/// What the two output streams are.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts about the terminal, none of which excludes another"
)]
pub(crate) struct Ui {
    /// Standard output is a terminal.
    pub(crate) stdout_is_tty: bool,
    /// Standard error is a terminal.
    pub(crate) stderr_is_tty: bool,
    /// Standard input is a terminal, so that a question can be answered.
    pub(crate) stdin_is_tty: bool,
    /// Colour is wanted: `NO_COLOR` is not set and the terminal can.
    pub(crate) colour: bool,
}

#[expect(
    clippy::unused_self,
    reason = "who may print is handed a `Ui`, even where nothing of it is looked at"
)]
impl Ui {
    /// Looks at the streams and at `NO_COLOR` and `TERM`.
    pub(crate) fn detect() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            stdout_is_tty: io::stdout().is_terminal(),
            stderr_is_tty: io::stderr().is_terminal(),
            stdin_is_tty: io::stdin().is_terminal(),
            colour: !set("NO_COLOR") && !dumb,
        }
    }

    /// Whether a question can be asked and answered.
    pub(crate) fn can_ask(self) -> bool {
        self.stdin_is_tty && self.stderr_is_tty
    }

    /// Columns and lines of the terminal that standard output is.
    pub(crate) fn size(self) -> (usize, usize) {
        let (rows, columns) = dialoguer::console::Term::stdout().size();
        (usize::from(columns), usize::from(rows))
    }

    /// Writes data to standard output as it is. A reader that went away ends the run quietly.
    pub(crate) fn data(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Failure::new(exit::OK, "")),
            Err(e) => Err(Failure::new(exit::UNEXPECTED, "cannot write to standard output").because(e)),
            Ok(()) => Ok(()),
        }
    }

    /// Says something on standard error, one line. Nothing can be done when nobody listens.
    pub(crate) fn say(self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// A remark that deserves notice but ends nothing.
    pub(crate) fn note(self, line: &str) {
        self.say(&self.remark(line));
    }

    /// The text of such a remark.
    pub(crate) fn remark(self, line: &str) -> String {
        format!("{} {line}", self.paint("note:", "1;36"))
    }

    /// What made the run fail, and what to do about it.
    pub(crate) fn failure(self, failure: &Failure) {
        let text = exit::chain(failure);
        if text.is_empty() {
            return;
        }
        self.say(&format!("{} {text}", self.paint("error:", "1;31")));
        for help in failure.helps() {
            self.say(&format!("  {} {help}", self.paint("help:", "1;32")));
        }
    }

    fn paint(self, text: &str, style: &str) -> String {
        if self.colour && self.stderr_is_tty {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Breaks a text into lines of at most so many characters; a longer word has a line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            last.push_str(if last.is_empty() { "" } else { " " });
            last.push_str(word);
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// What a source sends must not steer the terminal.
pub(crate) fn printable(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The text as far as it fits, with a sign that more follows.
pub(crate) fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let mut kept: String = line.chars().take(width.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_never_wrap() {
        assert_eq!(cut("größer", 6), "größer");
        assert_eq!(cut("größer", 4), "grö…");
        assert_eq!(cut("x", 0), "…");
    }
}
