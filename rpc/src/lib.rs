//! The protocols between the parts: metrics feed, debug API, external scalers.
//!
//! ```text
//!  HPA ─▶ metrics-adapter ── api.MetricsService, mutual TLS :9666 ──▶ controller ── externalscaler.ExternalScaler ──▶ user's scaler
//!             ▲ :6444                                                      ▲ :9667
//!             └──────────── kubectl_keda.debug.v1, TLS + token ────────────┴── cli
//! ```
//!
//! This crate knows sockets, TLS and messages. It never talks to Kubernetes and holds no rule of scaling.

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
