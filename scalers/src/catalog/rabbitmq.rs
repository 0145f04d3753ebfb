//! `rabbitmq`: scales on the messages of a queue, their rates, or the time they will take.
//!
//! The same settings make one of two triggers: over AMQP it asks the broker for a queue's length, over HTTP the
//! management API for that and for rates, of one queue or of several.

mod address;
mod amqp;
mod http;

use std::time::Duration;

use crds::IdentityProvider;
use scalers_derive::TriggerMetadata;

use self::address::Address;
use crate::Secret;
use crate::escape::query_escaped;
use crate::metadata::{Reader, TriggerMetadata, UrlQuery, word};
use crate::scaler::{Checked, Metric, ScalerType, Target};
use crate::tls::TlsSettings;

pub(super) const RABBITMQ: ScalerType = ScalerType::with(
    "rabbitmq",
    "Messages of a RabbitMQ queue, or their rates",
    "{ host: \"amqp://rabbitmq.default.svc:5672/\", queueName: jobs, mode: QueueLength, value: \"20\" }",
    RabbitMq::FIELDS,
    read,
)
.noting(NOTES);

const NOTES: &str = r#"Over AMQP (`amqp://`, `amqps://`) the ready messages of one queue are counted. Over HTTP (`http://`, `https://`) the
management API is asked; everything but `mode: QueueLength` of one queue needs it. All triggers with one address, virtual
host and credential share one AMQP connection. Nothing is ever consumed.

| mode | value |
| --- | --- |
| `QueueLength` | messages; over HTTP with those that are not acknowledged, unless `excludeUnacknowledged` |
| `MessageRate` | published messages a second; a queue that holds messages is active, too |
| `DeliverGetRate` | delivered messages a second |
| `PublishedToDeliveredRatio` | the first divided by the second |
| `ExpectedQueueConsumptionTime` | seconds until the queue is empty at the present rates |

Without `mode`, `value` and `queueLength` it is `QueueLength` with 20. With `useRegex`, counts and rates of all queues whose
names fit are put together by `operation`; more queues than `pageSize` are an error.

The virtual host is `vhostName`, or the last part of the path of `host`, or `/`. User and password stand in `host` or in the
authentication. A client certificate without a password logs in by SASL `EXTERNAL` over AMQP. `tls: enable` makes `ca`,
`cert` and `key` count; whether TLS is spoken, the scheme of `host` says.

**Push (not in KEDA).** With `push: "true"` over AMQP, the workload is activated between two polls, too. AMQP has nothing to
wait for a queue with: a consumer would take messages out of their order, mark them as redelivered, and use up the delivery
limit of quorum queues. So there are two ways:

- With `pushExchange`, a private queue is bound to that exchange with `pushRoutingKey`, and a message activates at once. The
  broker copies each matching message to it; it holds the newest one, and at most one copy a second is sent to the
  controller, however large it is. The user needs the permissions to configure, write and read `amq.gen-*`, and to read the
  exchange.
- Without it, the length of the queue is asked for once a second, over the shared connection: a message activates within
  about a second. This is the way for messages that are published to the default exchange, which nothing can be bound to.

In both, what activates is the length of the queue, as in a poll. The polls go on."#;

word! {
    /// What the value is.
    Mode {
        QueueLength = "QueueLength",
        MessageRate = "MessageRate",
        DeliverGetRate = "DeliverGetRate",
        PublishedToDeliveredRatio = "PublishedToDeliveredRatio",
        ExpectedQueueConsumptionTime = "ExpectedQueueConsumptionTime",
    }
}

word! {
    /// What is spoken.
    Protocol {
        Auto = "auto",
        Amqp = "amqp",
        Http = "http",
    }
}

