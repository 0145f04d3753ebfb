//! Removes an installation: the other way round, and so that nothing hangs on the way.
//!
//! ```text
//! APIService ─▶ Deployments ─▶ our finalizers ─▶ CRDs ─▶ Services, bindings, roles, accounts ─▶ namespace
//! ```
//! The APIService goes first: discovery of the whole cluster waits for a dead one. The finalizers go once the
//! controller is gone that would remove them; otherwise no custom resource could ever be deleted again.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PartialObjectMeta, Patch,
    PatchParams,
};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::apply::{api_of, is_ours};
use super::manifests::{self, Manifest};
use super::names;
use super::options::Options;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::ui::progress::Progress;
use crate::ui::prompt;

/// What the user decided.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    /// Namespace of the installation.
    pub(crate) namespace: String,
    /// Custom resources and their definitions stay.
    pub(crate) keep_crds: bool,
    /// Nothing is asked.
    pub(crate) yes: bool,
    /// Nothing is removed; the API server checks each step.
    pub(crate) dry_run: bool,
    /// How long all of it may take.
    pub(crate) timeout: Duration,
}

/// Removes an installation. Running it again after a break goes on where it stopped.
pub(crate) async fn run(choices: &Choices, cluster: &Cluster, cx: &Context) -> Result<u8, Failure> {
    refuse_foreign(cluster, &choices.namespace).await?;
    let objects = custom_objects(cluster).await?;
    if choices.dry_run && !choices.keep_crds && !objects.is_empty() {
        cx.ui
            .note(&format!("with their definitions go {}", count(&objects)));
    } else if !choices.keep_crds && !objects.is_empty() && !choices.yes {
        let question = format!(
            "delete the custom resource definitions and with them {}",
            count(&objects)
        );
        if !prompt::confirm(cx.ui, &question, "`--yes`, or `--keep-crds` to keep them")? {
            return Err(Failure::new(exit::INTERRUPTED, "nothing was removed"));
        }
    }
    let removal = Removal {
        cluster,
        cx,
        progress: Progress::spinner(cx.ui),
        deadline: Instant::now() + choices.timeout,
        namespace: &choices.namespace,
        dry_run: choices.dry_run,
    };
    let removed = removal.run(&objects, choices.keep_crds).await?;
    drop(removal);
    if removed == 0 {
        cx.ui.say(&format!(
            "nothing of kubectl-keda is in namespace {}",
            choices.namespace
        ));
    }
    if choices.keep_crds && !objects.is_empty() {
        cx.ui.note(&format!(
            "{} stay; what they scale keeps its replicas until a controller is installed again",
            count(&objects)
        ));
    }
    Ok(exit::OK)
}

/// An object of one of our kinds.
struct CustomObject {
    resource: ApiResource,
    namespace: Option<String>,
    name: String,
    finalizers: Vec<String>,
}

impl CustomObject {
    /// As a message names it.
    fn shown(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    fn is_held_by_us(&self) -> bool {
        self.finalizers.iter().any(|name| name == crds::FINALIZER)
    }
}

fn count(objects: &[CustomObject]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for object in objects {
        match kinds.iter_mut().find(|(kind, _)| *kind == object.resource.kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((&object.resource.kind, 1)),
        }
    }
    let texts: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    texts.join(", ")
}

async fn refuse_foreign(cluster: &Cluster, namespace: &str) -> Result<(), Failure> {
    match super::present::operator(cluster, namespace).await? {
        Some(found) if !is_ours(&found) => Err(Failure::new(
            exit::CHECK_FAILED,
            format!(
                "the Deployment `{}` in namespace {namespace} was installed by another tool",
                names::OPERATOR
            ),
        )
        .help("remove it with that tool, such as `helm uninstall`")
        .help("or take it over first: `kubectl keda install --replace`")),
        _ => Ok(()),
    }
}

/// Lists the objects of all six kinds; a kind that is not there has none.
async fn custom_objects(cluster: &Cluster) -> Result<Vec<CustomObject>, Failure> {
    let mut objects = Vec::new();
    for kind in crds::KINDS {
        let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.name);
        let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural);
        let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource);
        let list = match api.list_metadata(&ListParams::default()).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(cluster.failed(&format!("list {}", kind.plural), error)),
        };
        objects.extend(list.items.into_iter().map(|found| CustomObject {
            resource: resource.clone(),
            namespace: found.namespace(),
            name: found.name_any(),
            finalizers: found.finalizers().to_vec(),
        }));
    }
    Ok(objects)
}

struct Removal<'a> {
    cluster: &'a Cluster,
    cx: &'a Context,
    progress: Progress,
    deadline: Instant,
    namespace: &'a str,
    dry_run: bool,
}

