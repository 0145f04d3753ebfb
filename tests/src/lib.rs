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

pub mod aggregator;
pub mod bed;
pub mod cluster;
pub mod debug;
pub mod external_scaler;
pub mod https;
pub mod kafka;
pub mod keda;
pub mod mysql;
pub mod namespace;
pub mod nats;
pub mod pki;
pub mod postgresql;
pub mod process;
pub mod prometheus;
pub mod rabbitmq;
pub mod redis;
pub mod relay;
pub mod socket;
pub mod source;
pub mod terminal;
pub mod tier;
pub mod trace;
pub mod wait;
pub mod watch;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

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

/// Below the range from which the kernel takes ports of its own, so that no outgoing connection has it meanwhile.
const PORTS: std::ops::Range<u16> = 11_000..29_000;

/// A loopback TCP port that is free now, and that no other caller of this process was given.
///
/// # Panics
/// When the machine has no free port left.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    // Runs side by side begin at different places.
    let start = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(span)).unwrap_or_default();
    (0..span)
        .map(|_| PORTS.start + (start + NEXT.fetch_add(1, Ordering::Relaxed) % span) % span)
        .find(|&port| std::net::TcpListener::bind(("0.0.0.0", port)).is_ok())
        .expect("a free port")
}
