//! The connection to the API server, and what must be there before anything else starts.

use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, ListParams, PostParams};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::args::Args;
use crate::environment::Environment;
use crate::failure::{self, Failure};

/// Permissions without which nothing works: verb, group, resource, subresource. All that is missing is told at once.
const NEEDED: &[(&str, &str, &str, &str)] = &[
    ("list", "keda.sh", "scaledobjects", ""),
    ("watch", "keda.sh", "scaledobjects", ""),
    ("patch", "keda.sh", "scaledobjects", ""),
    ("patch", "keda.sh", "scaledobjects", "status"),
    ("list", "keda.sh", "triggerauthentications", ""),
    ("list", "autoscaling", "horizontalpodautoscalers", ""),
    ("create", "autoscaling", "horizontalpodautoscalers", ""),
    ("update", "autoscaling", "horizontalpodautoscalers", ""),
    ("delete", "autoscaling", "horizontalpodautoscalers", ""),
    ("update", "apps", "deployments", "scale"),
    ("create", "events.k8s.io", "events", ""),
];

/// Opens the client that flags and environment describe; says which server it talks to.
pub(crate) async fn connect(args: &Args) -> Result<(Client, String), Failure> {
    let config = config(args).await?;
    let server = config.cluster_url.to_string();
    let builder = ClientBuilder::try_from(config.clone()).map_err(|error| {
        Failure::of_kube(
            format!("cannot set up the connection to {}", config.cluster_url),
            error,
        )
    })?;
    // No limit of our own unless a flag sets one: API priority and fairness governs (DESIGN 5).
    let Some(qps) = args.kube_api_qps.filter(|qps| *qps > 0.0) else {
        return Ok((builder.build(), server));
    };
    let burst = args.kube_api_burst.unwrap_or(30).max(1);
    let window = Duration::from_secs_f64(burst as f64 / qps);
    let limited = builder.with_layer(&tower::limit::RateLimitLayer::new(burst, window));
    Ok((limited.build(), server))
}

/// Finds the configuration: `--kubeconfig`, then `KUBECONFIG` and the home folder, then the pod's service account.
async fn config(args: &Args) -> Result<Config, Failure> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    let found = match &args.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| {
                Failure::new(
                    failure::USAGE,
                    format!("cannot read the kubeconfig `{}`", path.display()),
                    "give --kubeconfig a readable kubeconfig file",
                )
                .because(error)
            })?;
            Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|error| error.to_string())
        }
        None if options.context.is_some() => Config::from_kubeconfig(&options)
            .await
            .map_err(|error| error.to_string()),
        None => Config::infer().await.map_err(|error| error.to_string()),
    };
    found.map_err(|error| {
        Failure::new(
            failure::USAGE,
            format!("cannot find out how to reach the API server: {error}"),
            "give --kubeconfig or KUBECONFIG, or run in a pod with a service account",
        )
    })
}

/// Checks that the API server answers, that the kinds exist and that the permissions are there.
pub(crate) async fn check(client: &Client, server: &str, environment: &Environment) -> Result<(), Failure> {
    let version = client
        .apiserver_version()
        .await
        .map_err(|error| Failure::of_kube(format!("cannot reach the API server at {server}"), error))?;
    tracing::info!(
        server,
        version = version.git_version,
        "connected to the API server"
    );
    let missing = missing_permissions(client, environment).await;
    if !missing.is_empty() {
        return Err(Failure::new(
            failure::NOT_PERMITTED,
            format!("not permitted to {}", missing.join(", ")),
            "grant it with the ClusterRole `keda-operator` (`kubectl keda install` writes it) and start again",
        ));
    }
    let namespace = environment.watch_namespaces.first();
    let scaled_objects: Api<crds::ScaledObject> = scoped(client, namespace);
    let one = ListParams::default().limit(1);
    list_metadata(&scaled_objects, &one, "scaledobjects.keda.sh").await?;
    let auths: Api<crds::TriggerAuthentication> = scoped(client, namespace);
    list_metadata(&auths, &one, "triggerauthentications.keda.sh").await?;
    let clusters: Api<crds::ClusterTriggerAuthentication> = Api::all(client.clone());
    list_metadata(&clusters, &one, "clustertriggerauthentications.keda.sh").await?;
    let hpas: Api<HorizontalPodAutoscaler> = scoped(client, namespace);
    list_metadata(&hpas, &one, "horizontalpodautoscalers.autoscaling").await
}

/// Lists only metadata: one unreadable object must not stop the start.
async fn list_metadata<K>(api: &Api<K>, params: &ListParams, what: &str) -> Result<(), Failure>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    match api.list_metadata(params).await {
        Ok(list) => {
            tracing::debug!(resource = what, found = list.items.len(), "listed");
            Ok(())
        }
        Err(error) => Err(Failure::of_kube(format!("cannot list {what}"), error)),
    }
}

/// Every namespace, or the one given.
fn scoped<K>(client: &Client, namespace: Option<&String>) -> Api<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Asks the API server about each needed permission; a question it cannot answer counts as granted.
async fn missing_permissions(client: &Client, environment: &Environment) -> Vec<String> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let namespace = environment.watch_namespaces.first().cloned();
    let asked = NEEDED.iter().map(|(verb, group, resource, subresource)| {
        let attributes = ResourceAttributes {
            verb: Some((*verb).to_owned()),
            group: Some((*group).to_owned()),
            resource: Some((*resource).to_owned()),
            subresource: (!subresource.is_empty()).then(|| (*subresource).to_owned()),
            namespace: namespace.clone(),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..Default::default()
            },
            ..Default::default()
        };
        let reviews = reviews.clone();
        async move {
            let answer = reviews.create(&PostParams::default(), &review).await;
            let denied =
                matches!(&answer, Ok(review) if review.status.as_ref().is_some_and(|status| !status.allowed));
            let slash = if subresource.is_empty() { "" } else { "/" };
            denied.then(|| format!("{verb} {resource}{slash}{subresource}.{group}"))
        }
    });
    futures::future::join_all(asked)
        .await
        .into_iter()
        .flatten()
        .collect()
}
