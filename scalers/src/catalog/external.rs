//! `external` and `external-push`: scalers that live outside, behind a gRPC service of the user's own.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use scalers_derive::TriggerMetadata;

use crate::observer::Asker;
use crate::pool::Pool;
use crate::scaler::{Metric, Pushed, Reading, ScalerType, Trigger};
use crate::source::external::{Answer, ExternalScaler, Question, Server, Subject, Topic, number, watch};
use crate::tls::TlsSettings;
use crate::{ScalerError, Secret, TriggerInput};

pub(super) const EXTERNAL: ScalerType = ScalerType::new::<External<Polled>>(
    "external",
    "A scaler of your own behind gRPC",
    "{ scalerAddress: \"scaler.default.svc:9090\" }",
)
.open_ended()
.noting(NOTES);

pub(super) const EXTERNAL_PUSH: ScalerType = ScalerType::new::<External<Pushing>>(
    "external-push",
    "A scaler of your own behind gRPC that also reports activity by itself",
    "{ scalerAddress: \"scaler.default.svc:9090\" }",
)
.open_ended()
.pushing()
.noting(NOTES);

const NOTES: &str = "The service is `externalscaler.ExternalScaler`; metric names and targets come from its \
    `GetMetricSpec`. The whole metadata of the trigger is passed to it; a key that ends in `FromEnv` carries the value \
    of the variable it names, and is left out where that is empty. The connection is plain unless `enableTLS` is true \
    or a certificate is given.";

/// Whether the scaler is listened to, told apart by type.
trait Mode: Clone + Debug + PartialEq + Send + Sync + 'static {
    const PUSHES: bool;
}

/// It is asked.
#[derive(Clone, Debug, PartialEq)]
struct Polled;
/// It is asked, and listened to.
#[derive(Clone, Debug, PartialEq)]
struct Pushing;

impl Mode for Polled {
    const PUSHES: bool = false;
}

impl Mode for Pushing {
    const PUSHES: bool = true;
}

/// Settings of an `external` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct External<M: Mode> {
    /// `host:port` of the scaler.
    scaler_address: String,
    /// Whether to speak TLS.
    #[keda(name = "enableTLS", default = "false")]
    enable_tls: bool,
    /// Whether any certificate of the scaler will do.
    #[keda(default = "false")]
    unsafe_ssl: bool,
    /// PEM certificates that are trusted beside those of the system.
    #[keda(from(auth))]
    ca_cert: Option<Secret<String>>,
    /// PEM chain of the client.
    #[keda(from(auth))]
    tls_client_cert: Option<Secret<String>>,
    /// PEM key of the client.
    #[keda(from(auth))]
    tls_client_key: Option<Secret<String>>,
    #[keda(skip)]
    subject: Subject,
    #[keda(skip)]
    mode: PhantomData<M>,
}

impl<M: Mode> Trigger for External<M> {
    type Source = ExternalScaler;

    fn bind(&mut self, input: &TriggerInput) {
        self.subject = Subject {
            object: input.object.clone(),
            metadata: BTreeMap::new(),
        };
        for (key, value) in &input.metadata {
            let passed = if key.ends_with("FromEnv") {
                input
                    .env
                    .get(value)
                    .filter(|value| !value.expose().is_empty())
                    .cloned()
            } else {
                Some(Secret::new(value.clone()))
            };
            self.subject
                .metadata
                .extend(passed.map(|value| (key.clone(), value)));
        }
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        None
    }

    fn source(&self) -> Server {
        let wanted = self.enable_tls || self.ca_cert.is_some() || self.tls_client_cert.is_some();
        let tls = wanted.then(|| TlsSettings {
            ca: self.ca_cert.clone(),
            certificate: self.tls_client_cert.clone(),
            key: self.tls_client_key.clone(),
            key_password: None,
            unsafe_ssl: self.unsafe_ssl,
        });
        Server {
            address: self.scaler_address.clone(),
            tls,
        }
    }

    fn question(&self, metric: &str) -> Result<Question, ScalerError> {
        Ok(Question::Values {
            subject: self.subject.clone(),
            metric: metric.to_owned(),
        })
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        match answer {
            Answer::Values { values, active } if !values.is_empty() => Ok(values
                .iter()
                .map(|value| Reading {
                    value: number(value),
                    active: Some(*active),
                })
                .collect()),
            _ => Err(ScalerError::Value(format!(
                "the external scaler at {} gave no value",
                self.scaler_address
            ))),
        }
    }

    fn specs_question(&self) -> Option<Question> {
        Some(Question::Specs(self.subject.clone()))
    }

    fn read_specs(&self, answer: &Answer) -> Result<Vec<Metric>, ScalerError> {
        match answer {
            Answer::Specs(metrics) if !metrics.is_empty() => Ok(metrics.to_vec()),
            _ => Err(ScalerError::Value(format!(
                "the external scaler at {} gave no metric spec",
                self.scaler_address
            ))),
        }
    }

    fn push(&self, pool: &Pool, asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        if !M::PUSHES {
            return None;
        }
        let opener = self.opener(pool, asker);
        let activity = watch(opener.clone(), self.subject.clone(), Topic::Activity);
        let specs = watch(opener, self.subject.clone(), Topic::Specs);
        Some(stream::select(activity, specs).boxed())
    }
}

#[cfg(test)]
mod tests;
