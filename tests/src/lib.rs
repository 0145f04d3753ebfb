//! What the integration tests stand on: a real control plane, KEDA's processes on the host, sources to scale on,
//! and tiers that say what ran and what could not.
//!
//! ```text
//! tests/it ── Tier ── Case ──▶ Namespace ──▶ Bed (etcd, kube-apiserver, HPA controller, simulated nodes)
//!                               │   ▲
//!                       Source ◀┘   └── Keda (controller, adapter as host processes behind Services)
//! ```
//!
//! Nothing here knows a rule of KEDA: it starts, asks, waits for a state and cleans up.

pub mod bed;
pub mod cluster;
pub mod keda;
pub mod namespace;
pub mod process;
pub mod source;
pub mod tier;
pub mod wait;

use std::path::PathBuf;
use std::sync::LazyLock;

use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("the operating system gives threads and an event queue"));

/// The one runtime of the test process: clients and watches are shared between cases, and outlive each.
pub fn runtime() -> &'static Runtime {
    &RUNTIME
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the crate lies in the workspace")
}

/// Cargo's target folder, by its variable or its default place.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Whether the run must not skip anything: set on build servers.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true" || v == "1")
}

/// A loopback TCP port that is free now.
///
/// # Panics
/// When the machine has no free port left.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}
