//! Requests through the gate. The API server is a small local one that answers reviews from a table; everything else is real.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http_body_util::BodyExt as _;
use rpc::tls::{CertFolder, ClientAuth, Listener, ServerTls};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::auth::config_map;
use crate::feed::endpoint::Place;
use crate::serve::{AnyCertificate, https};
use crate::testing::{Asked, Authority, Pair, api_server, authority, folder, issue};

struct Bed {
    app: Arc<App>,
    proxy: Authority,
    users: Authority,
    serving: Arc<CertFolder>,
    asked: Asked,
    _files: tempfile::TempDir,
}

async fn bed() -> Bed {
    let (proxy, users) = (authority("front-proxy"), authority("kubernetes"));
    let data = BTreeMap::from([
        ("client-ca-file".to_owned(), users.pem()),
        ("requestheader-client-ca-file".to_owned(), proxy.pem()),
        (
            "requestheader-allowed-names".to_owned(),
            r#"["aggregator"]"#.to_owned(),
        ),
        (
            "requestheader-username-headers".to_owned(),
            r#"["X-Remote-User"]"#.to_owned(),
        ),
        (
            "requestheader-group-headers".to_owned(),
            r#"["X-Remote-Group"]"#.to_owned(),
        ),
    ]);
    let (files, serving) = folder(&users, &["keda-metrics-apiserver.keda.svc"]);
    let metrics = Metrics::new();
    let (client, asked) = api_server().await;
    let place = Place {
        namespace: "keda".into(),
        authority: String::new(),
    };
    let trust = Arc::new(config_map::read(&data).expect("a right ConfigMap"));
    let app = Arc::new(App {
        trust: watch::channel(trust).1,
        reviewer: Reviewer::new(client),
        feed: Feed::new(
            serving.clone(),
            watch::channel(place.given("127.0.0.1:9")).1,
            metrics.calls.clone(),
        ),
        record: Record::default(),
        metrics,
        documents: Documents::new(),
    });
    Bed {
        app,
        proxy,
        users,
        serving,
        asked,
        _files: files,
    }
}

