//! The token that is shown to the debug API.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use kube::client::ConfigExt;
use rpc::{AUDIENCE, Token};
use tower::{Layer, ServiceExt};

use super::{TokenKind, find};
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;

/// Service account whose tokens the debug API knows.
const SERVICE_ACCOUNT: &str = "keda-debug";
/// The shortest life that the API server gives a token.
const LIFE_SECONDS: i64 = 600;

/// Gets a token of the wanted kind.
pub(super) async fn get(cluster: &Cluster, kind: TokenKind, namespace: &str) -> Result<Token, Failure> {
    match kind {
        TokenKind::Minted => mint(cluster, namespace).await,
        TokenKind::Own => own(cluster).await,
    }
}

async fn mint(cluster: &Cluster, namespace: &str) -> Result<Token, Failure> {
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), namespace);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: Some(vec![AUDIENCE.to_owned()]),
            expiration_seconds: Some(LIFE_SECONDS),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let made = accounts
        .create_token_request(SERVICE_ACCOUNT, &PostParams::default(), &request)
        .await
        .map_err(|e| {
            if matches!(&e, kube::Error::Api(status) if status.code == 404) {
                return Failure::new(
                    exit::CHECK_FAILED,
                    format!("there is no service account {namespace}/{SERVICE_ACCOUNT}"),
                )
                .help("upstream KEDA has none; `kubectl keda install` creates it")
                .help("ask in your own name with `--debug-token own`");
            }
            let doing = format!("make a token for the service account {namespace}/{SERVICE_ACCOUNT}");
            find::lacking(cluster, &doing, e, "create serviceaccounts/token", namespace)
                .help("or ask in your own name with `--debug-token own`")
        })?;
    let token = made.status.and_then(|status| Token::new(status.token?));
    token.ok_or_else(|| Failure::new(exit::UNEXPECTED, "the API server gave no token"))
}

/// The bearer token that the kubeconfig's user has, from wherever it comes: the same layer that puts it into the
/// client's requests puts it into one that goes nowhere.
pub(super) async fn own(cluster: &Cluster) -> Result<Token, Failure> {
    let unusable = |e: Box<dyn std::error::Error + Send + Sync>| {
        Failure::new(
            exit::NOT_PERMITTED,
            "cannot get the token of the kubeconfig's user",
        )
        .because(e)
    };
    let none = || {
        Failure::new(exit::NOT_PERMITTED, "the kubeconfig's user has no token to show")
            .help("leave `--debug-token own` away: a token is made for the call then")
    };
    let Some(layer) = cluster.config.auth_layer().map_err(|e| unusable(e.into()))? else {
        return Err(none());
    };
    let nowhere = tower::service_fn(|request: http::Request<kube::client::Body>| async move {
        Ok::<_, tower::BoxError>(http::Response::new(
            request.headers().get(http::header::AUTHORIZATION).cloned(),
        ))
    });
    let header = layer
        .layer(nowhere)
        .oneshot(http::Request::new(kube::client::Body::empty()))
        .await
        .map_err(unusable)?;
    header
        .body()
        .as_ref()
        .and_then(|value| value.to_str().ok())
        .and_then(Token::of_header)
        .ok_or_else(none)
}
