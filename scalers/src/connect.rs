//! What the process gives the sources: time limits, trusted roots, the way to the cluster.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::ScalerError;
use crate::observer::Observer;
use crate::tls::Roots;

/// One ready address behind a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address of the pod.
    pub address: IpAddr,
    /// The ports of its slice, by name; an unnamed port has an empty name.
    pub ports: Vec<(String, u16)>,
}

/// Finds the ready addresses behind a Service, from its `EndpointSlice`s.
pub trait EndpointSource: Send + Sync {
    /// The ready addresses behind `namespace/service`; none if there is no such Service.
    fn ready<'a>(
        &'a self,
        namespace: &'a str,
        service: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Endpoint>, ScalerError>>;
}

/// Pods that count together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodQuery {
    /// Their namespace.
    pub namespace: String,
    /// A label selector, as `kubectl get --selector` takes it.
    pub selector: String,
    /// Whether the nodes they run on are counted in their place.
    pub by_node: bool,
}

/// Counts pods that have not ended.
pub trait PodSource: Send + Sync {
    /// How many pods there are in neither of the phases `Succeeded` and `Failed`; or on how many nodes they are.
    fn count<'a>(&'a self, query: &'a PodQuery) -> BoxFuture<'a, Result<u64, ScalerError>>;
}

/// The lowest TLS version that a source may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MinTls {
    /// TLS 1.2, the default.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Which proxy an HTTP request takes, as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` URLs.
    pub http: Option<String>,
    /// For `https` URLs.
    pub https: Option<String>,
    /// Hosts that are asked directly, between commas.
    pub except: Option<String>,
}

/// How long a push stream waits before it is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// After a stream that ended without an error, or the first failure.
    pub first: Duration,
    /// At most; every failure doubles the wait up to it.
    pub most: Duration,
}

impl Default for Retry {
    /// Upstream's: 2 s, doubling to 60 s.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            most: Duration::from_mins(1),
        }
    }
}

/// When a source that answers nobody is asked no more, and how it is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probing {
    /// Failures in a row, each begun after the one before it.
    pub after: u32,
    /// The first pause before a probe.
    pub first: Duration,
    /// The longest pause; every probe that fails doubles it up to this.
    pub most: Duration,
}

impl Default for Probing {
    /// Three failures; pauses of 1 s doubling to 10 s, so that a source that came back is asked before most polls.
    fn default() -> Self {
        Self {
            after: 3,
            first: Duration::from_secs(1),
            most: Duration::from_secs(10),
        }
    }
}

/// Settings of the process that every source shares; built by the caller from flags and environment.
#[derive(Clone)]
pub struct Connect {
    /// How long one reading may take where the trigger does not say (`KEDA_HTTP_DEFAULT_TIMEOUT`, 3 s).
    pub timeout: Duration,
    /// The lowest TLS version (`KEDA_HTTP_MIN_TLS_VERSION`, TLS 1.2).
    pub min_tls: MinTls,
    /// Trusted roots: those of the system and the files of `--ca-dir`.
    pub roots: Roots,
    /// The proxies for HTTP.
    pub proxies: Proxies,
    /// Where ready addresses of Services come from; without a cluster there are none.
    pub endpoints: Option<Arc<dyn EndpointSource>>,
    /// Where pods are counted; without a cluster there are none.
    pub pods: Option<Arc<dyn PodSource>>,
    /// How long a source stays open that nobody asks.
    pub idle: Duration,
    /// How push streams are opened again.
    pub push_retry: Retry,
    /// When a source counts as silent, and how it is probed.
    pub probing: Probing,
    /// Who is told what sources do.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            min_tls: MinTls::default(),
            roots: Roots::default(),
            proxies: Proxies::default(),
            endpoints: None,
            pods: None,
            // Longer than KEDA's default polling interval (30 s) and its cooldown period (300 s), so that a trigger
            // that is polled at all keeps its connection.
            idle: Duration::from_mins(10),
            push_retry: Retry::default(),
            probing: Probing::default(),
            observer: None,
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("timeout", &self.timeout)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
