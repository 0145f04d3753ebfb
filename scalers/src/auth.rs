//! `TriggerAuthentication` and `ClusterTriggerAuthentication`: from references to parameters.
//!
//! Upstream: `ResolveAuthRefAndPodIdentity` and `resolveAuthRef` in `pkg/scaling/resolver/scale_resolvers.go`; facts
//! semantics §12. Later blocks overwrite what earlier ones gave for the same parameter.

use std::collections::BTreeMap;

use crds::{IdentityProvider, PodIdentity, TargetRef, TriggerAuthenticationSpec};
use engine::diagnostic::{Diagnostic, FieldPath};
use k8s_openapi::api::core::v1::PodSpec;

use crate::env::{self, Entries, LookupError, ResolveError, SecretSource};
use crate::{AuthParams, Secret};

/// Which of the two kinds is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `TriggerAuthentication`: Secrets and ConfigMaps of its own namespace.
    Namespaced,
    /// `ClusterTriggerAuthentication`: those of the namespace KEDA runs in.
    Cluster,
}

/// Where an authentication is resolved.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Which kind it is.
    pub scope: Scope,
    /// The namespace its Secrets and ConfigMaps are in.
    pub namespace: &'a str,
    /// The pod template of the scale target, whose environment `env` reads.
    pub pod: Option<&'a PodSpec>,
    /// The namespace of the scale target.
    pub pod_namespace: &'a str,
    /// `envSourceContainerName` of the scale target.
    pub container: Option<&'a str>,
}

/// What an authentication resolved to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// The parameters.
    pub params: AuthParams,
    /// The pod identity, unless its provider is `none`.
    pub identity: Option<PodIdentity>,
    /// What was not found, and what this version does not do. Paths are inside the authentication object.
    pub warnings: Vec<Diagnostic>,
}

/// Resolves an authentication. A Secret, ConfigMap, key or variable that is missing gives an empty parameter and a
/// warning, as upstream logs it and goes on; a block that this version does not know is an error that names it.
pub async fn resolve(
    spec: &TriggerAuthenticationSpec,
    place: Place<'_>,
    source: &dyn SecretSource,
) -> Result<Resolved, ResolveError> {
    let refused = refusals(spec, place.scope);
    if !refused.is_empty() {
        return Err(ResolveError::Invalid(refused));
    }
    let mut resolved = Resolved {
        identity: identity(spec),
        ..Resolved::default()
    };
    if resolved.identity.is_some() {
        // No scaler of this version asks a cloud, so the values are right all the same.
        let path = FieldPath::root().field("spec").field("podIdentity");
        resolved.warnings.push(Diagnostic::warning(
            "not-in-this-version",
            path,
            "`podIdentity` is not in this version yet",
        ));
    }
    from_env(spec, place, source, &mut resolved).await?;
    let mut found = Lookup {
        source,
        namespace: place.namespace,
        seen: BTreeMap::new(),
    };
    for (position, reference) in spec.config_map_target_ref.iter().enumerate() {
        let path = FieldPath::root()
            .field("spec")
            .field("configMapTargetRef")
            .index(position);
        found.parameter("ConfigMap", reference, path, &mut resolved).await;
    }
    for (position, reference) in spec.secret_target_ref.iter().enumerate() {
        let path = FieldPath::root()
            .field("spec")
            .field("secretTargetRef")
            .index(position);
        found.parameter("Secret", reference, path, &mut resolved).await;
    }
    Ok(resolved)
}

