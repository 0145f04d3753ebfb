//! The bed, the two processes and the objects that the measurements share.

use std::ops::Range;

use anyhow::Result;
use futures::StreamExt as _;
use futures::stream;
use harness::bed::Bed;
use harness::keda::Keda;
use harness::source::Source;
use serde_json::{Value, json};

/// Namespace of all objects.
pub(crate) const NAMESPACE: &str = "bench";
/// Creations under way at the same time.
pub(crate) const CREATORS: usize = 16;

/// Everything that is measured lives here.
pub(crate) struct Field {
    pub(crate) bed: Bed,
    pub(crate) keda: Keda,
    pub(crate) source: Source,
}

impl Field {
    /// Starts a control plane whose HPA controller looks every 15 s, as clusters do, and the two processes on it.
    pub(crate) async fn start() -> Result<Self> {
        let bed = Bed::start("bench", &["--sync-period", "15s"]).await?;
        let keda = Keda::start(&bed).await?;
        let source = Source::start().await?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        bed.cluster().create("", &namespace).await?;
        Ok(Self { bed, keda, source })
    }

    /// Creates targets and ScaledObjects.
    pub(crate) async fn create(&self, batch: Range<usize>) -> Result<()> {
        self.create_targets(batch.clone()).await?;
        self.create_objects(batch).await
    }

    /// Creates the Deployments, which stay at zero replicas: pods would cost the control plane, not what is measured.
    pub(crate) async fn create_targets(&self, batch: Range<usize>) -> Result<()> {
        self.each(batch.map(|index| target(&name(index)))).await
    }

    /// Creates the ScaledObjects.
    pub(crate) async fn create_objects(&self, batch: Range<usize>) -> Result<()> {
        self.each(batch.map(|index| self.object(&name(index), 30))).await
    }

    /// A ScaledObject on the Deployment of the same name.
    pub(crate) fn object(&self, name: &str, polling_interval: u32) -> Value {
        json!({
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"name": name},
                "pollingInterval": polling_interval,
                "cooldownPeriod": 1,
                "triggers": [{"type": "metrics-api", "metadata": {
                    "url": self.source.url(name), "valueLocation": "value", "targetValue": "10",
                }}],
            },
        })
    }

    async fn each(&self, objects: impl Iterator<Item = Value>) -> Result<()> {
        let created = stream::iter(objects)
            .map(|object| async move { self.bed.cluster().create(NAMESPACE, &object).await.map(drop) })
            .buffer_unordered(CREATORS);
        created.collect::<Vec<_>>().await.into_iter().collect()
    }
}

/// Name of an object, its target and the key of its source.
pub(crate) fn name(index: usize) -> String {
    format!("app-{index}")
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
