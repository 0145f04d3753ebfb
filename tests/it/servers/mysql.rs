//! `mysql` against Debian's MariaDB, which all cases share; the one that ends it waits for the others, and they for it.

use anyhow::{Context as _, Result, ensure};
use harness::mysql::MySql;
use harness::pki::Authority;
use scalers::{Connect, Pool, Roots, TriggerInput};
use tokio::sync::{OnceCell, RwLock};

use super::folder;
use super::probe::{Probe, trigger};
use super::sql::{self, Database};

const PASSWORD: &str = r"it's a \password/ that @no:message may show";

static SERVER: OnceCell<RwLock<MySql>> = OnceCell::const_new();

async fn shared() -> Result<&'static RwLock<MySql>> {
    let start = || async {
        let server = MySql::start(&folder("mysql")?).await?;
        server.sql("CREATE DATABASE shop")?;
        let password = PASSWORD.replace('\\', r"\\").replace('\'', "''");
        for user in ["reader", "many", "sleeper"] {
            let host = "'127.0.0.1'";
            server.sql(&format!(
                "CREATE USER {user}@{host} IDENTIFIED BY '{password}'; GRANT SELECT ON shop.* TO {user}@{host}"
            ))?;
        }
        anyhow::Ok(RwLock::new(server))
    };
    SERVER.get_or_try_init(start).await
}

fn query(server: &MySql, user: &str, sql: &str) -> TriggerInput {
    let port = server.port().to_string();
    let metadata = [
        ("host", "127.0.0.1"),
        ("port", port.as_str()),
        ("username", user),
        ("dbName", "shop"),
        ("query", sql),
        ("queryValue", "5"),
        ("activationQueryValue", "2"),
    ];
    trigger("mysql", &metadata, &[("password", PASSWORD)])
}

/// The same with a connection string.
fn connection(server: &MySql, sql: &str, parameters: &str) -> TriggerInput {
    let string = format!(
        "reader:{PASSWORD}@tcp(127.0.0.1:{})/shop{parameters}",
        server.port()
    );
    trigger(
        "mysql",
        &[("query", sql), ("queryValue", "5")],
        &[("connectionString", &string)],
    )
}

/// The port has to be in every message, and the password in none.
fn is_fit(text: &str, server: &MySql) -> Result<()> {
    let endpoint = format!("127.0.0.1:{}/", server.port());
    ensure!(
        text.contains(&endpoint),
        "the message does not name the server: {text}"
    );
    ensure!(
        !text.contains(PASSWORD) && !text.contains("@no:message"),
        "the message shows the password: {text}"
    );
    Ok(())
}

pub(crate) async fn counts() -> Result<()> {
    let server = shared().await?.read().await;
    server.sql("CREATE TABLE shop.counted (id int)")?;
    let counted = Probe::new(&query(&server, "reader", "SELECT COUNT(*) FROM counted")).await?;
    counted.is(0.0).await?;
    ensure!(
        counted.ask().await?.active == Some(false),
        "nothing is not active"
    );
    server.sql("INSERT INTO shop.counted VALUES (1), (2), (3), (4), (5), (6), (7)")?;
    counted.is(7.0).await?;
    ensure!(counted.ask().await?.active == Some(true), "seven is above two");
    server.sql("DELETE FROM shop.counted WHERE id > 2")?;
    counted.is(2.0).await?;
    ensure!(counted.ask().await?.active == Some(false), "two is not above two");
    for (sql, want) in [
        ("SELECT CAST(-7 AS SIGNED)", -7.0),
        ("SELECT CAST(2.125 AS DECIMAL(10, 3))", 2.125),
        ("SELECT 1.5e0", 1.5),
        ("SELECT '12' -- as text", 12.0),
        ("SELECT true", 1.0),
        ("SELECT 1 UNION ALL SELECT 2", 1.0),
    ] {
        Probe::new(&query(&server, "reader", sql)).await?.is(want).await?;
    }
    let zone = connection(
        &server,
        "SELECT @@time_zone = '+03:00'",
        "?time_zone=%27%2B03%3A00%27&parseTime=true",
    );
    Probe::new(&zone).await?.is(1.0).await
}

