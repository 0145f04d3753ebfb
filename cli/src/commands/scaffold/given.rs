//! What the command line gives for a new manifest: settings, and parameters of the authentication.

use std::collections::BTreeMap;
use std::path::PathBuf;

use scalers::{AuthParams, Field, Origin, OtherKeys, ScalerType, Secret};

use super::Args;
use crate::check::trigger::plausible;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::ui::prompt;

/// One parameter of the authentication.
#[derive(Clone, Debug)]
pub struct Parameter {
    name: String,
    from: ValueFrom,
}

/// Where its value comes from.
#[derive(Clone, Debug)]
enum ValueFrom {
    Flag(Secret<String>),
    File(PathBuf),
    Prompt,
}

/// Reads `SETTING=VALUE`.
pub(super) fn parse_setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be SETTING=VALUE, as in `address=127.0.0.1:6379`".to_owned()),
    }
}

/// Reads `PARAMETER`, `PARAMETER=VALUE` or `PARAMETER=@FILE`.
pub(super) fn parse_parameter(text: &str) -> Result<Parameter, String> {
    let (name, from) = match text.split_once('=') {
        None => (text, ValueFrom::Prompt),
        Some((name, value)) => match value.strip_prefix('@') {
            Some(file) => (name, ValueFrom::File(PathBuf::from(file))),
            None => (name, ValueFrom::Flag(Secret::new(value.to_owned()))),
        },
    };
    if name.is_empty() {
        return Err("must be PARAMETER, PARAMETER=VALUE or PARAMETER=@FILE".to_owned());
    }
    Ok(Parameter {
        name: name.to_owned(),
        from,
    })
}

/// What a manifest is filled with.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// What goes into the metadata: what was given, before what the example has.
    settings: BTreeMap<String, String>,
    /// What was given alone.
    set: BTreeMap<String, String>,
    /// Parameters that a Secret is to hold.
    parameters: Vec<&'static str>,
}

impl Given {
    /// Nothing but the example of the scaler type.
    pub(super) fn example(scaler: &ScalerType) -> Self {
        Self {
            settings: serde_yaml::from_str(scaler.example).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Puts the flags over the example, and checks that the scaler type knows them.
    pub(super) fn of(args: &Args, scaler: &ScalerType) -> Result<Self, Failure> {
        let mut given = Self::example(scaler);
        for (key, value) in &args.set {
            let field = setting(scaler, key)?;
            given.put(field, key, value);
            given.set.insert(key.clone(), value.clone());
        }
        for parameter in &args.auth {
            let field = from_auth(scaler, &parameter.name)?;
            given
                .settings
                .retain(|key, _| !field.names().any(|name| name == key));
            given.parameters.push(field.key);
        }
        if args.live {
            // What the example says of its own source is no setting of this one.
            let kept = |key: &String| {
                let field = scaler
                    .fields
                    .iter()
                    .find(|field| field.names().any(|name| name == key));
                field.is_some_and(Field::required)
            };
            let set = &given.set;
            given.settings.retain(|key, _| set.contains_key(key) || kept(key));
        }
        Ok(given)
    }

    /// One setting, in place of whatever other name it has in the example.
    fn put(&mut self, field: Option<&Field>, key: &str, value: &str) {
        if let Some(field) = field {
            self.settings
                .retain(|other, _| !field.names().any(|name| name == other));
        }
        self.settings.insert(key.to_owned(), value.to_owned());
    }

    /// What was chosen from what the source has.
    pub(super) fn pick(&mut self, picked: BTreeMap<&'static str, String>) {
        for (key, value) in picked {
            self.settings.insert(key.to_owned(), value);
        }
    }

    /// What goes into the metadata.
    pub(super) fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// Whether the command line gives a setting itself.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.set.contains_key(key)
    }

    /// Parameters that a Secret is to hold.
    pub(super) fn parameters(&self) -> &[&'static str] {
        &self.parameters
    }

    /// Metadata that can be read although the source has not been asked yet what it could name.
    pub(super) fn readable(&self, scaler: &ScalerType) -> BTreeMap<String, String> {
        let mut metadata = self.set.clone();
        for field in scaler.fields {
            let open = !field.metadata_keys().any(|key| metadata.contains_key(&key))
                && !self.parameters.contains(&field.key);
            if open && field.required() && field.sources.contains(&Origin::Metadata) && !field.secret {
                let example = self.settings.get(field.key).cloned();
                metadata.insert(field.key.to_owned(), example.unwrap_or_else(|| plausible(field)));
            }
        }
        metadata
    }
}

/// The setting of a key of the metadata; none where the scaler type takes any key.
fn setting<'s>(scaler: &'s ScalerType, key: &str) -> Result<Option<&'s Field>, Failure> {
    let found = scaler.fields.iter().find(|field| {
        field.metadata_keys().any(|known| known == key) || field.names().any(|name| name == key)
    });
    match found {
        Some(field) if field.secret && field.names().any(|name| name == key) => Err(Failure::new(
            exit::USAGE,
            format!("`{key}` is a credential and does not belong into a manifest"),
        )
        .help(format!(
            "give `--auth {key}`: the manifest then refers to a Secret"
        ))),
        Some(field) if !field.metadata_keys().any(|known| known == key) => Err(Failure::new(
            exit::USAGE,
            format!("`{key}` of `{}` comes from its authentication", scaler.name),
        )
        .help(format!("give `--auth {}`", field.key))),
        None if scaler.other_keys == OtherKeys::Unknown => Err(unknown(scaler, "setting", key)),
        found => Ok(found),
    }
}

