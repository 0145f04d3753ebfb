//! The bed, the two processes and the objects that the measurements share.

use std::ops::Range;

use anyhow::Result;
use futures::StreamExt as _;
use futures::stream;
use harness::bed::Bed;
use harness::keda::Keda;
use harness::source::Source;
use serde_json::{Value, json};

/// Creations under way at the same time.
pub(crate) const CREATORS: usize = 16;
/// Namespaces that the objects are spread over.
const NAMESPACES: usize = 10;
/// Seconds between two polls of an object that rests.
pub(crate) const INTERVAL: u32 = 30;
/// No reading comes near it.
const NEVER: f64 = 1e12;

/// Everything that is measured lives here.
pub(crate) struct Field {
    pub(crate) bed: Bed,
    pub(crate) keda: Keda,
    pub(crate) source: Source,
}

impl Field {
    /// Starts a control plane and the two processes on it. All targets rest at zero replicas, where an HPA reads no metric; its
    /// controller hardly ever looks, so that its own work is not measured with ours.
    pub(crate) async fn start() -> Result<Self> {
        let bed = Bed::start("bench", &["--sync-period", "10m"]).await?;
        let keda = Keda::start(&bed).await?;
        let source = Source::start().await?;
        let field = Self { bed, keda, source };
        for index in 0..NAMESPACES {
            field.namespace(&namespace(index)).await?;
        }
        Ok(field)
    }

    /// Creates a namespace.
    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.bed.cluster().create("", &namespace).await?;
        Ok(())
    }

    /// Creates targets and ScaledObjects that rest.
    pub(crate) async fn create(&self, batch: Range<usize>) -> Result<()> {
        self.create_targets(batch.clone()).await?;
        self.create_objects(batch).await
    }

    /// Creates the Deployments, which stay at zero replicas: pods would cost the control plane, not what is measured.
    pub(crate) async fn create_targets(&self, batch: Range<usize>) -> Result<()> {
        self.each(batch.map(|index| (namespace(index), target(&name(index)))))
            .await
    }

    /// Creates the ScaledObjects.
    pub(crate) async fn create_objects(&self, batch: Range<usize>) -> Result<()> {
        self.each(batch.map(|index| (namespace(index), self.resting(&name(index)))))
            .await
    }

    /// A ScaledObject that is polled and never active, whatever it reads.
    pub(crate) fn resting(&self, name: &str) -> Value {
        scaled_object(name, INTERVAL, &self.trigger(name, NEVER))
    }

    /// A trigger that reads a key of the source.
    pub(crate) fn trigger(&self, key: &str, active_above: f64) -> Value {
        json!({"type": "metrics-api", "metadata": {
            "url": self.source.url(key),
            "valueLocation": "value",
            "targetValue": "10",
            "activationTargetValue": active_above.to_string(),
        }})
    }

    /// Creates objects, each in its namespace.
    pub(crate) async fn each(&self, objects: impl Iterator<Item = (String, Value)>) -> Result<()> {
        let created = stream::iter(objects)
            .map(|(namespace, object)| async move {
                self.bed.cluster().create(&namespace, &object).await.map(drop)
            })
            .buffer_unordered(CREATORS);
        created.collect::<Vec<_>>().await.into_iter().collect()
    }
}

/// Name of an object, its target and the key of its source.
pub(crate) fn name(index: usize) -> String {
    format!("app-{index}")
}

/// Namespace of an object and its target.
pub(crate) fn namespace(index: usize) -> String {
    format!("bench-{}", index % NAMESPACES)
}

/// A ScaledObject on the Deployment of the same name.
pub(crate) fn scaled_object(name: &str, polling_interval: u32, trigger: &Value) -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"name": name},
            "pollingInterval": polling_interval,
            "cooldownPeriod": 1,
            "triggers": [trigger],
        },
    })
}

/// A Deployment without replicas.
pub(crate) fn target(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "registry.local/pause:1"}]},
            },
        },
    })
}
