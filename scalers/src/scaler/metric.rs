//! A metric as a scaler declares it.

use engine::metric::{MetricTarget, MetricType};
use engine::quantity::Quantity;

/// One metric as a scaler declares it: without index, without `metricType`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metric {
    /// Its name; normalised by the framework.
    pub(crate) name: String,
    /// What one replica should have.
    pub(crate) target: Target,
    /// The value above which the trigger is active.
    pub(crate) activation: f64,
}

/// A target value. Whole ones keep their sign, fractions are rounded to three decimals and never negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// Upstream: `GetMetricTarget`.
    Whole(i64),
    /// Upstream: `GetMetricTargetMili`.
    Fraction(f64),
}

impl Metric {
    /// A metric that is active above zero.
    pub(crate) fn new(name: impl Into<String>, target: Target) -> Self {
        Self {
            name: engine::metric::normalize(&name.into()),
            target,
            activation: 0.0,
        }
    }

    /// A metric whose name is used as it is.
    pub(crate) fn verbatim(name: impl Into<String>, target: Target) -> Self {
        Self {
            name: name.into(),
            target,
            activation: 0.0,
        }
    }

    /// The same metric with another activation threshold.
    pub(crate) fn active_above(mut self, threshold: f64) -> Self {
        self.activation = threshold;
        self
    }

    /// The target as the HPA gets it.
    pub(crate) fn target(&self, kind: MetricType) -> MetricTarget {
        let quantity = match self.target {
            Target::Whole(whole) => Quantity::from_i64(whole),
            Target::Fraction(fraction) => Quantity::from_f64_milli(fraction),
        };
        MetricTarget::external(kind, quantity)
    }
}
