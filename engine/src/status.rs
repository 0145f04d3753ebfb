//! Changes of a status, as data.
//!
//! Reconcile and scale loop both write one status. So that neither overwrites what the other said, a [`StatusPatch`]
//! holds only what its maker knows, and becomes a JSON merge patch against the status as it is when it is written:
//! on a conflict the executor reads again and asks for the patch again, without deciding anything.

use std::collections::BTreeMap;

use crds::{Condition, GroupVersionKindResource, ScaledObjectStatus, find_condition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::condition;

/// A new state of `status.triggersActivity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Activity {
    /// The result of a poll: every metric; those not named vanish.
    All(BTreeMap<String, bool>),
    /// The result of a push: only these metrics change.
    Some(BTreeMap<String, bool>),
}

/// A new value of `status.pausedReplicaCount`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PausedReplicas {
    /// The target is held at this number.
    At(i32),
    /// The target is not held.
    Nowhere,
}

impl From<Option<i32>> for PausedReplicas {
    fn from(replicas: Option<i32>) -> Self {
        replicas.map_or(Self::Nowhere, Self::At)
    }
}

/// What changes in the status of a ScaledObject; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusPatch {
    /// Conditions that are merged in by type.
    pub conditions: Vec<Condition>,
    /// The resolved type of the target.
    pub target: Option<GroupVersionKindResource>,
    /// Replicas at the first sight of the target; written once, a recorded value stays.
    pub original_replicas: Option<i32>,
    /// The last moment of activity.
    pub last_active: Option<Timestamp>,
    /// Names of the external metrics; metrics that vanish lose their health and activity.
    pub external_metrics: Option<Vec<String>>,
    /// Names of the resource metrics.
    pub resource_metrics: Option<Vec<String>>,
    /// Name of the HPA.
    pub hpa_name: Option<String>,
    /// The paused replicas.
    pub paused_replicas: Option<PausedReplicas>,
    /// Scaler types, joined.
    pub triggers_types: Option<String>,
    /// Authentication names, joined.
    pub authentications_types: Option<String>,
    /// Activity of the metrics.
    pub activity: Option<Activity>,
}

