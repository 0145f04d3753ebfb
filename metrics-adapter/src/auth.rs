//! Who asks, and whether they may: authentication and authorization as a Kubernetes API server delegates them.
//!
//! ```text
//!  TLS peer + headers ──▶ Trust (request-header CA, client CA) ──▶ Identity ──▶ Reviewer: SubjectAccessReview ──▶ served
//!                              └─ nobody, but a token ──▶ Reviewer: TokenReview ──┘
//! ```
//!
//! `X-Remote-*` headers count only from a client certificate that chains to the request-header CA and carries an allowed common name.
//! Upstream: `k8s.io/apiserver/pkg/authentication/authenticatorfactory` `DelegatingAuthenticatorConfig`, v1.36.

pub(crate) mod cache;
pub(crate) mod config_map;
pub(crate) mod identity;
pub(crate) mod request_info;
pub(crate) mod reviewer;
pub(crate) mod trust;

pub(crate) use identity::Identity;
pub(crate) use reviewer::{Access, Audience, ReviewError, Reviewer};
pub(crate) use trust::{Chains, Trust, Verdict};

/// Decodes `%2f` and the like; a malformed text stays as it is, as upstream's `unescapeExtraKey` leaves it.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let decoded = rest
            .get(..2)
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let Some(decoded) = decoded else {
            return text.to_owned();
        };
        bytes.push(decoded);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
