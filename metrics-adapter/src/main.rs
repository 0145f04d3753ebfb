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
#[cfg(test)]
mod testing;

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

/// An error with its causes on one line. Of the API server's errors the sentence is taken, which is what tells people something;
/// causes that are in the text already (some libraries print them) are left out.
fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let (part, last) = match error.downcast_ref() {
            Some(kube::Error::Api(status)) => (status.message.clone(), true),
            _ if error.is::<kube::runtime::watcher::Error>() && next.is_some() => continue,
            _ => (error.to_string(), false),
        };
        if text.is_empty() {
            text = part;
        } else if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        if last {
            break;
        }
    }
    text
}
