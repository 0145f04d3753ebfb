//! Scale targets: which resource a reference means, whether it can be scaled, how many replicas it has.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crds::{GroupVersionKindResource, ScaleTargetRef};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::core::subresource::Scale;
use kube::{Client, discovery};

/// Resolves scale targets and reads their `/scale`.
pub(crate) struct Targets {
    client: Client,
    /// Resources found by discovery, by group, version and kind.
    known: Mutex<BTreeMap<(String, String, String), String>>,
}

/// What a reference leads to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its type.
    pub(crate) gvkr: GroupVersionKindResource,
    /// Its `/scale`, as read.
    pub(crate) scale: Scale,
}

/// Why a reference leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// The API server has no such kind; the text is KEDA's.
    #[error("no matches for kind \"{kind}\" in version \"{version}\"")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// Group and version.
        version: String,
    },
    /// There is no object of that name; the text is the API server's.
    #[error("{0}")]
    NotFound(String),
    /// The object is there and has no `/scale`; the text is the API server's.
    #[error("{0}")]
    NoScale(String),
    /// The API server could not be asked.
    #[error("cannot read the scale target")]
    Api(#[source] kube::Error),
}

impl Targets {
    /// Reads through that client.
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
        }
    }

    /// Finds out which resource a reference means.
    pub(crate) async fn resolve(
        &self,
        reference: &ScaleTargetRef,
    ) -> Result<GroupVersionKindResource, TargetError> {
        let filled = |text: &Option<String>, default: &str| match text.as_deref() {
            None | Some("") => default.to_owned(),
            Some(text) => text.to_owned(),
        };
        let api_version = filled(&reference.api_version, "apps/v1");
        let kind = filled(&reference.kind, "Deployment");
        let (group, version) = match api_version.split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (String::new(), api_version.clone()),
        };
        // Upstream: the two usual kinds come from a fixed table, so that they cost no discovery.
        let resource = match (group.as_str(), version.as_str(), kind.as_str()) {
            ("apps", "v1", "Deployment") => "deployments".to_owned(),
            ("apps", "v1", "StatefulSet") => "statefulsets".to_owned(),
            _ => self.discover(&group, &version, &kind).await?,
        };
        Ok(GroupVersionKindResource {
            group,
            version,
            kind,
            resource,
        })
    }

    async fn discover(&self, group: &str, version: &str, kind: &str) -> Result<String, TargetError> {
        let key = (group.to_owned(), version.to_owned(), kind.to_owned());
        if let Some(known) = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Ok(known.clone());
        }
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let unknown = || TargetError::UnknownKind {
            kind: kind.to_owned(),
            version: gvk.api_version(),
        };
        let resource = match discovery::pinned_kind(&self.client, &gvk).await {
            Ok((resource, _)) => resource.plural,
            Err(kube::Error::Api(status)) if status.code == 404 => return Err(unknown()),
            Err(kube::Error::Discovery(_)) => return Err(unknown()),
            Err(error) => return Err(TargetError::Api(error)),
        };
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, resource.clone());
        Ok(resource)
    }

    /// Access to objects of that type.
    pub(crate) fn api(&self, gvkr: &GroupVersionKindResource, namespace: &str) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk(&gvkr.group, &gvkr.version, &gvkr.kind);
        Api::namespaced_with(
            self.client.clone(),
            namespace,
            &ApiResource::from_gvk_with_plural(&gvk, &gvkr.resource),
        )
    }

    /// Reads `/scale`, or says what is missing.
    pub(crate) async fn scale(
        &self,
        gvkr: &GroupVersionKindResource,
        namespace: &str,
        name: &str,
    ) -> Result<Scale, TargetError> {
        let api = self.api(gvkr, namespace);
        let text = match api.get_scale(name).await {
            Ok(scale) => return Ok(scale),
            Err(kube::Error::Api(status)) if status.code == 404 => status.message,
            Err(error) => return Err(TargetError::Api(error)),
        };
        // The same answer means "no such object" and "no such subresource": look for the object itself.
        match api.get_metadata_opt(name).await {
            Ok(Some(_)) => Err(TargetError::NoScale(text)),
            Ok(None) => Err(TargetError::NotFound(text)),
            Err(error) => Err(TargetError::Api(error)),
        }
    }

    /// How many replicas are ready, of a workload that tells. For people: what cannot be read is left out.
    pub(crate) async fn ready(
        &self,
        gvkr: &GroupVersionKindResource,
        namespace: &str,
        name: &str,
    ) -> Option<i32> {
        if gvkr.group != "apps" {
            return None;
        }
        let found = self.api(gvkr, namespace).get(name).await.ok()?;
        // A zero is left out of a status.
        let ready = found
            .data
            .pointer("/status/readyReplicas")
            .map_or(Some(0), serde_json::Value::as_i64);
        ready.and_then(|ready| i32::try_from(ready).ok())
    }

    /// Resolves a reference and reads its `/scale`.
    pub(crate) async fn find(
        &self,
        namespace: &str,
        reference: &ScaleTargetRef,
    ) -> Result<Target, TargetError> {
        let gvkr = self.resolve(reference).await?;
        let scale = self.scale(&gvkr, namespace, &reference.name).await?;
        Ok(Target { gvkr, scale })
    }
}

/// The replicas that a scale asks for; absent is 1, as upstream reads it.
pub(crate) fn replicas(scale: &Scale) -> i32 {
    scale
        .spec
        .as_ref()
        .map_or(1, |spec| spec.replicas.unwrap_or_default())
}
