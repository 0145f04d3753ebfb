//! Where the installation is, and which of its pods to ask.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::{DebugArgs, Installation};
use crate::exit::{self, Failure};
use crate::install::names::DEBUGGER;
use crate::kubeconfig::Cluster;

const API_SERVICE: &str = "v1beta1.external.metrics.k8s.io";
const LEASE: &str = "operator.keda.sh";
const USUAL_NAMESPACE: &str = "keda";

/// Finds the installation: the APIService names its namespace and its CA.
pub(super) async fn installation(cluster: &Cluster, args: &DebugArgs) -> Result<Installation, Failure> {
    if let (Some(namespace), Some(_)) = (&args.keda_namespace, &args.debug_ca) {
        return Ok(Installation {
            namespace: namespace.clone(),
            ca: None,
        });
    }
    let services: Api<APIService> = Api::all(cluster.client.clone());
    let service = services.get_opt(API_SERVICE).await.map_err(|e| {
        let doing = format!("read the APIService {API_SERVICE}");
        lacking(cluster, &doing, e, "get apiservices.apiregistration.k8s.io", "")
            .help("or name what it would tell: `--keda-namespace NAME` and `--debug-ca FILE`")
    })?;
    let Some(service) = service else {
        return Err(Failure::new(
            exit::CHECK_FAILED,
            format!("there is no APIService {API_SERVICE}"),
        )
        .help("`kubectl keda install` installs the controller and the metrics adapter"));
    };
    let spec = service.spec.unwrap_or_default();
    let namespace = spec.service.and_then(|service| service.namespace);
    let namespace = args
        .keda_namespace
        .clone()
        .or(namespace)
        .unwrap_or_else(|| USUAL_NAMESPACE.to_owned());
    Ok(Installation {
        namespace,
        ca: spec.ca_bundle.map(|bundle| bundle.0),
    })
}

/// The pod that acts: the Lease's holder is `<pod>_<uuid>`.
pub(super) async fn controller_pod(cluster: &Cluster, namespace: &str) -> Result<String, Failure> {
    let leases: Api<Lease> = Api::namespaced(cluster.client.clone(), namespace);
    let lease = leases.get_opt(LEASE).await.map_err(|e| {
        let doing = format!("read the Lease {namespace}/{LEASE}");
        lacking(cluster, &doing, e, "get leases.coordination.k8s.io", namespace)
    })?;
    let holder = lease
        .and_then(|lease| lease.spec?.holder_identity)
        .filter(|holder| !holder.is_empty());
    let Some(holder) = holder else {
        return Err(Failure::new(
            exit::CHECK_FAILED,
            format!("no controller holds the Lease {namespace}/{LEASE}"),
        )
        .help(format!(
            "`kubectl get pods -n {namespace}` shows whether one is running"
        )));
    };
    let pod = holder.split('_').next().unwrap_or_default().to_owned();
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    match pods.get_opt(&pod).await {
        // Without the right to look, the port-forward itself will tell.
        Ok(Some(_)) | Err(_) => Ok(pod),
        Ok(None) => Err(Failure::new(
            exit::CHECK_FAILED,
            format!("the Lease's holder `{pod}` is no pod of {namespace}"),
        )
        .help("a controller outside the cluster is reached with `--debug-address HOST:PORT`")),
    }
}

/// Every pod of the adapter that serves: neither one that goes, nor one that did not start, has anybody to ask.
pub(super) async fn adapter_pods(cluster: &Cluster, namespace: &str) -> Result<Vec<String>, Failure> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let labelled = ListParams::default().labels("app=keda-metrics-apiserver");
    let found = pods.list(&labelled).await.map_err(|e| {
        lacking(
            cluster,
            &format!("list the pods of {namespace}"),
            e,
            "list pods",
            namespace,
        )
    })?;
    Ok(found
        .iter()
        .filter(|pod| serves(pod))
        .map(ResourceExt::name_any)
        .collect())
}

fn serves(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    pod.metadata.deletion_timestamp.is_none() && ready.any(|condition| condition.status == "True")
}

/// A failed request on the way to the debug API. A missing right is named with the commands that grant it.
pub(super) fn lacking(
    cluster: &Cluster,
    doing: &str,
    error: kube::Error,
    right: &str,
    namespace: &str,
) -> Failure {
    if !matches!(&error, kube::Error::Api(status) if status.code == 403) && !is_upgrade_refusal(&error) {
        return cluster.failed(doing, error);
    }
    let (verb, resource) = right.split_once(' ').unwrap_or(("get", right));
    let (role, scope) = match namespace {
        "" => ("clusterrole", String::new()),
        _ => ("role", format!(" -n {namespace}")),
    };
    Failure::new(exit::NOT_PERMITTED, format!("you may not {doing}"))
        .help(format!("the right that is missing is `{verb}` on `{resource}`{}", at(namespace)))
        .help(format!(
            "`{DEBUGGER}` has it; an administrator gives you that with `kubectl create {role}binding NAME-debugs-keda{scope} \
             --{role}={DEBUGGER} --user=NAME`"
        ))
}

fn at(namespace: &str) -> String {
    if namespace.is_empty() {
        String::new()
    } else {
        format!(" in namespace `{namespace}`")
    }
}

/// A refused port-forward comes as a refused protocol switch.
fn is_upgrade_refusal(error: &kube::Error) -> bool {
    match error {
        kube::Error::UpgradeConnection(kube::client::UpgradeConnectionError::ProtocolSwitch(code)) => {
            code.as_u16() == 403
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(pod: serde_json::Value, expected: bool) {
        assert_eq!(serves(&serde_json::from_value(pod).unwrap()), expected);
    }

    #[test]
    fn only_a_ready_pod_that_stays_is_asked() {
        let status = |ready: &str| json!({ "conditions": [{ "type": "Ready", "status": ready }] });
        check(json!({ "metadata": {}, "status": status("True") }), true);
        check(json!({ "metadata": {}, "status": status("False") }), false);
        check(json!({ "metadata": {} }), false);
        let going = json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" });
        check(json!({ "metadata": going, "status": status("True") }), false);
    }
}
