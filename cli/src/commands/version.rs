//! `kubectl keda version`: the versions of this command, the cluster, the controller and the adapter.

use std::fmt::Write as _;

use futures::future;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::ListParams;
use rpc::debug::{VersionReply, VersionRequest};
use serde_json::{Value, json};

use crate::context::Context;
use crate::debug::{self, DebugArgs};
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::output::OutputArgs;

/// Version of KEDA whose behaviour this one has.
const KEDA_VERSION: &str = "2.20";

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda version
  kubectl keda version --client
  kubectl keda version -o jsonpath='{.controllerVersion.version}'")]
pub struct Args {
    /// Say only which version this command is, without asking a cluster
    #[arg(long)]
    pub client: bool,
    /// How to print the answer
    #[command(flatten)]
    pub output: OutputArgs,
    /// How to reach the controller
    #[command(flatten)]
    pub debug: DebugArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let mut versions = json!({
        "clientVersion": {"version": env!("CARGO_PKG_VERSION"), "kedaVersion": KEDA_VERSION},
    });
    let mut failures = Vec::new();
    if !args.client {
        match cx.cluster().await {
            Ok(cluster) => ask(&cluster, args, &mut versions, &mut failures).await,
            Err(failure) => failures.push(failure),
        }
    }
    cx.ui.data(
        &args
            .output
            .form
            .render(&versions)?
            .unwrap_or_else(|| text(&versions)),
    )?;
    // What the cluster is comes first: without it nothing else could be asked.
    let unreachable = failures
        .iter()
        .position(|failure| failure.code == exit::UNREACHABLE);
    match unreachable {
        Some(first) if versions.get("serverVersion").is_none() => Err(failures.swap_remove(first)),
        _ => {
            failures.dedup_by_key(|failure| exit::chain(failure));
            for failure in &failures {
                cx.ui.note(&exit::chain(failure));
                failure
                    .helps()
                    .iter()
                    .for_each(|help| cx.ui.say(&format!("  help: {help}")));
            }
            Ok(exit::OK)
        }
    }
}

async fn ask(cluster: &Cluster, args: &Args, versions: &mut Value, failures: &mut Vec<Failure>) {
    match cluster.client.apiserver_version().await {
        Ok(info) => {
            versions["serverVersion"] = json!({"gitVersion": info.git_version, "platform": info.platform});
        }
        Err(error) => {
            failures.push(cluster.failed("get the API server's version", error));
            return;
        }
    }
    let (controller, adapter) =
        future::join(controller(cluster, &args.debug), adapter(cluster, &args.debug)).await;
    for (key, found) in [("controllerVersion", controller), ("adapterVersion", adapter)] {
        match found {
            Ok(reply) => versions[key] = reply,
            Err(failure) => failures.push(failure),
        }
    }
    // Without the debug API the Deployment still says what was installed.
    if versions.get("controllerVersion").is_none()
        && let Some(installed) = installed(cluster).await
    {
        versions["installed"] = installed;
    }
}

async fn controller(cluster: &Cluster, args: &DebugArgs) -> Result<Value, Failure> {
    let caller = debug::controller(cluster, args).await?;
    let reply = caller.debug().version(caller.call(VersionRequest {})).await;
    reply
        .map(|reply| version(&reply.into_inner()))
        .map_err(|status| caller.failed("tell its version", &status))
}

async fn adapter(cluster: &Cluster, args: &DebugArgs) -> Result<Value, Failure> {
    let callers = debug::adapters(cluster, args).await?;
    let Some(caller) = callers.first() else {
        return Err(
            Failure::new(exit::CHECK_FAILED, "no pod of the metrics adapter was found")
                .help("an adapter outside the cluster has no forwarded port to be asked on"),
        );
    };
    let reply = caller
        .adapter_debug()
        .version(caller.call(VersionRequest {}))
        .await;
    reply
        .map(|reply| version(&reply.into_inner()))
        .map_err(|status| caller.failed("tell its version", &status))
}

fn version(reply: &VersionReply) -> Value {
    json!({
        "version": reply.version,
        "kedaVersion": reply.keda_version,
        "gitCommit": reply.git_commit,
        "instance": reply.instance,
    })
}

async fn installed(cluster: &Cluster) -> Option<Value> {
    let deployments: Api<Deployment> = Api::all(cluster.client.clone());
    let named = ListParams::default().fields("metadata.name=keda-operator");
    let deployment = deployments.list(&named).await.ok()?.items.into_iter().next()?;
    let image = deployment
        .spec?
        .template
        .spec?
        .containers
        .into_iter()
        .next()?
        .image?;
    let namespace = deployment.metadata.namespace.unwrap_or_default();
    let version = deployment
        .metadata
        .labels
        .and_then(|mut labels| labels.remove("app.kubernetes.io/version"));
    Some(json!({"deployment": format!("{namespace}/keda-operator"), "image": image, "version": version}))
}

fn text(versions: &Value) -> String {
    let get = |pointer: &str| {
        versions
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let mut text = format!(
        "Client Version: v{} (KEDA {KEDA_VERSION})\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(server) = get("/serverVersion/gitVersion") {
        let _ = writeln!(text, "Server Version: {server}");
    }
    for (title, key) in [("Controller", "controllerVersion"), ("Adapter", "adapterVersion")] {
        if let Some(version) = get(&format!("/{key}/version")) {
            let keda =
                get(&format!("/{key}/kedaVersion")).map_or(String::new(), |keda| format!("KEDA {keda}, "));
            let instance = get(&format!("/{key}/instance")).unwrap_or("?");
            let _ = writeln!(text, "{title} Version: v{version} ({keda}{instance})");
        }
    }
    if let Some(deployment) = get("/installed/deployment") {
        let what = get("/installed/version")
            .or(get("/installed/image"))
            .unwrap_or("unknown");
        let _ = writeln!(text, "Installed: {what} (Deployment {deployment})");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_lines() {
        let versions = json!({
            "serverVersion": {"gitVersion": "v1.36.0"},
            "controllerVersion": {"version": "0.1.0", "kedaVersion": "2.20.2", "instance": "keda-operator-0"},
            "installed": {"deployment": "keda/keda-operator", "image": "x:1"},
        });
        let text = text(&versions);
        let (_, rest) = text.split_once('\n').expect("several lines");
        assert_eq!(
            rest,
            "Server Version: v1.36.0\nController Version: v0.1.0 (KEDA 2.20.2, keda-operator-0)\n\
             Installed: x:1 (Deployment keda/keda-operator)\n"
        );
    }
}
