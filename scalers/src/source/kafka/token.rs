//! Tokens for OAUTHBEARER, from the client credentials of RFC 6749, kept until they end.

use std::collections::BTreeMap;

use reqwest::Client;

use super::super::http;
use super::super::http_auth::{OAuth, TokenCache};
use crate::connect::Connect;
use crate::tls::TlsSettings;
use crate::{ScalerError, Secret};

/// Where tokens come from, and what is sent along with them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenSource {
    pub(crate) oauth: OAuth,
    pub(crate) extensions: BTreeMap<String, Secret<String>>,
}

/// The tokens of one cluster.
pub(super) struct Tokens {
    source: TokenSource,
    client: Client,
    cache: TokenCache,
}

impl Tokens {
    /// The endpoint is checked against the process's roots: `ca` is the brokers' authority.
    pub(super) fn new(source: TokenSource, connect: &Connect) -> Result<Self, ScalerError> {
        let client = http::client(&source.oauth.token_uri, &TlsSettings::default(), connect)?;
        Ok(Self {
            source,
            client,
            cache: TokenCache::default(),
        })
    }

    /// A token that is still good, asked for if need be.
    pub(super) async fn token(&self) -> Result<Secret<String>, ScalerError> {
        self.source.oauth.token(&self.client, &self.cache).await
    }

    /// Forgets a token that was refused, so that the next attempt shows a new one.
    pub(super) fn forget(&self) {
        self.cache.forget();
    }

    pub(super) fn extensions(&self) -> &BTreeMap<String, Secret<String>> {
        &self.source.extensions
    }
}
