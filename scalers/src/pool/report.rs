//! What people are told of one source.

use serde::{Deserialize, Serialize};

use super::breaker::BreakerState;

/// Figures of one source, as `kubectl keda connections` prints them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionReport {
    /// The protocol that is spoken.
    #[serde(skip_deserializing)]
    pub protocol: &'static str,
    /// Host and port, or URL, without credentials.
    pub endpoint: String,
    /// Tells apart sources at one endpoint with other credentials or TLS settings; says nothing about them.
    pub credential: String,
    /// Whether the connection stands.
    pub open: bool,
    /// Seconds since it was first needed.
    pub age_seconds: u64,
    /// Seconds since it was last asked.
    pub idle_seconds: u64,
    /// The triggers that asked it, as `namespace/name[index]`.
    pub users: Vec<String>,
    /// Questions that were put to it.
    pub asked: u64,
    /// Requests that carried them; each holds one question or more.
    pub batches: u64,
    /// Questions that were saved because an equal one was in flight, or had just been put by another poll of the same moment.
    pub shared: u64,
    /// Questions that failed.
    pub failed: u64,
    /// Reads that were answered with its last failure, without asking.
    pub refused: u64,
    /// Questions a minute, shared and refused ones included.
    pub questions_per_minute: f64,
    /// Questions under way.
    pub in_flight: usize,
    /// How the last failed question failed.
    pub last_error: Option<String>,
    /// Whether it is asked.
    pub breaker: BreakerState,
    /// Seconds until it is probed, while it is not asked.
    pub next_probe_seconds: Option<f64>,
}

impl ConnectionReport {
    /// Questions that a request carried on average.
    pub fn questions_per_batch(&self) -> f64 {
        if self.batches == 0 {
            return 0.0;
        }
        self.asked as f64 / self.batches as f64
    }
}
