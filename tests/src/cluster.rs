//! One client of one API server, in untyped JSON: tests see what a user's tools see.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

/// A kind that tests touch, and where the API serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `apps/v1`, or `v1` for the core group.
    pub api_version: &'static str,
    /// `Deployment`.
    pub name: &'static str,
    /// `deployments`.
    pub plural: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

const fn kind(api_version: &'static str, name: &'static str, plural: &'static str, namespaced: bool) -> Kind {
    Kind {
        api_version,
        name,
        plural,
        namespaced,
    }
}

const KINDS: &[Kind] = &[
    kind(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        false,
    ),
    kind(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    ),
    kind("apiregistration.k8s.io/v1", "APIService", "apiservices", false),
    kind("apps/v1", "Deployment", "deployments", true),
    kind("apps/v1", "StatefulSet", "statefulsets", true),
    kind(
        "authorization.k8s.io/v1",
        "SubjectAccessReview",
        "subjectaccessreviews",
        false,
    ),
    kind(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
    ),
    kind("batch/v1", "Job", "jobs", true),
    kind("coordination.k8s.io/v1", "Lease", "leases", true),
    kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", true),
    kind("events.k8s.io/v1", "Event", "events", true),
    kind(
        "eventing.keda.sh/v1alpha1",
        "CloudEventSource",
        "cloudeventsources",
        true,
    ),
    kind(
        "eventing.keda.sh/v1alpha1",
        "ClusterCloudEventSource",
        "clustercloudeventsources",
        false,
    ),
    kind(
        "keda.sh/v1alpha1",
        "ClusterTriggerAuthentication",
        "clustertriggerauthentications",
        false,
    ),
    kind("keda.sh/v1alpha1", "ScaledJob", "scaledjobs", true),
    kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects", true),
    kind(
        "keda.sh/v1alpha1",
        "TriggerAuthentication",
        "triggerauthentications",
        true,
    ),
    kind(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "clusterroles",
        false,
    ),
    kind(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        false,
    ),
    kind("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    kind(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "rolebindings",
        true,
    ),
    kind("v1", "ConfigMap", "configmaps", true),
    kind("v1", "Namespace", "namespaces", false),
    kind("v1", "Pod", "pods", true),
    kind("v1", "Secret", "secrets", true),
    kind("v1", "Service", "services", true),
    kind("v1", "ServiceAccount", "serviceaccounts", true),
];

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Result<Self> {
        KINDS
            .iter()
            .find(|k| k.name == name)
            .copied()
            .with_context(|| format!("tests know no kind {name}"))
    }

    /// The path of its collection, or of one object.
    pub fn path(&self, namespace: &str, name: Option<&str>) -> String {
        let root = if self.api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let scope = if self.namespaced {
            format!("/namespaces/{namespace}")
        } else {
            String::new()
        };
        let object = name.map(|n| format!("/{n}")).unwrap_or_default();
        format!("/{root}/{}{scope}/{}{object}", self.api_version, self.plural)
    }
}

/// What the API server answered to a write.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The message of a refusal.
    pub message: Option<String>,
    /// The object, or the `Status` of a refusal.
    pub body: Value,
}

/// A client and the file it came from.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

impl Cluster {
    /// Connects as the current context of a kubeconfig says. Nothing is sent yet.
    pub async fn connect(kubeconfig: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        config.connect_timeout = Some(Duration::from_secs(10));
        // Longer than the client keeps a connection that rests: otherwise one may end just as it is used again.
        config.read_timeout = Some(Duration::from_mins(2));
        Ok(Self {
            client: Client::try_from(config)?,
        })
    }

    /// The client itself.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Creates an object in a namespace and reports what the server said, good or bad.
    pub async fn try_create(&self, namespace: &str, object: &Value) -> Result<Answer> {
        let kind = Kind::named(object["kind"].as_str().context("an object has a kind")?)?;
        self.write("POST", &kind.path(namespace, None), "application/json", object)
            .await
    }

