//! `kubectl keda scalers`: the scaler types, or the settings of one.

use std::fmt::Write as _;

use scalers::{Field, Kind, Origin, SCALERS, ScalerType};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::{self, Failure};
use crate::output::{ListOutputArgs, Output};
use crate::ui::{table, wrap};

/// Columns of running text.
const WIDTH: usize = 100;

/// Arguments of `scalers`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda scalers
  kubectl keda scalers redis
  kubectl keda scalers redis -o jsonpath='{.settings[?(@.required==true)].name}'")]
pub struct Args {
    /// Scaler type whose settings to list
    #[arg(value_name = "TYPE")]
    pub type_: Option<String>,
    /// How to print the answer
    #[command(flatten)]
    pub output: ListOutputArgs,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let text = match &args.type_ {
        None => {
            let all: Vec<Value> = SCALERS.iter().map(|scaler| describe(scaler)).collect();
            args.output
                .form
                .render(&json!({"scalers": all}))?
                .unwrap_or_else(|| list(&args.output.form))
        }
        Some(name) => {
            let scaler = find(name)?;
            args.output
                .form
                .render(&describe(scaler))?
                .unwrap_or_else(|| settings(scaler, &args.output.form))
        }
    };
    cx.ui.data(&text)?;
    Ok(exit::OK)
}

/// The scaler type of a name.
pub(crate) fn find(name: &str) -> Result<&'static ScalerType, Failure> {
    SCALERS
        .iter()
        .copied()
        .find(|scaler| scaler.name == name)
        .ok_or_else(|| {
            let failure = Failure::new(exit::USAGE, format!("there is no scaler type `{name}`"));
            let likeness = |scaler: &&&ScalerType| (strsim::jaro_winkler(name, scaler.name) * 1000.0) as i64;
            let nearest = SCALERS
                .iter()
                .max_by_key(likeness)
                .filter(|scaler| likeness(scaler) > 800);
            let failure = match nearest {
                Some(scaler) => failure.help(format!("did you mean `{}`?", scaler.name)),
                None => failure,
            };
            failure.help("`kubectl keda scalers` lists every type of this version")
        })
}

fn list(output: &Output) -> String {
    if *output == Output::Name {
        return SCALERS.iter().flat_map(|scaler| [scaler.name, "\n"]).collect();
    }
    let rows: Vec<Vec<&str>> = SCALERS
        .iter()
        .map(|scaler| vec![scaler.name, scaler.summary])
        .collect();
    table::render(&["TYPE", "SCALES ON"], &rows)
}

fn settings(scaler: &ScalerType, output: &Output) -> String {
    if *output == Output::Name {
        return scaler.fields.iter().flat_map(|field| [field.key, "\n"]).collect();
    }
    let row = |field: &Field| {
        let mut row = vec![
            field.key.to_owned(),
            sources(field),
            kind(field.kind),
            default(field),
        ];
        row.push(if *output == Output::Wide {
            field.doc.to_owned()
        } else {
            first_sentence(field.doc)
        });
        row
    };
    let rows: Vec<Vec<String>> = scaler.fields.iter().map(row).collect();
    let mut text = format!("{}: {}\n\n", scaler.name, scaler.summary);
    text.push_str(&table::render(
        &["SETTING", "FROM", "VALUE", "DEFAULT", "MEANING"],
        &rows,
    ));
    if !scaler.notes.is_empty() {
        let _ = writeln!(text, "\n{}", wrap(scaler.notes, WIDTH).join("\n"));
    }
    let _ = writeln!(text, "\nExample: {}", scaler.example);
    text
}

/// Where the value may come from: `metadata`, `env` (the key with `FromEnv`), `auth` (a TriggerAuthentication).
fn sources(field: &Field) -> String {
    let word = |origin: &Origin| match origin {
        Origin::Metadata => "metadata",
        Origin::Env => "env",
        Origin::Auth => "auth",
    };
    field.sources.iter().map(word).collect::<Vec<_>>().join(",")
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Flag => "true|false".to_owned(),
        Kind::Integer => "integer".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::OneOf(words) => words.join("|"),
        Kind::List => "a,b,…".to_owned(),
        Kind::ListOf(words) => format!("{},…", words.join("|")),
        Kind::Integers => "1,2,…".to_owned(),
        Kind::Map => "key=value,…".to_owned(),
        Kind::UrlQuery => "key=value&…".to_owned(),
    }
}

fn default(field: &Field) -> String {
    match field.default {
        _ if field.removed.is_some() => "(removed)".to_owned(),
        Some(text) => text.to_owned(),
        None if field.required() => "(required)".to_owned(),
        None => String::new(),
    }
}

fn first_sentence(doc: &str) -> String {
    doc.find(". ").map_or(doc, |end| &doc[..=end]).to_owned()
}

fn describe(scaler: &ScalerType) -> Value {
    let setting = |field: &Field| {
        json!({
            "name": field.key,
            "aliases": field.aliases,
            "from": sources(field).split(',').collect::<Vec<_>>(),
            "value": kind(field.kind),
            "default": field.default,
            "required": field.required(),
            "secret": field.secret,
            "removed": field.removed,
            "deprecated": field.deprecated,
            "description": field.doc,
        })
    };
    json!({
        "name": scaler.name,
        "summary": scaler.summary,
        "example": scaler.example,
        "push": scaler.push,
        "notes": scaler.notes,
        "settings": scaler.fields.iter().map(setting).collect::<Vec<_>>(),
    })
}
