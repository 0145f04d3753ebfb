//! Connections that scalers share.

pub(crate) mod redis;