    /// Creates an object that must be accepted.
    pub async fn create(&self, namespace: &str, object: &Value) -> Result<Value> {
        accepted(self.try_create(namespace, object).await?)
    }

    /// Sends a merge patch and reports what the server said.
    pub async fn try_merge_patch(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Answer> {
        let url = Kind::named(kind)?.path(namespace, Some(name));
        self.write("PATCH", &url, "application/merge-patch+json", patch)
            .await
    }

    /// Sends a merge patch that must be accepted.
    pub async fn merge_patch(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Result<Value> {
        accepted(self.try_merge_patch(kind, namespace, name, patch).await?)
    }

    /// Server-side applies an object, so that a second run changes nothing.
    pub async fn apply(&self, object: &Value) -> Result<Value> {
        let kind = Kind::named(object["kind"].as_str().context("an object has a kind")?)?;
        let name = object["metadata"]["name"]
            .as_str()
            .context("an object to apply has a name")?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let path = format!(
            "{}?fieldManager=kubectl-keda-tests&force=true",
            kind.path(namespace, Some(name))
        );
        accepted(
            self.write("PATCH", &path, "application/apply-patch+yaml", object)
                .await?,
        )
    }

    /// Deletes an object and reports what the server said.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<Answer> {
        let path = Kind::named(kind)?.path(namespace, Some(name));
        self.write("DELETE", &path, "application/json", &Value::Null)
            .await
    }

    /// Makes a token of a service account for an audience, as whoever this client is.
    pub async fn token(&self, namespace: &str, account: &str, audience: &str) -> Result<String> {
        let path = Kind::named("ServiceAccount")?.path(namespace, Some(account));
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": { "audiences": [audience] },
        });
        let answer = self
            .write("POST", &format!("{path}/token"), "application/json", &request)
            .await?;
        let made = accepted(answer)?;
        let token = made.pointer("/status/token").and_then(Value::as_str);
        Ok(token.context("the API server made no token")?.to_owned())
    }

    /// Reads one object, or `None` if there is none.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>> {
        let answer = self.read(&Kind::named(kind)?.path(namespace, Some(name))).await?;
        match answer.status {
            404 => Ok(None),
            _ => accepted(answer).map(Some),
        }
    }

    /// Reads one object that must be there.
    pub async fn need(&self, kind: &str, namespace: &str, name: &str) -> Result<Value> {
        self.get(kind, namespace, name)
            .await?
            .with_context(|| format!("there is no {kind} {namespace}/{name}"))
    }

    /// Lists the objects of a kind in a namespace, ordered by name.
    pub async fn list(&self, kind: &str, namespace: &str) -> Result<Vec<Value>> {
        let body = accepted(self.read(&Kind::named(kind)?.path(namespace, None)).await?)?;
        let mut items = body["items"].as_array().cloned().unwrap_or_default();
        items.sort_by_key(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned());
        Ok(items)
    }

    /// Reads any path of the API.
    pub async fn read(&self, path: &str) -> Result<Answer> {
        self.write("GET", path, "application/json", &Value::Null).await
    }

    async fn write(&self, method: &str, path: &str, content_type: &str, body: &Value) -> Result<Answer> {
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body)?
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .header("accept", "application/json")
            .body(bytes)?;
        match self.client.request::<Value>(request).await {
            Ok(body) => Ok(Answer {
                status: if method == "POST" { 201 } else { 200 },
                message: None,
                body,
            }),
            Err(kube::Error::Api(status)) => Ok(Answer {
                status: status.code,
                message: Some(status.message.clone()),
                body: serde_json::to_value(&*status)?,
            }),
            Err(error) => Err(anyhow::Error::new(error).context(format!("{method} {path}"))),
        }
    }
}

fn accepted(answer: Answer) -> Result<Value> {
    if answer.status >= 300 {
        bail!(
            "the API server answered {}: {}",
            answer.status,
            answer.message.unwrap_or_default()
        );
    }
    Ok(answer.body)
}
