//! The adapter as an aggregated API server: whom it believes, and that its certificates change unnoticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use harness::aggregator::{MASTERS, pki, proxy, server};
use harness::bed::Bed;
use harness::cluster::Cluster;
use harness::https;
use harness::keda::{API_SERVICE, CERT_SECRET, Keda, NAMESPACE};
use harness::namespace::{Namespace, with_namespace};
use harness::pki::{Authority, Pair};
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

use super::scaling::condition_is;
use crate::scenario::{DEADLINE, deployment, scaled_object};

/// Where the adapter serves its API.
pub(crate) const API: &str = "/apis/external.metrics.k8s.io/v1beta1";

/// Reads the metric of an object as the HPA does.
pub(super) async fn read(cluster: &Cluster, namespace: &str, object: &str, metric: &str) -> Result<String> {
    let path =
        format!("{API}/namespaces/{namespace}/{metric}?labelSelector=scaledobject.keda.sh%2Fname%3D{object}");
    let answer = cluster.read(&path).await?;
    let value = answer.body["items"][0]["value"].as_str().map(str::to_owned);
    value.with_context(|| format!("{namespace}/{object} {metric}: {:?}", answer.message))
}

/// A ScaledObject with one metric whose value is 7.
async fn metric(ns: &Namespace, source: &Source) -> Result<String> {
    source.set(ns.name(), Answer::Value(7.0));
    ns.create_object(&deployment("web", 1)).await?;
    let metadata = json!({"url": source.url(ns.name()), "valueLocation": "value", "targetValue": "10"});
    ns.create_object(&scaled_object(
        &json!({"type": "metrics-api", "metadata": metadata}),
        &json!({}),
    ))
    .await?;
    condition_is(ns, "Ready", "True").await?;
    Ok(format!(
        "{API}/namespaces/{}/s0-metric-api-value?labelSelector=scaledobject.keda.sh%2Fname%3Dso",
        ns.name()
    ))
}

pub(crate) async fn forged_headers() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "forged", async |ns| {
        let path = metric(ns, &source).await?;
        let server = server(bed, keda).await?;
        let (pki, proxy) = (pki(bed)?, proxy(bed)?);
        let (status, body) = https::get(&server, &path, MASTERS, Some(&proxy)).await?;
        ensure!(
            status == 200 && body.contains("\"7\""),
            "the API server's own proxy is answered {status} {body}"
        );
        let plain = [("X-Remote-User", "nobody")];
        let (status, body) = https::get(&server, &path, &plain, Some(&proxy)).await?;
        ensure!(status == 403, "a user without rights is answered {status} {body}");

        let dir = keda.dir().join("forged");
        let cluster_ca = Authority::load(&pki.join("ca.crt"), &pki.join("ca.key"), &dir.join("cluster"))?;
        let proxy_ca = Authority::load(
            &pki.join("front-proxy-ca.crt"),
            &pki.join("front-proxy-ca.key"),
            &dir.join("proxy"),
        )?;
        let strangers = Authority::new(&dir.join("strangers"), "strangers")?;
        let forgeries: &[(&str, Option<Pair>)] = &[
            ("no certificate", None),
            (
                "a certificate of the cluster's CA",
                Some(cluster_ca.issue("mallory")?),
            ),
            (
                "a certificate of the cluster's CA with the proxy's name",
                Some(cluster_ca.issue("front-proxy-client")?),
            ),
            (
                "a certificate of the proxy's CA with a wrong name",
                Some(proxy_ca.issue("mallory")?),
            ),
            (
                "a certificate of an unknown CA with the proxy's name",
                Some(strangers.issue("front-proxy-client")?),
            ),
        ];
        for (what, pair) in forgeries {
            refused(what, https::get(&server, &path, MASTERS, pair.as_ref()).await)?;
        }
        Ok(())
    })
    .await
}

/// A refusal is 401, 403 or a handshake that ends; anything else let the forger in.
fn refused(what: &str, answer: Result<(u16, String)>) -> Result<()> {
    match answer {
        Ok((401 | 403, body)) => {
            ensure!(
                !body.contains("kubernetes-admin"),
                "{what}: the forged name was believed: {body}"
            );
            Ok(())
        }
        Ok((status, body)) => bail!("{what} was answered {status} {body}"),
        // TLS 1.3 tells a client of its refused certificate with the first read.
        Err(_) => Ok(()),
    }
}

