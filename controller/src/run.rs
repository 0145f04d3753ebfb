//! The life of the process: prepare, become leader, work, stop in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apply::Writer;
use crate::args::Args;
use crate::client;
use crate::environment::Environment;
use crate::events::Events;
use crate::failure::{self, Failure};
use crate::health::{self, Readiness};
use crate::leader::Candidate;
use crate::operator;
use crate::prometheus::Metrics;

/// How long writes in flight may take once the process was told to stop; a pod gets 30 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs until SIGTERM or SIGINT, or until something ends it.
pub(crate) async fn run(args: Args, environment: Environment) -> Result<(), Failure> {
    announce(&args, &environment);
    let stop = stop_on_signal()?;
    let metrics = Metrics::new();
    let readiness = Readiness::default();
    // Probes and metrics answer until everything else has ended.
    let end = CancellationToken::new();
    let http = serve_http(&args, &metrics, &readiness, &end).await?;
    let (client, server) = client::connect(&args).await?;
    tokio::select! {
        checked = client::check(&client, &server, &environment) => checked?,
        () = stop.cancelled() => return Ok(()),
    }
    readiness.set(true);
    let writer = Writer::new(client.clone());
    let (events, event_writers) = Events::start(&writer, &environment.pod_name);
    let candidate = args
        .leader_elect
        .then(|| Candidate::new(&client, writer.clone(), &args.leader_election_id, &environment));
    metrics.leads(&args.leader_election_id, false);
    let leads = match &candidate {
        Some(candidate) => candidate.acquire(&stop).await?,
        None => true,
    };
    let result = if leads {
        metrics.leads(&args.leader_election_id, true);
        let work = CancellationToken::new();
        let parts = operator::Parts {
            client,
            writer,
            events,
            metrics: metrics.clone(),
            args: Arc::new(args),
            environment: Arc::new(environment),
        };
        lead(parts, candidate.as_ref(), &stop, &work).await
    } else {
        drop(events);
        Ok(())
    };
    tracing::info!("stopping");
    readiness.set(false);
    event_writers.finish(PATIENCE).await;
    if let Some(candidate) = candidate.filter(|_| leads && result.is_ok()) {
        candidate.release().await;
    }
    end.cancel();
    http.close();
    http.wait().await;
    result
}

/// Works as the leader until told to stop, or until leadership is lost. Whatever ends it, the work ends first.
async fn lead(
    parts: operator::Parts,
    candidate: Option<&Candidate>,
    stop: &CancellationToken,
    work: &CancellationToken,
) -> Result<(), Failure> {
    let working = operator::run(parts, work.clone());
    tokio::pin!(working);
    let keep = async {
        match candidate {
            // The Lease is renewed while the work winds down, so that no successor starts before this one has ended.
            Some(candidate) => candidate.keep(work).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(keep);
    let ended = tokio::select! {
        ended = &mut working => return ended,
        lost = &mut keep => lost,
        () = stop.cancelled() => Ok(()),
    };
    work.cancel();
    if let Ok(finished) = tokio::time::timeout(PATIENCE, working).await {
        return ended.and(finished);
    }
    tracing::warn!(
        "work in flight did not end in time and is left; the next start goes on from the cluster's state"
    );
    ended
}

/// Says what runs, and what of the command line and the environment has no effect.
fn announce(args: &Args, environment: &Environment) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = environment.namespace,
        "keda-controller starts"
    );
    if !args.inert.is_empty() {
        tracing::info!(flags = args.inert.join(" "), "accepted without effect");
    }
    for complaint in &environment.complaints {
        tracing::warn!("{complaint}");
    }
}

/// Serves probes and metrics; opens the other ports once, so that one in use is told before anything starts.
async fn serve_http(
    args: &Args,
    metrics: &Metrics,
    readiness: &Readiness,
    end: &CancellationToken,
) -> Result<TaskTracker, Failure> {
    let tracker = TaskTracker::new();
    for (bind, flag) in [
        (
            &args.metrics_service_bind_address,
            "--metrics-service-bind-address",
        ),
        (&args.debug_bind_address, "--debug-bind-address"),
    ] {
        drop(health::listen(bind, flag).await?);
    }
    if let Some(listener) =
        health::listen(&args.health_probe_bind_address, "--health-probe-bind-address").await?
    {
        tracker.spawn(health::serve(
            listener,
            health::routes(readiness.clone()),
            end.clone(),
        ));
    }
    if args.enable_prometheus_metrics
        && let Some(listener) = health::listen(&args.metrics_bind_address, "--metrics-bind-address").await?
    {
        tracker.spawn(health::serve(listener, metrics.routes(), end.clone()));
    }
    Ok(tracker)
}

/// A token that SIGTERM and SIGINT cancel; a second signal ends the process at once.
fn stop_on_signal() -> Result<CancellationToken, Failure> {
    let failed =
        |error| Failure::new(failure::UNEXPECTED, "cannot listen for signals", "start again").because(error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} };
        next().await;
        tracing::info!("told to stop: finishing what is in flight");
        token.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(stop)
}
