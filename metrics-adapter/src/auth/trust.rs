//! Whom a certificate and headers prove the caller to be. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Identity, percent_decoded};

/// Certificate authorities that client certificates are checked against.
#[derive(Clone)]
pub(crate) struct Authorities {
    verifier: Arc<dyn ClientCertVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.certificates.len())
    }
}

/// A CA bundle holds nothing that certificates could be checked against.
#[derive(Debug, thiserror::Error)]
#[error("the CA bundle holds no usable certificate")]
pub(crate) struct NoAuthority;

impl Authorities {
    /// Reads a bundle in PEM.
    pub(crate) fn from_pem(bundle: &[u8]) -> Result<Self, NoAuthority> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(bundle)
            .collect::<Result<_, _>>()
            .map_err(|_| NoAuthority)?;
        Self::new(certificates)
    }

    /// Takes parsed certificates.
    pub(crate) fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, NoAuthority> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self {
            verifier: verifier.map_err(|_| NoAuthority)?,
            certificates,
        })
    }

    /// The certificates of the bundle.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    fn check(&self, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<(), String> {
        let (own, intermediates) = chain.split_first().ok_or("no certificate")?;
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let now = UnixTime::since_unix_epoch(since);
        self.verifier
            .verify_client_cert(own, intermediates, now)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

/// Which proxy may speak for users, and in which headers it does.
#[derive(Clone, Debug)]
pub(crate) struct RequestHeader {
    /// Authorities of the proxy's certificate.
    pub(crate) authorities: Authorities,
    /// Common names the proxy may have; empty for any.
    pub(crate) allowed_names: Vec<String>,
    /// Headers of the user's name; the first that is there counts.
    pub(crate) username: Vec<HeaderName>,
    /// Headers of the user's unique id.
    pub(crate) uid: Vec<HeaderName>,
    /// Headers of groups; all count.
    pub(crate) group: Vec<HeaderName>,
    /// Prefixes of headers with extras, in lower case.
    pub(crate) extra_prefixes: Vec<String>,
}

/// Whom the adapter trusts to say who is asking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// The aggregating API server.
    pub(crate) request_header: Option<RequestHeader>,
    /// Authorities whose certificates name users.
    pub(crate) client: Option<Authorities>,
}

/// What a certificate chain proves; the same for every request of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Chains {
    /// Whether the chain ends at a request-header authority and has an allowed name. `None` without certificate or configuration.
    proxy: Option<Result<(), String>>,
    /// Whether the chain ends at a client authority, and whom it names.
    client: Option<Result<Identity, String>>,
}

/// What certificate and headers say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Somebody.
    Known(Identity),
    /// Nobody, and nothing false was shown.
    Nobody,
    /// Nobody, and what was shown did not convince.
    Refused(Vec<String>),
}

impl Trust {
    /// Checks a connection's certificates.
    pub(crate) fn check(&self, chain: &[CertificateDer<'_>], now: SystemTime) -> Chains {
        let Some(own) = chain.first() else {
            return Chains {
                proxy: None,
                client: None,
            };
        };
        let subject = subject(own);
        let proxy = self.request_header.as_ref().map(|config| {
            config.authorities.check(chain, now)?;
            let name = subject
                .as_ref()
                .map(|identity| identity.name.clone())
                .unwrap_or_default();
            let allowed = config.allowed_names.is_empty() || config.allowed_names.contains(&name);
            if allowed {
                Ok(())
            } else {
                Err(format!(
                    "a proxy with the common name {name:?} is not in the allowed list"
                ))
            }
        });
        let client = self.client.as_ref().map(|authorities| {
            authorities.check(chain, now)?;
            subject
                .clone()
                .filter(|identity| !identity.name.is_empty())
                .ok_or("no common name".to_owned())
        });
        Chains { proxy, client }
    }

    /// Decides whom a request comes from. A valid proxy speaks for users by headers; any other certificate speaks for itself and its
    /// headers are not looked at.
    pub(crate) fn identify(&self, chains: &Chains, headers: &HeaderMap) -> Verdict {
        if let (Some(Ok(())), Some(config)) = (&chains.proxy, &self.request_header)
            && let Some(user) = config.user(headers)
        {
            return Verdict::Known(user.authenticated());
        }
        if let Some(Ok(user)) = &chains.client {
            return Verdict::Known(user.clone().authenticated());
        }
        let failed = |check: Option<&String>| check.cloned();
        let proxy = failed(chains.proxy.as_ref().and_then(|check| check.as_ref().err()));
        let client = failed(chains.client.as_ref().and_then(|check| check.as_ref().err()));
        let errors: Vec<_> = proxy.into_iter().chain(client).collect();
        if errors.is_empty() {
            Verdict::Nobody
        } else {
            Verdict::Refused(errors)
        }
    }
}

impl RequestHeader {
    /// The user that headers name. Upstream: `headerrequest.requestHeaderAuthRequestHandler`.
    fn user(&self, headers: &HeaderMap) -> Option<Identity> {
        let first = |names: &[HeaderName]| {
            names
                .iter()
                .filter_map(|name| text(headers.get(name)?))
                .find(|value| !value.is_empty())
        };
        let groups = self
            .group
            .iter()
            .flat_map(|name| headers.get_all(name))
            .filter_map(text);
        let mut extra = BTreeMap::<String, Vec<String>>::new();
        for prefix in &self.extra_prefixes {
            for (name, value) in headers {
                let Some(key) = name.as_str().strip_prefix(prefix.as_str()) else {
                    continue;
                };
                extra.entry(percent_decoded(key)).or_default().extend(text(value));
            }
        }
        Some(Identity {
            name: first(&self.username)?,
            uid: first(&self.uid).unwrap_or_default(),
            groups: groups.filter(|group| !group.is_empty()).collect(),
            extra,
        })
    }
}

fn text(value: &http::HeaderValue) -> Option<String> {
    std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned)
}

/// User and groups that a certificate names: common name and organizations. Upstream: `x509.CommonNameUserConversion`.
fn subject(der: &[u8]) -> Option<Identity> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    let subject = cert.subject();
    let name = subject.iter_common_name().last()?.as_str().ok()?.to_owned();
    let groups = subject
        .iter_organization()
        .filter_map(|value| value.as_str().ok())
        .map(str::to_owned)
        .collect();
    Some(Identity {
        name,
        groups,
        ..Identity::default()
    })
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
