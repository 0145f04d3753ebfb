//! Metrics of the HPA's decisions as recomputed. KEDA has none of these.

use prometheus_client::registry::Registry;

use super::{Counters, Labels, Metrics, counter};

/// Metrics of recomputed decisions.
#[derive(Debug)]
pub(super) struct Hpa {
    recomputed: Counters,
    differences: Counters,
}

impl Hpa {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            recomputed: counter(
                registry,
                "keda_hpa_recomputed",
                "Decisions of the HPA that were recomputed, by verdict",
            ),
            differences: counter(
                registry,
                "keda_hpa_differences",
                "Decisions of the HPA of a ScaledObject that differ from the recomputed ones",
            ),
        }
    }

    /// Takes back what carries these labels.
    pub(super) fn remove(&self, labels: &Labels) {
        self.differences.remove(labels);
    }
}

impl Metrics {
    /// Counts a recomputed decision, and a difference for its object.
    pub(crate) fn recomputed(&self, namespace: &str, object: &str, verdict: &'static str) {
        let hpa = &self.0.hpa;
        let labels = self.keep("", "", &[("verdict", verdict)]);
        hpa.recomputed.get_or_create(&labels).inc();
        if !matches!(verdict, "agrees" | "unknown") {
            let labels = self.object(namespace, object);
            hpa.differences.get_or_create(&labels).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_their_object_until_it_is_gone() {
        let metrics = Metrics::new();
        for verdict in ["agrees", "differs", "unknown", "other_writer"] {
            metrics.recomputed("ns", "so", verdict);
        }
        let line = r#"keda_hpa_differences_total{namespace="ns",scaledObject="so"} 2"#;
        assert!(metrics.text().contains(line), "{}", metrics.text());
        let line = r#"keda_hpa_recomputed_total{verdict="agrees"} 1"#;
        assert!(metrics.text().contains(line), "{}", metrics.text());
        metrics.forget("ns", "so");
        assert!(!metrics.text().contains(r#""so""#), "{}", metrics.text());
    }
}
