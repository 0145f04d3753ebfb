//! Mutual TLS over loopback: who gets in, who does not, and a rotation of the CA while calls run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rpc::metrics::metrics_service_client::MetricsServiceClient;
use rpc::metrics::metrics_service_server::{MetricsService, MetricsServiceServer};
use rpc::metrics::{ExternalMetricValue, ExternalMetricValueList, Quantity, ScaledObjectRef};
use rpc::tls::{CertFiles, CertFolder, ClientAuth, ClientTls, Listener, Policy, ServerTls};
use rpc::{LinkState, Retry};
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

const SERVICE: &str = "keda-operator.keda.svc";

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A CA with the name KEDA gives its own; two of them differ in the key alone.
fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, "KEDA");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "KEDAORG");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}

/// Certificate and key for both ends, as the rotation makes it.
fn pair(authority: &Authority, name: &str) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a DNS name");
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate().expect("a key");
    let cert = params.signed_by(&key, authority).expect("a certificate");
    (cert.pem(), key.serialize_pem())
}

fn write(folder: &Path, file: &str, text: &str) {
    // As a mounted Secret changes: whole files, in one step each.
    let fresh = folder.join(format!(".{file}"));
    std::fs::write(&fresh, text).expect("a writable folder");
    std::fs::rename(fresh, folder.join(file)).expect("a writable folder");
}

fn fill(folder: &Path, trusted: &[&Authority], issuer: &Authority, name: &str) {
    let (cert, key) = pair(issuer, name);
    write(
        folder,
        "ca.crt",
        &trusted.iter().map(|ca| ca.pem()).collect::<String>(),
    );
    write(folder, "tls.crt", &cert);
    write(folder, "tls.key", &key);
}

fn folder(trusted: &[&Authority], issuer: &Authority, name: &str) -> (tempfile::TempDir, Arc<CertFolder>) {
    let directory = tempfile::tempdir().expect("a temporary folder");
    fill(directory.path(), trusted, issuer, name);
    let folder =
        CertFolder::load(CertFiles::in_folder(directory.path()), Policy::default()).expect("usable files");
    (directory, folder)
}

struct Answers;

