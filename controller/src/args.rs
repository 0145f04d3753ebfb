//! Flags of the operator, as KEDA spells them, and Go's way of writing them.
//!
//! Every flag of upstream's operator is accepted so that manifests and harnesses keep working; those without an
//! effect here are listed in [`Args::inert`] and logged at the start.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};

/// Command line of `keda-controller`.
#[derive(Clone, Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of upstream's")]
#[command(
    name = "keda-controller",
    version,
    about = "Reconciles ScaledObjects and serves metric values to the metrics adapter"
)]
pub(crate) struct Args {
    /// Kubeconfig file; without it KUBECONFIG, then the service account of the pod.
    #[arg(long)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use.
    #[arg(long)]
    pub(crate) context: Option<String>,
    /// Address of `/metrics`; `0` turns it off.
    #[arg(long, default_value = ":8080", value_parser = bind_address)]
    pub(crate) metrics_bind_address: Bind,
    /// Address of `/healthz` and `/readyz`; `0` turns them off.
    #[arg(long, default_value = ":8081", value_parser = bind_address)]
    pub(crate) health_probe_bind_address: Bind,
    /// Address of the metrics service that the metrics adapter asks.
    #[arg(long, default_value = ":9666", value_parser = bind_address)]
    pub(crate) metrics_service_bind_address: Bind,
    /// Address of the debug API that `kubectl keda` asks; `0` turns it off.
    #[arg(long, default_value = ":9667", value_parser = bind_address)]
    pub(crate) debug_bind_address: Bind,
    /// Serves Prometheus metrics.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, action = ArgAction::Set)]
    pub(crate) enable_prometheus_metrics: bool,
    /// Takes part in leader election.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, action = ArgAction::Set)]
    pub(crate) leader_elect: bool,
    /// Name of the Lease that elects the leader.
    #[arg(long, default_value = "operator.keda.sh")]
    pub(crate) leader_election_id: String,
    /// Requests a second to the API server; without this flag there is no client-side limit.
    #[arg(long)]
    pub(crate) kube_api_qps: Option<f64>,
    /// Requests that may go out at once when `--kube-api-qps` is given.
    #[arg(long)]
    pub(crate) kube_api_burst: Option<u64>,
    /// Secret that holds the certificates.
    #[arg(long, default_value = "kedaorg-certs")]
    pub(crate) cert_secret_name: String,
    /// Folder with `ca.crt`, `tls.crt` and `tls.key`.
    #[arg(long, default_value = "/certs")]
    pub(crate) cert_dir: PathBuf,
    /// Service in front of this operator.
    #[arg(long, default_value = "keda-operator")]
    pub(crate) operator_service_name: String,
    /// Service in front of the metrics adapter.
    #[arg(long, default_value = "keda-metrics-apiserver")]
    pub(crate) metrics_server_service_name: String,
    /// Service in front of the admission webhooks.
    #[arg(long, default_value = "keda-admission-webhooks")]
    pub(crate) webhooks_service_name: String,
    /// DNS domain of the cluster.
    #[arg(long, default_value = "cluster.local")]
    pub(crate) k8s_cluster_domain: String,
    /// Makes and rotates the certificate authority and the certificates.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, action = ArgAction::Set)]
    pub(crate) enable_cert_rotation: bool,
    /// How long a new authority is published before it signs, so that every reader trusts it by then.
    #[arg(long, default_value = "3m", value_parser = go_duration)]
    pub(crate) cert_overlap: Duration,
    /// Writes the authority into the APIService of the metrics adapter.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, action = ArgAction::Set)]
    pub(crate) enable_apiservice_patching: bool,
    /// Folders with further certificate authorities for scalers; may be repeated.
    #[arg(long, default_value = "/custom/ca", value_delimiter = ',')]
    pub(crate) ca_dir: Vec<PathBuf>,
    /// Folder under which `filePath` authentication may read.
    #[arg(long, default_value = "")]
    pub(crate) filepath_auth_root_path: String,
    /// `--horizontal-pod-autoscaler-tolerance` of kube-controller-manager, with which decisions of the HPA are recomputed.
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub(crate) hpa_tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization` of kube-controller-manager, as above.
    #[arg(long, default_value = "5m", value_parser = go_duration)]
    pub(crate) hpa_downscale_stabilization: Duration,
    /// Idle connections kept in total; `0` is no limit.
    #[arg(long, default_value_t = 0)]
    pub(crate) http_max_idle_conns: usize,
    /// Idle connections kept for one host.
    #[arg(long, default_value_t = 1000, value_parser = positive)]
    pub(crate) http_max_idle_conns_per_host: usize,
    /// How long an idle connection is kept.
    #[arg(long, default_value = "90s", value_parser = go_duration)]
    pub(crate) http_idle_conn_timeout: Duration,
    /// Log level: debug, info, error, panic, or a number for more detail than info.
    #[arg(long, default_value = "info")]
    pub(crate) zap_log_level: String,
    /// Log format: json or console.
    #[arg(long, default_value = "console", value_parser = ["json", "console"])]
    pub(crate) zap_encoder: String,
    /// Time format of the log: epoch, millis, nano, iso8601, rfc3339 or rfc3339nano.
    #[arg(long, default_value = "rfc3339", value_parser = ["epoch", "millis", "nano", "iso8601", "rfc3339", "rfc3339nano"])]
    pub(crate) zap_time_encoding: String,
    /// Flags that were given and have no effect here.
    #[arg(skip)]
    pub(crate) inert: Vec<String>,
}

/// Where to listen: an address, or nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    /// `0`: not served.
    Off,
    /// The address to listen on: `host:port`, or `:port` for every address of the machine.
    At(String),
}

/// Flags of upstream that need nothing here, with why. The boolean ones stand alone; the others take a value.
const INERT: &[(&str, bool)] = &[
    ("enable-opentelemetry-metrics", true),
    ("enable-high-cardinality-metrics-labels", true),
    ("profiling-bind-address", false),
    ("disable-compression", true),
    ("k8s-cluster-name", false),
    ("validating-webhook-name", false),
    ("enable-webhook-patching", true),
    ("zap-devel", true),
    ("zap-stacktrace-level", false),
    ("add_dir_header", true),
    ("alsologtostderr", true),
    ("log_backtrace_at", false),
    ("log_dir", false),
    ("log_file", false),
    ("log_file_max_size", false),
    ("logtostderr", true),
    ("one_output", true),
    ("skip_headers", true),
    ("skip_log_headers", true),
    ("stderrthreshold", false),
    ("v", false),
    ("vmodule", false),
];

/// Flags that are checked as upstream checks them and then need nothing: connections are the pool's, which keeps one a source.
const CHECKED: &[&str] = &[
    "http-idle-conn-timeout",
    "http-max-idle-conns",
    "http-max-idle-conns-per-host",
];

impl Args {
    /// Reads a command line written for upstream's operator: single dashes count as double ones.
    pub(crate) fn parse_go<I>(line: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = OsString>,
    {
        let (kept, inert) = split_inert(line);
        let mut args = Self::try_parse_from(kept)?;
        args.inert = inert;
        Ok(args)
    }

    /// The HPA controller as the flags describe it.
    pub(crate) fn hpa(&self) -> engine::hpa::Options {
        engine::hpa::Options {
            tolerance: self.hpa_tolerance,
            downscale_stabilization: self.hpa_downscale_stabilization,
            ..engine::hpa::Options::default()
        }
    }
}

/// Rewrites `-flag` to `--flag` and takes out what has no effect.
fn split_inert<I>(line: I) -> (Vec<OsString>, Vec<String>)
where
    I: IntoIterator<Item = OsString>,
{
    let mut line = line.into_iter();
    let mut kept: Vec<OsString> = line.next().into_iter().collect();
    let mut inert = Vec::new();
    while let Some(word) = line.next() {
        let Some(flag) = word.to_str().and_then(|text| text.strip_prefix('-')) else {
            kept.push(word);
            continue;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        if matches!(flag, "h" | "V") {
            kept.push(word);
            continue;
        }
        let (name, value) = flag
            .split_once('=')
            .map_or((flag, None), |(name, value)| (name, Some(value)));
        if let Some((_, boolean)) = INERT.iter().find(|(inert, _)| *inert == name) {
            inert.push(format!("--{name}"));
            if value.is_none() && !boolean {
                line.next();
            }
        } else {
            if CHECKED.contains(&name) {
                inert.push(format!("--{name}"));
            }
            kept.push(format!("--{flag}").into());
        }
    }
    (kept, inert)
}

/// Reads an address the way Go does: `:8080` is every interface, `0` is off.
fn bind_address(text: &str) -> Result<Bind, String> {
    if text == "0" || text.is_empty() {
        return Ok(Bind::Off);
    }
    match text.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => Ok(Bind::At(text.to_owned())),
        _ => Err(format!(
            "`{text}` must be an address such as `:8080`, or `0` for off"
        )),
    }
}

/// Reads a boolean as Go's `strconv.ParseBool` does.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("`{text}` must be true or false")),
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` must be a number above zero")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..f64::MAX).contains(&share) => Ok(share),
        _ => Err(format!("`{text}` must be a share such as `0.1`, not below zero")),
    }
}

