//! Keeps the Secret with authority and certificate, the files made of it, and the `caBundle` of the APIService.
//!
//! ```text
//! authority (decides) ─▶ Secret ─▶ --cert-dir (ours; the adapter's comes from the Secret's volume)
//!                           └────▶ APIService.spec.caBundle (the aggregator and `kubectl keda` trust it)
//! ```
//!
//! An annotation [`ROTATE`] on the Secret, or the loss of one of its keys, starts a rotation at once.

mod authority;
mod folder;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use engine::desired::ObjectKey;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, ObjectMeta};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use tokio_util::sync::CancellationToken;

use crate::apply::Writer;
use crate::args::Args;
use crate::complaints::Complaints;
use crate::environment::Environment;
use crate::failure::{self, Failure};
use authority::{Bundle, Names, Step};

/// Annotation on the Secret that asks for a new authority.
const ROTATE: &str = "certificates.keda.sh/rotate";
/// Annotation on the Secret: since when a new authority is published without signing yet.
const STAGED_AT: &str = "certificates.keda.sh/staged-at";
/// The APIService of the metrics adapter.
const API_SERVICE: &str = "v1beta1.external.metrics.k8s.io";
/// What complaints are about beside the APIService.
const SECRET: &str = "the Secret";
/// How often the APIService is compared when nothing happens: others may write it too.
const LOOK: Duration = Duration::from_secs(30);
/// Tries at a Secret that somebody else writes at the same time.
const TRIES: usize = 5;

/// Makes, rotates and publishes the certificates.
pub(crate) struct Rotation {
    secrets: Api<Secret>,
    namespace: String,
    secret_name: String,
    api_services: Option<Api<DynamicObject>>,
    writer: Writer,
    names: Names,
    overlap: Duration,
    folder: Option<PathBuf>,
    published: Mutex<Option<Bundle>>,
    complaints: Complaints,
}

impl Rotation {
    /// Prepares from flags; says in which folder the files will be.
    pub(crate) fn new(
        client: &Client,
        writer: Writer,
        args: &Args,
        environment: &Environment,
    ) -> (Self, PathBuf) {
        let services = [
            args.operator_service_name.as_str(),
            args.metrics_server_service_name.as_str(),
            args.webhooks_service_name.as_str(),
        ];
        // Outside a cluster the parts meet on this machine's own addresses.
        let outside = std::env::var_os("KUBERNETES_SERVICE_HOST").is_none();
        let folder = folder::writable(&args.cert_dir);
        let api_services = args
            .enable_apiservice_patching
            .then(|| Api::all_with(client.clone(), &ApiResource::erase::<ApiServiceKind>(&())));
        let rotation = Self {
            secrets: Api::namespaced(client.clone(), &environment.namespace),
            namespace: environment.namespace.clone(),
            secret_name: args.cert_secret_name.clone(),
            api_services,
            writer,
            names: Names::of_services(
                &services,
                &environment.namespace,
                &args.k8s_cluster_domain,
                outside,
            ),
            overlap: args.cert_overlap,
            folder: folder.clone(),
            published: Mutex::default(),
            complaints: Complaints::default(),
        };
        let served = folder.unwrap_or_else(|| args.cert_dir.clone());
        (rotation, served)
    }

    /// Brings everything up to date once; says when to look again.
    pub(crate) async fn ensure(&self) -> Result<Timestamp, Failure> {
        let what = || {
            format!(
                "cannot keep the certificates in the Secret {}/{}",
                self.namespace, self.secret_name
            )
        };
        for _ in 0..TRIES {
            let secret = self
                .secrets
                .get_opt(&self.secret_name)
                .await
                .map_err(|error| self.refused(what(), error))?;
            let seen = secret.as_ref().map(bundle).unwrap_or_default();
            let annotation = |name: &str| secret.as_ref().and_then(|secret| secret.annotations().get(name));
            let staged_at = annotation(STAGED_AT).and_then(|text| text.parse().ok());
            let rotate = annotation(ROTATE).is_some();
            let now = Timestamp::now();
            let step = authority::next(&seen, &self.names, rotate, staged_at, self.overlap, now).map_err(
                |error| {
                    Failure::new(failure::UNEXPECTED, what(), "look at the Secret's content").because(error)
                },
            )?;
            match step {
                Step::Keep { until } => {
                    self.publish(&seen).await?;
                    return Ok(until);
                }
                Step::Write { bundle, why, staged } => {
                    let wanted = content(secret, &self.secret_name, &bundle, staged.then_some(now));
                    match self.write(&wanted).await {
                        Ok(()) => tracing::info!(secret = self.secret_name, "{why}"),
                        Err(kube::Error::Api(status)) if status.code == 409 => {}
                        Err(error) => return Err(self.refused(what(), error)),
                    }
                }
            }
        }
        Err(Failure::new(
            failure::UNEXPECTED,
            what(),
            "somebody else keeps writing it: find out who",
        ))
    }

    fn key(&self) -> ObjectKey {
        ObjectKey::new(self.namespace.clone(), self.secret_name.clone())
    }

