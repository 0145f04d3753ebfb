//! The trigger that asks over AMQP.

use futures::stream::BoxStream;
use scalers_derive::TriggerMetadata;

use super::RabbitMq;
use super::address::Address;
use crate::ScalerError;
use crate::observer::Asker;
use crate::pool::Pool;
use crate::scaler::{Metric, Pushed, Reading, Trigger};
use crate::source::amqp::{Amqp, Broker, Exchange, Login, Question, Subject, watch};
use crate::tls::TlsSettings;

/// See [`RabbitMq`].
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
pub(super) struct OverAmqp {
    /// Its settings.
    #[keda(block)]
    settings: RabbitMq,
}

impl OverAmqp {
    pub(super) fn new(settings: RabbitMq) -> Self {
        Self { settings }
    }

    /// Upstream: a URL without a user means `guest`; a certificate without a password proves by itself.
    fn login(&self, address: Option<&Address>) -> Login {
        let settings = &self.settings;
        let in_url = address.and_then(Address::user_info);
        if let (Some(username), Some(password)) = (&settings.username, &settings.password) {
            return Login::Plain {
                username: username.expose().clone(),
                password: password.clone(),
            };
        }
        match in_url {
            Some((username, password)) if !password.expose().is_empty() || settings.cert.is_none() => {
                Login::Plain { username, password }
            }
            _ if settings.tls == "enable" && settings.cert.is_some() => Login::External,
            _ => Login::Plain {
                username: "guest".to_owned(),
                password: "guest".into(),
            },
        }
    }
}

impl Trigger for OverAmqp {
    type Source = Amqp;

    fn metrics(&self) -> Option<Vec<Metric>> {
        Some(vec![self.settings.metric()])
    }

    fn source(&self) -> Broker {
        let address = Address::parse(self.settings.host.expose()).ok();
        let tls = address
            .as_ref()
            .is_some_and(|address| address.scheme() == "amqps");
        let settings = match self.settings.tls.as_str() {
            "enable" => self.settings.tls_settings(),
            _ => TlsSettings::default(),
        };
        let in_path = address.as_ref().map(Address::path).unwrap_or_default();
        let vhost = self.settings.vhost_name.clone().unwrap_or(in_path);
        Broker {
            host: address.as_ref().map(Address::host).unwrap_or_default(),
            port: address
                .as_ref()
                .and_then(Address::port)
                .unwrap_or(if tls { 5671 } else { 5672 }),
            vhost: if vhost.is_empty() { "/".to_owned() } else { vhost },
            login: self.login(address.as_ref()),
            tls: tls.then_some(settings),
        }
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        match Address::parse(self.settings.host.expose())?.scheme() {
            "amqp" | "amqps" => Ok(Question::Ready(self.settings.queue_name.clone())),
            _ => Err(ScalerError::Setting(
                "`host` must start with `amqp` or `amqps` for the protocol `amqp`".to_owned(),
            )),
        }
    }

    fn read_answer(&self, answer: &u32) -> Result<Vec<Reading>, ScalerError> {
        Ok(vec![Reading::from(f64::from(*answer))])
    }

    fn push(&self, pool: &Pool, asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        let settings = &self.settings;
        // Without the setting, the source is not even named as used.
        if !settings.push {
            return None;
        }
        let exchange = settings.push_exchange.as_ref().map(|name| Exchange {
            name: name.clone(),
            routing_key: settings
                .push_routing_key
                .clone()
                .unwrap_or_else(|| settings.queue_name.clone()),
        });
        let subject = Subject {
            queue: settings.queue_name.clone(),
            above: settings.activation_value,
            exchange,
        };
        Some(watch(self.opener(pool, asker), subject))
    }
}
