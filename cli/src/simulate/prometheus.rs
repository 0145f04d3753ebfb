//! A series from a Prometheus server: what queries answered over the past.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use scalers::{Built, Connect, Pool, ScalerError, Span, TriggerInput};

use crate::commands::dry_run::way::connect;
use crate::exit::{self, Failure};
use crate::simulate::series::{HIGHEST, Row, Series};

/// The most moments that a server answers to one request.
const MOST_A_REQUEST: usize = 11_000;
/// The most moments that are fetched for one query.
const MOST: i64 = 1_000_000;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What `--query` says of one trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The trigger that it is for; the only one where it names none.
    pub trigger: Option<String>,
    /// The query in PromQL.
    pub text: String,
}

impl FromStr for Query {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // In PromQL a single `=` stands in braces alone.
        let named = text.split_once('=').filter(|(name, rest)| {
            let word = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
            !name.is_empty() && name.chars().all(word) && !rest.starts_with('=')
        });
        let (trigger, query) = match named {
            Some((trigger, query)) => (Some(trigger.to_owned()), query),
            None => (None, text),
        };
        if query.trim().is_empty() {
            return Err("a query must be PromQL, as in `sum(orders_waiting)`".to_owned());
        }
        Ok(Self {
            trigger,
            text: query.trim().to_owned(),
        })
    }
}

/// Which past is fetched.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// URL of the server.
    pub(crate) server: String,
    /// How far back, in milliseconds.
    pub(crate) since: i64,
    /// Time between two moments, in milliseconds.
    pub(crate) step: i64,
    /// The last moment.
    pub(crate) until: Timestamp,
}

/// Rows that were fetched, for as many runs as there are.
#[derive(Debug)]
pub(crate) struct Fetched {
    server: String,
    columns: Vec<String>,
    rows: Vec<Row>,
}

impl Fetched {
    /// The rows as a series.
    pub(crate) fn series(&self) -> Result<Series, Failure> {
        Series::made(&self.server, self.columns.clone(), self.rows.clone().into_iter())
    }
}

/// Puts the queries, each of which is a column of a name.
pub(crate) fn fetch(past: &Past, queries: &[(String, String)]) -> Result<Fetched, Failure> {
    let step = past.step / 1000;
    let count = past.since / 1000 / step;
    if count > MOST {
        let message = format!("{count} moments are more than the {MOST} that are fetched at most");
        return Err(Failure::new(exit::USAGE, message).help("give a longer `--step`, or a shorter `--since`"));
    }
    let last = past.until.as_second() / step * step;
    let from = last - count * step;
    // No handler of Ctrl-C is set up: the run that follows ends by it at once.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(exit::UNEXPECTED, "cannot start").because(error))?;
    let moments = (0..=count).map(|number| from + number * step);
    let mut rows: Vec<Row> = moments
        .map(|at| Row {
            at: at * 1000,
            values: vec![None; queries.len()],
        })
        .collect();
    runtime
        .block_on(async {
            let pool = Pool::new(Connect {
                timeout: PATIENCE,
                ..connect()
            });
            for (position, (column, query)) in queries.iter().enumerate() {
                let built = built(&past.server, query)?;
                for chunk in rows.chunks_mut(MOST_A_REQUEST) {
                    fill(&pool, &built, position, chunk, past.step)
                        .await
                        .map_err(|error| (error, column.clone()))?;
                }
            }
            Ok(())
        })
        .map_err(|wrong: Wrong| wrong.0)?;
    if rows.iter().all(|row| row.values.iter().all(Option::is_none)) {
        let message = format!("{} has no values for this time", server(&past.server));
        return Err(Failure::new(exit::CHECK_FAILED, message)
            .help("`or vector(0)` at the end of a query counts nothing as 0"));
    }
    Ok(Fetched {
        server: server(&past.server),
        columns: queries.iter().map(|(column, _)| column.clone()).collect(),
        rows,
    })
}

/// A failure on the way; an error of the server becomes one with the column that it is about.
struct Wrong(Failure);

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<(ScalerError, String)> for Wrong {
    fn from((error, column): (ScalerError, String)) -> Self {
        let message = format!("cannot fetch `{column}`: {}", error.chain());
        Self(Failure::new(exit::CHECK_FAILED, message))
    }
}

/// The server without a user and a password.
fn server(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    format!("{scheme}://{rest}")
}

fn built(server: &str, query: &str) -> Result<Built, Failure> {
    let input = TriggerInput {
        type_: "prometheus".to_owned(),
        metadata: [("serverAddress", server), ("query", query), ("threshold", "1")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..TriggerInput::default()
    };
    scalers::read(&input).map_err(|found| {
        let failure = Failure::new(exit::USAGE, "the server cannot be asked");
        found
            .iter()
            .fold(failure, |failure, found| failure.help(found.message.clone()))
    })
}

/// Puts one query for the moments of the rows.
async fn fill(
    pool: &Pool,
    built: &Built,
    position: usize,
    rows: &mut [Row],
    step: i64,
) -> Result<(), ScalerError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(());
    };
    let first = first.at;
    let moment = |at| Timestamp::from_millisecond(at).map_err(|error| ScalerError::Value(error.to_string()));
    let span = Span {
        from: moment(first)?,
        to: moment(last.at)?,
        step: Duration::from_millis(step.unsigned_abs()),
    };
    let points = pool.history(built, &span).await?.unwrap_or_default();
    for (at, value) in points {
        let row = usize::try_from((at.as_millisecond() - first) / step).ok();
        let row = row.and_then(|row| rows.get_mut(row));
        // What is no number is no value, as for the trigger that would have read it.
        if let Some(row) = row.filter(|_| value.is_finite()) {
            if value < 0.0 {
                return Err(ScalerError::Value(format!(
                    "the value {value} at {at} is below 0"
                )));
            }
            if value > HIGHEST {
                return Err(ScalerError::Value(format!(
                    "the value {value} at {at} is more than a metric can be"
                )));
            }
            row.values[position] = Some(value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_may_name_its_trigger() {
        for (text, trigger, query) in [
            ("sum(up)", None, "sum(up)"),
            ("orders=sum(up)", Some("orders"), "sum(up)"),
            ("up==1", None, "up==1"),
            ("up{job=\"a\"}", None, "up{job=\"a\"}"),
            ("0 = up", None, "0 = up"),
            ("0=up >= 2", Some("0"), "up >= 2"),
        ] {
            let want = Query {
                trigger: trigger.map(str::to_owned),
                text: query.to_owned(),
            };
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        assert!("".parse::<Query>().is_err() && "orders=".parse::<Query>().is_err());
    }

    #[test]
    fn a_password_is_not_told() {
        assert_eq!(
            server("http://me:hush@prom.example:9090/x"),
            "http://prom.example:9090/x"
        );
    }
}
