//! The checked form of a ScaledObject: defaults applied, texts parsed, nothing left to doubt.

use std::collections::BTreeMap;

use crds::{AuthenticationRef, ScaledObject, Trigger, annotation};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::pause::{Pause, is_forced};
use crate::validate::{self, DEFAULT_MAX_REPLICAS, NOT_YET};

/// Seconds between polls when the spec does not say.
const DEFAULT_POLLING_INTERVAL: i32 = 30;
/// Seconds of cooldown when the spec does not say.
const DEFAULT_COOLDOWN: i32 = 300;

/// Namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// Makes a key.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The scale target as the spec names it, with defaults.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetRef {
    /// Group and version; `apps/v1` when the spec does not say.
    pub api_version: String,
    /// Kind; `Deployment` when the spec does not say.
    pub kind: String,
    /// Name.
    pub name: String,
}

impl TargetRef {
    /// Reads the reference of an object.
    pub fn of(object: &ScaledObject) -> Self {
        let target = &object.spec.scale_target_ref;
        let or = |text: &Option<String>, default: &str| {
            text.clone()
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| default.to_owned())
        };
        Self {
            api_version: or(&target.api_version, "apps/v1"),
            kind: or(&target.kind, "Deployment"),
            name: target.name.clone(),
        }
    }

    /// Group and version apart; the core group is empty.
    pub fn group_version(&self) -> (&str, &str) {
        self.api_version
            .split_once('/')
            .unwrap_or(("", &self.api_version))
    }

    /// The plural of the two kinds that need no discovery.
    ///
    /// Upstream: the fixed table of `ParseGVKR`.
    pub fn known_resource(&self) -> Option<&'static str> {
        match (self.api_version.as_str(), self.kind.as_str()) {
            ("apps/v1", "Deployment") => Some("deployments"),
            ("apps/v1", "StatefulSet") => Some("statefulsets"),
            _ => None,
        }
    }

    /// What the API machinery says of a kind that no server knows.
    pub fn no_match(&self) -> String {
        format!(
            "no matches for kind \"{}\" in version \"{}\"",
            self.kind, self.api_version
        )
    }
}

impl std::fmt::Display for TargetRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.api_version, self.kind)
    }
}

/// A ScaledObject that can be worked on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// The object.
    pub key: ObjectKey,
    /// Its uid, for the owner reference.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// What its annotations forbid.
    pub pause: Pause,
    /// Whether an annotation forces activation.
    pub forced: bool,
    /// Fewest replicas while active; 0 allows scale to zero.
    pub min: i32,
    /// Most replicas.
    pub max: i32,
    /// Replicas while not active, if set.
    pub idle: Option<i32>,
    /// Time between polls.
    pub polling_interval: SignedDuration,
    /// Time after the last activity before deactivation.
    pub cooldown: SignedDuration,
    /// Time after creation before the first deactivation.
    pub initial_cooldown: SignedDuration,
    /// The workload.
    pub target: TargetRef,
    /// The name of the HPA.
    pub hpa_name: String,
    /// Behavior of the HPA as the user wrote it; pauses are merged in by `hpa_spec::build`.
    pub behavior: Option<HorizontalPodAutoscalerBehavior>,
    /// Labels of the object.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object.
    pub annotations: BTreeMap<String, String>,
    /// Whether deletion puts back the original replicas.
    pub restore_original: bool,
    /// Distinct scaler types in order, joined by commas.
    pub triggers_types: String,
    /// Distinct names of authentication objects in order, joined by commas.
    pub authentications_types: String,
    /// Distinct references to authentication objects in order.
    pub authentications: Vec<AuthenticationRef>,
    /// How many triggers the spec has.
    pub trigger_count: usize,
    /// Findings that do not stop the object, among them parts that this version does not carry out.
    pub warnings: Vec<Diagnostic>,
}

impl Desired {
    /// The warnings about parts of the spec that this version does not carry out.
    pub fn gaps(&self) -> Vec<Diagnostic> {
        self.warnings
            .iter()
            .filter(|warning| warning.code == NOT_YET)
            .cloned()
            .collect()
    }

    /// The replicas that activation leads to.
    pub fn active_floor(&self) -> i32 {
        self.min.max(1)
    }

