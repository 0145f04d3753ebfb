//! Asks the API server who a token belongs to and whether a user may do something. Answers are kept for ten seconds, as upstream's
//! delegating authenticator and authorizer keep theirs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use rpc::Token;

use super::Identity;
use super::cache::Cache;
use super::request_info::{RequestInfo, ResourceInfo};

/// How long an answer is kept. Upstream: `NewDelegatingAuthenticationOptions`, `NewDelegatingAuthorizationOptions`.
const LIFETIME: Duration = Duration::from_secs(10);
/// How long a review may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a token must be meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Audience {
    /// The API server itself.
    ApiServer,
    /// The debug API.
    Debug,
}

/// The answer to whether somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Yes.
    Allowed,
    /// No, and what the authorizer said to it.
    Denied(String),
}

/// A review failed; nobody is let in on it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    /// The API server did not answer as it should.
    #[error("the API server gave no {0}")]
    Failed(&'static str, #[source] Box<kube::Error>),
    /// The API server did not answer in time.
    #[error("the API server gave no {0} in time")]
    Late(&'static str),
}

/// Asks the API server and remembers its answers.
pub(crate) struct Reviewer {
    client: Client,
    tokens: Cache<(Token, Audience), Option<Identity>>,
    access: Cache<(Identity, RequestInfo), Access>,
}

impl Reviewer {
    /// A reviewer without answers.
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            tokens: Cache::new(LIFETIME),
            access: Cache::new(LIFETIME),
        }
    }

    /// Whose token it is; `None` when it is nobody's or meant for somebody else.
    pub(crate) async fn identify(
        &self,
        token: &Token,
        audience: Audience,
    ) -> Result<Option<Identity>, ReviewError> {
        let key = (token.clone(), audience);
        if let Some(known) = self.tokens.get(&key, Instant::now()) {
            return Ok(known);
        }
        let audiences = match audience {
            Audience::ApiServer => None,
            Audience::Debug => Some(vec![rpc::AUDIENCE.to_owned()]),
        };
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.expose().to_owned(),
                audiences: audiences.clone(),
            },
            ..TokenReview::default()
        };
        let review = self.create("answer to a TokenReview", &review).await?;
        let identity = review
            .status
            .filter(|status| status.authenticated == Some(true))
            .and_then(|status| {
                // An authenticator that does not know audiences leaves them out; then the token may be meant for anybody.
                let meant = audiences.is_none_or(|wanted| {
                    status
                        .audiences
                        .unwrap_or_default()
                        .iter()
                        .any(|audience| wanted.contains(audience))
                });
                let user = status.user.filter(|_| meant)?;
                Some(Identity {
                    name: user.username.unwrap_or_default(),
                    uid: user.uid.unwrap_or_default(),
                    groups: user.groups.unwrap_or_default(),
                    extra: user.extra.unwrap_or_default(),
                })
            });
        let identity = identity.map(Identity::authenticated);
        self.tokens.put(key, identity.clone(), Instant::now());
        Ok(identity)
    }

    /// Whether `user` may do what `request` wants.
    pub(crate) async fn access(&self, user: &Identity, request: &RequestInfo) -> Result<Access, ReviewError> {
        if user.is_master() {
            return Ok(Access::Allowed);
        }
        if let Some(everything) = everything_like(request)
            && self.ask(user, everything).await? == Access::Allowed
        {
            return Ok(Access::Allowed);
        }
        self.ask(user, request.clone()).await
    }

    async fn ask(&self, user: &Identity, request: RequestInfo) -> Result<Access, ReviewError> {
        let key = (user.clone(), request);
        if let Some(known) = self.access.get(&key, Instant::now()) {
            return Ok(known);
        }
        let review = self
            .create("answer to a SubjectAccessReview", &review(user, &key.1))
            .await?;
        let status = review.status.unwrap_or_default();
        let access = if status.allowed && status.denied != Some(true) {
            Access::Allowed
        } else {
            Access::Denied(status.reason.unwrap_or_default())
        };
        self.access.put(key, access.clone(), Instant::now());
        Ok(access)
    }

    async fn create<K>(&self, what: &'static str, object: &K) -> Result<K, ReviewError>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let api = Api::<K>::all(self.client.clone());
        let parameters = PostParams::default();
        match tokio::time::timeout(DEADLINE, api.create(&parameters, object)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(ReviewError::Failed(what, Box::new(error))),
            Err(_) => Err(ReviewError::Late(what)),
        }
    }
}

/// The question whether somebody may do the same to every metric of every namespace. The HPA controller may; one such answer spares
/// a review for each of its metrics. In a review `*` means all resources and an empty namespace all namespaces.
fn everything_like(request: &RequestInfo) -> Option<RequestInfo> {
    match request {
        RequestInfo::Resource(info) if info.group == crate::api::GROUP => {
            let ResourceInfo {
                verb, group, version, ..
            } = info.clone();
            let resource = "*".to_owned();
            Some(RequestInfo::Resource(ResourceInfo {
                verb,
                group,
                version,
                resource,
                ..ResourceInfo::default()
            }))
        }
        _ => None,
    }
}

fn review(user: &Identity, request: &RequestInfo) -> SubjectAccessReview {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (resource, path) = match request {
        RequestInfo::Resource(info) => (
            Some(ResourceAttributes {
                verb: given(&info.verb),
                group: given(&info.group),
                version: given(&info.version),
                namespace: given(&info.namespace),
                resource: given(&info.resource),
                subresource: given(&info.subresource),
                name: given(&info.name),
                ..ResourceAttributes::default()
            }),
            None,
        ),
        RequestInfo::Path { verb, path } => (
            None,
            Some(NonResourceAttributes {
                path: given(path),
                verb: given(verb),
            }),
        ),
    };
    let extra: BTreeMap<_, _> = user.extra.clone();
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: given(&user.name),
            uid: given(&user.uid),
            groups: Some(user.groups.clone()),
            extra: (!extra.is_empty()).then_some(extra),
            resource_attributes: resource,
            non_resource_attributes: path,
        },
        ..SubjectAccessReview::default()
    }
}
