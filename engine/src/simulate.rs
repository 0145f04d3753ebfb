//! The whole autoscaler in virtual time: what a ScaledObject would do with a workload, second by second. Pure.
//!
//! ```text
//! Rows ─▶ Series ─▶ open loop: the cells ──────────┬─▶ poll: activate::decide ──▶ 0 ↔ 1 ─┐
//!            └────▶ closed loop: arrivals ─▶ Load ─┴─▶ sync: hpa::Controller ───▶ 1 ↔ N ─┤
//!                                             ▲                                          ▼
//!                                             └──────────── ready ◀── Pods ◀── spec.replicas
//! ```
//!
//! The rules are those of the other modules, which the controller runs too; here are only the clock, the pods and the event
//! source. At one moment things happen in this order: rows of the series, pods that become ready or end, the poll, the
//! sync of the HPA. The same input gives the same output, and memory does not grow with the length.

mod answers;
mod load;
mod pods;
mod prepare;
#[cfg(test)]
mod properties;
mod run;
mod series;
mod sketch;
mod step;
mod summary;
mod sync;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::activate::Observed;
use crate::desired::Desired;
use crate::diagnostic::Diagnostic;
use crate::hpa;
use crate::metric::TriggerMetrics;

pub use series::{Cell, Listed, Rows, rows};
pub use step::{By, Step, StepReport};
pub use summary::{Spread, Summary};

use prepare::Column;

/// Milliseconds since the start of the simulation.
pub type Millis = i64;

/// The longest simulation: ten years. What comes later is not reached.
pub const MAX_LENGTH: Millis = 10 * 366 * 86_400_000;

/// The shortest time between two syncs of the HPA.
pub const LEAST_SYNC_PERIOD: Millis = 100;

/// One trigger of the object, as the scalers crate read it.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedTrigger {
    /// Its metrics.
    pub metrics: TriggerMetrics,
    /// The value above which it is active; cpu and memory have none.
    pub activation: f64,
}

/// What the manifest does not say. The default is a cluster as it comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The moment at which the simulation starts and the object is created.
    pub start: Timestamp,
    /// How long it takes; without it, until the last row.
    pub length: Option<Millis>,
    /// The replicas of the target at the start.
    pub replicas: i32,
    /// Time between two syncs of the HPA. Upstream: `--horizontal-pod-autoscaler-sync-period`.
    pub sync_period: Millis,
    /// How far from its target a metric may be before anything happens. Upstream: `--horizontal-pod-autoscaler-tolerance`.
    pub tolerance: f64,
    /// Upstream: `--horizontal-pod-autoscaler-downscale-stabilization`.
    pub downscale_stabilization: Millis,
    /// Upstream: `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub cpu_initialization_period: Millis,
    /// Upstream: `--horizontal-pod-autoscaler-initial-readiness-delay`.
    pub initial_readiness_delay: Millis,
    /// From the creation of a pod until it is ready.
    pub pod_startup: Millis,
    /// From the deletion of a ready pod until it is gone. It takes no more work, and is paid for.
    pub pod_drain: Millis,
    /// When the first poll happens; KEDA polls as soon as the object is there.
    pub poll_phase: Millis,
    /// How much later than one sync period the HPA is looked at for the first time.
    pub sync_phase: Millis,
    /// The longest time between two changes of the replicas that make a flap, see [`Summary::flaps`].
    pub flap_window: Millis,
    /// What a replica costs an hour.
    pub replica_hour_price: Option<f64>,
    /// Where the values of the metrics come from.
    pub source: Source,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            start: Timestamp::UNIX_EPOCH,
            length: None,
            replicas: 1,
            sync_period: 15_000,
            tolerance: 0.1,
            downscale_stabilization: 300_000,
            cpu_initialization_period: 300_000,
            initial_readiness_delay: 30_000,
            pod_startup: 0,
            pod_drain: 0,
            poll_phase: 0,
            sync_phase: 0,
            flap_window: 600_000,
            replica_hour_price: None,
            source: Source::Open,
        }
    }
}

/// Where the values of the metrics come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Source {
    /// Open loop: each metric has the recorded column of its position, whatever the replicas do.
    #[default]
    Open,
    /// Closed loop: messages arrive as recorded, and the replicas work them off.
    Closed(Closed),
}

/// A queue that the ready replicas work off: a fluid, first in, first out, reckoned in whole millionths of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// The column with the messages that arrive a second. While its cell is empty the source cannot be asked, and messages
    /// go on arriving as before.
    pub arrivals: usize,
    /// Messages a second that one ready replica can do; three decimals count.
    pub service_rate: f64,
    /// Messages that wait at the start.
    pub backlog: f64,
    /// What each metric shows, in the order of [`Simulation::columns`].
    pub inputs: Vec<Input>,
}

/// What a metric shows in a closed loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A recorded column.
    Column(usize),
    /// The whole messages that wait.
    Backlog,
    /// The messages that wait or are being worked on, one by a busy replica: what a queue with acknowledgements shows.
    InSystem,
    /// The messages that arrive a second.
    Arrivals,
    /// Percent of the ready replicas' capacity that was in use since the last sync, as cpu utilisation.
    Busy,
}

/// A ScaledObject and a workload, ready to run.
#[derive(Debug)]
pub struct Simulation {
    settings: Settings,
    want: Desired,
    warnings: Vec<Diagnostic>,
    fallback: Option<crds::Fallback>,
    columns: Vec<Column>,
    names: Vec<String>,
    seen: Observed,
    /// The replicas once the object was reconciled: a pause may set them.
    replicas: i32,
    /// Whether the object has a scale loop.
    polls: bool,
    hpa: Option<PreparedHpa>,
}

/// The HPA that the reconcile wrote.
#[derive(Debug)]
struct PreparedHpa {
    spec: hpa::Spec,
    /// The column of each metric, in the order of the spec.
    order: Vec<usize>,
    /// Whether it looks at pods one by one.
    needs_pods: bool,
    /// The containers of a pod, for which metrics are asked.
    containers: Vec<String>,
}

impl Simulation {
    /// Remarks about parts of the object that stop nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The names of the metrics, one a column, in the order of the triggers: `s0-redis-jobs`, `cpu`, `memory/app`.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// Fewest replicas while active.
    pub fn min(&self) -> i32 {
        self.want.min
    }

    /// Most replicas.
    pub fn max(&self) -> i32 {
        self.want.max
    }
}
