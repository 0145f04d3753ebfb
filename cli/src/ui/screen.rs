//! What `--watch` shows on a terminal: each text is written over the one before.

use super::{Ui, cut};
use crate::exit::Failure;

/// What is on the screen.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    lines: usize,
}

impl Screen {
    /// Writes over what was written before.
    pub(crate) fn redraw(&mut self, ui: Ui, text: &str) -> Result<(), Failure> {
        let (width, height) = ui.size();
        // A line that wraps or a text that scrolls could not be written over.
        let lines: Vec<String> = text
            .lines()
            .take(height.saturating_sub(1))
            .map(|line| cut(line, width))
            .collect();
        let up = if self.lines > 0 {
            format!("\x1b[{}A", self.lines)
        } else {
            String::new()
        };
        ui.data(&format!("{up}\r\x1b[J{}\n", lines.join("\n")))?;
        self.lines = lines.len();
        Ok(())
    }
}
