//! KEDA's custom resources as Rust types, and their definitions as YAML.
//!
//! Field names, defaults and validation are upstream's, so that manifests written for KEDA mean the same here. The
//! crate knows nothing of clusters: it describes objects and says how they look in the API.

mod cloud_event_source;
mod condition;
mod definition;
mod identity;
mod name;
mod open_enum;
mod scaled_job;
mod scaled_object;
mod trigger;
mod trigger_authentication;
mod vault;

pub use cloud_event_source::{
    AzureEventGridTopic, CloudEventSource, CloudEventSourceSpec, CloudEventSourceStatus, CloudEventType,
    ClusterCloudEventSource, ClusterCloudEventSourceSpec, Destination, EventSubscription, HttpDestination,
};
pub use condition::{Condition, ConditionStatus, ConditionType, find_condition};
pub use definition::{KINDS, Kind, definitions, yaml};
pub use identity::{
    BoundServiceAccountToken, IdentityOwner, IdentityProvider, OAuth2, OAuth2Type, PodIdentity, SecretKeyRef,
    SecretValue, ValueFromSecret,
};
pub use name::{FINALIZER, annotation, label};
pub use scaled_job::{
    JobStrategy, MultipleScalersCalculation, PropagationPolicy, Rollout, RolloutStrategy, ScaledJob,
    ScaledJobSpec, ScaledJobStatus, ScalingStrategy,
};
pub use scaled_object::{
    Advanced, CompositeMetricType, Fallback, FallbackBehavior, GroupVersionKindResource, HealthStatus,
    HealthStatusType, HorizontalPodAutoscalerConfig, ScaleTargetRef, ScaledObject, ScaledObjectSpec,
    ScaledObjectStatus, ScalingModifiers,
};
pub use trigger::{AuthenticationKind, AuthenticationRef, Trigger, TriggerActivity};
pub use trigger_authentication::{
    ClusterTriggerAuthentication, ClusterTriggerAuthenticationSpec, EnvParameter, TargetRef,
    TriggerAuthentication, TriggerAuthenticationSpec, TriggerAuthenticationStatus,
};
pub use vault::{
    AwsCredentials, AwsSecret, AwsSecretManager, AzureKeyVault, AzureKeyVaultCloud, AzureKeyVaultCredentials,
    AzureKeyVaultSecret, GcpCredentials, GcpSecret, GcpSecretManager, HashiCorpVault, VaultAuthentication,
    VaultCredential, VaultPkiData, VaultSecret, VaultSecretType,
};

#[cfg(test)]
mod tests;
