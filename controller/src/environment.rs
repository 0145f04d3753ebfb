//! Settings that arrive as environment variables, with upstream's names and defaults.
//!
//! A value that cannot be read keeps the default and is reported once, at the start; KEDA does the same or exits, by variable.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::args::go_duration;

/// Namespace file that every service account brings.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// How many ScaledObjects are reconciled at once unless a variable says otherwise.
// DEVIATION: upstream's default is 5. A reconcile mostly waits for the API server, whose own fairness governs; the outcome is the same.
const WORKERS: usize = 24;

/// The environment, read once.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    /// Namespaces to watch; empty for all.
    pub(crate) watch_namespaces: Vec<String>,
    /// Label selector for ScaledObjects, ScaledJobs and HPAs.
    pub(crate) watch_selector: Option<String>,
    /// Label selector for both kinds of TriggerAuthentication.
    pub(crate) watch_selector_auth: Option<String>,
    /// Namespace that this operator runs in.
    pub(crate) namespace: String,
    /// Namespace that a `ClusterTriggerAuthentication` looks up secrets in.
    pub(crate) cluster_object_namespace: String,
    /// Name of the pod, else of the machine.
    pub(crate) pod_name: String,
    /// Time that one HTTP request of a scaler may take.
    pub(crate) http_timeout: Duration,
    /// Lowest TLS version of scalers.
    pub(crate) http_min_tls: String,
    /// Reads only secrets of the operator's own namespace.
    pub(crate) restrict_secret_access: bool,
    /// Warns with an Event of metadata keys that no scaler reads.
    pub(crate) check_unexpected_parameters: bool,
    /// How many ScaledObjects are reconciled at once.
    pub(crate) scaled_object_workers: usize,
    /// How long a Lease holds without renewal.
    pub(crate) lease_duration: Duration,
    /// How long the leader tries to renew before it gives up.
    pub(crate) renew_deadline: Duration,
    /// Pause between two tries for the Lease.
    pub(crate) retry_period: Duration,
    /// Proxies for scalers, by variable.
    pub(crate) proxies: BTreeMap<String, String>,
    /// What could not be read, in words for the log.
    pub(crate) complaints: Vec<String>,
}

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn from_process() -> Self {
        Self::read(&|name| std::env::var(name).ok(), &|| {
            std::fs::read_to_string("/proc/sys/kernel/hostname")
                .map(|name| name.trim().to_owned())
                .ok()
        })
    }

    /// Reads the variables through `get`, so that a test can set them.
    fn read(get: &dyn Fn(&str) -> Option<String>, host: &dyn Fn() -> Option<String>) -> Self {
        let mut reader = Reader {
            get,
            complaints: Vec::new(),
        };
        let namespace = reader.text("POD_NAMESPACE").unwrap_or_else(|| "keda".to_owned());
        let cluster_object_namespace = reader
            .text("KEDA_CLUSTER_OBJECT_NAMESPACE")
            .or_else(own_namespace)
            .unwrap_or_else(|| namespace.clone());
        let millis = reader.number("KEDA_HTTP_DEFAULT_TIMEOUT", 3000_i64);
        let http_timeout =
            Duration::from_millis(u64::try_from(millis).ok().filter(|ms| *ms > 0).unwrap_or(300));
        let mut environment = Self {
            watch_namespaces: namespaces(get("WATCH_NAMESPACE")),
            watch_selector: reader.text("WATCH_LABEL_SELECTOR"),
            watch_selector_auth: reader.text("WATCH_LABEL_SELECTOR_FOR_TRIGGERAUTH"),
            namespace,
            cluster_object_namespace,
            pod_name: reader
                .text("POD_NAME")
                .or_else(host)
                .unwrap_or_else(|| "keda-operator".to_owned()),
            http_timeout,
            http_min_tls: reader
                .text("KEDA_HTTP_MIN_TLS_VERSION")
                .unwrap_or_else(|| "TLS12".to_owned()),
            restrict_secret_access: get("KEDA_RESTRICT_SECRET_ACCESS")
                .is_some_and(|v| v.eq_ignore_ascii_case("true")),
            check_unexpected_parameters: get("KEDA_CHECK_UNEXPECTED_SCALERS_PARAMS").as_deref()
                == Some("enabled"),
            scaled_object_workers: reader
                .number("KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES", WORKERS)
                .max(1),
            lease_duration: reader.duration("KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION", 15),
            renew_deadline: reader.duration("KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE", 10),
            retry_period: reader.duration("KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD", 2),
            proxies: proxies(get),
            complaints: Vec::new(),
        };
        if reader
            .text("KEDA_HTTP_DISABLE_KEEP_ALIVE")
            .is_some_and(|text| text == "true")
        {
            reader.complaints.push(
                "KEDA_HTTP_DISABLE_KEEP_ALIVE has no effect here: connections are shared and reused"
                    .to_owned(),
            );
        }
        environment.complaints = reader.complaints;
        environment
    }
}

