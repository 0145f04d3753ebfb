//! Who leads and who serves changes under load, on real pods: reads of external metrics go on, and a scale-up that was
//! begun ends right.
//!
//! One case at a time kills; cases that ask the installation once wait for it.

mod reader;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::debug::AdapterDebug;
use harness::keda::{NAMESPACE, condition};
use harness::namespace::{Namespace, with_namespace};
use harness::process::signal;
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use jiff::Timestamp;
use rpc::debug::RecentRead;
use serde_json::{Value, json};

use super::resources::{deployment, replicas, scaled_object, wanted};
use super::{Node, succeeded};
use reader::Readers;

/// A Lease that nobody gives back runs out after 15 s, and a killed pod starts anew; the machine may be busy.
const DEADLINE: Duration = Duration::from_mins(4);
/// Reads in a row that show that a fail-over is over.
const ROW: u64 = 40;

/// The controller that leads.
struct Leader {
    /// Holder of the Lease.
    identity: String,
    pod: String,
    /// Where it serves metrics.
    address: String,
}

/// The leader, once it is another than `former`.
async fn leader(node: &Node, former: &str) -> Result<Leader> {
    let cluster = node.bed.cluster();
    wait_for("another controller to lead", DEADLINE, || async {
        let lease = cluster.need("Lease", NAMESPACE, "operator.keda.sh").await;
        let lease = lease.map_err(|e| format!("{e:#}"))?;
        let identity = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let (pod, _) = identity.rsplit_once('_').ok_or("nobody holds the Lease")?;
        look(identity != former, || format!("{identity} still holds the Lease"))?;
        let found = cluster.need("Pod", NAMESPACE, pod).await;
        let found = found.map_err(|e| format!("{e:#}"))?;
        let address = found["status"]["podIP"]
            .as_str()
            .ok_or("the pod has no address")?;
        Ok(Leader {
            identity: identity.to_owned(),
            pod: pod.to_owned(),
            address: format!("{address}:{}", rpc::METRICS_PORT),
        })
    })
    .await
}

/// The ready pods of one of our Deployments, once there are two of them again and none that leaves.
async fn pods(node: &Node, app: &str) -> Result<Vec<Value>> {
    wait_for(format!("two pods of {app}"), DEADLINE, || async {
        let all = node.bed.cluster().list("Pod", NAMESPACE).await;
        let mut all = all.map_err(|e| format!("{e:#}"))?;
        all.retain(|pod| pod["metadata"]["labels"]["app"] == app);
        let steady = |pod: &Value| {
            pod["metadata"]["deletionTimestamp"].is_null()
                && condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
        };
        if all.len() == 2 && all.iter().all(steady) {
            Ok(all)
        } else {
            Err(format!("{} pods, not all of them ready", all.len()))
        }
    })
    .await
}

/// Waits until the installation is as it was before a pod was killed, so that the next case finds it so.
async fn settled(node: &Node) -> Result<()> {
    pods(node, "keda-operator").await?;
    pods(node, "keda-metrics-apiserver").await?;
    wait_for("external metrics to be served", DEADLINE, || async {
        let service = node
            .bed
            .cluster()
            .need("APIService", "", harness::keda::API_SERVICE)
            .await;
        let service = service.map_err(|e| format!("{e:#}"))?;
        let available = condition(&service, "Available").cloned().unwrap_or_default();
        look(available["status"] == "True", || available.to_string())
    })
    .await
}

/// The debug APIs of both adapters.
async fn adapters(node: &Node) -> Result<Vec<AdapterDebug>> {
    let mut all = Vec::new();
    for pod in pods(node, "keda-metrics-apiserver").await? {
        let address = pod["status"]["podIP"]
            .as_str()
            .context("a ready pod has an address")?;
        let address = format!("{address}:{}", rpc::ADAPTER_DEBUG_PORT);
        all.push(AdapterDebug::connect(node.bed.cluster(), &address).await?);
    }
    Ok(all)
}

