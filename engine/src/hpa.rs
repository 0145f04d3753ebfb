//! The HPA: what kube-controller-manager's autoscaler does with a workload, sync by sync. Pure.
//!
//! ```text
//! Spec (defaulted) + World (scale, pods, readings) + now
//!   -> compute_replicas_for_metrics   what each metric asks for, and the most of it
//!   -> stabilization, rates, bounds   what of that happens now
//!   -> Outcome, Status                the new size, conditions, Events
//! ```
//!
//! Functions carry the names of those in Kubernetes' `pkg/controller/podautoscaler`, version 1.36, whose results they
//! have to the last bit: integers wrap and floats become integers as Go's do on amd64. `cargo xtask oracle` compares both.
//!
//! `Mirror` goes the other way: from what a live HPA shows to whether it did the same.
//!
//! Not modelled: a target whose scale has no selector, pods that two HPAs select, and label selectors that are no selectors.

mod behavior;
mod calculation;
mod defaults;
mod error;
mod go;
mod metrics;
mod pods;
mod recompute;
mod reconcile;
mod replica_calculator;
mod spec;
mod status;
mod world;

pub use behavior::Limit;
pub use calculation::{Calculation, Rule};
pub(crate) use defaults::set_defaults_behavior;
pub use error::{Cause, MetricError, MetricsError};
pub use metrics::{Computed, Proposal, compute_replicas_for_metrics};
pub use recompute::{Mirror, Recomputed, Sighting, Unseen, Verdict, mark};
pub use reconcile::{Controller, Event, Outcome, Rescale, SyncError};
pub use spec::{
    Behavior, Metric, Policy, PolicyType, ScalingRules, SelectPolicy, Source, Spec, SpecError, Target,
};
pub use status::{Condition, ConditionType, Current, Message, MetricStatus, Status};
pub use world::{
    Container, Options, Phase, Pod, PodMetric, Reading, Ready, ReadyStatus, Request, Scale, World,
};

#[cfg(test)]
mod tests;
