//! Names of what an installation consists of: KEDA's, so that tools, policies and dashboards that name them go on
//! working.

/// Namespace of controller and adapter unless `--namespace` says otherwise.
pub(crate) const NAMESPACE: &str = "keda";
/// The controller: its Deployment, Service, service account, Role and `ClusterRole`.
pub(crate) const OPERATOR: &str = "keda-operator";
/// The adapter: its Deployment and Service.
pub(crate) const ADAPTER: &str = "keda-metrics-apiserver";
/// The adapter's service account, and the Role by which it follows the controller's Lease.
pub(crate) const ADAPTER_ACCOUNT: &str = "keda-metrics-server";
/// The service account whose tokens the debug API asks for.
pub(crate) const DEBUG: &str = "keda-debug";
/// What somebody needs who debugs: a `ClusterRole` and, in the installation's namespace, a Role. Nobody has them until an
/// administrator binds them.
pub(crate) const DEBUGGER: &str = "keda-debugger";
/// Lets the HPA controller read external metrics.
pub(crate) const METRICS_READER: &str = "keda-external-metrics-reader";
/// Binds [`METRICS_READER`] to the HPA controller.
pub(crate) const METRICS_READER_BINDING: &str = "keda-hpa-controller-external-metrics";
/// Lets the adapter ask who a caller is and what it may.
pub(crate) const AUTH_DELEGATOR: &str = "keda-system-auth-delegator";
/// Lets the adapter read how the API server identifies callers. It lives in `kube-system`.
pub(crate) const AUTH_READER: &str = "keda-auth-reader";
/// The namespace of [`AUTH_READER`] and of the HPA controller's service account.
pub(crate) const KUBE_SYSTEM: &str = "kube-system";
/// The API that the HPA controller reads.
pub(crate) const API_SERVICE: &str = "v1beta1.external.metrics.k8s.io";
/// The Secret with CA and certificate, which the controller writes.
pub(crate) const CERTIFICATES: &str = "kedaorg-certs";
/// The Lease that elects the leading controller.
pub(crate) const LEASE: &str = "operator.keda.sh";
/// The container of [`OPERATOR`] and its image.
pub(crate) const CONTROLLER_IMAGE: &str = "controller";
/// The image of [`ADAPTER`].
pub(crate) const ADAPTER_IMAGE: &str = "metrics-adapter";
/// Who writes these objects, in `managedFields`.
pub(crate) const FIELD_MANAGER: &str = "kubectl-keda";
