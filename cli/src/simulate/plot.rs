//! Plots of a run: characters for the terminal, SVG for documents, a page to look around in.

mod axis;
pub(crate) mod html;
pub(crate) mod svg;
pub(crate) mod terminal;
