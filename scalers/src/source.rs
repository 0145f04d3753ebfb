//! Connections that scalers share.

pub(crate) mod external;
pub(crate) mod http;
pub(crate) mod http_auth;
pub(crate) mod kubernetes;
pub(crate) mod redis;
