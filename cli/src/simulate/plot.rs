//! Plots of a run: characters for the terminal, SVG for documents, a page to look around in.

pub(crate) mod axis;
pub(crate) mod html;
pub(crate) mod svg;
pub(crate) mod terminal;
