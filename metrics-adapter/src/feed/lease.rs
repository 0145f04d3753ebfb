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
    let mut last = None;
    while let Some(event) = stream.next().await {
        let next = match event {
            Ok(object) => {
                let holder = object
                    .and_then(|lease| lease.spec?.holder_identity)
                    .filter(|holder| !holder.is_empty());
                // The Lease is renewed every few seconds; only a new holder is news.
                if last.as_ref() == Some(&holder) {
                    continue;
                }
                let next = resolve(&pods, &place, holder.as_deref()).await;
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

async fn resolve(pods: &Api<Pod>, place: &Place, holder: Option<&str>) -> Endpoint {
    let Some(holder) = holder else {
        return place.service("", "nobody holds the Lease");
    };
    let Some(pod) = pod_of(holder) else {
        return place.service(holder, "the Lease's holder is not a pod");
    };
    match pods.get_opt(pod).await {
        Ok(Some(found)) => match address(&found) {
            Some(ip) => place.pod(ip, holder),
            None => place.service(holder, "the Lease's holder has no address yet"),
        },
        // The controller runs outside of the cluster, under its host's name.
        Ok(None) => place.service(holder, "the Lease's holder is not a pod"),
        Err(error) => {
            tracing::warn!(%error, pod, "cannot get the pod that holds the controller's Lease, using the Service");
            place.service(
                holder,
                &format!("the Lease's holder cannot be looked up: {error}"),
            )
        }
    }
}

fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}
