//! Why a metric gives no number of replicas, in upstream's words.

use std::fmt;
use std::sync::Arc;

use super::go;
use super::spec::{Metric, Source, Target};

/// Why one metric gives no number of replicas.
///
/// `Display` is the text of the Event; `MetricError::full` that of the error which comes out of the sync.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricError {
    /// The metric.
    pub metric: Arc<Metric>,
    /// What went wrong.
    pub cause: Cause,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The metrics client failed; with its text.
    Unread(Arc<str>),
    /// The target has no pods.
    NoPods,
    /// There are no ready pods to count, as there are no pods.
    NoReadyPods,
    /// No pod that counts has a value.
    NoMetrics,
    /// The pods with values request nothing.
    NoRequests,
    /// A container does not request the resource.
    MissingRequest {
        /// The container.
        container: Arc<str>,
        /// The pod.
        pod: Arc<str>,
    },
    /// A pod with requests at pod level does not request the resource.
    MissingPodRequest {
        /// The pod.
        pod: Arc<str>,
    },
    /// A pod lacks the container.
    MissingContainer {
        /// The pod.
        pod: Arc<str>,
    },
    /// There is nothing to compare with.
    NoTarget,
}

impl MetricError {
    /// The reason of the condition and the Event.
    pub fn reason(&self) -> &'static str {
        match self.metric.source {
            Source::Resource { .. } => "FailedGetResourceMetric",
            Source::ContainerResource { .. } => "FailedGetContainerResourceMetric",
            Source::Pods { .. } => "FailedGetPodsMetric",
            Source::Object { .. } => "FailedGetObjectMetric",
            Source::External { .. } => "FailedGetExternalMetric",
        }
    }

    /// The text with what `computeReplicasForMetric` puts before it.
    pub fn full(&self) -> String {
        let target = self.metric.target;
        match &self.metric.source {
            Source::Resource { resource } => {
                format!("failed to get {resource} resource metric value: {self}")
            }
            Source::ContainerResource { container, .. } => {
                format!("failed to get {container} container metric value: {self}")
            }
            Source::Pods { .. } => format!("failed to get pods metric value: {self}"),
            Source::Object { metric, .. } => match target {
                Target::AverageValue(_) => {
                    format!("failed to get object metric value: failed to get {metric} object metric: {self}")
                }
                _ => format!("failed to get object metric value: {self}"),
            },
            Source::External { metric, .. } => {
                let text = match target {
                    Target::AverageValue(_) => format!("failed to get {metric} external metric: {self}"),
                    Target::Value(_) => format!("failed to get external metric {metric}: {self}"),
                    _ => self.to_string(),
                };
                format!("failed to get {metric} external metric value: {text}")
            }
        }
    }

    fn write_unread(&self, f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
        let namespace = &self.metric.namespace;
        match &self.metric.source {
            Source::Resource { resource } | Source::ContainerResource { resource, .. } => {
                write!(f, "unable to get metrics for resource {resource}: {text}")
            }
            Source::Pods { metric, .. } => write!(f, "unable to get metric {metric}: {text}"),
            // Upstream gives the parts in this order to a format that names them differently.
            Source::Object { object, metric, .. } => {
                let (kind, name) = (&object.kind, &object.name);
                write!(
                    f,
                    "unable to get metric {metric}: {kind} on {namespace} {name}/{text}"
                )
            }
            Source::External { metric, selector } => {
                let selector = go::selector(selector.as_ref());
                write!(
                    f,
                    "unable to get external metric {namespace}/{metric}/{selector}: {text}"
                )
            }
        }
    }

    fn write_no_target(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.metric.source {
            Source::Object { .. } => {
                "invalid object metric source: neither a value target nor an average value target was set"
            }
            Source::External { .. } => {
                "invalid external metric source: neither a value target nor an average value target was set"
            }
            _ => {
                "invalid resource metric source: neither an average utilization target nor an average value (usage) \
                 target was set"
            }
        })
    }
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = self.metric.resource().unwrap_or_default();
        if self.metric.resource().is_some() {
            match self.metric.target {
                Target::AverageValue(_) => write!(f, "failed to get {resource} usage: ")?,
                Target::Utilization(_) => write!(f, "failed to get {resource} utilization: ")?,
                Target::Value(_) | Target::Missing => {}
            }
        }
        match &self.cause {
            Cause::Unread(text) => self.write_unread(f, text),
            Cause::NoPods => f.write_str("no pods returned by selector while calculating replica count"),
            Cause::NoReadyPods => f.write_str(
                "unable to calculate ready pods: no pods returned by selector while calculating replica count",
            ),
            Cause::NoMetrics => {
                f.write_str("did not receive metrics for targeted pods (pods might be unready)")
            }
            Cause::NoRequests => f.write_str("no metrics returned matched known pods"),
            Cause::MissingRequest { container, pod } => {
                write!(f, "missing request for {resource} in container {container} of Pod {pod}")
            }
            Cause::MissingPodRequest { pod } => {
                write!(f, "missing pod-level request for {resource} in Pod {pod}")
            }
            Cause::MissingContainer { pod } => {
                let container = match &self.metric.source {
                    Source::ContainerResource { container, .. } => container.as_str(),
                    _ => "",
                };
                write!(f, "container {container} not found in Pod {pod}")
            }
            Cause::NoTarget => self.write_no_target(f),
        }
    }
}

impl std::error::Error for MetricError {}

/// Some metrics failed; this is the first of them.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("invalid metrics ({invalid} invalid out of {total}), first error is: {}", first.full())]
pub struct MetricsError {
    /// How many failed.
    pub invalid: usize,
    /// Of how many.
    pub total: usize,
    /// The first failure.
    pub first: MetricError,
}
