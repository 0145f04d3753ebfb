//! What the HPA controller is told: its flags, and what it sees in a sync.

use std::time::Duration;

use jiff::Timestamp;

/// Flags and feature gate of kube-controller-manager.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// `--horizontal-pod-autoscaler-sync-period`: how long after one sync the next one is.
    pub sync_period: Duration,
    /// `--horizontal-pod-autoscaler-tolerance`: how far from 1 a ratio may be before anything happens.
    pub tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`.
    pub downscale_stabilization: Duration,
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub cpu_initialization_period: Duration,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`.
    pub initial_readiness_delay: Duration,
    /// The feature gate `HPAScaleToZero`, alpha and off by default.
    pub scale_to_zero: bool,
}

impl Default for Options {
    /// Upstream: `pkg/controller/podautoscaler/config/v1alpha1/defaults.go`.
    fn default() -> Self {
        Self {
            sync_period: Duration::from_secs(15),
            tolerance: 0.1,
            downscale_stabilization: Duration::from_mins(5),
            cpu_initialization_period: Duration::from_mins(5),
            initial_readiness_delay: Duration::from_secs(30),
            scale_to_zero: false,
        }
    }
}

/// What the controller sees in one sync.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The target's scale, or why it cannot be read.
    pub scale: Result<Scale, &'a str>,
    /// What an update of the scale answers.
    pub update: Result<(), &'a str>,
    /// The target's pods. Their names differ.
    pub pods: &'a [Pod<'a>],
    /// What each metric of the spec reads, by position.
    pub metrics: &'a [Reading<'a>],
}

/// The scale subresource of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `status.replicas`.
    pub status_replicas: i32,
}

/// What the metrics client answers for one metric; values are thousandths.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    /// An error, with its text.
    Failed(&'a str),
    /// For `External`.
    Values(&'a [i64]),
    /// For `Object`.
    Value(i64),
    /// For `Resource`, `ContainerResource` and `Pods`; one entry a pod, fastest in the order of the pods.
    Pods(&'a [PodMetric<'a>]),
}

/// The value of one pod.
#[derive(Clone, Copy, Debug)]
pub struct PodMetric<'a> {
    /// The pod's name.
    pub pod: &'a str,
    /// The value, in thousandths.
    pub value: i64,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// How long it was measured.
    pub window: Duration,
}

/// What the HPA looks at in a pod.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    /// Its name.
    pub name: &'a str,
    /// `status.phase`.
    pub phase: Phase,
    /// Whether it has a deletion timestamp.
    pub deleted: bool,
    /// `status.startTime`.
    pub start_time: Option<Timestamp>,
    /// Its condition `Ready`.
    pub ready: Option<Ready>,
    /// Its containers, and after them the init containers that restart always.
    pub containers: &'a [Container<'a>],
    /// Its requests as a whole, if it sets any at pod level.
    pub pod_requests: Option<&'a [Request<'a>]>,
}

/// The phase of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not all containers started.
    Pending,
    /// Bound to a node, containers started.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// The node is silent.
    Unknown,
}

/// The condition `Ready` of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its status.
    pub status: ReadyStatus,
    /// Its last transition.
    pub since: Timestamp,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyStatus {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`, which the HPA does not take for `False`.
    Unknown,
}

/// A container of a pod.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it requests.
    pub requests: &'a [Request<'a>],
}

/// A requested resource.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `cpu`, `memory` and so on.
    pub resource: &'a str,
    /// The amount, in thousandths.
    pub milli: i64,
}