pub(crate) async fn refusals() -> Result<()> {
    let server = shared().await?.read().await;
    let mut wrong = query(&server, "reader", "SELECT 1");
    wrong.auth.insert("password", "@no:message shows this either");
    let text = Probe::new(&wrong).await?.fails().await?;
    is_fit(&text, &server)?;
    ensure!(text.contains("Access denied for user 'reader'"), "{text}");
    let mut elsewhere = query(&server, "reader", "SELECT 1");
    elsewhere
        .metadata
        .insert("dbName".to_owned(), "nowhere".to_owned());
    let text = Probe::new(&elsewhere).await?.fails().await?;
    ensure!(text.contains("to database 'nowhere'"), "{text}");
    for (sql, words) in [
        (
            "SELECT COUNT(*) FROM missing",
            ["1146", "'shop.missing' doesn't exist"],
        ),
        ("SELEKT 1", ["1064", "error in your SQL syntax"]),
        ("SELECT 1 FROM mysql.user", ["1142", "SELECT command denied"]),
        ("SELECT 1 FROM dual WHERE false", ["no row", ""]),
        ("SELECT 1, 2", ["2 columns", ""]),
        ("SELECT NULL", ["NULL", ""]),
        ("SELECT 'many'", ["`many`", "no number"]),
        ("SELECT 1; SELECT 2", ["1064", ""]),
        ("DO 1", ["no row", ""]),
    ] {
        let text = Probe::new(&query(&server, "reader", sql)).await?.fails().await?;
        for word in words {
            ensure!(
                text.contains(word),
                "`{word}` is not in the message for `{sql}`: {text}"
            );
        }
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
    server.sql("KILL USER reader@'127.0.0.1'")?;
    probe.is(4.0).await
}

impl Database for MySql {
    fn trigger(&self, user: &str, sql: &str) -> TriggerInput {
        query(self, user, sql)
    }

    fn administer(&self, sql: &str) -> Result<String> {
        self.sql(sql)
    }

    fn asleep(number: usize) -> String {
        format!("SELECT SLEEP(3600) + {number}")
    }

    fn connections_of(user: &str) -> String {
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{user}'")
    }

    fn queries_of(user: &str) -> String {
        Self::connections_of(user) + " AND command = 'Query'"
    }
}

pub(crate) async fn slow_queries() -> Result<()> {
    sql::slow_queries(&*shared().await?.read().await).await
}

pub(crate) async fn shared_connections() -> Result<()> {
    sql::shared_connections(&*shared().await?.read().await).await
}

pub(crate) async fn tls() -> Result<()> {
    let server = shared().await?.read().await;
    let foreign = folder("mysql-foreign")?;
    Authority::new(&foreign, "foreign-ca")?;
    let trusting = |directory: &std::path::Path| {
        Pool::new(Connect {
            roots: Roots::with_directories(&[directory]),
            ..Connect::default()
        })
    };
    let home = folder("mysql-trusted")?;
    std::fs::write(home.join("ca.crt"), server.ca.pem())?;
    let (ours, theirs) = (trusting(&home), trusting(&foreign));
    // A status variable is text: the name of the cipher, which is empty without TLS.
    let encrypted = "SELECT variable_value <> '' FROM information_schema.session_status \
                     WHERE variable_name = 'Ssl_cipher'";
    for (pool, parameters, want) in [
        (&ours, "", 0.0),
        (&ours, "?tls=false", 0.0),
        (&ours, "?tls=true", 1.0),
        (&theirs, "?tls=skip-verify", 1.0),
        (&theirs, "?tls=preferred", 1.0),
    ] {
        let probe = Probe::on(pool, &connection(&server, encrypted, parameters)).await?;
        probe.is(want).await.context(parameters)?;
    }
    let text = Probe::on(&theirs, &connection(&server, encrypted, "?tls=true"))
        .await?
        .fails()
        .await?;
    ensure!(
        text.contains("UnknownIssuer"),
        "the message does not name the certificate: {text}"
    );
    is_fit(&text, &server)
}

pub(crate) async fn inventory() -> Result<()> {
    let server = shared().await?.read().await;
    server.sql("CREATE TABLE shop.`box``es` (id int); INSERT INTO shop.`box``es` VALUES (1), (2), (3); ANALYZE TABLE shop.`box``es`")?;
    let built = scalers::read(&query(&server, "reader", "SELECT 1"))
        .ok()
        .context("the trigger is right")?;
    let offers = Pool::new(Connect::default()).inventory(&built).await?;
    let boxes = offers
        .iter()
        .find(|offer| offer.value == "SELECT COUNT(*) FROM `shop`.`box``es`")
        .with_context(|| format!("the table is not offered: {offers:?}"))?;
    ensure!(
        (boxes.parameter, boxes.note.as_str()) == ("query", "about 3 rows"),
        "{boxes:?}"
    );
    Probe::new(&query(&server, "reader", &boxes.value))
        .await?
        .is(3.0)
        .await
}
