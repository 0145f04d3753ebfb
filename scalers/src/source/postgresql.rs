//! PostgreSQL: one database, asked through a few connections, and one more that listens where a trigger wants that.

mod client;
mod listen;
mod target;
mod tls;
mod watch;

use std::sync::Arc;

use futures::future::join_all;

use crate::ScalerError;
use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::source::sql::{Answer, Lanes, Question};

use client::{Client, Peer};
use listen::Hub;
pub(crate) use target::Target;
pub(crate) use watch::watch;

/// The tables that the user may read, the largest first, with the rows that the statistics know of.
const TABLES: &str = "\
SELECT format('%I.%I', n.nspname, c.relname), c.reltuples::bigint \
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' \
AND pg_catalog.has_table_privilege(c.oid, 'SELECT') \
ORDER BY c.reltuples DESC, 1 LIMIT 200";

/// As many as [`TABLES`] asks for.
const MOST_TABLES: usize = 200;

/// A database and the connections to it: at most [`crate::source::sql::LANES`] that ask, and one that listens.
pub(crate) struct PostgreSql {
    peer: Peer,
    connect: Connect,
    lanes: Lanes<Client>,
    hub: Arc<Hub>,
}

impl Source for PostgreSql {
    type Key = Target;
    type Question = Question;
    type Answer = Answer;
    const PROTOCOL: &'static str = "postgresql";
    const SHEDS: bool = true;

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.postgresql
    }

    fn endpoint(key: &Target) -> String {
        key.endpoint()
    }

    async fn open(key: &Target, connect: &Connect) -> Result<Self, ScalerError> {
        let database = match key {
            Target::Database(database) => Arc::new((**database).clone()),
            Target::Unusable(reason) => return Err(ScalerError::Setting(reason.clone())),
        };
        let peer = Peer {
            endpoint: key.endpoint().into(),
            database,
        };
        Ok(Self {
            lanes: Lanes::new(peer.connect(connect).await?),
            hub: Arc::new(Hub::new(peer.clone(), connect.clone())),
            connect: connect.clone(),
            peer,
        })
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        let asked = questions.iter().map(|question| async move {
            let (sql, keep) = match question {
                Question::Row { sql, .. } => (sql.as_str(), 1),
                Question::Tables => (TABLES, MOST_TABLES),
            };
            let connect = || self.peer.connect(&self.connect);
            self.lanes.query(sql, keep, connect).await.map(Arc::new)
        });
        join_all(asked).await
    }
}