/// The namespace of the pod's service account.
fn own_namespace() -> Option<String> {
    let text = std::fs::read_to_string(NAMESPACE_FILE).ok()?;
    Some(text.trim().to_owned())
}

/// The proxy settings, by variable.
fn proxies(get: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let names = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    ];
    let set = names
        .into_iter()
        .filter_map(|name| get(name).map(|value| (name.to_owned(), value)));
    set.collect()
}

/// Reads `WATCH_NAMESPACE`: empty, or two quote characters, is all namespaces.
fn namespaces(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    if text == "\"\"" {
        return Vec::new();
    }
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    // Each once: two watches of one namespace would take each other's objects for deleted.
    let names: BTreeSet<&str> = names.collect();
    names.into_iter().map(str::to_owned).collect()
}

struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    complaints: Vec<String>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.is_empty())
    }

    fn number<T: std::str::FromStr + std::fmt::Display>(&mut self, name: &str, default: T) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            self.complaints.push(format!(
                "{name} is `{text}`, which must be a number; {default} is used"
            ));
            default
        })
    }

    fn duration(&mut self, name: &str, default_seconds: u64) -> Duration {
        let default = Duration::from_secs(default_seconds);
        let Some(text) = self.text(name) else {
            return default;
        };
        go_duration(&text).unwrap_or_else(|problem| {
            self.complaints
                .push(format!("{name}: {problem}; {default_seconds}s is used"));
            default
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Environment {
        let pairs: BTreeMap<String, String> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Environment::read(&|name| pairs.get(name).cloned(), &|| Some("host".to_owned()))
    }

    #[test]
    fn defaults_are_upstreams() {
        let env = read(&[]);
        assert_eq!(env.namespace, "keda");
        assert_eq!(env.http_timeout, Duration::from_secs(3));
        assert_eq!(env.lease_duration, Duration::from_secs(15));
        assert_eq!(env.scaled_object_workers, WORKERS);
        assert_eq!(env.pod_name, "host");
        assert!(env.watch_namespaces.is_empty() && env.complaints.is_empty());
    }

    #[test]
    fn watch_namespace_takes_quotes_and_lists() {
        assert!(read(&[("WATCH_NAMESPACE", "\"\"")]).watch_namespaces.is_empty());
        assert_eq!(
            read(&[("WATCH_NAMESPACE", "a, b,a")]).watch_namespaces,
            ["a", "b"]
        );
    }

    #[test]
    fn a_timeout_of_zero_is_300_milliseconds() {
        assert_eq!(
            read(&[("KEDA_HTTP_DEFAULT_TIMEOUT", "0")]).http_timeout,
            Duration::from_millis(300)
        );
    }

    #[test]
    fn unreadable_values_are_reported_and_defaulted() {
        let env = read(&[
            ("KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD", "soon"),
            ("KEDA_HTTP_DEFAULT_TIMEOUT", "x"),
        ]);
        assert_eq!(env.retry_period, Duration::from_secs(2));
        assert_eq!(env.complaints.len(), 2);
    }
}
