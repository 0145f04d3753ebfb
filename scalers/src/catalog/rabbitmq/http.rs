//! The trigger that asks the management API.

use std::time::Duration;

use reqwest::Url;
use scalers_derive::TriggerMetadata;
use serde::Deserialize;

use super::address::Address;
use super::{Mode, RabbitMq};
use crate::ScalerError;
use crate::escape::{escaped, unescaped};
use crate::scaler::{Metric, Offer, Reading, Trigger};
use crate::source::http::{Answer, Http, Origin, Question, origin_of};
use crate::source::http_auth::{Credentials, OAuth};
use crate::tls::TlsSettings;

/// See [`RabbitMq`].
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
pub(super) struct OverHttp {
    /// Its settings.
    #[keda(block)]
    settings: RabbitMq,
}

/// What is read of a queue. A queue that is younger than the statistics has no figures yet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Queue {
    name: String,
    messages: Option<i64>,
    messages_ready: Option<i64>,
    message_stats: Option<Stats>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    publish_details: Option<Details>,
    deliver_get_details: Option<Details>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    rate: Option<f64>,
}

/// A page of queues.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    page_count: Option<i64>,
    items: Vec<Queue>,
}

/// The figures that a value is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Figures {
    messages: i64,
    published: f64,
    delivered: f64,
}

impl OverHttp {
    pub(super) fn new(settings: RabbitMq) -> Self {
        Self { settings }
    }

    fn address(&self) -> Result<Address, ScalerError> {
        let address = Address::parse(self.settings.host.expose())?;
        if matches!(address.scheme(), "http" | "https") {
            return Ok(address);
        }
        Err(ScalerError::Setting(
            "`host` must start with `http` or `https` for the protocol `http`".to_owned(),
        ))
    }

    /// Upstream: `getVhostAndPathFromURL`.
    ///
    /// DEVIATION: upstream takes a slash that is escaped in `host` for one that is not, and so asks for another path.
    fn vhost(&self, address: &Address) -> String {
        let name = match &self.settings.vhost_name {
            // Written as a path, it may carry escapes.
            Some(name) => name.strip_prefix('/').map_or_else(|| name.clone(), unescaped),
            None => address.last_part(),
        };
        if name.is_empty() { "/".to_owned() } else { name }
    }

    /// A URL of the API below `/api/queues/VHOST`.
    fn url(&self, queue: Option<&str>, query: Option<&str>) -> Result<Url, ScalerError> {
        let address = self.address()?;
        let mut url = address.without_last_part();
        let mut path = url.path().trim_end_matches('/').to_owned();
        path.push_str("/api/queues/");
        path.push_str(&escaped(&self.vhost(&address)));
        if let Some(queue) = queue {
            path.push('/');
            path.push_str(&escaped(queue));
        }
        url.set_path(&path);
        url.set_query(query);
        Ok(url)
    }

    fn credentials(&self) -> Credentials {
        let settings = &self.settings;
        if let (Some(token_uri), Some(client_id), Some(client_secret)) = (
            &settings.oauth_token_uri,
            &settings.client_id,
            &settings.client_secret,
        ) {
            return Credentials {
                oauth: Some(OAuth {
                    token_uri: token_uri.clone(),
                    client_id: client_id.clone(),
                    client_secret: client_secret.clone(),
                    scopes: settings.scopes.clone(),
                    parameters: settings.endpoint_params.clone().unwrap_or_default(),
                }),
                ..Credentials::default()
            };
        }
        let given = settings.username.clone().zip(settings.password.clone());
        let given = given.map(|(username, password)| (username.expose().clone(), password));
        let in_url = || self.address().ok().and_then(|address| address.user_info());
        Credentials {
            basic: given.or_else(in_url),
            ..Credentials::default()
        }
    }

    /// The figures of one queue, or of all that were found.
    fn figures(&self, body: &[u8]) -> Result<Figures, ScalerError> {
        // The parser's message is dropped: it may quote the reply.
        let unreadable = |_| ScalerError::Value("the reply does not describe a queue".to_owned());
        if !self.settings.use_regex {
            let queue: Queue = serde_json::from_slice(body).map_err(unreadable)?;
            return Ok(self.of(&queue));
        }
        let operation = self.operation()?;
        let queues = queues(body)?;
        let all: Vec<Figures> = queues.iter().map(|queue| self.of(queue)).collect();
        Ok(operation(&all))
    }

    fn of(&self, queue: &Queue) -> Figures {
        let stats = queue.message_stats.clone().unwrap_or_default();
        let rate = |details: Option<Details>| details.and_then(|details| details.rate).unwrap_or_default();
        let messages = if self.settings.exclude_unacknowledged {
            queue.messages_ready
        } else {
            queue.messages
        };
        Figures {
            messages: messages.unwrap_or_default(),
            published: rate(stats.publish_details),
            delivered: rate(stats.deliver_get_details),
        }
    }

    fn operation(&self) -> Result<fn(&[Figures]) -> Figures, ScalerError> {
        match self.settings.operation.as_str() {
            "sum" => Ok(sum),
            "avg" => Ok(average),
            "max" => Ok(max),
            other => Err(ScalerError::Setting(format!(
                "`operation` must be one of `sum` `avg` `max`, not `{other}`"
            ))),
        }
    }

