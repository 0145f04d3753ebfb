//! MySQL and MariaDB: one database, asked through a few connections.

mod auth;
mod client;
mod dsn;
mod wire;

use std::sync::Arc;

use futures::future::join_all;

use crate::ScalerError;
use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::source::sql::{Answer, Lanes, Question};

use client::{Client, Peer};
pub(crate) use dsn::{Single, Target};

/// The tables that the user may see, the largest first, with the rows that the statistics know of.
const TABLES: &str = "\
SELECT \
CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`'), table_rows \
FROM information_schema.tables WHERE table_type = 'BASE TABLE' \
AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') \
AND (DATABASE() IS NULL OR table_schema = DATABASE()) \
ORDER BY table_rows DESC, 1 LIMIT 200";

/// As many as [`TABLES`] asks for.
const MOST_TABLES: usize = 200;

/// A database and the connections to it, at most [`crate::source::sql::LANES`].
pub(crate) struct MySql {
    peer: Peer,
    connect: Connect,
    lanes: Lanes<Client>,
}

impl Source for MySql {
    type Key = Target;
    type Question = Question;
    type Answer = Answer;
    const PROTOCOL: &'static str = "mysql";
    const SHEDS: bool = true;

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.mysql
    }

    fn endpoint(key: &Target) -> String {
        key.endpoint()
    }

    async fn open(key: &Target, connect: &Connect) -> Result<Self, ScalerError> {
        let server = match key {
            Target::Server(server) => Arc::new((**server).clone()),
            Target::Unusable(reason) => return Err(ScalerError::Setting(reason.clone())),
        };
        let peer = Peer {
            endpoint: key.endpoint().into(),
            server,
        };
        Ok(Self {
            lanes: Lanes::new(peer.connect(connect).await?),
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
