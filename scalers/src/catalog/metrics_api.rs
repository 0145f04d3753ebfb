//! `metrics-api`: scales on a number in the reply of any HTTP API.

mod document;
mod prometheus;

use std::time::Duration;

use engine::quantity::Quantity;
use reqwest::Url;
use scalers_derive::TriggerMetadata;

use crate::ScalerError;
use crate::metadata::{Reader, word};
use crate::scaler::{Metric, Reading, ScalerType, Target, Trigger};
use crate::source::http::{Answer, Http, Origin, Question, origin_of};
use crate::source::http_auth::{AuthModes, KeySettings};
use crate::value_location::{self, Json};

pub(super) const METRICS_API: ScalerType = ScalerType::new::<MetricsApi>(
    "metrics-api",
    "A number in the reply of an HTTP API",
    "{ url: \"http://stats.default.svc/v1/load\", valueLocation: queues.jobs.depth, targetValue: \"9\" }",
)
.noting(NOTES);

const NOTES: &str = r#"Only a reply with status 200 counts. `valueLocation` says where in it the value is:

- `format: json`: a path of GJSON. The part of it that is read: keys (`queue.depth`), positions (`queues.1.depth`),
  wildcards (`queue.de*th`, `d?pth`), escapes (`fav\.movie`), the length of a list (`queues.#`), a key of every element
  (`queues.#.depth`), the first element that fits (`queues.#(name=="jobs").depth`), every one
  (`queues.#(depth>10)#.depth`), `|` to go on with what was found (`queues.#(depth>10)#|#`), and the modifiers `@this`,
  `@reverse`, `@keys`, `@values`. Comparisons: `==`, `!=`, `<`, `<=`, `>`, `>=`, `%` (like), `!%`.
- `format: xml` and `format: yaml`: keys between dots, positions in lists as numbers. In XML the first key is the root
  element; an attribute is a key with `-` before it, the text of an element that has attributes is `#text`, and elements
  of one name are a list.
- `format: prometheus`: the name of a metric with labels, such as `orders_open{site="north"}`.

The value is a number, or a text that holds a quantity such as `500m`.

With `aggregateFromKubeServiceEndpoints`, the host of `url` is `service.namespace…`; each ready pod behind that Service is
asked, and what they answer is put together. Pods that do not answer are left out, unless none does."#;

word! {
    /// How a reply is written.
    Format {
        Prometheus = "prometheus",
        Json = "json",
        Xml = "xml",
        Yaml = "yaml",
    }
}

word! {
    /// How the values of several pods become one.
    Aggregation {
        Average = "average",
        Sum = "sum",
        Max = "max",
        Min = "min",
    }
}

/// Settings of a `metrics-api` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct MetricsApi {
    /// URL of the API.
    url: String,
    /// How the reply is written.
    #[keda(default = "json")]
    format: Format,
    /// Where the value is in the reply.
    value_location: String,
    /// Value that one replica should have.
    #[keda(target)]
    target_value: f64,
    /// Value above which the trigger is active.
    #[keda(default = "0")]
    activation_target_value: f64,
    /// Whether any certificate of the server will do.
    #[keda(default = "false")]
    unsafe_ssl: bool,
    /// Whether to ask every ready pod of the Service in `url`.
    #[keda(default = "false")]
    aggregate_from_kube_service_endpoints: bool,
    /// How the values of the pods become one.
    #[keda(default = "average")]
    aggregation_type: Aggregation,
    /// How long a reading may take; 0 means the default of the process.
    timeout: Option<Duration>,
    /// Who asks.
    #[keda(block)]
    auth: AuthModes,
    /// A key of an API.
    #[keda(block)]
    key: KeySettings,
}

impl Trigger for MetricsApi {
    type Source = Http;

    fn check(&self, reader: &mut Reader<'_>) {
        self.auth.check(reader);
        self.key.check(&self.auth, reader);
        // Upstream finds these out when the metric is read.
        if self.parsed_url().is_err() {
            reader.warning("url", format!("`{}` is no HTTP URL", self.url));
        }
        if self.format == Format::Json
            && let Err(error) = value_location::find(&Json::Null, &self.value_location)
        {
            reader.warning("valueLocation", error.to_string());
        }
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let name = format!("metric-api-{}", self.value_location);
        let metric = Metric::new(name, Target::Fraction(self.target_value));
        Some(vec![metric.active_above(self.activation_target_value)])
    }

