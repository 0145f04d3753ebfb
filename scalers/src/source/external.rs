//! External scalers: the user's own gRPC server, one HTTP/2 connection an address and TLS settings.
//!
//! Upstream: `pkg/scalers/external_scaler.go`.

mod connector;
mod watch;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use futures::future::join_all;
use rpc::externalscaler::external_scaler_client::ExternalScalerClient;
use rpc::externalscaler::{GetMetricSpecResponse, GetMetricsRequest, MetricValue, ScaledObjectRef};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::{Metric, Source, Target};
use crate::tls::TlsSettings;
use crate::{Cause, ObjectKey, ScalerError, Secret};

pub(crate) use watch::{Topic, watch};

/// A server with everything that makes its connection different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) tls: Option<TlsSettings>,
}

/// The trigger that a question is about. Its metadata carries values of environment variables, so it is never printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub(crate) object: ObjectKey,
    pub(crate) metadata: BTreeMap<String, Secret<String>>,
}

/// Something to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// Which metrics there are.
    Specs(Subject),
    /// The values of a metric, and whether the trigger is active.
    Values { subject: Subject, metric: String },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Specs(Arc<Vec<Metric>>),
    Values {
        values: Arc<Vec<MetricValue>>,
        active: bool,
    },
}

/// A connection to an external scaler.
pub(crate) struct ExternalScaler {
    address: String,
    client: ExternalScalerClient<Channel>,
}

impl Source for ExternalScaler {
    type Key = Server;
    type Question = Question;
    type Answer = Answer;
    const PROTOCOL: &'static str = "grpc";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.external
    }

    fn endpoint(key: &Server) -> String {
        key.address.clone()
    }

    fn describe(answer: &Answer) -> String {
        match answer {
            Answer::Specs(metrics) => listed("metricSpecs", metrics.iter().map(spec_text)),
            Answer::Values { values, active } => format!(
                "{}, {{\"result\": {active}}}",
                listed("metricValues", values.iter().map(value_text))
            ),
        }
    }

    async fn open(key: &Server, connect: &Connect) -> Result<Self, ScalerError> {
        let channel = connector::connect(key, connect).await?;
        let client = ExternalScalerClient::new(channel);
        Ok(Self {
            address: key.address.clone(),
            client,
        })
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        join_all(questions.iter().map(|question| self.answer(question))).await
    }
}

impl ExternalScaler {
    async fn answer(&self, question: &Question) -> Result<Answer, ScalerError> {
        let fail = |status| failure(&self.address, status);
        match question {
            Question::Specs(subject) => {
                let mut client = self.client.clone();
                let reply = client
                    .get_metric_spec(subject.reference())
                    .await
                    .map_err(fail)?
                    .into_inner();
                Ok(Answer::Specs(Arc::new(metrics(&reply))))
            }
            Question::Values { subject, metric } => {
                // DEVIATION: upstream asks for the activity after the values; here both travel together.
                let (mut values, mut activity) = (self.client.clone(), self.client.clone());
                let request = GetMetricsRequest {
                    scaled_object_ref: Some(subject.reference()),
                    metric_name: metric.clone(),
                };
                let (values, activity) = tokio::try_join!(
                    values.get_metrics(request),
                    activity.is_active(subject.reference())
                )
                .map_err(fail)?;
                Ok(Answer::Values {
                    values: Arc::new(values.into_inner().metric_values),
                    active: activity.into_inner().result,
                })
            }
        }
    }
}

impl Subject {
    fn reference(&self) -> ScaledObjectRef {
        let metadata = self
            .metadata
            .iter()
            .map(|(key, value)| (key.clone(), value.expose().clone()));
        ScaledObjectRef {
            name: self.object.name.clone(),
            namespace: self.object.namespace.clone(),
            scaler_metadata: metadata.collect(),
        }
    }
}

/// The metrics of a reply: names as they are, a target as a fraction where there is one.
fn metrics(reply: &GetMetricSpecResponse) -> Vec<Metric> {
    let metric = |spec: &rpc::externalscaler::MetricSpec| {
        #[expect(
            deprecated,
            reason = "scalers written for older versions of the protocol send only this"
        )]
        let whole = spec.target_size;
        let target = if spec.target_size_float > 0.0 {
            Target::Fraction(spec.target_size_float)
        } else {
            Target::Whole(whole)
        };
        Metric::verbatim(&spec.metric_name, target)
    };
    reply.metric_specs.iter().map(metric).collect()
}