/// Waits until every adapter asks that leader, as the Lease says, and has had an answer from it; then what came after
/// the first answer must have come from there, too, and without an error.
async fn followed(adapters: &[AdapterDebug], ns: &Namespace, to: &Leader, since: Timestamp) -> Result<()> {
    for adapter in adapters {
        wait_for(format!("an adapter to ask {}", to.identity), DEADLINE, || async {
            let state = adapter.state().await.map_err(|e| e.to_string())?;
            let place = (&*state.holder, &*state.source, &*state.endpoint);
            look(place == (&*to.identity, "lease", &*to.address), || {
                format!("{state:?}")
            })?;
            let reads = adapter.reads(ns.name(), "web").await.map_err(|e| e.to_string())?;
            let first = reads
                .iter()
                .find(|read| begun_at(read) >= since && read.error.is_empty() && read.endpoint == to.address);
            look(first.is_some(), || format!("no answer yet: {:?}", reads.last()))
        })
        .await?;
    }
    Ok(())
}

/// The adapters' own record of a fail-over: the first answer of the new leader ends the errors.
async fn recorded(adapters: &[AdapterDebug], ns: &Namespace, to: &Leader, since: Timestamp) -> Result<()> {
    for adapter in adapters {
        let reads = adapter.reads(ns.name(), "web").await?;
        let answered = |read: &&RecentRead| read.error.is_empty() && read.endpoint == to.address;
        let since: Vec<&RecentRead> = reads.iter().filter(|read| begun_at(read) >= since).collect();
        let first = since
            .iter()
            .copied()
            .find(answered)
            .context("no answer of the new leader")?;
        let over = begun_at(first) + Duration::from_micros(first.latency_micros);
        let mut later = since.iter().filter(|read| begun_at(read) >= over);
        if let Some(wrong) = later.find(|read| !answered(read)) {
            anyhow::bail!("after the first answer of {}: {wrong:?}", to.identity);
        }
    }
    Ok(())
}

fn begun_at(read: &RecentRead) -> Timestamp {
    let time = read.time.unwrap_or_default();
    Timestamp::new(time.seconds, time.nanos).unwrap_or(Timestamp::MIN)
}

/// A workload at zero that wants `value` / 10 replicas, and goes there one by one.
async fn workload(node: &Node, ns: &Namespace) -> Result<Source> {
    let host = &node
        .bed
        .state()
        .real_node
        .as_ref()
        .context("a real node")?
        .host_address;
    let source = Source::start_at(host).await?;
    let mut target = deployment(node, "web", 0);
    target["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "10m"}});
    ns.create_object(&target).await?;
    let behavior = json!({
        "scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 5}]},
        "scaleDown": {"stabilizationWindowSeconds": 0},
    });
    let metadata = json!({"url": source.url(ns.name()), "valueLocation": "value", "targetValue": "10"});
    let spec = json!({
        "scaleTargetRef": {"name": "web"},
        "pollingInterval": 1,
        "cooldownPeriod": 2,
        "maxReplicaCount": 5,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior}},
        "triggers": [{"type": "metrics-api", "metadata": metadata}],
    });
    ns.create_object(&scaled_object("web", &spec)).await?;
    holds(ns, "Active", "False").await?;
    Ok(source)
}

/// Waits for a condition of the ScaledObject, and returns it.
async fn holds(ns: &Namespace, kind: &str, status: &str) -> Result<Value> {
    wait_for(format!("{kind}={status}"), DEADLINE, || async {
        let object = ns.cluster().need("ScaledObject", ns.name(), "web").await;
        let object = object.map_err(|e| format!("{e:#}"))?;
        let now = condition(&object, kind).cloned().unwrap_or_default();
        if now["status"] == status {
            Ok(now)
        } else {
            Err(object["status"]["conditions"].to_string())
        }
    })
    .await
}

async fn replicas_now(ns: &Namespace) -> Result<i64> {
    Ok(wanted(&ns.cluster().need("Deployment", ns.name(), "web").await?))
}

/// Sets the wish to 5 replicas and waits for the second: from there on the HPA scales, and is not done.
async fn begin(ns: &Namespace, source: &Source) -> Result<()> {
    source.set(ns.name(), Answer::Value(45.0));
    wait_for("the second replica", DEADLINE, || async {
        let now = replicas_now(ns).await.map_err(|e| format!("{e:#}"))?;
        look(now >= 2, || format!("{now} replicas"))
    })
    .await
}

