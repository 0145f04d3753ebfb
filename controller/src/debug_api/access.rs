//! Who may ask the debug API: a token that the API server vouches for, of a user who has the right to what is asked:
//! to `get` the object it is about, or, for a dry run of a new one, to create it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use rpc::{AUDIENCE, Token};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::failure;

/// How long an answer of the API server is believed; as long as the API server's own webhook caches, at most.
const BELIEVED: Duration = Duration::from_secs(10);
/// Answers remembered.
const KEPT: usize = 1024;

/// Asks the API server, and remembers its answers for a moment.
pub(crate) struct Access {
    tokens: Api<TokenReview>,
    accesses: Api<SubjectAccessReview>,
    users: Mutex<HashMap<[u8; 32], (UserInfo, Instant)>>,
    verdicts: Mutex<HashMap<(String, Question), (bool, Instant)>>,
}

/// A right that a caller needs. An empty part means all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// `get`, `create` or `update`.
    pub(crate) verb: &'static str,
    /// Group of the resource; empty for the core group.
    pub(crate) group: &'static str,
    /// Plural of a kind.
    pub(crate) resource: &'static str,
    /// The namespace.
    pub(crate) namespace: String,
    /// The object.
    pub(crate) name: String,
}

impl Access {
    /// Asks through that client.
    pub(crate) fn new(client: &Client) -> Self {
        Self {
            tokens: Api::all(client.clone()),
            accesses: Api::all(client.clone()),
            users: Mutex::default(),
            verdicts: Mutex::default(),
        }
    }

    /// Finds out who calls.
    pub(crate) async fn caller(&self, metadata: &MetadataMap) -> Result<UserInfo, Status> {
        let token = Token::of_call(metadata).ok_or_else(|| {
            Status::unauthenticated(format!(
                "show a bearer token of audience `{AUDIENCE}`, as `kubectl keda` does"
            ))
        })?;
        // Remembered by hash: a token never stays in memory longer than its call.
        let remembered: [u8; 32] = Sha256::digest(token.expose()).into();
        if let Some((user, at)) = self
            .users
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&remembered)
            && at.elapsed() < BELIEVED
        {
            return Ok(user.clone());
        }
        let user = match self.review(&token, Some(vec![AUDIENCE.to_owned()])).await? {
            Some(user) => user,
            // The caller's own token, which `kubectl keda --debug-token=own` sends, is bound to the API server.
            None => self.review(&token, None).await?.ok_or_else(|| {
                Status::unauthenticated("the API server does not know this token, or it has run out")
            })?,
        };
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut users);
        users.insert(remembered, (user.clone(), Instant::now()));
        Ok(user)
    }

    async fn review(
        &self,
        token: &Token,
        audiences: Option<Vec<String>>,
    ) -> Result<Option<UserInfo>, Status> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.expose().to_owned(),
                audiences: audiences.clone(),
            },
            ..TokenReview::default()
        };
        let reviewed = self
            .tokens
            .create(&PostParams::default(), &review)
            .await
            .map_err(|error| unanswered(&error))?;
        let status = reviewed.status.unwrap_or_default();
        // An authenticator that knows no audiences answers without any: then the token was not checked for ours.
        let meant_for_us = audiences.is_none_or(|wanted| {
            status
                .audiences
                .as_ref()
                .is_some_and(|got| wanted.iter().any(|audience| got.contains(audience)))
        });
        Ok(status
            .user
            .filter(|_| status.authenticated == Some(true) && meant_for_us))
    }

    /// Whether a user has a right.
    pub(crate) async fn may(&self, user: &UserInfo, question: &Question) -> Result<bool, Status> {
        let key = (user.username.clone().unwrap_or_default(), question.clone());
        if let Some((allowed, at)) = self
            .verdicts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            && at.elapsed() < BELIEVED
        {
            return Ok(*allowed);
        }
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username.clone(),
                groups: user.groups.clone(),
                uid: user.uid.clone(),
                extra: user
                    .extra
                    .clone()
                    .map(|extra| extra.into_iter().collect::<BTreeMap<_, _>>()),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(question.verb.to_owned()),
                    group: Some(question.group.to_owned()),
                    resource: Some(question.resource.to_owned()),
                    namespace: some(&question.namespace),
                    name: some(&question.name),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviewed = self
            .accesses
            .create(&PostParams::default(), &review)
            .await
            .map_err(|error| unanswered(&error))?;
        let allowed = reviewed.status.is_some_and(|status| status.allowed);
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut verdicts);
        verdicts.insert(key, (allowed, Instant::now()));
        Ok(allowed)
    }

    /// As [`Access::may`], with the refusal as an error.
    pub(crate) async fn require(&self, user: &UserInfo, question: &Question) -> Result<(), Status> {
        if self.may(user, question).await? {
            return Ok(());
        }
        Err(refused(user, question))
    }
}

/// The refusal of a right.
pub(crate) fn refused(user: &UserInfo, question: &Question) -> Status {
    let name = user.username.as_deref().unwrap_or("the caller");
    let Question {
        verb,
        group,
        resource,
        namespace,
        name: object,
    } = question;
    let dot = if group.is_empty() { "" } else { "." };
    let what = match (namespace.as_str(), object.as_str()) {
        ("", "") => format!("{resource}{dot}{group} of all namespaces"),
        ("", object) => format!("{resource}{dot}{group} {object}"),
        (namespace, "") => format!("{resource}{dot}{group} in namespace {namespace}"),
        (namespace, object) => format!("{resource}{dot}{group} {namespace}/{object}"),
    };
    Status::permission_denied(format!(
        "{name} may not {verb} {what}: grant it with a Role or ClusterRole"
    ))
}

fn make_room<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, (V, Instant)>) {
    if map.len() >= KEPT {
        map.retain(|_, (_, at)| at.elapsed() < BELIEVED);
    }
    if map.len() >= KEPT {
        map.clear();
    }
}

fn unanswered(error: &kube::Error) -> Status {
    Status::unavailable(format!(
        "the API server could not be asked about the caller: {}",
        failure::chain(error)
    ))
}