impl Removal<'_> {
    /// Returns how many objects were deleted.
    async fn run(&self, objects: &[CustomObject], keep_crds: bool) -> Result<usize, Failure> {
        let options = Options {
            namespace: self.namespace.to_owned(),
            ..Options::default()
        };
        let all = manifests::objects(&options);
        let of = |kind: &'static str| all.iter().filter(move |manifest| manifest.kind() == kind);
        let mut removed = 0;
        for manifest in of("APIService") {
            if self.leads_here(manifest).await? {
                removed += usize::from(self.delete(manifest, true).await?);
            }
        }
        removed += self.delete_together(of("Deployment")).await?;
        for object in objects.iter().filter(|object| object.is_held_by_us()) {
            self.release(object).await?;
        }
        if !keep_crds {
            removed += self.delete_together(of("CustomResourceDefinition")).await?;
        }
        let first = [
            "Namespace",
            "CustomResourceDefinition",
            "Deployment",
            "APIService",
        ];
        for manifest in all
            .iter()
            .rev()
            .filter(|manifest| !first.contains(&manifest.kind()))
        {
            removed += usize::from(self.delete(manifest, false).await?);
        }
        for manifest in [
            leftover("v1", "Secret", names::CERTIFICATES, self.namespace),
            lease(self.namespace),
        ] {
            removed += usize::from(self.delete(&manifest, false).await?);
        }
        for manifest in of("Namespace") {
            removed += usize::from(self.delete_namespace(manifest).await?);
        }
        Ok(removed)
    }

    fn client(&self) -> &Client {
        &self.cluster.client
    }

    /// Whether the APIService is the one of this installation.
    async fn leads_here(&self, manifest: &Manifest) -> Result<bool, Failure> {
        let found = api_of(self.client(), manifest)
            .get_opt(manifest.name())
            .await
            .map_err(|error| self.cluster.failed("get apiservices", error))?;
        let at = found.and_then(|found| {
            let namespace = found.data.pointer("/spec/service/namespace")?;
            namespace.as_str().map(str::to_owned)
        });
        match at {
            Some(at) if at != self.namespace => {
                self.progress.say(&format!(
                    "note: {} leads to namespace {at} and stays",
                    manifest.shown()
                ));
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// Deletes an object and, if asked for, waits until it is gone. Returns whether it was there.
    async fn delete(&self, manifest: &Manifest, wait: bool) -> Result<bool, Failure> {
        let Some(uid) = self.order(manifest, wait).await? else {
            return Ok(false);
        };
        self.gone(manifest, &uid).await?;
        Ok(true)
    }

    /// Deletes objects that do not depend on each other, then waits until all are gone. Returns how many were there.
    async fn delete_together(&self, manifests: impl Iterator<Item = &Manifest>) -> Result<usize, Failure> {
        let mut leaving = Vec::new();
        for manifest in manifests {
            if let Some(uid) = self.order(manifest, true).await? {
                leaving.push((manifest, uid));
            }
        }
        for (manifest, uid) in &leaving {
            self.gone(manifest, uid).await?;
        }
        Ok(leaving.len())
    }

    /// Sends the deletion. Returns the uid to wait for, which is empty where there is nothing to wait for, or
    /// nothing if the object is not there.
    async fn order(&self, manifest: &Manifest, wait: bool) -> Result<Option<String>, Failure> {
        let shown = manifest.shown();
        self.doing(&format!("deleting {shown}"));
        let mut parameters = if wait {
            DeleteParams::foreground()
        } else {
            DeleteParams::default()
        };
        parameters.dry_run = self.dry_run;
        match api_of(self.client(), manifest)
            .delete(manifest.name(), &parameters)
            .await
        {
            Ok(answer) => {
                let wait = wait && !self.dry_run;
                let uid = answer.left().and_then(|left| left.metadata.uid).filter(|_| wait);
                Ok(Some(uid.unwrap_or_default()))
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(self.cluster.failed(&format!("delete {shown}"), error)),
        }
    }

    fn doing(&self, what: &str) {
        if self.cx.ui.stderr_is_tty {
            self.progress.doing(what);
        }
    }

    /// Waits until an object is gone, and says that it is.
    async fn gone(&self, manifest: &Manifest, uid: &str) -> Result<(), Failure> {
        let (shown, api) = (manifest.shown(), api_of(self.client(), manifest));
        if !uid.is_empty() {
            let gone = await_condition(api.clone(), manifest.name(), conditions::is_deleted(uid));
            match timeout_at(self.deadline, gone).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    let what = format!("cannot watch {shown} being deleted");
                    return Err(Failure::new(exit::UNEXPECTED, what).because(error));
                }
                Err(_) => return Err(self.stuck(&api, manifest).await),
            }
        }
        let suffix = if self.dry_run { " (server dry run)" } else { "" };
        self.cx.ui.data(&format!("{shown} deleted{suffix}\n"))
    }

    /// Says what keeps an object from going away.
    async fn stuck(&self, api: &Api<DynamicObject>, manifest: &Manifest) -> Failure {
        let left = api.get_opt(manifest.name()).await.ok().flatten();
        let mut why = left.map(|left| reasons(&left)).unwrap_or_default();
        if manifest.kind() == "CustomResourceDefinition" {
            why = self.held(manifest).await.unwrap_or(why);
        }
        let message = format!(
            "{} is being deleted and did not go away in time{}",
            manifest.shown(),
            if why.is_empty() {
                String::new()
            } else {
                format!(": {why}")
            }
        );
        Failure::new(exit::TIMED_OUT, message)
            .help("run the same command again once that is solved: it goes on where it stopped")
    }

    /// The objects of a definition that finalizers of others keep.
    async fn held(&self, manifest: &Manifest) -> Option<String> {
        let objects = custom_objects(self.cluster).await.ok()?;
        let of_definition = |object: &&CustomObject| {
            manifest.name() == format!("{}.{}", object.resource.plural, object.resource.group)
        };
        let held: Vec<String> = objects
            .iter()
            .filter(of_definition)
            .filter(|object| !object.finalizers.is_empty())
            .map(|object| {
                format!(
                    "{} is kept by the finalizer {}",
                    object.shown(),
                    object.finalizers.join(", ")
                )
            })
            .collect();
        (!held.is_empty()).then(|| held.join("; "))
    }

    /// Takes our finalizer off an object; those of others stay.
    async fn release(&self, object: &CustomObject) -> Result<(), Failure> {
        let resource = &object.resource;
        let api: Api<DynamicObject> = match &object.namespace {
            Some(namespace) => Api::namespaced_with(self.client().clone(), namespace, resource),
            None => Api::all_with(self.client().clone(), resource),
        };
        self.doing(&format!("releasing {}/{}", resource.plural, object.name));
        let failed = |error| {
            self.cluster
                .failed(&format!("patch {}/{}", resource.plural, object.name), error)
        };
        let parameters = PatchParams {
            dry_run: self.dry_run,
            ..PatchParams::default()
        };
        // Whoever writes the object in between makes the patch fail, not overwrite: then it is read again.
        loop {
            let Some(found) = api.get_metadata_opt(&object.name).await.map_err(failed)? else {
                return Ok(());
            };
            let kept: Vec<&String> = found
                .finalizers()
                .iter()
                .filter(|name| *name != crds::FINALIZER)
                .collect();
            if kept.len() == found.finalizers().len() {
                return Ok(());
            }
            let patch = json!({ "metadata": {
                "resourceVersion": found.resource_version(),
                "finalizers": kept,
            } });
            match api
                .patch_metadata(&object.name, &parameters, &Patch::Merge(&patch))
                .await
            {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 && Instant::now() < self.deadline => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Deletes the namespace if `install` made it and nothing of others runs in it.
    async fn delete_namespace(&self, manifest: &Manifest) -> Result<bool, Failure> {
        let api = api_of(self.client(), manifest);
        let found = api
            .get_opt(manifest.name())
            .await
            .map_err(|error| self.cluster.failed("get namespaces", error))?;
        let Some(found) = found else { return Ok(false) };
        if !is_ours(&found) {
            self.progress.say(&format!(
                "note: namespace {} was there before and stays",
                manifest.name()
            ));
            return Ok(false);
        }
        let pods: Api<Pod> = Api::namespaced(self.client().clone(), manifest.name());
        let left = pods
            .list_metadata(&ListParams::default())
            .await
            .map_err(|error| self.cluster.failed("list pods", error))?;
        // In a dry run the pods of our Deployments are still there.
        let ours = |pod: &&PartialObjectMeta<Pod>| {
            let app = pod.labels().get("app").map(String::as_str);
            self.dry_run && [Some(names::OPERATOR), Some(names::ADAPTER)].contains(&app)
        };
        let others: Vec<String> = left
            .items
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none() && !ours(pod))
            .map(ResourceExt::name_any)
            .collect();
        if let Some(first) = others.first() {
            self.progress.say(&format!(
                "note: namespace {} stays: {} pods of others run in it, such as {first}",
                manifest.name(),
                others.len()
            ));
            return Ok(false);
        }
        self.delete(manifest, true).await
    }
}

/// Finalizers, and what the conditions of a namespace or a definition say about its deletion.
fn reasons(object: &DynamicObject) -> String {
    let mut texts = Vec::new();
    let conditions = object
        .data
        .pointer("/status/conditions")
        .and_then(|list| list.as_array());
    for condition in conditions
        .into_iter()
        .flatten()
        .filter(|condition| condition["status"] == "True")
    {
        let about = condition["type"].as_str().unwrap_or_default();
        let deletion = about == "Terminating" || about.starts_with("Namespace");
        if let Some(message) = condition["message"].as_str().filter(|_| deletion) {
            texts.push(message.to_owned());
        }
    }
    if !object.finalizers().is_empty() {
        texts.push(format!("finalizers {}", object.finalizers().join(", ")));
    }
    texts.join("; ")
}

fn lease(namespace: &str) -> Manifest {
    leftover("coordination.k8s.io/v1", "Lease", names::LEASE, namespace)
}

/// Something that the controller wrote.
fn leftover(api_version: &str, kind: &str, name: &str, namespace: &str) -> Manifest {
    Manifest {
        value: json!({
            "apiVersion": api_version, "kind": kind, "metadata": { "name": name, "namespace": namespace },
        }),
    }
}
