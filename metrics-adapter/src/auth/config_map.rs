//! Reads `kube-system/extension-apiserver-authentication` into [`Trust`] and follows its changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use http::HeaderName;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use rpc::tls::CertFolder;
use tokio::sync::watch;

use super::trust::{Authorities, NoAuthority, RequestHeader, Trust};

/// Namespace of the ConfigMap.
const NAMESPACE: &str = "kube-system";
/// Name of the ConfigMap.
const NAME: &str = "extension-apiserver-authentication";

/// The ConfigMap cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A key holds something else than a JSON list of texts.
    #[error("`{0}` is not a JSON list of texts")]
    NotAList(&'static str),
    /// A header list holds a text that no header can be called.
    #[error("`{key}` holds `{value}`, which cannot be a header's name")]
    NotAHeader {
        /// Key of the ConfigMap.
        key: &'static str,
        /// What it holds.
        value: String,
    },
    /// A key that must hold a CA bundle does not.
    #[error("`{key}` cannot be used")]
    Bundle {
        /// Key of the ConfigMap.
        key: &'static str,
        /// Why.
        source: NoAuthority,
    },
}

/// Makes the trust that the ConfigMap describes. Pure.
pub(crate) fn read(data: &BTreeMap<String, String>) -> Result<Trust, ConfigError> {
    let bundle = |key: &'static str| {
        let text = data.get(key).filter(|text| !text.trim().is_empty());
        text.map(|text| {
            Authorities::from_pem(text.as_bytes()).map_err(|source| ConfigError::Bundle { key, source })
        })
        .transpose()
    };
    let list = |key: &'static str| match data.get(key) {
        Some(text) => serde_json::from_str::<Vec<String>>(text).map_err(|_| ConfigError::NotAList(key)),
        None => Ok(Vec::new()),
    };
    let headers = |key: &'static str| -> Result<Vec<HeaderName>, ConfigError> {
        let parse = |value: String| {
            value
                .trim()
                .parse()
                .map_err(|_| ConfigError::NotAHeader { key, value })
        };
        list(key)?.into_iter().map(parse).collect()
    };
    let request_header = match bundle("requestheader-client-ca-file")? {
        Some(authorities) => {
            let prefixes = list("requestheader-extra-headers-prefix")?;
            Some(RequestHeader {
                authorities,
                allowed_names: list("requestheader-allowed-names")?,
                username: headers("requestheader-username-headers")?,
                uid: headers("requestheader-uid-headers")?,
                group: headers("requestheader-group-headers")?,
                extra_prefixes: prefixes
                    .iter()
                    .map(|prefix| prefix.trim().to_ascii_lowercase())
                    .collect(),
            })
        }
        None => None,
    };
    Ok(Trust {
        request_header,
        client: bundle("client-ca-file")?,
    })
}

/// Fetches the ConfigMap once, so that a missing permission shows at start.
pub(crate) async fn fetch(client: &Client) -> Result<Option<ConfigMap>, kube::Error> {
    Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE)
        .get_opt(NAME)
        .await
}

/// Puts what the ConfigMap and the optional `--client-ca-file` say into `trust`. The file takes the place of the ConfigMap's client
/// CA. Upstream: `DelegatingAuthenticationOptions.ApplyTo`.
pub(crate) fn publish(
    config: Option<&ConfigMap>,
    client_ca: Option<&CertFolder>,
    trust: &watch::Sender<Arc<Trust>>,
) {
    let empty = BTreeMap::new();
    let data = config.and_then(|config| config.data.as_ref()).unwrap_or(&empty);
    let mut read = match read(data) {
        Ok(read) => read,
        Err(error) => {
            // The former trust stays: an unreadable change must not lock the aggregating API server out.
            let error = crate::error_chain(&error);
            tracing::error!(%error, "{NAMESPACE}/{NAME} not applied; the former configuration stays in force");
            return;
        }
    };
    if read.request_header.is_none() {
        tracing::warn!(
            "{NAMESPACE}/{NAME} holds no request-header CA; requests through the API server's aggregation are not recognised. \
             Set --requestheader-client-ca-file on kube-apiserver"
        );
    }
    if let Some(folder) = client_ca {
        match Authorities::new(folder.current().authorities().to_vec()) {
            Ok(authorities) => read.client = Some(authorities),
            Err(error) => tracing::error!(%error, "--client-ca-file not applied"),
        }
    }
    trust.send_replace(Arc::new(read));
}

