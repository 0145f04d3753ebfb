//! The names of metrics that the records of one ring share.

use super::bytes::{Reader, Writer};
use crate::metric::MetricName;

/// Bytes that the names of one ring may take; what does not fit is written out in each record.
///
/// Names whose records are gone stay until the ring is empty: an object that is renamed again and again fills this, no more.
const MOST: usize = 256;

/// Names, each once, in the order in which they came.
#[derive(Clone, Default)]
pub(super) struct Names(Vec<u8>);

impl Names {
    /// The bytes they take.
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// Forgets them; no record may name one any more.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let mut names = Reader::new(&self.0);
        std::iter::from_fn(move || names.text())
    }

    /// Where a name stands, now that it was met.
    fn place(&mut self, name: &str) -> Option<usize> {
        if let Some(known) = self.iter().position(|known| known == name) {
            return Some(known);
        }
        let mut entry = Writer::default();
        entry.text(name, usize::MAX);
        let entry = entry.into_bytes();
        if self.0.len() + entry.len() > MOST {
            return None;
        }
        let place = self.iter().count();
        self.0.reserve_exact(entry.len());
        self.0.extend_from_slice(&entry);
        Some(place)
    }

    /// Writes a name: where it stands, or all of it after a zero.
    pub(super) fn write(&mut self, out: &mut Writer, name: &MetricName) {
        if let Some(place) = self.place(name.as_str()) {
            out.number(place as u128 + 1);
        } else {
            out.number(0);
            out.text(name.as_str(), usize::MAX);
        }
    }

    /// Reads a name.
    pub(super) fn read(&self, from: &mut Reader<'_>) -> Option<MetricName> {
        match from.number()?.checked_sub(1) {
            None => from.text().map(MetricName::new),
            Some(place) => self.iter().nth(usize::try_from(place).ok()?).map(MetricName::new),
        }
    }

    /// Steps over a name.
    pub(super) fn skip(from: &mut Reader<'_>) -> Option<()> {
        if from.number()? == 0 {
            from.bytes()?;
        }
        Some(())
    }
}
