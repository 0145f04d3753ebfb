//! Where a dry run from this machine finds things: in the files, else in the cluster, with the caller's own rights.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crds::{
    ClusterTriggerAuthentication, GroupVersionKindResource, ScaledObject, TriggerAuthentication,
    TriggerAuthenticationSpec,
};
use engine::dry_run::{AskedBy, World};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, Secret as KubeSecret};
use kube::api::DynamicObject;
use kube::{Api, Client, ResourceExt as _};
use scalers::{AuthenticationSource, Entries, LookupError, Secret, SecretSource};
use serde_json::Value;

use super::bundle::Bundle;
use super::way::MaybeCluster;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::observe::{self, Scope, api};

/// Where KEDA's own objects are unless told otherwise.
const USUAL_NAMESPACE: &str = "keda";

/// Files before the cluster.
pub(crate) struct Sources {
    bundle: Bundle,
    cluster: MaybeCluster,
    keda_namespace: String,
    /// The cluster did not answer; it is not asked again in this round.
    silent: AtomicBool,
}

/// The scale target as it is now.
#[derive(Default)]
pub(super) struct Seen {
    /// What the engine needs of it.
    pub(super) world: World,
    /// Its pod template.
    pub(super) pod: Option<PodSpec>,
    /// What could not be seen, and why.
    pub(super) notes: Vec<String>,
}

impl Sources {
    /// Looks in the files first.
    pub(super) fn new(bundle: Bundle, cluster: MaybeCluster, keda_namespace: Option<String>) -> Self {
        Self {
            bundle,
            cluster,
            keda_namespace: keda_namespace.unwrap_or_else(|| USUAL_NAMESPACE.to_owned()),
            silent: AtomicBool::new(false),
        }
    }

    /// Asks a cluster again that did not answer.
    pub(super) fn begin_round(&mut self) {
        *self.silent.get_mut() = false;
    }

    /// The client, if there is a cluster that answers.
    fn client(&self) -> Option<&Client> {
        let cluster = self.cluster.as_ref().ok()?;
        (!self.silent.load(Ordering::Relaxed)).then_some(&cluster.client)
    }

    /// Remembers a cluster that does not answer; what it says itself is an answer.
    fn heard<T>(&self, result: Result<T, kube::Error>) -> Result<T, kube::Error> {
        if let Err(error) = &result
            && !matches!(error, kube::Error::Api(_))
        {
            self.silent.store(true, Ordering::Relaxed);
        }
        result
    }

    /// The object of the files, with what its namesake in the cluster remembers; else that of the cluster.
    pub(super) async fn object(&self, namespace: &str, name: &str) -> Result<ScaledObject, Failure> {
        let Some(filed) = self.bundle.object(namespace, name) else {
            let cluster = self.cluster.as_ref();
            let cluster = cluster.map_err(|failure| Failure::new(failure.code, exit::chain(failure)))?;
            return stored(cluster, namespace, name).await;
        };
        let mut object = filed.clone();
        if let Some(client) = self.client() {
            let api: Api<ScaledObject> = Api::namespaced(client.clone(), namespace);
            // Only the cooldown depends on it: an object that is not there, or not for us, has no history.
            if let Ok(Some(there)) = self.heard(api.get_opt(name).await) {
                object.status = there.status;
                object.metadata.creation_timestamp = there.metadata.creation_timestamp;
            }
        }
        Ok(object)
    }

    /// Looks at the scale target.
    pub(super) async fn world(&self, object: &ScaledObject, replicas: Option<i32>) -> Seen {
        let resource = api::target_resource(object);
        let (name, namespace) = (
            &object.spec.scale_target_ref.name,
            object.namespace().unwrap_or_default(),
        );
        let mut seen = Seen {
            world: World {
                gvkr: GroupVersionKindResource {
                    group: resource.group.clone(),
                    version: resource.version.clone(),
                    kind: resource.kind.clone(),
                    resource: resource.plural.clone(),
                },
                version: env!("CARGO_PKG_VERSION").to_owned(),
                asked_by: AskedBy::Command,
                ..World::default()
            },
            ..Seen::default()
        };
        let filed = self.bundle.other(&resource.kind, &namespace, name);
        if let Some(client) = self.client() {
            let targets: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
            if replicas.is_none() {
                self.count(&targets, &resource.plural, name, &mut seen).await;
            }
            if self.client().is_some() {
                // Without it there is no template; triggers that need one say so.
                let found = self.heard(targets.get_opt(name).await).ok().flatten();
                if let Some(found) = found {
                    template(&found.data, &mut seen);
                }
            }
        }
        if let Some(filed) = filed {
            // What is about to be applied counts; the replicas that are there stay.
            let ready = seen.world.ready;
            template(filed, &mut seen);
            seen.world.ready = ready;
        }
        if let Some(replicas) = replicas {
            seen.world.replicas = Some(replicas);
            seen.world.ready = None;
        }
        if seen.world.replicas.is_none() {
            let why = match &self.cluster {
                Err(failure) => exit::chain(failure),
                Ok(_) => format!("no {} `{namespace}/{name}` was found", resource.kind),
            };
            seen.notes
                .push(format!("{why}: `--replicas N` stands for its replicas"));
        }
        seen
    }

