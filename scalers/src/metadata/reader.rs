//! Looks settings up in a trigger and collects every mistake.

use engine::diagnostic::{Diagnostic, FieldPath};

use super::{Field, Origin, Value};
use crate::TriggerInput;

/// Reads the settings of one trigger. Mistakes are collected, never returned early.
#[derive(Debug)]
pub struct Reader<'a> {
    input: &'a TriggerInput,
    diagnostics: Vec<Diagnostic>,
}

/// A text that was found, and where.
struct Found<'a> {
    text: &'a str,
    origin: Origin,
    name: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader of one trigger.
    pub fn new(input: &'a TriggerInput) -> Self {
        Self {
            input,
            diagnostics: Vec::new(),
        }
    }

    /// The trigger that is read.
    pub fn input(&self) -> &'a TriggerInput {
        self.input
    }

    /// Everything that was found wrong.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// Whether a mistake was found that the trigger cannot work with.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Adds a finding of the framework.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reads one setting; `None` means that a mistake was reported.
    ///
    /// Upstream: `configParamValue` and `setValue` in `typed_config.go`; facts semantics §11.
    pub fn value<T: Value>(&mut self, field: &Field) -> Option<T> {
        let Some(found) = self.find(field) else {
            return self.absent(field);
        };
        if let Some(instead) = field.removed {
            let message = format!("`{}` was removed", found.name);
            let finding = Diagnostic::error("removed-metadata-key", self.place(&found), message);
            self.push(finding.with_help(instead));
            return None;
        }
        if let Some(instead) = field.deprecated {
            let message = format!("`{}` is deprecated", found.name);
            let finding = Diagnostic::warning("deprecated-metadata-key", self.place(&found), message);
            self.push(finding.with_help(instead));
        }
        let parsed = exclusive(field, found.text).and_then(|()| T::parse(found.text));
        match parsed {
            Ok(value) if field.target && value.is_zero() => {
                if self.input.as_metric_source {
                    return Some(value);
                }
                let message = format!("`{}` must not be 0", found.name);
                self.push(Diagnostic::error(
                    "missing-metadata-key",
                    self.place(&found),
                    message,
                ));
                None
            }
            Ok(value) => Some(value),
            Err(rule) => {
                let printable = found.origin == Origin::Metadata && !T::SECRET;
                let given = if printable {
                    format!(", not `{}`", found.text)
                } else {
                    String::new()
                };
                let message = format!("`{}` {rule}{given}", found.name);
                self.push(Diagnostic::error(
                    "bad-metadata-value",
                    self.place(&found),
                    message,
                ));
                None
            }
        }
    }

    /// Reports a mistake in how settings go together, at the key that is most to blame.
    pub fn error(&mut self, key: &str, message: impl Into<String>) {
        let path = self.blame(key);
        self.push(Diagnostic::error("bad-metadata-value", path, message));
    }

    /// Reports that a setting is missing under a condition that the declaration cannot express.
    pub fn missing(&mut self, key: &str, message: impl Into<String>) {
        let path = self.blame(key);
        self.push(Diagnostic::error("missing-metadata-key", path, message));
    }

    /// Reports something that works, yet probably not as meant.
    pub fn warning(&mut self, key: &str, message: impl Into<String>) {
        let path = self.blame(key);
        self.push(Diagnostic::warning("suspicious-metadata-value", path, message));
    }

    /// The first source that has a text which is not blank, names in order within a source.
    fn find(&self, field: &Field) -> Option<Found<'a>> {
        for origin in field.sources {
            for name in field.names() {
                let text = match origin {
                    Origin::Metadata => self.input.metadata.get(name).map(String::as_str),
                    Origin::Env => self.variable(name),
                    Origin::Auth => self.input.auth.get(name),
                };
                if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
                    return Some(Found {
                        text,
                        origin: *origin,
                        name,
                    });
                }
            }
        }
        None
    }

    fn variable(&self, name: &str) -> Option<&'a str> {
        let variable = self.input.metadata.get(&format!("{name}FromEnv"))?;
        self.input.env.get(variable).map(|value| value.expose().as_str())
    }

    fn absent<T: Value>(&mut self, field: &Field) -> Option<T> {
        let default = field
            .default
            .or_else(|| (field.target && self.input.as_metric_source).then_some("0"));
        if let Some(text) = default {
            return Some(T::parse(text).expect("the conformance test reads every default"));
        }
        if let Some(value) = T::absent() {
            return Some(value);
        }
        let key = field.key;
        let finding = match self.unset_variable(field) {
            Some((name, variable)) => {
                let path = self.metadata(&format!("{name}FromEnv"));
                let message =
                    format!("missing `{key}`: the container has no variable `{variable}`, or it is empty");
                Diagnostic::error("missing-metadata-key", path, message)
            }
            None if field.sources == [Origin::Auth] => {
                let path = FieldPath::trigger(self.input.index).field("authenticationRef");
                let message = format!("missing parameter `{key}` from a TriggerAuthentication");
                Diagnostic::error("missing-auth-parameter", path, message)
            }
            None => Diagnostic::error(
                "missing-metadata-key",
                self.metadata(key),
                format!("missing `{key}`"),
            ),
        };
        self.push(finding);
        None
    }

    /// The `…FromEnv` key that was given for a setting, and the variable it names.
    fn unset_variable(&self, field: &Field) -> Option<(&'static str, &'a str)> {
        if !field.sources.contains(&Origin::Env) {
            return None;
        }
        field.names().find_map(|name| {
            let variable = self.input.metadata.get(&format!("{name}FromEnv"))?;
            Some((name, variable.as_str()))
        })
    }

    fn place(&self, found: &Found<'_>) -> FieldPath {
        match found.origin {
            Origin::Metadata => self.metadata(found.name),
            Origin::Env => self.metadata(&format!("{}FromEnv", found.name)),
            Origin::Auth => FieldPath::trigger(self.input.index).field("authenticationRef"),
        }
    }

    fn metadata(&self, key: &str) -> FieldPath {
        FieldPath::trigger(self.input.index).field("metadata").field(key)
    }

    /// Where a setting was given: the metadata, an environment variable, or the authentication.
    fn blame(&self, key: &str) -> FieldPath {
        let env = format!("{key}FromEnv");
        if !self.input.metadata.contains_key(key) {
            if self.input.metadata.contains_key(&env) {
                return self.metadata(&env);
            }
            if self.input.auth.get(key).is_some() {
                return FieldPath::trigger(self.input.index).field("authenticationRef");
            }
        }
        self.metadata(key)
    }
}