/// Settings of a `rabbitmq` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
struct RabbitMq {
    /// Name of the queue; with `useRegex`, a regular expression that names must fit.
    queue_name: String,
    /// What the value is; needs `value`.
    mode: Option<Mode>,
    /// Value that one replica should have; needs `mode`.
    value: Option<f64>,
    /// Messages that one replica should have waiting.
    #[keda(deprecated = "`mode: QueueLength` with `value`")]
    queue_length: Option<f64>,
    /// Value above which the trigger is active.
    #[keda(default = "0")]
    activation_value: f64,
    /// URL of the broker or of its management API.
    #[keda(from(metadata, auth, env))]
    host: Secret<String>,
    /// What is spoken; `auto` goes by the scheme of `host`.
    #[keda(from(metadata, auth), default = "auto")]
    protocol: Protocol,
    /// Name of the virtual host, in place of the one in `host`.
    #[keda(from(metadata, auth))]
    vhost_name: Option<String>,
    /// Whether `queueName` is a regular expression.
    #[keda(default = "false")]
    use_regex: bool,
    /// Whether messages that were delivered and not acknowledged are left out.
    #[keda(default = "false")]
    exclude_unacknowledged: bool,
    /// How many queues `useRegex` may find.
    #[keda(default = "100")]
    page_size: i64,
    /// How the queues that `useRegex` finds become one value: `sum`, `avg` or `max`.
    #[keda(default = "sum")]
    operation: String,
    /// How long a reading over HTTP may take; 0 means the default of the process.
    timeout: Option<Duration>,
    /// User, in place of the one in `host`.
    #[keda(from(auth, env))]
    username: Option<Secret<String>>,
    /// Password, in place of the one in `host`.
    #[keda(from(auth, env))]
    password: Option<Secret<String>>,
    /// Whether `ca`, `cert` and `key` are used: `enable` or `disable`.
    #[keda(from(auth), default = "disable")]
    tls: String,
    /// PEM certificates that are trusted beside those of the system.
    #[keda(from(auth))]
    ca: Option<Secret<String>>,
    /// PEM chain of the client.
    #[keda(from(auth))]
    cert: Option<Secret<String>>,
    /// PEM key of the client.
    #[keda(from(auth))]
    key: Option<Secret<String>>,
    /// Password of an encrypted key.
    #[keda(from(auth))]
    key_password: Option<Secret<String>>,
    /// Whether any certificate of the server will do.
    #[keda(default = "false")]
    unsafe_ssl: bool,
    /// Resource that a token of an Azure workload identity is for.
    #[keda(from(auth))]
    workload_identity_resource: Option<String>,
    /// OAuth 2 over HTTP: the URL that gives out tokens.
    #[keda(name = "oauthTokenURI", from(auth))]
    oauth_token_uri: Option<String>,
    /// OAuth 2: the scopes to ask for, between commas.
    #[keda(alias("scope"), from(auth), default = "")]
    scopes: Vec<String>,
    /// OAuth 2: the client.
    #[keda(name = "clientID", from(auth))]
    client_id: Option<String>,
    /// OAuth 2: the client's secret.
    #[keda(from(auth))]
    client_secret: Option<Secret<String>>,
    /// OAuth 2: further parameters of the request for a token, in the encoding of a URL's query.
    #[keda(from(auth))]
    endpoint_params: Option<UrlQuery>,
    /// Not in KEDA: whether a message activates between two polls; only over AMQP.
    #[keda(default = "false")]
    push: bool,
    /// Not in KEDA: the exchange whose messages are noticed at once.
    push_exchange: Option<String>,
    /// Not in KEDA: the routing key or pattern of those messages. Default: the name of the queue.
    push_routing_key: Option<String>,
}

/// Which of the two triggers it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Amqp,
    Http,
}

fn read(reader: &mut Reader<'_>) -> Option<Checked> {
    let settings = RabbitMq::read(reader)?;
    let way = settings.way(reader)?;
    settings.check(way, reader);
    Some(match way {
        Way::Amqp => Checked::asking(amqp::OverAmqp::new(settings)),
        Way::Http => Checked::asking(http::OverHttp::new(settings)),
    })
}

impl RabbitMq {
    /// What is spoken, or `None` after a mistake was reported. No message quotes `host`: it may hold a password.
    fn way(&self, reader: &mut Reader<'_>) -> Option<Way> {
        match self.protocol {
            Protocol::Amqp => Some(Way::Amqp),
            Protocol::Http => Some(Way::Http),
            Protocol::Auto => {
                let scheme = Address::parse(self.host.expose()).map(|address| address.scheme().to_owned());
                match scheme.as_deref() {
                    Ok("amqp" | "amqps") => Some(Way::Amqp),
                    Ok("http" | "https") => Some(Way::Http),
                    _ => {
                        reader.error(
                            "host",
                            "`host` must be a URL that starts with `amqp`, `amqps`, `http` or `https`",
                        );
                        None
                    }
                }
            }
        }
    }

    /// Upstream: `Validate` and `validateTrigger` in `rabbitmq_scaler.go`.
    fn check(&self, way: Way, reader: &mut Reader<'_>) {
        self.check_target(reader);
        self.check_login(reader);
        self.check_tls(way, reader);
        match way {
            Way::Amqp => self.check_amqp(reader),
            Way::Http => self.check_http(reader),
        }
        if self.page_size < 1 {
            reader.error("pageSize", "`pageSize` must be at least 1");
        }
        if !self.push && (self.push_exchange.is_some() || self.push_routing_key.is_some()) {
            reader.warning(
                "push",
                "`pushExchange` and `pushRoutingKey` need `push: \"true\"`",
            );
        }
    }

