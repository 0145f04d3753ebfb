//! `postgresql`: scales on the number that a query returns.

use std::collections::HashMap;

use crds::IdentityProvider;
use futures::stream::BoxStream;
use scalers_derive::TriggerMetadata;

use crate::metadata::Reader;
use crate::observer::Asker;
use crate::pool::Pool;
use crate::scaler::{Metric, Offer, Pushed, Reading, ScalerType, Target as Goal, Trigger};
use crate::source::postgresql::{PostgreSql, Target, watch};
use crate::source::sql::{Answer, Question};
use crate::{ScalerError, Secret, TriggerInput};

pub(super) const POSTGRESQL: ScalerType = ScalerType::new::<PostgreSqlQuery>(
    "postgresql",
    "A number that a query returns from PostgreSQL",
    "{ host: postgresql.default.svc, port: \"5432\", userName: reader, dbName: shop, sslmode: require, \
     query: \"SELECT COUNT(*) FROM orders WHERE state = 'open'\", targetQueryValue: \"5\" }",
)
.noting(NOTES);

const NOTES: &str = r#"The query is one statement that returns one column; its first row holds the value. No row, NULL and what is no number
are errors. It runs in a transaction of its own, which the server ends shortly after the time for a reading is over.

`connection` holds `name=value` pairs or a URL, as libpq and pgx take them, and stands in place of the single settings. Files
that it names (`sslrootcert`, `sslcert`, `sslkey`) are read by the operator. The modes of `sslmode` are libpq's: `disable`,
`allow`, `prefer`, `require`, `verify-ca`, `verify-full`.

All triggers of one database and user share two connections, and one more where any of them pushes.

`push` and `pushChannel` are settings of this project; KEDA ignores them. With `push: "true"` the channel is listened on, and
a `NOTIFY` on it asks the query at once: a value above `activationTargetQueryValue` takes the workload from zero without
waiting for the next poll, and any other value is left to the polls, which go on as ever. The name of the channel is taken
letter by letter: `NOTIFY Orders` notifies `orders`, as PostgreSQL folds names that are not quoted. A pooler that hands
connections out by transaction cannot carry `LISTEN`."#;

/// The longest name that PostgreSQL keeps whole, in bytes.
const LONGEST_NAME: usize = 63;

/// Settings of a `postgresql` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct PostgreSqlQuery {
    /// Query that returns the value.
    query: String,
    /// Value that one replica should have.
    #[keda(target)]
    target_query_value: f64,
    /// Value above which the trigger is active.
    #[keda(default = "0")]
    activation_target_query_value: f64,
    /// Connection string, in place of the single settings.
    #[keda(from(auth, env))]
    connection: Option<Secret<String>>,
    /// Host of the server; required without `connection`, as the next four are.
    #[keda(from(auth, metadata))]
    host: Option<String>,
    /// Port of the server.
    #[keda(from(auth, metadata))]
    port: Option<String>,
    /// User to log in as.
    #[keda(from(auth, metadata))]
    user_name: Option<String>,
    /// Database to ask.
    #[keda(from(auth, metadata))]
    db_name: Option<String>,
    /// How the connection is encrypted.
    #[keda(from(auth, metadata))]
    sslmode: Option<String>,
    /// Password of the user.
    #[keda(from(auth, env))]
    password: Option<Secret<String>>,
    // DEVIATION: upstream has neither this setting nor the next one.
    /// Whether a notification asks the query at once. A setting of this project.
    #[keda(default = "false")]
    push: bool,
    /// For `push`: the channel to listen on. A setting of this project.
    push_channel: Option<String>,
    #[keda(skip)]
    azure: bool,
}

impl Trigger for PostgreSqlQuery {
    type Source = PostgreSql;

    fn bind(&mut self, input: &TriggerInput) {
        let identity = input.identity.as_ref();
        self.azure = identity.is_some_and(|identity| identity.provider == IdentityProvider::AzureWorkload);
    }

    fn check(&self, reader: &mut Reader<'_>) {
        // A token replaces the password alone, so that upstream wants the single settings all the same.
        if self.connection.is_none() || self.azure {
            for (key, value) in self.single() {
                if value.is_none() {
                    reader.missing(key, format!("missing `{key}`, or the parameter `connection`"));
                }
            }
        }
        self.check_push(reader);
        if reader.has_errors() {
            return;
        }
        // Upstream finds this out when it connects.
        if let Target::Unusable(reason) = self.source() {
            let key = match &self.connection {
                Some(_) => "connection",
                None if reason.contains("port") => "port",
                None => "sslmode",
            };
            reader.warning(key, reason);
        }
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let metric = Metric::new("postgresql", Goal::Fraction(self.target_query_value));
        Some(vec![metric.active_above(self.activation_target_query_value)])
    }

    fn source(&self) -> Target {
        if self.azure {
            return Target::Unusable(
                "the pod identity `azure-workload` is not in this version yet".to_owned(),
            );
        }
        if let Some(connection) = &self.connection {
            return Target::parse(connection.expose());
        }
        let libpq = ["host", "port", "user", "dbname", "sslmode"];
        let mut settings: HashMap<String, String> = libpq
            .into_iter()
            .zip(self.single())
            .map(|(name, (_, value))| (name.to_owned(), value.unwrap_or_default().to_owned()))
            .collect();
        if let Some(password) = &self.password {
            settings.insert("password".to_owned(), password.expose().clone());
        }
        Target::from_settings(settings)
    }

    fn question(&self, _metric: &str) -> Result<Question, ScalerError> {
        Ok(Question::row(&self.query))
    }

    fn read_answer(&self, answer: &Answer) -> Result<Vec<Reading>, ScalerError> {
        answer.number().map(|number| vec![Reading::from(number)])
    }

    fn inventory_question(&self) -> Option<Question> {
        Some(Question::Tables)
    }

    fn read_inventory(&self, answer: &Answer) -> Result<Vec<Offer>, ScalerError> {
        Ok(answer.offers())
    }

    fn push(&self, pool: &Pool, asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        let channel = self.push_channel.clone().filter(|_| self.push)?;
        let activation = self.activation_target_query_value;
        let judge = Box::new(move |answer: &Answer| Ok(answer.number()? > activation));
        Some(watch(
            self.opener(pool, asker),
            channel,
            self.query.clone(),
            judge,
        ))
    }
}

impl PostgreSqlQuery {
    /// The single settings by their keys, in the order of libpq's names in [`Trigger::source`].
    fn single(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("host", self.host.as_deref()),
            ("port", self.port.as_deref()),
            ("userName", self.user_name.as_deref()),
            ("dbName", self.db_name.as_deref()),
            ("sslmode", self.sslmode.as_deref()),
        ]
    }

    fn check_push(&self, reader: &mut Reader<'_>) {
        match (self.push, &self.push_channel) {
            (true, None) => reader.missing("pushChannel", "missing `pushChannel` beside `push`"),
            (false, Some(_)) => {
                reader.warning(
                    "pushChannel",
                    "`pushChannel` does nothing without `push: \"true\"`",
                );
            }
            (_, Some(channel)) if channel.len() > LONGEST_NAME || channel.contains('\0') => {
                reader.error(
                    "pushChannel",
                    format!("`pushChannel` must be a name of at most {LONGEST_NAME} bytes"),
                );
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