/// Whether a list holds at most one of the elements that exclude each other.
fn exclusive(field: &Field, text: &str) -> Result<(), String> {
    let given: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|element| field.exclusive.contains(element))
        .collect();
    match given.as_slice() {
        [] | [_] => Ok(()),
        [first, rest @ ..] if rest.iter().all(|other| other == first) => Ok(()),
        several => Err(format!("must hold only one of `{}`", several.join("`, `"))),
    }
}

/// Warnings for keys that no setting reads, with the nearest one that exists.
///
/// DEVIATION: upstream reports them only with `KEDA_CHECK_UNEXPECTED_SCALERS_PARAMS=enabled`; a warning changes nothing.
pub(crate) fn unknown_keys(input: &TriggerInput, scaler: &str, fields: &[Field]) -> Vec<Diagnostic> {
    let known: Vec<String> = fields.iter().flat_map(Field::metadata_keys).collect();
    let mut warnings = Vec::new();
    for key in input.metadata.keys().filter(|key| !known.contains(key)) {
        let path = FieldPath::trigger(input.index).field("metadata").field(key);
        let finding = Diagnostic::warning(
            "unknown-metadata-key",
            path,
            format!("`{scaler}` has no setting `{key}`"),
        );
        warnings.push(finding.with_help(advice(key, scaler, fields, &known)));
    }
    warnings
}

fn advice(key: &str, scaler: &str, fields: &[Field], known: &[String]) -> String {
    let plain = key.strip_suffix("FromEnv").unwrap_or(key);
    if let Some(field) = fields
        .iter()
        .find(|field| field.names().any(|name| name == plain))
    {
        let places: Vec<&str> = field
            .sources
            .iter()
            .map(|source| match source {
                Origin::Metadata => "the metadata",
                Origin::Env => "the environment",
                Origin::Auth => "a TriggerAuthentication",
            })
            .collect();
        return format!("`{plain}` is read from {} only", places.join(" and "));
    }
    let nearest = known.iter().map(|known| {
        (
            strsim::jaro_winkler(&key.to_lowercase(), &known.to_lowercase()),
            known,
        )
    });
    match nearest.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, known)) if likeness > 0.85 => format!("did you mean `{known}`?"),
        _ => format!("`kubectl keda scalers {scaler}` lists every setting"),
    }
}
