//! Which setting of a trigger is its target value: the one that the target of its metric follows.
//!
//! No list says so. What counts can depend on other settings (a stream's `lagCount` or its `streamLength`), so each reader is asked
//! itself: with another number in a setting, is it another target?

use engine::metric::{MetricTarget, MetricType, TriggerMetrics};

use crate::catalog::SCALERS;
use crate::metadata::{Field, Kind, Origin};
use crate::{TriggerInput, read};

/// The setting whose value one replica should have, or all of them together.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSetting {
    /// Its key in the metadata.
    pub key: &'static str,
    /// Its number: the one that is given, else the default.
    pub number: f64,
    /// What follows the number, as in `500m`.
    pub unit: String,
    /// Whether it can only be a whole number.
    pub whole: bool,
    /// Whether the trigger gives it.
    pub given: bool,
}

impl TargetSetting {
    /// The setting of a trigger; `None` where it has none that could be another number, and where the trigger has mistakes.
    pub fn of(input: &TriggerInput) -> Option<Self> {
        let scaler = SCALERS.iter().find(|scaler| scaler.name == input.type_)?;
        let now = targets(input)?;
        let percent = input.metric_type.as_deref() == Some(MetricType::Utilization.as_str());
        let (mut given, mut absent) = (Vec::new(), Vec::new());
        for field in scaler
            .fields
            .iter()
            .filter(|field| may_be(field, scaler.measured))
        {
            let name = field.names().find(|name| input.metadata.contains_key(*name));
            let whole = percent || field.kind == Kind::Integer;
            if let Some(name) = name {
                given.extend(Self::read(name, &input.metadata[name], whole, true));
            } else if let Some(default) = field.default.filter(|_| is_absent(field, input)) {
                absent.extend(Self::read(field.key, default, whole, false));
            }
        }
        given.into_iter().chain(absent).find(|setting| {
            let mut other = input.clone();
            let text = setting.text(setting.number + 1.0);
            other.metadata.insert(setting.key.to_owned(), text);
            targets(&other).is_some_and(|other| other.len() == now.len() && other != now)
        })
    }

    fn read(key: &'static str, text: &str, whole: bool, given: bool) -> Option<Self> {
        let text = text.trim();
        let end = text
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        Some(Self {
            key,
            number: digits.parse().ok()?,
            unit: unit.to_owned(),
            whole,
            given,
        })
    }

    /// The text of the setting with another number, of which three decimals count.
    pub fn text(&self, number: f64) -> String {
        let digits = if self.whole {
            format!("{number:.0}")
        } else {
            let digits = format!("{number:.3}");
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        format!("{digits}{}", self.unit)
    }
}

/// Whether a setting could be a number that stands in the metadata.
fn may_be(field: &Field, measured: bool) -> bool {
    let number = match field.kind {
        Kind::Integer | Kind::Number => true,
        Kind::Text => measured,
        _ => false,
    };
    number && !field.secret && field.removed.is_none() && field.sources.contains(&Origin::Metadata)
}

/// Whether a setting is given nowhere, and could be.
fn is_absent(field: &Field, input: &TriggerInput) -> bool {
    field.deprecated.is_none()
        && field.names().all(|name| input.auth.get(name).is_none())
        && !field.metadata_keys().any(|key| input.metadata.contains_key(&key))
}

fn targets(input: &TriggerInput) -> Option<Vec<MetricTarget>> {
    Some(match read(input).ok()?.metrics()? {
        TriggerMetrics::Resource(metric) => vec![metric.target],
        TriggerMetrics::External(metrics) => metrics.iter().map(|metric| metric.target).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(type_: &str, metadata: &str, metric_type: Option<&str>) -> TriggerInput {
        TriggerInput {
            type_: type_.to_owned(),
            metadata: serde_yaml::from_str(metadata).expect("a mapping of texts"),
            metric_type: metric_type.map(str::to_owned),
            ..TriggerInput::default()
        }
    }

    /// The examples of the documentation, each with its target as `key: text`.
    #[test]
    fn every_scaler_type_has_its_target() {
        for scaler in SCALERS {
            let want = match scaler.name {
                "apache-kafka" | "kafka" | "nats-jetstream" => "lagThreshold: 10",
                "cpu" | "memory" => "value: 60",
                "cron" | "external" | "external-push" => "",
                "kubernetes-workload" => "value: 2",
                "metrics-api" => "targetValue: 9",
                "mysql" => "queryValue: 5",
                "postgresql" => "targetQueryValue: 5",
                "prometheus" => "threshold: 30",
                "rabbitmq" => "value: 20",
                "redis" | "redis-cluster" | "redis-sentinel" => "listLength: 5",
                "redis-cluster-streams" | "redis-streams" => "lagCount: 10",
                "redis-sentinel-streams" => "pendingEntriesCount: 5",
                other => panic!("`{other}` is new: what is its target?"),
            };
            let input = trigger(
                scaler.name,
                scaler.example,
                scaler.measured.then_some("Utilization"),
            );
            let found = TargetSetting::of(&input);
            let found = found.map(|setting| format!("{}: {}", setting.key, setting.text(setting.number)));
            assert_eq!(found.unwrap_or_default(), want, "{}", scaler.name);
        }
    }

    #[track_caller]
    fn check(input: &TriggerInput, want: Option<(&str, &str, bool)>) {
        let found = TargetSetting::of(input);
        let found = found.map(|setting| (setting.key, setting.text(setting.number * 1.5), setting.given));
        let want = want.map(|(key, text, given)| (key, text.to_owned(), given));
        assert_eq!(found, want);
    }

    #[test]
    fn other_settings_decide_which_one_counts() {
        let stream =
            "{ address: \"redis:6379\", stream: orders, pendingEntriesCount: \"8\", streamLength: \"20\"";
        check(
            &trigger("redis-streams", &format!("{stream} }}"), None),
            Some(("streamLength", "30", true)),
        );
        check(
            &trigger("redis-streams", &format!("{stream}, consumerGroup: a }}"), None),
            Some(("pendingEntriesCount", "12", true)),
        );
        let queue = "{ host: \"amqp://rabbit/\", queueName: jobs, queueLength: \"5\" }";
        check(
            &trigger("rabbitmq", queue, None),
            Some(("queueLength", "7.5", true)),
        );
        check(
            &trigger("redis", "{ address: \"redis:6379\", listName: jobs }", None),
            Some(("listLength", "8", false)),
        );
    }

    #[test]
    fn units_stay() {
        check(
            &trigger("cpu", "{ value: 500m }", Some("AverageValue")),
            Some(("value", "750m", true)),
        );
        check(
            &trigger("memory", "{ value: 1Gi }", Some("AverageValue")),
            Some(("value", "1.5Gi", true)),
        );
        check(
            &trigger("cpu", "{ value: \"60\" }", Some("Utilization")),
            Some(("value", "90", true)),
        );
    }

    #[test]
    fn a_trigger_with_mistakes_has_none() {
        check(&trigger("redis", "{ listName: jobs }", None), None);
        check(&trigger("nothing", "{}", None), None);
    }
}
