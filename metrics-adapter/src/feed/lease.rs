//! Follows the holder of the controller's Lease.

use std::net::IpAddr;

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use super::Endpoint;
use super::endpoint::{Place, pod_of};

/// Keeps `endpoint` at the holder of the Lease, for as long as the process runs.
pub(crate) async fn follow(client: Client, place: Place, lease: String, endpoint: watch::Sender<Endpoint>) {
    let leases = Api::<Lease>::namespaced(client.clone(), &place.namespace);
    let pods = Api::<Pod>::namespaced(client, &place.namespace);
    let stream = watcher::watch_object(leases, &lease).default_backoff();
    let mut stream = std::pin::pin!(stream);
    let (mut last, mut settled) = (None, false);
    while let Some(event) = stream.next().await {
        let next = match event {
            Ok(object) => {
                let holder = object
                    .and_then(|lease| lease.spec?.holder_identity)
                    .filter(|holder| !holder.is_empty());
                // The Lease is renewed every few seconds; only a new holder is news, or an old one that could not be looked up.
                if settled && last.as_ref() == Some(&holder) {
                    continue;
                }
                let next;
                (next, settled) = resolve(&pods, &place, holder.as_deref()).await;
                last = Some(holder);
                next
            }
            // Whoever was known last is still the best guess.
            Err(error) if last.is_some() => {
                tracing::debug!(
                    error = crate::error_chain(&error),
                    lease,
                    "cannot watch the controller's Lease"
                );
                continue;
            }
            Err(error) => {
                let why = crate::error_chain(&error);
                place.service(
                    "",
                    &format!(
                        "the Lease cannot be watched (the adapter needs get, list and watch on it): {why}"
                    ),
                )
            }
        };
        let moved = endpoint.send_if_modified(|current| {
            let moved = *current != next;
            current.clone_from(&next);
            moved
        });
        if moved && !next.note.is_empty() {
            tracing::warn!(
                reason = next.note,
                address = next.address,
                "asking the controller's Service"
            );
        }
    }
}

/// Where the holder is, and whether looking again would find the same.
async fn resolve(pods: &Api<Pod>, place: &Place, holder: Option<&str>) -> (Endpoint, bool) {
    let Some(holder) = holder else {
        return (place.service("", "nobody holds the Lease"), true);
    };
    let outside = || (place.service(holder, "the Lease's holder is not a pod"), true);
    let Some(pod) = pod_of(holder) else {
        return outside();
    };
    match pods.get_opt(pod).await {
        Ok(Some(found)) => match address(&found) {
            Some(ip) => (place.pod(ip, holder), true),
            None => (
                place.service(holder, "the Lease's holder has no address yet"),
                false,
            ),
        },
        // The controller runs outside of the cluster, under its host's name.
        Ok(None) => outside(),
        Err(error) => {
            let why = crate::error_chain(&error);
            let note =
                format!("the Lease's holder cannot be looked up (the adapter needs get on pods): {why}");
            (place.service(holder, &note), false)
        }
    }
}

fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}
