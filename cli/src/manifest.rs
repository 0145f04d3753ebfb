//! Manifests on disk: files, folders and standard input, split into YAML documents.

pub(crate) mod edit;
pub(crate) mod place;
pub(crate) mod schema;
pub(crate) mod tree;

use std::fs;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::exit::{self, Failure};

/// A text with manifests in it.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path as the user would name it; `-` is standard input.
    pub(crate) name: String,
    /// Its content.
    pub(crate) text: String,
}

/// One YAML document of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Where it lies in the text, without the `---` before it.
    pub(crate) range: Range<usize>,
    /// Its first line, counted from 1.
    pub(crate) line: usize,
}

/// Reads everything that the arguments name; folders are walked for `.yaml`, `.yml` and `.json`, in order of name.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Failure::new(exit::UNEXPECTED, "cannot read standard input").because(e))?;
            sources.push(Source {
                name: "-".to_owned(),
                text,
            });
        } else if path.is_dir() {
            let before = sources.len();
            read_folder(path, &mut sources)?;
            if sources.len() == before {
                return Err(
                    Failure::new(exit::USAGE, format!("no manifests in {}", path.display()))
                        .help("files that end in .yaml, .yml or .json are read"),
                );
            }
        } else {
            sources.push(read_file(path)?);
        }
    }
    Ok(sources)
}

/// Puts a text in the place of a file: all of it or nothing, and the file keeps its permissions. A link stays a link.
pub(crate) fn replace(name: &str, text: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(exit::USAGE, format!("cannot write {name}")).because(error);
    let file = fs::canonicalize(name).map_err(failed)?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut fresh = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    fresh.write_all(text.as_bytes()).map_err(failed)?;
    let permissions = fs::metadata(&file).map_err(failed)?.permissions();
    fs::set_permissions(fresh.path(), permissions).map_err(failed)?;
    fresh.as_file().sync_all().map_err(failed)?;
    fresh.persist(&file).map_err(|error| failed(error.error))?;
    Ok(())
}

fn read_folder(folder: &Path, sources: &mut Vec<Source>) -> Result<(), Failure> {
    let unreadable = |e| Failure::new(exit::USAGE, format!("cannot read {}", folder.display())).because(e);
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<_> = entries
        .map_err(unreadable)?
        .into_iter()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    for path in paths {
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let manifest = path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        if hidden {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            read_folder(&path, sources)?;
        } else if manifest && path.is_file() {
            sources.push(read_file(&path)?);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Source, Failure> {
    let name = path.display().to_string();
    match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Source { name, text }),
        Ok(Err(e)) => {
            Err(Failure::new(exit::USAGE, format!("cannot read {name}: it is not UTF-8")).because(e))
        }
        Err(e) => Err(Failure::new(exit::USAGE, format!("cannot read {name}")).because(e)),
    }
}

/// Splits a text at its `---` lines. YAML forbids such a line inside any value, so text is enough to find them.
pub(crate) fn documents(text: &str) -> Vec<Document> {
    let mut found = Vec::new();
    let mut begin = Document { range: 0..0, line: 1 };
    let mut at = 0;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let marker = ["---", "..."].into_iter().find(|marker| is_marker(line, marker));
        if marker.is_some() {
            begin.range.end = at;
            found.push(begin);
            begin = Document {
                range: at + 3..at + 3,
                line: i + 1,
            };
        }
        at += line.len();
    }
    begin.range.end = at;
    found.push(begin);
    found.retain(|document| !is_blank(&text[document.range.clone()]));
    found
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']))
}

/// Only comments and blank lines (or directives).
fn is_blank(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line.starts_with('%')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[(&str, usize)]) {
        let found: Vec<_> = documents(text)
            .into_iter()
            .map(|d| (&text[d.range], d.line))
            .collect();
        assert_eq!(found, want);
    }

    #[test]
    fn documents_are_split_at_their_markers() {
        check("a: 1\n", &[("a: 1\n", 1)]);
        check("---\na: 1\n---\nb: 2", &[("\na: 1\n", 1), ("\nb: 2", 3)]);
        check("--- {a: 1}\n...\n", &[(" {a: 1}\n", 1)]);
        check("a: |\n  ---\n  x\n", &[("a: |\n  ---\n  x\n", 1)]);
        check("# nothing\n---\n\n---   \n", &[]);
        check("", &[]);
    }
}
