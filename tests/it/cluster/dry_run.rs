//! `kubectl keda dry-run`: says what the adapter serves, writes nothing, and lets nobody at a source who could not use it anyhow.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use harness::bed::Bed;
use harness::keda::{self, Keda, NAMESPACE};
use harness::namespace::{Namespace, with_namespace};
use harness::redis::{Access, Redis};
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

use super::adapter::read;
use super::debug_api::{Ran, bind, cli, grant};
use super::scaling::condition_is;
use crate::scenario::{DEADLINE, deployment, scaled_object};

/// Exit codes of `kubectl keda`, as its documentation gives them.
const OK: i32 = 0;
const NOT_PERMITTED: i32 = 5;
const CHECK_FAILED: i32 = 6;

fn metrics_api(source: &Source, key: &str) -> Value {
    json!({"type": "metrics-api", "metadata": {"url": source.url(key), "valueLocation": "value", "targetValue": "10"}})
}

/// The report in the output of a run that went well.
pub(super) fn report(ran: &Ran) -> Result<Value> {
    ensure!(ran.code == OK, "exit {} {} {}", ran.code, ran.stdout, ran.stderr);
    Ok(serde_json::from_str(&ran.stdout)?)
}

fn metric(report: &Value, trigger: usize) -> &Value {
    &report["triggers"][trigger]["metrics"][0]
}

fn user(name: &str) -> Value {
    json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name})
}

fn account(ns: &Namespace, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": ns.name()})
}

/// The requests of a user in the audit log of a bed: verb and path.
fn audited(bed: &Bed, user: &str) -> Result<Vec<(String, String)>> {
    let log = std::fs::read_to_string(bed.dir().join("bed").join("audit.log"))?;
    let mut found = Vec::new();
    for line in log.lines() {
        // The last line may still be under way.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if event["user"]["username"] == user {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            found.push((text(&event["verb"]), text(&event["requestURI"])));
        }
    }
    Ok(found)
}

/// An object whose source wants a key that lies in a Secret.
async fn object_with_secret(ns: &Namespace, source: &Source) -> Result<()> {
    ns.create_object(&deployment("web", 0)).await?;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api"}, "stringData": {"key": "open sesame"}});
    ns.create_object(&secret).await?;
    ns.create_object(&json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": "api"},
        "spec": {"secretTargetRef": [{"parameter": "apiKey", "name": "api", "key": "key"}]},
    }))
    .await?;
    let mut trigger = metrics_api(source, "queue");
    trigger["metadata"]["authMode"] = json!("apiKey");
    trigger["authenticationRef"] = json!({"name": "api"});
    ns.create_object(&scaled_object(&trigger, &json!({}))).await?;
    Ok(())
}

pub(crate) async fn reading_suffices() -> Result<()> {
    let policy = std::env::temp_dir().join(format!("keda-audit-{}.yaml", std::process::id()));
    std::fs::write(
        &policy,
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n",
    )?;
    let path = policy.to_str().context("the folder has a UTF-8 name")?.to_owned();
    let bed = Bed::start("audit", &["--audit", &path]).await?;
    std::fs::remove_file(&policy)?;
    keda::define(&bed).await?;
    let source = Source::start().await?;
    source.set("queue", Answer::Value(25.0));
    with_namespace(&bed, "dry-run", async |ns| {
        object_with_secret(ns, &source).await?;
        let rules = json!([
            {"apiGroups": ["keda.sh"], "resources": ["*"], "verbs": ["get", "list"]},
            {"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get", "list"]},
            {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["get", "list"]},
        ]);
        bind(&bed, "dry-run-reader", &rules, &user("reader")).await?;
        let kubeconfig = bed.dir().join("reader.kubeconfig");
        bed.kubeconfig_for(&["--user", "reader"], &kubeconfig)?;
        let ran = cli(&kubeconfig, &["dry-run", "so/so", "-n", ns.name(), "-o", "json"])?;
        let told = report(&ran)?;
        ensure!(told["askedBy"] == "command" && told["decision"] == "Activate" && told["after"] == 3, "{told:#}");
        ensure!(metric(&told, 0)["quantity"] == "25" && metric(&told, 0)["active"] == true, "{told:#}");
        ensure!(metric(&told, 0)["raw"].as_str().is_some_and(|raw| raw.contains("25")), "{told:#}");
        ensure!(told["hpa"]["spec"]["maxReplicas"] == 5, "{told:#}");
        ensure!(!ran.stdout.contains("sesame"), "a credential is printed: {}", ran.stdout);
        ensure!(source.reads("queue") == 1, "{} reads", source.reads("queue"));

        super::record::with_the_right_to_read(&bed, ns, &source, &kubeconfig).await?;

        // What this very user may not read is named, and nothing else is done about it.
        let narrow = json!([{"apiGroups": ["keda.sh"], "resources": ["scaledobjects"], "verbs": ["get"]}]);
        bind(&bed, "dry-run-narrow", &narrow, &user("narrow")).await?;
        let kubeconfig = bed.dir().join("narrow.kubeconfig");
        bed.kubeconfig_for(&["--user", "narrow"], &kubeconfig)?;
        let ran = cli(&kubeconfig, &["dry-run", "so/so", "-n", ns.name(), "--replicas", "1"])?;
        ensure!(ran.code == CHECK_FAILED && ran.stdout.contains("triggerauthentications"), "exit {} {} {}", ran.code, ran.stdout, ran.stderr);

        for who in ["reader", "narrow"] {
            let requests = wait_for("the audit log", DEADLINE, || async {
                let found = audited(&bed, who).map_err(|e| format!("{e:#}"))?;
                let complete = found.iter().any(|(_, path)| path.contains("/scaledobjects/so"));
                if complete { Ok(found) } else { Err(format!("{found:?}")) }
            })
            .await?;
            let writes: Vec<_> = requests.iter().filter(|(verb, _)| verb != "get" && verb != "list").collect();
            ensure!(writes.is_empty(), "{who} did more than read: {writes:?}");
        }
        Ok(())
    })
    .await
}

