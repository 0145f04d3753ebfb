//! Which controller is asked, and which names its certificate may carry. Pure.

use std::fmt;
use std::net::IpAddr;

/// Service of the controller, as KEDA names it.
const SERVICE: &str = "keda-operator";

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `--metrics-service-address`.
    Flag,
    /// The holder of the Lease.
    Lease,
    /// The Service, where no Lease can be followed.
    Service,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Lease => "lease",
            Self::Service => "service",
        })
    }
}

/// Which controller is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `host:port`.
    pub(crate) address: String,
    /// Names of which its certificate must carry one; the first goes into the calls.
    pub(crate) names: Vec<String>,
    /// Where the address comes from.
    pub(crate) source: Source,
    /// Holder of the Lease, empty when it is not followed.
    pub(crate) holder: String,
    /// Why the Lease is not followed, empty when it is.
    pub(crate) note: String,
}

/// What is known of the installation before anything is asked.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Namespace of the controller.
    pub(crate) namespace: String,
    /// `--metrics-service-grpc-authority`; empty for none.
    pub(crate) authority: String,
}

impl Place {
    /// The address that the user gave. A certificate seldom names an IP address, so the Service's names do as well there: either
    /// way it must come from our CA.
    pub(crate) fn given(&self, address: &str) -> Endpoint {
        let host = host(address);
        let mut names = vec![host.to_owned()];
        if host.parse::<IpAddr>().is_ok() || host == "localhost" {
            names.extend(self.service_names());
        }
        self.endpoint(address.to_owned(), names, Source::Flag, "")
    }

    /// The pod that holds the Lease.
    pub(crate) fn pod(&self, ip: IpAddr, holder: &str) -> Endpoint {
        let address = std::net::SocketAddr::new(ip, rpc::METRICS_PORT).to_string();
        Endpoint {
            holder: holder.to_owned(),
            ..self.endpoint(address, self.service_names(), Source::Lease, "")
        }
    }

    /// The Service, and why not the Lease.
    pub(crate) fn service(&self, holder: &str, note: &str) -> Endpoint {
        let address = format!(
            "{SERVICE}.{}.svc.cluster.local:{}",
            self.namespace,
            rpc::METRICS_PORT
        );
        Endpoint {
            holder: holder.to_owned(),
            ..self.endpoint(address, self.service_names(), Source::Service, note)
        }
    }

    fn endpoint(&self, address: String, names: Vec<String>, source: Source, note: &str) -> Endpoint {
        let names = if self.authority.is_empty() {
            names
        } else {
            vec![host(&self.authority).to_owned()]
        };
        Endpoint {
            address,
            names,
            source,
            holder: String::new(),
            note: note.to_owned(),
        }
    }

    /// Names that the certificates of an installation carry, see the rotation in the controller.
    fn service_names(&self) -> Vec<String> {
        let namespace = &self.namespace;
        vec![
            format!("{SERVICE}.{namespace}.svc"),
            format!("{SERVICE}.{namespace}.svc.cluster.local"),
            format!("{SERVICE}.{namespace}"),
        ]
    }
}

/// The host of `host:port` or `[v6]:port`; a target scheme of gRPC in Go (`dns:///`) is left out.
fn host(address: &str) -> &str {
    let address = address.rsplit('/').next().unwrap_or(address);
    match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => address.rsplit_once(':').map_or(address, |(host, _)| host),
    }
}

/// The pod in the identity of a Lease's holder, `pod_uuid`; `None` when it is not written so.
pub(crate) fn pod_of(holder: &str) -> Option<&str> {
    let (pod, unique) = holder.rsplit_once('_')?;
    (!pod.is_empty() && !unique.is_empty()).then_some(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(authority: &str) -> Place {
        Place {
            namespace: "keda".into(),
            authority: authority.into(),
        }
    }

    #[track_caller]
    fn check(address: &str, authority: &str, first: &str, count: usize) {
        let endpoint = place(authority).given(address);
        assert_eq!(
            (endpoint.names[0].as_str(), endpoint.names.len()),
            (first, count),
            "{address}"
        );
    }

    #[test]
    fn a_given_address_names_the_server_unless_it_is_an_ip() {
        check(
            "keda-operator.keda.svc.cluster.local:9666",
            "",
            "keda-operator.keda.svc.cluster.local",
            1,
        );
        check("127.0.0.1:9666", "", "127.0.0.1", 4);
        check("[::1]:9666", "", "::1", 4);
        check("localhost:9666", "", "localhost", 4);
        check(
            "127.0.0.1:9666",
            "keda-operator.other.svc",
            "keda-operator.other.svc",
            1,
        );
        check("127.0.0.1:9666", "keda-operator:9666", "keda-operator", 1);
    }

    #[test]
    fn a_pod_is_dialled_by_address_and_checked_by_name() {
        let endpoint = place("").pod("10.1.2.3".parse().expect("an address"), "keda-operator-1_abc");
        assert_eq!(endpoint.address, "10.1.2.3:9666");
        assert_eq!(endpoint.names[0], "keda-operator.keda.svc");
        assert_eq!(
            place("")
                .pod("fd00::1".parse().expect("an address"), "x_y")
                .address,
            "[fd00::1]:9666"
        );
    }

    #[test]
    fn holders_are_pods_with_something_unique() {
        assert_eq!(pod_of("keda-operator-5d4f_8a7e2c"), Some("keda-operator-5d4f"));
        assert_eq!(pod_of("host_name_8a7e2c"), Some("host_name"));
        assert_eq!(pod_of("somebody"), None);
        assert_eq!(pod_of("_x"), None);
    }
}
