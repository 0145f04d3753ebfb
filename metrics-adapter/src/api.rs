//! The aggregated API: what each path answers.

pub(crate) mod discovery;
pub(crate) mod external_metrics;
pub(crate) mod negotiate;
pub(crate) mod openapi;
pub(crate) mod router;
pub(crate) mod status;

/// The API group.
pub(crate) const GROUP: &str = "external.metrics.k8s.io";
/// Its one version.
pub(crate) const VERSION: &str = "v1beta1";
/// `group/version`.
pub(crate) const GROUP_VERSION: &str = "external.metrics.k8s.io/v1beta1";
