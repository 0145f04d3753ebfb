//! `metrics-api` over real sockets: credentials, TLS, pods behind a Service, deadlines, shared requests.

#![expect(clippy::float_cmp, reason = "the values are exact")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::metric::MetricName;
use futures::future::BoxFuture;
use jiff::Timestamp;
use scalers::{AuthParams, Connect, Endpoint, EndpointSource, Pool, ScalerError, TriggerInput};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Names and values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A server that writes down every request and answers one status and body.
#[derive(Clone)]
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    count: Arc<AtomicU32>,
    /// Every answer takes one permit.
    gate: Arc<Semaphore>,
}

const OPEN: usize = 1_000;

impl Server {
    async fn start(reply: (u16, &str), permits: usize, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Self {
            port,
            requests: Arc::default(),
            count: Arc::default(),
            gate: Arc::new(Semaphore::new(permits)),
        };
        let (own, (status, body)) = (server.clone(), (reply.0, reply.1.to_owned()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (own, body, tls) = (own.clone(), body.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                own.talk(stream, status, &body).await;
                            }
                        }
                        None => own.talk(stream, status, &body).await,
                    }
                });
            }
        });
        server
    }

    async fn talk(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, status: u16, body: &str) {
        loop {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => return,
                }
            }
            self.count.fetch_add(1, Ordering::Relaxed);
            let request = String::from_utf8_lossy(&request).into_owned();
            let length = request
                .to_lowercase()
                .find("content-length: ")
                .map(|at| request[at + 16..].to_owned());
            let length =
                length.and_then(|rest| rest.lines().next().and_then(|line| line.trim().parse().ok()));
            let mut posted = vec![0; length.unwrap_or(0)];
            if stream.read_exact(&mut posted).await.is_err() {
                return;
            }
            let whole = format!("{request}{}", String::from_utf8_lossy(&posted));
            self.requests.lock().expect("the list").push(whole);
            self.gate.acquire().await.expect("an open gate").forget();
            let reply = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn last(&self) -> String {
        self.requests
            .lock()
            .expect("the list")
            .last()
            .cloned()
            .unwrap_or_default()
    }
}

