//! From a trigger of an object to a [`TriggerInput`]: the environment of its container and its authentication resolved.
//!
//! The controller and the command line differ only in where authentications, Secrets and ConfigMaps come from.

use crds::{
    AuthenticationKind, AuthenticationRef, PodIdentity, ScaledObject, Trigger, TriggerAuthenticationSpec,
};
use engine::diagnostic::Diagnostic;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::PodSpec;

use crate::auth::{self, Place, Scope};
use crate::env::{self, LookupError, ResolveError, SecretSource};
use crate::{AuthParams, ContainerEnv, ObjectKey, TriggerInput};

/// Where authentication objects come from: a cluster, its cache, or files.
pub trait AuthenticationSource: Send + Sync {
    /// The spec of a `TriggerAuthentication`; `None` if there is no such object.
    fn trigger_authentication<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<TriggerAuthenticationSpec>, LookupError>>;

    /// The spec of a `ClusterTriggerAuthentication`; `None` if there is no such object.
    fn cluster_trigger_authentication<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<TriggerAuthenticationSpec>, LookupError>>;

    /// The namespace of the Secrets and ConfigMaps that a `ClusterTriggerAuthentication` refers to.
    fn cluster_namespace(&self) -> &str;
}

/// Resolves what the triggers of one object refer to.
#[derive(Clone, Copy)]
pub struct Resolver<'a> {
    /// The object.
    pub object: &'a ScaledObject,
    /// The pod template of its scale target, if it has one.
    pub pod: Option<&'a PodSpec>,
    /// Where authentications come from.
    pub authentications: &'a dyn AuthenticationSource,
    /// Where Secrets and ConfigMaps come from.
    pub secrets: &'a dyn SecretSource,
}

/// A trigger with its references resolved.
#[derive(Clone, Debug)]
pub struct ResolvedTrigger {
    /// What a scaler reads.
    pub input: TriggerInput,
    /// What was not found, and what this version does not do.
    pub warnings: Vec<Diagnostic>,
    /// The authentication that does not exist; it counts as one without parameters, as upstream.
    pub missing: Option<AuthenticationRef>,
}

/// Why a trigger's references cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Something named is wrong or cannot be read.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A kind that holds no credentials.
    #[error("unknown kind of authenticationRef: {0}")]
    UnknownKind(AuthenticationKind),
}

/// Whether a trigger takes a setting from a variable of the container.
pub fn names_variables(trigger: &Trigger) -> bool {
    trigger.metadata.keys().any(|key| key.ends_with("FromEnv"))
}

/// What an authentication gave.
#[derive(Default)]
struct Credentials {
    params: AuthParams,
    identity: Option<PodIdentity>,
    warnings: Vec<Diagnostic>,
    missing: Option<AuthenticationRef>,
}

impl Resolver<'_> {
    /// The key of the object.
    fn key(&self) -> ObjectKey {
        let meta = &self.object.metadata;
        ObjectKey {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        }
    }

    fn container(&self) -> Option<&str> {
        self.object
            .spec
            .scale_target_ref
            .env_source_container_name
            .as_deref()
    }

    /// Resolves what one trigger refers to.
    pub async fn input(&self, index: usize, trigger: &Trigger) -> Result<ResolvedTrigger, InputError> {
        let key = self.key();
        let env = match self.pod {
            Some(pod) if names_variables(trigger) => {
                env::resolve(pod, self.container(), &key.namespace, self.secrets).await?
            }
            _ => ContainerEnv::new(),
        };
        let credentials = self.authenticate(&key, trigger).await?;
        let modifiers = self
            .object
            .spec
            .advanced
            .as_ref()
            .and_then(|advanced| advanced.scaling_modifiers.as_ref());
        let input = TriggerInput {
            type_: trigger.type_.clone(),
            index,
            name: trigger.name.clone(),
            metadata: trigger.metadata.clone(),
            env,
            auth: credentials.params,
            identity: credentials.identity,
            metric_type: trigger.metric_type.clone(),
            as_metric_source: modifiers
                .and_then(|modifiers| modifiers.formula.as_ref())
                .is_some(),
            object: key,
        };
        Ok(ResolvedTrigger {
            input,
            warnings: credentials.warnings,
            missing: credentials.missing,
        })
    }

    async fn authenticate(&self, key: &ObjectKey, trigger: &Trigger) -> Result<Credentials, InputError> {
        let Some(reference) = trigger
            .authentication_ref
            .as_ref()
            .filter(|reference| !reference.name.is_empty())
        else {
            return Ok(Credentials::default());
        };
        let (found, scope, namespace) = match reference.kind() {
            AuthenticationKind::TriggerAuthentication => (
                self.authentications
                    .trigger_authentication(&key.namespace, &reference.name)
                    .await,
                Scope::Namespaced,
                key.namespace.as_str(),
            ),
            AuthenticationKind::ClusterTriggerAuthentication => (
                self.authentications
                    .cluster_trigger_authentication(&reference.name)
                    .await,
                Scope::Cluster,
                self.authentications.cluster_namespace(),
            ),
            other @ AuthenticationKind::Other(_) => return Err(InputError::UnknownKind(other)),
        };
        let Some(spec) = found.map_err(ResolveError::from)? else {
            return Ok(Credentials {
                missing: Some(reference.clone()),
                ..Credentials::default()
            });
        };
        let place = Place {
            scope,
            namespace,
            pod: self.pod,
            pod_namespace: &key.namespace,
            container: self.container(),
        };
        let resolved = auth::resolve(&spec, place, self.secrets).await?;
        Ok(Credentials {
            params: resolved.params,
            identity: resolved.identity,
            warnings: resolved.warnings,
            missing: None,
        })
    }
}
