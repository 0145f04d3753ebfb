//! A dry run from inside the cluster: the controller asks with its own connections and credentials, and writes nothing.
//!
//! Nobody gets at a source through this that could not get at it with a ScaledObject of their own:
//!
//! | asked about | right that is needed |
//! | --- | --- |
//! | an object of the cluster, as it is there | `get` on it, as for `explain` |
//! | a ScaledObject that comes with the request | `create` on ScaledObjects of its namespace, or `update` on the one of its name |
//! | an authentication that comes with it | `create` on that kind, or `update` on the one of its name |
//! | the answers as the sources gave them | `create` on pods where their Secrets are: a pod can read those and ask by itself |
//!
//! Whoever lacks the last one is told values and arithmetic, which the status of an object would tell as well.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{
    AuthenticationKind, ClusterTriggerAuthentication, GroupVersionKindResource, ScaledObject,
    TriggerAuthentication, TriggerAuthenticationSpec,
};
use engine::desired::ObjectKey;
use engine::dry_run::{AskedBy, DryRun, World, find_trigger, predict};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use k8s_openapi::api::core::v1::PodSpec;
use kube::ResourceExt as _;
use rpc::debug::DryRunRequest;
use scalers::{AuthenticationSource, LookupError, Resolver};
use serde::de::DeserializeOwned;
use tonic::Status;

use super::access::{Question, refused};
use super::{DebugApi, GROUP, SCALED_OBJECTS};
use crate::observe::target::replicas;
use crate::operator::Operator;
use crate::triggers::Builder;

/// Dry runs at once; each costs the sources as much as one poll.
pub(super) const AT_ONCE: usize = 8;

/// Why raw answers are left out.
const WITHHELD: &str = "the answers themselves are left out: they are shown to callers who may create pods where the Secrets of the triggers are";

/// Asks, and concludes.
pub(super) async fn run(api: &DebugApi, user: &UserInfo, request: DryRunRequest) -> Result<DryRun, Status> {
    let (object, brought) = subject(api, user, &request).await?;
    let given = given(&object, &request)?;
    if request.replicas.is_some_and(|replicas| replicas < 0) {
        return Err(Status::invalid_argument("the replicas cannot be below 0"));
    }
    tracing::info!(
        namespace = request.namespace,
        name = object.name_any(),
        user = user.username,
        new = !request.object.is_empty(),
        "dry run"
    );
    let namespace = object.namespace().unwrap_or_default();
    let may_see = may_see_answers(api, user, &object, &namespace).await?;
    let (mut world, pod, notes) = look(&api.operator, &object).await;
    if let Some(replicas) = request.replicas {
        world.replicas = Some(replicas);
        world.ready = None;
    }
    let builder = &api.operator.builder;
    let authentications = Brought { brought, builder };
    let resolver = Resolver {
        object: &object,
        pod: pod.as_ref(),
        authentications: &authentications,
        secrets: &*builder.cluster,
    };
    let now = Timestamp::now();
    let asked = scalers::dry_run::ask(&builder.pool, &resolver, &given, now).await;
    let key = crate::cache::key(&*object);
    if api.operator.live(&key).is_none() {
        // Requests are counted by who asks; an object that is only tried leaves nothing.
        api.operator.metrics.forget(&key.namespace, &key.name);
    }
    let mut report = predict(&object, &world, &asked, now);
    report.notes.splice(0..0, notes);
    if !may_see {
        report.withhold_raw(WITHHELD);
    }
    Ok(report)
}

