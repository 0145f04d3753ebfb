//! What can be chosen about an installation.

use k8s_openapi::api::apps::v1::Deployment;

use super::names;

/// Where images come from unless `--registry` says otherwise.
pub(crate) const REGISTRY: &str = "ghcr.io/kubectl-keda";
/// The images' tag unless `--image-tag` says otherwise: the version of this command.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// When the kubelet pulls an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum PullPolicy {
    /// Each time a pod starts.
    Always,
    /// When the node does not have it.
    #[default]
    IfNotPresent,
    /// Never: somebody else puts it on the node.
    Never,
}

impl PullPolicy {
    /// As the API spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// What an installation is rendered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Namespace of controller and adapter.
    pub(crate) namespace: String,
    /// Registry part of the images, without a slash at the end.
    pub(crate) registry: String,
    /// Tag of the images.
    pub(crate) tag: String,
    /// Secret with the registry's credentials.
    pub(crate) pull_secret: Option<String>,
    /// When the kubelet pulls.
    pub(crate) pull_policy: PullPolicy,
    /// Replicas of controller and adapter, each.
    pub(crate) replicas: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: names::NAMESPACE.to_owned(),
            registry: REGISTRY.to_owned(),
            tag: VERSION.to_owned(),
            pull_secret: None,
            pull_policy: PullPolicy::default(),
            replicas: 1,
        }
    }
}

impl Options {
    /// Full reference of one of our images.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}/{name}:{}", self.registry.trim_end_matches('/'), self.tag)
    }

    /// What an installed controller was rendered from, so that an upgrade keeps what was chosen then. The tag is
    /// not kept: to bring a new one is what an upgrade is for.
    pub(crate) fn of_installed(namespace: &str, operator: &Deployment) -> Self {
        let mut options = Self {
            namespace: namespace.to_owned(),
            ..Self::default()
        };
        let Some(spec) = &operator.spec else {
            return options;
        };
        if let Some(replicas) = spec.replicas {
            options.replicas = replicas;
        }
        let Some(pod) = &spec.template.spec else {
            return options;
        };
        options.pull_secret = pod
            .image_pull_secrets
            .iter()
            .flatten()
            .map(|secret| secret.name.clone())
            .next();
        let Some(container) = pod.containers.first() else {
            return options;
        };
        let reference = container.image.as_deref().and_then(split_image);
        if let Some((registry, _)) = reference {
            registry.clone_into(&mut options.registry);
        }
        options.pull_policy = match container.image_pull_policy.as_deref() {
            Some("Always") => PullPolicy::Always,
            Some("Never") => PullPolicy::Never,
            _ => PullPolicy::IfNotPresent,
        };
        options
    }
}

/// Tag of the image that an installed Deployment runs.
pub(crate) fn installed_tag(deployment: &Deployment) -> Option<&str> {
    let image = deployment
        .spec
        .as_ref()?
        .template
        .spec
        .as_ref()?
        .containers
        .first()?
        .image
        .as_deref()?;
    split_image(image).map(|(_, tag)| tag)
}

/// Splits `registry/name:tag` into registry and tag. A reference by digest has no tag that could be kept.
fn split_image(reference: &str) -> Option<(&str, &str)> {
    let (registry, last) = reference.rsplit_once('/')?;
    let (_, tag) = last.rsplit_once(':')?;
    Some((registry, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_keeps_its_port_and_path() {
        let options = Options {
            registry: "registry.example:5000/team/keda/".to_owned(),
            tag: "1.2.3".to_owned(),
            ..Options::default()
        };
        let image = options.image("controller");
        assert_eq!(image, "registry.example:5000/team/keda/controller:1.2.3");
        assert_eq!(
            split_image(&image),
            Some(("registry.example:5000/team/keda", "1.2.3"))
        );
        assert_eq!(split_image("registry.example/controller@sha256"), None);
    }

    #[test]
    fn an_upgrade_keeps_what_was_chosen() {
        let chosen = Options {
            namespace: "scaling".to_owned(),
            registry: "registry.example/keda".to_owned(),
            tag: "0.0.1".to_owned(),
            pull_secret: Some("registry".to_owned()),
            pull_policy: PullPolicy::Always,
            replicas: 2,
        };
        let operator = super::super::manifests::operator(&chosen);
        assert_eq!(installed_tag(&operator), Some("0.0.1"));
        let kept = Options::of_installed("scaling", &operator);
        assert_eq!(
            kept,
            Options {
                tag: VERSION.to_owned(),
                ..chosen
            }
        );
    }
}
