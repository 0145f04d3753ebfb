//! Every scaler type on its real server: what `kubectl keda dry-run` says of a manifest is what the HPA of the applied one is
//! given.

mod backlog;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use harness::keda::Keda;
use harness::namespace::{Namespace, with_namespace};
use harness::wait::wait_for;
use serde_json::{Value, json};

use super::adapter::read;
use super::debug_api::cli;
use super::dry_run::{in_cluster, report, run};
use super::shared::{authenticate, ready};
use crate::scenario::{DEADLINE, deployment, replicas};
use backlog::{Case, servers};

/// The pods that `kubernetes-workload` counts: those of the Deployment `web`.
const PODS: u32 = 3;

impl Case {
    /// The ScaledObject on a Deployment, both named after the type.
    fn object(&self) -> Value {
        let mut trigger = json!({"type": self.type_, "metadata": self.metadata});
        if !self.auth.is_null() {
            trigger["authenticationRef"] = json!({"name": self.type_});
        }
        if self.value.is_none() {
            trigger["metricType"] = json!("Utilization");
        }
        json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": self.type_},
            "spec": {
                "scaleTargetRef": {"name": self.type_},
                "pollingInterval": 5,
                // What only the HPA measures cannot start from zero.
                "minReplicaCount": u8::from(self.value.is_none()),
                "maxReplicaCount": 2,
                "triggers": [trigger],
            },
        })
    }

    /// What a dry run says of the one metric: its value is the backlog.
    fn told<'a>(&self, reports: &'a Value) -> Result<&'a Value> {
        let all = reports["items"]
            .as_array()
            .context("several objects are a list")?;
        let own = all.iter().find(|report| report["name"] == self.type_);
        let own = own.context("no report")?;
        ensure!(own["triggers"].as_array().map(Vec::len) == Some(1), "{own:#}");
        let trigger = &own["triggers"][0];
        ensure!(trigger["metrics"].as_array().map(Vec::len) == Some(1), "{own:#}");
        let metric = &trigger["metrics"][0];
        match &self.value {
            Some(value) => ensure!(
                metric["quantity"] == *value && metric["active"] == self.active,
                "not {value}, active {}: {own:#}",
                self.active
            ),
            // The source is the HPA itself, which says nothing to anybody else.
            None => ensure!(
                trigger["source"].is_null()
                    && metric["quantity"].is_null()
                    && metric["active"].is_null()
                    && own["notes"].to_string().contains("is measured by the HPA itself"),
                "{own:#}"
            ),
        }
        Ok(metric)
    }

    /// Compares what was told with what the cluster has: value, target and activity.
    async fn holds(&self, ns: &Namespace, told: &Value) -> Result<()> {
        let hpa = format!("keda-hpa-{}", self.type_);
        let hpa = ns
            .cluster()
            .need("HorizontalPodAutoscaler", ns.name(), &hpa)
            .await?;
        let metrics = hpa["spec"]["metrics"].as_array().context("the HPA has metrics")?;
        ensure!(metrics.len() == 1, "{metrics:?}");
        if self.value.is_none() {
            let resource = &metrics[0]["resource"];
            let target = format!("{}%", resource["target"]["averageUtilization"]);
            ensure!(
                told["metric"] == resource["name"] && told["target"] == target,
                "{resource} in the HPA, {told} in the dry run"
            );
            return Ok(());
        }
        let external = &metrics[0]["external"];
        let (name, target) = (&external["metric"]["name"], &external["target"]);
        let average = target["averageValue"].as_str().context("an average value")?;
        ensure!(
            told["metric"] == *name
                && told["targetType"] == target["type"]
                && told["target"] == format!("{average} (avg)"),
            "{external} in the HPA, {told} in the dry run"
        );
        let name = name.as_str().context("a metric has a name")?;
        let served = read(ns.cluster(), ns.name(), self.type_, name).await?;
        ensure!(
            told["quantity"] == served,
            "{served} is served, {told} in the dry run"
        );
        let active = activity(ns, self.type_, name).await?;
        ensure!(
            told["active"] == active,
            "active {active} in the status, {told} in the dry run"
        );
        Ok(())
    }
}

