//! Flags and variables, named as KEDA's metrics adapter names them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Parser};

/// Serves the external metrics of ScaledObjects to the HPA controller.
#[derive(Clone, Debug, Parser)]
#[command(name = "keda-metrics-adapter", version, args_override_self = true)]
pub(crate) struct Args {
    /// Port of the aggregated API.
    #[arg(long, default_value_t = 6443)]
    pub(crate) secure_port: u16,
    /// Address the aggregated API and the debug API listen on; all addresses when empty.
    #[arg(long, default_value = "")]
    pub(crate) bind_address: String,
    /// Port of the plain /metrics endpoint; 0 for none.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Address of the debug API; 0 for none.
    #[arg(long, default_value = ":6444")]
    pub(crate) debug_bind_address: String,
    /// Address of the controller's metrics service. Without it the holder of the controller's Lease is followed.
    #[arg(long)]
    pub(crate) metrics_service_address: Option<String>,
    /// Name that the controller's certificate must carry, where it is not the host that is dialled.
    #[arg(long, default_value = "")]
    pub(crate) metrics_service_grpc_authority: String,
    /// Name of the controller's Lease.
    #[arg(long, default_value = "operator.keda.sh")]
    pub(crate) leader_election_id: String,
    /// Folder with ca.crt, tls.crt and tls.key: trust and identity towards the controller.
    #[arg(long, default_value = "/certs")]
    pub(crate) cert_dir: PathBuf,
    /// Serving certificate; tls.crt of --cert-dir when empty.
    #[arg(long)]
    pub(crate) tls_cert_file: Option<PathBuf>,
    /// Key of the serving certificate; tls.key of --cert-dir when empty.
    #[arg(long)]
    pub(crate) tls_private_key_file: Option<PathBuf>,
    /// CA bundle for client certificates, instead of the one in kube-system/extension-apiserver-authentication.
    #[arg(long)]
    pub(crate) client_ca_file: Option<PathBuf>,
    /// Kubeconfig to use outside of a cluster; else KUBECONFIG, else the service account.
    #[arg(long, aliases = ["lister-kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"])]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Log level: debug, info, error, panic, or a number above 0 for ever more.
    #[arg(long, default_value = "info")]
    pub(crate) zap_log_level: LogLevel,
    /// Log format.
    #[arg(long, value_enum, default_value_t = Encoder::Json)]
    pub(crate) zap_encoder: Encoder,
    #[command(flatten)]
    pub(crate) inert: Inert,
    /// Namespace the adapter and the controller run in.
    #[arg(
        long = "pod-namespace",
        env = "POD_NAMESPACE",
        default_value = "keda",
        hide = true
    )]
    pub(crate) namespace: String,
}

/// Flags that KEDA's adapter knows and that change nothing here.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Accepted without effect")]
pub(crate) struct Inert {
    #[arg(long, help = "Profiling is not built in")]
    profiling_bind_address: Option<String>,
    #[arg(long, help = "API priority and fairness governs")]
    kube_api_qps: Option<f32>,
    #[arg(long, help = "API priority and fairness governs")]
    kube_api_burst: Option<i32>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, help = "Responses are never compressed")]
    disable_compression: Option<bool>,
    #[arg(long, help = "Start message")]
    msg: Option<String>,
    #[arg(long, short, num_args = 1, help = "Deprecated: use --zap-log-level")]
    v: Option<String>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, help = "Deprecated: use --zap-encoder=console")]
    logtostderr: Option<bool>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, help = "Deprecated")]
    alsologtostderr: Option<bool>,
    #[arg(long, help = "Deprecated")]
    stderrthreshold: Option<String>,
    #[arg(long, help = "Times are always RFC 3339")]
    zap_time_encoding: Option<String>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, help = "Development defaults")]
    zap_devel: Option<bool>,
    #[arg(long, help = "There are no stack traces to log")]
    zap_stacktrace_level: Option<String>,
    #[arg(long, action = ArgAction::Append, help = "Cipher suites come from KEDA_SERVICE_TLS_CIPHER_LIST")]
    tls_cipher_suites: Vec<String>,
    #[arg(long, help = "The least version comes from KEDA_SERVICE_MIN_TLS_VERSION")]
    tls_min_version: Option<String>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, help = "A missing ConfigMap is always reported")]
    authentication_skip_lookup: Option<bool>,
}

