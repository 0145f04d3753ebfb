//! What several tests need: authorities and certificates, and a small API server that answers reviews from a table.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rpc::tls::{CertFiles, CertFolder, Policy};
use serde_json::{Value, json};

/// A certificate authority.
pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

/// Makes an authority.
pub(crate) fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}

/// A certificate and its key, both in PEM, for either end of a connection.
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// Issues a certificate.
pub(crate) fn issue(authority: &Authority, name: &str, organization: &str, dns: &[&str]) -> Pair {
    let dns: Vec<String> = dns.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(dns).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
        .distinguished_name
        .push(DnType::OrganizationName, organization);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate().expect("a key");
    Pair {
        cert: params.signed_by(&key, authority).expect("a certificate").pem(),
        key: key.serialize_pem(),
    }
}

/// A certificate folder of one authority, in a directory that lives as long as the first part of the answer.
pub(crate) fn folder(authority: &Authority, dns: &[&str]) -> (tempfile::TempDir, Arc<CertFolder>) {
    let directory = tempfile::tempdir().expect("a temporary folder");
    fill(directory.path(), authority, dns);
    let files = CertFiles::in_folder(directory.path());
    let folder = CertFolder::load(files, Policy::default()).expect("usable files");
    (directory, folder)
}

fn fill(directory: &Path, authority: &Authority, dns: &[&str]) {
    let own = issue(authority, "adapter", "", dns);
    for (file, text) in [
        ("ca.crt", authority.pem()),
        ("tls.crt", own.cert),
        ("tls.key", own.key),
    ] {
        std::fs::write(directory.join(file), text).expect("a writable folder");
    }
}

/// The specs of the access reviews that an API server was asked for.
pub(crate) type Asked = Arc<Mutex<Vec<Value>>>;

/// Starts an API server. User `hpa` may read all metrics, `one` everything in namespace `a`, `reader` any path; the token `good` is
/// `hpa`'s for the API server, `debug` is `one`'s for the debug API, `loose` names no audience.
pub(crate) async fn api_server() -> (kube::Client, Asked) {
    let asked = Asked::default();
    let router = Router::new()
        .route(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            post(access_review),
        )
        .route("/apis/authentication.k8s.io/v1/tokenreviews", post(token_review))
        .with_state(asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"))
        .parse()
        .expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (
        kube::Client::try_from(kube::Config::new(url)).expect("a client"),
        asked,
    )
}

async fn access_review(State(asked): State<Asked>, Json(mut review): Json<Value>) -> Json<Value> {
    asked.lock().expect("no panic").push(review["spec"].clone());
    let text = |pointer: &str| {
        review
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let allowed = match text("/spec/user") {
        "hpa" => text("/spec/resourceAttributes/group") == crate::api::GROUP,
        "one" => text("/spec/resourceAttributes/namespace") == "a",
        "reader" => !text("/spec/nonResourceAttributes/path").is_empty(),
        _ => false,
    };
    review["status"] = json!({ "allowed": allowed });
    Json(review)
}

async fn token_review(Json(mut review): Json<Value>) -> Json<Value> {
    let token = review["spec"]["token"].as_str().unwrap_or_default();
    let debug = review["spec"]["audiences"] == json!([rpc::AUDIENCE]);
    review["status"] = match (token, debug) {
        ("good", false) => json!({ "authenticated": true, "user": { "username": "hpa" } }),
        ("debug", true) => {
            json!({ "authenticated": true, "user": { "username": "one" }, "audiences": [rpc::AUDIENCE] })
        }
        ("loose", _) => json!({ "authenticated": true, "user": { "username": "one" } }),
        _ => json!({ "authenticated": false }),
    };
    Json(review)
}
