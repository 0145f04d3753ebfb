//! `install`, `upgrade` and `uninstall` on a control plane of their own: they write objects that a cluster has once.
//!
//! Nodes are simulated, so pods become ready and nobody answers behind the APIService; what real pods do is shown by the
//! demo.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use harness::bed::{self, Bed};
use harness::tier::Tier;
use harness::{keda, workspace};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

static BED: OnceCell<Mutex<Bed>> = OnceCell::const_new();

const API_SERVICE: &str = "apiservice.apiregistration.k8s.io/v1beta1.external.metrics.k8s.io";

pub(crate) fn tier() -> Tier {
    Tier::new("cluster::install")
        .needs(bed::binary())
        .needs(keda::cli_bin())
        .case("a_second_run_changes_nothing", second_run)
        .case("a_dry_run_writes_nothing", dry_run)
        .case("definitions_of_another_tool_are_taken_over", take_over)
        .case("deployments_of_another_keda_are_refused_and_replaced", replace)
        .case("the_wait_names_a_quota", quota)
        .case("the_wait_names_a_pending_pod_and_a_dead_api_service", pending)
        .case("an_upgrade_keeps_what_was_chosen", upgrade)
        .case("uninstall_leaves_nothing_behind_finalizers", uninstall)
        .case("uninstall_can_keep_the_custom_resources", keep)
        .case("a_dry_run_of_uninstall_removes_nothing", dry_uninstall)
        .case("uninstall_names_a_finalizer_of_others", held)
}

/// The control plane with nothing installed; one case at a time has it.
async fn bare() -> Result<MutexGuard<'static, Bed>> {
    let bed = BED
        .get_or_try_init(async || Bed::start("install", &[]).await.map(Mutex::new))
        .await?
        .lock()
        .await;
    succeeds(&bed, &["uninstall", "--yes"])?;
    Ok(bed)
}

/// Runs the command line as a user without a terminal does.
fn run(bed: &Bed, args: &[&str]) -> Result<Output> {
    Ok(Command::new(keda::cli_bin()?)
        .args(args)
        .env("KUBECONFIG", bed.kubeconfig())
        .stdin(Stdio::null())
        .output()?)
}

/// Standard output of a run that succeeds.
fn succeeds(bed: &Bed, args: &[&str]) -> Result<String> {
    let output = run(bed, args)?;
    let (out, err) = texts(&output);
    ensure!(
        output.status.success(),
        "{args:?} ended with {}: {out}{err}",
        output.status
    );
    Ok(out)
}

/// Standard error of a run that ends with that code.
fn fails(bed: &Bed, code: i32, args: &[&str]) -> Result<String> {
    let output = run(bed, args)?;
    let (out, err) = texts(&output);
    ensure!(
        output.status.code() == Some(code),
        "{args:?} ended with {}: {out}{err}",
        output.status
    );
    Ok(err)
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn kubectl(bed: &Bed, args: &[&str]) -> Result<String> {
    let output = bed.kubectl(args)?;
    let (out, err) = texts(&output);
    ensure!(output.status.success(), "kubectl {args:?}: {err}");
    Ok(out)
}

#[track_caller]
fn has(text: &str, part: &str) -> Result<()> {
    ensure!(text.contains(part), "`{part}` is not in:\n{text}");
    Ok(())
}

/// A ScaledObject that finalizers hold.
async fn held_object(bed: &Bed, name: &str, finalizers: &[&str]) -> Result<()> {
    let object = json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": { "name": name, "finalizers": finalizers },
        "spec": {
            "scaleTargetRef": { "name": name },
            "triggers": [{ "type": "cron", "metadata": {} }],
        },
    });
    // The definition was made a moment ago; the API server serves it a moment later.
    kubectl(
        bed,
        &[
            "wait",
            "crd/scaledobjects.keda.sh",
            "--for=condition=Established",
            "--timeout=60s",
        ],
    )?;
    bed.cluster().create("default", &object).await?;
    Ok(())
}

async fn second_run() -> Result<()> {
    let bed = bare().await?;
    let first = succeeds(&bed, &["install"])?;
    ensure!(first.lines().all(|line| line.ends_with(" created")), "{first}");
    for (args, suffix) in [
        (&["install"][..], " unchanged"),
        (&["upgrade"], " unchanged"),
        (&["install", "--dry-run=server"], " unchanged (server dry run)"),
    ] {
        let again = succeeds(&bed, args)?;
        ensure!(
            again.lines().all(|line| line.ends_with(suffix)),
            "{args:?}: {again}"
        );
        ensure!(again.lines().count() == first.lines().count(), "{again}");
    }
    Ok(())
}

