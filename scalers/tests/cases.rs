//! Trigger configurations with the verdict, metric name and target that KEDA's own parser gave.

use std::collections::BTreeMap;

use engine::diagnostic::{Diagnostic, Segment};
use engine::metric::{MetricTarget, TriggerMetrics};
use engine::quantity::Quantity;
use scalers::{AuthParams, TriggerInput};
use serde::Deserialize;

const CASES: &str = include_str!("cases.jsonl");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    id: String,
    scaler: String,
    trigger_index: usize,
    metadata: BTreeMap<String, String>,
    auth_params: BTreeMap<String, String>,
    resolved_env: BTreeMap<String, String>,
    #[serde(default)]
    metric_type: Option<String>,
    #[serde(default)]
    as_metric_source: bool,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pod_identity: Option<crds::PodIdentity>,
    about: String,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    verdict: String,
    parameter: Option<String>,
    #[serde(default)]
    accepted_parameters: Vec<String>,
    metric_name: Option<String>,
    target_type: Option<String>,
    target_value: Option<String>,
    resource: Option<String>,
    container: Option<String>,
}

/// A certificate authority and a pair it signed, made for this run.
struct Certificates {
    ca: String,
    certificate: String,
    key: String,
}

impl Certificates {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        Self {
            ca: certificate.clone(),
            certificate,
            key,
        }
    }

    fn fill(&self, text: &str) -> String {
        let text = text.replace("@TEST_CA@", &self.ca);
        text.replace("@TEST_CERT@", &self.certificate)
            .replace("@TEST_KEY@", &self.key)
    }
}

fn input(case: &Case, certificates: &Certificates) -> TriggerInput {
    let mut auth = AuthParams::default();
    for (parameter, value) in &case.auth_params {
        auth.insert(parameter, certificates.fill(value));
    }
    TriggerInput {
        type_: case.scaler.clone(),
        index: case.trigger_index,
        metadata: case
            .metadata
            .iter()
            .map(|(key, value)| (key.clone(), certificates.fill(value)))
            .collect(),
        env: case
            .resolved_env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect(),
        auth,
        metric_type: case.metric_type.clone(),
        as_metric_source: case.as_metric_source,
        identity: case.pod_identity.clone(),
        object: scalers::ObjectKey {
            namespace: case.namespace.clone(),
            name: "so".to_owned(),
        },
        ..TriggerInput::default()
    }
}

/// Whether a finding speaks of a parameter: by its path, or by naming it.
fn names(diagnostic: &Diagnostic, parameter: &str) -> bool {
    let last = diagnostic.path.segments().last();
    let at = matches!(last, Some(Segment::Field(key)) if key == parameter || *key == format!("{parameter}FromEnv"));
    at || diagnostic.message.contains(&format!("`{parameter}`"))
}

fn check(case: &Case, certificates: &Certificates) -> Result<(), String> {
    let expected = &case.expect;
    match (
        scalers::read(&input(case, certificates)),
        expected.verdict.as_str(),
    ) {
        (Ok(built), "ok") => match built.metrics() {
            Some(metrics) => same_metrics(&metrics, expected),
            None if expected.metric_name.is_none() => Ok(()),
            None => Err("the metrics are not known".to_owned()),
        },
        (Err(findings), "error") => {
            let mut accepted = expected.accepted_parameters.clone();
            accepted.extend(expected.parameter.clone());
            let errors: Vec<&Diagnostic> = findings.iter().filter(|finding| finding.is_error()).collect();
            let named = errors
                .iter()
                .any(|error| accepted.iter().any(|parameter| names(error, parameter)));
            if named {
                Ok(())
            } else {
                Err(format!("wanted an error about {accepted:?}, got {errors:?}"))
            }
        }
        (Ok(_), _) => Err(format!(
            "was accepted, KEDA refuses it because of {:?}",
            expected.parameter
        )),
        (Err(findings), _) => Err(format!("was refused, KEDA accepts it: {findings:?}")),
    }
}

fn same_metrics(metrics: &TriggerMetrics, expected: &Expected) -> Result<(), String> {
    let (name, target) = match metrics {
        TriggerMetrics::External(all) => {
            let [one] = all.as_slice() else {
                return Err(format!("{} metrics", all.len()));
            };
            (one.name.as_str(), one.target)
        }
        TriggerMetrics::Resource(one) => {
            let wanted = (expected.resource.as_deref(), expected.container.as_deref());
            if wanted != (Some(one.resource.as_str()), one.container.as_deref()) {
                return Err(format!("wanted {wanted:?}, got {one:?}"));
            }
            (one.resource.as_str(), one.target)
        }
    };
    if let Some(wanted) = expected.metric_name.as_deref().filter(|wanted| *wanted != name) {
        return Err(format!("wanted the name {wanted}, got {name}"));
    }
    let Some(wanted) = expected.target_value.as_deref() else {
        return Ok(());
    };
    let same = match target {
        MetricTarget::AverageValue(quantity) | MetricTarget::Value(quantity) => {
            wanted.parse::<Quantity>().is_ok_and(|wanted| wanted == quantity)
        }
        MetricTarget::Utilization(percent) => wanted == percent.to_string(),
    };
    if expected.target_type.as_deref() != Some(target.kind().as_str()) || !same {
        return Err(format!(
            "wanted {:?} {wanted}, got {target:?}",
            expected.target_type
        ));
    }
    Ok(())
}

#[test]
fn reads_as_keda_does() {
    let certificates = Certificates::new();
    let cases: Vec<Case> = CASES
        .lines()
        .map(|line| serde_json::from_str(line).expect("a case"))
        .collect();
    assert_eq!(cases.len(), 483);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            check(case, &certificates)
                .err()
                .map(|why| format!("{} ({}): {why}", case.id, case.about))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
