//! The way to the API server, and what to do when there is none.

use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// How long the first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// The API server cannot be used. `Display` ends with what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiServerError {
    /// `--kubeconfig` cannot be read.
    #[error("cannot use the kubeconfig {path}; check --kubeconfig")]
    Kubeconfig {
        /// The file.
        path: String,
        /// Why.
        source: Box<kube::config::KubeconfigError>,
    },
    /// Neither kubeconfig nor service account.
    #[error(
        "found neither a kubeconfig nor a service account; set --kubeconfig or KUBECONFIG, or run in a pod"
    )]
    NoConfig(#[source] Box<kube::config::InferConfigError>),
    /// The configuration makes no client.
    #[error("cannot make a client for {url}; check the certificates of the kubeconfig")]
    Client {
        /// Address of the API server.
        url: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Nobody answers.
    #[error("cannot reach the API server at {url}; is it up, and is the address right?")]
    Unreachable {
        /// Address of the API server.
        url: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Nobody answers in time.
    #[error("the API server at {url} did not answer within {} s; is it up, and is the address right?", FIRST_ANSWER.as_secs())]
    Silent {
        /// Address of the API server.
        url: String,
    },
    /// The right is missing.
    #[error(
        "may not read kube-system/extension-apiserver-authentication; bind the role extension-apiserver-authentication-reader in \
         kube-system to this service account (RoleBinding keda-auth-reader of the installation)"
    )]
    Forbidden(#[source] Box<kube::Error>),
    /// Nobody knows us.
    #[error("the API server at {url} does not accept the credentials; check kubeconfig or service account")]
    Unauthorized {
        /// Address of the API server.
        url: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

/// A client, and the address it leads to.
pub(crate) async fn client(kubeconfig: Option<&Path>) -> Result<(Client, String), ApiServerError> {
    let config = match kubeconfig {
        Some(path) => {
            let failed = |source| ApiServerError::Kubeconfig {
                path: path.display().to_string(),
                source: Box::new(source),
            };
            let file = Kubeconfig::read_from(path).map_err(failed)?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(failed)?
        }
        None => Config::infer()
            .await
            .map_err(|source| ApiServerError::NoConfig(Box::new(source)))?,
    };
    let url = config.cluster_url.to_string();
    let failed = |source| ApiServerError::Client {
        url: url.clone(),
        source: Box::new(source),
    };
    Ok((Client::try_from(config).map_err(failed)?, url))
}

/// Waits for the first answer and says what is wrong with it.
pub(crate) async fn first_answer<T>(
    url: &str,
    answer: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ApiServerError> {
    let url = url.to_owned();
    let Ok(answer) = tokio::time::timeout(FIRST_ANSWER, answer).await else {
        return Err(ApiServerError::Silent { url });
    };
    answer.map_err(|error| {
        let code = match &error {
            kube::Error::Api(status) => status.code,
            _ => 0,
        };
        let source = Box::new(error);
        match code {
            401 => ApiServerError::Unauthorized { url, source },
            403 => ApiServerError::Forbidden(source),
            _ => ApiServerError::Unreachable { url, source },
        }
    })
}