pub(crate) async fn rotation_under_load() -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = Source::start().await?;
    with_namespace(bed, "rotation", async |ns| {
        let path = metric(ns, &source).await?;
        let before = bundle(bed).await?;
        let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let (cluster, path) = (bed.cluster().clone(), path.clone());
                let (stop, reads) = (Arc::clone(&stop), Arc::clone(&reads));
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let answer = cluster.read(&path).await?;
                        let value = &answer.body["items"][0]["value"];
                        ensure!(
                            answer.status == 200 && value == "7",
                            "a read was answered {} {}",
                            answer.status,
                            answer.body
                        );
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        let rotated = rotate(bed, &before, &reads).await;
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await??;
        }
        rotated?;
        keda.check_alive()
    })
    .await
}

/// Asks for a new authority and waits until the old certificate is gone everywhere, with reads going on afterwards.
async fn rotate(bed: &Bed, before: &Value, reads: &AtomicU64) -> Result<()> {
    let annotation = json!({"metadata": {"annotations": {"certificates.keda.sh/rotate": "now"}}});
    bed.cluster()
        .merge_patch("Secret", NAMESPACE, CERT_SECRET, &annotation)
        .await?;
    let signed = wait_for("a certificate by the new authority", DEADLINE, || async {
        let now = bundle(bed).await.map_err(|e| format!("{e:#}"))?;
        if now["tls.crt"] != before["tls.crt"] && now["ca.crt"] != before["ca.crt"] {
            Ok(now)
        } else {
            Err("unchanged".to_owned())
        }
    })
    .await?;
    wait_for("the APIService to trust the new authority", DEADLINE, || async {
        let service = bed
            .cluster()
            .need("APIService", "", API_SERVICE)
            .await
            .map_err(|e| format!("{e:#}"))?;
        look(service["spec"]["caBundle"] == signed["ca.crt"], || {
            "another caBundle".to_owned()
        })
    })
    .await?;
    let count = reads.load(Ordering::Relaxed);
    // Enough for every reader and every connection of the aggregator to have met the new certificate.
    wait_for("200 more reads", DEADLINE, || async {
        let now = reads.load(Ordering::Relaxed);
        look(now >= count + 200, || format!("{now} after {count}"))
    })
    .await
}

async fn bundle(bed: &Bed) -> Result<Value> {
    Ok(bed.cluster().need("Secret", NAMESPACE, CERT_SECRET).await?["data"].clone())
}

pub(crate) async fn discovery() -> Result<()> {
    let (bed, _) = Keda::shared().await?;
    let list = bed.cluster().read(API).await?;
    ensure!(
        list.body["kind"] == "APIResourceList"
            && list.body["groupVersion"] == "external.metrics.k8s.io/v1beta1",
        "{}",
        list.body
    );
    let group = bed.cluster().read("/apis/external.metrics.k8s.io").await?;
    ensure!(
        group.body["preferredVersion"]["version"] == "v1beta1",
        "{}",
        group.body
    );
    wait_for(
        "the OpenAPI of the group in the API server's own",
        DEADLINE,
        || async {
            let index = bed
                .cluster()
                .read("/openapi/v3")
                .await
                .map_err(|e| format!("{e:#}"))?;
            look(
                !index.body["paths"]["apis/external.metrics.k8s.io/v1beta1"].is_null(),
                || "not in the index yet".to_owned(),
            )
        },
    )
    .await?;
    let output = bed.kubectl(&["api-resources", "--api-group=external.metrics.k8s.io"])?;
    ensure!(
        output.status.success(),
        "kubectl: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let unknown = bed
        .cluster()
        .read(&format!("{API}/namespaces/default/no-such-metric"))
        .await?;
    ensure!(
        unknown.status >= 400 && unknown.message.is_some(),
        "a metric without selector: {}",
        unknown.body
    );
    Ok(())
}
