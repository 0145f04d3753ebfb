//! `prometheus` against Debian's server, and against one of our own that misbehaves.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::pki::Authority;
use harness::prometheus::{Access, PASSWORD, Prometheus, USER};
use harness::tier::Tier;
use scalers::{Connect, Errand, Nulls, Observer, Pool, TriggerInput};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::folder;
use super::probe::{Probe, trigger};

/// The cases of this file.
pub(crate) fn cases(tier: Tier) -> Tier {
    tier.case("prometheus_values_are_exact", values)
        .case("prometheus_without_a_result", no_result)
        .case(
            "prometheus_logs_in_and_trusts_the_given_authority_only",
            logins_and_tls,
        )
        .case(
            "prometheus_lost_and_back_is_an_error_then_the_value",
            lost_and_back,
        )
        .case("prometheus_inventory_is_a_list", inventory)
        .case("prometheus_hostile_replies_are_errors", hostile_replies)
}

fn query(url: &str, query: &str, more: &[(&str, &str)]) -> TriggerInput {
    let mut metadata = vec![
        ("serverAddress", url),
        ("query", query),
        ("threshold", "5"),
        ("activationThreshold", "2"),
    ];
    metadata.extend_from_slice(more);
    trigger("prometheus", &metadata, &[])
}

async fn values() -> Result<()> {
    let server = Prometheus::start(&folder("prometheus")?, &Access::default()).await?;
    let url = server.url();
    for (text, want, active) in [
        ("vector(7)", 7.0, true),
        ("vector(2)", 2.0, false),
        ("vector(0)", 0.0, false),
        ("vector(2.125) * 2", 4.25, true),
        ("sum(vector(-3))", 0.0, false),
    ] {
        let probe = Probe::new(&query(&url, text, &[])).await?;
        probe.is(want).await?;
        ensure!(probe.ask().await?.active == Some(active), "{text}: activity");
    }
    // The server answers for the second that it is asked about.
    let time = Probe::new(&query(&url, "vector(time())", &[])).await?;
    let now = time.ask().await?.value;
    ensure!(
        now > 1_700_000_000.0 && now.fract() == 0.0,
        "the time of asking was not sent: {now}"
    );
    // What the server does not know it leaves aside.
    let more = [("queryParameters", "timeout=1s,x=a b"), ("namespace", "shop")];
    Probe::new(&query(&url, "vector(7)", &more)).await?.is(7.0).await
}

async fn no_result() -> Result<()> {
    let server = Prometheus::start(&folder("prometheus-none")?, &Access::default()).await?;
    let url = server.url();
    let strict = [("ignoreNullValues", "false")];
    for text in ["vector(1) > 2", "vector(0) / 0", "vector(1) / 0"] {
        Probe::new(&query(&url, text, &[])).await?.is(0.0).await?;
        let said = Probe::new(&query(&url, text, &strict)).await?.fails().await?;
        ensure!(said.contains("result"), "{text}: {said}");
    }
    let seen = Arc::new(Seen::default());
    let pool = Pool::new(Connect {
        observer: Some(Arc::clone(&seen) as Arc<dyn Observer>),
        ..Connect::default()
    });
    let built = scalers::read(&query(&url, "vector(1) > 2", &strict))
        .map_err(|found| anyhow::anyhow!("{found:?}"))?;
    let metric = engine::metric::MetricName::new("s0-prometheus");
    for _ in 0..2 {
        ensure!(
            pool.ask(&built, &metric, jiff::Timestamp::now()).await.is_err(),
            "nothing is a failure here"
        );
    }
    let counted = seen.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(counted == [Nulls::Refused; 2], "{counted:?}");

    for (text, words) in [
        ("scalar(vector(1))", "no instant vector"),
        ("\"text\"", "no instant vector"),
        (
            "vector(1) or label_replace(vector(2), \"a\", \"b\", \"\", \"\")",
            "2 results",
        ),
        ("sum(", "400"),
    ] {
        let said = Probe::new(&query(&url, text, &[])).await?.fails().await?;
        ensure!(said.contains(words), "{text}: {said}");
    }
    let said = Probe::new(&query(&url, "sum(", &[])).await?.fails().await?;
    ensure!(
        said.contains("parse error"),
        "what the server says is left out: {said}"
    );
    Ok(())
}