pub(crate) async fn as_the_adapter_serves() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    let access = Access {
        password: Some("secret".to_owned()),
        tls: None,
    };
    let redis = Redis::start(&keda.dir().join("dry-run-redis"), access).await?;
    with_namespace(bed, "dry-run", async |ns| {
        redis.push("jobs", 18)?;
        source.set(ns.name(), Answer::Value(7.5));
        ns.create_object(&deployment("web", 0)).await?;
        ns.create_object(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis"}, "stringData": {"password": "secret"}})).await?;
        ns.create_object(&json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": "redis"},
            "spec": {"secretTargetRef": [{"parameter": "password", "name": "redis", "key": "password"}]},
        }))
        .await?;
        let metadata = json!({"address": redis.address(), "listName": "jobs", "listLength": "5"});
        let first = json!({"type": "redis", "metadata": metadata, "authenticationRef": {"name": "redis"}});
        let both = json!({"triggers": [first, metrics_api(&source, ns.name())]});
        let object = scaled_object(&first, &both);

        // Before it is applied, from the file and with the Secret of the cluster.
        let file = keda.dir().join("dry-run.json");
        std::fs::write(&file, serde_json::to_vec(&object)?)?;
        let path = file.display().to_string();
        let before = report(&cli(bed.kubeconfig(), &["dry-run", "-f", &path, "-n", ns.name(), "-o", "json"])?)?;
        ensure!(before["after"] == 4 && before["decision"] == "Activate", "{before:#}");
        ensure!(before["steps"].as_array().map(Vec::len) == Some(2), "{before:#}");

        // And then the real thing agrees.
        ns.create_object(&object).await?;
        crate::scenario::replicas(ns, 4).await?;
        let after = report(&cli(bed.kubeconfig(), &["dry-run", "so/so", "-n", ns.name(), "-o", "json"])?)?;
        ensure!(after["after"] == 4 && after["decision"] == "StayActive", "{after:#}");
        for (trigger, name) in [(0, "s0-redis-jobs"), (1, "s1-metric-api-value")] {
            let served = read(bed.cluster(), ns.name(), "so", name).await?;
            for told in [&before, &after] {
                ensure!(metric(told, trigger)["metric"] == name, "{told:#}");
                ensure!(metric(told, trigger)["quantity"] == served, "{served} is served: {told:#}");
            }
        }
        Ok(())
    })
    .await
}

/// A dry run by the controller of the shared bed.
pub(super) fn in_cluster(keda: &Keda, ns: &Namespace, more: &[&str]) -> Vec<String> {
    let verb = ["dry-run", "-o", "json"].map(str::to_owned);
    let mut args = by_the_controller(keda, ns, more);
    args.splice(0..0, verb);
    args
}

/// How a service account reaches the controller of the shared bed: the CA comes from the file, as it may not look it up.
pub(super) fn by_the_controller(keda: &Keda, ns: &Namespace, more: &[&str]) -> Vec<String> {
    let ca = keda.certs().join("ca.crt").display().to_string();
    let address = format!("127.0.0.1:{}", keda.ports().controller_debug);
    let fixed = ["--in-cluster", "-n", ns.name()];
    let found = [
        "--debug-address",
        &address,
        "--debug-ca",
        &ca,
        "--keda-namespace",
        NAMESPACE,
    ];
    fixed
        .iter()
        .chain(&found)
        .chain(more)
        .map(|text| (*text).to_owned())
        .collect()
}

