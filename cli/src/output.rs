//! `-o`: how an answer is printed.

use std::str::FromStr;

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

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "table" | "" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "name" => Ok(Self::Name),
            _ => match text.strip_prefix("jsonpath=") {
                Some(template) if !template.is_empty() => Ok(Self::JsonPath(template.to_owned())),
                Some(_) => Err("needs a template, as in `jsonpath={.items[*].metadata.name}`".to_owned()),
                None => Err("must be one of table, wide, json, yaml, name, jsonpath=TEMPLATE".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_forms_are_spelled_as_kubectl_spells_them() {
        assert_eq!("wide".parse(), Ok(Output::Wide));
        assert_eq!("jsonpath={.a}".parse(), Ok(Output::JsonPath("{.a}".to_owned())));
        assert!("jsonpath=".parse::<Output>().is_err());
        assert!("csv".parse::<Output>().is_err());
    }
}
