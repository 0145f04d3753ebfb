//! The environment of a container, as `…FromEnv` keys and `TriggerAuthentication.spec.env` see it.
//!
//! Upstream: `ResolveContainerEnv` and `resolveEnv` in `pkg/scaling/resolver/scale_resolvers.go`.

use std::collections::BTreeMap;

use engine::diagnostic::{Diagnostic, FieldPath};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, EnvVarSource, PodSpec};

use crate::{ContainerEnv, Secret};

/// The keys and values of a Secret or ConfigMap. Values of Secrets are never printed, so all are kept alike.
pub type Entries = BTreeMap<String, Secret<String>>;

/// A Secret or ConfigMap that could not be read, as opposed to one that is not there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot read {kind} `{namespace}/{name}`")]
pub struct LookupError {
    /// `Secret` or `ConfigMap`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What the API server or the client said.
    #[source]
    pub cause: crate::Cause,
}

/// Where Secrets and ConfigMaps come from: a cluster, or files.
///
/// An implementation that may not read a Secret (`KEDA_RESTRICT_SECRET_ACCESS`) answers that there is none.
pub trait SecretSource: Send + Sync {
    /// The entries of a Secret, decoded; `None` if there is no such Secret.
    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>>;

    /// The entries of a ConfigMap; `None` if there is no such ConfigMap.
    fn config_map<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entries>, LookupError>>;
}

/// Why an environment could not be worked out.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The manifest names something that is not there or cannot be.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Diagnostic>),
    /// Something could not be read.
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

/// The environment of one container of a pod template.
///
/// `container` is `envSourceContainerName`; without it, the first container is taken. A variable that takes its value
/// from a field of the pod is left out, as it has none before the pod exists.
pub async fn resolve(
    pod: &PodSpec,
    container: Option<&str>,
    namespace: &str,
    source: &dyn SecretSource,
) -> Result<ContainerEnv, ResolveError> {
    let container = pick(pod, container.filter(|name| !name.is_empty()))?;
    let mut env = ContainerEnv::new();
    for from in container.env_from.iter().flatten() {
        env.extend(from_source(from, namespace, source).await?);
    }
    let mut room = MOST_EXPANDED;
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(variable, &env, &mut room, namespace, source).await? {
            env.insert(variable.name.clone(), value);
        }
    }
    Ok(env)
}

fn pick<'a>(pod: &'a PodSpec, name: Option<&str>) -> Result<&'a Container, ResolveError> {
    let Some(name) = name else {
        return pod.containers.first().ok_or_else(|| {
            let path = FieldPath::root().field("spec").field("scaleTargetRef");
            let finding = Diagnostic::error("no-container", path, "the scale target has no container");
            ResolveError::Invalid(vec![finding])
        });
    };
    pod.containers
        .iter()
        .find(|container| container.name == name)
        .ok_or_else(|| {
            let path = FieldPath::root()
                .field("spec")
                .field("scaleTargetRef")
                .field("envSourceContainerName");
            let names: Vec<&str> = pod
                .containers
                .iter()
                .map(|container| container.name.as_str())
                .collect();
            let finding = Diagnostic::error(
                "no-container",
                path,
                format!("the scale target has no container `{name}`"),
            );
            ResolveError::Invalid(vec![
                finding.with_help(format!("its containers are {}", names.join(", "))),
            ])
        })
}

async fn from_source(
    from: &EnvFromSource,
    namespace: &str,
    source: &dyn SecretSource,
) -> Result<ContainerEnv, ResolveError> {
    let prefix = from.prefix.as_deref().unwrap_or_default();
    let (entries, name, kind, optional) = if let Some(reference) = &from.config_map_ref {
        let found = source.config_map(namespace, &reference.name).await?;
        (found, &reference.name, "ConfigMap", reference.optional)
    } else if let Some(reference) = &from.secret_ref {
        let found = source.secret(namespace, &reference.name).await?;
        (found, &reference.name, "Secret", reference.optional)
    } else {
        return Ok(ContainerEnv::new());
    };
    match entries {
        Some(entries) => Ok(entries
            .into_iter()
            .map(|(key, value)| (format!("{prefix}{key}"), value))
            .collect()),
        None if optional == Some(true) => Ok(ContainerEnv::new()),
        None => Err(absent(&format!(
            "{kind} `{namespace}/{name}` of `envFrom` does not exist"
        ))),
    }
}

async fn value_of(
    variable: &EnvVar,
    known: &ContainerEnv,
    room: &mut usize,
    namespace: &str,
    source: &dyn SecretSource,
) -> Result<Option<Secret<String>>, ResolveError> {
    if let Some(text) = variable.value.as_deref().filter(|text| !text.is_empty()) {
        let value = expand(text, known, *room).ok_or_else(|| {
            let name = &variable.name;
            absent(&format!(
                "variable `{name}` makes the environment longer than 4 MiB, which no container can have"
            ))
        })?;
        *room -= value.len();
        return Ok(Some(Secret::new(value)));
    }
    match &variable.value_from {
        Some(from) => referenced(variable, from, namespace, source).await,
        None => Ok(Some(Secret::new(String::new()))),
    }
}

async fn referenced(
    variable: &EnvVar,
    from: &EnvVarSource,
    namespace: &str,
    source: &dyn SecretSource,
) -> Result<Option<Secret<String>>, ResolveError> {
    let (entries, name, key, kind, optional) = if let Some(reference) = &from.secret_key_ref {
        let found = source.secret(namespace, &reference.name).await?;
        (
            found,
            &reference.name,
            &reference.key,
            "Secret",
            reference.optional,
        )
    } else if let Some(reference) = &from.config_map_key_ref {
        let found = source.config_map(namespace, &reference.name).await?;
        (
            found,
            &reference.name,
            &reference.key,
            "ConfigMap",
            reference.optional,
        )
    } else {
        return Ok(None);
    };
    match entries.and_then(|mut entries| entries.remove(key)) {
        Some(value) => Ok(Some(value)),
        None if optional == Some(true) => Ok(None),
        None => {
            let variable = &variable.name;
            Err(absent(&format!(
                "variable `{variable}` needs key `{key}` of {kind} `{namespace}/{name}`, which does not exist"
            )))
        }
    }
}

fn absent(message: &str) -> ResolveError {
    let path = FieldPath::root().field("spec").field("scaleTargetRef");
    ResolveError::Invalid(vec![Diagnostic::error(
        "missing-environment-source",
        path,
        message,
    )])
}

/// Bytes that the values of an environment may have, where they may refer to others. Each of them can hold the one before it
/// twice, so that a few lines would be more than there is memory; and no process can be given as much as this.
const MOST_EXPANDED: usize = 4 << 20;

/// Replaces `$(NAME)` by what is known already; `$$` is a dollar, and an unknown name stays as it is written. `None` for a
/// value that is longer than `room`.
///
/// Upstream: Kubernetes' `third_party/forked/golang/expansion`.
fn expand(text: &str, known: &ContainerEnv, room: usize) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    // Looked for once: in a text of many names without an end, it would be looked for as often.
    let last = text.rfind(')');
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let ends = last.is_some_and(|last| text.len() - after.len() <= last);
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) = after
            .strip_prefix('(')
            .filter(|_| ends)
            .and_then(|inner| inner.split_once(')'))
        {
            if let Some(value) = known.get(name) {
                out.push_str(value.expose());
            } else {
                out.push_str("$(");
                out.push_str(name);
                out.push(')');
            }
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
        if out.len() > room {
            return None;
        }
    }
    out.push_str(rest);
    (out.len() <= room).then_some(out)
}

#[cfg(test)]
mod tests;