impl StatusPatch {
    /// A patch of conditions only.
    pub fn of_conditions(conditions: impl IntoIterator<Item = Condition>) -> Self {
        Self {
            conditions: conditions.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Adds or replaces conditions.
    #[must_use]
    pub fn with(mut self, conditions: impl IntoIterator<Item = Condition>) -> Self {
        let updates: Vec<Condition> = conditions.into_iter().collect();
        condition::merge(&mut self.conditions, &updates);
        self
    }

    /// Whether the status is certainly as wanted already, as nearly every poll finds it: it need not be looked at as JSON then.
    /// `false` says nothing.
    pub fn is_settled_in(&self, status: &ScaledObjectStatus) -> bool {
        let Self {
            conditions,
            target: None,
            original_replicas: None,
            last_active: None,
            external_metrics: None,
            resource_metrics: None,
            hpa_name: None,
            paused_replicas: None,
            triggers_types: None,
            authentications_types: None,
            activity,
        } = self
        else {
            return false;
        };
        let known = &status.triggers_activity;
        let has = |(name, active): (&String, &bool)| {
            known
                .get(name)
                .is_some_and(|entry| entry.is_active == Some(*active))
        };
        condition::is_complete(&status.conditions)
            && conditions
                .iter()
                .all(|wanted| find_condition(&status.conditions, &wanted.type_) == Some(wanted))
            && match activity {
                None => true,
                Some(Activity::All(polled)) => polled.len() == known.len() && polled.iter().all(has),
                Some(Activity::Some(pushed)) => pushed.iter().all(has),
            }
    }

    /// The JSON merge patch of the `status` that leads from the current status to the wanted one; `None` when there
    /// is nothing to write.
    ///
    /// `current` is the status as JSON (`Null` when absent), so that fields unknown to us stay.
    pub fn against(&self, current: &Value) -> Option<Value> {
        let mut fields = Map::new();
        self.conditions(current, &mut fields);
        self.scalars(current, &mut fields);
        self.metrics(current, &mut fields);
        (!fields.is_empty()).then(|| json!({ "status": fields }))
    }

    fn conditions(&self, current: &Value, fields: &mut Map<String, Value>) {
        let before: Vec<Condition> =
            serde_json::from_value(current.get("conditions").cloned().unwrap_or_default())
                .unwrap_or_default();
        let mut after = before.clone();
        condition::merge(&mut after, &condition::missing(&before));
        // The initial conditions must not undo what is known: they only fill what is absent.
        condition::merge(&mut after, &before);
        condition::merge(&mut after, &self.conditions);
        if after != before {
            fields.insert("conditions".to_owned(), json!(after));
        }
    }

    fn scalars(&self, current: &Value, fields: &mut Map<String, Value>) {
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value.filter(|value| current.get(key).unwrap_or(&Value::Null) != value) {
                fields.insert(key.to_owned(), value);
            }
        };
        set(
            "scaleTargetKind",
            self.target.as_ref().map(|target| json!(target_kind(target))),
        );
        set(
            "scaleTargetGVKR",
            self.target.as_ref().map(|target| json!(target)),
        );
        if current.get("originalReplicaCount").is_none_or(Value::is_null) {
            set("originalReplicaCount", self.original_replicas.map(Value::from));
        }
        set(
            "lastActiveTime",
            self.last_active.map(|time| json!(condition::seconds(time))),
        );
        set("hpaName", self.hpa_name.as_ref().map(|name| json!(name)));
        set(
            "pausedReplicaCount",
            self.paused_replicas.map(|replicas| match replicas {
                PausedReplicas::At(replicas) => json!(replicas),
                PausedReplicas::Nowhere => Value::Null,
            }),
        );
        set(
            "triggersTypes",
            self.triggers_types.as_ref().map(|types| json!(types)),
        );
        set(
            "authenticationsTypes",
            self.authentications_types.as_ref().map(|types| json!(types)),
        );
    }

    fn metrics(&self, current: &Value, fields: &mut Map<String, Value>) {
        let mut set = |key: &str, names: &Option<Vec<String>>| {
            let Some(names) = names else { return };
            let value = if names.is_empty() {
                Value::Null
            } else {
                json!(names)
            };
            if current.get(key).unwrap_or(&Value::Null) != &value {
                fields.insert(key.to_owned(), value);
            }
        };
        set("externalMetricNames", &self.external_metrics);
        set("resourceMetricNames", &self.resource_metrics);
        if let Some(names) = &self.external_metrics {
            let known = |name: &str| names.iter().any(|kept| kept == name);
            if let Some(stale) = stale(current.get("health"), known) {
                fields.insert("health".to_owned(), stale);
            }
            if current
                .get("compositeScalerName")
                .is_some_and(|name| !name.is_null())
            {
                fields.insert("compositeScalerName".to_owned(), Value::Null);
            }
        }
        if let Some(activity) = self.activity(current.get("triggersActivity")) {
            fields.insert("triggersActivity".to_owned(), activity);
        }
    }

    fn activity(&self, current: Option<&Value>) -> Option<Value> {
        let (states, all) = match self.activity.as_ref()? {
            Activity::All(states) => (states, true),
            Activity::Some(states) => (states, false),
        };
        let mut entries = Map::new();
        if all && let Some(Value::Object(removed)) = stale(current, |name| states.contains_key(name)) {
            entries.extend(removed);
        }
        for (name, active) in states {
            let before = current
                .and_then(|map| map.get(name))
                .and_then(|entry| entry.get("isActive"));
            if before.and_then(Value::as_bool) != Some(*active) {
                entries.insert(name.clone(), json!({ "isActive": active }));
            }
        }
        (!entries.is_empty()).then_some(Value::Object(entries))
    }
}

/// The merge patch that removes the entries of a map that are not wanted any more.
fn stale(current: Option<&Value>, wanted: impl Fn(&str) -> bool) -> Option<Value> {
    let entries = current?.as_object()?;
    let removed: Map<String, Value> = entries
        .keys()
        .filter(|name| !wanted(name))
        .map(|name| (name.clone(), Value::Null))
        .collect();
    (!removed.is_empty()).then_some(Value::Object(removed))
}

/// The text of `status.scaleTargetKind`: `apps/v1.Deployment`.
///
/// Upstream: `GroupVersionKindResource.GVKString`.
pub fn target_kind(target: &GroupVersionKindResource) -> String {
    if target.group.is_empty() {
        format!("{}.{}", target.version, target.kind)
    } else {
        format!("{}/{}.{}", target.group, target.version, target.kind)
    }
}

/// The list of users of an authentication object with one more name; `None` if it is there already.
///
/// Upstream: `status.scaledobjects` of (Cluster)TriggerAuthentication is a text with commas.
pub fn with_user(list: &str, name: &str) -> Option<String> {
    if users(list).any(|user| user == name) {
        return None;
    }
    Some(users(list).chain([name]).collect::<Vec<_>>().join(","))
}

/// The list of users of an authentication object without a name; `None` if it is not there.
pub fn without_user(list: &str, name: &str) -> Option<String> {
    if !users(list).any(|user| user == name) {
        return None;
    }
    Some(
        users(list)
            .filter(|user| *user != name)
            .collect::<Vec<_>>()
            .join(","),
    )
}

fn users(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|user| !user.is_empty())
}

#[cfg(test)]
mod tests;
