//! What to do about a source that this machine cannot reach: its name may only mean something inside the cluster, or it may
//! be the cluster's own pods.

use std::future::ready;
use std::net::IpAddr;
use std::time::Duration;

use engine::dry_run::DryRun;
use futures::future::BoxFuture;
use scalers::{Endpoint, EndpointSource, PodQuery, PodSource, ScalerError};

/// How long a name may take to resolve.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why pods are not counted here.
const COUNTED_INSIDE: &str = "pods are counted from inside the cluster only";
/// Why pods are not asked here.
const ASKED_INSIDE: &str = "the pods behind a Service are asked from inside the cluster only";

/// The pods of the cluster as this machine has them: not at all.
pub(super) struct NoPods;

impl PodSource for NoPods {
    fn count<'a>(&'a self, _: &'a PodQuery) -> BoxFuture<'a, Result<u64, ScalerError>> {
        Box::pin(ready(Err(ScalerError::Setting(COUNTED_INSIDE.to_owned()))))
    }
}

impl EndpointSource for NoPods {
    fn ready<'a>(
        &'a self,
        _namespace: &'a str,
        _service: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Endpoint>, ScalerError>> {
        Box::pin(ready(Err(ScalerError::Setting(ASKED_INSIDE.to_owned()))))
    }
}

/// Says of every trigger that failed whether only the controller can ask its source.
pub(super) async fn add(report: &mut DryRun) {
    for trigger in &mut report.triggers {
        let metrics = trigger.metrics.iter().map(|metric| &metric.error);
        let errors: Vec<&String> = metrics.chain([&trigger.error]).flatten().collect();
        let inside = |error: &&String| error.contains(COUNTED_INSIDE) || error.contains(ASKED_INSIDE);
        if errors.iter().any(inside) {
            trigger.help = Some("`--in-cluster` lets the controller ask".to_owned());
            continue;
        }
        let source = trigger.source.as_deref().unwrap_or_default();
        if !errors.is_empty()
            && let Some(host) = unknown_host(source).await
        {
            trigger.help = Some(format!(
                "`{host}` is a name inside the cluster, which this machine cannot resolve: `--in-cluster` lets the controller ask"
            ));
        }
    }
}

/// The host of an endpoint that only means something inside the cluster.
pub(crate) async fn unknown_host(endpoint: &str) -> Option<String> {
    for host in hosts(endpoint) {
        if is_cluster_name(&host) && !resolves(&host).await {
            return Some(host);
        }
    }
    None
}

async fn resolves(host: &str) -> bool {
    let looked = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, 0))).await;
    looked.is_ok_and(|found| found.is_ok_and(|mut found| found.next().is_some()))
}

/// The hosts of an endpoint: `scheme://host:port`, `host:port,host:port`, `host:port/rest`.
fn hosts(endpoint: &str) -> Vec<String> {
    let one = |part: &str| {
        let part = part.split_once("://").map_or(part, |(_, rest)| rest);
        let part = part.split(['/', '?']).next().unwrap_or_default();
        let part = part.rsplit_once('@').map_or(part, |(_, rest)| rest);
        let host = part.rsplit_once(':').map_or(part, |(host, _)| host);
        host.trim_matches(['[', ']']).to_owned()
    };
    let parts = endpoint.split(',').map(|part| one(part.trim()));
    parts.filter(|host| !host.is_empty()).collect()
}

/// Whether a name looks like that of a Service: `redis`, `redis.shop`, `redis.shop.svc`, `redis.shop.svc.cluster.local`.
fn is_cluster_name(host: &str) -> bool {
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let address = host.parse::<IpAddr>().is_ok();
    let legal = |label: &&str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    !address
        && host != "localhost"
        && labels.iter().all(legal)
        && (labels.len() <= 2 || labels.contains(&"svc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_are_told_from_others() {
        for host in [
            "redis",
            "redis.shop",
            "redis.shop.svc",
            "a.b.svc.cluster.local",
            "pod-0.redis.shop.svc",
        ] {
            assert!(is_cluster_name(host), "{host}");
        }
        for host in [
            "localhost",
            "127.0.0.1",
            "::1",
            "redis.example.com",
            "",
            "the clock",
        ] {
            assert!(!is_cluster_name(host), "{host}");
        }
    }

    #[test]
    fn hosts_are_found_in_every_form_of_endpoint() {
        for (endpoint, want) in [
            ("redis.shop.svc:6379", vec!["redis.shop.svc"]),
            ("http://stats:8080", vec!["stats"]),
            ("https://stats.shop", vec!["stats.shop"]),
            ("a:1,b:2/main", vec!["a", "b"]),
            ("[::1]:80", vec!["::1"]),
            ("", vec![]),
        ] {
            assert_eq!(hosts(endpoint), want, "{endpoint}");
        }
    }
}
