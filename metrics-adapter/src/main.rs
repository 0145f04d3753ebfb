//! The metrics adapter: an aggregated API server for `external.metrics.k8s.io`.
//!
//! ```text
//!  HPA controller ─▶ kube-apiserver ─▶ :6443 gate (auth) ─▶ api ─▶ feed ── mutual TLS ──▶ controller :9666
//!                                      :6444 debug_api ◀── cli
//!                                      :8080 /metrics
//! ```
//!
//! It holds no scaler and no rule: every value comes from the controller, as it is asked for.

mod api;
mod args;
mod auth;
mod debug_api;
mod feed;
mod kubernetes;
mod logging;
mod prometheus;
mod record;
mod run;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;

/// KEDA version whose behaviour is matched.
const KEDA_VERSION: &str = "2.20.2";

fn main() -> ExitCode {
    let args = args::Args::parse();
    logging::start(args.zap_log_level, args.zap_encoder);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run::run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %error_chain(error.as_ref()), "stopping");
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes on one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
