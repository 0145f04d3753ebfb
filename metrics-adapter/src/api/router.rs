//! Routes, and the gate in front of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use rpc::Token;
use rpc::tls::Peer;
use serde::Deserialize;
use tokio::sync::watch;

use super::external_metrics::{ValueList, question};
use super::negotiate::{AGGREGATED, Format, format};
use super::openapi::{Document, Documents};
use super::status::ApiError;
use super::{GROUP, GROUP_VERSION, discovery};
use crate::auth::request_info::{RequestInfo, ResourceInfo};
use crate::auth::{Access, Audience, Chains, Identity, Reviewer, Trust, Verdict};
use crate::feed::Feed;
use crate::prometheus::{CONTENT_TYPE, Metrics};
use crate::record::{Read, Record, Refusal};

/// Paths that anybody may ask, for probes. Upstream: `NewDelegatingAuthorizationOptions`.
const ALWAYS_ALLOWED: [&str; 3] = ["/healthz", "/livez", "/readyz"];
/// How long a certificate's check holds; its end of validity is noticed within this time.
const CHECK_HOLDS: Duration = Duration::from_mins(1);

/// What the aggregated API needs.
pub(crate) struct App {
    /// Whom to trust.
    pub(crate) trust: watch::Receiver<Arc<Trust>>,
    /// Asks the API server.
    pub(crate) reviewer: Reviewer,
    /// Asks the controller.
    pub(crate) feed: Feed,
    /// The recent past.
    pub(crate) record: Record,
    /// Metrics of the process.
    pub(crate) metrics: Metrics,
    /// OpenAPI documents.
    pub(crate) documents: Documents,
}

/// A client's connection, with what its certificates prove.
pub(crate) struct Connection {
    /// Who is at the other end.
    pub(crate) peer: Peer,
    checked: Mutex<Option<(Arc<Trust>, Instant, Chains)>>,
}

impl Connection {
    /// A connection of which nothing is checked yet.
    pub(crate) fn new(peer: Peer) -> Self {
        Self {
            peer,
            checked: Mutex::default(),
        }
    }

    /// What the certificates prove under `trust`. Checked once a minute, and again when the trust changed.
    fn chains(&self, trust: &Arc<Trust>) -> Chains {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((under, since, chains)) = &*checked
            && Arc::ptr_eq(under, trust)
            && since.elapsed() < CHECK_HOLDS
        {
            return chains.clone();
        }
        let chains = trust.check(&self.peer.certificates, SystemTime::now());
        *checked = Some((trust.clone(), Instant::now(), chains.clone()));
        chains
    }
}

/// All routes behind the gate.
pub(crate) fn router(app: Arc<App>) -> Router {
    let metric = format!("/apis/{GROUP_VERSION}/namespaces/{{namespace}}/{{metric}}");
    let mut router = Router::new();
    for (path, value) in [
        ("/", discovery::paths()),
        ("/version", discovery::version()),
        (&format!("/apis/{GROUP}"), discovery::api_group()),
        (&format!("/apis/{GROUP}/"), discovery::api_group()),
        (&format!("/apis/{GROUP_VERSION}"), discovery::resource_list()),
        (&format!("/apis/{GROUP_VERSION}/"), discovery::resource_list()),
    ] {
        router = router.route(path, get(async move |headers: HeaderMap| json(&headers, value)));
    }
    let documents = &app.documents;
    for (path, text) in [
        ("/openapi/v2", documents.v2.clone()),
        ("/openapi/v3", documents.index.clone()),
        (&format!("/openapi/v3/apis/{GROUP_VERSION}"), documents.v3.clone()),
    ] {
        router = router.route(
            path,
            get(async move |headers: HeaderMap| document(&headers, text)),
        );
    }
    for path in ALWAYS_ALLOWED {
        router = router.route(path, get(async || "ok"));
    }
    router
        .route("/apis", get(groups))
        .route("/apis/", get(groups))
        .route(&metric, get(read_metric))
        .route("/metrics", get(metrics))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(axum::middleware::from_fn_with_state(app.clone(), gate))
        .with_state(app)
}

/// Lets in whom the API server knows and allows; keeps a record of the others.
async fn gate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let info = RequestInfo::of(request.method(), request.uri().path(), request.uri().query());
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    let user = match &connection {
        Some(connection) => authenticate(&app, connection, request.headers()).await,
        None => Err(Refused::unknown("no connection")),
    };
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let allowed = match user {
        Ok(user) => authorize(&app, user, &info).await,
        Err(refused) => Err(refused),
    };
    let response = match allowed {
        Ok(user) => {
            request.extensions_mut().insert(user);
            request.extensions_mut().insert(info);
            next.run(request).await
        }
        Err(refused) => {
            let peer = connection
                .map(|connection| connection.peer.address.to_string())
                .unwrap_or_default();
            tracing::info!(
                user = refused.user,
                path,
                peer,
                reason = refused.why,
                "request refused"
            );
            app.record.refusal(Refusal {
                time: Timestamp::now(),
                user: refused.user,
                verb: info.verb().to_owned(),
                path,
                status: refused.error.code.as_u16(),
                reason: refused.why,
                peer,
            });
            refused.error.into_response()
        }
    };
    app.metrics.request(&method, response.status().as_u16());
    response
}

