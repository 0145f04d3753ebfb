//! External scalers: the user's own gRPC server, one HTTP/2 connection an address and TLS settings.
//!
//! Upstream: `pkg/scalers/external_scaler.go`.

mod connector;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use rpc::externalscaler::external_scaler_client::ExternalScalerClient;
use rpc::externalscaler::{GetMetricSpecResponse, GetMetricsRequest, ScaledObjectRef};
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
    Values { values: Arc<Vec<f64>>, active: bool },
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
                let values = values.into_inner().metric_values.iter().map(value).collect();
                Ok(Answer::Values {
                    values: Arc::new(values),
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

fn value(value: &rpc::externalscaler::MetricValue) -> f64 {
    #[expect(
        deprecated,
        reason = "scalers written for older versions of the protocol send only this"
    )]
    let whole = value.metric_value;
    if value.metric_value_float > 0.0 {
        value.metric_value_float
    } else {
        whole as f64
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
