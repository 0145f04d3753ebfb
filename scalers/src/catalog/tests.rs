//! What every entry of the catalog must keep to.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::metadata::{Field, Kind, Origin};
use crate::scaler::OtherKeys;
use crate::{AuthParams, Secret, read};

/// The example of an entry as a trigger.
fn example(scaler: &ScalerType) -> TriggerInput {
    TriggerInput {
        type_: scaler.name.to_owned(),
        metadata: serde_yaml::from_str(scaler.example).expect("a mapping of texts"),
        metric_type: scaler.measured.then(|| "Utilization".to_owned()),
        ..TriggerInput::default()
    }
}

#[test]
fn entries_are_sorted_and_unique() {
    let names: Vec<&str> = SCALERS.iter().map(|scaler| scaler.name).collect();
    let sorted: Vec<&str> = names
        .iter()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(names, sorted);
    assert!(
        LATER.iter().all(|later| !names.contains(later)),
        "a type is here, and said to come later"
    );
}

#[test]
fn examples_are_read_without_a_finding() {
    for scaler in SCALERS {
        let built = read(&example(scaler)).unwrap_or_else(|findings| panic!("{}: {findings:?}", scaler.name));
        assert_eq!(built.warnings(), [], "{}", scaler.name);
        assert_eq!(built.scaler().name, scaler.name);
    }
}

#[test]
fn settings_are_declared_once_and_documented() {
    for scaler in SCALERS {
        let mut seen = BTreeSet::new();
        for field in scaler.fields {
            for name in field.names() {
                assert!(seen.insert(name), "{}: `{name}` twice", scaler.name);
            }
            assert!(
                !field.sources.is_empty(),
                "{}: `{}` comes from nowhere",
                scaler.name,
                field.key
            );
            assert!(
                field.doc.ends_with('.'),
                "{}: `{}` needs a whole sentence",
                scaler.name,
                field.key
            );
            assert!(
                !(field.target && field.default.is_some()),
                "{}: `{}`",
                scaler.name,
                field.key
            );
        }
        assert!(!scaler.summary.ends_with('.'), "{}", scaler.name);
    }
}

/// A text that a setting of a kind takes.
fn fitting(field: &Field) -> String {
    match field.kind {
        Kind::Flag => "true".to_owned(),
        Kind::Integer | Kind::Number | Kind::Duration | Kind::Integers => "7".to_owned(),
        Kind::OneOf(words) | Kind::ListOf(words) => words[0].to_owned(),
        Kind::Map | Kind::UrlQuery => "a=hush-hush".to_owned(),
        Kind::Text | Kind::List => "hush-hush".to_owned(),
    }
}

#[test]
fn secrets_are_never_printed() {
    for scaler in SCALERS {
        let mut input = example(scaler);
        for field in scaler.fields.iter().filter(|field| field.removed.is_none()) {
            if field.secret {
                let origin = *field.sources.last().expect("a source");
                give(&mut input, field, origin, &fitting(field));
            }
        }
        // Not all can stand together: then it is the findings that must not quote them.
        let printed = match read(&input) {
            Ok(built) => format!("{input:?} {built:?}"),
            Err(findings) => format!("{input:?} {findings:?}"),
        };
        assert!(!printed.contains("hush-hush"), "{}: {printed}", scaler.name);
    }
}

fn give(input: &mut TriggerInput, field: &Field, origin: Origin, text: &str) {
    match origin {
        Origin::Metadata => {
            input.metadata.insert(field.key.to_owned(), text.to_owned());
        }
        Origin::Env => {
            let variable = format!("V_{}", field.key);
            input
                .metadata
                .insert(format!("{}FromEnv", field.key), variable.clone());
            input.env.insert(variable, Secret::from(text));
        }
        Origin::Auth => input.auth.insert(field.key, text),
    }
}

/// Every setting is taken from the first place that has it, and the ones before come first.
#[test]
fn places_are_looked_through_in_order() {
    for scaler in SCALERS {
        for field in scaler
            .fields
            .iter()
            .filter(|field| field.kind == Kind::Integer && field.removed.is_none())
        {
            for origin in field.sources {
                let mut input = example(scaler);
                input.metadata.remove(field.key);
                give(&mut input, field, *origin, "seven");
                let findings = read(&input).expect_err(field.key);
                assert!(
                    findings
                        .iter()
                        .any(|finding| finding.code == "bad-metadata-value"),
                    "{findings:?}"
                );
            }
        }
    }
}

