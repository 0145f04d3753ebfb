//! `tune`: which settings of a manifest would have done better.
//!
//! ```text
//! manifest ─▶ object ─▶ parameter (what is varied, and its values) ─▶ Space ─┐
//! series ───▶ held ──────────────────────────▶ trial (a simulation a point) ─┴▶ engine::tune ─▶ proposal
//!             goal (what is minimised, which rules hold) ──┘                                       │
//!                                                     scatter, print ◀─────────────────────────────┴▶ manifest::edit ─▶ diff
//! ```

pub(crate) mod goal;
pub(crate) mod grid;
pub(crate) mod parameter;
pub(crate) mod print;
pub(crate) mod proposal;
pub(crate) mod scatter;
pub(crate) mod trial;