    fn check_target(&self, reader: &mut Reader<'_>) {
        let (mode, value) = (self.mode.is_some(), self.target_value().is_some());
        match (self.old_length().is_some(), mode, value) {
            (true, true, _) | (true, _, true) => {
                reader.error(
                    "queueLength",
                    "`queueLength` cannot stand beside `mode` and `value`",
                );
            }
            (false, true, false) => reader.missing("value", "missing `value`, which `mode` asks for"),
            (false, false, true) => reader.missing("mode", "missing `mode` beside `value`"),
            _ => {}
        }
    }

    fn check_login(&self, reader: &mut Reader<'_>) {
        match (&self.username, &self.password) {
            (Some(_), None) => reader.missing("username", "missing `password` beside `username`"),
            (None, Some(_)) => reader.missing("password", "missing `username` beside `password`"),
            _ => {}
        }
        let oauth = [
            self.oauth_token_uri.is_some(),
            self.client_id.is_some(),
            self.client_secret.is_some(),
        ];
        if !oauth.contains(&true) {
            return;
        }
        if oauth.contains(&false) {
            reader.missing(
                "oauthTokenURI",
                "`oauthTokenURI`, `clientID` and `clientSecret` must be given together",
            );
        }
        if self.username.is_some() || self.workload_identity_resource.is_some() {
            reader.error(
                "oauthTokenURI",
                "`oauthTokenURI` cannot stand beside `username` or `workloadIdentityResource`",
            );
        }
    }

    fn check_tls(&self, way: Way, reader: &mut Reader<'_>) {
        match (&self.cert, &self.key) {
            (Some(_), None) => reader.missing("cert", "missing `key` beside `cert`"),
            (None, Some(_)) => reader.missing("key", "missing `cert` beside `key`"),
            _ => {}
        }
        if !["enable", "disable"].contains(&self.tls.as_str()) {
            reader.error("tls", "`tls` must be one of `enable` `disable`");
        }
        let plain = Address::parse(self.host.expose()).is_ok_and(|address| address.scheme() == "amqp");
        if way == Way::Amqp && plain && self.tls == "enable" {
            reader.warning(
                "host",
                "`tls: enable` changes nothing with `amqp://`, which is not encrypted; `amqps://` is",
            );
        }
    }

    fn check_amqp(&self, reader: &mut Reader<'_>) {
        let mut only_http = |given: bool, key: &str| {
            if given {
                reader.error(key, format!("`{key}` needs the protocol `http`"));
            }
        };
        only_http(self.mode.is_some_and(|mode| mode != Mode::QueueLength), "mode");
        only_http(self.use_regex, "useRegex");
        only_http(self.exclude_unacknowledged, "excludeUnacknowledged");
        only_http(
            self.workload_identity_resource.is_some(),
            "workloadIdentityResource",
        );
        only_http(self.oauth_token_uri.is_some(), "oauthTokenURI");
        // Upstream looks at it only where a mode is given.
        only_http(self.mode.is_some() && self.timeout.is_some(), "timeout");
    }

    fn check_http(&self, reader: &mut Reader<'_>) {
        if self.push {
            reader.error("push", "`push` needs the protocol `amqp`");
        }
        if let Some(uri) = &self.oauth_token_uri
            && uri.parse::<reqwest::Url>().is_err()
        {
            reader.error("oauthTokenURI", "`oauthTokenURI` must be a URL");
        }
        let identity = reader.input().identity.as_ref();
        if self.workload_identity_resource.is_some()
            && identity.is_some_and(|identity| identity.provider == IdentityProvider::AzureWorkload)
        {
            reader.error(
                "workloadIdentityResource",
                "`workloadIdentityResource` is not in this version yet",
            );
        }
    }

    /// `value`; 0 counts as absent.
    fn target_value(&self) -> Option<f64> {
        self.value.filter(|value| *value != 0.0)
    }

    /// `queueLength`; 0 counts as absent.
    fn old_length(&self) -> Option<f64> {
        self.queue_length.filter(|length| *length != 0.0)
    }

    fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::QueueLength)
    }

    fn metric(&self) -> Metric {
        let target = self.target_value().or(self.old_length()).unwrap_or(20.0);
        let name = format!("rabbitmq-{}", query_escaped(&self.queue_name));
        Metric::new(name, Target::Fraction(target)).active_above(self.activation_value)
    }

    fn tls_settings(&self) -> TlsSettings {
        TlsSettings {
            ca: self.ca.clone(),
            certificate: self.cert.clone(),
            key: self.key.clone(),
            key_password: self.key_password.clone(),
            unsafe_ssl: self.unsafe_ssl,
        }
    }
}

#[cfg(test)]
mod tests;
