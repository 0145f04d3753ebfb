//! Who may ask the debug API: by every kind of kubeconfig login, and refused without the rights; and what the adapter's own
//! one tells.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use harness::aggregator::{proxy, server};
use harness::bed::Bed;
use harness::cluster::Cluster;
use harness::debug::AdapterDebug;
use harness::https;
use harness::keda::{self, CERT_SECRET, Keda, NAMESPACE};
use harness::namespace::{Namespace, with_namespace};
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use rpc::debug::{CertificateList, RecentRead};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tonic::Code;

use super::adapter::API;
use super::scaling::condition_is;
use crate::scenario::{DEADLINE, deployment, scaled_object};

/// Exit codes of `kubectl keda`, as its documentation gives them.
const OK: i32 = 0;
const NOT_PERMITTED: i32 = 5;

/// What a run of the command line tool left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `kubectl keda` with a kubeconfig.
pub(crate) fn cli(kubeconfig: &Path, args: &[&str]) -> Result<Ran> {
    let output = Command::new(keda::cli_bin()?)
        .args(args)
        .env("KUBECONFIG", kubeconfig)
        .env("NO_COLOR", "1")
        .output()?;
    Ok(Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The rights that a caller needs: to mint the token, to find the CA, and to read the objects.
pub(crate) async fn grant(bed: &Bed, namespace: &str, subject: &Value) -> Result<()> {
    let name = format!(
        "debug-{namespace}-{}",
        subject["name"].as_str().unwrap_or_default().replace(':', "-")
    );
    let rules = json!([
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": ["keda-debug"], "verbs": ["create"]},
        {"apiGroups": ["apiregistration.k8s.io"], "resources": ["apiservices"], "verbs": ["get"]},
        {"apiGroups": ["keda.sh"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps", "autoscaling"], "resources": ["*"], "verbs": ["get", "list"]},
        {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["get", "list"]},
    ]);
    bind(bed, &name, &rules, subject).await
}

/// Gives somebody rights, and waits until they count: the API server learns of them by a watch of its own.
pub(crate) async fn bind(bed: &Bed, name: &str, rules: &Value, subject: &Value) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    bed.cluster()
        .apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}))
        .await?;
    bed.cluster()
        .apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}, "subjects": [subject],
        }))
        .await?;
    let review = review(&rules[0], subject);
    wait_for(format!("the rights of {name}"), DEADLINE, || async {
        let answer = bed.cluster().create("", &review).await;
        let status = answer.map_err(|error| format!("{error:#}"))?["status"].take();
        look(status["allowed"] == true, || status.to_string())
    })
    .await
}

/// Asks whether somebody may do the first thing that a rule allows.
fn review(rule: &Value, subject: &Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let user = match (&subject["kind"], &subject["namespace"], &subject["name"]) {
        (kind, namespace, name) if kind == "ServiceAccount" => {
            format!("system:serviceaccount:{}:{}", text(namespace), text(name))
        }
        (_, _, name) => text(name),
    };
    let resource = text(&rule["resources"][0]);
    let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
        "user": user,
        "resourceAttributes": {
            "group": rule["apiGroups"][0], "resource": resource, "subresource": subresource,
            "verb": rule["verbs"][0], "name": text(&rule["resourceNames"][0]),
        },
    }})
}

/// An object whose ledger has something to tell.
async fn object(ns: &Namespace, source: &Source) -> Result<()> {
    source.set(ns.name(), Answer::Value(25.0));
    ns.create_object(&deployment("web", 0)).await?;
    let metadata = json!({"url": source.url(ns.name()), "valueLocation": "value", "targetValue": "10"});
    ns.create_object(&scaled_object(
        &json!({"type": "metrics-api", "metadata": metadata}),
        &json!({}),
    ))
    .await?;
    crate::scenario::replicas(ns, 3).await?;
    condition_is(ns, "Active", "True").await?;
    Ok(())
}