/// What the controller says of the activity of a metric, once it has polled.
async fn activity(ns: &Namespace, object: &str, metric: &str) -> Result<bool> {
    wait_for(format!("the activity of {metric}"), DEADLINE, || async {
        let found = ns.cluster().need("ScaledObject", ns.name(), object).await;
        let found = found.map_err(|e| format!("{e:#}"))?;
        let known = &found["status"]["triggersActivity"];
        known[metric]["isActive"]
            .as_bool()
            .ok_or_else(|| known.to_string())
    })
    .await
}

pub(crate) async fn dry_run_says_what_is_served() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let servers = servers().await?;
    let cases: Vec<&Case> = servers.iter().flat_map(|server| &server.cases).collect();
    for scaler in scalers::SCALERS {
        let covered = cases.iter().any(|case| case.type_ == scaler.name);
        ensure!(
            covered || scaler.name == "kubernetes-workload",
            "there is no case for {}",
            scaler.name
        );
    }
    with_namespace(bed, "every-type", async |ns| {
        for case in &cases {
            ns.create_object(&deployment(case.type_, 0)).await?;
            if !case.auth.is_null() {
                authenticate(ns, case.type_, &case.auth).await?;
            }
        }
        let objects: Vec<Value> = cases.iter().map(|case| case.object()).collect();
        let file = keda.dir().join("every-type.json");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(&file, serde_json::to_vec(&list)?)?;
        let path = file.display().to_string();
        let ask = || {
            let args = ["dry-run", "-f", &path, "-n", ns.name(), "-o", "json"];
            report(&cli(bed.kubeconfig(), &args)?)
        };
        let before = ask()?;
        for object in &objects {
            ns.create_object(object).await?;
        }
        ready(ns, objects.len()).await?;
        let after = ask()?;
        for case in &cases {
            for reports in [&before, &after] {
                let compared = async { case.holds(ns, case.told(reports)?).await };
                compared.await.with_context(|| case.type_)?;
            }
        }
        workload(keda, bed.kubeconfig(), ns)
            .await
            .context("kubernetes-workload")
    })
    .await
}

/// Pods are counted inside the cluster only: this machine says so, and the controller is asked.
async fn workload(keda: &Keda, kubeconfig: &Path, ns: &Namespace) -> Result<()> {
    let case = Case {
        type_: "kubernetes-workload",
        metadata: json!({"podSelector": "app=web", "value": "2", "activationValue": "1"}),
        auth: Value::Null,
        value: Some(PODS.to_string()),
        active: true,
    };
    ns.create_object(&deployment("web", PODS)).await?;
    ns.create_object(&deployment(case.type_, 0)).await?;
    replicas(ns, i64::from(PODS)).await?;
    ns.create_object(&case.object()).await?;
    wait_for("the object to be worked on", DEADLINE, || async {
        let found = ns.cluster().need("ScaledObject", ns.name(), case.type_).await;
        let found = found.map_err(|e| format!("{e:#}"))?;
        let known = !found["status"]["triggersActivity"].is_null();
        known.then_some(()).ok_or_else(|| found["status"].to_string())
    })
    .await?;
    let here = cli(kubeconfig, &["dry-run", case.type_, "-n", ns.name()])?;
    ensure!(
        here.stdout.contains("`--in-cluster` lets the controller ask"),
        "exit {} {} {}",
        here.code,
        here.stdout,
        here.stderr
    );
    let told = report(&run(kubeconfig, &in_cluster(keda, ns, &[case.type_]))?)?;
    let told = json!({"items": [told]});
    case.holds(ns, case.told(&told)?).await
}
