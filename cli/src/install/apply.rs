//! One object by server-side apply: what it was before, what it became, and from whom fields were taken.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::Value;

use super::manifests::Manifest;
use super::names;

/// What applying an object changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was not there.
    Created,
    /// It was there and is different now.
    Configured,
    /// It was there as it is wanted.
    Unchanged,
}

impl Outcome {
    /// As kubectl says it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// An applied object.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    /// What changed.
    pub(crate) outcome: Outcome,
    /// The object as the API server has it now.
    pub(crate) object: Value,
    /// Fields that somebody else managed and that were taken over, as the API server described them.
    pub(crate) taken: Option<String>,
}

/// Plural of each kind that is installed or removed. Discovery would do as well, but needs the cluster, and hangs
/// where an APIService is dead, which is when `uninstall` is needed most.
const PLURALS: &[(&str, &str)] = &[
    ("APIService", "apiservices"),
    ("ClusterRole", "clusterroles"),
    ("ClusterRoleBinding", "clusterrolebindings"),
    ("CustomResourceDefinition", "customresourcedefinitions"),
    ("Deployment", "deployments"),
    ("Namespace", "namespaces"),
    ("Role", "roles"),
    ("RoleBinding", "rolebindings"),
    ("Service", "services"),
    ("ServiceAccount", "serviceaccounts"),
];

/// The API of an object's kind, in its namespace.
pub(crate) fn api_of(client: &Client, manifest: &Manifest) -> Api<DynamicObject> {
    let (group, version) = manifest
        .api_version()
        .split_once('/')
        .unwrap_or(("", manifest.api_version()));
    let kind = manifest.kind();
    let plural = PLURALS.iter().find(|(known, _)| *known == kind).map_or_else(
        || format!("{}s", kind.to_lowercase()),
        |(_, plural)| (*plural).to_owned(),
    );
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural);
    match manifest.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Applies one object. With `dry_run` the API server does all but write.
pub(crate) async fn apply(
    client: &Client,
    manifest: &Manifest,
    dry_run: bool,
) -> Result<Applied, kube::Error> {
    let api = api_of(client, manifest);
    let before = api.get_opt(manifest.name()).await?;
    if let Some(before) = before
        .as_ref()
        .filter(|before| manifest.kind() == "Namespace" && !is_ours(*before))
    {
        // A namespace that was there before stays its owner's: `uninstall` will not delete it.
        let object = serde_json::to_value(before).map_err(kube::Error::SerdeError)?;
        return Ok(Applied {
            outcome: Outcome::Unchanged,
            object,
            taken: None,
        });
    }
    let mut parameters = PatchParams::apply(names::FIELD_MANAGER);
    if dry_run {
        parameters = parameters.dry_run();
    }
    let patch = Patch::Apply(&manifest.value);
    let (after, taken) = match api.patch(manifest.name(), &parameters, &patch).await {
        Ok(after) => (after, None),
        Err(kube::Error::Api(status)) if status.code == 409 && status.reason == "Conflict" => {
            let after = api.patch(manifest.name(), &parameters.force(), &patch).await?;
            (after, Some(status.message.clone()))
        }
        Err(error) => return Err(error),
    };
    let outcome = match &before {
        None => Outcome::Created,
        Some(before) if same(before, &after, dry_run) => Outcome::Unchanged,
        Some(_) => Outcome::Configured,
    };
    let object = serde_json::to_value(after).map_err(kube::Error::SerdeError)?;
    Ok(Applied {
        outcome,
        object,
        taken,
    })
}

/// Whether this command wrote the object.
pub(crate) fn is_ours(object: &impl ResourceExt) -> bool {
    let mut managers = object
        .managed_fields()
        .iter()
        .filter_map(|entry| entry.manager.as_deref());
    managers.any(|manager| manager == names::FIELD_MANAGER)
}

/// A write that changes nothing keeps the resource version. A dry run never changes it, so there the contents are
/// compared.
fn same(before: &DynamicObject, after: &DynamicObject, dry_run: bool) -> bool {
    if !dry_run {
        return before.metadata.resource_version == after.metadata.resource_version;
    }
    let content = |object: &DynamicObject| {
        let mut object = object.clone();
        object.metadata.managed_fields = None;
        object.metadata.resource_version = None;
        object.metadata.generation = None;
        (object.metadata, object.data)
    };
    content(before) == content(after)
}

#[cfg(test)]
mod tests {
    use super::super::manifests;
    use super::super::options::Options;
    use super::*;

    #[test]
    fn the_plural_of_every_installed_kind_is_known() {
        for manifest in manifests::objects(&Options::default()) {
            assert!(
                PLURALS.iter().any(|(kind, _)| *kind == manifest.kind()),
                "{}",
                manifest.kind()
            );
        }
    }

    #[test]
    fn a_dry_run_compares_contents_and_a_real_one_versions() {
        let object = |version: &str, replicas: i32| {
            let mut object = DynamicObject::new(
                "a",
                &ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment")),
            );
            object.metadata.resource_version = Some(version.to_owned());
            object.data = serde_json::json!({ "spec": { "replicas": replicas } });
            object
        };
        assert!(same(&object("1", 1), &object("1", 1), false));
        assert!(!same(&object("1", 1), &object("2", 1), false));
        assert!(same(&object("1", 1), &object("2", 1), true));
        assert!(!same(&object("1", 1), &object("1", 2), true));
    }
}
