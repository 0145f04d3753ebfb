//! `prometheus`: scales on the result of a query in PromQL.

mod reply;

use std::collections::BTreeMap;
use std::time::Duration;

use crds::IdentityProvider;
use jiff::Timestamp;
use reqwest::Url;
use scalers_derive::TriggerMetadata;

use crate::metadata::Reader;
use crate::observer::Nulls;
use crate::scaler::{History, Metric, Offer, Reading, ScalerType, Span, Target, Trigger};
use crate::source::http::{Answer, Fetch, Http, Origin, Question, Stamp, origin_of};
use crate::source::http_auth::{AuthModes, KeySettings};
use crate::{ScalerError, Secret, TriggerInput};

use reply::{Found, Missing};

pub(super) const PROMETHEUS: ScalerType = ScalerType::new::<Prometheus>(
    "prometheus",
    "Result of a query in PromQL",
    "{ serverAddress: \"http://prometheus.monitoring:9090\", query: \"sum(rate(orders_total[2m]))\", threshold: \"30\" }",
)
.noting(NOTES);

const NOTES: &str = "The query must have an instant vector of one element for its result, as `sum(…)` gives it; several elements, \
    a scalar and a text are errors. No element, `NaN` and an infinite value count as 0, or with `ignoreNullValues: \"false\"` as a \
    failure.\n\n\
    Thanos, Mimir, VictoriaMetrics and others that answer `/api/v1/query` are asked in the same way; `customHeaders` takes their \
    tenant, as in `X-Scope-OrgID=shop`.\n\n\
    The pod identities of AWS, Azure and Google are not in this version yet.";

/// How many names of metrics are offered at most.
const NAMES: usize = 500;

/// Settings of a `prometheus` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct Prometheus {
    /// URL of the server, before `/api/v1`.
    server_address: String,
    /// The query.
    query: String,
    /// Further parameters of the request.
    query_parameters: Option<BTreeMap<String, String>>,
    /// Value that one replica should have.
    #[keda(target)]
    threshold: f64,
    /// Value above which the trigger is active.
    #[keda(default = "0")]
    activation_threshold: f64,
    /// Namespace of the query, for servers that ask for one.
    namespace: Option<String>,
    /// Further headers of the request.
    custom_headers: Option<BTreeMap<String, String>>,
    /// Whether no result counts as 0, or else as a failure.
    #[keda(default = "true")]
    ignore_null_values: bool,
    /// Whether any certificate of the server will do.
    #[keda(default = "false")]
    unsafe_ssl: bool,
    /// For the pod identity of AWS: the region.
    #[keda(from(metadata, auth))]
    aws_region: Option<String>,
    /// For the pod identity of AWS: whose it is.
    identity_owner: Option<String>,
    /// How long a reading may take; 0 means the default of the process.
    timeout: Option<Duration>,
    /// Who asks.
    #[keda(block)]
    auth: AuthModes,
    /// A key of an API.
    #[keda(block)]
    key: KeySettings,
    /// A way to prove who is asking that this version does not have.
    #[keda(skip)]
    later: Option<String>,
}

impl Trigger for Prometheus {
    type Source = Http;

    fn bind(&mut self, input: &TriggerInput) {
        let identity = input.identity.as_ref().map(|identity| &identity.provider);
        let named = identity.filter(|provider| **provider != IdentityProvider::None);
        self.later = named.map(|provider| format!("the pod identity `{provider}`"));
        let keys = [
            "GoogleApplicationCredentials",
            "credentialsFromEnv",
            "credentialsFromEnvFile",
        ];
        let google = keys
            .into_iter()
            .find(|key| input.auth.get(key).is_some() || input.metadata.contains_key(*key));
        if let Some(key) = google.filter(|_| self.later.is_none()) {
            self.later = Some(format!("`{key}`"));
        }
    }

    fn check(&self, reader: &mut Reader<'_>) {
        self.auth.check(reader);
        self.key.check(&self.auth, reader);
        let identity = reader.input().identity.as_ref();
        if self.auth.any() && identity.is_some_and(|it| it.provider != IdentityProvider::None) {
            reader.error(
                "authModes",
                "`authModes` and a pod identity cannot be given together",
            );
        }
        if let Some(later) = &self.later {
            let message = format!("{later} is not in this version yet: the server will not be asked");
            reader.warning("serverAddress", message);
        }
        // Upstream finds this out when the metric is read.
        if self.url("query").is_err() {
            reader.warning("serverAddress", "`serverAddress` is no HTTP URL");
        }
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let metric = Metric::new("prometheus", Target::Fraction(self.threshold));
        Some(vec![metric.active_above(self.activation_threshold)])
    }