fn from_auth<'s>(scaler: &'s ScalerType, name: &str) -> Result<&'s Field, Failure> {
    let mut fields = scaler
        .fields
        .iter()
        .filter(|field| field.sources.contains(&Origin::Auth));
    fields
        .find(|field| field.names().any(|known| known == name))
        .ok_or_else(|| unknown(scaler, "parameter of an authentication", name))
}

fn unknown(scaler: &ScalerType, what: &str, key: &str) -> Failure {
    Failure::new(exit::USAGE, format!("`{}` has no {what} `{key}`", scaler.name)).help(format!(
        "`kubectl keda scalers {}` lists every setting",
        scaler.name
    ))
}

/// The values of the parameters: from flags, files, or whoever sits at the terminal.
pub(super) fn credentials(parameters: &[Parameter], cx: &Context) -> Result<AuthParams, Failure> {
    let mut params = AuthParams::default();
    for Parameter { name, from } in parameters {
        let value = match from {
            ValueFrom::Flag(value) => value.clone(),
            ValueFrom::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| {
                    Failure::new(exit::USAGE, format!("cannot read {}", path.display())).because(e)
                })?;
                // A Secret made with `--from-file` would keep the line's end; a password never has one.
                Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            ValueFrom::Prompt => prompt::secret(cx.ui, name, &format!("`--auth {name}=@FILE`"))?,
        };
        params.0.insert(name.clone(), value);
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis() -> &'static ScalerType {
        let mut all = scalers::SCALERS.iter();
        all.find(|scaler| scaler.name == "redis")
            .expect("redis is a type")
    }

    #[test]
    fn a_setting_replaces_its_other_name_in_the_example() {
        let mut given = Given::example(redis());
        let field = setting(redis(), "addresses").expect("is known");
        given.put(field, "addresses", "a:1");
        assert_eq!(given.settings().get("addresses").map(String::as_str), Some("a:1"));
        assert!(!given.settings().contains_key("address"));
        assert!(given.settings().contains_key("listName"));
    }

    #[test]
    fn credentials_do_not_become_settings() {
        for (key, help) in [
            ("password", "--auth password"),
            ("ca", "--auth ca"),
            ("nothing", "lists every setting"),
        ] {
            let failure = setting(redis(), key).map(drop).expect_err(key);
            assert!(failure.helps()[0].contains(help), "{key}: {:?}", failure.helps());
        }
        assert!(setting(redis(), "passwordFromEnv").is_ok());
        assert!(from_auth(redis(), "listName").is_err());
    }

    #[test]
    fn a_value_is_never_printed() {
        let parameter = parse_parameter("password=open sesame").expect("is one");
        assert!(!format!("{parameter:?}").contains("sesame"));
        assert!(parse_parameter("=x").is_err() && parse_setting("x").is_err());
    }
}
