//! The labels of a metric.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder};

/// Name and value of each label, in the order printed. All metrics that carry the same labels share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Labels(Arc<[(&'static str, Box<str>)]>);

impl Labels {
    /// Whether they are these.
    pub(super) fn are(&self, labels: &[(&'static str, &str)]) -> bool {
        let same = |((name, value), (other, wanted)): (&(&str, Box<str>), &(&str, &str))| {
            name == other && **value == **wanted
        };
        self.0.len() == labels.len() && self.0.iter().zip(labels).all(same)
    }
}

impl From<&[(&'static str, &str)]> for Labels {
    fn from(labels: &[(&'static str, &str)]) -> Self {
        Self(
            labels
                .iter()
                .map(|(name, value)| (*name, (*value).into()))
                .collect(),
        )
    }
}

impl<const N: usize> From<&[(&'static str, &str); N]> for Labels {
    fn from(labels: &[(&'static str, &str); N]) -> Self {
        Self::from(labels.as_slice())
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