/// A request that goes no further.
struct Refused {
    error: ApiError,
    user: String,
    why: String,
}

impl Refused {
    fn unknown(why: impl Into<String>) -> Self {
        Self {
            error: ApiError::unauthorized(),
            user: String::new(),
            why: why.into(),
        }
    }
}

/// Who asks. Order and outcome are upstream's: certificate with headers, certificate alone, token, nobody; a failed proof without a
/// good one beside it is refused.
async fn authenticate(app: &App, connection: &Connection, headers: &HeaderMap) -> Result<Identity, Refused> {
    let trust = app.trust.borrow().clone();
    let mut errors = match trust.identify(&connection.chains(&trust), headers) {
        Verdict::Known(user) => return Ok(user),
        Verdict::Nobody => Vec::new(),
        Verdict::Refused(errors) => errors,
    };
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| Token::of_header(value.to_str().ok()?));
    if let Some(token) = token {
        match app.reviewer.identify(&token, Audience::ApiServer).await {
            Ok(Some(user)) => return Ok(user),
            Ok(None) => errors.push("invalid bearer token".into()),
            Err(error) => errors.push(crate::error_chain(&error)),
        }
    }
    if errors.is_empty() {
        Ok(Identity::anonymous())
    } else {
        Err(Refused::unknown(errors.join("; ")))
    }
}

async fn authorize(app: &App, user: Identity, info: &RequestInfo) -> Result<Identity, Refused> {
    if matches!(info, RequestInfo::Path { path, .. } if ALWAYS_ALLOWED.contains(&path.as_str())) {
        return Ok(user);
    }
    match app.reviewer.access(&user, info).await {
        Ok(Access::Allowed) => Ok(user),
        Ok(Access::Denied(reason)) => {
            let mut why = info.forbidden(&user.name);
            if !reason.is_empty() {
                why = format!("{why}: {reason}");
            }
            // Worded as `apierrors.NewForbidden` does.
            let message = match info {
                RequestInfo::Resource(info) => {
                    format!("{}.{} is forbidden: {why}", info.resource, info.group)
                }
                RequestInfo::Path { .. } => format!("forbidden: {why}"),
            };
            Err(Refused {
                error: ApiError::forbidden(message),
                user: user.name,
                why,
            })
        }
        Err(error) => {
            let why = crate::error_chain(&error);
            Err(Refused {
                error: ApiError::internal(format!("Internal Server Error: {why}")),
                user: user.name,
                why,
            })
        }
    }
}

fn json(headers: &HeaderMap, value: serde_json::Value) -> Response {
    match format(headers, false) {
        Some(_) => Json(value).into_response(),
        None => ApiError::not_acceptable().into_response(),
    }
}

async fn groups(headers: HeaderMap) -> Response {
    let mut response = match format(&headers, true) {
        Some(Format::Json) => Json(discovery::group_list()).into_response(),
        Some(Format::AggregatedV2) => (
            [(header::CONTENT_TYPE, AGGREGATED)],
            discovery::aggregated().to_string(),
        )
            .into_response(),
        None => ApiError::not_acceptable().into_response(),
    };
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

fn document(headers: &HeaderMap, document: Document) -> Response {
    if format(headers, false).is_none() {
        return ApiError::not_acceptable().into_response();
    }
    let tag = HeaderValue::try_from(&document.etag).expect("a quoted hexadecimal number is printable");
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|value| *value == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, "application/json")],
            Body::from(document.body),
        )
            .into_response()
    };
    response.headers_mut().insert(header::ETAG, tag);
    response
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], app.metrics.text()).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(default)]
    label_selector: String,
}

/// The one request all of this is for.
async fn read_metric(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Extension(user): Extension<Identity>,
    headers: HeaderMap,
    options: Result<Query<Options>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<ValueList>, ApiError> {
    let RequestInfo::Resource(ResourceInfo {
        verb,
        namespace,
        resource: metric,
        ..
    }) = info
    else {
        return Err(ApiError::not_found());
    };
    if verb != "list" {
        return Err(ApiError::method_not_allowed());
    }
    if format(&headers, false).is_none() {
        return Err(ApiError::not_acceptable());
    }
    let Query(options) = options.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let question = question(&namespace, &metric, &options.label_selector)?;
    let (time, since) = (Timestamp::now(), Instant::now());
    let answer = app.feed.values(&question).await;
    let result = answer.result.map(ValueList::new).map_err(|status| {
        tracing::debug!(namespace, scaled_object = question.name, metric, %status, "no values");
        ApiError::of_call(&status)
    });
    app.record.read(Read {
        time,
        user: user.name,
        namespace,
        scaled_object: question.name,
        metric,
        values: result.as_ref().map(ValueList::quantities).unwrap_or_default(),
        error: result
            .as_ref()
            .err()
            .map(|error| error.message.clone())
            .unwrap_or_default(),
        status: result
            .as_ref()
            .map_or_else(|error| error.code, |_| StatusCode::OK)
            .as_u16(),
        latency_micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        endpoint: answer.endpoint,
        attempts: answer.attempts,
    });
    result.map(Json)
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
