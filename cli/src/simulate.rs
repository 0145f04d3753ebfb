//! `simulate`: what a manifest would have done with recorded or made-up load.
//!
//! ```text
//! manifest ─▶ object ─────┐
//! series, load ─▶ columns ┴▶ run (engine::simulate) ─▶ figures, print ─▶ assertion
//!                                └▶ trace ─▶ plot (terminal, SVG, page)
//! ```

pub(crate) mod assertion;
pub(crate) mod columns;
pub(crate) mod feed;
pub(crate) mod figures;
pub(crate) mod held;
pub(crate) mod keep;
pub(crate) mod length;
pub(crate) mod load;
pub(crate) mod object;
pub(crate) mod plot;
pub(crate) mod print;
pub(crate) mod prometheus;
pub(crate) mod run;
pub(crate) mod series;
pub(crate) mod trace;
