//! `authModes`: the settings by which scalers prove themselves over HTTP, and what they put into a request.
//!
//! Upstream: `pkg/scalers/authentication`.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Request, Url};
use scalers_derive::TriggerMetadata;
use serde::Deserialize;
use tokio::time::Instant;

use super::http::{secret_header, unreachable};
use crate::metadata::{Reader, UrlQuery, word};
use crate::tls::TlsSettings;
use crate::{ScalerError, Secret};

word! {
    /// A way to prove who is asking.
    AuthMode {
        ApiKey = "apiKey",
        Basic = "basic",
        Tls = "tls",
        Bearer = "bearer",
        Custom = "custom",
        OAuth = "oauth",
    }
}

word! {
    /// Where an API key is put.
    KeyPlace {
        Header = "header",
        Query = "query",
    }
}

/// Settings of an API key, beside [`AuthModes`].
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
pub(crate) struct KeySettings {
    /// For `apiKey`: the key.
    #[keda(from(metadata, auth))]
    api_key: Option<Secret<String>>,
    /// For `apiKey`: where the key is put.
    #[keda(from(metadata, auth), default = "header")]
    method: KeyPlace,
    /// For `apiKey`: the name of the header or of the parameter. Default: `X-API-KEY`, or `api_key` in the query.
    #[keda(from(metadata, auth))]
    key_param_name: Option<String>,
}

impl KeySettings {
    /// The mode needs a key.
    pub(crate) fn check(&self, modes: &AuthModes, reader: &mut Reader<'_>) {
        if modes.has(AuthMode::ApiKey) && self.api_key.is_none() {
            reader.missing("apiKey", "missing `apiKey`, which `authModes` asks for");
        }
    }

    /// What goes into each request.
    pub(crate) fn key(&self, modes: &AuthModes) -> Option<ApiKey> {
        let key = self.api_key.clone().filter(|_| modes.has(AuthMode::ApiKey))?;
        let name = |default: &str| self.key_param_name.clone().unwrap_or_else(|| default.to_owned());
        Some(match self.method {
            KeyPlace::Header => ApiKey::Header {
                name: name("X-API-KEY"),
                key,
            },
            KeyPlace::Query => ApiKey::Query {
                name: name("api_key"),
                key,
            },
        })
    }
}

/// Settings of the block that many scalers share.
#[derive(Clone, Debug, PartialEq, TriggerMetadata)]
pub(crate) struct AuthModes {
    /// Ways to prove who is asking, between commas; what the others of these settings mean depends on it. Without it
    /// they are not looked at, `ca` aside.
    #[keda(
        alias("authMode"),
        from(metadata, auth),
        default = "",
        exclusive("bearer", "basic", "oauth")
    )]
    #[expect(clippy::struct_field_names, reason = "the key is `authModes`")]
    auth_modes: Vec<AuthMode>,
    /// For `bearer`: the token.
    #[keda(alias("token"), from(auth))]
    bearer_token: Option<Secret<String>>,
    /// For `basic`: the user.
    #[keda(from(auth))]
    username: Option<String>,
    /// For `basic`: the password.
    #[keda(from(auth))]
    password: Option<Secret<String>>,
    /// For `tls`: the PEM chain of the client.
    #[keda(from(auth))]
    cert: Option<Secret<String>>,
    /// For `tls`: the PEM key of the client.
    #[keda(from(auth))]
    key: Option<Secret<String>>,
    /// PEM certificates that are trusted beside those of the system.
    #[keda(from(auth))]
    ca: Option<Secret<String>>,
    /// For `oauth`: the URL that gives out tokens.
    #[keda(name = "oauthTokenURI", from(auth))]
    oauth_token_uri: Option<String>,
    /// For `oauth`: the scopes to ask for, between commas.
    #[keda(alias("scope"), from(auth), default = "")]
    scopes: Vec<String>,
    /// For `oauth`: the client.
    #[keda(name = "clientID", from(auth))]
    client_id: Option<String>,
    /// For `oauth`: the client's secret.
    #[keda(from(auth))]
    client_secret: Option<Secret<String>>,
    /// For `oauth`: further parameters of the request for a token, in the encoding of a URL's query.
    #[keda(from(auth))]
    endpoint_params: Option<UrlQuery>,
    /// For `custom`: the name of a header.
    #[keda(from(auth))]
    custom_auth_header: Option<String>,
    /// For `custom`: the value of that header.
    #[keda(from(auth))]
    custom_auth_value: Option<Secret<String>>,
}

impl AuthModes {
    /// Whether any mode was asked for.
    pub(crate) fn any(&self) -> bool {
        !self.auth_modes.is_empty()
    }

