//! What an installation still waits for, and why. Pure: facts in, sentences out.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::ResourceExt;

use super::names;

/// What was read at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Controller and adapter, as far as they are there.
    pub(crate) deployments: Vec<Deployment>,
    /// Pods of the namespace.
    pub(crate) pods: Vec<Pod>,
    /// Warnings of the namespace.
    pub(crate) events: Vec<Event>,
    /// The APIService, if it is there.
    pub(crate) api_service: Option<APIService>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The object.
    pub(crate) what: String,
    /// What is the matter with it.
    pub(crate) why: String,
    /// What can be done, where something can.
    pub(crate) help: Option<String>,
    /// It will hardly get better by itself.
    pub(crate) trouble: bool,
}

/// Everything that is still missing; nothing when the installation is ready.
pub(crate) fn missing(seen: &Seen) -> Vec<Missing> {
    let mut missing: Vec<Missing> = [names::OPERATOR, names::ADAPTER]
        .iter()
        .filter_map(|name| deployment(name, seen))
        .collect();
    missing.extend(api_service(seen.api_service.as_ref()));
    missing
}

fn deployment(name: &str, seen: &Seen) -> Option<Missing> {
    let what = format!("deployment.apps/{name}");
    let Some(found) = seen.deployments.iter().find(|found| found.name_any() == name) else {
        return Some(waiting(what, "is not there"));
    };
    let wanted = found.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = found.status.clone().unwrap_or_default();
    let count = |number: Option<i32>| number.unwrap_or_default();
    let observed = status.observed_generation >= found.metadata.generation;
    let available = count(status.available_replicas);
    let updated = count(status.updated_replicas);
    if observed && updated == wanted && available >= wanted && count(status.replicas) == wanted {
        return None;
    }
    // The Deployment's own failures come first: without a pod there is nothing else to look at.
    for condition in status.conditions.iter().flatten() {
        let text = condition.message.clone().unwrap_or_default();
        if condition.type_ == "ReplicaFailure" && condition.status == "True" {
            return Some(replica_failure(what, &text));
        }
    }
    let pods = seen.pods.iter().filter(|pod| {
        pod.metadata.deletion_timestamp.is_none() && pod.labels().get("app").is_some_and(|app| app == name)
    });
    let worst = pods
        .filter_map(|pod| pod_problem(pod, &seen.events))
        .max_by_key(|problem| problem.trouble);
    match worst {
        Some(problem) => Some(Missing {
            what,
            why: format!("{available} of {wanted} available; {}", problem.why),
            ..problem
        }),
        None => Some(waiting(what, &format!("{available} of {wanted} available"))),
    }
}

fn replica_failure(what: String, text: &str) -> Missing {
    let quota = text.contains("exceeded quota");
    let help = if quota {
        "raise the ResourceQuota of the namespace, or install into another with `--namespace`"
    } else if text.contains("PodSecurity") || text.contains("violates") {
        "a policy of the namespace refuses the pod; install into another with `--namespace`"
    } else {
        "`kubectl describe replicaset` in that namespace shows the refusal"
    };
    trouble(what, format!("pods cannot be created: {text}"), help)
}

/// What keeps a pod from being ready.
fn pod_problem(pod: &Pod, events: &[Event]) -> Option<Missing> {
    let name = pod.name_any();
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    if conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    {
        return None;
    }
    let unscheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unscheduled {
        let text = condition.message.clone().unwrap_or_default();
        return Some(trouble(
            name.clone(),
            format!("pod {name} is Pending: {text}"),
            "make room on a node, or remove the taint that keeps the pod away",
        ));
    }
    let containers = status.container_statuses.unwrap_or_default();
    if let Some(problem) = containers
        .iter()
        .find_map(|container| container_problem(&name, container))
    {
        return Some(problem);
    }
    Some(starting(&name, &containers, events))
}

