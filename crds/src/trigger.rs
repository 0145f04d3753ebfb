//! A trigger: one event source of a ScaledObject or ScaledJob.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::open_enum::open_enum;

/// One event source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// Scaler type of the trigger, for instance `redis` or `cron`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1))]
    pub type_: String,
    /// Label of the trigger, unique inside the object. A scaling-modifiers formula refers to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Settings of the scaler. Every value is text, so numbers and booleans have to be quoted in YAML.
    pub metadata: BTreeMap<String, String>,
    /// How the HPA reads the target: `AverageValue` (per replica, the default), `Value` (for all replicas together) or
    /// `Utilization` (percent of the request; only `cpu` and `memory`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_type: Option<String>,
    /// Answers the HPA with the value of the last poll instead of asking the event source again. Not for `cpu`,
    /// `memory` and `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_cached_metrics: Option<bool>,
    /// Object that holds the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_ref: Option<AuthenticationRef>,
}

open_enum! {
    /// Kind of the object that holds credentials.
    AuthenticationKind {
        /// A TriggerAuthentication in the namespace of the object that refers to it.
        TriggerAuthentication = "TriggerAuthentication",
        /// A ClusterTriggerAuthentication.
        ClusterTriggerAuthentication = "ClusterTriggerAuthentication",
    }
}

/// Reference to the object that holds credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct AuthenticationRef {
    /// Name of the TriggerAuthentication or ClusterTriggerAuthentication.
    pub name: String,
    /// `TriggerAuthentication` (the default, in the same namespace) or `ClusterTriggerAuthentication`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AuthenticationKind>,
}

impl AuthenticationRef {
    /// Kind of the object, with the default applied.
    // Upstream: an absent or empty kind means TriggerAuthentication.
    pub fn kind(&self) -> AuthenticationKind {
        match &self.kind {
            Some(AuthenticationKind::Other(text)) if text.is_empty() => {
                AuthenticationKind::TriggerAuthentication
            }
            Some(kind) => kind.clone(),
            None => AuthenticationKind::TriggerAuthentication,
        }
    }
}

/// Activity of one trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerActivity {
    /// Whether the trigger was active when it was last evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}
