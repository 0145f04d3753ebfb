//! One sync of the HPA: from what it sees to what it does.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::behavior::{Limit, Memory, Normalization};
use super::error::{MetricError, MetricsError};
use super::metrics::{Computed, Proposal, compute_replicas_for_metrics};
use super::pods::nanos;
use super::spec::{Metric, Spec};
use super::status::{ConditionType, Message, MetricStatus, Status};
use super::world::{Options, Scale, World};

/// One HPA's controller: its flags, and what it remembers from sync to sync.
#[derive(Clone, Debug)]
pub struct Controller {
    options: Options,
    memory: Memory,
    proposals: Vec<Result<Proposal, MetricError>>,
}

/// What came of a sync.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The replicas there were; 0 if the scale could not be read.
    pub before: i32,
    /// What the scale was set to. Nothing if it was left alone.
    pub replicas: Option<i32>,
    /// The wanted replicas in the status after the sync.
    pub desired: i32,
    /// Why the scale was set.
    pub reason: Rescale,
    /// The metric that asked for most.
    pub metric: Option<usize>,
    /// Whether a stabilization window changed what the metrics ask for.
    pub stabilized: bool,
    /// What bounds and rates did to it. Nothing if the metrics were not looked at, or could not be.
    pub limit: Option<Limit>,
    /// The Events, in order.
    pub events: Vec<Event>,
    /// What failed; some of the metrics, it may be, although others led to a change.
    pub error: Option<SyncError>,
}

/// Why the scale was set. `Display` is the text in the Event.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Rescale {
    /// No reason is named: a window or a rate let an earlier wish come true.
    #[default]
    Unnamed,
    /// There were more replicas than the maximum.
    AboveMaxReplicas,
    /// There were fewer replicas than the minimum.
    BelowMinReplicas,
    /// This metric asks for more.
    AboveTarget(Arc<Metric>),
    /// All metrics ask for less.
    AllBelowTarget,
}

impl fmt::Display for Rescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => Ok(()),
            Self::AboveMaxReplicas => f.write_str("Current number of replicas above Spec.MaxReplicas"),
            Self::BelowMinReplicas => f.write_str("Current number of replicas below Spec.MinReplicas"),
            Self::AboveTarget(metric) => write!(f, "{} above target", metric.description),
            Self::AllBelowTarget => f.write_str("All metrics below target"),
        }
    }
}

/// An Event of the HPA. `Display` is its message.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The scale cannot be read; with the error's text.
    FailedGetScale(Arc<str>),
    /// A metric failed.
    FailedGetMetric(MetricError),
    /// Because of failed metrics nothing is done.
    FailedComputeMetricsReplicas(MetricsError),
    /// The scale cannot be written.
    FailedRescale {
        /// What it should have been set to.
        replicas: i32,
        /// Why.
        reason: Rescale,
        /// The error's text.
        error: Arc<str>,
    },
    /// The scale was set.
    SuccessfulRescale {
        /// To what.
        replicas: i32,
        /// Why.
        reason: Rescale,
    },
}

impl Event {
    /// Whether its type is `Warning`, and not `Normal`.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::SuccessfulRescale { .. })
    }

    /// Its reason, one word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::FailedGetScale(_) => "FailedGetScale",
            Self::FailedGetMetric(error) => error.reason(),
            Self::FailedComputeMetricsReplicas(_) => "FailedComputeMetricsReplicas",
            Self::FailedRescale { .. } => "FailedRescale",
            Self::SuccessfulRescale { .. } => "SuccessfulRescale",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailedGetScale(error) => f.write_str(error),
            Self::FailedGetMetric(error) => error.fmt(f),
            Self::FailedComputeMetricsReplicas(error) => error.fmt(f),
            Self::FailedRescale {
                replicas,
                reason,
                error,
            } => write!(f, "New size: {replicas}; reason: {reason}; error: {error}"),
            Self::SuccessfulRescale { replicas, reason } => {
                write!(f, "New size: {replicas}; reason: {reason}")
            }
        }
    }
}

/// What failed in a sync, in upstream's words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SyncError {
    /// The scale cannot be read.
    #[error("failed to query scale subresource for {target}: {error}")]
    GetScale {
        /// Kind, namespace and name.
        target: Arc<str>,
        /// The error's text.
        error: Arc<str>,
    },
    /// Metrics failed, and nothing was done.
    #[error("failed to compute desired number of replicas based on listed metrics for {target}: {error}")]
    Metrics {
        /// Kind, namespace and name.
        target: Arc<str>,
        /// Which.
        error: MetricsError,
    },
    /// Metrics failed, and the others were followed.
    #[error(transparent)]
    SomeMetrics(MetricsError),
    /// The scale cannot be written.
    #[error("failed to rescale {target}: {error}")]
    Rescale {
        /// Kind, namespace and name.
        target: Arc<str>,
        /// The error's text.
        error: Arc<str>,
    },
}

