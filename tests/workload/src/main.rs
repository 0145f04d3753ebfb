//! What the demo and the cluster tests scale.
//!
//! `worker` pops jobs off a Redis list and takes a set time for each, `push` puts them there; `web` answers HTTP and burns CPU for each
//! request, or holds memory. Both end within their pod's grace period: a worker finishes the job it holds.

mod web;
mod worker;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// A workload to scale.
#[derive(Debug, Parser)]
#[command(name = "keda-workload", arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Pops jobs off a Redis list, one at a time.
    ///
    /// Example: keda-workload worker --redis redis.default.svc:6379 --list jobs --job-milliseconds 500
    Worker {
        /// `host:port` of the Redis server.
        #[arg(long, env = "REDIS_ADDRESS")]
        redis: String,
        /// The list that holds the jobs.
        #[arg(long, env = "REDIS_LIST", default_value = "jobs")]
        list: String,
        /// How long one job takes, in milliseconds.
        #[arg(long, env = "JOB_MILLISECONDS", default_value = "1000")]
        job_milliseconds: u64,
    },
    /// Appends jobs to a Redis list, then ends.
    ///
    /// Example: keda-workload push --redis redis.default.svc:6379 --list jobs --count 200
    Push {
        /// `host:port` of the Redis server.
        #[arg(long, env = "REDIS_ADDRESS")]
        redis: String,
        /// The list that takes the jobs.
        #[arg(long, env = "REDIS_LIST", default_value = "jobs")]
        list: String,
        /// How many jobs.
        #[arg(long, default_value = "200")]
        count: u32,
    },
    /// Answers HTTP: `/` at once, `/burn?ms=N` after N ms of CPU, `/hold?mib=N` keeps N MiB.
    ///
    /// Example: keda-workload web --listen 0.0.0.0:8080
    Web {
        /// Address to listen on.
        #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
        listen: SocketAddr,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    match Args::parse().role {
        Role::Worker {
            redis,
            list,
            job_milliseconds,
        } => worker::run(&redis, &list, Duration::from_millis(job_milliseconds), stop).await,
        Role::Push { redis, list, count } => worker::push(&redis, &list, count).await,
        Role::Web { listen } => web::run(listen, stop).await,
    }
}
