//! Before the clock runs: the object is checked and reconciled, and whatever cannot be simulated is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use crds::{FallbackBehavior, GroupVersionKindResource, ScaledObject};
use jiff::SignedDuration;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::run::whole_seconds;
use super::{
    Closed, LEAST_SYNC_PERIOD, MAX_LENGTH, Millis, PreparedHpa, Settings, SimulatedTrigger, Simulation,
    Source,
};
use crate::action::{Action, ScaleTarget};
use crate::activate::{self, Observed, Reading, TriggerReading};
use crate::desired::{self, Desired};
use crate::diagnostic::{Diagnostic, Diagnostics, FieldPath};
use crate::fallback;
use crate::hpa;
use crate::metric::{MetricName, MetricTarget, TriggerMetrics};
use crate::reconcile::{self, Outcome, Seen, Target, Triggers};
use crate::validate::NOT_YET;

/// Most pods where each of them is looked at.
const MOST_PODS: i32 = 10_000;

/// Who measures a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The trigger's source.
    External,
    /// The kubelet, all containers of a pod together.
    Resource,
    /// The kubelet, one container of a pod.
    ContainerResource,
}

/// One metric of one trigger.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) trigger: usize,
    pub(super) kind: Kind,
    pub(super) target: MetricTarget,
    /// The value above which the trigger is active.
    pub(super) activation: f64,
    /// Whether the HPA gets what the last poll read.
    pub(super) cached: bool,
    /// What the metrics adapter answers when the source fails.
    pub(super) failure: String,
    container: Option<String>,
    metric: MetricName,
}

impl Settings {
    /// The flags of kube-controller-manager.
    pub(super) fn hpa_options(&self) -> hpa::Options {
        let time = |millis: Millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        hpa::Options {
            sync_period: time(self.sync_period),
            tolerance: self.tolerance,
            downscale_stabilization: time(self.downscale_stabilization),
            cpu_initialization_period: time(self.cpu_initialization_period),
            initial_readiness_delay: time(self.initial_readiness_delay),
            scale_to_zero: false,
        }
    }
}

impl Simulation {
    /// Checks and reconciles an object that was just created, with its triggers in order. The error holds every mistake at once;
    /// a part that this version cannot simulate, such as `scalingModifiers`, is one.
    pub fn new(
        object: &ScaledObject,
        triggers: &[SimulatedTrigger],
        settings: Settings,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut object = object.clone();
        object.status = None;
        object.metadata.deletion_timestamp = None;
        object.metadata.creation_timestamp = Some(Time(whole_seconds(settings.start)));
        let (want, columns, found) = checked(&object, triggers, &settings)?;
        let gvkr = gvkr(&want);
        let plan = plan(&object, triggers, &gvkr, settings.replicas);
        if let Outcome::Failed(message) = &plan.outcome {
            let path = FieldPath::root().field("spec").field("triggers");
            return Err(vec![Diagnostic::error(
                "simulate-reconcile",
                path,
                message.clone(),
            )]);
        }
        let mut simulation = Self {
            names: names(&columns),
            seen: observed(&want, gvkr, &columns),
            warnings: warnings(&object, &want, found),
            fallback: object.spec.fallback.filter(fallback::is_usable),
            replicas: settings.replicas,
            polls: false,
            hpa: None,
            settings,
            want,
            columns,
        };
        for action in &plan.actions {
            match action {
                Action::SetScale { to, .. } => simulation.replicas = *to,
                Action::StartLoop { .. } => simulation.polls = true,
                Action::ApplyHpa(hpa) => simulation.hpa = Some(prepare_hpa(hpa, &simulation.columns)?),
                _ => {}
            }
        }
        Ok(simulation)
    }
}

/// The object in its checked form, its metrics, and what is worth knowing about both.
fn checked(
    object: &ScaledObject,
    triggers: &[SimulatedTrigger],
    settings: &Settings,
) -> Result<(Desired, Vec<Column>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut found = check(settings);
    let wanted = object.spec.triggers.len();
    if triggers.len() != wanted {
        let message = format!("{} triggers were read, the object has {wanted}", triggers.len());
        let path = FieldPath::root().field("spec").field("triggers");
        found.push(Diagnostic::error("simulate-triggers", path, message));
    }
    let columns = columns(object, triggers);
    match desired::validate(object) {
        Ok(want) => {
            check_columns(&columns, &want, settings, &mut found);
            if found.has_errors() {
                return Err(found.into_vec());
            }
            Ok((want, columns, found.into_vec()))
        }
        Err(mistakes) => {
            found.extend(mistakes);
            Err(found.into_vec())
        }
    }
}