    /// Keeps everything up to date until `stop`.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.secret_name));
        let mut changes = watcher(self.secrets.clone(), config)
            .default_backoff()
            .applied_objects()
            .boxed();
        let mut until = Timestamp::now();
        loop {
            let left = Duration::try_from(until - Timestamp::now()).unwrap_or_default();
            tokio::select! {
                () = stop.cancelled() => return,
                _ = changes.next() => {}
                () = tokio::time::sleep(left.clamp(Duration::from_millis(50), LOOK)) => {}
            }
            match self.ensure().await {
                Ok(next) => {
                    self.complaints.settle(&self.key(), SECRET);
                    until = next;
                }
                Err(failure) => {
                    let error = failure::chain(&failure);
                    if self.complaints.is_news(&self.key(), SECRET, &error) {
                        tracing::error!(error, help = failure.help, "certificates");
                    }
                    until = Timestamp::now() + LOOK;
                }
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a step of `ensure`")]
    fn refused(&self, what: String, error: kube::Error) -> Failure {
        let mut failure = Failure::of_kube(what, error);
        let help = match failure.code {
            failure::NOT_PERMITTED => {
                "permit get, create, update, list and watch of secrets in the operator's namespace (the Role `keda-operator`), \
                 or turn --enable-cert-rotation off and provide --cert-dir"
            }
            failure::MISSING => "create the namespace that POD_NAMESPACE names",
            _ => return failure,
        };
        help.clone_into(&mut failure.help);
        failure
    }

    async fn write(&self, secret: &Secret) -> Result<(), kube::Error> {
        if secret.metadata.resource_version.is_some() {
            self.writer
                .replace_secret(&self.namespace, secret)
                .await
                .map(drop)
        } else {
            self.writer.create_secret(&self.namespace, secret).await.map(drop)
        }
    }

    /// Hands the bundle to this process's folder and to the APIService, where they differ.
    async fn publish(&self, bundle: &Bundle) -> Result<(), Failure> {
        let known = self
            .published
            .lock()
            .is_ok_and(|published| published.as_ref() == Some(bundle));
        if let Some(folder) = self.folder.as_ref().filter(|_| !known) {
            folder::write(folder, bundle).map_err(|error| {
                let what = format!("cannot write the certificates to {}", folder.display());
                Failure::new(
                    failure::USAGE,
                    what,
                    "give --cert-dir a folder that this process may write",
                )
                .because(error)
            })?;
        }
        if let Ok(mut published) = self.published.lock() {
            *published = Some(bundle.clone());
        }
        self.patch_api_service(bundle).await;
        Ok(())
    }

    /// Writes `caBundle`. The APIService may come later than the operator, or never: no reason to stop.
    async fn patch_api_service(&self, bundle: &Bundle) {
        let Some(api_services) = &self.api_services else {
            return;
        };
        let wanted = base64(bundle.ca_crt.as_bytes());
        let patched = async {
            let Some(seen) = api_services.get_opt(API_SERVICE).await? else {
                tracing::debug!(api_service = API_SERVICE, "not there yet");
                return Ok(());
            };
            if seen
                .data
                .pointer("/spec/caBundle")
                .and_then(serde_json::Value::as_str)
                == Some(wanted.as_str())
            {
                return Ok(());
            }
            let spec = serde_json::json!({ "caBundle": wanted, "insecureSkipTLSVerify": false });
            self.writer.patch_spec(api_services, API_SERVICE, &spec).await?;
            tracing::info!(api_service = API_SERVICE, "wrote the authority");
            Ok::<_, kube::Error>(())
        };
        match patched.await {
            Ok(()) => {
                self.complaints.settle(&self.key(), API_SERVICE);
            }
            Err(error) => {
                let error = failure::chain(&error);
                if self.complaints.is_news(&self.key(), API_SERVICE, &error) {
                    tracing::warn!(error, api_service = API_SERVICE, "cannot write the authority");
                }
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Reads the Secret; what is missing or no text is empty.
fn bundle(secret: &Secret) -> Bundle {
    let text = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        bytes
            .map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned())
            .unwrap_or_default()
    };
    Bundle {
        ca_crt: text("ca.crt"),
        ca_key: text("ca.key"),
        tls_crt: text("tls.crt"),
        tls_key: text("tls.key"),
    }
}

/// The Secret with a new content.
fn content(seen: Option<Secret>, name: &str, bundle: &Bundle, staged_at: Option<Timestamp>) -> Secret {
    let mut secret = seen.unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    });
    let data = secret.data.get_or_insert_default();
    for (key, text) in [
        ("ca.crt", &bundle.ca_crt),
        ("ca.key", &bundle.ca_key),
        ("tls.crt", &bundle.tls_crt),
        ("tls.key", &bundle.tls_key),
    ] {
        data.insert(key.to_owned(), ByteString(text.clone().into_bytes()));
    }
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.remove(ROTATE);
    annotations.remove(STAGED_AT);
    if let Some(at) = staged_at {
        annotations.insert(STAGED_AT.to_owned(), at.to_string());
    }
    secret
}

/// Type of the APIService, for which k8s-openapi's own type would pull nothing we need.
type ApiServiceKind = k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
