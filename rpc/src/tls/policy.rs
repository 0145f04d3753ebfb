//! Least TLS version and cipher suites, as KEDA's variables set them.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

/// The least TLS version that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2. Also stands for `TLS10` and `TLS11`, which the TLS library does not speak.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl MinVersion {
    /// Reads `TLS10` … `TLS13`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "TLS10" | "TLS11" | "TLS12" => Some(Self::Tls12),
            "TLS13" => Some(Self::Tls13),
            _ => None,
        }
    }
}

static TLS13_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// What is allowed on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Least version.
    pub min: MinVersion,
    /// IANA names of allowed TLS 1.2 suites; empty for all that are considered safe. TLS 1.3 suites cannot be chosen, as in Go.
    pub suites: Vec<String>,
}

impl Policy {
    /// The policy between our own parts: `KEDA_SERVICE_MIN_TLS_VERSION` and `KEDA_SERVICE_TLS_CIPHER_LIST`, each falling back to its
    /// `KEDA_HTTP_…` sibling when unset. A service version that is set but unreadable means TLS 1.3.
    ///
    /// Upstream: `pkg/util/tls_config.go`, v2.20.
    pub fn service(variable: impl Fn(&str) -> Option<String>) -> Self {
        let min = match variable("KEDA_SERVICE_MIN_TLS_VERSION") {
            Some(text) => MinVersion::parse(&text).unwrap_or(MinVersion::Tls13),
            None => variable("KEDA_HTTP_MIN_TLS_VERSION")
                .and_then(|t| MinVersion::parse(&t))
                .unwrap_or_default(),
        };
        let list = variable("KEDA_SERVICE_TLS_CIPHER_LIST")
            .or_else(|| variable("KEDA_HTTP_TLS_CIPHER_LIST"))
            .unwrap_or_default();
        let suites = list
            .split([':', ','])
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(str::to_owned)
            .collect();
        Self { min, suites }
    }

    /// The cryptography that this policy allows.
    pub fn provider(&self) -> Arc<CryptoProvider> {
        let mut provider = rustls::crypto::ring::default_provider();
        let allowed = |suite: &SupportedCipherSuite| {
            suite.tls13().is_some()
                || self
                    .suites
                    .iter()
                    .any(|name| *name == format!("{:?}", suite.suite()))
        };
        // A list without any known suite leaves the defaults, as upstream's does.
        if provider
            .cipher_suites
            .iter()
            .any(|suite| suite.tls13().is_none() && allowed(suite))
        {
            provider.cipher_suites.retain(allowed);
        }
        Arc::new(provider)
    }

    /// The protocol versions that this policy allows.
    pub fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        match self.min {
            MinVersion::Tls12 => rustls::ALL_VERSIONS,
            MinVersion::Tls13 => TLS13_ONLY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], min: MinVersion, suites: usize) {
        let policy = Policy::service(|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        });
        assert_eq!(policy.min, min, "{variables:?}");
        assert_eq!(policy.provider().cipher_suites.len(), suites, "{variables:?}");
    }

    #[test]
    fn service_settings_fall_back_to_http_settings() {
        check(&[], MinVersion::Tls12, 9);
        check(&[("KEDA_HTTP_MIN_TLS_VERSION", "TLS13")], MinVersion::Tls13, 9);
        check(&[("KEDA_HTTP_MIN_TLS_VERSION", "nonsense")], MinVersion::Tls12, 9);
        check(&[("KEDA_SERVICE_MIN_TLS_VERSION", "")], MinVersion::Tls13, 9);
        check(
            &[
                ("KEDA_SERVICE_MIN_TLS_VERSION", "TLS10"),
                ("KEDA_HTTP_MIN_TLS_VERSION", "TLS13"),
            ],
            MinVersion::Tls12,
            9,
        );
    }

    #[test]
    fn cipher_list_restricts_tls12_only() {
        let one = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
        check(&[("KEDA_SERVICE_TLS_CIPHER_LIST", one)], MinVersion::Tls12, 4);
        check(
            &[("KEDA_HTTP_TLS_CIPHER_LIST", &format!("{one}:UNKNOWN"))],
            MinVersion::Tls12,
            4,
        );
        check(
            &[("KEDA_SERVICE_TLS_CIPHER_LIST", "UNKNOWN")],
            MinVersion::Tls12,
            9,
        );
        check(
            &[
                ("KEDA_SERVICE_TLS_CIPHER_LIST", ""),
                ("KEDA_HTTP_TLS_CIPHER_LIST", one),
            ],
            MinVersion::Tls12,
            9,
        );
    }
}