    /// Whether a mode was asked for.
    pub(crate) fn has(&self, mode: AuthMode) -> bool {
        self.auth_modes.contains(&mode)
    }

    /// What each mode needs.
    pub(crate) fn check(&self, reader: &mut Reader<'_>) {
        let mut need = |mode: AuthMode, given: bool, key: &str| {
            if self.has(mode) && !given {
                reader.missing(
                    key,
                    format!("missing parameter `{key}`, which `authModes` asks for"),
                );
            }
        };
        need(AuthMode::Bearer, self.bearer_token.is_some(), "bearerToken");
        need(AuthMode::Basic, self.username.is_some(), "username");
        need(AuthMode::Tls, self.cert.is_some(), "cert");
        need(AuthMode::Tls, self.key.is_some(), "key");
        need(AuthMode::OAuth, self.oauth_token_uri.is_some(), "oauthTokenURI");
        need(AuthMode::OAuth, self.client_id.is_some(), "clientID");
        need(
            AuthMode::Custom,
            self.custom_auth_header.is_some(),
            "customAuthHeader",
        );
        need(
            AuthMode::Custom,
            self.custom_auth_value.is_some(),
            "customAuthValue",
        );
        if let Some(uri) = self
            .oauth_token_uri
            .as_deref()
            .filter(|_| self.has(AuthMode::OAuth))
            && uri.parse::<Url>().is_err()
        {
            reader.error("oauthTokenURI", "`oauthTokenURI` must be a URL");
        }
    }

    /// What goes into each request, an API key aside.
    pub(crate) fn credentials(&self) -> Credentials {
        let basic = self.has(AuthMode::Basic).then(|| {
            (
                self.username.clone().unwrap_or_default(),
                self.password.clone().unwrap_or_default(),
            )
        });
        let custom = self
            .custom_auth_header
            .clone()
            .zip(self.custom_auth_value.clone());
        Credentials {
            basic,
            bearer: self.bearer_token.clone().filter(|_| self.has(AuthMode::Bearer)),
            custom: custom.filter(|_| self.has(AuthMode::Custom)),
            oauth: self.oauth(),
            api_key: None,
        }
    }

    fn oauth(&self) -> Option<OAuth> {
        let token_uri = self
            .oauth_token_uri
            .as_deref()
            .filter(|_| self.has(AuthMode::OAuth))?;
        Some(OAuth {
            token_uri: token_uri.to_owned(),
            client_id: self.client_id.clone().unwrap_or_default(),
            client_secret: self.client_secret.clone().unwrap_or_default(),
            scopes: self.scopes.clone(),
            parameters: self.endpoint_params.clone().unwrap_or_default(),
        })
    }

    /// The TLS settings. A `ca` counts without any mode, a certificate only with `tls`.
    pub(crate) fn tls(&self, unsafe_ssl: bool) -> TlsSettings {
        let own = self.has(AuthMode::Tls);
        TlsSettings {
            ca: self.ca.clone(),
            certificate: self.cert.clone().filter(|_| own),
            key: self.key.clone().filter(|_| own),
            key_password: None,
            unsafe_ssl,
        }
    }
}

/// What is put into a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Credentials {
    pub(crate) basic: Option<(String, Secret<String>)>,
    pub(crate) bearer: Option<Secret<String>>,
    pub(crate) custom: Option<(String, Secret<String>)>,
    pub(crate) oauth: Option<OAuth>,
    pub(crate) api_key: Option<ApiKey>,
}

/// A key in a header or in the query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ApiKey {
    Header { name: String, key: Secret<String> },
    Query { name: String, key: Secret<String> },
}

/// OAuth 2 client credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OAuth {
    pub(crate) token_uri: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) parameters: UrlQuery,
}

/// A token and when it has to be replaced.
#[derive(Default)]
pub(crate) struct TokenCache(Mutex<Option<(Secret<String>, Instant)>>);

