//! Plans carried out in a model of a cluster: recorded cases, lifecycles and properties.

#![expect(
    clippy::unwrap_used,
    reason = "clippy allows it in tests only where it sees a `#[test]`"
)]

mod goldens;
mod lifecycle;
mod model;
mod properties;