    /// The replicas that deactivation leads to.
    pub fn dormant_floor(&self) -> i32 {
        self.idle.unwrap_or(self.min)
    }
}

/// Checks a ScaledObject; every error is reported at once.
pub fn validate(object: &ScaledObject) -> Result<Desired, Vec<Diagnostic>> {
    let mut found = validate::scaled_object(object);
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    let pause = Pause::read(&annotations).unwrap_or_else(|diagnostic| {
        found.push(diagnostic);
        Pause::Full
    });
    if found.has_errors() {
        return Err(found.into_vec());
    }
    Ok(read(object, annotations, pause, found.into_vec()))
}

fn read(
    object: &ScaledObject,
    annotations: BTreeMap<String, String>,
    pause: Pause,
    warnings: Vec<Diagnostic>,
) -> Desired {
    let (meta, spec) = (&object.metadata, &object.spec);
    let period = |value: Option<i32>, default| SignedDuration::from_secs(i64::from(value.unwrap_or(default)));
    let name = meta.name.clone().unwrap_or_default();
    let advanced = spec.advanced.as_ref();
    Desired {
        hpa_name: validate::hpa_name(&name, spec),
        key: ObjectKey {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name,
        },
        uid: meta.uid.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        created: meta.creation_timestamp.as_ref().map(|time| time.0),
        pause,
        forced: is_forced(&annotations),
        min: spec.min_replica_count.unwrap_or(0),
        max: spec.max_replica_count.unwrap_or(DEFAULT_MAX_REPLICAS),
        idle: spec.idle_replica_count,
        polling_interval: period(spec.polling_interval, DEFAULT_POLLING_INTERVAL),
        cooldown: period(spec.cooldown_period, DEFAULT_COOLDOWN),
        initial_cooldown: period(spec.initial_cooldown_period, 0),
        target: TargetRef::of(object),
        behavior: advanced
            .and_then(|advanced| advanced.horizontal_pod_autoscaler_config.as_ref())
            .and_then(|config| config.behavior.clone()),
        labels: meta.labels.clone().unwrap_or_default(),
        annotations,
        restore_original: restores_original(object),
        triggers_types: trigger_types(&spec.triggers),
        authentications_types: authentication_types(&spec.triggers),
        authentications: authentications(&spec.triggers),
        trigger_count: spec.triggers.len(),
        warnings,
    }
}

/// Whether deletion puts back the original replicas; asked of objects that need not be valid.
pub fn restores_original(object: &ScaledObject) -> bool {
    object
        .spec
        .advanced
        .as_ref()
        .and_then(|advanced| advanced.restore_to_original_replica_count)
        .unwrap_or(false)
}

/// The distinct references to authentication objects, in order.
pub fn authentications(triggers: &[Trigger]) -> Vec<AuthenticationRef> {
    let mut list: Vec<AuthenticationRef> = Vec::new();
    for reference in triggers
        .iter()
        .filter_map(|trigger| trigger.authentication_ref.as_ref())
    {
        let full = AuthenticationRef {
            name: reference.name.clone(),
            kind: Some(reference.kind()),
        };
        if !full.name.is_empty() && !list.contains(&full) {
            list.push(full);
        }
    }
    list
}

/// The distinct scaler types in order, joined by commas.
pub fn trigger_types(triggers: &[Trigger]) -> String {
    distinct(triggers.iter().map(|trigger| trigger.type_.as_str()))
}

/// The distinct names of authentication objects in order, joined by commas.
pub fn authentication_types(triggers: &[Trigger]) -> String {
    let names = triggers
        .iter()
        .filter_map(|trigger| trigger.authentication_ref.as_ref());
    distinct(
        names
            .map(|reference| reference.name.as_str())
            .filter(|name| !name.is_empty()),
    )
}

fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut list: Vec<&str> = Vec::new();
    for text in texts {
        if !list.contains(&text) {
            list.push(text);
        }
    }
    list.join(",")
}

/// The label keys of an object that its HPA does not get.
pub fn excluded_labels(annotations: &BTreeMap<String, String>) -> Vec<&str> {
    annotations
        .get(annotation::HPA_EXCLUDED_LABELS)
        .map_or_else(Vec::new, |list| list.split(',').map(str::trim).collect())
}