async fn dry_run() -> Result<()> {
    let bed = bare().await?;
    let client = succeeds(
        &bed,
        &["install", "--dry-run=client", "-o", "yaml", "-n", "elsewhere"],
    )?;
    has(&client, "namespace: elsewhere")?;
    let server = succeeds(&bed, &["install", "--dry-run=server"])?;
    has(&server, "deployment.apps/keda-operator created (server dry run)")?;
    let left = kubectl(
        &bed,
        &["get", "crd,apiservice,clusterrole,namespace", "--output", "name"],
    )?;
    ensure!(!left.contains("keda"), "{left}");
    Ok(())
}

async fn take_over() -> Result<()> {
    let bed = bare().await?;
    let file = workspace().join("crds/yaml/scaledobjects.keda.sh.yaml");
    let file = path(&file)?;
    kubectl(
        &bed,
        &[
            "apply",
            "--server-side",
            "--field-manager=helm",
            "--filename",
            file,
        ],
    )?;
    held_object(&bed, "kept", &[]).await?;
    let other = r#"{"spec":{"names":{"shortNames":["so","scaled"]}}}"#;
    let patch = [
        "patch",
        "crd",
        "scaledobjects.keda.sh",
        "--field-manager=helm",
        "--type=merge",
        "--patch",
        other,
    ];
    kubectl(&bed, &patch)?;
    let output = run(&bed, &["install"])?;
    let (out, err) = texts(&output);
    ensure!(output.status.success(), "{err}");
    has(
        &out,
        "customresourcedefinition.apiextensions.k8s.io/scaledobjects.keda.sh configured",
    )?;
    has(&err, "took fields over from helm")?;
    kubectl(&bed, &["get", "scaledobject", "kept"]).context("the object is gone")?;
    Ok(())
}

async fn replace() -> Result<()> {
    let bed = bare().await?;
    kubectl(&bed, &["create", "namespace", "taken"])?;
    let image = "--image=registry.example/other/keda:1";
    kubectl(
        &bed,
        &[
            "create",
            "deployment",
            "keda-operator",
            "--namespace",
            "taken",
            image,
        ],
    )?;
    let refused = fails(&bed, 6, &["install", "-n", "taken"])?;
    has(&refused, "`keda-operator` that another tool installed")?;
    has(&refused, "--replace")?;
    fails(&bed, 6, &["uninstall", "-n", "taken", "--yes"])?;
    succeeds(&bed, &["install", "-n", "taken", "--replace"])?;
    let elsewhere = fails(&bed, 6, &["install", "-n", "other"])?;
    has(&elsewhere, "an installation in namespace taken")?;
    let output = run(&bed, &["uninstall", "-n", "taken", "--yes"])?;
    ensure!(output.status.success(), "{}", texts(&output).1);
    has(&texts(&output).1, "namespace taken was there before and stays")?;
    kubectl(&bed, &["delete", "namespace", "taken", "--wait=false"])?;
    Ok(())
}

async fn quota() -> Result<()> {
    let bed = bare().await?;
    kubectl(&bed, &["create", "namespace", "full"])?;
    kubectl(
        &bed,
        &[
            "create",
            "quota",
            "no-pods",
            "--hard=pods=0",
            "--namespace",
            "full",
        ],
    )?;
    let err = fails(&bed, 7, &["install", "-n", "full", "--wait", "--timeout", "10s"])?;
    has(&err, "exceeded quota: no-pods")?;
    has(&err, "help: raise the ResourceQuota")?;
    succeeds(&bed, &["uninstall", "-n", "full", "--yes"])?;
    kubectl(&bed, &["delete", "namespace", "full", "--wait=false"])?;
    Ok(())
}

async fn pending() -> Result<()> {
    let bed = bare().await?;
    kubectl(&bed, &["taint", "nodes", "--all", "test=full:NoSchedule"])?;
    let err = fails(&bed, 7, &["install", "--wait", "--timeout", "10s"]);
    kubectl(&bed, &["taint", "nodes", "--all", "test-"])?;
    let err = err?;
    has(&err, "is Pending: ")?;
    has(&err, "untolerated taint")?;
    has(
        &err,
        "apiservice/v1beta1.external.metrics.k8s.io: is not available: ",
    )?;
    Ok(())
}