    fn source(&self) -> Origin {
        let mut credentials = self.auth.credentials();
        credentials.api_key = self.key.key(&self.auth);
        let url = self.url("query");
        // A user in the URL is sent as Go's client sends it: unless another way to log in was given.
        if let Ok(url) = &url
            && !url.username().is_empty()
            && !self.auth.any()
        {
            let password = Secret::new(url.password().unwrap_or_default().to_owned());
            credentials.basic = Some((url.username().to_owned(), password));
        }
        let base = url.map_or_else(|_| "an unreadable URL".to_owned(), |url| origin_of(&url));
        Origin {
            base,
            credentials,
            tls: self.auth.tls(self.unsafe_ssl),
        }
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        self.query_at("query", &[])
    }

    fn question_at(&self, metric: &str, now: Timestamp) -> Result<Question, ScalerError> {
        let mut question = self.question(metric)?;
        if let Question::Fetch(fetch) = &mut question {
            let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            fetch.stamp = Stamp(vec![("time", time)]);
        }
        Ok(question)
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        let value = match found(answer)? {
            Ok(value) => value,
            Err(_) if self.ignore_null_values => 0.0,
            Err(missing) => return Err(ScalerError::Value(missing.to_string())),
        };
        Ok(vec![Reading::from(value)])
    }

    fn found_nothing(&self, answer: &Answer) -> Option<Nulls> {
        let empty = matches!(found(answer), Ok(Err(Missing::Nothing)));
        empty.then_some(if self.ignore_null_values {
            Nulls::Ignored
        } else {
            Nulls::Refused
        })
    }

    fn inventory_question(&self) -> Option<Question> {
        let mut url = self.url("label/__name__/values").ok()?;
        url.query_pairs_mut().append_pair("limit", &NAMES.to_string());
        self.later.is_none().then(|| self.fetch(url))
    }

    fn read_inventory(&self, answer: &Answer) -> Result<Vec<Offer>, ScalerError> {
        let names = reply::names(body(answer)?, NAMES)?;
        let offer = |name| Offer {
            parameter: "query",
            value: name,
            note: String::new(),
        };
        Ok(names.into_iter().map(offer).collect())
    }

    fn history_question(&self, span: &Span) -> Option<Result<Question, ScalerError>> {
        let bounds = [
            ("start", span.from.as_second()),
            ("end", span.to.as_second()),
            (
                "step",
                i64::try_from(span.step.as_secs()).unwrap_or(i64::MAX).max(1),
            ),
        ];
        Some(self.query_at(
            "query_range",
            &bounds.map(|(key, value)| (key, value.to_string())),
        ))
    }

    fn read_history(&self, answer: &Answer) -> Result<History, ScalerError> {
        reply::history(body(answer)?)
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout.filter(|timeout| !timeout.is_zero())
    }
}

impl Prometheus {
    fn url(&self, path: &str) -> Result<Url, ScalerError> {
        let text = format!("{}/api/v1/{path}", self.server_address.trim_end_matches('/'));
        let parsed = text.parse::<Url>().ok();
        let parsed = parsed.filter(|url| matches!(url.scheme(), "http" | "https"));
        parsed.ok_or_else(|| ScalerError::Setting("`serverAddress` must be an HTTP URL".to_owned()))
    }

    /// The query, put to one of the paths that take one.
    fn query_at(&self, path: &str, bounds: &[(&str, String)]) -> Result<Question, ScalerError> {
        if let Some(later) = &self.later {
            return Err(ScalerError::Setting(format!(
                "{later} is not in this version yet"
            )));
        }
        let mut url = self.url(path)?;
        url.query_pairs_mut().append_pair("query", &self.query);
        if !bounds.is_empty() {
            url.query_pairs_mut().extend_pairs(bounds);
        }
        if let Some(namespace) = &self.namespace {
            // Upstream does not escape it.
            let query = format!("{}&namespace={namespace}", url.query().unwrap_or_default());
            url.set_query(Some(&query));
        }
        if let Some(parameters) = &self.query_parameters {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        Ok(self.fetch(url))
    }

    fn fetch(&self, mut url: Url) -> Question {
        // The user is one of the credentials. Neither fails for a URL with a host, as HTTP's have.
        let _ = (url.set_username(""), url.set_password(None));
        let headers = self.custom_headers.iter().flatten();
        Question::Fetch(Box::new(Fetch {
            url,
            headers: headers
                .map(|(name, value)| (name.clone(), Secret::new(value.clone())))
                .collect(),
            stamp: Stamp::default(),
        }))
    }
}

fn body(answer: &Answer) -> Result<&[u8], ScalerError> {
    match answer {
        Answer::One(body) => Ok(body),
        Answer::Each(_) => Err(ScalerError::Value("the server gave no reply".to_owned())),
    }
}

fn found(answer: &Answer) -> Result<Found, ScalerError> {
    reply::value(body(answer)?)
}

#[cfg(test)]
mod tests;
