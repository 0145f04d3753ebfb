//! A trigger that was read and found right.

use std::sync::Arc;

use engine::diagnostic::{Diagnostic, FieldPath};
use engine::metric::{ExternalMetric, MetricName, MetricType, TriggerMetrics};

use crate::catalog::{self, SCALERS};
use crate::metadata::{self, Reader};
use crate::observer::Asker;
use crate::pool::Pool;
use crate::scaler::{Checked, ErasedTrigger, Metric, OtherKeys, ScalerType};
use crate::{ObjectKey, ScalerError, TriggerInput};

/// A checked trigger. It holds credentials, and prints none of them.
#[derive(Clone, Debug)]
pub struct Built {
    pub(crate) checked: Checked,
    pub(crate) index: usize,
    /// Who asks.
    pub(crate) asker: Arc<Asker>,
    scaler: &'static ScalerType,
    name: Option<String>,
    object: ObjectKey,
    metric_type: MetricType,
    warnings: Vec<Diagnostic>,
}

/// Reads a trigger. The error holds every mistake at once, warnings included.
pub fn read(input: &TriggerInput) -> Result<Built, Vec<Diagnostic>> {
    let Some(scaler) = SCALERS.iter().copied().find(|scaler| scaler.name == input.type_) else {
        return Err(vec![catalog::unknown_type(input)]);
    };
    let mut reader = Reader::new(input);
    let checked = (scaler.read)(&mut reader);
    let metric_type = match &checked {
        Some(Checked::Resource(metric)) => metric.target.kind(),
        _ if scaler.measured => MetricType::AverageValue,
        _ => external_type(input, &mut reader),
    };
    if scaler.other_keys == OtherKeys::Unknown {
        for warning in metadata::unknown_keys(input, scaler.name, scaler.fields) {
            reader.push(warning);
        }
    }
    let failed = reader.has_errors();
    let findings = reader.into_diagnostics();
    match checked {
        Some(checked) if !failed => Ok(Built {
            checked,
            index: input.index,
            asker: Arc::new(Asker::new(input, scaler.name)),
            scaler,
            name: input.name.clone(),
            object: input.object.clone(),
            metric_type,
            warnings: findings,
        }),
        _ => Err(findings),
    }
}

fn external_type(input: &TriggerInput, reader: &mut Reader<'_>) -> MetricType {
    MetricType::for_external(input.metric_type.as_deref()).unwrap_or_else(|error| {
        let path = FieldPath::trigger(input.index).field("metricType");
        reader.push(Diagnostic::error("bad-metric-type", path, error.to_string()));
        MetricType::AverageValue
    })
}

impl Built {
    /// The entry of the catalog.
    pub fn scaler(&self) -> &'static ScalerType {
        self.scaler
    }

    /// Position in `spec.triggers`.
    pub fn index(&self) -> usize {
        self.index
    }

    /// `triggers[].name`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The object it belongs to.
    pub fn object(&self) -> &ObjectKey {
        &self.object
    }

    /// Findings that do not keep it from working.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Its metrics as the HPA gets them; `None` where the source has to be asked, see [`Built::specs`].
    pub fn metrics(&self) -> Option<TriggerMetrics> {
        match &self.checked {
            Checked::Resource(metric) => Some(TriggerMetrics::Resource(metric.clone())),
            Checked::External(trigger) => trigger.metrics().map(|metrics| self.complete(&metrics)),
        }
    }

    /// Its metrics as the HPA gets them. Only external scalers are asked for them.
    pub async fn specs(&self, pool: &Pool) -> Result<TriggerMetrics, ScalerError> {
        match (self.metrics(), &self.checked) {
            (Some(metrics), _) => Ok(metrics),
            (None, Checked::External(trigger)) => {
                let metrics = trigger.specs(pool, &self.asker).await?;
                Ok(self.complete(&metrics))
            }
            (None, Checked::Resource(_)) => Ok(TriggerMetrics::External(Vec::new())),
        }
    }

    /// Adds what scalers never see: the index and the type of the target.
    pub(crate) fn complete(&self, metrics: &[Metric]) -> TriggerMetrics {
        let external = metrics.iter().map(|metric| ExternalMetric {
            name: MetricName::indexed(self.index, &metric.name),
            target: metric.target(self.metric_type),
        });
        TriggerMetrics::External(external.collect())
    }

    /// Who it asks, without credentials; `None` where the HPA measures by itself.
    pub fn endpoint(&self) -> Option<String> {
        match &self.checked {
            Checked::External(trigger) => Some(trigger.endpoint()),
            Checked::Resource(_) => None,
        }
    }

    /// The value above which the trigger is active; `None` where only the source knows.
    pub fn activation(&self, metric: &MetricName) -> Option<f64> {
        let Checked::External(trigger) = &self.checked else {
            return None;
        };
        trigger.metrics()?;
        let (_, activation) = self.own_metric(&**trigger, metric).ok()?;
        Some(activation)
    }

    /// The scaler's own name of a metric, and the value above which the trigger is active.
    pub(crate) fn own_metric(
        &self,
        trigger: &dyn ErasedTrigger,
        metric: &MetricName,
    ) -> Result<(String, f64), ScalerError> {
        let asked = self.own_name(metric)?;
        let Some(known) = trigger.metrics() else {
            return Ok((asked.to_owned(), 0.0));
        };
        known
            .into_iter()
            .find(|known| known.name.eq_ignore_ascii_case(asked))
            .map(|found| (found.name, found.activation))
            .ok_or_else(|| ScalerError::UnknownMetric(metric.to_string()))
    }

    /// The scaler's own name of a metric, if this trigger can have it.
    pub(crate) fn own_name<'a>(&self, metric: &'a MetricName) -> Result<&'a str, ScalerError> {
        let prefix = format!("s{}-", self.index);
        let (text, unknown) = (metric.as_str(), || ScalerError::UnknownMetric(metric.to_string()));
        // Upstream compares names without regard to case: the metrics API may lower them.
        let start = text.get(..prefix.len()).ok_or_else(unknown)?;
        if start.eq_ignore_ascii_case(&prefix) {
            Ok(&text[prefix.len()..])
        } else {
            Err(unknown())
        }
    }
}