async fn upgrade() -> Result<()> {
    let bed = bare().await?;
    has(
        &fails(&bed, 6, &["upgrade"])?,
        "`kubectl keda install` installs it",
    )?;
    let chosen = [
        "--registry",
        "registry.example:5000/team",
        "--image-pull-secret",
        "registry",
        "--replicas",
        "2",
    ];
    succeeds(
        &bed,
        &[&["install", "--image-tag", "0.0.1"], &chosen[..]].concat(),
    )?;
    let output = run(&bed, &["upgrade"])?;
    let version = env!("CARGO_PKG_VERSION");
    ensure!(output.status.success(), "{}", texts(&output).1);
    has(&texts(&output).1, &format!("upgrading from 0.0.1 to {version}"))?;
    for (name, image) in [
        ("keda-operator", "controller"),
        ("keda-metrics-apiserver", "metrics-adapter"),
    ] {
        let found = bed.cluster().need("Deployment", "keda", name).await?;
        let spec = &found["spec"];
        let pod = &spec["template"]["spec"];
        ensure!(spec["replicas"] == 2, "{spec}");
        let wanted = format!("registry.example:5000/team/{image}:{version}");
        ensure!(pod["containers"][0]["image"] == wanted, "{pod}");
        ensure!(pod["imagePullSecrets"][0]["name"] == "registry", "{pod}");
    }
    Ok(())
}

async fn uninstall() -> Result<()> {
    let bed = bare().await?;
    succeeds(&bed, &["install"])?;
    held_object(&bed, "held", &["finalizer.keda.sh"]).await?;
    kubectl(&bed, &["delete", "scaledobject", "held", "--wait=false"])?;
    let asked = fails(&bed, 2, &["uninstall"])?;
    has(&asked, "1 ScaledObject")?;
    has(&asked, "`--yes`")?;
    kubectl(&bed, &["get", API_SERVICE]).context("an unanswered question removed something")?;
    let out = succeeds(&bed, &["uninstall", "--yes"])?;
    let order: Vec<&str> = out
        .lines()
        .filter_map(|line| line.split(['.', '/']).next())
        .collect();
    ensure!(
        order.starts_with(&[
            "apiservice",
            "deployment",
            "deployment",
            "customresourcedefinition"
        ]),
        "{out}"
    );
    let kinds = "crd,apiservice,clusterrole,clusterrolebinding,namespace";
    let left = kubectl(&bed, &["get", kinds, "--output", "name"])?;
    ensure!(!left.contains("keda"), "{left}");
    let there = kubectl(
        &bed,
        &[
            "get",
            "rolebinding",
            "--namespace",
            "kube-system",
            "--output",
            "name",
        ],
    )?;
    ensure!(!there.contains("keda"), "{there}");
    let again = run(&bed, &["uninstall"])?;
    has(&texts(&again).1, "nothing of kubectl-keda is in namespace keda")
}

async fn keep() -> Result<()> {
    let bed = bare().await?;
    succeeds(&bed, &["install"])?;
    held_object(&bed, "kept", &["finalizer.keda.sh", "example.com/other"]).await?;
    succeeds(&bed, &["uninstall", "--keep-crds"])?;
    let kept = bed.cluster().need("ScaledObject", "default", "kept").await?;
    ensure!(
        kept["metadata"]["finalizers"] == json!(["example.com/other"]),
        "{kept}"
    );
    release(&bed, "kept").await
}

async fn dry_uninstall() -> Result<()> {
    let bed = bare().await?;
    succeeds(&bed, &["install"])?;
    held_object(&bed, "kept", &["finalizer.keda.sh"]).await?;
    let output = run(&bed, &["uninstall", "--dry-run"])?;
    let (out, err) = texts(&output);
    ensure!(output.status.success(), "{err}");
    has(&err, "with their definitions go 1 ScaledObject")?;
    ensure!(
        out.lines()
            .all(|line| line.ends_with(" deleted (server dry run)")),
        "{out}"
    );
    let kept = bed.cluster().need("ScaledObject", "default", "kept").await?;
    ensure!(
        kept["metadata"]["finalizers"] == json!(["finalizer.keda.sh"]),
        "{kept}"
    );
    let again = succeeds(&bed, &["install"])?;
    ensure!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    // What was listed is what goes, in the same order.
    let gone = succeeds(&bed, &["uninstall", "--yes"])?;
    ensure!(
        out.replace(" (server dry run)", "") == gone,
        "{out}\nis not\n{gone}"
    );
    Ok(())
}

async fn held() -> Result<()> {
    let bed = bare().await?;
    succeeds(&bed, &["install"])?;
    held_object(&bed, "held", &["example.com/other"]).await?;
    let err = fails(&bed, 7, &["uninstall", "--yes", "--timeout", "15s"])?;
    has(&err, "default/held is kept by the finalizer example.com/other")?;
    release(&bed, "held").await
}

async fn release(bed: &Bed, name: &str) -> Result<()> {
    let patch = json!({ "metadata": { "finalizers": null } });
    bed.cluster()
        .merge_patch("ScaledObject", "default", name, &patch)
        .await?;
    Ok(())
}

fn path(file: &Path) -> Result<&str> {
    file.to_str().context("the workspace has a UTF-8 name")
}
