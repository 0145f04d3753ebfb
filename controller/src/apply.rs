//! The only place that writes to the cluster. It decides nothing: callers say what to write, errors go back to them.
//!
//! How each thing is written (DESIGN, Writes): an HPA whole, with the resource version it replaces; `/scale` as an update with
//! its resource version, never as an apply, which would own `spec.replicas`; status and metadata as merge patches.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::subresource::Scale;
use kube::{Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Name under which the API server records our changes.
const FIELD_MANAGER: &str = "keda-operator";

/// Carries out writes.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
}

/// What a write comes back with.
pub(crate) type Written<T> = Result<T, kube::Error>;

impl Writer {
    /// Writes through that client.
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Creates an HPA.
    pub(crate) async fn create_hpa(
        &self,
        namespace: &str,
        hpa: &HorizontalPodAutoscaler,
    ) -> Written<HorizontalPodAutoscaler> {
        Api::namespaced(self.client.clone(), namespace)
            .create(&post(), hpa)
            .await
    }

    /// Replaces an HPA whole; `hpa` carries the resource version it replaces.
    pub(crate) async fn replace_hpa(
        &self,
        namespace: &str,
        hpa: &HorizontalPodAutoscaler,
    ) -> Written<HorizontalPodAutoscaler> {
        Api::namespaced(self.client.clone(), namespace)
            .replace(&hpa.name_any(), &post(), hpa)
            .await
    }

    /// Deletes an HPA, if it still has that uid; one that is gone already is no error.
    pub(crate) async fn delete_hpa(&self, namespace: &str, name: &str, uid: Option<&str>) -> Written<()> {
        let hpas: Api<HorizontalPodAutoscaler> = Api::namespaced(self.client.clone(), namespace);
        let preconditions = uid.map(|uid| Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        });
        match hpas
            .delete(
                name,
                &DeleteParams {
                    preconditions,
                    ..DeleteParams::default()
                },
            )
            .await
        {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Updates `/scale` of a target; `scale` carries the resource version it was read with.
    pub(crate) async fn replace_scale(
        &self,
        target: &Api<DynamicObject>,
        name: &str,
        scale: &Scale,
    ) -> Written<Scale> {
        target.replace_scale(name, &post(), scale).await
    }

    /// Merges into the status of an object; `patch` is the whole patch, as the engine makes it.
    pub(crate) async fn patch_status<K>(&self, api: &Api<K>, name: &str, patch: &Value) -> Written<K>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
    }

    /// Merges into the metadata of an object; `patch` is the whole patch, with the resource version it was made for, since a list
    /// of finalizers must not lose another's entry.
    pub(crate) async fn patch_metadata<K>(&self, api: &Api<K>, name: &str, patch: &Value) -> Written<K>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
    }

    /// Creates an Event.
    pub(crate) async fn create_event(&self, namespace: &str, event: &Event) -> Written<Event> {
        Api::namespaced(self.client.clone(), namespace)
            .create(&post(), event)
            .await
    }

    /// Replaces the series of an Event.
    pub(crate) async fn patch_event(&self, namespace: &str, name: &str, series: &Value) -> Written<Event> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let patch = serde_json::json!({ "series": series });
        events
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
    }

    /// Creates a Lease.
    pub(crate) async fn create_lease(&self, namespace: &str, lease: &Lease) -> Written<Lease> {
        Api::namespaced(self.client.clone(), namespace)
            .create(&post(), lease)
            .await
    }

    /// Replaces a Lease of the resource version that it carries.
    pub(crate) async fn replace_lease(&self, namespace: &str, lease: &Lease) -> Written<Lease> {
        Api::namespaced(self.client.clone(), namespace)
            .replace(&lease.name_any(), &post(), lease)
            .await
    }

    /// Creates the certificate Secret.
    pub(crate) async fn create_secret(&self, namespace: &str, secret: &Secret) -> Written<Secret> {
        Api::namespaced(self.client.clone(), namespace)
            .create(&post(), secret)
            .await
    }

    /// Replaces the certificate Secret of the resource version that it carries.
    pub(crate) async fn replace_secret(&self, namespace: &str, secret: &Secret) -> Written<Secret> {
        Api::namespaced(self.client.clone(), namespace)
            .replace(&secret.name_any(), &post(), secret)
            .await
    }

    /// Merges into the spec of a cluster-scoped object, such as the APIService.
    pub(crate) async fn patch_spec(
        &self,
        api: &Api<DynamicObject>,
        name: &str,
        spec: &Value,
    ) -> Written<DynamicObject> {
        let patch = serde_json::json!({ "spec": spec });
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
    }
}

fn post() -> PostParams {
    PostParams {
        dry_run: false,
        field_manager: Some(FIELD_MANAGER.to_owned()),
    }
}
