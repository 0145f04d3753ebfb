//! PostgreSQL: one database, asked through a few connections, and one more that listens where a trigger wants that.

mod client;
mod listen;
mod target;
mod tls;
mod watch;

use std::sync::Arc;

use crate::ScalerError;
use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::source::sql::{self, Answer, Lanes, Question};

use client::Client;
use listen::Hub;
use target::Database;
pub(crate) use watch::watch;

/// The tables that the user may read, the largest first, with the rows that the statistics know of.
const TABLES: &str = "\
SELECT format('%I.%I', n.nspname, c.relname), c.reltuples::bigint \
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' \
AND pg_catalog.has_table_privilege(c.oid, 'SELECT') \
ORDER BY c.reltuples DESC, 1 LIMIT 200";

/// The key of a source.
pub(crate) type Target = sql::Target<Database>;

/// A database and the connections to it: at most [`crate::source::sql::LANES`] that ask, and one that listens.
pub(crate) struct PostgreSql {
    peer: sql::Peer<Database>,
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
        let peer = key.peer()?;
        Ok(Self {
            lanes: Lanes::new(peer.connect(connect).await?),
            hub: Arc::new(Hub::new(peer.clone(), connect.clone())),
            connect: connect.clone(),
            peer,
        })
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        let connect = || self.peer.connect(&self.connect);
        self.lanes.answer(questions, TABLES, connect).await
    }
}
