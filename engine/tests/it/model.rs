//! A cluster in memory: it carries out actions as the controller's executor does, and decides nothing.

use std::collections::BTreeMap;

use crds::{FINALIZER, ScaledObject, ScaledObjectStatus};
use engine::action::Action;
use engine::activate::{self, HpaScaling, Observed, Reading, Source, TriggerReading};
use engine::desired::validate;
use engine::event::Event;
use engine::metric::{MetricName, TriggerMetrics};
use engine::reconcile::{self, Phase, Seen, Target, Triggers};
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::{Value, json};

/// Everything that a plan can see or change.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) object: Option<ScaledObject>,
    pub(crate) target: Target,
    pub(crate) hpas: BTreeMap<String, HorizontalPodAutoscaler>,
    pub(crate) triggers: Triggers,
    /// One a metric: active, not active, or resource.
    pub(crate) active: Vec<Option<bool>>,
    /// The error of all triggers, if they fail.
    pub(crate) failing: Option<String>,
    pub(crate) scaling: Option<HpaScaling>,
    pub(crate) running: Option<i64>,
    pub(crate) events: Vec<Event>,
    pub(crate) now: Timestamp,
    built: bool,
}

impl World {
    pub(crate) fn new(object: ScaledObject, target: Target, triggers: Triggers) -> Self {
        Self {
            object: Some(object),
            target,
            hpas: BTreeMap::new(),
            triggers,
            active: Vec::new(),
            failing: None,
            scaling: None,
            running: None,
            events: Vec::new(),
            now: "2026-01-01T01:00:00Z".parse().unwrap(),
            built: false,
        }
    }

    pub(crate) fn object(&self) -> &ScaledObject {
        self.object.as_ref().expect("the object is there")
    }

    pub(crate) fn status(&self) -> ScaledObjectStatus {
        self.object().status.clone().unwrap_or_default()
    }

    pub(crate) fn replicas(&self) -> Option<i32> {
        match &self.target {
            Target::Found { replicas, .. } => Some(*replicas),
            _ => None,
        }
    }

    /// One reconcile; gives the actions that were carried out.
    pub(crate) fn reconcile(&mut self) -> Vec<Action> {
        let Some(object) = self.object.clone() else {
            return Vec::new();
        };
        let phase = Phase::of(&object);
        let mut triggers = self.triggers.clone();
        if self.built {
            triggers.built.clear();
        }
        let seen = Seen {
            target: if phase.needs_target() {
                self.target.clone()
            } else {
                Target::Unread
            },
            hpas: if phase.needs_hpa() {
                self.hpas.clone()
            } else {
                BTreeMap::new()
            },
            triggers: phase.needs_metrics().then_some(triggers),
            running: self.running,
            unlisted: Vec::new(),
            version: "test".to_owned(),
        };
        let plan = reconcile::plan(&object, &seen);
        self.built = phase.needs_metrics();
        self.apply(&plan.actions);
        plan.actions
    }

    /// One iteration of the scale loop; gives the actions that were carried out.
    pub(crate) fn poll(&mut self) -> Vec<Action> {
        let Ok(want) = validate(self.object()) else {
            return Vec::new();
        };
        let status = self.status();
        let Target::Found { gvkr, replicas } = self.target.clone() else {
            return Vec::new();
        };
        let seen = Observed {
            target: engine::action::ScaleTarget {
                gvkr,
                namespace: want.key.namespace.clone(),
                name: want.target.name.clone(),
            },
            replicas: Ok(replicas),
            readings: self.readings(),
            last_active: status.last_active_time.map(|time| time.0),
            conditions: status.conditions,
            hpa: self.scaling.clone(),
            source: Source::Poll,
        };
        let plan = activate::plan(&want, &seen, self.now);
        self.apply(&plan.actions);
        plan.actions
    }

    fn readings(&self) -> Vec<TriggerReading> {
        let metrics = self.triggers.metrics.clone().unwrap_or_default();
        let names = metrics
            .iter()
            .enumerate()
            .flat_map(|(trigger, metrics)| match metrics {
                TriggerMetrics::External(list) => {
                    list.iter().map(|metric| (trigger, metric.name.clone())).collect()
                }
                TriggerMetrics::Resource(metric) => {
                    vec![(trigger, MetricName::new(metric.resource.as_str()))]
                }
            });
        let states = self.active.iter().chain(std::iter::repeat(&Some(false)));
        names
            .zip(states)
            .map(|((trigger, metric), active)| {
                let reading = match active {
                    _ if self.failing.is_some() => Reading::Failed(self.failing.clone().unwrap_or_default()),
                    Some(true) => Reading::Active,
                    Some(false) => Reading::Inactive,
                    None => Reading::Resource,
                };
                TriggerReading {
                    trigger,
                    metric,
                    value: None,
                    reading,
                }
            })
            .collect()
    }

    fn apply(&mut self, actions: &[Action]) {
        for action in actions {
            self.apply_one(action);
        }
    }

    fn apply_one(&mut self, action: &Action) {
        match action {
            Action::PatchObject(patch) => {
                if let Some(patch) = patch.against(&self.object().metadata) {
                    self.merge(&patch);
                }
                let object = self.object();
                let held = object
                    .metadata
                    .finalizers
                    .iter()
                    .flatten()
                    .any(|name| name == FINALIZER);
                if object.metadata.deletion_timestamp.is_some() && !held {
                    self.object = None;
                }
            }
            Action::PatchStatus(patch) => {
                let current = serde_json::to_value(&self.object().status).unwrap();
                if let Some(patch) = patch.against(&current) {
                    self.merge(&patch);
                }
            }
            Action::ApplyHpa(hpa) => {
                let name = hpa.metadata.name.clone().unwrap();
                let version = hpa.metadata.resource_version.clone();
                let before = self
                    .hpas
                    .get(&name)
                    .and_then(|live| live.metadata.resource_version.clone());
                assert_eq!(
                    version, before,
                    "an HPA is replaced under the version that was seen"
                );
                let mut stored = hpa.as_ref().clone();
                stored.metadata.resource_version =
                    Some(before.map_or_else(|| "1".to_owned(), |version| version + "1"));
                self.hpas.insert(name, stored);
            }
            Action::DeleteHpa { name, .. } => {
                self.hpas.remove(name);
            }
            Action::SetScale { from, to, .. } => {
                let Target::Found { replicas, .. } = &mut self.target else {
                    panic!("no target to scale")
                };
                assert_eq!(replicas, from, "a plan carries what it saw");
                *replicas = *to;
            }
            Action::StartLoop { generation } => self.running = Some(*generation),
            Action::StopLoop => self.running = None,
            Action::ListUser { .. } => {}
            Action::Emit(event) => self.events.push(event.clone()),
        }
    }

    /// A JSON merge patch of the object, as the API server applies it.
    pub(crate) fn merge(&mut self, patch: &Value) {
        let mut object = serde_json::to_value(self.object()).unwrap();
        merge(&mut object, patch);
        self.object = Some(serde_json::from_value(object).unwrap());
    }

    /// Changes the spec, which gives a new generation.
    pub(crate) fn edit(&mut self, spec: &Value) {
        let generation = self.object().metadata.generation.unwrap_or_default() + 1;
        self.merge(&json!({ "spec": spec, "metadata": { "generation": generation } }));
    }

    pub(crate) fn annotate(&mut self, key: &str, value: Option<&str>) {
        self.merge(&json!({ "metadata": { "annotations": { key: value } } }));
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let object = target.as_object_mut().expect("it is an object now");
    for (key, value) in fields {
        if value.is_null() {
            object.remove(key);
        } else {
            merge(object.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