impl Bed {
    /// Sends a GET as `chain` with `headers`; status and body as JSON (or text).
    async fn get(&self, chain: &[String], path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let certificates = chain
            .iter()
            .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM"));
        let peer = Peer {
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            certificates: certificates.collect(),
        };
        let mut request = http::Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .extension(Arc::new(Connection::new(peer)))
            .body(Body::empty())
            .expect("a request");
        let response = router(self.app.clone())
            .oneshot(request)
            .await
            .expect("infallible");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn aggregator(&self) -> Vec<String> {
        vec![issue(&self.proxy, "aggregator", "", &[]).cert]
    }
}

const METRIC: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/a/s0-x";
const FORGED: [(&str, &str); 2] = [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")];

#[tokio::test]
async fn forged_headers_are_refused() {
    let bed = bed().await;
    let strangers = authority("front-proxy");
    for (chain, status, why) in [
        (vec![], 403, "no certificate"),
        (
            vec![issue(&bed.users, "mallory", "", &[]).cert],
            403,
            "a cluster certificate",
        ),
        (
            vec![issue(&bed.users, "aggregator", "", &[]).cert],
            403,
            "a cluster certificate with the proxy's name",
        ),
        (
            vec![issue(&bed.proxy, "someone-else", "", &[]).cert],
            401,
            "a wrong name",
        ),
        (
            vec![issue(&strangers, "aggregator", "", &[]).cert],
            401,
            "another authority of the same name",
        ),
    ] {
        let (got, body) = bed.get(&chain, METRIC, &FORGED).await;
        assert_eq!(got, status, "{why}: {body}");
        assert_eq!(
            (&body["kind"], &body["code"]),
            (&json!("Status"), &json!(status)),
            "{why}"
        );
    }
    let refusals = bed.app.record.recent_refusals(0);
    assert_eq!(refusals.len(), 5);
    assert!(refusals[1].reason.contains("someone-else"), "{:?}", refusals[1]);
    assert!(
        bed.asked
            .lock()
            .expect("no panic")
            .iter()
            .all(|spec| spec["user"] != "admin"),
        "a forged name got through"
    );
    // From the proxy the same headers count.
    let (status, _) = bed.get(&bed.aggregator(), "/metrics", &FORGED).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn users_get_what_reviews_allow() {
    let bed = bed().await;
    let other = "/apis/external.metrics.k8s.io/v1beta1/namespaces/b/s0-x";
    let proxy = bed.aggregator();
    for (user, path, status) in [
        // 400: let in, and told that the selector is missing.
        ("hpa", METRIC, 400),
        ("hpa", other, 400),
        ("one", METRIC, 400),
        ("one", other, 403),
        ("reader", "/apis", 200),
        ("reader", METRIC, 403),
        ("nobody", "/apis", 403),
        ("nobody", "/metrics", 403),
        ("nobody", "/healthz", 200),
    ] {
        let (got, body) = bed.get(&proxy, path, &[("X-Remote-User", user)]).await;
        assert_eq!(got, status, "{user} {path}: {body}");
    }
    let (_, body) = bed.get(&proxy, other, &[("X-Remote-User", "one")]).await;
    assert_eq!(
        body["message"],
        r#"s0-x.external.metrics.k8s.io is forbidden: User "one" cannot list resource "s0-x" in API group "external.metrics.k8s.io" in the namespace "b""#
    );
}

#[tokio::test]
async fn one_review_covers_all_metrics_of_the_hpa_controller() {
    let bed = bed().await;
    let proxy = bed.aggregator();
    for metric in ["s0-a", "s0-b", "s1-c"] {
        let path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{metric}/{metric}");
        bed.get(&proxy, &path, &[("X-Remote-User", "hpa")]).await;
    }
    assert_eq!(bed.asked.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn tokens_and_certificates_name_users_too() {
    let bed = bed().await;
    let (status, _) = bed.get(&[], METRIC, &[("Authorization", "Bearer good")]).await;
    assert_eq!(status, 400);
    let (status, _) = bed.get(&[], "/healthz", &[("Authorization", "Bearer bad")]).await;
    assert_eq!(status, 401);
    let (status, _) = bed
        .get(&[issue(&bed.users, "hpa", "", &[]).cert], METRIC, &[])
        .await;
    assert_eq!(status, 400);
    let (status, _) = bed.get(&[], METRIC, &[]).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn documents_come_in_the_form_asked_for() {
    let bed = bed().await;
    let proxy = bed.aggregator();
    let reader = ("X-Remote-User", "reader");
    let get = async |path: &str, accept: &str| bed.get(&proxy, path, &[reader, ("Accept", accept)]).await;
    let (_, list) = get("/apis/external.metrics.k8s.io/v1beta1", "application/json").await;
    assert_eq!(list["resources"][0]["name"], "externalmetrics");
    let (_, groups) = get("/apis", "application/json").await;
    assert_eq!(groups["kind"], "APIGroupList");
    let (_, groups) = get("/apis", AGGREGATED).await;
    assert_eq!(
        (&groups["kind"], &groups["apiVersion"]),
        (&json!("APIGroupDiscoveryList"), &json!("apidiscovery.k8s.io/v2"))
    );
    let (status, body) = get("/apis", "application/vnd.kubernetes.protobuf").await;
    assert_eq!((status, &body["reason"]), (406, &json!("NotAcceptable")));
    let (status, _) = get("/openapi/v2", "application/json").await;
    assert_eq!(status, 200);
    let tag = bed.app.documents.v2.etag.clone();
    let (status, _) = bed
        .get(&proxy, "/openapi/v2", &[reader, ("If-None-Match", &tag)])
        .await;
    assert_eq!(status, 304);
    let (status, body) = get("/nowhere", "*/*").await;
    assert_eq!((status, &body["reason"]), (404, &json!("NotFound")));
}

/// The whole way: TLS port, client certificate in the handshake, HTTP/1.1.
#[tokio::test]
async fn the_handshake_brings_the_certificate_to_the_gate() {
    let bed = bed().await;
    let auth = ClientAuth::Custom(Arc::new(AnyCertificate::new()));
    let tls = ServerTls::new(bed.serving.clone(), auth, &["h2", "http/1.1"]).expect("a key pair");
    let listener = Listener::bind("127.0.0.1:0", "--test", tls)
        .await
        .expect("a free port");
    let address = listener.local_addr();
    let stop = CancellationToken::new();
    let server = tokio::spawn(https(listener, router(bed.app.clone()), stop.clone()));

    let with = get_over_tls(
        address,
        &bed.users,
        Some(issue(&bed.proxy, "aggregator", "", &[])),
    )
    .await;
    let without = get_over_tls(address, &bed.users, None).await;
    assert_eq!((with, without), (200, 403));
    stop.cancel();
    server.await.expect("ends in order");
}

/// Status of a GET of `/apis` with forged headers.
async fn get_over_tls(address: SocketAddr, trusted: &Authority, own: Option<Pair>) -> u16 {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.der().clone()).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match own {
        Some(Pair { cert, key }) => {
            let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).expect("PEM")];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(chain, key).expect("a key pair")
        }
        None => builder.with_no_client_auth(),
    };
    let tcp = tokio::net::TcpStream::connect(address).await.expect("a port");
    let name = ServerName::try_from("keda-metrics-apiserver.keda.svc").expect("a name");
    let tls = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .expect("a handshake");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(tls))
        .await
        .expect("HTTP");
    tokio::spawn(connection);
    let request = http::Request::get("/apis")
        .header("host", "adapter")
        .header(FORGED[0].0, FORGED[0].1)
        .header(FORGED[1].0, FORGED[1].1);
    sender
        .send_request(request.body(Body::empty()).expect("a request"))
        .await
        .expect("an answer")
        .status()
        .as_u16()
}
