//! What `install`, `upgrade` and `uninstall` share: the objects, and how they reach a cluster and leave it.
//!
//! ```text
//! options ─▶ manifests (typed, ordered) ─▶ apply (server-side) ─▶ wait (rollout: what is missing, and why)
//!                                   └────▶ remove (the other way round)
//! ```
//! The only part of the command line that writes to a cluster.

pub(crate) mod apply;
pub(crate) mod flags;
pub(crate) mod manifests;
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod present;
pub(crate) mod remove;
pub(crate) mod rollout;
pub(crate) mod run;
pub(crate) mod wait;
