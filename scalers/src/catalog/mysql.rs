//! `mysql`: scales on the number that a query returns.

use scalers_derive::TriggerMetadata;

use crate::metadata::Reader;
use crate::scaler::{Metric, Offer, Reading, ScalerType, Target as Goal, Trigger};
use crate::source::mysql::{MySql, Single, Target};
use crate::source::sql::{Answer, Question};
use crate::{ScalerError, Secret};

pub(super) const MYSQL: ScalerType = ScalerType::new::<MySqlQuery>(
    "mysql",
    "A number that a query returns from MySQL or MariaDB",
    "{ host: mysql.default.svc, port: \"3306\", username: reader, dbName: shop, \
     query: \"SELECT COUNT(*) FROM orders WHERE state = 'open'\", queryValue: \"5\" }",
)
.noting(NOTES);

const NOTES: &str = r"The query is one statement that returns one column; its first row holds the value. No row, NULL and what is no number
are errors. The server ends it shortly after the time for a reading is over (MySQL: `SELECT` alone).

`connectionString` is a data source name of Go's driver, `user:password@tcp(host:port)/database?tls=true`, and stands in
place of the single settings. Its parameter `tls` is `true`, `skip-verify`, `preferred` or `false`; a parameter that the
driver does not know is a variable of the session. The metric is named for `dbName`, or for what follows the last slash
of `connectionString`.

All triggers of one server, database and user share two connections.";

/// Settings of a `mysql` trigger.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
struct MySqlQuery {
    /// Query that returns the value.
    query: String,
    /// Value that one replica should have.
    query_value: f64,
    /// Value above which the trigger is active.
    #[keda(default = "0")]
    activation_query_value: f64,
    /// Connection string, in place of the single settings.
    #[keda(from(auth, env))]
    connection_string: Option<Secret<String>>,
    /// Host of the server; needed without `connectionString`.
    #[keda(from(metadata, auth))]
    host: Option<String>,
    /// Port of the server; 3306 if left out.
    #[keda(from(metadata, auth))]
    port: Option<String>,
    /// Database to ask.
    #[keda(from(metadata, auth))]
    db_name: Option<String>,
    /// User to log in as.
    #[keda(from(metadata, auth, env))]
    username: Option<String>,
    /// Password of the user.
    #[keda(from(auth, env))]
    password: Option<Secret<String>>,
    /// Read and not used.
    #[keda(deprecated = "leave it out: the metric is named for the database")]
    metric_name: Option<String>,
}

impl Trigger for MySqlQuery {
    type Source = MySql;

    fn check(&self, reader: &mut Reader<'_>) {
        // Upstream finds this out when it connects.
        if let Target::Unusable(reason) = self.source() {
            let key = match &self.connection_string {
                Some(_) => "connectionString",
                None if self.host.is_some() => "port",
                None => "host",
            };
            reader.warning(key, reason);
        }
    }

    fn metrics(&self) -> Option<Vec<Metric>> {
        let metric = Metric::new(
            format!("mysql-{}", self.database()),
            Goal::Fraction(self.query_value),
        );
        Some(vec![metric.active_above(self.activation_query_value)])
    }

    fn source(&self) -> Target {
        if let Some(connection) = &self.connection_string {
            return Target::parse(connection.expose());
        }
        Target::single(&Single {
            host: self.host.as_deref(),
            port: self.port.as_deref(),
            user: self.username.as_deref(),
            password: self.password.as_ref().map(|password| password.expose().as_str()),
            database: self.db_name.as_deref(),
        })
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
}

impl MySqlQuery {
    /// What the metric is named for. Upstream: `parseMySQLDbNameFromConnectionStr`.
    fn database(&self) -> &str {
        let Some(connection) = &self.connection_string else {
            return self.db_name.as_deref().unwrap_or_default();
        };
        let text = connection.expose();
        let last = text.rsplit('/').next().unwrap_or_default();
        // DEVIATION: upstream names the metric for the whole rest of a string that no driver takes, with the
        // credentials that may be in it.
        match Target::parse(text) {
            Target::Database(_) => last,
            Target::Unusable(_) => last.rsplit('@').next().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
