//! A namespace of one's own for each case, with its state shown when the case fails.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::cluster::Cluster;
use crate::process::tail;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// What a failing case shows of its namespace.
const SHOWN: &[&str] = &[
    "ScaledObject",
    "ScaledJob",
    "TriggerAuthentication",
    "HorizontalPodAutoscaler",
    "Deployment",
    "StatefulSet",
    "Job",
];

/// A fresh namespace. It is asked to go when the case is over, and nobody waits for that.
pub struct Namespace {
    name: String,
    cluster: Cluster,
}

impl Namespace {
    /// Creates one whose name begins with `prefix`.
    pub async fn create(cluster: &Cluster, prefix: &str) -> Result<Self> {
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        cluster.create("", &object).await?;
        Ok(Self {
            name,
            cluster: cluster.clone(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client that created it.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Creates an object in it.
    pub async fn create_object(&self, object: &Value) -> Result<Value> {
        self.cluster.create(&self.name, object).await
    }

    /// The objects, Events and log ends that explain a failure.
    pub async fn dump(&self) -> String {
        let mut out = format!("---- namespace {}\n", self.name);
        for kind in SHOWN {
            for mut object in self.cluster.list(kind, &self.name).await.unwrap_or_default() {
                if let Some(metadata) = object["metadata"].as_object_mut() {
                    metadata.retain(|key, _| {
                        matches!(key.as_str(), "name" | "annotations" | "finalizers" | "labels")
                    });
                }
                let _ = writeln!(out, "{kind} {object}");
            }
        }
        for event in self.cluster.list("Event", &self.name).await.unwrap_or_default() {
            let _ = writeln!(
                out,
                "Event {} {} {}/{}: {}",
                text(&event, "type"),
                text(&event, "reason"),
                text(&event["regarding"], "kind"),
                text(&event["regarding"], "name"),
                text(&event, "note"),
            );
        }
        out
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

/// Runs a case in a namespace of its own. A failure carries what the namespace looked like and the ends of the logs.
pub async fn with_namespace<F>(bed: &Bed, prefix: &str, case: F) -> Result<()>
where
    F: AsyncFnOnce(&Namespace) -> Result<()>,
{
    let namespace = Namespace::create(bed.cluster(), prefix).await?;
    let result = case(&namespace).await;
    let result = match result {
        Ok(()) => Ok(()),
        Err(error) => Err(anyhow!("{error:#}\n{}{}", namespace.dump().await, logs(bed))),
    };
    bed.cluster().delete("Namespace", "", namespace.name()).await?;
    result
}

fn logs(bed: &Bed) -> String {
    let mut out = String::new();
    let dir = bed.dir().join("keda");
    let Ok(entries) = std::fs::read_dir(&dir) else {
        return out;
    };
    let mut paths: Vec<_> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .collect();
    paths.sort();
    for path in paths {
        let _ = writeln!(out, "---- {}\n{}", path.display(), tail(&path, 25));
    }
    out
}