pub(super) fn run(kubeconfig: &Path, args: &[String]) -> Result<Ran> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    cli(kubeconfig, &args)
}

pub(crate) async fn in_the_cluster() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "dry-run-in", async |ns| {
        source.set(ns.name(), Answer::Value(25.0));
        ns.create_object(&deployment("web", 1)).await?;
        let object = scaled_object(&metrics_api(&source, ns.name()), &json!({"minReplicaCount": 1}));
        ns.create_object(&object).await?;
        condition_is(ns, "Ready", "True").await?;

        // Whoever may look at the object may try it, but sees no more of the source than its value.
        let viewer = keda.dir().join("dry-run-viewer.kubeconfig");
        bed.kubeconfig_for(&["--user", "dry-run-viewer"], &viewer)?;
        grant(bed, ns.name(), &user("dry-run-viewer")).await?;
        let args = in_cluster(keda, ns, &["so/so", "--set", "0=100"]);
        let told = report(&run(&viewer, &args)?)?;
        ensure!(told["askedBy"] == "controller" && told["after"] == 5, "{told:#}");
        let told = report(&run(&viewer, &in_cluster(keda, ns, &["so/so"]))?)?;
        ensure!(metric(&told, 0)["quantity"] == "25", "{told:#}");
        ensure!(
            metric(&told, 0)["raw"].is_null() && told["notes"].to_string().contains("left out"),
            "{told:#}"
        );

        let nobody = keda.dir().join("dry-run-nobody.kubeconfig");
        bed.kubeconfig_for(&["--service-account", &format!("{}/nobody", ns.name())], &nobody)?;
        for token in ["minted", "own"] {
            let args = in_cluster(keda, ns, &["so/so", "--debug-token", token]);
            let ran = run(&nobody, &args)?;
            ensure!(
                ran.code == NOT_PERMITTED && ran.stdout.is_empty(),
                "{token}: exit {} {} {}",
                ran.code,
                ran.stdout,
                ran.stderr
            );
        }
        Ok(())
    })
    .await
}

/// A ScaledObject with its own TriggerAuthentication over a Secret that only the controller reads.
fn draft(source: &Source, key: &str) -> String {
    let mut trigger = metrics_api(source, key);
    trigger["metadata"]["authMode"] = json!("apiKey");
    trigger["authenticationRef"] = json!({"name": "draft"});
    let mut object = scaled_object(&trigger, &json!({}));
    object["metadata"]["name"] = json!("draft");
    let authentication = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": "draft"},
        "spec": {"secretTargetRef": [{"parameter": "apiKey", "name": "draft", "key": "key"}]},
    });
    format!("{object}\n---\n{authentication}\n")
}

pub(crate) async fn drafts_need_the_right_to_create() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "dry-run-draft", async |ns| {
        source.set(ns.name(), Answer::Value(25.0));
        ns.create_object(&deployment("web", 0)).await?;
        ns.create_object(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "draft"}, "stringData": {"key": "open sesame"}})).await?;
        let file = keda.dir().join("draft.yaml");
        std::fs::write(&file, draft(&source, ns.name()))?;
        let path = file.display().to_string();
        let kubeconfig = keda.dir().join("dry-run-author.kubeconfig");
        bed.kubeconfig_for(&["--service-account", &format!("{}/author", ns.name())], &kubeconfig)?;
        let args = in_cluster(keda, ns, &["-f", &path]);
        let refused = |right: &'static str| {
            let (kubeconfig, args) = (&kubeconfig, &args);
            wait_for(format!("a refusal that names {right}"), DEADLINE, move || async move {
                let ran = run(kubeconfig, args).map_err(|e| format!("{e:#}"))?;
                look(ran.code == NOT_PERMITTED && ran.stdout.is_empty() && ran.stderr.contains(right), || {
                    format!("exit {} {} {}", ran.code, ran.stdout, ran.stderr)
                })
            })
        };
        refused("create scaledobjects.keda.sh").await?;
        let name = format!("dry-run-author-{}", ns.name());
        let may = |rules: Value| {
            let name = name.clone();
            async move { bind(bed, &name, &rules, &account(ns, "author")).await }
        };
        let get = json!({"apiGroups": ["keda.sh"], "resources": ["*"], "verbs": ["get"]});
        let objects = json!({"apiGroups": ["keda.sh"], "resources": ["scaledobjects"], "verbs": ["create"]});
        let authentications = json!({"apiGroups": ["keda.sh"], "resources": ["triggerauthentications"], "verbs": ["create"]});
        let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]});
        // To read everything is not enough, nor to create only the half of it.
        may(json!([get])).await?;
        refused("create scaledobjects.keda.sh").await?;
        may(json!([get, objects])).await?;
        refused("create triggerauthentications.keda.sh").await?;
        ensure!(source.reads(ns.name()) == 0, "the source was asked for somebody without the rights");

        may(json!([objects, authentications])).await?;
        let told = allowed(&kubeconfig, &args, |told| metric(told, 0)["raw"].is_null()).await?;
        ensure!(metric(&told, 0)["quantity"] == "25" && told["after"] == 3, "{told:#}");
        may(json!([objects, authentications, pods])).await?;
        let told = allowed(&kubeconfig, &args, |told| !metric(told, 0)["raw"].is_null()).await?;
        ensure!(!told.to_string().contains("sesame"), "a credential is told: {told:#}");
        for (kind, name) in [("ScaledObject", "draft"), ("TriggerAuthentication", "draft")] {
            ensure!(bed.cluster().get(kind, ns.name(), name).await?.is_none(), "a dry run made a {kind}");
        }
        ensure!(bed.cluster().list("HorizontalPodAutoscaler", ns.name()).await?.is_empty(), "a dry run made an HPA");
        Ok(())
    })
    .await
}