impl Controller {
    /// A controller that has seen nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            memory: Memory::default(),
            proposals: Vec::new(),
        }
    }

    /// What each metric asked for in the last sync; empty if it did not look at them.
    pub fn proposals(&self) -> &[Result<Proposal, MetricError>] {
        &self.proposals
    }

    /// Runs one sync. The caller sets the scale to what comes out.
    ///
    /// Upstream: `reconcileAutoscaler`.
    pub fn reconcile(
        &mut self,
        now: Timestamp,
        spec: &Spec,
        status: &mut Status,
        world: &World<'_>,
    ) -> Outcome {
        self.proposals.clear();
        let mut outcome = Outcome {
            before: 0,
            replicas: None,
            desired: status.desired_replicas,
            reason: Rescale::Unnamed,
            metric: None,
            stabilized: false,
            limit: None,
            events: Vec::new(),
            error: None,
        };
        match world.scale {
            Ok(scale) => {
                status.set_condition(now, Message::SucceededGetScale);
                self.memory
                    .record_initial_recommendation(nanos(now), scale.replicas);
                outcome.before = scale.replicas;
                let sync = Sync {
                    now,
                    options: self.options,
                    spec,
                    world,
                    scale,
                };
                if let Some(desired) = sync.desire(self, status, &mut outcome) {
                    sync.rescale(&mut self.memory, status, &mut outcome, desired);
                }
            }
            Err(error) => {
                let error: Arc<str> = error.into();
                outcome.events.push(Event::FailedGetScale(Arc::clone(&error)));
                status.set_condition(now, Message::FailedGetScale(Arc::clone(&error)));
                let target = Arc::clone(&spec.reference);
                outcome.error = Some(SyncError::GetScale { target, error });
            }
        }
        outcome.desired = status.desired_replicas;
        outcome
    }
}

/// A sync whose scale was read.
struct Sync<'s> {
    now: Timestamp,
    options: Options,
    spec: &'s Spec,
    world: &'s World<'s>,
    scale: Scale,
}

