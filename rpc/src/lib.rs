//! The protocols between the parts: metrics feed, debug API, external scalers.
//!
//! ```text
//!  HPA ─▶ metrics-adapter ── api.MetricsService, mutual TLS :9666 ──▶ controller ── externalscaler.ExternalScaler ──▶ user's scaler
//!             ▲ :6444                                                      ▲ :9667
//!             └──────────── kubectl_keda.debug.v1, TLS + token ────────────┴── cli
//! ```
//!
//! This crate knows sockets, TLS and messages. It never talks to Kubernetes and holds no rule of scaling.

mod client;
mod retry;
mod server;
pub mod tls;
mod token;

pub use client::{Link, LinkState, connect, connect_with};
pub use retry::{Retry, is_transient};
pub use server::serve;
pub use token::{AUDIENCE, Token};

/// A point in time as messages of the debug API carry it.
pub use prost_types::Timestamp as Time;

/// Port of the metrics feed.
pub const METRICS_PORT: u16 = 9666;
/// Port of the controller's debug API.
pub const DEBUG_PORT: u16 = 9667;
/// Port of the adapter's debug API.
pub const ADAPTER_DEBUG_PORT: u16 = 6444;

/// KEDA's external scaler protocol, package `externalscaler`.
#[expect(clippy::pedantic, reason = "generated code")]
pub mod externalscaler {
    tonic::include_proto!("externalscaler");
}

/// KEDA's metrics feed and raw metrics stream, package `api`.
#[expect(clippy::pedantic, reason = "generated code")]
pub mod metrics {
    tonic::include_proto!("api");
}

/// Our own debug protocol, package `kubectl_keda.debug.v1`.
#[expect(clippy::pedantic, reason = "generated code")]
pub mod debug {
    tonic::include_proto!("kubectl_keda.debug.v1");
}
