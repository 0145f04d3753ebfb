//! HTTP: one client an origin and credential.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, NoProxy, Proxy, Request, Response, StatusCode, Url};

use super::http_auth::{Credentials, TokenCache};
use crate::connect::{Connect, Endpoint, Proxies};
use crate::observer::HttpRequest;
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;
use crate::tls::TlsSettings;
use crate::{Cause, ScalerError, Secret};

/// The longest reply that is read: a value is to be found in it, not a data set.
const LONGEST: usize = 16 << 20;
/// The longest reply in which a server may say why it did not answer.
const LONGEST_COMPLAINT: usize = 16 << 10;
/// How many pods are asked at the same time. Upstream: `maxConcurrentRequests` in `metrics_api_scaler.go`.
const AT_ONCE: usize = 5;
/// Connections that are kept for later; each takes about 50 KB here. What a burst opened beyond them is closed behind it.
const IDLE: usize = 32;

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
    /// One URL, with more than the URL; any status of success will do.
    Fetch(Box<Fetch>),
}

/// A request that says more than its URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fetch {
    pub(crate) url: Url,
    /// Headers of the trigger's own; they may carry credentials.
    pub(crate) headers: Vec<(String, Secret<String>)>,
    pub(crate) stamp: Stamp,
}

/// Parameters of the query that say when a question is put. They are no part of what is asked, so all are equal: who asks
/// the same while a request is under way shares its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamp(pub(crate) Vec<(&'static str, String)>);

impl PartialEq for Stamp {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Stamp {}

impl Hash for Stamp {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

/// What comes back.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// The body of a reply with status 200, or whatever status the question asked for.
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
        let client = client(&key.base, &key.tls, connect)?;
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
            Question::Fetch(fetch) => self.fetch(fetch).await.map(Answer::One),
        }
    }

    async fn get(&self, url: Url) -> Result<Bytes, ScalerError> {
        let endpoint = origin_of(&url);
        let response = self
            .send(&endpoint, Request::new(reqwest::Method::GET, url))
            .await?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(refusal(endpoint, status));
        }
        body(&endpoint, response, LONGEST).await
    }

    async fn fetch(&self, fetch: &Fetch) -> Result<Bytes, ScalerError> {
        let endpoint = origin_of(&fetch.url);
        let mut request = Request::new(reqwest::Method::GET, fetch.url.clone());
        if !fetch.stamp.0.is_empty() {
            request.url_mut().query_pairs_mut().extend_pairs(&fetch.stamp.0);
        }
        for (name, value) in &fetch.headers {
            let (name, value) = secret_header(name, value.expose())?;
            request.headers_mut().append(name, value);
        }
        let response = self.send(&endpoint, request).await?;
        let status = response.status();
        if status.is_success() {
            return body(&endpoint, response, LONGEST).await;
        }
        let refused = refusal(endpoint.clone(), status);
        let ScalerError::Answer { endpoint, answer } = refused else {
            return Err(refused);
        };
        let said = body(&endpoint, response, LONGEST_COMPLAINT).await.ok();
        let said = said.and_then(|body| complaint(&body));
        let told = |text: &String| {
            let mut own = fetch.headers.iter().map(|(_, value)| value.expose());
            !self.credentials.are_in(text) && !own.any(|value| !value.is_empty() && text.contains(value))
        };
        Err(match said.filter(told) {
            Some(said) => ScalerError::Answer {
                endpoint,
                answer: format!("{answer}: {said}"),
            },
            None => ScalerError::Answer { endpoint, answer },
        })
    }

    async fn send(&self, endpoint: &str, mut request: Request) -> Result<Response, ScalerError> {
        self.credentials
            .apply(&mut request, &self.client, &self.tokens)
            .await?;
        let mut watch = HttpRequest::begin(&self.connect);
        let sent = self.client.execute(request).await;
        let response = sent.map_err(|error| unreachable(endpoint, error))?;
        watch.answered(response.status().as_u16());
        Ok(response)
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

/// A client that trusts what it should and takes the proxies of the process.
pub(super) fn client(base: &str, tls: &TlsSettings, connect: &Connect) -> Result<Client, ScalerError> {
    let tls = tls.client(connect)?;
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .pool_max_idle_per_host(IDLE);
    for proxy in proxies(&connect.proxies)? {
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| unreachable(base, error))
}

/// Reads a body, which must not be longer than so many bytes.
pub(super) async fn body(
    endpoint: &str,
    mut response: Response,
    longest: usize,
) -> Result<Bytes, ScalerError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| unreachable(endpoint, error))?
    {
        if body.len() + chunk.len() > longest {
            return Err(ScalerError::Answer {
                endpoint: endpoint.to_owned(),
                answer: format!("with more than {longest} bytes"),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// What a server says about a request it did not like: the text of `error` or `message` in its JSON.
fn complaint(body: &[u8]) -> Option<String> {
    /// Longer texts are cut: what is wrong stands at their beginning.
    const LONGEST: usize = 300;
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = document
        .get("error")
        .or_else(|| document.get("message"))?
        .as_str()?;
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = one_line.chars().take(LONGEST).collect();
    (!cut.is_empty()).then_some(cut)
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
