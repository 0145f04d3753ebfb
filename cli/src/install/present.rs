//! What is installed already, and by whom.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Api, DeleteParams};
use kube::runtime::wait::{await_condition, conditions};

use super::apply::is_ours;
use super::names;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::ui::Ui;

/// Reads the controller's Deployment.
pub(crate) async fn operator(cluster: &Cluster, namespace: &str) -> Result<Option<Deployment>, Failure> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), namespace);
    deployments
        .get_opt(names::OPERATOR)
        .await
        .map_err(|error| cluster.failed(&format!("get deployments in namespace {namespace}"), error))
}

/// Refuses to write over what somebody else installed, or clears it away when the user says so.
pub(crate) async fn make_room(
    cluster: &Cluster,
    namespace: &str,
    replace: bool,
    ui: Ui,
) -> Result<(), Failure> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), namespace);
    let mut foreign = Vec::new();
    for name in [names::OPERATOR, names::ADAPTER] {
        let found = deployments
            .get_opt(name)
            .await
            .map_err(|error| cluster.failed(&format!("get deployments in namespace {namespace}"), error))?;
        if found.is_some_and(|found| !is_ours(&found)) {
            foreign.push(name);
        }
    }
    let elsewhere = api_service_elsewhere(cluster, namespace).await?;
    if foreign.is_empty() && elsewhere.is_none() {
        return Ok(());
    }
    if !replace {
        return Err(refusal(namespace, &foreign, elsewhere.as_ref()));
    }
    for name in foreign {
        ui.note(&format!(
            "replacing deployment.apps/{name}, which another tool installed"
        ));
        remove(cluster, &deployments, name).await?;
    }
    Ok(())
}

fn refusal(namespace: &str, foreign: &[&str], elsewhere: Option<&Elsewhere>) -> Failure {
    if let Some(name) = foreign.first() {
        return Failure::new(
            exit::CHECK_FAILED,
            format!("namespace {namespace} has a Deployment `{name}` that another tool installed"),
        )
        .help("`kubectl keda install --replace` replaces it and keeps custom resources and their objects");
    }
    let at = elsewhere.map_or_else(String::new, |elsewhere| elsewhere.namespace.clone());
    if elsewhere.is_some_and(|elsewhere| elsewhere.ours) {
        return Failure::new(
            exit::CHECK_FAILED,
            format!("this cluster has an installation in namespace {at}, and two cannot serve one cluster"),
        )
        .help(format!("work on that one with `--namespace {at}`"))
        .help(format!(
            "or remove it first: `kubectl keda uninstall --keep-crds --namespace {at}`"
        ));
    }
    let name = elsewhere.map_or_else(String::new, |elsewhere| elsewhere.name.clone());
    Failure::new(
        exit::CHECK_FAILED,
        format!(
            "the APIService `{}` leads to Service {at}/{name}, and a cluster has one provider of external metrics only",
            names::API_SERVICE,
        ),
    )
    .help("`kubectl keda install --replace` takes it over: the other provider then serves no external metrics")
}

/// The Service that external metrics come from now.
struct Elsewhere {
    namespace: String,
    name: String,
    /// Another installation of this command.
    ours: bool,
}

/// Where external metrics come from now, if it is not this namespace.
async fn api_service_elsewhere(cluster: &Cluster, namespace: &str) -> Result<Option<Elsewhere>, Failure> {
    let services: Api<APIService> = Api::all(cluster.client.clone());
    let found = services
        .get_opt(names::API_SERVICE)
        .await
        .map_err(|error| cluster.failed("get apiservices", error))?;
    let ours = found.as_ref().is_some_and(is_ours);
    let Some(service) = found.and_then(|found| found.spec).and_then(|spec| spec.service) else {
        return Ok(None);
    };
    let elsewhere = Elsewhere {
        namespace: service.namespace.unwrap_or_default(),
        name: service.name.unwrap_or_default(),
        ours,
    };
    let here = elsewhere.name == names::ADAPTER && elsewhere.namespace == namespace;
    Ok((!here).then_some(elsewhere))
}

async fn remove(cluster: &Cluster, deployments: &Api<Deployment>, name: &str) -> Result<(), Failure> {
    let failed = |error| cluster.failed(&format!("delete deployment {name}"), error);
    let deleted = deployments
        .delete(name, &DeleteParams::foreground())
        .await
        .map_err(failed)?;
    if let Some(uid) = deleted.left().and_then(|left| left.metadata.uid) {
        let gone = await_condition(deployments.clone(), name, conditions::is_deleted(&uid));
        gone.await.map_err(|error| {
            Failure::new(
                exit::UNEXPECTED,
                format!("cannot watch deployment {name} being deleted"),
            )
            .because(error)
        })?;
    }
    Ok(())
}
