//! Connections that scalers share.

pub(crate) mod amqp;
pub(crate) mod external;
pub(crate) mod http;
pub(crate) mod http_auth;
pub(crate) mod kafka;
pub(crate) mod kubernetes;
pub(crate) mod mysql;
pub(crate) mod nats;
pub(crate) mod nats_monitoring;
pub(crate) mod postgresql;
pub(crate) mod redis;
pub(crate) mod sql;
