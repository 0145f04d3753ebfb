//! One page of documentation for every scaler type, generated from the catalog.

use std::fmt::Write as _;

use crate::catalog::SCALERS;
use crate::metadata::{Field, Kind, Origin};
use crate::scaler::{OtherKeys, ScalerType};

/// The pages as `(file name, text)`; they live in `scalers/docs`.
pub fn docs() -> Vec<(String, String)> {
    let pages = SCALERS
        .iter()
        .map(|scaler| (format!("{}.md", scaler.name), page(scaler)));
    pages.chain([("README.md".to_owned(), index())]).collect()
}

const NOTICE: &str = "<!-- Generated from the catalog of scalers by `cargo xtask gen`. -->\n\n";

fn index() -> String {
    let mut text = format!("{NOTICE}# Scalers\n\n| type | scales on |\n| --- | --- |\n");
    for scaler in SCALERS {
        let _ = writeln!(text, "| [{0}]({0}.md) | {1} |", scaler.name, scaler.summary);
    }
    text
}

fn page(scaler: &ScalerType) -> String {
    let mut text = format!("{NOTICE}# {}\n\n{}.\n\n", scaler.name, scaler.summary);
    let _ = write!(
        text,
        "```yaml\ntriggers:\n  - type: {}\n    metadata: {}\n",
        scaler.name, scaler.example
    );
    if scaler.measured {
        text.push_str("    metricType: Utilization\n");
    }
    text.push_str("```\n\n");
    if !scaler.notes.is_empty() {
        let _ = write!(text, "{}\n\n", scaler.notes);
    }
    text.push_str("## Settings\n\n| setting | from | value | default | |\n| --- | --- | --- | --- | --- |\n");
    for field in scaler.fields.iter().filter(|field| field.removed.is_none()) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            names(field),
            sources(field),
            value(field.kind),
            default(field),
            field.doc.replace('\n', " ").replace('|', "\\|"),
        );
    }
    let removed: Vec<&Field> = scaler
        .fields
        .iter()
        .filter(|field| field.removed.is_some())
        .collect();
    if !removed.is_empty() {
        text.push_str("\nRemoved:\n\n");
        for field in removed {
            let _ = writeln!(text, "- `{}`: {}", field.key, field.removed.unwrap_or_default());
        }
    }
    text.push_str("\nThe places are looked through in the order they stand");
    if scaler
        .fields
        .iter()
        .any(|field| field.sources.contains(&Origin::Env))
    {
        text.push_str(
            "; *environment* means the key with `FromEnv` at its end, whose value names a variable of the container",
        );
    }
    text.push_str(".\n");
    if scaler.other_keys == OtherKeys::PassedOn {
        text.push_str("\nEvery other key is passed on to the scaler.\n");
    }
    text
}

fn names(field: &Field) -> String {
    field
        .names()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn sources(field: &Field) -> String {
    let place = |source: &Origin| match source {
        Origin::Metadata => "metadata",
        Origin::Env => "environment",
        Origin::Auth => "authentication",
    };
    field.sources.iter().map(place).collect::<Vec<_>>().join(", ")
}

fn value(kind: Kind) -> String {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Integer => "whole number".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Duration => "duration, or whole milliseconds".to_owned(),
        Kind::OneOf(known) => words(known),
        Kind::List => "texts between commas".to_owned(),
        Kind::ListOf(known) => format!("any of {} between commas", words(known)),
        Kind::Integers => "whole numbers and ranges between commas".to_owned(),
        Kind::Map => "`key=value` pairs between commas".to_owned(),
        Kind::UrlQuery => "pairs as in the query of a URL".to_owned(),
    }
}

fn default(field: &Field) -> String {
    match field.default {
        Some("") => String::new(),
        Some(text) => format!("`{text}`"),
        None if field.target => "required, unless it only feeds a formula".to_owned(),
        None if field.required() => "required".to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `KEDA_GEN=write`, as `cargo xtask gen` sets it, writes the pages in place of comparing them.
    #[test]
    fn generated_pages_are_up_to_date() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let write = std::env::var_os("KEDA_GEN").is_some_and(|mode| mode == "write");
        for (name, text) in docs() {
            let path = folder.join(&name);
            if write {
                std::fs::create_dir_all(&folder).expect("a folder");
                std::fs::write(&path, &text).expect("a page");
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                stored == text,
                "scalers/docs/{name} changed, run `cargo xtask gen`"
            );
        }
        let stored = std::fs::read_dir(&folder).expect("the folder").count();
        assert_eq!(stored, docs().len(), "scalers/docs holds a page of no scaler");
    }
}