    // DEVIATION: upstream accepts the modes `custom` and `oauth` here and then sends nothing; here they do what they say.
    fn source(&self) -> Origin {
        let mut credentials = self.auth.credentials();
        credentials.api_key = self.key.key(&self.auth);
        let base = self
            .parsed_url()
            .map_or_else(|_| "an unreadable URL".to_owned(), |url| origin_of(&url));
        Origin {
            base,
            credentials,
            tls: self.auth.tls(self.unsafe_ssl),
        }
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        let url = self.parsed_url()?;
        Ok(if self.aggregate_from_kube_service_endpoints {
            Question::GetEach(url)
        } else {
            Question::Get(url)
        })
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        let value = match answer {
            Answer::One(body) => self.value(body)?,
            Answer::Each(bodies) => {
                let values = bodies
                    .iter()
                    .map(|body| body.as_ref().map_err(Clone::clone).and_then(|b| self.value(b)));
                self.aggregation_type.aggregate(values.collect())?
            }
        };
        Ok(vec![Reading::from(value)])
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout.filter(|timeout| !timeout.is_zero())
    }
}

impl MetricsApi {
    fn parsed_url(&self) -> Result<Url, ScalerError> {
        let parsed = self
            .url
            .parse::<Url>()
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        parsed.ok_or_else(|| ScalerError::Setting("`url` must be an HTTP URL".to_owned()))
    }

    /// The value in one reply.
    fn value(&self, body: &[u8]) -> Result<f64, ScalerError> {
        let path = self.value_location.as_str();
        let unreadable = |format: &str| ScalerError::Value(format!("the reply is not {format}"));
        match self.format {
            Format::Json => {
                let document: Json = serde_json::from_slice(body).map_err(|_| unreadable("JSON"))?;
                let found = value_location::find(&document, path);
                let found = found.map_err(|error| ScalerError::Setting(error.to_string()))?;
                number(path, found.as_deref())
            }
            Format::Yaml => {
                let document = document::from_yaml(body)?;
                number(path, document::at(&document, path))
            }
            Format::Xml => {
                let document = document::from_xml(body).ok_or_else(|| unreadable("XML"))?;
                number(path, document::at(&document, path))
            }
            Format::Prometheus => prometheus::value(&String::from_utf8_lossy(body), path),
        }
    }
}

/// Reads a number, or a text that holds a quantity.
fn number(path: &str, found: Option<&Json>) -> Result<f64, ScalerError> {
    match found {
        Some(Json::Number(number)) => Ok(*number),
        Some(Json::Text(text)) => match text.trim().parse::<Quantity>() {
            Ok(quantity) => Ok(quantity.to_f64()),
            Err(_) => Err(ScalerError::Value(format!(
                "`{path}` holds a text that is no number and no quantity"
            ))),
        },
        Some(other) => Err(ScalerError::Value(format!(
            "`{path}` holds {}, not a number",
            other.kind()
        ))),
        None => Err(ScalerError::Value(format!("the reply has nothing at `{path}`"))),
    }
}

impl Aggregation {
    /// Upstream: `aggregateMetricsFromMultipleEndpoints`: only if all failed, the whole fails.
    fn aggregate(self, values: Vec<Result<f64, ScalerError>>) -> Result<f64, ScalerError> {
        let mut good = Vec::new();
        let mut last = None;
        for value in values {
            match value {
                Ok(value) => good.push(value),
                Err(error) => last = Some(error),
            }
        }
        let Some(first) = good.first().copied() else {
            return Err(last.unwrap_or_else(|| ScalerError::Value("no pod was asked".to_owned())));
        };
        let sum: f64 = good.iter().sum();
        Ok(match self {
            Self::Average => sum / good.len() as f64,
            Self::Sum => sum,
            Self::Max => good.iter().copied().fold(first, f64::max),
            Self::Min => good.iter().copied().fold(first, f64::min),
        })
    }
}

#[cfg(test)]
mod tests;