pub(crate) async fn every_login() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "debug", async |ns| {
        object(ns, &source).await?;
        let address = format!("127.0.0.1:{}", keda.ports().controller_debug);
        let account = |name: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": ns.name()});
        let user = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "debug-alice"});
        let token = format!("{}/bob", ns.name());
        let exec = format!("{}/carol", ns.name());
        let nobody = format!("{}/nobody", ns.name());
        let logins: [(&str, &[&str], Option<Value>); 4] = [
            ("certificate", &["--user", "debug-alice"], Some(user)),
            ("token", &["--service-account", &token], Some(account("bob"))),
            ("exec", &["--exec", &exec], Some(account("carol"))),
            ("nobody", &["--service-account", &nobody], None),
        ];
        for (login, who, subject) in logins {
            let kubeconfig: PathBuf = keda.dir().join(format!("{login}.kubeconfig"));
            bed.kubeconfig_for(who, &kubeconfig)?;
            if let Some(subject) = &subject {
                grant(bed, ns.name(), subject).await?;
            }
            let args = [
                "explain",
                "so/so",
                "-n",
                ns.name(),
                "--debug-address",
                &address,
                "-o",
                "json",
            ];
            let ran = cli(&kubeconfig, &args)?;
            if subject.is_some() {
                ensure!(
                    ran.code == OK,
                    "{login}: exit {} {} {}",
                    ran.code,
                    ran.stdout,
                    ran.stderr
                );
                ensure!(
                    !ran.stderr.contains("without the ledger"),
                    "{login}: {}",
                    ran.stderr
                );
                let told: Value = serde_json::from_str(&ran.stdout)?;
                let records = told["report"]["ledger"].as_array().map_or(0, Vec::len);
                ensure!(records > 0, "{login}: the report has no ledger: {told:#}");
            } else {
                ensure!(
                    ran.code == NOT_PERMITTED,
                    "{login}: exit {} {} {}",
                    ran.code,
                    ran.stdout,
                    ran.stderr
                );
                ensure!(
                    ran.stderr.contains("help"),
                    "{login}: it does not say what to do: {}",
                    ran.stderr
                );
            }
        }
        Ok(())
    })
    .await
}

pub(crate) async fn own_token_counts_for_its_owner() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "debug-own", async |ns| {
        object(ns, &source).await?;
        let address = format!("127.0.0.1:{}", keda.ports().controller_debug);
        // The CA comes from the file: without rights on the APIService the caller cannot look it up.
        let ca = keda.certs().join("ca.crt").display().to_string();
        let dave = format!("{}/dave", ns.name());
        let kubeconfig = keda.dir().join("dave.kubeconfig");
        bed.kubeconfig_for(&["--service-account", &dave], &kubeconfig)?;
        let args = [
            "explain",
            "so/so",
            "-n",
            ns.name(),
            "--debug-address",
            &address,
            "--debug-ca",
            &ca,
            "--debug-token",
            "own",
            "--keda-namespace",
            NAMESPACE,
            "-o",
            "json",
        ];
        let before = cli(&kubeconfig, &args)?;
        ensure!(
            before.code != OK || before.stderr.contains("may not get"),
            "{} {}",
            before.stdout,
            before.stderr
        );
        let rules = json!([{"apiGroups": ["keda.sh"], "resources": ["scaledobjects"], "verbs": ["get"]}]);
        let subject = json!({"kind": "ServiceAccount", "name": "dave", "namespace": ns.name()});
        bind(bed, &format!("debug-own-{}", ns.name()), &rules, &subject).await?;
        // The controller may remember its refusal for a moment.
        harness::wait::wait_for("the right to count", crate::scenario::DEADLINE, || async {
            let after = cli(&kubeconfig, &args).map_err(|e| format!("{e:#}"))?;
            harness::wait::look(
                after.code == OK && !after.stderr.contains("without the ledger"),
                || format!("exit {} {}", after.code, after.stderr),
            )
        })
        .await
    })
    .await
}

/// Who reads the metrics that an HPA needs.
const HPA_CONTROLLER: &str = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";

/// A caller of the adapter's debug API: a user with a certificate, who may mint the token and no more.
async fn caller(bed: &Bed, keda: &Keda, ns: &Namespace, user: &str) -> Result<(Cluster, AdapterDebug)> {
    let kubeconfig = keda.dir().join(format!("{user}.kubeconfig"));
    bed.kubeconfig_for(&["--user", user], &kubeconfig)?;
    let subject = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user});
    grant(bed, ns.name(), &subject).await?;
    let cluster = Cluster::connect(&kubeconfig).await?;
    let debug = AdapterDebug::connect(&cluster, &debug_address(keda)).await?;
    Ok((cluster, debug))
}

fn debug_address(keda: &Keda) -> String {
    format!("127.0.0.1:{}", keda.ports().adapter_debug)
}

/// Waits until a read of the object `so` is remembered that fits.
async fn remembered(
    debug: &AdapterDebug,
    ns: &Namespace,
    what: &str,
    fits: impl Fn(&RecentRead) -> bool,
) -> Result<()> {
    wait_for(what, DEADLINE, || async {
        let reads = debug.reads(ns.name(), "so").await.map_err(|e| e.to_string())?;
        let wrong = reads
            .iter()
            .find(|read| (&*read.namespace, &*read.scaled_object) != (ns.name(), "so"));
        look(wrong.is_none() && reads.iter().any(&fits), || {
            format!("{:?}", reads.last())
        })
    })
    .await
}