    /// Counts the replicas that the target has.
    async fn count(&self, targets: &Api<DynamicObject>, plural: &str, name: &str, seen: &mut Seen) {
        match self.heard(targets.get_scale(name).await) {
            Ok(scale) => seen.world.replicas = Some(api::Replicas::of_scale(&scale).wanted),
            // A target that is not there yet has none to count.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => seen.notes.push(match &self.cluster {
                Ok(cluster) => {
                    exit::chain(&cluster.failed(&format!("read the replicas of {plural} {name}"), error))
                }
                Err(_) => exit::chain(&error),
            }),
        }
    }
}

/// The object of the cluster.
pub(crate) async fn stored(cluster: &Cluster, namespace: &str, name: &str) -> Result<ScaledObject, Failure> {
    let scope = Scope {
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        selector: None,
    };
    let doing = format!("get {}", scope.words());
    let api = observe::scaled_object_api(cluster, &scope);
    let object: DynamicObject = api.get(name).await.map_err(|e| cluster.failed(&doing, e))?;
    let unreadable = |e: serde_json::Error| {
        Failure::new(exit::DIAGNOSTICS, format!("{} cannot be read", scope.words())).because(e)
    };
    let value = serde_json::to_value(&object).map_err(unreadable)?;
    serde_json::from_value(value).map_err(unreadable)
}

/// The pod template and the ready replicas of a workload.
fn template(workload: &Value, seen: &mut Seen) {
    let ready = workload.pointer("/status/readyReplicas").and_then(Value::as_i64);
    seen.world.ready = ready.and_then(|ready| i32::try_from(ready).ok());
    let spec = workload.pointer("/spec/template/spec");
    seen.pod = spec.and_then(|spec| serde_json::from_value(spec.clone()).ok());
}

/// There is nobody to ask.
#[derive(Debug, thiserror::Error)]
#[error("it is not in the files, and no cluster can be asked")]
struct NoCluster;

fn failed(kind: &'static str, namespace: &str, name: &str, cause: scalers::Cause) -> LookupError {
    LookupError {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        cause,
    }
}

impl Sources {
    /// An object of the cluster, with the caller's rights.
    async fn get<K>(
        &self,
        api: impl FnOnce(Client) -> Api<K>,
        kind: &'static str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<K>, LookupError>
    where
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        let Some(client) = self.client() else {
            return Err(failed(kind, namespace, name, Arc::new(NoCluster)));
        };
        let found = self.heard(api(client.clone()).get_opt(name).await);
        found.map_err(|error| failed(kind, namespace, name, Arc::new(error)))
    }
}

impl SecretSource for Sources {
    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        async move {
            if let Some(filed) = self.bundle.secret(namespace, name) {
                return Ok(Some(filed));
            }
            let api = |client| Api::<KubeSecret>::namespaced(client, namespace);
            let found = self.get(api, "Secret", namespace, name).await?;
            let text = |bytes: &[u8]| Secret::new(String::from_utf8_lossy(bytes).into_owned());
            Ok(found.map(|secret| {
                let data = secret.data.unwrap_or_default().into_iter();
                data.map(|(key, bytes)| (key, text(&bytes.0))).collect()
            }))
        }
        .boxed()
    }

    fn config_map<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>> {
        async move {
            if let Some(filed) = self.bundle.config_map(namespace, name) {
                return Ok(Some(filed));
            }
            let api = |client| Api::<ConfigMap>::namespaced(client, namespace);
            let found = self.get(api, "ConfigMap", namespace, name).await?;
            Ok(found.map(|map| {
                let data = map.data.unwrap_or_default().into_iter();
                data.map(|(key, text)| (key, Secret::new(text))).collect()
            }))
        }
        .boxed()
    }
}

impl AuthenticationSource for Sources {
    fn trigger_authentication<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<TriggerAuthenticationSpec>, LookupError>> {
        async move {
            if let Some(filed) = self.bundle.authentication(namespace, name) {
                return Ok(Some(filed.spec.clone()));
            }
            let api = |client| Api::<TriggerAuthentication>::namespaced(client, namespace);
            let found = self.get(api, "TriggerAuthentication", namespace, name).await?;
            Ok(found.map(|found| found.spec))
        }
        .boxed()
    }

    fn cluster_trigger_authentication<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<TriggerAuthenticationSpec>, LookupError>> {
        async move {
            if let Some(filed) = self.bundle.cluster_authentication(name) {
                return Ok(Some(filed.spec.0.clone()));
            }
            let api = |client| Api::<ClusterTriggerAuthentication>::all(client);
            let found = self.get(api, "ClusterTriggerAuthentication", "", name).await?;
            Ok(found.map(|found| found.spec.0))
        }
        .boxed()
    }

    fn cluster_namespace(&self) -> &str {
        &self.keda_namespace
    }
}