/// What the reconcile does to a world in which nothing was done yet.
fn plan(
    object: &ScaledObject,
    triggers: &[SimulatedTrigger],
    gvkr: &GroupVersionKindResource,
    replicas: i32,
) -> reconcile::Plan {
    let metrics = triggers.iter().map(|trigger| trigger.metrics.clone()).collect();
    let seen = Seen {
        target: Target::Found {
            gvkr: gvkr.clone(),
            replicas,
        },
        triggers: Some(Triggers {
            metrics: Ok(metrics),
            built: Vec::new(),
            warnings: Vec::new(),
        }),
        ..Seen::default()
    };
    reconcile::plan(object, &seen)
}

fn gvkr(want: &Desired) -> GroupVersionKindResource {
    let (group, version) = want.target.group_version();
    GroupVersionKindResource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: want.target.kind.clone(),
        resource: want.target.known_resource().unwrap_or_default().to_owned(),
    }
}

/// Every metric of every trigger.
fn columns(object: &ScaledObject, triggers: &[SimulatedTrigger]) -> Vec<Column> {
    let mut columns = Vec::new();
    for (index, (trigger, spec)) in triggers.iter().zip(&object.spec.triggers).enumerate() {
        let column = |kind, target, metric: MetricName, container| Column {
            trigger: index,
            kind,
            target,
            activation: trigger.activation,
            cached: spec.use_cached_metrics == Some(true),
            failure: format!("error when getting metric values metric:{metric} encountered error"),
            container,
            metric,
        };
        match &trigger.metrics {
            TriggerMetrics::External(list) => columns.extend(
                list.iter()
                    .map(|metric| column(Kind::External, metric.target, metric.name.clone(), None)),
            ),
            TriggerMetrics::Resource(metric) => {
                let container = metric.container.clone().filter(|name| !name.is_empty());
                let kind = if container.is_some() {
                    Kind::ContainerResource
                } else {
                    Kind::Resource
                };
                let name = MetricName::new(metric.resource.as_str());
                columns.push(column(kind, metric.target, name, container));
            }
        }
    }
    columns
}

/// Names for people, each once.
fn names(columns: &[Column]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for column in columns {
        let name = match &column.container {
            Some(container) => format!("{}/{container}", column.metric),
            None => column.metric.to_string(),
        };
        let taken = names.contains(&name);
        names.push(if taken {
            format!("{name}#{}", column.trigger)
        } else {
            name
        });
    }
    names
}

fn observed(want: &Desired, gvkr: GroupVersionKindResource, columns: &[Column]) -> Observed {
    let readings = columns.iter().map(|column| TriggerReading {
        trigger: column.trigger,
        metric: column.metric.clone(),
        value: None,
        reading: match column.kind {
            Kind::External => Reading::Inactive,
            Kind::Resource | Kind::ContainerResource => Reading::Resource,
        },
    });
    Observed {
        target: ScaleTarget {
            gvkr,
            namespace: want.key.namespace.clone(),
            name: want.target.name.clone(),
        },
        replicas: Ok(0),
        readings: readings.collect(),
        last_active: None,
        conditions: Vec::new(),
        hpa: None,
        source: activate::Source::Poll,
    }
}

fn prepare_hpa(hpa: &HorizontalPodAutoscaler, columns: &[Column]) -> Result<PreparedHpa, Vec<Diagnostic>> {
    let namespace = hpa.metadata.namespace.clone().unwrap_or_default();
    let spec = hpa::Spec::new(&namespace, &hpa.spec).map_err(|error| {
        let path = FieldPath::root().field("spec").field("advanced");
        vec![Diagnostic::error("simulate-hpa", path, error.to_string())]
    })?;
    // As `hpa_spec::build` orders them.
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|column| match columns[*column].kind {
        Kind::ContainerResource => 0,
        Kind::External => 1,
        Kind::Resource => 2,
    });
    let containers: BTreeSet<String> = columns
        .iter()
        .filter_map(|column| column.container.clone())
        .collect();
    let mut containers: Vec<String> = containers.into_iter().collect();
    if containers.is_empty() {
        containers.push("app".to_owned());
    }
    Ok(PreparedHpa {
        spec,
        order,
        needs_pods: needs_pods(columns),
        containers,
    })
}

/// Whether the HPA looks at each pod: for what the kubelet measures, and to count ready pods for a target of type `Value`.
fn needs_pods(columns: &[Column]) -> bool {
    columns
        .iter()
        .any(|column| column.kind != Kind::External || matches!(column.target, MetricTarget::Value(_)))
}