/// A value as a number: the fraction where there is one.
pub(crate) fn number(value: &MetricValue) -> f64 {
    if value.metric_value_float > 0.0 {
        value.metric_value_float
    } else {
        whole(value) as f64
    }
}

fn whole(value: &MetricValue) -> i64 {
    #[expect(
        deprecated,
        reason = "scalers written for older versions of the protocol send only this"
    )]
    value.metric_value
}

/// A list of messages by the names of `externalscaler.proto`. It looks like JSON, and escapes nothing: whoever shows it
/// takes credentials out, and would not know them otherwise.
fn listed(field: &str, messages: impl Iterator<Item = String>) -> String {
    format!("{{\"{field}\": [{}]}}", messages.collect::<Vec<_>>().join(", "))
}

fn value_text(value: &MetricValue) -> String {
    let (name, whole, fraction) = (&value.metric_name, whole(value), value.metric_value_float);
    let mut text = format!("{{\"metricName\": \"{name}\"");
    // As in the JSON of protobuf, what is zero is left out; but something has to be there.
    if whole != 0 {
        let _ = write!(text, ", \"metricValue\": {whole}");
    }
    if fraction != 0.0 || whole == 0 {
        let _ = write!(text, ", \"metricValueFloat\": {fraction}");
    }
    text + "}"
}

fn spec_text(metric: &Metric) -> String {
    let name = &metric.name;
    match metric.target {
        Target::Whole(whole) => format!("{{\"metricName\": \"{name}\", \"targetSize\": {whole}}}"),
        Target::Fraction(fraction) => {
            format!("{{\"metricName\": \"{name}\", \"targetSizeFloat\": {fraction}}}")
        }
    }
}

/// What a failed call means.
fn failure(address: &str, status: Status) -> ScalerError {
    let endpoint = address.to_owned();
    // A status with a cause was made on this side, out of a connection that broke.
    if std::error::Error::source(&status).is_some() {
        return ScalerError::unreachable(endpoint, status);
    }
    match status.code() {
        Code::Unavailable => ScalerError::unreachable(endpoint, status),
        Code::Unauthenticated | Code::PermissionDenied => {
            let said: Cause = Arc::new(status);
            ScalerError::Unauthorized {
                endpoint,
                source: said,
            }
        }
        code => ScalerError::Answer {
            endpoint,
            answer: format!("with {code:?}: {}", status.message()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[(&str, i64, f64)], active: bool, want: &str) {
        let value = |(name, whole, fraction): &(&str, i64, f64)| {
            #[expect(deprecated, reason = "scalers may send it")]
            MetricValue {
                metric_name: (*name).to_owned(),
                metric_value: *whole,
                metric_value_float: *fraction,
            }
        };
        let answer = Answer::Values {
            values: Arc::new(values.iter().map(value).collect()),
            active,
        };
        assert_eq!(ExternalScaler::describe(&answer), want);
    }

    #[test]
    fn an_answer_reads_as_the_protocol_names_it() {
        check(&[], false, r#"{"metricValues": []}, {"result": false}"#);
        check(
            &[("queue", 0, 2.5)],
            true,
            r#"{"metricValues": [{"metricName": "queue", "metricValueFloat": 2.5}]}, {"result": true}"#,
        );
        check(
            &[("queue", 7, 0.0)],
            true,
            r#"{"metricValues": [{"metricName": "queue", "metricValue": 7}]}, {"result": true}"#,
        );
        check(
            &[("a", 0, 0.0), ("b", 1, 2.0)],
            false,
            r#"{"metricValues": [{"metricName": "a", "metricValueFloat": 0}, {"metricName": "b", "metricValue": 1, "metricValueFloat": 2}]}, {"result": false}"#,
        );
    }

    #[test]
    fn metrics_read_as_the_protocol_names_them() {
        let metrics = vec![
            Metric::verbatim("queue", Target::Whole(5)),
            Metric::verbatim("lag", Target::Fraction(0.5)),
        ];
        assert_eq!(
            ExternalScaler::describe(&Answer::Specs(Arc::new(metrics))),
            r#"{"metricSpecs": [{"metricName": "queue", "targetSize": 5}, {"metricName": "lag", "targetSizeFloat": 0.5}]}"#
        );
    }
}
