//! Turns a piece of work into observe → plan → apply → record, and decides when it is looked at again.

mod authentication;
mod later;
mod scaled_object;

use std::sync::Arc;
use std::time::Duration;

use crate::operator::{Operator, Work};

/// How a reconcile went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is as it should be.
    Done,
    /// Try again, waiting longer each time, up to this long.
    Again(Duration),
}

/// Longest pause between two tries at an object that cannot be worked on: its Secret or its spec may come right unwatched.
pub(crate) const PATIENT: Duration = Duration::from_mins(1);
/// Longest pause where only a target is missing, which nobody watches and which usually follows soon.
pub(crate) const EAGER: Duration = Duration::from_secs(5);

/// Reconciles one object.
pub(crate) async fn reconcile(operator: &Arc<Operator>, work: &Work) {
    let (controller, verdict) = match work {
        Work::ScaledObject(key) => ("scaledobject", scaled_object::reconcile(operator, key).await),
        Work::TriggerAuthentication(key) => (
            "triggerauthentication",
            authentication::namespaced(operator, key).await,
        ),
        Work::ClusterTriggerAuthentication(key) => (
            "clustertriggerauthentication",
            authentication::cluster(operator, key).await,
        ),
        Work::ScaledJob(key) => ("scaledjob", later::scaled_job(operator, key).await),
        Work::CloudEventSource(key) => ("cloudeventsource", later::cloud_event_source(operator, key).await),
        Work::ClusterCloudEventSource(key) => (
            "clustercloudeventsource",
            later::cluster_cloud_event_source(operator, key).await,
        ),
    };
    match verdict {
        Verdict::Done => {
            operator.queue.succeeded(work);
            operator.metrics.reconciled(controller, "success");
        }
        Verdict::Again(longest) => {
            operator.queue.retry(work.clone(), longest);
            operator.metrics.reconciled(controller, "error");
        }
    }
}