impl TokenCache {
    /// Forgets the token, because it was refused.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}

#[derive(Deserialize)]
struct TokenReply {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// The longest reply with a token that is read.
const LONGEST_TOKEN: usize = 1 << 20;
/// A token is replaced this long before it ends. Upstream: `expiryDelta` of Go's `oauth2`.
const EARLY: Duration = Duration::from_secs(10);

impl Credentials {
    /// Whether a text holds a credential that was given.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let key = self.api_key.as_ref().map(|key| match key {
            ApiKey::Header { key, .. } | ApiKey::Query { key, .. } => key,
        });
        let basic = self.basic.as_ref().map(|(_, password)| password);
        let custom = self.custom.as_ref().map(|(_, value)| value);
        let oauth = self.oauth.as_ref().map(|oauth| &oauth.client_secret);
        let given = [key, basic, custom, oauth, self.bearer.as_ref()];
        let mut given = given.into_iter().flatten().map(|secret| secret.expose().as_str());
        given.any(|secret| !secret.is_empty() && text.contains(secret))
    }

    /// Puts the credentials into a request.
    pub(super) async fn apply(
        &self,
        request: &mut Request,
        client: &Client,
        tokens: &TokenCache,
    ) -> Result<(), ScalerError> {
        if let Some((username, password)) = &self.basic {
            let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
            insert(request, AUTHORIZATION.as_str(), &format!("Basic {pair}"))?;
        }
        if let Some(token) = &self.bearer {
            insert(
                request,
                AUTHORIZATION.as_str(),
                &format!("Bearer {}", token.expose()),
            )?;
        }
        if let Some(oauth) = &self.oauth {
            let token = oauth.token(client, tokens).await?;
            insert(
                request,
                AUTHORIZATION.as_str(),
                &format!("Bearer {}", token.expose()),
            )?;
        }
        if let Some((name, value)) = &self.custom {
            insert(request, name, value.expose())?;
        }
        match &self.api_key {
            Some(ApiKey::Header { name, key }) => insert(request, name, key.expose())?,
            Some(ApiKey::Query { name, key }) => {
                request
                    .url_mut()
                    .query_pairs_mut()
                    .append_pair(name, key.expose());
            }
            None => {}
        }
        Ok(())
    }
}

fn insert(request: &mut Request, name: &str, value: &str) -> Result<(), ScalerError> {
    let (name, value) = secret_header(name, value)?;
    request.headers_mut().insert(name, value);
    Ok(())
}

impl OAuth {
    /// A token that is still good, asked for if need be.
    pub(super) async fn token(
        &self,
        client: &Client,
        tokens: &TokenCache,
    ) -> Result<Secret<String>, ScalerError> {
        let known = tokens
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        if let Some((token, until)) = known
            && Instant::now() < until
        {
            return Ok(token);
        }
        let reply = self.request(client).await?;
        let token = Secret::new(reply.access_token);
        // Without an end, Go's client keeps a token for good.
        let lasts = reply
            .expires_in
            .map_or(Duration::from_hours(24), Duration::from_secs)
            .saturating_sub(EARLY);
        let until = Instant::now() + lasts.min(Duration::from_hours(24));
        *tokens.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((token.clone(), until));
        Ok(token)
    }

    async fn request(&self, client: &Client) -> Result<TokenReply, ScalerError> {
        let url: Url = self
            .token_uri
            .parse()
            .map_err(|_| ScalerError::Setting("what gives out tokens must be a URL".to_owned()))?;
        let endpoint = super::http::origin_of(&url);
        let mut form = Url::parse("form:?").expect("a fixed text that is a URL");
        form.query_pairs_mut()
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose());
        if !self.scopes.is_empty() {
            form.query_pairs_mut()
                .append_pair("scope", &self.scopes.join(" "));
        }
        for (name, value) in &self.parameters.0 {
            form.query_pairs_mut().append_pair(name, value);
        }
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        *request.body_mut() = Some(form.query().unwrap_or_default().to_owned().into());
        let response = client
            .execute(request)
            .await
            .map_err(|error| unreachable(&endpoint, error))?;
        let status = response.status();
        if !status.is_success() {
            let said: crate::Cause = std::sync::Arc::new(std::io::Error::other(format!("status {status}")));
            return Err(ScalerError::Unauthorized {
                endpoint,
                source: said,
            });
        }
        let body = super::http::body(&endpoint, response, LONGEST_TOKEN).await?;
        // The parser's message is dropped: it may quote the reply.
        serde_json::from_slice(&body).map_err(|_| ScalerError::Answer {
            endpoint,
            answer: "without an `access_token`".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_token_without_end_is_not_read() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let token_uri = format!("http://{}/token", listener.local_addr().expect("an address"));
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.expect("a request");
            let mut part = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"access_token\": \"".to_vec();
            // Until the client has had enough.
            while stream.write_all(&part).await.is_ok() {
                part = vec![b'x'; 1 << 16];
            }
        };
        let oauth = OAuth {
            token_uri,
            client_id: "id".to_owned(),
            client_secret: "hush-hush".into(),
            scopes: Vec::new(),
            parameters: crate::metadata::UrlQuery::default(),
        };
        let connect = crate::connect::Connect::default();
        let tls = crate::tls::TlsSettings::default();
        let client = super::super::http::client("http://token", &tls, &connect).expect("a client");
        let tokens = TokenCache::default();
        let (token, ()) = tokio::join!(oauth.token(&client, &tokens), server);
        let error = token.expect_err("no end").to_string();
        assert!(
            error.ends_with("answered with more than 1048576 bytes"),
            "{error}"
        );
    }
}
