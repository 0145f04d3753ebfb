//! `metrics-api` against an HTTP server of our own: each way to log in, each format, TLS, and refusals.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use harness::pki::Authority;
use harness::source::{Answer, Source};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::folder;
use super::probe::{Probe, trigger};

const SECRET: &str = "a-key-that-no-message-may-show";

/// Answers 12.5 to whoever logs in as the path says.
async fn guarded() -> Result<SocketAddr> {
    async fn login(
        path: axum::extract::Path<String>,
        headers: HeaderMap,
        query: Query<HashMap<String, String>>,
    ) -> Response {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let basic = "Basic YWxpY2U6YS1rZXktdGhhdC1uby1tZXNzYWdlLW1heS1zaG93";
        let good = match path.as_str() {
            "key" => header("x-api-key") == SECRET,
            "own-header" => header("x-own") == SECRET,
            "query" => query.get("api_key").is_some_and(|k| k == SECRET),
            "bearer" => header("authorization") == format!("Bearer {SECRET}"),
            "basic" => header("authorization") == basic,
            "custom" => header("x-custom") == SECRET,
            _ => false,
        };
        if good {
            axum::Json(serde_json::json!({"a": [{"b": "12.5"}]})).into_response()
        } else {
            StatusCode::UNAUTHORIZED.into_response()
        }
    }
    serve(Router::new().route("/{path}", get(login))).await
}

async fn serve(app: Router) -> Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    harness::runtime().spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

pub(crate) async fn logins() -> Result<()> {
    let address = guarded().await?;
    let ways: &[(&str, &[(&str, &str)])] = &[
        ("key", &[("authMode", "apiKey"), ("apiKey", SECRET)]),
        (
            "own-header",
            &[
                ("authMode", "apiKey"),
                ("apiKey", SECRET),
                ("keyParamName", "X-Own"),
            ],
        ),
        (
            "query",
            &[("authMode", "apiKey"), ("apiKey", SECRET), ("method", "query")],
        ),
        ("bearer", &[("authMode", "bearer"), ("token", SECRET)]),
        (
            "basic",
            &[("authMode", "basic"), ("username", "alice"), ("password", SECRET)],
        ),
        (
            "custom",
            &[
                ("authModes", "custom"),
                ("customAuthHeader", "X-Custom"),
                ("customAuthValue", SECRET),
            ],
        ),
    ];
    for (path, auth) in ways {
        let url = format!("http://{address}/{path}");
        let metadata = [
            ("url", url.as_str()),
            ("valueLocation", "a.0.b"),
            ("targetValue", "10"),
        ];
        Probe::new(&trigger("metrics-api", &metadata, auth))
            .await?
            .is(12.5)
            .await?;
        let refused = Probe::new(&trigger("metrics-api", &metadata, &[]))
            .await?
            .fails()
            .await?;
        ensure!(
            refused.contains("401"),
            "{path}: the message does not name the status: {refused}"
        );
        ensure!(
            !refused.contains(SECRET),
            "{path}: the message shows the secret: {refused}"
        );
    }
    Ok(())
}

pub(crate) async fn formats() -> Result<()> {
    let text = |body: &'static str| get(move || async move { Response::new(Body::from(body)) });
    let app = Router::new()
        .route("/json", text(r#"{"queue": {"length": 7}, "memory": "1.5Ki"}"#))
        .route("/xml", text("<root><queue><length>8</length></queue></root>"))
        .route("/yaml", text("queue:\n  length: 9\n"))
        .route(
            "/prometheus",
            text("# TYPE jobs gauge\njobs{queue=\"a\"} 1\njobs{queue=\"b\"} 10\n"),
        )
        .route("/text", text("not at all"));
    let address = serve(app).await?;
    let cases = [
        ("json", "queue.length", 7.0),
        ("json", "memory", 1536.0),
        ("xml", "root.queue.length", 8.0),
        ("yaml", "queue.length", 9.0),
        ("prometheus", "jobs{queue=\"b\"}", 10.0),
    ];
    for (format, location, want) in cases {
        let url = format!("http://{address}/{format}");
        let metadata = [
            ("url", url.as_str()),
            ("format", format),
            ("valueLocation", location),
            ("targetValue", "1"),
        ];
        Probe::new(&trigger("metrics-api", &metadata, &[]))
            .await?
            .is(want)
            .await?;
    }
    let url = format!("http://{address}/text");
    let metadata = [
        ("url", url.as_str()),
        ("valueLocation", "queue.length"),
        ("targetValue", "1"),
    ];
    Probe::new(&trigger("metrics-api", &metadata, &[]))
        .await?
        .fails()
        .await?;
    Ok(())
}

pub(crate) async fn lost_and_back() -> Result<()> {
    let source = Source::start().await?;
    let url = source.url("queue");
    let metadata = [
        ("url", url.as_str()),
        ("valueLocation", "value"),
        ("targetValue", "10"),
        ("activationTargetValue", "3"),
    ];
    let probe = Probe::new(&trigger("metrics-api", &metadata, &[])).await?;
    probe.is(0.0).await?;
    source.set("queue", Answer::Value(3.0));
    ensure!(
        probe.ask().await?.active == Some(false),
        "the activation value itself is not active"
    );
    source.set("queue", Answer::Fails);
    let text = probe.fails().await?;
    ensure!(
        text.contains("500"),
        "the message does not name the status: {text}"
    );
    source.set("queue", Answer::Value(4.0));
    probe.is(4.0).await?;
    ensure!(
        probe.ask().await?.active == Some(true),
        "above the activation value is active"
    );

    let nobody = format!("http://127.0.0.1:{}/", harness::free_port());
    let metadata = [
        ("url", nobody.as_str()),
        ("valueLocation", "value"),
        ("targetValue", "10"),
    ];
    let text = Probe::new(&trigger("metrics-api", &metadata, &[]))
        .await?
        .fails()
        .await?;
    ensure!(text.contains("refused"), "the message does not say why: {text}");
    Ok(())
}

pub(crate) async fn tls() -> Result<()> {
    let dir = folder("https")?;
    let ca = Authority::new(&dir, "http-ca")?;
    let pair = ca.issue("metrics")?;
    let chain = vec![CertificateDer::from_pem_slice(pair.crt.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let address = serve_tls(config).await?;
    let url = format!("https://localhost:{}/", address.port());
    let metadata = [
        ("url", url.as_str()),
        ("valueLocation", "value"),
        ("targetValue", "10"),
    ];
    Probe::new(&trigger("metrics-api", &metadata, &[("ca", ca.pem())]))
        .await?
        .is(5.0)
        .await?;
    let text = Probe::new(&trigger("metrics-api", &metadata, &[]))
        .await?
        .fails()
        .await?;
    ensure!(
        text.contains("certificate") || text.contains("UnknownIssuer"),
        "the message does not name the certificate: {text}"
    );
    let unchecked = [metadata.as_slice(), &[("unsafeSsl", "true")]].concat();
    Probe::new(&trigger("metrics-api", &unchecked, &[]))
        .await?
        .is(5.0)
        .await
}

/// A server that answers every request `{"value": 5}` and closes.
async fn serve_tls(config: rustls::ServerConfig) -> Result<SocketAddr> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    harness::runtime().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await?;
                let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"value\": 5}";
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await
            });
        }
    });
    Ok(address)
}