impl Inert {
    /// The inert flags that were given, for the log.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let flags = [
            (
                "profiling-bind-address",
                self.profiling_bind_address
                    .as_ref()
                    .is_some_and(|text| !text.is_empty()),
            ),
            ("kube-api-qps", self.kube_api_qps.is_some()),
            ("kube-api-burst", self.kube_api_burst.is_some()),
            ("disable-compression", self.disable_compression.is_some()),
            ("msg", self.msg.is_some()),
            ("v", self.v.is_some()),
            ("logtostderr", self.logtostderr.is_some()),
            ("alsologtostderr", self.alsologtostderr.is_some()),
            ("stderrthreshold", self.stderrthreshold.is_some()),
            ("zap-time-encoding", self.zap_time_encoding.is_some()),
            ("zap-devel", self.zap_devel.is_some()),
            ("zap-stacktrace-level", self.zap_stacktrace_level.is_some()),
            ("tls-cipher-suites", !self.tls_cipher_suites.is_empty()),
            ("tls-min-version", self.tls_min_version.is_some()),
            (
                "authentication-skip-lookup",
                self.authentication_skip_lookup.is_some(),
            ),
        ];
        flags
            .into_iter()
            .filter_map(|(name, given)| given.then_some(name))
            .collect()
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// Errors alone (`error`, `panic`).
    Error,
    /// What an operator wants to see.
    Info,
    /// zap's negative levels: 1 is `debug`, more is more.
    Verbose(u8),
}

/// A log level is neither a known word nor a number above 0.
#[derive(Debug, thiserror::Error)]
#[error("must be `debug`, `info`, `error`, `panic` or a number above 0")]
pub(crate) struct UnknownLevel;

impl FromStr for LogLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        match text.to_ascii_lowercase().as_str() {
            "error" | "panic" => Ok(Self::Error),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Verbose(1)),
            number => number
                .parse()
                .ok()
                .filter(|n| *n > 0)
                .map(Self::Verbose)
                .ok_or(UnknownLevel),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Encoder {
    /// One JSON object a line.
    Json,
    /// For eyes.
    Console,
}

impl fmt::Display for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Console => "console",
        })
    }
}

impl Args {
    /// `host:port` of a port on the bind address.
    pub(crate) fn listen_on(&self, port: u16) -> String {
        match self.bind_address.as_str() {
            "" | "0.0.0.0" | "::" => format!(":{port}"),
            host if host.contains(':') => format!("[{host}]:{port}"),
            host => format!("{host}:{port}"),
        }
    }

    /// Where the debug API listens, if it does.
    pub(crate) fn debug_address(&self) -> Option<String> {
        match self.debug_bind_address.as_str() {
            "" | "0" => None,
            address => Some(
                match address.strip_prefix(':').and_then(|port| port.parse().ok()) {
                    Some(port) => self.listen_on(port),
                    None => address.to_owned(),
                },
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Args {
        Args::try_parse_from(std::iter::once(&"adapter").chain(flags))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn takes_the_flags_of_kedas_manifests() {
        let args = parse(&[
            "--port=8080",
            "--secure-port=6443",
            "--logtostderr=true",
            "--stderrthreshold=ERROR",
            "--v=0",
            "--client-ca-file=/certs/ca.crt",
            "--tls-cert-file=/certs/tls.crt",
            "--tls-private-key-file=/certs/tls.key",
            "--cert-dir=/certs",
            "--metrics-service-address=keda-operator.keda.svc.cluster.local:9666",
            "--disable-compression",
        ]);
        assert_eq!(
            args.inert.given(),
            ["disable-compression", "v", "logtostderr", "stderrthreshold"]
        );
        assert_eq!(
            args.metrics_service_address.as_deref(),
            Some("keda-operator.keda.svc.cluster.local:9666")
        );
    }

    #[test]
    fn short_and_bare_forms_work_as_in_go() {
        let args = parse(&[
            "-v=0",
            "--logtostderr",
            "--kube-api-qps=50.5",
            "--zap-log-level=debug",
        ]);
        assert_eq!(args.inert.given(), ["kube-api-qps", "v", "logtostderr"]);
        assert_eq!(args.zap_log_level, LogLevel::Verbose(1));
    }

    #[test]
    fn log_levels_are_zaps() {
        let level = |text: &str| text.parse::<LogLevel>().ok();
        assert_eq!(level("panic"), Some(LogLevel::Error));
        assert_eq!(level("5"), Some(LogLevel::Verbose(5)));
        assert_eq!(level("0"), None);
        assert_eq!(level("loud"), None);
    }

    #[test]
    fn addresses_follow_the_bind_address() {
        assert_eq!(parse(&[]).listen_on(6443), ":6443");
        assert_eq!(parse(&["--bind-address=127.0.0.1"]).listen_on(1), "127.0.0.1:1");
        assert_eq!(
            parse(&["--bind-address=::1"]).debug_address().as_deref(),
            Some("[::1]:6444")
        );
        assert_eq!(parse(&["--debug-bind-address=0"]).debug_address(), None);
        assert_eq!(
            parse(&["--debug-bind-address=10.0.0.1:7"])
                .debug_address()
                .as_deref(),
            Some("10.0.0.1:7")
        );
    }
}
