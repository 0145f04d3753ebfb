//! HTTP: one client an origin and credential.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, NoProxy, Proxy, Request, StatusCode, Url};

use super::http_auth::{Credentials, TokenCache};
use crate::connect::{Connect, Endpoint, Proxies};
use crate::observer::HttpRequest;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;
use crate::{Cause, ScalerError};

/// The longest reply that is read: a value is to be found in it, not a data set.
const LONGEST: usize = 16 << 20;
/// How many pods are asked at the same time. Upstream: `maxConcurrentRequests` in `metrics_api_scaler.go`.
const AT_ONCE: usize = 5;

/// An origin with everything that makes its connections different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// `scheme://host:port`.
    pub(crate) base: String,
    pub(crate) credentials: Credentials,
    pub(crate) tls: TlsSettings,
}

/// Something to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// One URL.
    Get(Url),
    /// The URL at every ready pod of the Service that it names.
    GetEach(Url),
}

/// What comes back.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// The body of a reply with status 200.
    One(Bytes),
    /// Every pod's.
    Each(Arc<Vec<Result<Bytes, ScalerError>>>),
}

/// A client for one origin.
pub(crate) struct Http {
    client: Client,
    credentials: Credentials,
    tokens: TokenCache,
    connect: Connect,
}

impl Source for Http {
    type Key = Origin;
    type Question = Question;
    type Answer = Answer;
    const PROTOCOL: &'static str = "http";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.http
    }

    fn endpoint(key: &Origin) -> String {
        key.base.clone()
    }

    fn describe(answer: &Answer) -> String {
        let text = |body: &Bytes| String::from_utf8_lossy(body).into_owned();
        match answer {
            Answer::One(body) => text(body),
            Answer::Each(bodies) => {
                let lines = bodies.iter().map(|body| match body {
                    Ok(body) => text(body),
                    Err(error) => error.chain(),
                });
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }

    async fn open(key: &Origin, connect: &Connect) -> Result<Self, ScalerError> {
        let tls = key.tls.client(connect)?;
        let mut builder = Client::builder().tls_backend_preconfigured(tls).no_proxy();
        for proxy in proxies(&connect.proxies)? {
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| unreachable(&key.base, error))?;
        Ok(Self {
            client,
            credentials: key.credentials.clone(),
            tokens: TokenCache::default(),
            connect: connect.clone(),
        })
    }

    async fn ask(&self, questions: &[Question]) -> Vec<Result<Answer, ScalerError>> {
        futures::future::join_all(questions.iter().map(|question| self.answer(question))).await
    }
}

impl Http {
    async fn answer(&self, question: &Question) -> Result<Answer, ScalerError> {
        match question {
            Question::Get(url) => self.get(url.clone()).await.map(Answer::One),
            Question::GetEach(url) => {
                let urls = self.pods(url).await?;
                let replies = stream::iter(urls)
                    .map(|url| self.get(url))
                    .buffer_unordered(AT_ONCE);
                Ok(Answer::Each(Arc::new(replies.collect().await)))
            }
        }
    }

    async fn get(&self, url: Url) -> Result<Bytes, ScalerError> {
        let endpoint = origin_of(&url);
        let mut request = Request::new(reqwest::Method::GET, url);
        self.credentials
            .apply(&mut request, &self.client, &self.tokens)
            .await?;
        let mut watch = HttpRequest::begin(&self.connect);
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| unreachable(&endpoint, error))?;
        watch.answered(response.status().as_u16());
        drop(watch);
        let status = response.status();
        if status != StatusCode::OK {
            return Err(refusal(endpoint, status));
        }
        let mut body = BytesMut::new();
        let mut chunks = response;
        while let Some(chunk) = chunks
            .chunk()
            .await
            .map_err(|error| unreachable(&endpoint, error))?
        {
            if body.len() + chunk.len() > LONGEST {
                return Err(ScalerError::Answer {
                    endpoint,
                    answer: format!("with more than {LONGEST} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The URL at each ready pod. Upstream: `getEndpointsUrlsFromServiceURL`.
    async fn pods(&self, url: &Url) -> Result<Vec<Url>, ScalerError> {
        let host = url.host_str().unwrap_or_default();
        let mut labels = host.split('.');
        let (Some(service), Some(namespace)) = (labels.next(), labels.next()) else {
            return Err(ScalerError::Setting(format!(
                "the host `{host}` must be `service.namespace`"
            )));
        };
        let Some(source) = &self.connect.endpoints else {
            let reason =
                "`aggregateFromKubeServiceEndpoints` needs a cluster to find the pods of a Service in";
            return Err(ScalerError::Setting(reason.to_owned()));
        };
        let ready = source.ready(namespace, service).await?;
        if ready.is_empty() {
            return Err(ScalerError::Value(format!(
                "the Service `{namespace}/{service}` has no ready endpoint"
            )));
        }
        let mut urls: Vec<Url> = ready
            .iter()
            .filter_map(|endpoint| at_pod(url, endpoint))
            .collect();
        urls.sort();
        urls.dedup();
        Ok(urls)
    }
}

/// The URL with the pod's address as its host; the port stays only if the pod has it.
fn at_pod(url: &Url, endpoint: &Endpoint) -> Option<Url> {
    let mut own = url.clone();
    own.set_ip_host(endpoint.address).ok()?;
    let port = url.port_or_known_default();
    let has = endpoint.ports.iter().any(|(_, number)| Some(*number) == port);
    if !has {
        own.set_port(None).ok()?;
    }
    Some(own)
}

/// `scheme://host:port` of a URL: no user, no path, no query.
pub(crate) fn origin_of(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn refusal(endpoint: String, status: StatusCode) -> ScalerError {
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        let said: Cause = Arc::new(std::io::Error::other(format!("status {status}")));
        return ScalerError::Unauthorized {
            endpoint,
            source: said,
        };
    }
    ScalerError::Answer {
        endpoint,
        answer: format!("with status {status}"),
    }
}

/// The client's errors name the URL, whose query may hold a key: it is taken out.
pub(super) fn unreachable(endpoint: &str, error: reqwest::Error) -> ScalerError {
    ScalerError::unreachable(endpoint, error.without_url())
}

/// Upstream: Go's `http.ProxyFromEnvironment`, which never sends the loopback to a proxy.
fn proxies(settings: &Proxies) -> Result<Vec<Proxy>, ScalerError> {
    let direct = format!(
        "localhost,127.0.0.0/8,::1,{}",
        settings.except.as_deref().unwrap_or_default()
    );
    let wrong = |_| ScalerError::Setting("the proxy of the environment is no URL".to_owned());
    let mut all = Vec::new();
    if let Some(url) = settings.http.as_deref().filter(|url| !url.is_empty()) {
        all.push(
            Proxy::http(url)
                .map_err(wrong)?
                .no_proxy(NoProxy::from_string(&direct)),
        );
    }
    if let Some(url) = settings.https.as_deref().filter(|url| !url.is_empty()) {
        all.push(
            Proxy::https(url)
                .map_err(wrong)?
                .no_proxy(NoProxy::from_string(&direct)),
        );
    }
    Ok(all)
}

/// A header that carries a credential; its value is marked so that no log prints it.
pub(super) fn secret_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), ScalerError> {
    let wrong = || ScalerError::Setting(format!("the header `{name}` or its value cannot be sent"));
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok((header, value))
}