/// Reads a duration as Go's `time.ParseDuration` does, not negative.
pub(crate) fn go_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` must be a duration such as `90s` or `1h30m`");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut seconds = 0.0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .map_or(rest.len(), |at| digits + at);
        let unit = match &rest[digits..unit_end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(wrong()),
        };
        seconds += number * unit;
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Args, clap::Error> {
        Args::parse_go(
            std::iter::once("keda-controller")
                .chain(line.iter().copied())
                .map(OsString::from),
        )
    }

    #[test]
    fn takes_the_command_line_of_upstreams_manifests() {
        let args = parse(&[
            "--leader-elect",
            "--disable-compression=true",
            "--zap-log-level=info",
            "--zap-encoder=console",
            "--zap-time-encoding=rfc3339",
            "--enable-webhook-patching=true",
            "--cert-dir=/certs",
            "--enable-cert-rotation=true",
            "--cert-secret-name=kedaorg-certs",
            "--operator-service-name=keda-operator",
            "--metrics-server-service-name=keda-metrics-apiserver",
            "--webhooks-service-name=keda-admission-webhooks",
            "--k8s-cluster-name=kubernetes-default",
            "--k8s-cluster-domain=cluster.local",
            "--enable-prometheus-metrics=true",
            "--metrics-bind-address=:8080",
            "--ca-dir=/a",
            "--ca-dir=/b",
        ])
        .unwrap();
        assert!(args.leader_elect && args.enable_cert_rotation);
        assert_eq!(args.ca_dir, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(
            args.inert,
            [
                "--disable-compression",
                "--enable-webhook-patching",
                "--k8s-cluster-name"
            ]
        );
        assert_eq!(args.kube_api_qps, None);
    }

    #[test]
    fn single_dashes_and_separate_values_count() {
        let args = parse(&[
            "-leader-elect=false",
            "-metrics-bind-address",
            "127.0.0.1:9",
            "-v",
            "4",
            "-logtostderr",
        ])
        .unwrap();
        assert!(!args.leader_elect);
        assert_eq!(args.metrics_bind_address, Bind::At("127.0.0.1:9".to_owned()));
        assert_eq!(args.inert, ["--v", "--logtostderr"]);
    }

    #[test]
    fn flags_of_connections_are_checked_and_inert() {
        let args = parse(&["--http-max-idle-conns=5", "-http-idle-conn-timeout", "1m"]).unwrap();
        assert_eq!(args.inert, ["--http-max-idle-conns", "--http-idle-conn-timeout"]);
        assert_eq!(parse(&[]).unwrap().inert, [""; 0]);
    }

    #[test]
    fn flags_of_the_hpa_have_the_defaults_of_kubernetes() {
        let args = parse(&[]).unwrap();
        let defaults = engine::hpa::Options::default();
        assert_eq!(args.hpa(), defaults);
        let args = parse(&["--hpa-tolerance=0.2", "-hpa-downscale-stabilization", "1m"]).unwrap();
        let wanted = (0.2, Duration::from_mins(1));
        assert_eq!((args.hpa().tolerance, args.hpa().downscale_stabilization), wanted);
        assert!(parse(&["--hpa-tolerance=-1"]).is_err());
        assert!(parse(&["--hpa-tolerance=NaN"]).is_err());
    }

    #[test]
    fn unknown_flags_are_refused() {
        assert!(parse(&["--no-such-flag"]).is_err());
        assert!(parse(&["--leader-elect=maybe"]).is_err());
        assert!(parse(&["--metrics-bind-address=nowhere"]).is_err());
        assert!(parse(&["--http-max-idle-conns-per-host=0"]).is_err());
    }

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        assert_eq!(bind_address("0"), Ok(Bind::Off));
        assert_eq!(bind_address(":81"), Ok(Bind::At(":81".to_owned())));
        assert!(bind_address(":http").is_err());
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        assert_eq!(go_duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(go_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(go_duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "5", "s", "-1s", "1d", "1..2s"] {
            assert!(go_duration(wrong).is_err(), "{wrong}");
        }
    }
}