/// A container that waits for something, or keeps ending.
fn container_problem(pod: &str, container: &ContainerStatus) -> Option<Missing> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let text = waiting.message.clone().unwrap_or_default();
    let image = &container.image;
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable" => Some(trouble(
            pod.to_owned(),
            format!("pod {pod}: {reason}: {image}: {text}"),
            "name a registry that has the images with `--registry` and `--image-tag`, its credentials with \
                 `--image-pull-secret`, or put the images on the node and give `--image-pull-policy Never`",
        )),
        "CrashLoopBackOff" => {
            let last = container
                .last_state
                .as_ref()
                .and_then(|state| state.terminated.as_ref());
            let code = last.map(|last| last.exit_code).unwrap_or_default();
            let note = last.and_then(|last| last.message.clone()).unwrap_or_default();
            Some(trouble(
                pod.to_owned(),
                format!("pod {pod}: CrashLoopBackOff: exit code {code} {note}")
                    .trim_end()
                    .to_owned(),
                &format!("`kubectl logs {pod} --previous` shows its last words"),
            ))
        }
        "" | "ContainerCreating" | "PodInitializing" => None,
        other => Some(trouble(
            pod.to_owned(),
            format!("pod {pod}: {other}: {text}"),
            &format!("`kubectl describe pod {pod}` shows more"),
        )),
    }
}

/// A pod that is on its way: the newest warning about it, if there is one, says what it waits for.
fn starting(pod: &str, containers: &[ContainerStatus], events: &[Event]) -> Missing {
    let running = containers.iter().any(|container| {
        container
            .state
            .as_ref()
            .is_some_and(|state| state.running.is_some())
    });
    let newest = events
        .iter()
        .filter(|event| event.involved_object.name.as_deref() == Some(pod))
        .max_by_key(|event| event.last_timestamp.clone().or(event.first_timestamp.clone()));
    let phase = if running {
        "is running and not ready yet"
    } else {
        "is starting"
    };
    let Some(event) = newest else {
        return waiting(pod.to_owned(), &format!("pod {pod} {phase}"));
    };
    let text = event.message.clone().unwrap_or_default();
    if running && event.reason.as_deref() != Some("Unhealthy") {
        // What was in the way of its start is no longer.
        return waiting(pod.to_owned(), &format!("pod {pod} {phase}"));
    }
    // The controller writes the Secret once it leads: a matter of seconds, unless the controller itself is in trouble.
    if !running && text.contains(names::CERTIFICATES) {
        let why = format!(
            "pod {pod} waits until the controller writes the Secret {}",
            names::CERTIFICATES
        );
        return waiting(pod.to_owned(), &why);
    }
    let reason = event.reason.clone().unwrap_or_default();
    let why = format!("pod {pod} {phase}: {reason}: {text}");
    if running {
        waiting(pod.to_owned(), &why)
    } else {
        trouble(
            pod.to_owned(),
            why,
            &format!("`kubectl describe pod {pod}` shows more"),
        )
    }
}

fn api_service(found: Option<&APIService>) -> Option<Missing> {
    let what = format!("apiservice/{}", names::API_SERVICE);
    let Some(found) = found else {
        return Some(waiting(what, "is not there"));
    };
    let conditions = found
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let Some(condition) = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "Available")
    else {
        return Some(waiting(what, "has not been looked at by the API server yet"));
    };
    if condition.status == "True" {
        return None;
    }
    let reason = condition.reason.clone().unwrap_or_default();
    let text = condition.message.clone().unwrap_or_default();
    let why = format!("is not available: {reason}: {text}");
    let help = match reason.as_str() {
        // Ends by itself once the adapter is ready.
        "MissingEndpoints" => return Some(waiting(what, &why)),
        "FailedDiscoveryCheck" if text.contains("x509") => {
            "the controller writes the CA into the APIService: `kubectl logs deployment/keda-operator` shows why it did not"
        }
        "FailedDiscoveryCheck" => {
            "the API server must reach the adapter's pod on port 6443: look at network policies and firewalls"
        }
        _ => "`kubectl describe apiservice` shows more",
    };
    Some(trouble(what, why, help))
}

fn waiting(what: String, why: &str) -> Missing {
    Missing {
        what,
        why: why.to_owned(),
        help: None,
        trouble: false,
    }
}

fn trouble(what: String, why: String, help: &str) -> Missing {
    Missing {
        what,
        why,
        help: Some(help.to_owned()),
        trouble: true,
    }
}

#[cfg(test)]
mod tests;
