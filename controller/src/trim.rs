//! Gives back the room that an object got only while it was read: a list of one is read into room for four, and there is an
//! object of each kind for every workload.

use std::sync::Arc;

use crds::{ClusterTriggerAuthentication, ScaledObject, TriggerAuthentication};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PartialObjectMeta;

/// What is kept for long.
pub(crate) trait Trim {
    /// What of it is kept.
    type Kept;

    /// Drops what nobody here reads, and spare room.
    fn trim(&mut self);

    /// Takes what is kept of it.
    fn keep(self: &Arc<Self>) -> Arc<Self::Kept>;
}

/// Says that a kind is kept whole.
macro_rules! whole {
    () => {
        type Kept = Self;

        fn keep(self: &Arc<Self>) -> Arc<Self> {
            Arc::clone(self)
        }
    };
}
pub(crate) use whole;

/// Drops what nobody here reads of the metadata, and spare room.
pub(crate) fn trim_metadata(metadata: &mut ObjectMeta) {
    // Managed fields are half of an object's size.
    metadata.managed_fields = None;
    exact(&mut metadata.owner_references);
    exact(&mut metadata.finalizers);
}

impl Trim for ScaledObject {
    whole!();

    fn trim(&mut self) {
        trim_metadata(&mut self.metadata);
        self.spec.triggers.shrink_to_fit();
        if let Some(status) = &mut self.status {
            status.conditions.shrink_to_fit();
            status.external_metric_names.shrink_to_fit();
            status.resource_metric_names.shrink_to_fit();
        }
    }
}

impl Trim for TriggerAuthentication {
    whole!();

    fn trim(&mut self) {
        trim_metadata(&mut self.metadata);
    }
}

impl Trim for ClusterTriggerAuthentication {
    whole!();

    fn trim(&mut self) {
        trim_metadata(&mut self.metadata);
    }
}

impl<K> Trim for PartialObjectMeta<K> {
    whole!();

    fn trim(&mut self) {
        trim_metadata(&mut self.metadata);
    }
}

fn exact<T>(list: &mut Option<Vec<T>>) {
    if let Some(list) = list {
        list.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_no_more_room_than_they_need() {
        let sent = serde_json::json!({
            "metadata": {"name": "a", "managedFields": [{"manager": "m"}], "finalizers": ["f"]},
            "spec": {"scaleTargetRef": {"name": "a"}, "triggers": [{"type": "cron", "metadata": {}}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        let mut object: ScaledObject = serde_json::from_str(&sent.to_string()).unwrap();
        object.trim();
        assert_eq!(object.metadata.managed_fields, None);
        assert_eq!(object.metadata.finalizers.unwrap().capacity(), 1);
        assert_eq!(object.spec.triggers.capacity(), 1);
        assert_eq!(object.status.unwrap().conditions.capacity(), 1);
    }
}