pub(crate) async fn adapter_reads() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "debug-adapter", async |ns| {
        object(ns, &source).await?;
        let (_, debug) = caller(bed, keda, ns, "debug-erin").await?;
        let controller = format!("127.0.0.1:{}", keda.ports().metrics_service);
        remembered(&debug, ns, "the HPA's read with its value", |read| {
            let whole = read.time.is_some() && read.latency_micros > 0 && read.attempts > 0;
            let answered = read.status == 200 && read.values == ["25"] && read.error.is_empty();
            let names = (&*read.user, &*read.metric, &*read.endpoint);
            whole && answered && names == (HPA_CONTROLLER, "s0-metric-api-value", &*controller)
        })
        .await?;
        source.set(ns.name(), Answer::Fails);
        remembered(&debug, ns, "a read that failed", |read| {
            read.status >= 500 && read.values.is_empty() && read.error.contains("s0-metric-api-value")
        })
        .await?;
        let nameless = debug.reads("", "so").await;
        ensure!(
            nameless
                .as_ref()
                .is_err_and(|e| e.code() == Code::InvalidArgument),
            "{nameless:?}"
        );
        let state = debug.state().await?;
        let place = (&*state.endpoint, &*state.source, &*state.state);
        ensure!(place == (&*controller, "flag", "ready"), "{state:?}");
        ensure!(
            state.reads > 0 && state.failures > 0 && state.request_header_ready,
            "{state:?}"
        );
        wait_for("the certificates in use", DEADLINE, || async {
            let list = debug.certificates().await.map_err(|e| e.to_string())?;
            let right = certificates_are_those(bed, &list).await;
            right.map_err(|e| format!("{e:#}"))
        })
        .await
    })
    .await
}

/// Compares what the adapter says with the Secret that its certificate comes from.
async fn certificates_are_those(bed: &Bed, list: &CertificateList) -> Result<()> {
    let of = |role: &str| -> Vec<_> { list.items.iter().filter(|c| c.role == role).collect() };
    for role in ["client", "ca", "client-ca", "request-header-ca"] {
        ensure!(!of(role).is_empty(), "no certificate is {role}: {list:?}");
    }
    let [serving] = of("serving")[..] else {
        anyhow::bail!("one certificate is served: {list:?}");
    };
    let secret = bed.cluster().need("Secret", NAMESPACE, CERT_SECRET).await?;
    let pem = secret["data"]["tls.crt"].as_str().context("tls.crt")?;
    let pem = base64::engine::general_purpose::STANDARD.decode(pem)?;
    let stored = rpc::tls::Certificate::parse(&CertificateDer::from_pem_slice(&pem)?);
    let stored = stored.context("the Secret's certificate cannot be read")?;
    ensure!(serving.serial == stored.serial, "{serving:?}");
    ensure!(
        serving
            .names
            .iter()
            .any(|name| name == "keda-metrics-apiserver.keda.svc"),
        "{serving:?}"
    );
    ensure!(
        of("ca").iter().any(|ca| ca.subject == serving.issuer),
        "no authority of that name: {list:?}"
    );
    ensure!(list.last_error.is_empty(), "{}", list.last_error);
    Ok(())
}

pub(crate) async fn adapter_refusals() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    with_namespace(bed, "debug-refused", async |ns| {
        let (cluster, debug) = caller(bed, keda, ns, "debug-frank").await?;
        // The API server lets nobody through without the right to read; only its own proxy certificate gets that far.
        let path = format!("{API}/namespaces/{}/s0-any", ns.name());
        let headers = [("X-Remote-User", "debug-mallory")];
        let server = server(bed, keda).await?;
        let (status, body) = https::get(&server, &path, &headers, Some(&proxy(bed)?)).await?;
        ensure!(status == 403, "{status} {body}");

        let nobody = AdapterDebug::with_token(&cluster, &debug_address(keda), None).await?;
        let told = nobody.state().await;
        ensure!(
            told.as_ref().is_err_and(|e| e.code() == Code::Unauthenticated),
            "{told:?}"
        );
        ns.create_object(
            &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "grace"}}),
        )
        .await?;
        let token = bed.cluster().token(ns.name(), "grace", rpc::AUDIENCE).await?;
        let grace = AdapterDebug::with_token(&cluster, &debug_address(keda), Some(&token)).await?;
        let told = grace.reads(ns.name(), "so").await;
        ensure!(
            told.as_ref().is_err_and(|e| e.code() == Code::PermissionDenied),
            "{told:?}"
        );

        let list = debug.refusals().await?;
        let grace = format!("system:serviceaccount:{}:grace", ns.name());
        for (user, status, part) in [
            ("debug-mallory", 403, path.as_str()),
            ("", 401, "the debug API"),
            (&*grace, 403, "the debug API"),
        ] {
            let found = list.items.iter().find(|refusal| {
                refusal.user == user && refusal.status == status && refusal.path.contains(part)
            });
            let found = found.with_context(|| format!("`{user}` is not on record: {list:?}"))?;
            let whole = found.time.is_some() && !found.reason.is_empty() && !found.peer.is_empty();
            ensure!(whole, "{found:?}");
        }
        ensure!(list.total >= 3, "{}", list.total);
        Ok(())
    })
    .await
}
