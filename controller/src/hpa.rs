//! What is remembered of an HPA that a ScaledObject owns. There is one for every object, and as a value of its type it takes some
//! kilobytes: so it is kept as text, which hardly anybody reads, beside the little that every poll asks for.

use std::sync::Arc;

use crds::ConditionStatus;
use engine::activate::HpaScaling;
use engine::hpa::{Sighting, mark};
use engine::report::{HpaCondition, HpaReport};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition};

use crate::trim::{Trim, trim_metadata};

/// An HPA as it was seen last.
#[derive(Debug)]
pub(crate) struct KnownHpa {
    /// For the look at what became of it since.
    pub(crate) sighting: Sighting,
    /// A mark of its labels and annotations.
    labels: u64,
    /// Metadata and spec as JSON.
    written: Box<[u8]>,
    /// The ScaledObject that owns it.
    pub(crate) owner: Option<Box<str>>,
    current: Option<i32>,
    desired: Option<i32>,
    conditions: Box<[HpaCondition]>,
}

impl KnownHpa {
    fn of(hpa: &HorizontalPodAutoscaler) -> Self {
        let (meta, status) = (&hpa.metadata, hpa.status.as_ref());
        let mut owners = meta.owner_references.iter().flatten();
        let owner = owners.find(|owner| owner.kind == "ScaledObject" && owner.controller == Some(true));
        let conditions = status.and_then(|status| status.conditions.as_ref());
        Self {
            sighting: Sighting::of(hpa),
            labels: mark(&(&meta.labels, &meta.annotations)),
            written: serde_json::to_vec(&(meta, &hpa.spec))
                .expect("a type of the API that was just decoded")
                .into(),
            owner: owner.map(|owner| owner.name.as_str().into()),
            current: status.and_then(|status| status.current_replicas),
            desired: status.map(|status| status.desired_replicas),
            conditions: conditions.into_iter().flatten().map(condition).collect(),
        }
    }

    /// Whether nobody has written more than its status since the other look.
    pub(crate) fn is_written_as(&self, other: &Self) -> bool {
        self.sighting.has_spec_of(&other.sighting) && self.labels == other.labels
    }

    /// The HPA without its status.
    pub(crate) fn as_written(&self) -> HorizontalPodAutoscaler {
        let written = serde_json::from_slice(&self.written);
        let (metadata, spec) = written.expect("it was written as these types");
        HorizontalPodAutoscaler {
            metadata,
            spec,
            status: None,
        }
    }

    /// Its `ScalingActive` condition.
    pub(crate) fn scaling(&self) -> Option<HpaScaling> {
        let condition = self
            .conditions
            .iter()
            .find(|known| known.type_ == "ScalingActive")?;
        Some(HpaScaling {
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        })
    }

    /// What people are told of an HPA of that name.
    pub(crate) fn report(name: String, known: Option<&Self>) -> HpaReport {
        HpaReport {
            name,
            exists: known.is_some(),
            current: known.and_then(|hpa| hpa.current),
            desired: known.and_then(|hpa| hpa.desired),
            recomputed: None,
            conditions: known.map(|hpa| hpa.conditions.to_vec()).unwrap_or_default(),
        }
    }
}

impl Trim for HorizontalPodAutoscaler {
    type Kept = KnownHpa;

    fn trim(&mut self) {
        trim_metadata(&mut self.metadata);
    }

    fn keep(self: &Arc<Self>) -> Arc<KnownHpa> {
        Arc::new(KnownHpa::of(self))
    }
}

fn condition(condition: &HorizontalPodAutoscalerCondition) -> HpaCondition {
    HpaCondition {
        type_: condition.type_.clone(),
        status: ConditionStatus::from(condition.status.as_str()),
        reason: condition.reason.clone().unwrap_or_default(),
        message: condition.message.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hpa(change: impl FnOnce(&mut Value)) -> HorizontalPodAutoscaler {
        let mut hpa = json!({
            "metadata": {
                "name": "keda-hpa-a", "uid": "1", "labels": {"a": "b"},
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "2"},
                    {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "a", "uid": "3", "controller": true},
                ],
            },
            "spec": {"maxReplicas": 4, "scaleTargetRef": {"kind": "Deployment", "name": "a"}},
            "status": {"currentReplicas": 2, "desiredReplicas": 3, "conditions": [
                {"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled", "message": "at zero"},
            ]},
        });
        change(&mut hpa);
        serde_json::from_value(hpa).unwrap()
    }

    fn known(change: impl FnOnce(&mut Value)) -> KnownHpa {
        KnownHpa::of(&hpa(change))
    }

    #[test]
    fn all_but_the_status_comes_back() {
        let metric = json!({"type": "External", "external": {
            "metric": {"name": "s0-jobs", "selector": {"matchLabels": {"a": "b"}}},
            "target": {"type": "AverageValue", "averageValue": "5"},
        }});
        let mut hpa = hpa(|hpa| hpa["spec"]["metrics"] = json!([metric]));
        let known = KnownHpa::of(&hpa);
        hpa.status = None;
        assert_eq!(known.as_written(), hpa);
    }

    #[test]
    fn a_write_is_told_from_a_change_of_the_status() {
        let before = known(|_| {});
        assert!(before.is_written_as(&known(|hpa| hpa["status"]["currentReplicas"] = json!(1))));
        assert!(!before.is_written_as(&known(|hpa| hpa["spec"]["maxReplicas"] = json!(5))));
        assert!(!before.is_written_as(&known(|hpa| hpa["metadata"]["labels"]["a"] = json!("c"))));
        assert!(!before.is_written_as(&known(|hpa| hpa["metadata"]["annotations"] = json!({"a": "b"}))));
    }

    #[test]
    fn what_is_asked_of_it_later_is_there() {
        let hpa = known(|_| {});
        assert_eq!(hpa.owner.as_deref(), Some("a"));
        let scaling = hpa.scaling().unwrap();
        assert_eq!(
            (scaling.reason.as_str(), scaling.message.as_str()),
            ("ScalingDisabled", "at zero")
        );
        let report = KnownHpa::report("keda-hpa-a".to_owned(), Some(&hpa));
        assert_eq!(
            (report.exists, report.current, report.desired),
            (true, Some(2), Some(3))
        );
        assert!(!KnownHpa::report("keda-hpa-b".to_owned(), None).exists);
    }
}
