//! The web server that burns CPU.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;

#[derive(Deserialize)]
struct Burn {
    /// CPU time to spend, in milliseconds.
    #[serde(default)]
    ms: u64,
}

#[derive(Deserialize)]
struct Hold {
    /// Memory to keep, in MiB; a later request replaces it.
    #[serde(default)]
    mib: usize,
}

/// No request burns or holds more than this, whatever it asks for.
const MOST_MILLISECONDS: u64 = 5_000;
const MOST_MIB: usize = 256;

type Held = std::sync::Arc<Mutex<Vec<u8>>>;

/// Serves until `stop` resolves.
pub(crate) async fn run(
    listen: SocketAddr,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let router = Router::new()
        .route("/", get(|| async { "ok\n" }))
        .route("/burn", get(burn))
        .route("/hold", get(hold))
        .with_state(Held::default());
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
        .context("the server stopped")
}

async fn burn(Query(wanted): Query<Burn>) -> String {
    let time = Duration::from_millis(wanted.ms.min(MOST_MILLISECONDS));
    let rounds = tokio::task::spawn_blocking(move || spin(time)).await.unwrap_or(0);
    format!("{rounds}\n")
}

fn spin(time: Duration) -> u64 {
    let started = Instant::now();
    let mut value = 1_u64;
    while started.elapsed() < time {
        for _ in 0..10_000 {
            value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
    value
}

async fn hold(State(held): State<Held>, Query(wanted): Query<Hold>) -> String {
    let size = wanted.mib.min(MOST_MIB) << 20;
    // Written, not only reserved: untouched pages do not count as memory in use.
    let filled = vec![1_u8; size];
    *held.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = filled;
    format!("{size}\n")
}
