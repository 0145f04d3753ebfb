//! The labels of a metric.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder};

/// Name and value of each label, in the order printed. All metrics that carry the same labels share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Labels(Arc<[(&'static str, Box<str>)]>);

impl<const N: usize> From<[(&'static str, &str); N]> for Labels {
    fn from(labels: [(&'static str, &str); N]) -> Self {
        Self(
            labels
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect(),
        )
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.0.iter() {
            (*name, &**value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}
