//! Every event source: what a trigger's metadata means, the connections that are shared, the values that come back.
//!
//! ```text
//! TriggerInput ──read──▶ Built ──▶ metrics for the HPA
//!                          └─ask─▶ Pool ──▶ Source ──▶ Sample
//! ```
//!
//! Scalers never see Kubernetes objects, only a [`TriggerInput`] whose references are resolved ([`auth`], [`env`]).
//! They read no clock and no process environment: time is an argument, settings arrive through [`Connect`].

#![warn(clippy::disallowed_methods)]

pub mod auth;
mod built;
mod catalog;
mod connect;
mod docs;
pub mod dry_run;
pub mod env;
mod error;
mod escape;
mod input;
pub mod metadata;
mod observer;
mod pool;
pub mod resolve;
mod scaler;
mod secret;
mod source;
mod target;
mod tls;
mod value_location;

pub use auth::{Place, Resolved, Scope};
pub use built::{Built, read};
pub use catalog::SCALERS;
pub use connect::{Connect, Endpoint, EndpointSource, MinTls, PodQuery, PodSource, Probing, Proxies, Retry};
pub use docs::docs;
pub use env::{Entries, LookupError, ResolveError, SecretSource};
pub use error::{Cause, ScalerError};
pub use input::{AuthParams, ContainerEnv, ObjectKey, TriggerInput};
pub use metadata::{Field, Kind, Origin, TriggerMetadata};
pub use observer::{Asker, Errand, Nulls, Observer};
pub use pool::{BreakerState, ConnectionReport, Look, Moment, Pool, PushEvent};
pub use resolve::{AuthenticationSource, Resolver};
pub use scaler::{History, Offer, OtherKeys, ScalerType, Span};
pub use secret::Secret;
pub use target::TargetSetting;
pub use tls::Roots;
