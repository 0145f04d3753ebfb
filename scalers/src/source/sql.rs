//! What the SQL databases share: a query that yields one number, and a few connections that take turns.
//!
//! ```text
//! Question ──▶ Lanes ──▶ Client (one connection, one query at a time) ──▶ Reply ──▶ a number
//! ```
//!
//! A connection is opened when it is needed and there is no idle one, and kept only if its last query ended. A query
//! whose answer nobody waits for any more takes its connection with it.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::ScalerError;
use crate::scaler::Offer;

/// Connections that one database is asked through.
pub(crate) const LANES: usize = 2;

/// How long a connection beyond the first stays open without a query.
const SPARE: Duration = Duration::from_mins(1);

/// Tables that are listed: as many as the queries for them ask for.
const MOST_TABLES: usize = 200;

/// Queries whose slowness is remembered: more than any sensible cluster has on one database.
const REMEMBERED: usize = 1_000;

/// How much longer than the client the server works on a query before it gives up by itself. The client is the first
/// to give up, so that what is reported never depends on which of them was faster.
const GRACE: Duration = Duration::from_secs(1);

/// Something to ask a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// The first row of a query.
    Row {
        sql: String,
        /// The notification that the question follows, 0 without one: such a question never joins a request that may
        /// have begun before the notification.
        wake: u64,
    },
    /// The tables that could be counted.
    Tables,
}

impl Question {
    /// The question of a poll or of a metric read.
    pub(crate) fn row(sql: &str) -> Self {
        Self::Row {
            sql: sql.to_owned(),
            wake: 0,
        }
    }
}

/// The key of a source: a database, or why there is none. Upstream finds that out when it connects, so it is no mistake
/// of the trigger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target<D> {
    Database(Box<D>),
    Unusable(String),
}

/// What makes the connections to a database different from those to another.
pub(crate) trait Database: Clone {
    /// What messages call it.
    const WHAT: &'static str;

    /// The address and the name of the database, without credentials.
    fn endpoint(&self) -> String;
}

/// Who is at the other end, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Peer<D> {
    pub(crate) endpoint: Arc<str>,
    pub(crate) database: Arc<D>,
}

impl<D: Database> Target<D> {
    pub(crate) fn new(read: Result<D, String>) -> Self {
        read.map_or_else(Self::Unusable, |database| Self::Database(Box::new(database)))
    }

    /// The address and the name of the database, without credentials.
    pub(crate) fn endpoint(&self) -> String {
        match self {
            Self::Database(database) => database.endpoint(),
            Self::Unusable(_) => format!("a {} that is not named", D::WHAT),
        }
    }

    /// Whom to connect to.
    pub(crate) fn peer(&self) -> Result<Peer<D>, ScalerError> {
        match self {
            Self::Database(database) => Ok(Peer {
                endpoint: self.endpoint().into(),
                database: Arc::new((**database).clone()),
            }),
            Self::Unusable(reason) => Err(ScalerError::Setting(reason.clone())),
        }
    }
}

/// A number that no notification had before.
pub(crate) fn next_wake() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// What comes back of a statement: every value as the text the server wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) columns: usize,
    /// The first rows, as many as were wanted.
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

/// What comes back of a question; cheap to clone.
pub(crate) type Answer = Arc<Reply>;

impl Reply {
    /// The one value of the first row as a number.
    ///
    /// Upstream: `QueryRow(…).Scan(&number)`: one column, not NULL, whose text is a number. Further rows do not count.
    pub(crate) fn number(&self) -> Result<f64, ScalerError> {
        let wrong = |what: String| Err(ScalerError::Value(format!("the query returned {what}")));
        if self.columns > 1 {
            return wrong(format!("{} columns where one is read", self.columns));
        }
        let text = match self.rows.first().map(Vec::as_slice) {
            None | Some([]) => return wrong("no row".to_owned()),
            Some([None, ..]) => return wrong("NULL".to_owned()),
            Some([Some(text), ..]) => text,
        };
        match text.parse::<f64>() {
            // Go refuses a number that is too large to hold, where Rust reads an infinite one.
            Ok(number) if number.is_finite() || !text.contains(|c: char| c.is_ascii_digit()) => Ok(number),
            _ => wrong(format!("`{}`, which is no number", clip(text, 40))),
        }
    }

    /// A query for every table of a reply of names, as SQL takes them, and estimated rows.
    pub(crate) fn offers(&self) -> Vec<Offer> {
        let offer = |row: &Vec<Option<String>>| {
            let [Some(name), rows, ..] = row.as_slice() else {
                return None;
            };
            let note = match rows.as_deref().map(str::parse::<i64>) {
                Some(Ok(rows)) if rows >= 0 => format!("about {rows} rows"),
                _ => String::new(),
            };
            Some(Offer {
                parameter: "query",
                value: format!("SELECT COUNT(*) FROM {name}"),
                note,
            })
        };
        self.rows.iter().filter_map(offer).collect()
    }
}

