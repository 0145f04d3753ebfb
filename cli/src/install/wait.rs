//! Waits until an installation is ready, and says on the way what it waits for.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Api, ListParams};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::names;
use super::options::Options;
use super::rollout::{self, Missing, Seen};
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::ui::Ui;
use crate::ui::progress::Progress;

/// How often the cluster is looked at. Four small lists cost less than four watches, and need no care when the API
/// server goes away in between.
const LOOK: Duration = Duration::from_secs(1);

/// Waits until everything is up and the API server reads metrics through the adapter.
pub(crate) async fn ready(
    cluster: &Cluster,
    options: &Options,
    timeout: Duration,
    ui: Ui,
) -> Result<(), Failure> {
    let progress = Progress::spinner(ui);
    let started = Instant::now();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let missing = match observe(cluster, &options.namespace).await {
            Ok(seen) => rollout::missing(&seen),
            Err(error) if fatal(&error) => {
                return Err(cluster.failed(&format!("look at namespace {}", options.namespace), error));
            }
            Err(error) => vec![unreachable(&error)],
        };
        let Some(first) = missing.iter().find(|one| one.trouble).or(missing.first()) else {
            return Ok(());
        };
        progress.doing(&format!("waiting for {}: {}", first.what, first.why));
        if started.elapsed() >= timeout {
            drop(progress);
            for one in &missing {
                ui.say(&format!("{}: {}", one.what, one.why));
            }
            return Err(timed_out(&missing, timeout, options));
        }
    }
}

fn fatal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 401 || status.code == 403)
}

fn unreachable(error: &kube::Error) -> Missing {
    Missing {
        what: "the API server".to_owned(),
        why: exit::chain(error),
        help: Some("it answered before: look at the control plane".to_owned()),
        trouble: true,
    }
}

fn timed_out(missing: &[Missing], timeout: Duration, options: &Options) -> Failure {
    let list: Vec<&str> = missing.iter().map(|one| one.what.as_str()).collect();
    let message = format!("not ready after {} s: {}", timeout.as_secs(), list.join(", "));
    let mut failure = Failure::new(exit::TIMED_OUT, message);
    let mut helps = BTreeSet::new();
    for help in missing.iter().filter_map(|one| one.help.as_ref()) {
        if helps.insert(help) {
            failure = failure.help(help.clone());
        }
    }
    failure.help(format!(
        "everything is applied and goes on starting: `kubectl get pods -n {}` shows it, `--timeout` waits longer",
        options.namespace
    ))
}

async fn observe(cluster: &Cluster, namespace: &str) -> Result<Seen, kube::Error> {
    let client = &cluster.client;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let services: Api<APIService> = Api::all(client.clone());
    let all = ListParams::default();
    let warnings = ListParams::default().fields("type=Warning");
    let (deployments, pods, events, api_service) = tokio::try_join!(
        deployments.list(&all),
        pods.list(&all),
        events.list(&warnings),
        services.get_opt(names::API_SERVICE),
    )?;
    Ok(Seen {
        deployments: deployments.items,
        pods: pods.items,
        events: events.items,
        api_service,
    })
}
