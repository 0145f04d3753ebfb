//! CloudEventSource and ClusterCloudEventSource: send what happens to scaled objects to a sink, as CloudEvents.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::open_enum::open_enum;
use crate::trigger::AuthenticationRef;

/// Where events go, and which.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "eventing.keda.sh",
    version = "v1alpha1",
    kind = "CloudEventSource",
    plural = "cloudeventsources",
    singular = "cloudeventsource",
    namespaced,
    status = "CloudEventSourceStatus",
    derive = "PartialEq",
    doc = "Sends the events of its namespace to a sink, as CloudEvents.",
    printcolumn(
        name = "Active",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Active\")].status"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct CloudEventSourceSpec {
    /// Name of the cluster in the source and subject of each event. Default: the operator's `--k8s-cluster-name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Where events go. `http` is used when both are given.
    pub destination: Destination,
    /// Object that holds the credentials of an Event Grid topic: the parameter `accessKey`, or an Azure identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_ref: Option<AuthenticationRef>,
    /// Which events are sent. Only one of the two lists can be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_subscription: Option<EventSubscription>,
}

/// Where events of all namespaces go, and which.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "eventing.keda.sh",
    version = "v1alpha1",
    kind = "ClusterCloudEventSource",
    plural = "clustercloudeventsources",
    singular = "clustercloudeventsource",
    status = "CloudEventSourceStatus",
    derive = "PartialEq",
    doc = "Sends the events of every namespace to a sink, as CloudEvents.",
    printcolumn(
        name = "Active",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Active\")].status"
    )
)]
#[serde(transparent)]
pub struct ClusterCloudEventSourceSpec(pub CloudEventSourceSpec);

/// Where events go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// HTTP sink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpDestination>,
    /// Azure Event Grid topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_event_grid_topic: Option<AzureEventGridTopic>,
}

/// HTTP sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpDestination {
    /// Address that every event is posted to, in binary mode.
    pub uri: String,
}

/// Azure Event Grid topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AzureEventGridTopic {
    /// Endpoint of the topic.
    pub endpoint: String,
}

open_enum! {
    /// Type of an event.
    CloudEventType {
        /// A ScaledObject is ready.
        ScaledObjectReady = "keda.scaledobject.ready.v1",
        /// A ScaledObject failed.
        ScaledObjectFailed = "keda.scaledobject.failed.v1",
        /// A ScaledObject was removed.
        ScaledObjectRemoved = "keda.scaledobject.removed.v1",
        /// A ScaledObject was paused.
        ScaledObjectPaused = "keda.scaledobject.paused.v1",
        /// A ScaledObject was unpaused.
        ScaledObjectUnpaused = "keda.scaledobject.unpaused.v1",
        /// A ScaledJob is ready.
        ScaledJobReady = "keda.scaledjob.ready.v1",
        /// A ScaledJob failed.
        ScaledJobFailed = "keda.scaledjob.failed.v1",
        /// A ScaledJob was removed.
        ScaledJobRemoved = "keda.scaledjob.removed.v1",
        /// A ScaledJob was paused.
        ScaledJobPaused = "keda.scaledjob.paused.v1",
        /// A ScaledJob was unpaused.
        ScaledJobUnpaused = "keda.scaledjob.unpaused.v1",
        /// A ScaledJob began to delete Jobs of an older generation.
        ScaledJobRolloutCleanupStarted = "keda.scaledjob.rolloutcleanup.started.v1",
        /// A ScaledJob deleted the Jobs of an older generation.
        ScaledJobRolloutCleanupCompleted = "keda.scaledjob.rolloutcleanup.completed.v1",
        /// A ScaledJob could not delete Jobs of an older generation.
        ScaledJobRolloutCleanupFailed = "keda.scaledjob.rolloutcleanup.failed.v1",
        /// A TriggerAuthentication was created.
        TriggerAuthenticationCreated = "keda.authentication.triggerauthentication.created.v1",
        /// A TriggerAuthentication was updated.
        TriggerAuthenticationUpdated = "keda.authentication.triggerauthentication.updated.v1",
        /// A TriggerAuthentication was removed.
        TriggerAuthenticationRemoved = "keda.authentication.triggerauthentication.removed.v1",
        /// A ClusterTriggerAuthentication was created.
        ClusterTriggerAuthenticationCreated = "keda.authentication.clustertriggerauthentication.created.v1",
        /// A ClusterTriggerAuthentication was updated.
        ClusterTriggerAuthenticationUpdated = "keda.authentication.clustertriggerauthentication.updated.v1",
        /// A ClusterTriggerAuthentication was removed.
        ClusterTriggerAuthenticationRemoved = "keda.authentication.clustertriggerauthentication.removed.v1",
    }
}

/// Which events are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSubscription {
    /// Only these types are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included_event_types: Vec<CloudEventType>,
    /// All but these types are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_event_types: Vec<CloudEventType>,
}

/// What was observed last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CloudEventSourceStatus {
    /// Conditions of the object; only `Active` has a meaning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
