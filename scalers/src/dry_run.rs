//! Asks every trigger of an object once, for people: nothing is kept, and nothing is tried twice.
//!
//! What the sources answer is shown, so it is bounded and every credential of the trigger is taken out of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use engine::diagnostic::{Diagnostic, FieldPath};
use engine::dry_run::{Asked, MetricAnswer};
use engine::metric::{MetricName, TriggerMetrics};
use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::built::{self, Built};
use crate::pool::Pool;
use crate::resolve::{ResolvedTrigger, Resolver};
use crate::{ScalerError, Secret, TriggerInput};

/// Characters of an answer that are shown.
const SHOWN: usize = 2000;
/// Credentials shorter than this are left in: taking out every `1` would leave nothing to read.
const SHORTEST: usize = 4;

/// Asks all triggers of the object at once. The values in `given` stand for those of the triggers at these positions,
/// whose sources are not asked for them.
pub async fn ask(
    pool: &Pool,
    resolver: &Resolver<'_>,
    given: &BTreeMap<usize, f64>,
    now: Timestamp,
) -> Vec<Asked> {
    let triggers = resolver.object.spec.triggers.iter().enumerate();
    join_all(triggers.map(|(index, trigger)| async move {
        let mut asked = Asked {
            index,
            type_: trigger.type_.clone(),
            name: trigger.name.clone().filter(|name| !name.is_empty()),
            endpoint: None,
            metrics: Err(String::new()),
            answers: Vec::new(),
            warnings: Vec::new(),
        };
        match resolver.input(index, trigger).await {
            Ok(found) => one(pool, &found, given.get(&index).copied(), now, &mut asked).await,
            Err(error) => asked.metrics = Err(chain(&error)),
        }
        asked
    }))
    .await
}

/// Asks one trigger.
async fn one(pool: &Pool, resolved: &ResolvedTrigger, given: Option<f64>, now: Timestamp, asked: &mut Asked) {
    let input = &resolved.input;
    asked.warnings.clone_from(&resolved.warnings);
    asked.warnings.extend(missing(resolved));
    let built = match built::read(input) {
        Ok(built) => built,
        Err(found) => {
            let (mistakes, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(Diagnostic::is_error);
            asked.warnings.extend(warnings);
            let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            asked.metrics = Err(lines.join("; "));
            return;
        }
    };
    asked.warnings.extend(built.warnings().iter().cloned());
    asked.endpoint = built.endpoint();
    asked.metrics = built.specs(pool).await.map_err(|error| error.chain());
    let names: Vec<MetricName> = match &asked.metrics {
        Err(_) => return,
        Ok(TriggerMetrics::Resource(resource)) => {
            asked.answers = given
                .map(|value| answered(&built, MetricName::new(resource.resource.as_str()), value))
                .into_iter()
                .collect();
            return;
        }
        Ok(TriggerMetrics::External(metrics)) => metrics.iter().map(|metric| metric.name.clone()).collect(),
    };
    asked.answers = match given {
        Some(value) => names
            .into_iter()
            .map(|name| answered(&built, name, value))
            .collect(),
        None => {
            join_all(
                names
                    .into_iter()
                    .map(|name| question(pool, &built, input, name, now)),
            )
            .await
        }
    };
}

/// An authentication that is not there is easily a slip in its name.
fn missing(resolved: &ResolvedTrigger) -> Option<Diagnostic> {
    let reference = resolved.missing.as_ref()?;
    let path = FieldPath::trigger(resolved.input.index)
        .field("authenticationRef")
        .field("name");
    let message = format!("{} `{}` does not exist", reference.kind(), reference.name);
    Some(Diagnostic::warning("missing-authentication", path, message))
}

/// A value that was given.
fn answered(built: &Built, metric: MetricName, value: f64) -> MetricAnswer {
    let activation = built.activation(&metric);
    MetricAnswer {
        metric,
        raw: None,
        activation,
        result: Ok((value, value > activation.unwrap_or_default())),
        given: true,
        took_ms: None,
    }
}

/// Asks for one metric.
async fn question(
    pool: &Pool,
    built: &Built,
    input: &TriggerInput,
    metric: MetricName,
    now: Timestamp,
) -> MetricAnswer {
    let begin = Instant::now();
    let looked = pool.look(built, &metric, now).await;
    let took = begin.elapsed();
    let (raw, samples) = match looked {
        Ok(look) => (look.raw, look.samples),
        Err(error) => (None, Err(error)),
    };
    let first = samples.and_then(|samples| {
        let active = samples.iter().any(|sample| sample.active == Some(true));
        let first = samples.first().ok_or_else(nothing)?;
        Ok((first.value, active))
    });
    MetricAnswer {
        activation: built.activation(&metric),
        metric,
        raw: raw.map(|raw| shown(&raw, input)),
        result: first.map_err(|error| error.chain()),
        given: false,
        took_ms: Some(took.as_secs_f64() * 1000.0),
    }
}

fn nothing() -> ScalerError {
    ScalerError::Value("the source gave no value".to_owned())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// The answer as it may be shown.
fn shown(raw: &str, input: &TriggerInput) -> String {
    let mut text = raw.to_owned();
    let mut secrets: Vec<String> = input
        .auth
        .0
        .values()
        .chain(input.env.values())
        .map(Secret::expose)
        .filter(|secret| secret.chars().count() >= SHORTEST)
        .flat_map(|secret| [secret.clone(), in_json(secret)])
        .collect();
    // The longest first: one may be part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    for secret in secrets {
        text = text.replace(&secret, "[redacted]");
    }
    let all = text.chars().count();
    if all > SHOWN {
        let mut cut: String = text.chars().take(SHOWN).collect();
        let _ = write!(cut, "… ({all} characters in all)");
        text = cut;
    }
    text
}

/// A text as it stands between the quotes of JSON.
fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> TriggerInput {
        let mut input = TriggerInput::default();
        input.auth.insert("password", "open sesame");
        input.auth.insert("tls", "1");
        input.env.insert("TOKEN".to_owned(), "sesame".into());
        input
    }

    #[test]
    fn an_answer_never_shows_a_credential() {
        let raw = r#"{"you": "open sesame", "token": "sesame", "value": 11}"#;
        let want = r#"{"you": "[redacted]", "token": "[redacted]", "value": 11}"#;
        assert_eq!(shown(raw, &input()), want);
    }

    #[test]
    fn a_credential_is_known_between_the_quotes_of_json() {
        let mut input = input();
        input.auth.insert("key", "-----BEGIN\n\"sesame\"\\");
        let raw = serde_json::json!({ "you": "-----BEGIN\n\"sesame\"\\" }).to_string();
        assert_eq!(shown(&raw, &input), r#"{"you":"[redacted]"}"#);
        assert_eq!(shown("-----BEGIN\n\"sesame\"\\", &input), "[redacted]");
    }

    #[test]
    fn a_long_answer_is_cut() {
        let text = shown(&"ä".repeat(3 * SHOWN), &input());
        assert!(text.ends_with("… (6000 characters in all)"), "{text}");
        assert!(text.chars().count() < SHOWN + 40);
        assert_eq!(shown("37", &input()), "37");
    }
}