/// Waits for an Event of the ScaledObject or its HPA, and returns it.
async fn event(ns: &Namespace, reason: &str, right: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_for(format!("the Event {reason}"), DEADLINE, || async {
        let events = ns.cluster().list("Event", ns.name()).await;
        let events = events.map_err(|e| format!("{e:#}"))?;
        let found = events
            .iter()
            .find(|event| event["reason"] == reason && right(event));
        found.cloned().ok_or_else(|| {
            let reasons: Vec<&Value> = events.iter().map(|event| &event["reason"]).collect();
            format!("{reasons:?}")
        })
    })
    .await
}

/// Takes a pod away without waiting for it, as a node that is lost does.
fn force_delete(node: &Node, pod: &str) -> Result<()> {
    let args = [
        "delete",
        "pod",
        pod,
        "--namespace",
        NAMESPACE,
        "--grace-period=0",
        "--force",
    ];
    succeeded(&node.bed.kubectl(&args)?)?;
    Ok(())
}

/// Kills the process of a pod as a crash would, and waits until it is dead.
async fn crash(pod: &str) -> Result<()> {
    let variable = format!("POD_NAME={pod}");
    let pid = process_with(&variable)?.with_context(|| format!("no process has {variable}"))?;
    signal(pid, "KILL")?;
    wait_for("the process to end", DEADLINE, || async {
        let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
        let state = stat.as_deref().unwrap_or_default().rsplit_once(") ");
        look(state.is_none_or(|(_, state)| state.starts_with('Z')), || {
            format!("{pid} lives")
        })
    })
    .await
}