fn mistake(found: &mut Diagnostics, field: &str, message: String) {
    let path = FieldPath::root().field("simulate").field(field);
    found.push(Diagnostic::error("simulate-settings", path, message));
}

/// Finds senseless settings.
fn check(settings: &Settings) -> Diagnostics {
    let mut found = Diagnostics::new();
    let times = [
        ("length", settings.length.unwrap_or(0), 0),
        ("syncPeriod", settings.sync_period, LEAST_SYNC_PERIOD),
        ("downscaleStabilization", settings.downscale_stabilization, 0),
        ("cpuInitializationPeriod", settings.cpu_initialization_period, 0),
        ("initialReadinessDelay", settings.initial_readiness_delay, 0),
        ("podStartup", settings.pod_startup, 0),
        ("podDrain", settings.pod_drain, 0),
        ("pollPhase", settings.poll_phase, 0),
        ("syncPhase", settings.sync_phase, 0),
        ("flapWindow", settings.flap_window, 0),
    ];
    for (field, value, least) in times {
        if !(least..=MAX_LENGTH).contains(&value) {
            let message = format!("{value} ms must be from {least} ms to {MAX_LENGTH} ms, ten years");
            mistake(&mut found, field, message);
        }
    }
    if settings.replicas < 0 {
        let message = format!("{} replicas must be 0 or more", settings.replicas);
        mistake(&mut found, "replicas", message);
    }
    let not_negative = |value: f64| value.is_finite() && value >= 0.0;
    if !not_negative(settings.tolerance) {
        let message = format!("{} must be a number, 0 or more", settings.tolerance);
        mistake(&mut found, "tolerance", message);
    }
    if let Some(price) = settings.replica_hour_price.filter(|price| !not_negative(*price)) {
        let message = format!("{price} must be a number, 0 or more");
        mistake(&mut found, "replicaHourPrice", message);
    }
    if settings
        .start
        .checked_add(SignedDuration::from_millis(2 * MAX_LENGTH))
        .is_err()
    {
        let message = format!("{} leaves no room for a simulation", settings.start);
        mistake(&mut found, "start", message);
    }
    if let Source::Closed(closed) = &settings.source {
        check_closed(closed, &mut found);
    }
    found
}

fn check_closed(closed: &Closed, found: &mut Diagnostics) {
    let rate = closed.service_rate;
    if !(rate.is_finite() && (0.001..=1e12).contains(&rate)) {
        let message = format!("{rate} messages a second must be a number from 0.001 to 1e12");
        mistake(found, "serviceRate", message);
    }
    let backlog = closed.backlog;
    if !(backlog.is_finite() && (0.0..=1e15).contains(&backlog)) {
        let message = format!("{backlog} messages must be a number from 0 to 1e15");
        mistake(found, "backlog", message);
    }
}

fn check_columns(columns: &[Column], want: &Desired, settings: &Settings, found: &mut Diagnostics) {
    if let Source::Closed(closed) = &settings.source
        && closed.inputs.len() != columns.len()
    {
        let message = format!(
            "{} inputs must be as many as the metrics, {}",
            closed.inputs.len(),
            columns.len()
        );
        mistake(found, "inputs", message);
    }
    if !needs_pods(columns) {
        return;
    }
    let too_many = |replicas: i32| {
        let limit = "where the HPA looks at each pod (cpu, memory, `metricType: Value`)";
        (replicas > MOST_PODS).then(|| {
            format!("{replicas} replicas are more than {MOST_PODS}, the most that can be simulated {limit}")
        })
    };
    if let Some(message) = too_many(settings.replicas) {
        mistake(found, "replicas", message);
    }
    if let Some(message) = too_many(want.max.max(want.pause.replicas().unwrap_or(0))) {
        let path = FieldPath::root().field("spec").field("maxReplicaCount");
        found.push(Diagnostic::error("simulate-pods", path, message));
    }
}

/// The object's own warnings; what is said about the fallback holds for the controller, not for the simulation.
fn warnings(object: &ScaledObject, want: &Desired, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let path = FieldPath::root().field("spec").field("fallback");
    let mut list: Vec<Diagnostic> = want
        .warnings
        .iter()
        .filter(|warning| warning.path != path)
        .cloned()
        .chain(found)
        .collect();
    if let Some(fallback) = &object.spec.fallback {
        let message = if fallback.behavior == Some(FallbackBehavior::ScalingModifiers) {
            "the fallback behavior `scalingModifiers` stands for nothing without a formula: failures are passed on"
        } else {
            "`spec.fallback` is simulated as KEDA carries it out; the controller of this version does not yet, and leaves the replicas as they are"
        };
        list.push(Diagnostic::warning(NOT_YET, path, message));
    }
    list
}