async fn logins_and_tls() -> Result<()> {
    let dir = folder("prometheus-tls")?;
    let ca = Authority::new(&dir, "prometheus-ca")?;
    let foreign = Authority::new(&dir, "foreign-ca")?;
    let access = Access {
        guarded: true,
        tls: Some(ca.issue("prometheus")?),
    };
    let server = Prometheus::start(&dir, &access).await?;
    let url = server.url();
    let metadata = [
        ("serverAddress", url.as_str()),
        ("query", "vector(7)"),
        ("threshold", "5"),
        ("authModes", "basic"),
    ];
    let login = |password| [("username", USER), ("password", password), ("ca", ca.pem())];
    Probe::new(&trigger("prometheus", &metadata, &login(PASSWORD)))
        .await?
        .is(7.0)
        .await?;
    let wrong = Probe::new(&trigger("prometheus", &metadata, &login("hush-hush")))
        .await?
        .fails()
        .await?;
    ensure!(wrong.contains("401") && wrong.contains(&url), "{wrong}");
    ensure!(
        !wrong.contains("hush-hush"),
        "the message shows the password: {wrong}"
    );
    let distrusting = [("username", USER), ("password", PASSWORD), ("ca", foreign.pem())];
    let text = Probe::new(&trigger("prometheus", &metadata, &distrusting))
        .await?
        .fails()
        .await?;
    ensure!(
        text.contains("certificate") || text.contains("UnknownIssuer"),
        "the message does not name the certificate: {text}"
    );
    let unchecked = [&metadata[..], &[("unsafeSsl", "true")]].concat();
    let login = [("username", USER), ("password", PASSWORD)];
    Probe::new(&trigger("prometheus", &unchecked, &login))
        .await?
        .is(7.0)
        .await
}

async fn lost_and_back() -> Result<()> {
    let mut server = Prometheus::start(&folder("prometheus-lost")?, &Access::default()).await?;
    let probe = Probe::new(&query(&server.url(), "vector(4)", &[])).await?;
    probe.is(4.0).await?;
    server.kill();
    let text = probe.fails().await?;
    ensure!(
        text.contains(&server.url()),
        "the message does not name the server: {text}"
    );
    server.restart().await?;
    probe.recovers(4.0).await
}

async fn inventory() -> Result<()> {
    let server = Prometheus::start(&folder("prometheus-names")?, &Access::default()).await?;
    let built =
        scalers::read(&query(&server.url(), "up", &[])).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    // It has scraped nothing, so it has no names; that is a list all the same.
    let offers = Pool::new(Connect::default()).inventory(&built).await?;
    ensure!(offers.is_empty(), "{offers:?}");
    Ok(())
}

/// A server that sends the same bytes to everybody and hangs up.
async fn sends(reply: Vec<u8>) -> Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    harness::runtime().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                // The peer may be gone at any moment; that is its right.
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&reply).await;
            });
        }
    });
    Ok(address)
}

fn http(status: &str, length: usize, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

async fn hostile_replies() -> Result<()> {
    const GOOD: &str = r#"{"data":{"result":[{"value":[1,"7"]}]}}"#;
    let whole = |status: &str, body: &str| http(status, body.len(), body);
    for (reply, want) in [
        (whole("200 OK", GOOD), Ok(7.0)),
        (whole("203 Changed", GOOD), Ok(7.0)),
        (http("200 OK", 500, GOOD), Err("cannot reach")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
            Err("cannot reach"),
        ),
        (b"nothing of the kind\r\n\r\n".to_vec(), Err("cannot reach")),
        (Vec::new(), Err("cannot reach")),
        (whole("200 OK", &"[".repeat(1 << 20)), Err("no instant vector")),
        (
            whole("200 OK", &" ".repeat((16 << 20) + 1)),
            Err("more than 16777216 bytes"),
        ),
        (
            whole("503 Busy", r#"{"error":"too many\nqueries"}"#),
            Err("503 Service Unavailable: too many queries"),
        ),
        (
            whole("503 Busy", r#"{"error":"the key was k3y"}"#),
            Err("503 Service Unavailable"),
        ),
        (
            whole("500 Broken", &"x".repeat(1 << 20)),
            Err("500 Internal Server Error"),
        ),
        (whole("404 Not Found", "<html>"), Err("404 Not Found")),
    ] {
        let url = format!("http://{}", sends(reply.clone()).await?);
        let mut input = query(&url, "vector(1)", &[("authModes", "apiKey")]);
        input.auth.insert("apiKey", "k3y");
        let probe = Probe::new(&input).await?;
        let shown = String::from_utf8_lossy(&reply[..reply.len().min(80)]).into_owned();
        match (probe.ask().await, want) {
            (Ok(sample), Ok(want)) => ensure!((sample.value - want).abs() < f64::EPSILON, "{shown}"),
            (Err(error), Err(words)) => {
                let text = error.chain();
                ensure!(text.contains(words) && !text.contains("k3y"), "{shown}: {text}");
            }
            (got, _) => anyhow::bail!("{shown}: {got:?}"),
        }
    }
    Ok(())
}

/// Remembers the answers without data.
#[derive(Default)]
struct Seen(Mutex<Vec<Nulls>>);

impl Observer for Seen {
    fn http_request(&self, _: &Errand, _: Option<u16>, _: Duration) {}

    fn empty_answer(&self, _: &Errand, nulls: Nulls) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(nulls);
    }
}