/// The process whose environment holds that variable. The node's processes are seen from the host.
fn process_with(variable: &str) -> Result<Option<u32>> {
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let pid = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        // A process that ended meanwhile has no environment.
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        let has = environment
            .split(|byte| *byte == 0)
            .any(|one| one == variable.as_bytes());
        if let Some(pid) = pid.filter(|_| has) {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}

/// The leader is deleted, then the next one crashes, while metrics are read: each time reads go on with the new leader,
/// no value is ever one that the source no longer has, and scaling goes on.
pub(super) async fn reads_follow() -> Result<()> {
    let node = Node::shared().await?;
    let _alone = node.steady.write().await;
    with_namespace(&node.bed, "failover", async |ns| {
        let source = workload(node, ns).await?;
        source.set(ns.name(), Answer::Value(15.0));
        replicas(ns, "2 replicas", |n| n == 2).await?;
        source.set(ns.name(), Answer::Value(25.0));
        replicas(ns, "3 replicas", |n| n == 3).await?;
        let adapters = adapters(node).await?;
        let readers = Readers::start(ns, "25");
        readers.row(ROW).await?;
        let first = leader(node, "").await?;
        followed(&adapters, ns, &first, Timestamp::MIN).await?;
        readers.none_failed()?;

        let deleted = Timestamp::now();
        let args = [
            "delete",
            "pod",
            &first.pod,
            "--namespace",
            NAMESPACE,
            "--wait=false",
        ];
        succeeded(&node.bed.kubectl(&args)?)?;
        let second = leader(node, &first.identity).await?;
        ensure!(second.pod != first.pod, "{} leads again", second.pod);
        followed(&adapters, ns, &second, deleted).await?;
        readers.row(ROW).await?;
        recorded(&adapters, ns, &second, deleted).await?;

        crash(&second.pod).await?;
        let crashed = Timestamp::now();
        // Nobody leads now: whoever answers from here on has asked anew.
        source.set(ns.name(), Answer::Value(35.0));
        readers.expect("35");
        let third = leader(node, &second.identity).await?;
        followed(&adapters, ns, &third, crashed).await?;
        readers.row(ROW).await?;
        recorded(&adapters, ns, &third, crashed).await?;
        readers.stop().await?;

        replicas(ns, "4 replicas by the third leader", |n| n == 4).await?;
        source.set(ns.name(), Answer::Value(0.0));
        replicas(ns, "0 replicas", |n| n == 0).await?;
        settled(node).await
    })
    .await
}

/// The next leader ends what the first one began, and says so where it leads on; the Events say who did what.
pub(super) async fn controller_killed() -> Result<()> {
    let node = Node::shared().await?;
    let _alone = node.steady.write().await;
    with_namespace(&node.bed, "kill-controller", async |ns| {
        let source = workload(node, ns).await?;
        let first = leader(node, "").await?;
        begin(ns, &source).await?;
        force_delete(node, &first.pod)?;
        let held = replicas_now(ns).await?;
        ensure!((2..5).contains(&held), "not in the middle: {held} replicas");
        let second = leader(node, &first.identity).await?;
        replicas(ns, "5 replicas by the second leader", |n| n == 5).await?;
        let by = |leader: &Leader| {
            let pod = leader.pod.clone();
            move |event: &Value| event["reportingInstance"] == pod.as_str()
        };
        event(ns, "KEDAScaleTargetActivated", by(&first)).await?;
        let ledger = wait_for("the ledger of the second leader", DEADLINE, || async {
            node.ledger(ns.name(), "web").map_err(|e| format!("{e:#}"))
        })
        .await?;
        let took_over = format!("{} took over", second.pod);
        let told = ledger.first().map(|record| record["what"]["text"].to_string());
        ensure!(told.is_some_and(|text| text.contains(&took_over)), "{ledger:?}");
        source.set(ns.name(), Answer::Value(0.0));
        replicas(ns, "0 replicas", |n| n == 0).await?;
        event(ns, "KEDAScaleTargetDeactivated", by(&second)).await?;
        settled(node).await
    })
    .await
}

/// While no adapter serves, the replicas stay, and HPA and object say why; then the scale-up goes on.
pub(super) async fn adapters_killed() -> Result<()> {
    let node = Node::shared().await?;
    let _alone = node.steady.write().await;
    with_namespace(&node.bed, "kill-adapters", async |ns| {
        let source = workload(node, ns).await?;
        let both = pods(node, "keda-metrics-apiserver").await?;
        begin(ns, &source).await?;
        let held = without_adapters(node, ns, &both).await?;
        ensure!((2..5).contains(&held), "not in the middle: {held} replicas");
        replicas(ns, "5 replicas by new adapters", |n| n == 5).await?;
        holds(ns, "HPAActive", "True").await?;
        source.set(ns.name(), Answer::Value(0.0));
        replicas(ns, "0 replicas", |n| n == 0).await?;
        settled(node).await
    })
    .await
}

/// Kills the adapters on a node that takes no new pods until HPA and object have said what is missing; returns the
/// replicas of then.
async fn without_adapters(node: &Node, ns: &Namespace, adapters: &[Value]) -> Result<i64> {
    let name = &node.bed.state().real_node.as_ref().context("a real node")?.name;
    succeeded(&node.bed.kubectl(&["cordon", name])?)?;
    let missed = async {
        for pod in adapters {
            force_delete(
                node,
                pod["metadata"]["name"].as_str().context("a pod has a name")?,
            )?;
        }
        let said = holds(ns, "HPAActive", "False").await?;
        ensure!(said["reason"] == "FailedGetExternalMetric", "{said}");
        event(ns, "FailedGetExternalMetric", |event| event["type"] == "Warning").await?;
        let before = replicas_now(ns).await?;
        // The controller goes on polling, and its ledger tells that it left the replicas alone.
        let ledger = node.ledger(ns.name(), "web")?;
        let polled = ledger.iter().rfind(|record| record["what"]["kind"] == "poll");
        ensure!(
            polled.is_some_and(|poll| poll["what"]["replicas"] == before),
            "{ledger:?}"
        );
        ensure!(
            replicas_now(ns).await? == before,
            "the replicas changed from {before}"
        );
        anyhow::Ok(before)
    };
    let missed = missed.await;
    // The other cases need the node, too.
    succeeded(&node.bed.kubectl(&["uncordon", name])?)?;
    missed
}