    /// Upstream: `getMessagesAndRate` and `GetMetricsAndActivity`.
    fn reading(&self, figures: Figures) -> Reading {
        let Figures {
            messages,
            published,
            delivered,
        } = figures;
        let activation = self.settings.activation_value;
        let messages = messages as f64;
        // Nothing is delivered: no rate says how long it will take, so the workload is woken, and no more.
        let woken = Reading {
            value: activation,
            active: Some(true),
        };
        match self.settings.mode() {
            Mode::QueueLength => Reading::from(messages),
            Mode::MessageRate => Reading {
                value: published,
                active: Some(published > activation || messages > activation),
            },
            Mode::DeliverGetRate => Reading::from(delivered),
            Mode::PublishedToDeliveredRatio if delivered > 0.0 => Reading::from(published / delivered),
            Mode::PublishedToDeliveredRatio if published > 0.0 => woken,
            Mode::PublishedToDeliveredRatio => Reading::from(0.0),
            Mode::ExpectedQueueConsumptionTime if messages <= 0.0 => Reading::from(0.0),
            Mode::ExpectedQueueConsumptionTime if delivered > 0.0 => {
                Reading::from((published - delivered) / delivered + messages / delivered)
            }
            Mode::ExpectedQueueConsumptionTime => woken,
        }
    }
}

/// The queues of a page, or of a list without pages.
fn queues(body: &[u8]) -> Result<Vec<Queue>, ScalerError> {
    let unreadable = |_| ScalerError::Value("the reply does not list queues".to_owned());
    if body.trim_ascii_start().starts_with(b"[") {
        return serde_json::from_slice(body).map_err(unreadable);
    }
    let page: Page = serde_json::from_slice(body).map_err(unreadable)?;
    if page.page_count.is_some_and(|count| count > 1) {
        return Err(ScalerError::Value(
            "more queues fit `queueName` than `pageSize` allows".to_owned(),
        ));
    }
    Ok(page.items)
}

fn sum(all: &[Figures]) -> Figures {
    all.iter().fold(Figures::default(), |sum, one| Figures {
        messages: sum.messages.saturating_add(one.messages),
        published: sum.published + one.published,
        delivered: sum.delivered + one.delivered,
    })
}

/// Messages are divided as whole numbers, as upstream does.
fn average(all: &[Figures]) -> Figures {
    let sum = sum(all);
    let Some(count) = i64::try_from(all.len()).ok().filter(|count| *count > 0) else {
        return sum;
    };
    Figures {
        messages: sum.messages / count,
        published: sum.published / count as f64,
        delivered: sum.delivered / count as f64,
    }
}

fn max(all: &[Figures]) -> Figures {
    all.iter().fold(Figures::default(), |max, one| Figures {
        messages: max.messages.max(one.messages),
        published: max.published.max(one.published),
        delivered: max.delivered.max(one.delivered),
    })
}

impl Trigger for OverHttp {
    type Source = Http;

    fn metrics(&self) -> Option<Vec<Metric>> {
        Some(vec![self.settings.metric()])
    }

    fn source(&self) -> Origin {
        let base = self.address().map_or_else(
            |_| "an unreadable URL".to_owned(),
            |address| origin_of(&address.without_last_part()),
        );
        let tls = match self.settings.tls.as_str() {
            "enable" => self.settings.tls_settings(),
            _ => TlsSettings {
                unsafe_ssl: self.settings.unsafe_ssl,
                ..TlsSettings::default()
            },
        };
        Origin {
            base,
            credentials: self.credentials(),
            tls,
        }
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        let RabbitMq {
            queue_name,
            use_regex,
            page_size,
            ..
        } = &self.settings;
        if !use_regex {
            return self.url(Some(queue_name), None).map(Question::Get);
        }
        let name = escaped(queue_name);
        let query = format!("page=1&use_regex=true&pagination=false&name={name}&page_size={page_size}");
        self.url(None, Some(&query)).map(Question::Get)
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        match answer {
            Answer::One(body) => Ok(vec![self.reading(self.figures(body)?)]),
            Answer::Each(_) => Err(ScalerError::Value("the reply is of several pods".to_owned())),
        }
    }

    fn inventory_question(&self) -> Option<Question> {
        self.url(None, Some("columns=name,messages"))
            .ok()
            .map(Question::Get)
    }

    fn read_inventory(&self, answer: &Answer) -> Result<Vec<Offer>, ScalerError> {
        let Answer::One(body) = answer else {
            return Ok(Vec::new());
        };
        let offer = |queue: Queue| Offer {
            parameter: "queueName",
            note: queue
                .messages
                .map(|count| format!("{count} messages"))
                .unwrap_or_default(),
            value: queue.name,
        };
        Ok(queues(body)?.into_iter().map(offer).collect())
    }

    fn timeout(&self) -> Option<Duration> {
        self.settings.timeout.filter(|timeout| !timeout.is_zero())
    }

    fn explain(&self, error: ScalerError) -> ScalerError {
        match error {
            ScalerError::Answer { endpoint, answer } if answer.starts_with("with status 404") => {
                let vhost = self
                    .address()
                    .map(|address| self.vhost(&address))
                    .unwrap_or_default();
                let queue = &self.settings.queue_name;
                let missing = if self.settings.use_regex {
                    format!("it has no virtual host `{vhost}`")
                } else {
                    format!("it has no queue `{queue}` in the virtual host `{vhost}`")
                };
                ScalerError::Answer {
                    endpoint,
                    answer: format!("{answer}: {missing}"),
                }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