impl Sync<'_> {
    /// The replicas that the workload should have; none if the sync ends here, its status written.
    fn desire(&self, controller: &mut Controller, status: &mut Status, outcome: &mut Outcome) -> Option<i32> {
        let current = self.scale.replicas;
        let (min, max) = (self.spec.min_replicas, self.spec.max_replicas);
        let scale_to_zero = self.options.scale_to_zero;
        let was_left_at_zero = scale_to_zero && status.is_scaled_to_zero();
        if current == 0 {
            if !should_compute_metrics_for_zero_replicas(
                min,
                was_left_at_zero,
                was_left_at_zero && self.spec.has_object_or_external_metrics(),
            ) {
                status.set_condition(self.now, Message::ScalingDisabled);
                if !scale_to_zero {
                    status.remove_condition(ConditionType::ScaledToZero);
                }
                return Some(current);
            }
        } else if current > max {
            outcome.reason = Rescale::AboveMaxReplicas;
            return Some(max);
        } else if current < min {
            outcome.reason = Rescale::BelowMinReplicas;
            return Some(min);
        }
        let mut desired = self.compute(controller, status, outcome)?;
        // A minimum that was raised while the workload was at zero.
        if current == 0 && min != 0 && was_left_at_zero && desired < min {
            desired = min;
            if outcome.reason == Rescale::Unnamed {
                outcome.reason = Rescale::BelowMinReplicas;
            }
        }
        Some(desired)
    }

    /// What the metrics ask for, as far as it may come true now.
    fn compute(
        &self,
        controller: &mut Controller,
        status: &mut Status,
        outcome: &mut Outcome,
    ) -> Option<i32> {
        let Controller {
            options,
            memory,
            proposals,
        } = controller;
        let current = self.scale.replicas;
        let Computed { replicas, error } =
            compute_replicas_for_metrics(self.now, options, self.spec, self.scale, self.world, proposals);
        for proposal in proposals.iter() {
            if let Err(error) = proposal {
                outcome.events.push(Event::FailedGetMetric(error.clone()));
            }
        }
        let Some((replicas, highest)) = replicas else {
            self.stay(status, outcome, proposals, error);
            return None;
        };
        if let Some(metric) = highest.and_then(|position| self.spec.metrics.get(position)) {
            status.set_condition(self.now, Message::ValidMetricFound(Arc::clone(metric)));
            if replicas > current.max(0) {
                outcome.reason = Rescale::AboveTarget(Arc::clone(metric));
            }
        }
        outcome.metric = highest;
        outcome.error = error.map(SyncError::SomeMetrics);
        let desired = replicas.max(0);
        if desired < current {
            outcome.reason = Rescale::AllBelowTarget;
        }
        let args = Normalization {
            now: nanos(self.now),
            min: self.spec.min_replicas,
            max: self.spec.max_replicas,
            current,
            desired,
        };
        let window = options.downscale_stabilization;
        let normalized = match &self.spec.behavior {
            None => memory.normalize_desired_replicas(args, window),
            Some(behavior) => memory.normalize_desired_replicas_with_behaviors(args, behavior, window),
        };
        outcome.stabilized = normalized.stabilization != Message::ReadyForNewScale;
        outcome.limit = Some(normalized.limit);
        status.set_condition(self.now, normalized.stabilization);
        status.set_condition(self.now, Message::Limited(normalized.limit));
        set_current_metrics(status, proposals);
        Some(normalized.replicas)
    }

    /// Ends a sync whose metrics failed.
    fn stay(
        &self,
        status: &mut Status,
        outcome: &mut Outcome,
        proposals: &[Result<Proposal, MetricError>],
        error: Option<MetricsError>,
    ) {
        status.current_replicas = self.scale.replicas;
        set_current_metrics(status, proposals);
        let Some(error) = error else { return };
        status.set_condition(self.now, Message::FailedGetMetric(error.first.clone()));
        outcome
            .events
            .push(Event::FailedComputeMetricsReplicas(error.clone()));
        let target = Arc::clone(&self.spec.reference);
        outcome.error = Some(SyncError::Metrics { target, error });
    }

    /// Sets the scale if it has to change, and writes down what came of it.
    fn rescale(&self, memory: &mut Memory, status: &mut Status, outcome: &mut Outcome, desired: i32) {
        let current = self.scale.replicas;
        status.current_replicas = current;
        if outcome.limit.is_none() {
            status.current_metrics = None;
        }
        if desired == current {
            status.desired_replicas = current;
            outcome.reason = Rescale::Unnamed;
            return;
        }
        let reason = outcome.reason.clone();
        if let Err(error) = self.world.update {
            let error: Arc<str> = error.into();
            outcome.events.push(Event::FailedRescale {
                replicas: desired,
                reason,
                error: Arc::clone(&error),
            });
            status.set_condition(self.now, Message::FailedUpdateScale(Arc::clone(&error)));
            let target = Arc::clone(&self.spec.reference);
            outcome.error = Some(SyncError::Rescale { target, error });
            return;
        }
        status.set_condition(self.now, Message::SucceededRescale(desired));
        outcome.events.push(Event::SuccessfulRescale {
            replicas: desired,
            reason,
        });
        if let Some(behavior) = &self.spec.behavior {
            memory.store_scale_event(nanos(self.now), behavior, current, desired);
        }
        self.mark_scaled_to_zero(status, desired);
        status.desired_replicas = desired;
        status.last_scale_time = Some(self.now);
        outcome.replicas = Some(desired);
    }

    fn mark_scaled_to_zero(&self, status: &mut Status, desired: i32) {
        if !self.options.scale_to_zero {
            status.remove_condition(ConditionType::ScaledToZero);
            return;
        }
        let to_zero = self.scale.replicas > 0
            && desired == 0
            && self.spec.min_replicas == 0
            && self.spec.has_object_or_external_metrics();
        let message = if to_zero {
            Message::ScaledToZero
        } else {
            Message::NotScaledToZero
        };
        status.set_condition(self.now, message);
    }
}

/// Upstream: `shouldComputeMetricsForZeroReplicas`.
fn should_compute_metrics_for_zero_replicas(
    min: i32,
    scaled_to_zero: bool,
    can_scale_from_zero: bool,
) -> bool {
    (min != 0 && scaled_to_zero) || can_scale_from_zero
}

/// Keeps the list, which a steady HPA fills anew in each sync.
fn set_current_metrics(status: &mut Status, proposals: &[Result<Proposal, MetricError>]) {
    let list = status.current_metrics.get_or_insert_default();
    list.clear();
    let current = |proposal: &Result<Proposal, MetricError>| -> Option<MetricStatus> {
        proposal.as_ref().ok().map(|proposal| proposal.status.clone())
    };
    list.extend(proposals.iter().map(current));
}
