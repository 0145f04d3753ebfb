//! What a scaler sees of the cluster: one trigger, with everything it references already resolved.

use std::collections::BTreeMap;
use std::fmt;

use crate::Secret;

/// The object that a trigger belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The parameters that a `TriggerAuthentication` resolved to. Prints the names only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AuthParams(pub BTreeMap<String, Secret<String>>);

impl AuthParams {
    /// The value of a parameter.
    pub fn get(&self, parameter: &str) -> Option<&str> {
        self.0.get(parameter).map(|value| value.expose().as_str())
    }

    /// Adds a parameter, or replaces it.
    pub fn insert(&mut self, parameter: impl Into<String>, value: impl Into<String>) {
        self.0.insert(parameter.into(), Secret::new(value.into()));
    }
}

/// The environment of a container of the scale target. Values may come from Secrets, so none is ever printed.
pub type ContainerEnv = BTreeMap<String, Secret<String>>;

/// One trigger of one object, ready to be read by a scaler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriggerInput {
    /// `triggers[].type`.
    pub type_: String,
    /// Its position in `spec.triggers`.
    pub index: usize,
    /// `triggers[].name`.
    pub name: Option<String>,
    /// `triggers[].metadata`.
    pub metadata: BTreeMap<String, String>,
    /// The environment that `…FromEnv` keys name variables of.
    pub env: ContainerEnv,
    /// What the trigger's `authenticationRef` resolved to.
    pub auth: AuthParams,
    /// The pod identity of that reference.
    pub identity: Option<crds::PodIdentity>,
    /// `triggers[].metricType`.
    pub metric_type: Option<String>,
    /// Whether the object has a `scalingModifiers` formula, which makes target values optional.
    pub as_metric_source: bool,
    /// The object the trigger belongs to.
    pub object: ObjectKey,
}