/// Follows the ConfigMap and the file for as long as the process runs.
pub(crate) async fn follow(
    client: Client,
    mut last: Option<ConfigMap>,
    client_ca: Option<Arc<CertFolder>>,
    trust: watch::Sender<Arc<Trust>>,
) {
    let api = Api::<ConfigMap>::namespaced(client, NAMESPACE);
    let stream = watcher::watch_object(api, NAME).default_backoff();
    let mut stream = std::pin::pin!(stream);
    let mut failing = false;
    let mut file = client_ca.as_ref().map(|folder| folder.changed());
    loop {
        let file_changed = async {
            match &mut file {
                Some(changed) => changed.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = stream.next() => match event {
                Some(Ok(config)) => {
                    failing = false;
                    let same = config.as_ref().and_then(|c| c.data.as_ref()) == last.as_ref().and_then(|c| c.data.as_ref());
                    if same { continue; }
                    tracing::info!("{NAMESPACE}/{NAME} changed");
                    last = config;
                }
                Some(Err(error)) => {
                    if !std::mem::replace(&mut failing, true) {
                        let error = crate::error_chain(&error);
                        tracing::warn!(error, "cannot watch {NAMESPACE}/{NAME}; the last known configuration stays in force");
                    }
                    continue;
                }
                None => return,
            },
            true = file_changed => {}
            else => return,
        }
        publish(last.as_ref(), client_ca.as_deref(), &trust);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn bundle() -> String {
        crate::testing::authority("ca").pem()
    }

    #[test]
    fn reads_what_an_api_server_writes() {
        let ca = bundle();
        let trust = read(&data(&[
            ("client-ca-file", &ca),
            ("requestheader-client-ca-file", &ca),
            ("requestheader-allowed-names", r#"["aggregator"]"#),
            ("requestheader-username-headers", r#"["X-Remote-User"]"#),
            ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
            ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
            ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
        ]))
        .expect("all keys are right");
        let proxy = trust.request_header.expect("a request-header CA");
        assert_eq!(proxy.allowed_names, ["aggregator"]);
        assert_eq!(proxy.username, ["x-remote-user"]);
        assert_eq!(proxy.extra_prefixes, ["x-remote-extra-"]);
        assert_eq!(trust.client.expect("a client CA").certificates().len(), 1);
    }

    fn config(pairs: &[(&str, &str)]) -> ConfigMap {
        ConfigMap {
            data: Some(data(pairs)),
            ..ConfigMap::default()
        }
    }

    #[tokio::test]
    async fn a_broken_change_leaves_the_former_trust_and_the_file_wins() {
        let (first, second) = (bundle(), bundle());
        let trust = watch::Sender::new(Arc::new(Trust::default()));
        let proxies = |trust: &watch::Sender<Arc<Trust>>| {
            let trust = trust.borrow();
            trust
                .request_header
                .as_ref()
                .map(|proxy| proxy.authorities.certificates().to_vec())
        };
        publish(
            Some(&config(&[("requestheader-client-ca-file", &first)])),
            None,
            &trust,
        );
        let before = proxies(&trust);
        assert!(before.is_some());
        publish(
            Some(&config(&[("requestheader-client-ca-file", "broken")])),
            None,
            &trust,
        );
        assert_eq!(proxies(&trust), before);
        publish(
            Some(&config(&[("requestheader-client-ca-file", &second)])),
            None,
            &trust,
        );
        assert_ne!(proxies(&trust), before);

        let (_files, own) = crate::testing::folder(&crate::testing::authority("KEDA"), &["adapter"]);
        publish(Some(&config(&[("client-ca-file", &first)])), Some(&own), &trust);
        let client = trust
            .borrow()
            .client
            .as_ref()
            .map(|ca| ca.certificates().to_vec());
        assert_eq!(client.as_deref(), Some(own.current().authorities()));
    }

    #[track_caller]
    fn check_refused(pairs: &[(&str, &str)], words: &str) {
        let error = read(&data(pairs)).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn nothing_is_guessed_from_broken_values() {
        let ca = bundle();
        assert!(read(&data(&[])).expect("empty is fine").request_header.is_none());
        check_refused(&[("client-ca-file", "nonsense")], "client-ca-file");
        check_refused(
            &[
                ("requestheader-client-ca-file", &ca),
                ("requestheader-allowed-names", "aggregator"),
            ],
            "requestheader-allowed-names",
        );
        check_refused(
            &[
                ("requestheader-client-ca-file", &ca),
                ("requestheader-username-headers", r#"["a b"]"#),
            ],
            "a b",
        );
    }
}