fn trigger(url: &str, metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> scalers::Built {
    let mut settings = BTreeMap::from([
        ("url", url),
        ("valueLocation", "depth"),
        ("targetValue", "5"),
        ("activationTargetValue", "3"),
    ]);
    settings.extend(metadata.iter().copied());
    let mut params = AuthParams::default();
    for (parameter, value) in auth {
        params.insert(*parameter, *value);
    }
    let input = TriggerInput {
        type_: "metrics-api".to_owned(),
        metadata: settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        auth: params,
        ..TriggerInput::default()
    };
    scalers::read(&input).expect("a trigger")
}

async fn ask(pool: &Pool, built: &scalers::Built) -> Result<(f64, Option<bool>), ScalerError> {
    let samples = pool
        .ask(
            built,
            &MetricName::new("s0-metric-api-depth"),
            Timestamp::UNIX_EPOCH,
        )
        .await?;
    Ok((samples[0].value, samples[0].active))
}

#[tokio::test]
async fn a_value_above_the_threshold_is_active() {
    let pool = Pool::new(Connect::default());
    for (body, wanted) in [
        (r#"{"depth": 3}"#, (3.0, Some(false))),
        (r#"{"depth": 3.5}"#, (3.5, Some(true))),
    ] {
        let server = Server::start((200, body), OPEN, None).await;
        let built = trigger(&format!("http://127.0.0.1:{}/v1?a=b", server.port), &[], &[]);
        assert_eq!(ask(&pool, &built).await.expect("a value"), wanted);
        assert!(
            server.last().starts_with("GET /v1?a=b HTTP/1.1"),
            "{}",
            server.last()
        );
    }
    assert_eq!(pool.connections().len(), 2);
}

#[tokio::test]
async fn every_mode_puts_its_credentials_into_the_request() {
    let server = Server::start(
        (200, r#"{"depth": 1, "access_token": "t0k", "expires_in": 3600}"#),
        OPEN,
        None,
    )
    .await;
    let url = format!("http://127.0.0.1:{}/v1", server.port);
    let pool = Pool::new(Connect::default());
    let token = format!("http://127.0.0.1:{}/token", server.port);
    let oauth = [
        ("oauthTokenURI", token.as_str()),
        ("clientID", "me"),
        ("clientSecret", "s&c"),
        ("scopes", "a,b"),
    ];
    let cases: &[(&str, Pairs<'_>, Pairs<'_>, &str)] = &[
        (
            "basic",
            &[],
            &[("username", "me"), ("password", "pw")],
            "authorization: Basic bWU6cHc=",
        ),
        ("bearer", &[], &[("token", "t0k")], "authorization: Bearer t0k"),
        ("apiKey", &[], &[("apiKey", "k3y")], "x-api-key: k3y"),
        (
            "apiKey",
            &[("method", "query")],
            &[("apiKey", "k&y")],
            "GET /v1?api_key=k%26y ",
        ),
        (
            "apiKey",
            &[("keyParamName", "X-Mine")],
            &[("apiKey", "k3y")],
            "x-mine: k3y",
        ),
        (
            "custom",
            &[],
            &[("customAuthHeader", "X-C"), ("customAuthValue", "v")],
            "x-c: v",
        ),
        ("oauth", &[], &oauth, "authorization: Bearer t0k"),
    ];
    for (mode, metadata, auth, wanted) in cases {
        let mut all = metadata.to_vec();
        all.push(("authModes", mode));
        ask(&pool, &trigger(&url, &all, auth)).await.expect("a value");
        assert!(server.last().contains(wanted), "{mode}: {}", server.last());
    }
    let requests = server.requests.lock().expect("the list").clone();
    let grant = requests
        .iter()
        .find(|request| request.starts_with("POST /token"))
        .expect("a request for a token");
    let form = "grant_type=client_credentials&client_id=me&client_secret=s%26c&scope=a+b";
    assert!(grant.ends_with(form), "{grant}");

    // Without a mode the parameters are not looked at.
    ask(
        &pool,
        &trigger(&url, &[], &[("token", "t0k"), ("username", "me")]),
    )
    .await
    .expect("a value");
    assert!(!server.last().contains("authorization"), "{}", server.last());
}

#[tokio::test]
async fn failures_say_what_happened_and_never_a_credential() {
    let pool = Pool::new(Connect::default());
    let query = [("authModes", "apiKey"), ("method", "query")];
    for (status, wanted) in [
        (500, "answered with status 500"),
        (401, "refused the credentials: status 401"),
    ] {
        let server = Server::start((status, "{}"), OPEN, None).await;
        let built = trigger(
            &format!("http://127.0.0.1:{}/", server.port),
            &query,
            &[("apiKey", "hush-hush")],
        );
        let error = ask(&pool, &built).await.expect_err("a failure").chain();
        assert!(error.contains(wanted) && !error.contains("hush-hush"), "{error}");
    }
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("an address");
    let built = trigger(&format!("http://{closed}/"), &query, &[("apiKey", "hush-hush")]);
    let error = ask(&pool, &built).await.expect_err("nobody there").chain();
    assert!(
        error.starts_with(&format!("cannot reach http://{closed}")),
        "{error}"
    );
    assert!(!error.contains("hush-hush"), "{error}");
    let report = format!("{:?}", pool.connections());
    assert!(!report.contains("hush-hush"), "{report}");
}

#[tokio::test]
async fn a_reading_ends_at_its_deadline() {
    let server = Server::start((200, "{}"), 0, None).await;
    let url = format!("http://127.0.0.1:{}/", server.port);
    let pool = Pool::new(Connect {
        timeout: Duration::from_hours(1),
        ..Connect::default()
    });
    let error = ask(&pool, &trigger(&url, &[("timeout", "30")], &[]))
        .await
        .expect_err("no answer");
    assert_eq!(
        error.to_string(),
        format!("no answer from http://127.0.0.1:{} within 30ms", server.port)
    );
    let pool = Pool::new(Connect {
        timeout: Duration::from_millis(30),
        ..Connect::default()
    });
    let error = ask(&pool, &trigger(&url, &[("timeout", "0")], &[]))
        .await
        .expect_err("no answer");
    assert!(matches!(error, ScalerError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn equal_questions_in_flight_become_one_request() {
    let server = Server::start((200, r#"{"depth": 4}"#), 0, None).await;
    let url = format!("http://127.0.0.1:{}/", server.port);
    let pool = Pool::new(Connect::default());
    let (one, other) = (
        trigger(&url, &[], &[]),
        trigger(&url, &[("targetValue", "9")], &[]),
    );
    let release = async {
        until("a request", || server.count.load(Ordering::Relaxed) > 0).await;
        server.gate.add_permits(1);
    };
    let (first, second, ()) = tokio::join!(ask(&pool, &one), ask(&pool, &other), release);
    assert_eq!(
        (first.expect("a value").0, second.expect("a value").0),
        (4.0, 4.0)
    );
    assert_eq!(server.count.load(Ordering::Relaxed), 1);
    let report = pool.connections().remove(0);
    assert_eq!(
        (report.asked, report.shared, report.failed, report.in_flight),
        (1, 1, 0, 0)
    );

    // The next question is asked anew, over the same source.
    server.gate.add_permits(1);
    ask(&pool, &one).await.expect("a value");
    assert_eq!(server.count.load(Ordering::Relaxed), 2);
    assert_eq!(pool.connections().len(), 1);
}

#[tokio::test]
async fn a_pool_that_is_shut_down_answers_at_once() {
    let server = Server::start((200, r#"{"depth": 4}"#), OPEN, None).await;
    let built = trigger(&format!("http://127.0.0.1:{}/", server.port), &[], &[]);
    let pool = Pool::new(Connect::default());
    ask(&pool, &built).await.expect("a value");
    pool.shutdown().await;
    assert!(matches!(ask(&pool, &built).await, Err(ScalerError::Closed)));
    assert_eq!(pool.connections(), []);
}

/// Waits for a condition, and fails a run in which it never comes.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), wait).await;
    assert!(waited.is_ok(), "waited a minute for {what}");
}

#[tokio::test]
async fn an_idle_source_closes() {
    let server = Server::start((200, r#"{"depth": 4}"#), OPEN, None).await;
    let built = trigger(&format!("http://127.0.0.1:{}/", server.port), &[], &[]);
    let pool = Pool::new(Connect {
        idle: Duration::from_millis(40),
        ..Connect::default()
    });
    ask(&pool, &built).await.expect("a value");
    until("the idle source to close", || pool.connections().is_empty()).await;
    ask(&pool, &built).await.expect("it opens again");
}

/// Certificates of a server and a client, signed by one authority.
struct Pki {
    ca: String,
    server: TlsAcceptor,
    client: (String, String),
}

fn pki() -> Pki {
    let ca_key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = parameters.self_signed(&ca_key).expect("a CA");
    let issuer = rcgen::Issuer::new(parameters, ca_key);
    let signed = |name: &str| {
        let key = rcgen::KeyPair::generate().expect("a key");
        let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        (parameters.signed_by(&key, &issuer).expect("a certificate"), key)
    };
    let (server, server_key) = signed("localhost");
    let (client, client_key) = signed("client");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).expect("a root");
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .expect("a verifier");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![server.der().clone()],
            rustls::pki_types::PrivateKeyDer::Pkcs8(server_key.serialize_der().into()),
        )
        .expect("a pair");
    Pki {
        ca: ca.pem(),
        server: TlsAcceptor::from(Arc::new(config)),
        client: (client.pem(), client_key.serialize_pem()),
    }
}

#[tokio::test]
async fn tls_is_verified_unless_told_otherwise() {
    let pki = pki();
    let server = Server::start((200, r#"{"depth": 4}"#), OPEN, Some(pki.server.clone())).await;
    let url = format!("https://localhost:{}/", server.port);
    let pool = Pool::new(Connect::default());

    let error = ask(&pool, &trigger(&url, &[], &[]))
        .await
        .expect_err("an unknown authority")
        .chain();
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert_eq!(
        ask(&pool, &trigger(&url, &[], &[("ca", &pki.ca)]))
            .await
            .expect("a value")
            .0,
        4.0
    );
    assert_eq!(
        ask(&pool, &trigger(&url, &[("unsafeSsl", "true")], &[]))
            .await
            .expect("a value")
            .0,
        4.0
    );
    let (cert, key) = (pki.client.0.as_str(), pki.client.1.as_str());
    let own = [("ca", pki.ca.as_str()), ("cert", cert), ("key", key)];
    assert_eq!(
        ask(&pool, &trigger(&url, &[("authModes", "tls")], &own))
            .await
            .expect("a value")
            .0,
        4.0
    );
    let broken = [("ca", pki.ca.as_str()), ("cert", "no certificate"), ("key", key)];
    let error = ask(&pool, &trigger(&url, &[("authModes", "tls")], &broken))
        .await
        .expect_err("no certificate");
    assert_eq!(
        error.to_string(),
        "cannot use `cert`: it holds no PEM certificate"
    );
}

/// Two pods behind one Service.
struct Pods(u16);

impl EndpointSource for Pods {
    fn ready<'a>(
        &'a self,
        namespace: &'a str,
        service: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Endpoint>, ScalerError>> {
        let found = (namespace, service) == ("shop", "stats");
        let addresses: &[u8] = if found { &[1, 2] } else { &[] };
        let pod = |last: &u8| Endpoint {
            address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, *last)),
            ports: vec![(String::new(), self.0)],
        };
        let pods = addresses.iter().map(pod).collect();
        Box::pin(async move { Ok(pods) })
    }
}

#[tokio::test]
async fn every_ready_pod_of_a_service_is_asked() {
    let server = Server::start((200, r#"{"depth": 4}"#), OPEN, None).await;
    let pool = Pool::new(Connect {
        endpoints: Some(Arc::new(Pods(server.port))),
        ..Connect::default()
    });
    let settings = [
        ("aggregateFromKubeServiceEndpoints", "true"),
        ("aggregationType", "sum"),
    ];
    let built = |host: &str| trigger(&format!("http://{host}:{}/v1", server.port), &settings, &[]);
    // Only 127.0.0.1 has a listener: the pod at 127.0.0.2 does not answer and is left out.
    assert_eq!(
        ask(&pool, &built("stats.shop.svc")).await.expect("a value").0,
        4.0
    );
    assert!(server.last().starts_with("GET /v1 "), "{}", server.last());
    let error = ask(&pool, &built("none.shop.svc"))
        .await
        .expect_err("no pods")
        .to_string();
    assert_eq!(error, "the Service `shop/none` has no ready endpoint");
    let error = ask(&pool, &built("stats"))
        .await
        .expect_err("no namespace")
        .to_string();
    assert_eq!(error, "the host `stats` must be `service.namespace`");
    let alone = Pool::new(Connect::default());
    let error = ask(&alone, &built("stats.shop"))
        .await
        .expect_err("no cluster")
        .to_string();
    assert!(error.contains("needs a cluster"), "{error}");
}
