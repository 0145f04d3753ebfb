//! Secrets, ConfigMaps, addresses of Services and numbers of pods, read when they are needed.
//!
//! Nothing is watched and nothing is kept: an answer serves those who ask within the same moment (many objects that share a
//! Secret start together), so that cost is bounded and a rotated credential is seen the next time it is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::{Api, ApiResource, ListParams, NotUsed, Object, ObjectList};
use scalers::{
    Endpoint, EndpointSource, Entries, LookupError, PodQuery, PodSource, ScalerError, SecretSource,
};
use serde::Deserialize;
use tokio::time::Instant;

use crate::failure;

/// How long an answer serves others.
const MOMENT: Duration = Duration::from_secs(2);

/// The cluster as a source of secrets and addresses.
pub(crate) struct Cluster {
    client: Client,
    /// With `KEDA_RESTRICT_SECRET_ACCESS`, the only namespace whose Secrets are read.
    only: Option<String>,
    recent: Mutex<BTreeMap<Name, Answer>>,
}

/// Kind, namespace and name.
type Name = (&'static str, String, String);
/// When it was asked for, and one cell that all who ask share.
type Answer = (Instant, Arc<tokio::sync::OnceCell<Option<Entries>>>);

impl Cluster {
    /// Reads through that client; Secrets from that namespace only, if one is given.
    pub(crate) fn new(client: Client, only: Option<String>) -> Self {
        Self {
            client,
            only,
            recent: Mutex::default(),
        }
    }

    fn cell(
        &self,
        kind: &'static str,
        namespace: &str,
        name: &str,
    ) -> Arc<tokio::sync::OnceCell<Option<Entries>>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, (at, _)| at.elapsed() < MOMENT);
        let key = (kind, namespace.to_owned(), name.to_owned());
        Arc::clone(
            &recent
                .entry(key)
                .or_insert_with(|| (Instant::now(), Arc::default()))
                .1,
        )
    }

    async fn read_secret(&self, namespace: &str, name: &str) -> Result<Option<Entries>, kube::Error> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let Some(secret) = secrets.get_opt(name).await? else {
            return Ok(None);
        };
        let entry = |(key, bytes): (String, k8s_openapi::ByteString)| {
            // Upstream turns the bytes into text as they are; text is all that a parameter can be.
            (
                key,
                scalers::Secret::new(String::from_utf8_lossy(&bytes.0).into_owned()),
            )
        };
        Ok(Some(
            secret.data.unwrap_or_default().into_iter().map(entry).collect(),
        ))
    }

    async fn read_config_map(&self, namespace: &str, name: &str) -> Result<Option<Entries>, kube::Error> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let Some(map) = maps.get_opt(name).await? else {
            return Ok(None);
        };
        let entry = |(key, text)| (key, scalers::Secret::new(text));
        Ok(Some(
            map.data.unwrap_or_default().into_iter().map(entry).collect(),
        ))
    }
}

fn lookup_error(kind: &'static str, namespace: &str, name: &str, error: kube::Error) -> LookupError {
    LookupError {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        cause: Arc::new(error),
    }
}

impl SecretSource for Cluster {
    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        async move {
            if self.only.as_deref().is_some_and(|only| only != namespace) {
                tracing::debug!(
                    namespace,
                    name,
                    "KEDA_RESTRICT_SECRET_ACCESS keeps this Secret from being read"
                );
                return Ok(None);
            }
            let cell = self.cell("Secret", namespace, name);
            let read = cell.get_or_try_init(|| self.read_secret(namespace, name)).await;
            read.cloned()
                .map_err(|error| lookup_error("Secret", namespace, name, error))
        }
        .boxed()
    }

    fn config_map<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        async move {
            let cell = self.cell("ConfigMap", namespace, name);
            let read = cell
                .get_or_try_init(|| self.read_config_map(namespace, name))
                .await;
            read.cloned()
                .map_err(|error| lookup_error("ConfigMap", namespace, name, error))
        }
        .boxed()
    }
}

impl EndpointSource for Cluster {
    fn ready<'a>(
        &'a self,
        namespace: &'a str,
        service: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Endpoint>, ScalerError>> {
        async move {
            let slices: Api<EndpointSlice> = Api::namespaced(self.client.clone(), namespace);
            let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
            let list = slices.list(&of_service).await.map_err(|error| {
                ScalerError::Setting(format!(
                    "cannot list the addresses of {namespace}/{service}: {}",
                    failure::chain(&error)
                ))
            })?;
            let mut ready: Vec<Endpoint> = list.items.iter().flat_map(endpoints).collect();
            ready.sort();
            ready.dedup();
            Ok(ready)
        }
        .boxed()
    }
}

/// What is read of a pod to know its node.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placement {
    #[serde(default)]
    node_name: String,
}

impl PodSource for Cluster {
    fn count<'a>(&'a self, query: &'a PodQuery) -> BoxFuture<'a, Result<u64, ScalerError>> {
        async move {
            // The API server may answer from its cache, as upstream's informer does.
            let living = ListParams::default()
                .labels(&query.selector)
                .fields("status.phase!=Succeeded,status.phase!=Failed")
                .match_any();
            let counted = if query.by_node {
                let resource = ApiResource::erase::<Pod>(&());
                let pods: Api<Object<Placement, NotUsed>> =
                    Api::namespaced_with(self.client.clone(), &query.namespace, &resource);
                pods.list(&living).await.map(|list| nodes(&list))
            } else {
                let pods: Api<Pod> = Api::namespaced(self.client.clone(), &query.namespace);
                pods.list_metadata(&living).await.map(|list| list.items.len())
            };
            match counted {
                Ok(number) => Ok(number as u64),
                Err(kube::Error::Api(status)) => Err(ScalerError::Answer {
                    endpoint: "the API server".to_owned(),
                    answer: format!("the list of pods with: {}", status.message),
                }),
                Err(error) => Err(ScalerError::Unreachable {
                    endpoint: "the API server".to_owned(),
                    source: Arc::new(error),
                }),
            }
        }
        .boxed()
    }
}

/// On how many nodes the pods are; those that wait for one are on none.
fn nodes(pods: &ObjectList<Object<Placement, NotUsed>>) -> usize {
    let names = pods.items.iter().map(|pod| pod.spec.node_name.as_str());
    names
        .filter(|name| !name.is_empty())
        .collect::<BTreeSet<_>>()
        .len()
}

/// The ready addresses of a slice.
fn endpoints(slice: &EndpointSlice) -> Vec<Endpoint> {
    let ports: Vec<(String, u16)> = slice
        .ports
        .iter()
        .flatten()
        .filter_map(|port| {
            Some((
                port.name.clone().unwrap_or_default(),
                u16::try_from(port.port?).ok()?,
            ))
        })
        .collect();
    let is_ready = |endpoint: &&k8s_openapi::api::discovery::v1::Endpoint| {
        endpoint
            .conditions
            .as_ref()
            .is_none_or(|conditions| conditions.ready != Some(false))
    };
    let addresses = slice
        .endpoints
        .iter()
        .flatten()
        .filter(is_ready)
        .flat_map(|endpoint| &endpoint.addresses);
    addresses
        .filter_map(|address| {
            Some(Endpoint {
                address: address.parse().ok()?,
                ports: ports.clone(),
            })
        })
        .collect()
}