/// The object asked about with the authentications that came with it, once the caller is found to have the rights.
async fn subject(
    api: &DebugApi,
    user: &UserInfo,
    request: &DryRunRequest,
) -> Result<(Arc<ScaledObject>, Vec<Authentication>), Status> {
    if request.namespace.is_empty() {
        return Err(Status::invalid_argument("the namespace is missing"));
    }
    if request.object.is_empty() {
        let key = ObjectKey::new(&request.namespace, &request.name);
        api.access
            .require(user, &super::question(&key.namespace, &key.name))
            .await?;
        let found = api.operator.object(&key);
        let object =
            found.map_err(|_| Status::not_found(format!("scaledobjects.keda.sh {key} is not known here")))?;
        return Ok((object, Vec::new()));
    }
    let mut object: ScaledObject = parsed(&request.object, "the ScaledObject")?;
    // Everything below is judged by the namespace of the request, whatever the manifest says.
    object.metadata.namespace = Some(request.namespace.clone());
    writes(api, user, SCALED_OBJECTS, &request.namespace, &object.name_any()).await?;
    watched(&api.operator, &request.namespace)?;
    // When it was active last is not for the manifest to say, and decides about the cooldown.
    let there = api
        .operator
        .object(&ObjectKey::new(&request.namespace, object.name_any()));
    object.status = there.ok().and_then(|there| there.status.clone());
    let mut brought = Vec::new();
    for bytes in &request.authentications {
        let authentication = Authentication::parse(bytes, &request.namespace)?;
        let (resource, namespace) = match authentication.kind {
            AuthenticationKind::ClusterTriggerAuthentication => ("clustertriggerauthentications", ""),
            _ => ("triggerauthentications", request.namespace.as_str()),
        };
        writes(api, user, resource, namespace, &authentication.name).await?;
        brought.push(authentication);
    }
    Ok((Arc::new(object), brought))
}

/// The right to create an object, or to change the one of its name into it.
async fn writes(
    api: &DebugApi,
    user: &UserInfo,
    resource: &'static str,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    let right = |verb, name: &str| Question {
        verb,
        group: GROUP,
        resource,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let create = right("create", "");
    // An empty name would ask about every object.
    let update = right("update", name);
    if api.access.may(user, &create).await? || !name.is_empty() && api.access.may(user, &update).await? {
        return Ok(());
    }
    Err(refused(user, &create))
}

/// A controller that is limited to some namespaces would not act on objects elsewhere.
fn watched(operator: &Operator, namespace: &str) -> Result<(), Status> {
    let watched = &operator.environment.watch_namespaces;
    if watched.is_empty() || watched.iter().any(|watched| watched == namespace) {
        return Ok(());
    }
    Err(Status::failed_precondition(format!(
        "this controller does not look after namespace {namespace}, only after {}",
        watched.join(", ")
    )))
}

