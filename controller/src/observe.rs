//! Reads the world: scale targets, their pods' environment, secrets. It never writes.

pub(crate) mod source;
pub(crate) mod target;