/// Waits for an answer that fits: the controller believes what it knows of a caller's rights for some seconds.
async fn allowed(kubeconfig: &Path, args: &[String], fits: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_for("the rights to count", DEADLINE, || async {
        let told = run(kubeconfig, args)
            .and_then(|ran| report(&ran))
            .map_err(|e| format!("{e:#}"))?;
        if fits(&told) {
            Ok(told)
        } else {
            Err(format!("{told:#}"))
        }
    })
    .await
}

pub(crate) async fn names_of_the_cluster() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    with_namespace(bed, "dry-run-svc", async |ns| {
        let metadata = json!({"address": "redis.nowhere.svc:6379", "listName": "jobs"});
        let object = scaled_object(&json!({"type": "redis", "metadata": metadata}), &json!({}));
        let file = keda.dir().join("dry-run-svc.json");
        std::fs::write(&file, serde_json::to_vec(&object)?)?;
        let path = file.display().to_string();
        let ran = cli(
            bed.kubeconfig(),
            &["dry-run", "-f", &path, "-n", ns.name(), "--replicas", "2"],
        )?;
        ensure!(
            ran.code == CHECK_FAILED,
            "exit {} {} {}",
            ran.code,
            ran.stdout,
            ran.stderr
        );
        let said = ran
            .stdout
            .contains("`redis.nowhere.svc` is a name inside the cluster")
            && ran.stdout.contains("`--in-cluster`");
        ensure!(
            said && ran
                .stdout
                .contains("would keep apps/v1.Deployment web at 2 replicas"),
            "{}",
            ran.stdout
        );
        Ok(())
    })
    .await
}

/// What `connections` tells of those that objects of a namespace use.
pub(super) fn told(bed: &Bed, keda: &Keda, ns: &Namespace) -> Result<Value> {
    let address = format!("127.0.0.1:{}", keda.ports().controller_debug);
    let args = [
        "connections",
        "-n",
        ns.name(),
        "-o",
        "json",
        "--debug-address",
        &address,
    ];
    report(&cli(bed.kubeconfig(), &args)?)
}

pub(crate) async fn connections() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "connections", async |ns| {
        source.set(ns.name(), Answer::Value(25.0));
        ns.create_object(&deployment("web", 1)).await?;
        for name in ["first", "second"] {
            let mut object = scaled_object(&metrics_api(&source, ns.name()), &json!({"minReplicaCount": 1}));
            object["metadata"]["name"] = json!(name);
            object["spec"]["scaleTargetRef"]["name"] = json!(format!("web-{name}"));
            ns.create_object(&deployment(&format!("web-{name}"), 1)).await?;
            ns.create_object(&object).await?;
        }
        let endpoint = format!("http://{}", source.address());
        let users = json!([
            format!("{}/first[0]", ns.name()),
            format!("{}/second[0]", ns.name())
        ]);
        wait_for("one connection that both share", DEADLINE, || async {
            let told = told(bed, keda, ns).map_err(|e| format!("{e:#}"))?;
            let found = told["items"].as_array().cloned().unwrap_or_default();
            let shared = |item: &Value| {
                item["endpoint"] == endpoint
                    && item["users"] == users
                    && item["state"] == "open"
                    && item["requests"].as_u64() > Some(0)
            };
            look(found.len() == 1 && found.iter().all(shared), || {
                format!("{told:#}")
            })
        })
        .await
    })
    .await
}
