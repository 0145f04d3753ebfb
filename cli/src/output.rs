//! `-o`: how an answer is printed.

use std::str::FromStr;

use schemars::JsonSchema;
use serde_json::Value;

use crate::exit::{self, Failure};
use crate::jsonpath::Template;

/// The flag of verbs whose answer is one thing, for people or for machines.
#[derive(Clone, Debug, clap::Args)]
pub struct OutputArgs {
    /// How to print it: table, json, yaml or jsonpath=TEMPLATE
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORM",
        default_value = "table",
        hide_default_value = true,
        value_parser = of_one
    )]
    pub form: Output,
}

/// The flag of verbs whose answer is a list, for people or for machines.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOutputArgs {
    /// How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORM",
        default_value = "table",
        hide_default_value = true
    )]
    pub form: Output,
}

/// A form of output, as kubectl spells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Columns for people.
    #[default]
    Table,
    /// More columns for people.
    Wide,
    /// JSON, as the API server and the controller said it.
    Json,
    /// The same as YAML.
    Yaml,
    /// `resource/name` lines.
    Name,
    /// A kubectl `JSONPath` template over the JSON form.
    JsonPath(String),
}

/// The forms of an answer that is one thing, and those of a list.
const OF_ONE: [&str; 3] = ["table", "json", "yaml"];
const OF_LIST: [&str; 5] = ["table", "wide", "json", "yaml", "name"];

fn of_one(text: &str) -> Result<Output, String> {
    among(&OF_ONE, text)
}

fn among(forms: &[&str], text: &str) -> Result<Output, String> {
    match text {
        "" => Ok(Output::Table),
        _ if forms.contains(&text) => Ok(match text {
            "wide" => Output::Wide,
            "json" => Output::Json,
            "yaml" => Output::Yaml,
            "name" => Output::Name,
            _ => Output::Table,
        }),
        _ => match text.strip_prefix("jsonpath=") {
            Some("") => Err("needs a template, as in `jsonpath={.items[*].metadata.name}`".to_owned()),
            Some(template) => match Template::parse(template) {
                Ok(_) => Ok(Output::JsonPath(template.to_owned())),
                Err(e) => Err(format!("cannot read the template: {e}")),
            },
            None => Err(format!("must be one of {}, jsonpath=TEMPLATE", forms.join(", "))),
        },
    }
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        among(&OF_LIST, text)
    }
}

impl Output {
    /// The value in a form for machines, or `None` where a form for people was asked for.
    pub(crate) fn render(&self, value: &Value) -> Result<Option<String>, Failure> {
        let unprintable = |e: Box<dyn std::error::Error + Send + Sync>| {
            Failure::new(exit::UNEXPECTED, "cannot print the answer").because(e)
        };
        match self {
            Self::Table | Self::Wide | Self::Name => Ok(None),
            Self::Json => {
                let mut text = serde_json::to_string_pretty(value).map_err(|e| unprintable(e.into()))?;
                text.push('\n');
                Ok(Some(text))
            }
            Self::Yaml => serde_yaml::to_string(value)
                .map(Some)
                .map_err(|e| unprintable(e.into())),
            Self::JsonPath(template) => {
                let failed =
                    |e| Failure::new(exit::CHECK_FAILED, format!("cannot evaluate `{template}`")).because(e);
                Template::parse(template)
                    .and_then(|template| template.render(value))
                    .map(Some)
                    .map_err(failed)
            }
        }
    }
}

/// The JSON schema of an answer, as it is published.
pub(crate) fn schema<T: JsonSchema>(title: &str) -> String {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_forms_are_spelled_as_kubectl_spells_them() {
        assert_eq!("wide".parse(), Ok(Output::Wide));
        assert_eq!("jsonpath={.a}".parse(), Ok(Output::JsonPath("{.a}".to_owned())));
        assert!("jsonpath=".parse::<Output>().is_err());
        assert!("jsonpath={.a".parse::<Output>().is_err());
        assert!("csv".parse::<Output>().is_err());
        assert_eq!(of_one("yaml"), Ok(Output::Yaml));
        assert!(of_one("wide").is_err() && of_one("name").is_err());
    }

    #[test]
    fn machines_get_all_of_it() {
        let value = serde_json::json!({"a": [1, "x"]});
        assert_eq!(
            Output::Yaml.render(&value).expect("prints").as_deref(),
            Some("a:\n- 1\n- x\n")
        );
        assert_eq!(
            Output::JsonPath("{.a[1]}".into())
                .render(&value)
                .expect("prints")
                .as_deref(),
            Some("x")
        );
        assert_eq!(Output::Table.render(&value).expect("prints"), None);
    }
}
