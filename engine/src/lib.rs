//! Every rule of KEDA, pure.
//!
//! ```text
//! ScaledObject -> desired (validate) -+-> reconcile -> actions   (finalizer, HPA, loop, status, Events)
//!                                     +-> activate  -> actions   (0 <-> 1: scale, status, Events)
//! actions -> an executor elsewhere carries them out and decides nothing
//! ledger, report, explain: what was done and why, for people
//! dry_run, hpa: what would be done, with nothing written; simulate: the same over time
//! ```
//!
//! Nothing in this crate reads a clock, an environment, a file or a network: time is an argument, the world is
//! a value of type `Seen` or `Observed`, effects are values of type `Action`.

#![warn(clippy::disallowed_methods)]

pub mod action;
pub mod activate;
pub mod condition;
pub mod desired;
pub mod diagnostic;
pub mod dry_run;
pub mod event;
pub mod explain;
pub mod fallback;
pub mod hpa;
pub mod hpa_spec;
pub mod ledger;
pub mod metric;
pub mod pause;
pub mod quantity;
pub mod reconcile;
pub mod report;
pub mod simulate;
pub mod status;
pub mod tune;
pub mod validate;
