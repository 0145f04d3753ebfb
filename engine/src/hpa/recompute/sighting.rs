//! What is remembered of an HPA until it is seen again.

use std::hash::{DefaultHasher, Hasher};
use std::io;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde::Serialize;

/// How an HPA was seen: enough to tell what became of it since. There is one for every object, and an HPA itself takes some
/// kilobytes: its parts are marked by a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    uid: Option<String>,
    pub(super) spec: u64,
    pub(super) status: u64,
}

impl Sighting {
    /// Looks at an HPA.
    pub fn of(hpa: &HorizontalPodAutoscaler) -> Self {
        Self {
            uid: hpa.metadata.uid.clone(),
            spec: mark(&hpa.spec),
            status: mark(&hpa.status),
        }
    }

    /// Whether both are looks at the same HPA, rather than at one that was made anew.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.uid == other.uid
    }

    /// Whether both looks found the same spec.
    pub fn has_spec_of(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

/// Equal for what is written alike, and with near certainty only for that.
pub fn mark(part: &impl Serialize) -> u64 {
    let mut writer = Hashing(DefaultHasher::new());
    // Neither the types of the API nor the writer fail.
    drop(serde_json::to_writer(&mut writer, part));
    writer.0.finish()
}

struct Hashing(DefaultHasher);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
