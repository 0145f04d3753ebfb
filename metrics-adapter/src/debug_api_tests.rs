//! Debug calls over TLS, with every kind of token.

use rpc::debug::adapter_debug_client::AdapterDebugClient;
use rpc::debug::adapter_debug_server::AdapterDebugServer;
use rpc::tls::{ClientAuth, ClientTls, Listener, Policy, ServerTls};
use tokio::sync::watch;
use tonic::IntoRequest as _;
use tonic::service::Routes;
use tonic::transport::Channel;

use super::*;
use crate::api::openapi::Documents;
use crate::auth::{Reviewer, Trust};
use crate::feed::Feed;
use crate::feed::endpoint::Place;
use crate::prometheus::Metrics;
use crate::record::{Read, Record};
use crate::testing::{api_server, authority, folder};

const NAME: &str = "keda-metrics-apiserver.a.svc";

struct Bed {
    client: AdapterDebugClient<Channel>,
    app: Arc<App>,
    _files: tempfile::TempDir,
}

/// An adapter of namespace `a` that had two reads.
async fn bed() -> Bed {
    let ca = authority("KEDA");
    let (files, serving) = folder(&ca, &[NAME]);
    let metrics = Metrics::new();
    let place = Place {
        namespace: "a".into(),
        authority: String::new(),
    };
    let endpoint = watch::channel(place.service("", "nobody holds the Lease")).1;
    let app = Arc::new(App {
        trust: watch::channel(Arc::new(Trust::default())).1,
        reviewer: Reviewer::new(api_server().await.0),
        feed: Feed::new(serving.clone(), endpoint, metrics.calls.clone()),
        record: Record::default(),
        metrics,
        documents: Documents::new(),
    });
    for namespace in ["a", "b"] {
        app.record.read(Read {
            time: Timestamp::UNIX_EPOCH,
            user: "hpa".into(),
            namespace: namespace.into(),
            scaled_object: "orders".into(),
            metric: "s0-x".into(),
            values: vec!["5".into()],
            error: String::new(),
            status: 200,
            latency_micros: 1,
            endpoint: "10.0.0.1:9666".into(),
            attempts: 1,
        });
    }
    let service = DebugApi {
        app: app.clone(),
        identity: serving.clone(),
        serving: serving.clone(),
        namespace: "a".into(),
        instance: "adapter-1".into(),
        started: Timestamp::UNIX_EPOCH,
    };
    let tls = ServerTls::new(serving, ClientAuth::None, &["h2"]).expect("a key pair");
    let listener = Listener::bind("127.0.0.1:0", "--test", tls)
        .await
        .expect("a free port");
    let address = listener.local_addr().to_string();
    tokio::spawn(rpc::serve(
        listener,
        Routes::new(AdapterDebugServer::new(service)),
        std::future::pending(),
    ));
    let tls = ClientTls::trusting(ca.pem().as_bytes(), Policy::default(), &[NAME]).expect("a CA");
    let link = rpc::connect(tls, address, NAME).expect("an authority");
    Bed {
        client: AdapterDebugClient::new(link.channel),
        app,
        _files: files,
    }
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = message.into_request();
    if let Some(token) = Token::new(token) {
        request
            .metadata_mut()
            .insert("authorization", token.to_metadata());
    }
    request
}

fn reads(namespace: &str, name: &str) -> RecentReadsRequest {
    RecentReadsRequest {
        namespace: namespace.into(),
        name: name.into(),
        limit: 0,
    }
}

#[tokio::test]
async fn tokens_decide_what_is_told() {
    let bed = bed().await;
    for (token, question, expected) in [
        ("", reads("a", "orders"), Err(Code::Unauthenticated)),
        ("nonsense", reads("a", "orders"), Err(Code::Unauthenticated)),
        // Good for the API server, not for this audience.
        ("good", reads("a", "orders"), Err(Code::Unauthenticated)),
        ("loose", reads("a", "orders"), Err(Code::Unauthenticated)),
        ("debug", reads("b", "orders"), Err(Code::PermissionDenied)),
        ("debug", reads("", ""), Err(Code::PermissionDenied)),
        ("debug", reads("", "orders"), Err(Code::InvalidArgument)),
        ("debug", reads("a", ""), Ok(1)),
        ("debug", reads("a", "orders"), Ok(1)),
        ("debug", reads("a", "others"), Ok(0)),
    ] {
        let answer = bed
            .client
            .clone()
            .recent_reads(with_token(question.clone(), token))
            .await;
        let got = answer
            .map(|list| list.into_inner().items.len())
            .map_err(|status| status.code());
        assert_eq!(got, expected, "{token} {question:?}");
    }
}

#[tokio::test]
async fn the_adapter_tells_about_itself() {
    let mut bed = bed().await;
    bed.app.record.refusal(crate::record::Refusal {
        time: Timestamp::UNIX_EPOCH,
        user: "mallory".into(),
        verb: "list".into(),
        path: "/apis".into(),
        status: 403,
        reason: "no".into(),
        peer: String::new(),
    });
    let state = bed
        .client
        .state(with_token(AdapterStateRequest {}, "debug"))
        .await
        .expect("allowed")
        .into_inner();
    assert_eq!(
        (state.source.as_str(), state.note.as_str()),
        ("service", "nobody holds the Lease")
    );
    assert_eq!(
        (state.reads, state.failures, state.request_header_ready),
        (2, 0, false)
    );
    let list = bed
        .client
        .certificates(with_token(CertificatesRequest {}, "debug"))
        .await
        .expect("allowed")
        .into_inner();
    let roles: Vec<_> = list.items.iter().map(|item| item.role.as_str()).collect();
    assert_eq!(roles, ["serving", "client", "ca"]);
    assert_eq!(list.items[0].names, [NAME]);
    let list = bed
        .client
        .refusals(with_token(RefusalsRequest { limit: 1 }, "debug"))
        .await
        .expect("allowed")
        .into_inner();
    assert_eq!((list.items[0].user.as_str(), list.total), ("mallory", 1));
    let version = bed
        .client
        .version(with_token(VersionRequest {}, "debug"))
        .await
        .expect("allowed")
        .into_inner();
    assert_eq!(
        (version.component.as_str(), version.instance.as_str()),
        ("keda-metrics-adapter", "adapter-1")
    );
}

#[tokio::test]
async fn no_call_goes_without_a_token_and_refusals_are_on_record() {
    let mut bed = bed().await;
    for refused in [
        bed.client
            .state(with_token(AdapterStateRequest {}, ""))
            .await
            .map(|_| ()),
        bed.client
            .certificates(with_token(CertificatesRequest {}, "good"))
            .await
            .map(|_| ()),
        bed.client
            .refusals(with_token(RefusalsRequest { limit: 0 }, ""))
            .await
            .map(|_| ()),
        bed.client
            .version(with_token(VersionRequest {}, ""))
            .await
            .map(|_| ()),
    ] {
        assert_eq!(
            refused.map_err(|status| status.code()),
            Err(Code::Unauthenticated)
        );
    }
    let refusals = bed.app.record.recent_refusals(0);
    assert_eq!(refusals.len(), 4);
    assert!(
        refusals
            .iter()
            .all(|refusal| refusal.status == 401 && refusal.peer.starts_with("127.0.0.1:")),
        "{refusals:?}"
    );
}
