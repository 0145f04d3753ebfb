//! Reads of external metrics: from a request to a question for the controller, and from its answer to JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rpc::metrics::{ExternalMetricValueList, ScaledObjectRef, Time};
use serde::Serialize;

use super::GROUP_VERSION;
use super::status::ApiError;

/// Finds the ScaledObject that a label selector names.
///
/// Upstream: `pkg/provider/provider.go` `GetExternalMetric`, v2.20: the selector must hold the label, other labels do not matter. A
/// request without it belongs to nobody here; a second provider would be asked at this point.
pub(crate) fn question(namespace: &str, metric: &str, selector: &str) -> Result<ScaledObjectRef, ApiError> {
    let labels = parse_selector(selector)?;
    let name = labels
        .get(crds::label::SCALED_OBJECT_NAME)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| {
            ApiError::bad_request(format!(
                "scaledObject name is not specified: the label selector must hold {}=NAME",
                crds::label::SCALED_OBJECT_NAME
            ))
        })?;
    Ok(ScaledObjectRef {
        name: name.clone(),
        namespace: namespace.to_owned(),
        metric_name: metric.to_owned(),
    })
}

/// Reads `key=value,key==value`, the only form that names one value each.
fn parse_selector(selector: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let requirements = selector.split(',').map(str::trim).filter(|part| !part.is_empty());
    requirements
        .map(|part| {
            let (key, value) = part
                .split_once('=')
                .filter(|(key, _)| !key.ends_with('!'))
                .ok_or_else(|| {
                    ApiError::bad_request(format!(
                        "invalid label selector {selector:?}: only key=value is supported"
                    ))
                })?;
            Ok((
                key.trim().to_owned(),
                value.trim_start_matches('=').trim().to_owned(),
            ))
        })
        .collect()
}

/// `ExternalMetricValueList` as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValueList {
    kind: &'static str,
    api_version: &'static str,
    metadata: BTreeMap<String, String>,
    items: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    metric_name: String,
    /// `null` when there are none, as the Go type serialises.
    metric_labels: Option<BTreeMap<String, String>>,
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<i64>,
    value: String,
}

impl ValueList {
    /// Turns the controller's answer into the API's.
    pub(crate) fn new(answer: ExternalMetricValueList) -> Self {
        let items = answer.items.into_iter().map(|item| Item {
            metric_name: item.metric_name,
            metric_labels: (!item.metric_labels.is_empty()).then(|| item.metric_labels.into_iter().collect()),
            timestamp: item.timestamp.and_then(|time| rfc3339(&time)),
            window: item.window,
            value: item
                .value
                .map(|quantity| quantity.string)
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| "0".into()),
        });
        Self {
            kind: "ExternalMetricValueList",
            api_version: GROUP_VERSION,
            metadata: BTreeMap::new(),
            items: items.collect(),
        }
    }

    /// The values as quantities, for the record.
    pub(crate) fn quantities(&self) -> Vec<String> {
        self.items.iter().map(|item| item.value.clone()).collect()
    }
}

/// Whole seconds, as `meta/v1` Time serialises.
fn rfc3339(time: &Time) -> Option<String> {
    Timestamp::from_second(time.seconds)
        .ok()
        .map(|instant| instant.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rpc::metrics::{ExternalMetricValue, Quantity};

    use super::*;

    #[track_caller]
    fn check(selector: &str, name: Result<&str, &str>) {
        match (question("ns", "s0-x", selector), name) {
            (Ok(question), Ok(name)) => assert_eq!(question.name, name, "{selector}"),
            (Err(error), Err(words)) => {
                assert!(error.message.contains(words), "{selector}: {}", error.message);
            }
            (got, wanted) => panic!("{selector}: {got:?}, not {wanted:?}"),
        }
    }

    #[test]
    fn the_selector_names_the_object() {
        check("scaledobject.keda.sh/name=orders", Ok("orders"));
        check("app=x, scaledobject.keda.sh/name == orders", Ok("orders"));
        check("", Err("not specified"));
        check("app=x", Err("not specified"));
        check("scaledobject.keda.sh/name=", Err("not specified"));
        check("scaledobject.keda.sh/name!=orders", Err("invalid label selector"));
        check(
            "scaledobject.keda.sh/name in (orders)",
            Err("invalid label selector"),
        );
    }

    #[test]
    fn answers_look_as_upstreams_do() {
        let bare = ExternalMetricValue {
            metric_name: "s0-redis-jobs".into(),
            timestamp: Some(Time {
                seconds: 1_700_000_000,
                nanos: 5,
            }),
            value: Some(Quantity {
                string: "1500m".into(),
            }),
            ..Default::default()
        };
        let labelled = ExternalMetricValue {
            metric_labels: HashMap::from([("b".into(), "2".into()), ("a".into(), "1".into())]),
            window: Some(60),
            ..bare.clone()
        };
        let list = ValueList::new(ExternalMetricValueList {
            metadata: None,
            items: vec![bare, labelled],
        });
        assert_eq!(list.quantities(), ["1500m", "1500m"]);
        assert_eq!(
            serde_json::to_string(&list).expect("serialises"),
            concat!(
                r#"{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":["#,
                r#"{"metricName":"s0-redis-jobs","metricLabels":null,"timestamp":"2023-11-14T22:13:20Z","value":"1500m"},"#,
                r#"{"metricName":"s0-redis-jobs","metricLabels":{"a":"1","b":"2"},"timestamp":"2023-11-14T22:13:20Z","window":60,"value":"1500m"}]}"#
            )
        );
    }
}
