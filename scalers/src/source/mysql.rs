//! MySQL and MariaDB: one database, asked through a few connections.

mod auth;
mod client;
mod dsn;
mod wire;

use crate::ScalerError;
use crate::connect::Connect;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::source::sql::{self, Answer, Lanes, Question};

use client::Client;
use dsn::Server;
pub(crate) use dsn::Single;

/// The tables that the user may see, the largest first, with the rows that the statistics know of.
const TABLES: &str = "\
SELECT \
CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`'), table_rows \
FROM information_schema.tables WHERE table_type = 'BASE TABLE' \
AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') \
AND (DATABASE() IS NULL OR table_schema = DATABASE()) \
ORDER BY table_rows DESC, 1 LIMIT 200";

/// The key of a source.
pub(crate) type Target = sql::Target<Server>;

/// A database and the connections to it, at most [`crate::source::sql::LANES`].
pub(crate) struct MySql {
    peer: sql::Peer<Server>,
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
        let peer = key.peer()?;
        Ok(Self {
            lanes: Lanes::new(peer.connect(connect).await?),
            connect: connect.clone(),
            peer,
        })
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        let connect = || self.peer.connect(&self.connect);
        self.lanes.answer(questions, TABLES, connect).await
    }
}
