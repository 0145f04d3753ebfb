//! A page to look around in: everything is in the one file, and nothing is fetched.

use engine::simulate::{By, Step};
use serde_json::{Value, json};

use super::svg;
use crate::exit::Failure;
use crate::simulate::trace::{Line, Picture};

/// The page, with places for the title, the picture without scripts, and the data.
const PAGE: &str = include_str!("page.html");
/// Changes that are told of; a page with more would be slow to open.
const MOST: usize = 5000;

/// A change of the replicas, to be read beside the plot.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// When, in milliseconds.
    pub(crate) at: i64,
    /// The replicas from then on.
    pub(crate) replicas: i32,
    /// Who made it.
    pub(crate) by: &'static str,
    /// Why.
    pub(crate) why: String,
}

impl Change {
    /// What a step changed; `zero` is the time that it counts from.
    pub(crate) fn of(zero: i64, step: &Step<'_>) -> Self {
        Self {
            at: zero + step.t(),
            replicas: step.replicas(),
            by: match step.by() {
                By::Hpa => "hpa",
                By::Keda => "keda",
            },
            why: step.why(),
        }
    }
}

/// The changes of a run, as many as a page tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    kept: Vec<Change>,
    left_out: u64,
}

impl Changes {
    /// Adds one; `make` is called only if it is kept.
    pub(crate) fn push(&mut self, make: impl FnOnce() -> Change) {
        if self.kept.len() < MOST {
            self.kept.push(make());
        } else {
            self.left_out += 1;
        }
    }
}

/// Makes the page. `above` is a drawing that comes before the plot; `summary` has a name and a value a run in each row.
pub(crate) fn render(
    picture: &Picture,
    above: &str,
    summary: &[Vec<String>],
    changes: &Changes,
) -> Result<String, Failure> {
    let data = json!({
        "from": picture.from,
        "to": picture.to,
        "panels": picture.panels.iter().map(|panel| json!({
            "title": panel.title,
            "lines": panel.lines.iter()
                .map(|curve| json!({"name": curve.name, "run": curve.run, "points": points(&curve.line)}))
                .collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "summary": summary,
        "changes": changes.kept.iter()
            .map(|change| json!([change.at, change.replicas, change.by, change.why]))
            .collect::<Vec<_>>(),
        "leftOut": changes.left_out,
    });
    // Nothing in a text may end the script.
    let data = data.to_string().replace('<', "\\u003c");
    let page = PAGE.replace("@title@", &escaped(&picture.title));
    let (top, tail) = page.split_once("@above@").unwrap_or((&page, ""));
    let (head, tail) = tail.split_once("@picture@").unwrap_or((tail, ""));
    let (middle, tail) = tail.split_once("@data@").unwrap_or((tail, ""));
    Ok(format!(
        "{top}{above}{head}{}{middle}{data}{tail}",
        svg::render(picture)?
    ))
}

fn points(line: &Line) -> Vec<Value> {
    line.points()
        .iter()
        .map(|(at, value)| json!([at, value]))
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::trace::{Curve, Panel};

    #[test]
    fn texts_stay_texts_and_nothing_is_fetched() {
        let mut line = Line::default();
        line.push(0, Some(1.0));
        let picture = Picture {
            title: "</title><script>".to_owned(),
            from: 0,
            to: 1000,
            panels: vec![Panel {
                title: "</script><script>alert(1)</script>".to_owned(),
                lines: vec![Curve::new("@data@", None, line)],
            }],
        };
        let mut changes = Changes::default();
        for at in (0..).take(MOST + 1) {
            changes.push(|| Change {
                at,
                replicas: 1,
                by: "hpa",
                why: "</script>".to_owned(),
            });
        }
        let page =
            render(&picture, "", &[vec!["a".to_owned(), "<b>".to_owned()]], &changes).expect("is made");
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert_eq!(page.matches("</script>").count(), 1);
        assert!(page.contains("\"leftOut\":1"));
        assert!(
            !page.contains("http://") || page.matches("http").count() == page.matches("www.w3.org").count()
        );
    }
}