#[test]
fn unknown_keys_are_found_with_the_nearest_name() {
    let mut input = example(&redis::REDIS);
    input.metadata.insert("listLenght".to_owned(), "5".to_owned());
    input.metadata.insert("colour".to_owned(), "green".to_owned());
    input
        .metadata
        .insert("listNameFromEnv".to_owned(), "V".to_owned());
    let built = read(&input).expect("warnings only");
    let said: Vec<String> = built
        .warnings()
        .iter()
        .map(|finding| {
            format!(
                "{} {finding} | {}",
                finding.code,
                finding.help.as_deref().unwrap_or_default()
            )
        })
        .collect();
    insta::assert_debug_snapshot!(said, @r#"
    [
        "unknown-metadata-key spec.triggers[0].metadata.colour: `redis` has no setting `colour` | `kubectl keda scalers redis` lists every setting",
        "unknown-metadata-key spec.triggers[0].metadata.listLenght: `redis` has no setting `listLenght` | did you mean `listLength`?",
        "unknown-metadata-key spec.triggers[0].metadata.listNameFromEnv: `redis` has no setting `listNameFromEnv` | `listName` is read from the metadata only",
    ]
    "#);
}

#[test]
fn every_mistake_is_reported_at_once() {
    let settings = [
        ("listLength", "many"),
        ("databaseIndex", "1.5"),
        ("enableTLS", "yes"),
        ("passwordFromEnv", "V"),
    ];
    let input = TriggerInput {
        type_: "redis".to_owned(),
        index: 3,
        metadata: settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        metric_type: Some("Utilization".to_owned()),
        ..TriggerInput::default()
    };
    let said: Vec<String> = read(&input)
        .expect_err("mistakes")
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_debug_snapshot!(said, @r#"
    [
        "spec.triggers[3].metadata.listName: missing `listName`",
        "spec.triggers[3].metadata.listLength: `listLength` must be a whole number, not `many`",
        "spec.triggers[3].metadata.databaseIndex: `databaseIndex` must be a whole number, not `1.5`",
        "spec.triggers[3].metadata.enableTLS: `enableTLS` must be `true` or `false`, not `yes`",
        "spec.triggers[3].metricType: error getting scaler metric type: 'Utilization' metric type is unsupported for external metrics, allowed values are 'Value' or 'AverageValue'",
    ]
    "#);
}

#[test]
fn a_type_that_is_not_here_says_what_to_do() {
    let help = |type_: &str| {
        let findings = read(&TriggerInput {
            type_: type_.to_owned(),
            ..TriggerInput::default()
        })
        .expect_err(type_);
        assert_eq!(findings[0].message, format!("no scaler found for type: {type_}"));
        findings[0].help.clone().unwrap_or_default()
    };
    assert_eq!(help("pulsar"), "`pulsar` is not in this version yet");
    assert_eq!(help("reddis"), "did you mean `redis`?");
    assert_eq!(
        help("stan"),
        "`stan` was removed in KEDA 2.19; use `nats-jetstream`"
    );
    assert_eq!(help("xyzzy"), "`kubectl keda scalers` lists every type");
}

#[test]
fn values_of_secrets_and_variables_are_not_quoted() {
    let mut input = example(&metrics_api::METRICS_API);
    input.auth.insert("method", "hush-hush");
    let findings = read(&input).expect_err("no such method");
    assert_eq!(
        findings[0].to_string(),
        "spec.triggers[0].authenticationRef: `method` must be one of `header` `query`"
    );
}

/// Texts of every sort, the ones that settings take among them.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,20}",
        "[0-9.,:/*-]{0,12}",
        Just("true".to_owned()),
        Just("apiKey,bearer".to_owned()),
        Just("host:6379".to_owned()),
        Just("* * * * *".to_owned()),
    ]
}

proptest! {
    #[test]
    fn reading_never_panics(
        which in 0..SCALERS.len(),
        given in prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize, text()), 0..12),
        metric_type in prop::option::of(text()),
        as_metric_source in any::<bool>(),
    ) {
        let scaler = SCALERS[which];
        let mut input = TriggerInput {
            type_: scaler.name.to_owned(),
            metadata: BTreeMap::new(),
            auth: AuthParams::default(),
            metric_type,
            as_metric_source,
            ..TriggerInput::default()
        };
        for (field, origin, text) in &given {
            let origin = [Origin::Metadata, Origin::Env, Origin::Auth][*origin];
            give(&mut input, field.get(scaler.fields), origin, text);
        }
        match read(&input) {
            Ok(built) => {
                let _ = built.metrics();
                prop_assert!(built.warnings().iter().all(|warning| !warning.is_error()));
            }
            Err(findings) => prop_assert!(findings.iter().any(Diagnostic::is_error)),
        }
        prop_assert!(scaler.other_keys == OtherKeys::PassedOn || !scaler.push);
    }
}
