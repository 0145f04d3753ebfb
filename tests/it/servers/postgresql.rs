//! `postgresql` against Debian's server, which all cases share; the one that ends it waits for the others, and they for it.

mod push;
mod tls;

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use harness::postgresql::PostgreSql;
use scalers::{Connect, Pool, TriggerInput};
use tokio::sync::{OnceCell, RwLock};

use super::folder;
use super::probe::{Probe, trigger};
use super::sql::{self, Database};
pub(crate) use push::pushes;
pub(crate) use tls::modes;

const PASSWORD: &str = r"it's a \password\ that 'no message' may show";

static SERVER: OnceCell<RwLock<PostgreSql>> = OnceCell::const_new();

async fn shared() -> Result<&'static RwLock<PostgreSql>> {
    let start = || async {
        let server = PostgreSql::start(&folder("postgresql")?).await?;
        server.sql("postgres", "CREATE DATABASE shop")?;
        for user in [
            "reader",
            "many",
            "sleeper",
            "listener",
            "tls_only",
            "plain_only",
            "certificate",
        ] {
            let password = PASSWORD.replace('\'', "''");
            server.sql("shop", &format!("CREATE USER {user} PASSWORD '{password}'"))?;
        }
        anyhow::Ok(RwLock::new(server))
    };
    SERVER.get_or_try_init(start).await
}

fn query(server: &PostgreSql, user: &str, sql: &str) -> TriggerInput {
    let port = server.port().to_string();
    let metadata = [
        ("host", "127.0.0.1"),
        ("port", port.as_str()),
        ("userName", user),
        ("dbName", "shop"),
        ("sslmode", "disable"),
        ("query", sql),
        ("targetQueryValue", "5"),
        ("activationTargetQueryValue", "2"),
    ];
    trigger("postgresql", &metadata, &[("password", PASSWORD)])
}

/// The same with a connection string.
fn connection(sql: &str, connection: &str) -> TriggerInput {
    let metadata = [("query", sql), ("targetQueryValue", "5")];
    trigger("postgresql", &metadata, &[("connection", connection)])
}

/// The port has to be in every message, and the password in none.
fn is_fit(text: &str, server: &PostgreSql) -> Result<()> {
    let endpoint = format!(":{}/", server.port());
    ensure!(
        text.contains(&endpoint),
        "the message does not name the server: {text}"
    );
    ensure!(
        !text.contains(PASSWORD) && !text.contains("no message"),
        "the message shows the password: {text}"
    );
    Ok(())
}

pub(crate) async fn counts() -> Result<()> {
    let server = shared().await?.read().await;
    server.sql(
        "shop",
        "CREATE TABLE counted (id int); GRANT SELECT ON counted TO reader",
    )?;
    let counted = Probe::new(&query(&server, "reader", "SELECT COUNT(*) FROM counted")).await?;
    counted.is(0.0).await?;
    ensure!(
        counted.ask().await?.active == Some(false),
        "nothing is not active"
    );
    server.sql("shop", "INSERT INTO counted SELECT generate_series(1, 7)")?;
    counted.is(7.0).await?;
    ensure!(counted.ask().await?.active == Some(true), "seven is above two");
    server.sql("shop", "DELETE FROM counted WHERE id > 2")?;
    counted.is(2.0).await?;
    ensure!(counted.ask().await?.active == Some(false), "two is not above two");
    for (sql, want) in [
        ("SELECT 7::int2", 7.0),
        ("SELECT -7::int8", -7.0),
        ("SELECT 2.125::numeric(10, 3)", 2.125),
        ("SELECT 1.5::float4", 1.5),
        ("SELECT 1e2::float8;", 100.0),
        ("SELECT '12'::text -- as text", 12.0),
        ("VALUES (1), (2)", 1.0),
    ] {
        Probe::new(&query(&server, "reader", sql)).await?.is(want).await?;
    }
    let port = server.port();
    let url = format!(
        "postgres://reader@127.0.0.1:{port}/shop?password={}",
        escaped(PASSWORD)
    );
    Probe::new(&connection("SELECT 3", &url)).await?.is(3.0).await
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        let _ = write!(escaped, "%{byte:02x}");
        escaped
    })
}