/// Whether the caller could ask the sources without us, with a pod that uses the same Secrets.
async fn may_see_answers(
    api: &DebugApi,
    user: &UserInfo,
    object: &ScaledObject,
    namespace: &str,
) -> Result<bool, Status> {
    let refers_to_cluster = object
        .spec
        .triggers
        .iter()
        .filter_map(|trigger| trigger.authentication_ref.as_ref())
        .any(|reference| reference.kind() == AuthenticationKind::ClusterTriggerAuthentication);
    let mut namespaces = vec![namespace];
    if refers_to_cluster {
        namespaces.push(&api.operator.environment.cluster_object_namespace);
    }
    for namespace in namespaces {
        let pods = Question {
            verb: "create",
            group: "",
            resource: "pods",
            namespace: namespace.to_owned(),
            name: String::new(),
        };
        if !api.access.may(user, &pods).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The values that stand for those of triggers, by position.
fn given(object: &ScaledObject, request: &DryRunRequest) -> Result<BTreeMap<usize, f64>, Status> {
    let find = |value: &rpc::debug::GivenValue| {
        let index = find_trigger(&object.spec.triggers, &value.trigger);
        index
            .map(|index| (index, value.value))
            .ok_or_else(|| Status::invalid_argument(format!("there is no trigger `{}`", value.trigger)))
    };
    request.given.iter().map(find).collect()
}

/// The scale target: its type, its replicas and its pod template.
async fn look(operator: &Operator, object: &ScaledObject) -> (World, Option<PodSpec>, Vec<String>) {
    let mut notes = Vec::new();
    let mut world = World {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        asked_by: AskedBy::Controller,
        ..World::default()
    };
    let namespace = object.namespace().unwrap_or_default();
    let reference = &object.spec.scale_target_ref;
    match operator.targets.find(&namespace, reference).await {
        Ok(target) => {
            world.replicas = Some(replicas(&target.scale));
            world.gvkr = target.gvkr;
        }
        Err(error) => notes.push(format!(
            "the scale target cannot be read: {}",
            crate::failure::chain(&error)
        )),
    }
    if world.gvkr == GroupVersionKindResource::default() {
        return (world, None, notes);
    }
    let targets = operator.targets.api(&world.gvkr, &namespace);
    // Only some kinds may be read, and not all of these have a template: what is missing is not needed by most triggers.
    let found = targets.get_opt(&reference.name).await.ok().flatten();
    let at = |path: &str| found.as_ref().and_then(|found| found.data.pointer(path));
    world.ready = at("/status/readyReplicas")
        .and_then(serde_json::Value::as_i64)
        .and_then(|ready| i32::try_from(ready).ok());
    let pod = at("/spec/template/spec").and_then(|spec| serde_json::from_value(spec.clone()).ok());
    (world, pod, notes)
}

fn parsed<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Status> {
    serde_json::from_slice(bytes)
        .map_err(|error| Status::invalid_argument(format!("{what} cannot be read: {error}")))
}

/// An authentication that came with the request.
struct Authentication {
    kind: AuthenticationKind,
    name: String,
    spec: TriggerAuthenticationSpec,
}

impl Authentication {
    fn parse(bytes: &[u8], namespace: &str) -> Result<Self, Status> {
        let value: serde_json::Value = parsed(bytes, "an authentication")?;
        let named = |kind: &str| value["kind"] == kind;
        if named("ClusterTriggerAuthentication") {
            let found: ClusterTriggerAuthentication = parsed(bytes, "a ClusterTriggerAuthentication")?;
            return Ok(Self {
                kind: AuthenticationKind::ClusterTriggerAuthentication,
                name: found.name_any(),
                spec: found.spec.0,
            });
        }
        let found: TriggerAuthentication = parsed(bytes, "a TriggerAuthentication")?;
        if !named("TriggerAuthentication") || found.namespace().is_some_and(|own| own != namespace) {
            return Err(Status::invalid_argument(format!(
                "only TriggerAuthentications of namespace {namespace} and ClusterTriggerAuthentications can come along"
            )));
        }
        Ok(Self {
            kind: AuthenticationKind::TriggerAuthentication,
            name: found.name_any(),
            spec: found.spec,
        })
    }
}

/// The authentications of the request before those of the cluster.
struct Brought<'a> {
    brought: Vec<Authentication>,
    builder: &'a Builder,
}

impl Brought<'_> {
    fn find(&self, kind: &AuthenticationKind, name: &str) -> Option<TriggerAuthenticationSpec> {
        let found = self
            .brought
            .iter()
            .find(|brought| brought.kind == *kind && brought.name == name);
        found.map(|brought| brought.spec.clone())
    }
}

impl AuthenticationSource for Brought<'_> {
    fn trigger_authentication<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<TriggerAuthenticationSpec>, LookupError>> {
        match self.find(&AuthenticationKind::TriggerAuthentication, name) {
            Some(spec) => std::future::ready(Ok(Some(spec))).boxed(),
            None => self.builder.trigger_authentication(namespace, name),
        }
    }

    fn cluster_trigger_authentication<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<TriggerAuthenticationSpec>, LookupError>> {
        match self.find(&AuthenticationKind::ClusterTriggerAuthentication, name) {
            Some(spec) => std::future::ready(Ok(Some(spec))).boxed(),
            None => self.builder.cluster_trigger_authentication(name),
        }
    }

    fn cluster_namespace(&self) -> &str {
        self.builder.cluster_namespace()
    }
}
