//! Diagnostics with the place in the file, in the manner of rustc.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use engine::diagnostic::{Diagnostic, Severity};

/// The lines a diagnostic is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excerpt<'a> {
    /// Path of the file.
    pub(crate) file: &'a str,
    /// Text of the document.
    pub(crate) text: &'a str,
    /// Number of its first line.
    pub(crate) line: usize,
}

/// Renders one diagnostic.
pub(crate) fn render(found: &Diagnostic, at: Excerpt<'_>, span: Range<usize>, colour: bool) -> String {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(&*found.message).id(&*found.code);
    let help = found.help.as_deref();
    // A short suggestion reads best where the mistake is; anything longer goes below.
    let label = help.filter(|help| help.starts_with("did you mean"));
    let mark = AnnotationKind::Primary
        .span(on_one_line(at.text, span))
        .label(label);
    let mut group = title.element(
        Snippet::source(at.text)
            .line_start(at.line)
            .path(at.file)
            .annotation(mark),
    );
    if let Some(help) = help.filter(|_| label.is_none()) {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

/// Values over several lines are marked at their first.
fn on_one_line(text: &str, span: Range<usize>) -> Range<usize> {
    let start = span.start.min(text.len());
    let rest = text.get(start..span.end.clamp(start, text.len())).unwrap_or("");
    let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
    start..start + length
}

/// Line and column of a byte, both counted from 1; the column counts characters.
pub(crate) fn line_and_column(at: Excerpt<'_>, byte: usize) -> (usize, usize) {
    let before = at.text.get(..byte.min(at.text.len())).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (
        at.line + before.matches('\n').count(),
        before[line_start..].chars().count() + 1,
    )
}

#[cfg(test)]
mod tests {
    use engine::diagnostic::FieldPath;

    use super::*;

    const TEXT: &str = "spec:\n  größe: x\n  listLenght: \"5\"\n";

    #[test]
    fn a_diagnostic_points_at_its_place() {
        let found = Diagnostic::warning(
            "unknown-metadata-key",
            FieldPath::root(),
            "`redis` has no setting `listLenght`",
        )
        .with_help("did you mean `listLength`?");
        let at = Excerpt {
            file: "orders.yaml",
            text: TEXT,
            line: 10,
        };
        let start = TEXT.find("listLenght").expect("is there");
        insta::assert_snapshot!(render(&found, at, start..start + 10, false), @r#"
        warning[unknown-metadata-key]: `redis` has no setting `listLenght`
          --> orders.yaml:12:3
           |
        12 |   listLenght: "5"
           |   ^^^^^^^^^^ did you mean `listLength`?
        "#);
        assert_eq!(line_and_column(at, start), (12, 3));
    }

    #[test]
    fn longer_help_stands_below() {
        let found = Diagnostic::error("missing-field", FieldPath::root(), "missing `scaleTargetRef`")
            .with_help("add it");
        let at = Excerpt {
            file: "a.yaml",
            text: TEXT,
            line: 1,
        };
        insta::assert_snapshot!(render(&found, at, 0..4, false), @r"
        error[missing-field]: missing `scaleTargetRef`
         --> a.yaml:1:1
          |
        1 | spec:
          | ^^^^
          |
          = help: add it
        ");
    }
}