#[tonic::async_trait]
impl MetricsService for Answers {
    async fn get_metrics(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<ExternalMetricValueList>, Status> {
        let peer = request
            .extensions()
            .get::<rpc::tls::Peer>()
            .expect("every connection has a peer");
        assert!(
            !peer.certificates.is_empty(),
            "a call got through without a client certificate"
        );
        let value = ExternalMetricValue {
            metric_name: request.into_inner().metric_name,
            value: Some(Quantity {
                string: "1500m".into(),
            }),
            ..Default::default()
        };
        Ok(Response::new(ExternalMetricValueList {
            metadata: None,
            items: vec![value],
        }))
    }
}

/// Serves until the test's runtime ends.
async fn serve(folder: Arc<CertFolder>) -> String {
    let tls = ServerTls::mutual(folder).expect("a key pair");
    let listener = Listener::bind("127.0.0.1:0", "--test", tls)
        .await
        .expect("a free port");
    let address = listener.local_addr().to_string();
    tokio::spawn(rpc::serve(
        listener,
        Routes::new(MetricsServiceServer::new(Answers)),
        std::future::pending(),
    ));
    address
}

fn client(tls: ClientTls, address: &str) -> (MetricsServiceClient<tonic::transport::Channel>, rpc::Link) {
    let link = rpc::connect(tls, address.to_owned(), SERVICE).expect("a valid authority");
    (MetricsServiceClient::new(link.channel.clone()), link)
}

async fn ask(
    client: &MetricsServiceClient<tonic::transport::Channel>,
) -> Result<ExternalMetricValueList, Status> {
    let question = ScaledObjectRef {
        name: "a".into(),
        namespace: "b".into(),
        metric_name: "s0-x".into(),
    };
    client
        .clone()
        .get_metrics(question)
        .await
        .map(Response::into_inner)
}

#[tokio::test]
async fn a_quantity_travels_as_its_text() {
    let ca = authority();
    let (_files, folder) = folder(&[&ca], &ca, SERVICE);
    let address = serve(folder.clone()).await;
    let (client, link) = client(ClientTls::mutual(folder, &[SERVICE]).expect("a name"), &address);
    assert_eq!(*link.state.borrow(), LinkState::Idle);
    let list = ask(&client).await.expect("both ends trust each other");
    assert_eq!(
        list.items[0].value.as_ref().map(|v| v.string.as_str()),
        Some("1500m")
    );
    assert_eq!(*link.state.borrow(), LinkState::Ready);
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let (ours, theirs) = (authority(), authority());
    let (_server_files, server) = folder(&[&ours, &theirs], &theirs, SERVICE);
    let (_client_files, own) = folder(&[&ours], &ours, SERVICE);
    let address = serve(server).await;
    let (client, link) = client(ClientTls::mutual(own, &[SERVICE]).expect("a name"), &address);
    assert_eq!(
        ask(&client).await.expect_err("an unknown authority").code(),
        Code::Unavailable
    );
    let state = link.state.borrow().clone();
    // Both authorities have one name, so the mistake shows as a signature that does not fit.
    assert!(
        matches!(&state, LinkState::Failed(text) if text.contains("certificate")),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_client_of_another_authority_is_refused() {
    let (ours, theirs) = (authority(), authority());
    let (_server_files, server) = folder(&[&ours], &ours, SERVICE);
    let (_client_files, stranger) = folder(&[&ours, &theirs], &theirs, SERVICE);
    let address = serve(server).await;
    let (client, _) = client(ClientTls::mutual(stranger, &[SERVICE]).expect("a name"), &address);
    ask(&client)
        .await
        .expect_err("the server does not know this client's authority");
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let ca = authority();
    let (_files, server) = folder(&[&ca], &ca, SERVICE);
    let address = serve(server.clone()).await;
    let bare = ClientTls::trusting(ca.pem().as_bytes(), Policy::default(), &[SERVICE]).expect("a CA");
    ask(&client(bare, &address).0)
        .await
        .expect_err("the server demands a certificate");
    // The same port answers a client that has one, so the refusal was for its lack.
    let (known, _) = client(ClientTls::mutual(server, &[SERVICE]).expect("a name"), &address);
    ask(&known).await.expect("a known client");
}

#[tokio::test]
async fn a_wrong_server_name_is_refused_and_any_expected_name_suffices() {
    let ca = authority();
    let (_files, folder) = folder(&[&ca], &ca, SERVICE);
    let address = serve(folder.clone()).await;
    let wrong = ClientTls::mutual(folder.clone(), &["keda-operator.other.svc", "127.0.0.1"]).expect("names");
    let (asker, link) = client(wrong, &address);
    assert_eq!(
        ask(&asker).await.expect_err("no name fits").code(),
        Code::Unavailable
    );
    assert!(
        matches!(&*link.state.borrow(), LinkState::Failed(text) if text.contains("name")),
        "{:?}",
        link.state
    );
    let either = ClientTls::mutual(folder, &["127.0.0.1", SERVICE]).expect("names");
    ask(&client(either, &address).0)
        .await
        .expect("the second name fits");
}

#[tokio::test]
async fn without_client_certificates_a_token_server_is_still_verified() {
    let (ca, other) = (authority(), authority());
    let (_files, folder) = folder(&[&ca], &ca, SERVICE);
    let tls = ServerTls::new(folder, ClientAuth::None, &["h2"]).expect("a key pair");
    let mut listener = Listener::bind("127.0.0.1:0", "--test", tls)
        .await
        .expect("a free port");
    let address = listener.local_addr().to_string();
    tokio::spawn(async move {
        while let Some(connection) = tokio_stream::StreamExt::next(&mut listener).await {
            drop(connection);
        }
    });
    let trusting = ClientTls::trusting(other.pem().as_bytes(), Policy::default(), &[SERVICE]).expect("a CA");
    let (client, link) = client(trusting, &address);
    ask(&client).await.expect_err("not the CA that was named");
    assert!(
        matches!(&*link.state.borrow(), LinkState::Failed(_)),
        "{:?}",
        link.state
    );
}

/// Waits until the files as they are now are in force.
async fn reloaded(folder: &CertFolder, generation: u64) {
    let mut changed = folder.changed();
    let seen = tokio::time::timeout(
        Duration::from_secs(30),
        changed.wait_for(|now| *now >= generation),
    )
    .await;
    seen.expect("the change is noticed").expect("the folder lives");
}

/// Takes both ends from the old authority to the new one: overlap first, then new certificates on one side after the other, then the
/// old authority goes. While certificate and key are replaced one by one they do not fit, and the former pair stays in force.
async fn rotate(
    old: &Authority,
    new: &Authority,
    server: (&Path, &CertFolder),
    client: (&Path, &CertFolder),
) {
    let steps: [&dyn Fn(&Path); 3] = [
        &|folder| write(folder, "ca.crt", &(old.pem() + &new.pem())),
        &|folder| fill(folder, &[old, new], new, SERVICE),
        &|folder| write(folder, "ca.crt", &new.pem()),
    ];
    for step in steps {
        for (path, folder) in [server, client] {
            let before = folder.current().generation();
            step(path);
            reloaded(folder, before + 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_of_the_authority_under_load_fails_no_call() {
    let (old, new) = (authority(), authority());
    let (server_files, server) = folder(&[&old], &old, SERVICE);
    let (client_files, own) = folder(&[&old], &old, SERVICE);
    let address = serve(server.clone()).await;
    let tls = ClientTls::mutual(own.clone(), &[SERVICE]).expect("a name");

    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let long_lived = client(tls.clone(), &address).0;
    let loads: Vec<_> = (0..4)
        .map(|worker| {
            // Half of the load stays on one connection, half makes a new one for each call.
            let (tls, address, stop, calls) = (tls.clone(), address.clone(), stop.clone(), calls.clone());
            let long_lived = (worker % 2 == 0).then(|| long_lived.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let asked = long_lived
                        .clone()
                        .unwrap_or_else(|| client(tls.clone(), &address).0);
                    ask(&asked).await.map_err(|status| format!("{status:?}"))?;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, String>(())
            })
        })
        .collect();

    rotate(
        &old,
        &new,
        (server_files.path(), &server),
        (client_files.path(), &own),
    )
    .await;

    // Every worker gets to make calls under the final state.
    let before = calls.load(Ordering::Relaxed);
    let progress = async {
        while calls.load(Ordering::Relaxed) < before + 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), progress)
        .await
        .expect("calls go on");
    stop.store(true, Ordering::Relaxed);
    for load in loads {
        load.await.expect("no panic").expect("no failed call");
    }
    // What only knows the old authority is out.
    let (_files, stale) = folder(&[&old, &new], &old, SERVICE);
    let (late, _) = client(ClientTls::mutual(stale, &[SERVICE]).expect("a name"), &address);
    ask(&late).await.expect_err("the old authority is gone");
}

#[tokio::test]
async fn bad_contents_leave_the_last_good_ones_in_force() {
    let (ca, other) = (authority(), authority());
    let (files, folder) = folder(&[&ca], &ca, SERVICE);
    let first = folder.current().generation();
    write(files.path(), "tls.key", &pair(&other, SERVICE).1);
    assert!(!folder.refresh());
    let error = folder.state().last_error.expect("the mismatch is told");
    assert!(error.contains("tls.key is not the key of"), "{error}");
    write(files.path(), "ca.crt", "nonsense");
    assert!(!folder.refresh());
    assert_eq!(folder.current().generation(), first);
    fill(files.path(), &[&ca], &ca, SERVICE);
    assert!(folder.refresh());
    let state = folder.state();
    assert_eq!((state.last_error, state.reloads), (None, 1));
    assert_eq!(state.own.map(|own| own.names), Some(vec![SERVICE.to_owned()]));
}

#[tokio::test]
async fn waits_for_a_folder_that_is_not_there_yet() {
    let ca = authority();
    let directory = tempfile::tempdir().expect("a temporary folder");
    let path = directory.path().join("certs");
    let waiting = tokio::spawn({
        let path = path.clone();
        async move { CertFolder::open(&path, Policy::default()).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    std::fs::create_dir(&path).expect("a writable folder");
    fill(&path, &[&ca], &ca, SERVICE);
    let folder = tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("noticed")
        .expect("no panic");
    assert_eq!(folder.current().authorities().len(), 1);
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_flag() {
    let ca = authority();
    let (_files, folder) = folder(&[&ca], &ca, SERVICE);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let tls = ServerTls::mutual(folder).expect("a key pair");
    let error = Listener::bind(&address, "--secure-port", tls)
        .await
        .expect_err("taken")
        .to_string();
    assert!(
        error.contains(&address) && error.contains("--secure-port"),
        "{error}"
    );
}

#[tokio::test]
async fn a_call_survives_a_server_that_comes_back() {
    let ca = authority();
    let (_files, folder) = folder(&[&ca], &ca, SERVICE);
    // Reserve an address that nobody serves yet.
    let reserved = tokio::net::TcpSocket::new_v4().expect("a socket");
    reserved
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    let address = reserved.local_addr().expect("bound").to_string();
    let (client, link) = client(
        ClientTls::mutual(folder.clone(), &[SERVICE]).expect("a name"),
        &address,
    );
    let call = tokio::spawn(async move {
        let patient = Retry {
            deadline: Duration::from_mins(1),
            ..Retry::default()
        };
        patient.run(|_| ask(&client)).await
    });
    let mut state = link.state.clone();
    state
        .wait_for(|now| matches!(now, LinkState::Failed(_)))
        .await
        .expect("the first attempt is refused");
    drop(reserved);
    let tls = ServerTls::mutual(folder).expect("a key pair");
    let listener = Listener::bind(&address, "--test", tls)
        .await
        .expect("the reserved port");
    tokio::spawn(rpc::serve(
        listener,
        Routes::new(MetricsServiceServer::new(Answers)),
        std::future::pending(),
    ));
    call.await.expect("no panic").expect("a later attempt answers");
}