pub(crate) async fn refusals() -> Result<()> {
    let server = shared().await?.read().await;
    let fails = async |input: &TriggerInput, words: &[&str]| -> Result<()> {
        let text = Probe::new(input).await?.fails().await?;
        for word in words {
            ensure!(text.contains(word), "`{word}` is not in the message: {text}");
        }
        Ok(())
    };
    let mut wrong = query(&server, "reader", "SELECT 1");
    wrong.auth.insert("password", "no message may show this either");
    let text = Probe::new(&wrong).await?.fails().await?;
    is_fit(&text, &server)?;
    ensure!(text.contains("password authentication failed"), "{text}");
    let mut none = wrong.clone();
    none.auth.insert("password", "");
    fails(&none, &["password"]).await?;
    let mut elsewhere = query(&server, "reader", "SELECT 1");
    elsewhere
        .metadata
        .insert("dbName".to_owned(), "nowhere".to_owned());
    fails(&elsewhere, &["database \"nowhere\" does not exist", "/nowhere"]).await?;
    for (sql, words) in [
        (
            "SELECT COUNT(*) FROM missing",
            ["42P01", "\"missing\" does not exist"],
        ),
        ("SELEKT 1", ["42601", "syntax error"]),
        ("SELECT 1 / 0", ["22012", "division by zero"]),
        ("SELECT 1 WHERE false", ["no row", ""]),
        ("SELECT 1, 2", ["2 columns", ""]),
        ("SELECT NULL::int", ["NULL", ""]),
        ("SELECT 'many'", ["`many`", "no number"]),
        ("SELECT true", ["`t`", "no number"]),
        ("SELECT 1; SELECT 2", ["several statements", ""]),
        ("COPY (SELECT 1) TO STDOUT", ["", ""]),
    ] {
        fails(&query(&server, "reader", sql), &words).await?;
    }
    // One trigger's mistakes cost no other its connection.
    Probe::new(&query(&server, "reader", "SELECT 4"))
        .await?
        .is(4.0)
        .await
}

pub(crate) async fn lost_and_back() -> Result<()> {
    let mut server = shared().await?.write().await;
    let probe = Probe::new(&query(&server, "reader", "SELECT 4")).await?;
    probe.is(4.0).await?;
    server.kill();
    for _ in 0..3 {
        is_fit(&probe.fails().await?, &server)?;
    }
    server.restart().await?;
    probe.recovers(4.0).await?;
    // Connections that are ended are replaced before anybody notices.
    server.sql(
        "shop",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'",
    )?;
    probe.is(4.0).await
}

impl Database for PostgreSql {
    fn trigger(&self, user: &str, sql: &str) -> TriggerInput {
        query(self, user, sql)
    }

    fn administer(&self, sql: &str) -> Result<String> {
        self.sql("shop", sql)
    }

    fn asleep(number: usize) -> String {
        format!("SELECT pg_sleep(3600), {number}")
    }

    fn connections_of(user: &str) -> String {
        format!("SELECT COUNT(*) FROM pg_stat_activity WHERE usename = '{user}'")
    }

    fn queries_of(user: &str) -> String {
        Self::connections_of(user) + " AND state = 'active'"
    }
}

pub(crate) async fn slow_queries() -> Result<()> {
    sql::slow_queries(&*shared().await?.read().await).await
}

pub(crate) async fn shared_connections() -> Result<()> {
    sql::shared_connections(&*shared().await?.read().await).await
}

pub(crate) async fn inventory() -> Result<()> {
    let server = shared().await?.read().await;
    server.sql(
        "shop",
        "CREATE SCHEMA depot; CREATE TABLE depot.\"Boxes\" (id int); CREATE TABLE depot.hidden (id int);
         INSERT INTO depot.\"Boxes\" SELECT generate_series(1, 120); ANALYZE depot.\"Boxes\";
         GRANT USAGE ON SCHEMA depot TO reader; GRANT SELECT ON depot.\"Boxes\" TO reader",
    )?;
    let built = scalers::read(&query(&server, "reader", "SELECT 1"))
        .ok()
        .context("the trigger is right")?;
    let offers = Pool::new(Connect::default()).inventory(&built).await?;
    let boxes = offers
        .iter()
        .find(|offer| offer.value == "SELECT COUNT(*) FROM depot.\"Boxes\"")
        .with_context(|| format!("the table is not offered: {offers:?}"))?;
    ensure!(
        (boxes.parameter, boxes.note.as_str()) == ("query", "about 120 rows"),
        "{boxes:?}"
    );
    ensure!(
        !offers.iter().any(|offer| offer.value.contains("hidden")),
        "{offers:?}"
    );
    Probe::new(&query(&server, "reader", &boxes.value))
        .await?
        .is(120.0)
        .await
}