/// The blocks that keep an authentication from working here.
fn refusals(spec: &TriggerAuthenticationSpec, scope: Scope) -> Vec<Diagnostic> {
    let given = [
        ("filePath", spec.file_path.is_some()),
        ("hashiCorpVault", spec.hashi_corp_vault.is_some()),
        ("azureKeyVault", spec.azure_key_vault.is_some()),
        ("gcpSecretManager", spec.gcp_secret_manager.is_some()),
        ("awsSecretManager", spec.aws_secret_manager.is_some()),
        (
            "boundServiceAccountToken",
            !spec.bound_service_account_token.is_empty(),
        ),
        ("oauth2", spec.oauth2.is_some()),
    ];
    let mut refused = Vec::new();
    for (block, _) in given.iter().filter(|(_, given)| *given) {
        let path = FieldPath::root().field("spec").field(block);
        refused.push(if *block == "filePath" && scope == Scope::Namespaced {
            Diagnostic::error(
                "bad-authentication",
                path,
                "`filePath` needs a ClusterTriggerAuthentication",
            )
        } else {
            Diagnostic::error(
                "not-in-this-version",
                path,
                format!("`{block}` is not in this version yet"),
            )
            .with_help("`secretTargetRef`, `configMapTargetRef` and `env` are")
        });
    }
    if let Some(identity) = &spec.pod_identity
        && identity.provider == IdentityProvider::AzureWorkload
        && identity.identity_id.as_deref() == Some("")
    {
        let path = FieldPath::root()
            .field("spec")
            .field("podIdentity")
            .field("identityId");
        refused.push(Diagnostic::error(
            "bad-authentication",
            path,
            "`identityId` must not be empty",
        ));
    }
    refused
}

fn identity(spec: &TriggerAuthenticationSpec) -> Option<PodIdentity> {
    spec.pod_identity
        .clone()
        .filter(|identity| identity.provider != IdentityProvider::None)
}

async fn from_env(
    spec: &TriggerAuthenticationSpec,
    place: Place<'_>,
    source: &dyn SecretSource,
    resolved: &mut Resolved,
) -> Result<(), ResolveError> {
    for (position, wanted) in spec.env.iter().enumerate() {
        let container = wanted
            .container_name
            .as_deref()
            .filter(|name| !name.is_empty())
            .or(place.container);
        let value = match place.pod {
            Some(pod) => {
                let mut env = env::resolve(pod, container, place.pod_namespace, source).await?;
                env.remove(&wanted.name)
            }
            None => None,
        };
        if value.is_none() {
            let path = FieldPath::root().field("spec").field("env").index(position);
            let message = format!(
                "the container has no variable `{}`, so `{}` is empty",
                wanted.name, wanted.parameter
            );
            resolved
                .warnings
                .push(Diagnostic::warning("missing-variable", path, message));
        }
        resolved
            .params
            .0
            .insert(wanted.parameter.clone(), value.unwrap_or_default());
    }
    Ok(())
}

/// Reads every Secret and ConfigMap once, however many of its keys are used.
struct Lookup<'a> {
    source: &'a dyn SecretSource,
    namespace: &'a str,
    seen: BTreeMap<(&'static str, String), Result<Option<Entries>, LookupError>>,
}

impl Lookup<'_> {
    async fn parameter(
        &mut self,
        kind: &'static str,
        from: &TargetRef,
        path: FieldPath,
        resolved: &mut Resolved,
    ) {
        let known = (kind, from.name.clone());
        if !self.seen.contains_key(&known) {
            let entries = match kind {
                "Secret" => self.source.secret(self.namespace, &from.name).await,
                _ => self.source.config_map(self.namespace, &from.name).await,
            };
            self.seen.insert(known.clone(), entries);
        }
        let (TargetRef { parameter, name, key }, namespace) = (from, self.namespace);
        let missing = match self.seen.get(&known) {
            Some(Ok(Some(entries))) => match entries.get(key) {
                Some(value) => {
                    resolved.params.0.insert(parameter.clone(), value.clone());
                    return;
                }
                None => format!("{kind} `{namespace}/{name}` has no key `{key}`"),
            },
            Some(Err(error)) => format!("{error}: {}", error.cause),
            Some(Ok(None)) | None => format!("{kind} `{namespace}/{name}` does not exist"),
        };
        let message = format!("{missing}, so `{parameter}` is empty");
        resolved
            .warnings
            .push(Diagnostic::warning("missing-parameter-source", path, message));
        resolved.params.0.insert(parameter.clone(), Secret::default());
    }
}

#[cfg(test)]
mod tests;
