//! Who may ask the debug API: by every kind of kubeconfig login, and refused without the rights.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use harness::bed::Bed;
use harness::keda::{self, Keda, NAMESPACE};
use harness::namespace::{Namespace, with_namespace};
use harness::source::{Answer, Source};
use serde_json::{Value, json};

use super::scaling::condition_is;
use crate::scenario::{deployment, scaled_object};

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
    Ok(())
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