/// One connection to a database.
pub(crate) trait Client: Send {
    /// Runs a statement to its end and keeps its first rows. A connection that is no longer usable is an error with
    /// [`ScalerError::is_connection_lost`].
    fn query(&mut self, sql: &str, keep: usize) -> impl Future<Output = Result<Reply, ScalerError>> + Send;
}

/// The connections to one database: never more than [`LANES`], and only one of them for queries that last passed
/// their deadline, so that a slow query never keeps the others waiting.
pub(crate) struct Lanes<C> {
    idle: Mutex<Vec<(C, Instant)>>,
    open: Semaphore,
    slow: Mutex<HashSet<String>>,
    slow_lane: Semaphore,
}

impl<C: Client> Lanes<C> {
    /// Lanes that begin with one open connection.
    pub(crate) fn new(first: C) -> Self {
        Self {
            idle: Mutex::new(vec![(first, Instant::now())]),
            open: Semaphore::new(LANES),
            slow: Mutex::default(),
            slow_lane: Semaphore::new(1),
        }
    }

    /// Answers all questions, `tables` being the query for [`Question::Tables`].
    pub(crate) async fn answer<F>(
        &self,
        questions: &[Question],
        tables: &str,
        connect: impl Fn() -> F + Send + Sync,
    ) -> Vec<Result<Answer, ScalerError>>
    where
        F: Future<Output = Result<C, ScalerError>> + Send,
    {
        let connect = &connect;
        join_all(questions.iter().map(|question| async move {
            let (sql, keep) = match question {
                Question::Row { sql, .. } => (sql.as_str(), 1),
                Question::Tables => (tables, MOST_TABLES),
            };
            self.query(sql, keep, connect).await.map(Arc::new)
        }))
        .await
    }

    /// Runs a statement on an idle connection, or on a new one.
    pub(crate) async fn query<F>(
        &self,
        sql: &str,
        keep: usize,
        connect: impl Fn() -> F + Send,
    ) -> Result<Reply, ScalerError>
    where
        F: Future<Output = Result<C, ScalerError>> + Send,
    {
        let never = "the semaphores are never closed";
        let slow = lock(&self.slow).contains(sql);
        let _slow_turn = if slow {
            Some(self.slow_lane.acquire().await.expect(never))
        } else {
            None
        };
        let _turn = self.open.acquire().await.expect(never);
        let used = lock(&self.idle).pop();
        if let Some((client, _)) = used {
            match self.on(client, sql, keep).await {
                // It broke since it was last used, and so did the other most likely.
                Err(error) if error.is_connection_lost() => lock(&self.idle).clear(),
                other => return other,
            }
        }
        self.on(connect().await?, sql, keep).await
    }

    async fn on(&self, mut client: C, sql: &str, keep: usize) -> Result<Reply, ScalerError> {
        let mut turn = Turn {
            lanes: self,
            sql,
            ended: false,
        };
        let result = client.query(sql, keep).await;
        turn.ended = true;
        drop(turn);
        if result.as_ref().is_err_and(ScalerError::is_connection_lost) {
            return result;
        }
        let mut idle = lock(&self.idle);
        idle.retain(|(_, since)| since.elapsed() < SPARE);
        idle.push((client, Instant::now()));
        drop(idle);
        result
    }
}

/// A query under way. One that is dropped before it ended was slow, and is remembered as such until it ends in time.
struct Turn<'a, C> {
    lanes: &'a Lanes<C>,
    sql: &'a str,
    ended: bool,
}

impl<C> Drop for Turn<'_, C> {
    fn drop(&mut self) {
        let mut slow = lock(&self.lanes.slow);
        if self.ended {
            slow.remove(self.sql);
            return;
        }
        if slow.len() < REMEMBERED {
            slow.insert(self.sql.to_owned());
        }
        // The server may be gone without a word, and then so are these.
        lock(&self.lanes.idle).clear();
    }
}

/// When the server itself ends a query, in milliseconds.
pub(crate) fn server_limit(deadline: Duration) -> u64 {
    u64::try_from((deadline + GRACE).as_millis()).unwrap_or(u64::MAX)
}

/// What a server said, fit for one line of a message: short, printable, and without the password that it was sent.
pub(crate) fn said(text: &str, password: Option<&str>) -> String {
    let text = match password.filter(|password| password.len() > 3) {
        Some(password) => text.replace(password, "[redacted]"),
        None => text.to_owned(),
    };
    clip(&text, 300)
}

fn clip(text: &str, most: usize) -> String {
    let mut short: String = text
        .chars()
        .take(most)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

/// Undoes the `%` escapes of a part of a URL, and `+` for a blank where the part is a query. `None` for a broken escape.
pub(crate) fn unescape(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                bytes.push((digit()? * 16 + digit()?) as u8);
            }
            b'+' if plus_is_blank => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Settings by name; a name that stands twice has its last value.
pub(crate) type Settings = HashMap<String, String>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that runs under these locks can leave them half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
