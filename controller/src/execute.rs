//! Carries out the engine's actions, in order, and stops at the first that fails. It may fail, never decide.

use std::sync::Arc;

use crds::{AuthenticationKind, AuthenticationRef, ScaledObject};
use engine::action::{Action, Failure, ObjectPatch, ScaleTarget};
use engine::status::{StatusPatch, with_user, without_user};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Resource as _;
use kube::api::Api;
use kube::core::subresource::Scale;
use serde_json::Value;

use crate::failure;
use crate::live::Live;
use crate::observe::target::replicas;
use crate::operator::Operator;
use crate::scale_loop;

/// Tries at an object that somebody else writes at the same time.
const TRIES: usize = 4;

/// Carries out the actions of one object.
pub(crate) struct Executor<'a> {
    operator: &'a Arc<Operator>,
    live: &'a Arc<Live>,
    /// The object as the last write left it.
    pub(crate) object: Arc<ScaledObject>,
    /// `/scale` as it was observed, so that it need not be read again; nothing if only the replicas are known.
    scale: Option<Scale>,
}

impl<'a> Executor<'a> {
    /// Begins with an object and its `/scale` as observed.
    pub(crate) fn new(
        operator: &'a Arc<Operator>,
        live: &'a Arc<Live>,
        object: Arc<ScaledObject>,
        scale: Option<Scale>,
    ) -> Self {
        Self {
            operator,
            live,
            object,
            scale,
        }
    }

    /// Carries out all of them; the first that fails ends it, and its position is told.
    pub(crate) async fn run(&mut self, actions: &[Action]) -> Result<(), (usize, Failure)> {
        for (position, action) in actions.iter().enumerate() {
            let done = self.one(action).await;
            if action.is_effect() || done.is_err() {
                self.live.note_write(action, done.as_ref().err());
            }
            let complaints = &self.operator.complaints;
            match done {
                Ok(()) => {
                    complaints.settle(&self.live.key, action);
                }
                Err(failure) => {
                    if complaints.is_news(&self.live.key, &action.to_string(), &failure.to_string()) {
                        let (namespace, name) = (&self.live.key.namespace, &self.live.key.name);
                        tracing::warn!(namespace, name, %action, error = %failure, "not carried out");
                    }
                    return Err((position, failure));
                }
            }
        }
        Ok(())
    }

    async fn one(&mut self, action: &Action) -> Result<(), Failure> {
        match action {
            Action::PatchObject(patch) => self.patch_object(patch).await,
            Action::PatchStatus(patch) => self.patch_status(patch).await,
            Action::ApplyHpa(hpa) => self.apply_hpa(hpa).await,
            Action::DeleteHpa { name, uid } => {
                let namespace = &self.live.key.namespace;
                let writer = &self.operator.writer;
                writer
                    .delete_hpa(namespace, name, uid.as_deref())
                    .await
                    .map_err(refused)?;
                self.live.wrote_hpa(None);
                Ok(())
            }
            Action::SetScale { target, from, to } => {
                self.live.will_scale(*to);
                self.set_scale(target, *from, *to).await
            }
            Action::StartLoop { generation } => {
                scale_loop::start(self.operator, self.live, *generation);
                Ok(())
            }
            Action::StopLoop => {
                scale_loop::stop(self.live);
                Ok(())
            }
            Action::ListUser {
                authentication,
                present,
            } => self.list_user(authentication, *present).await,
            Action::Emit(event) => {
                self.operator
                    .events
                    .emit(&self.object.object_ref(&()), event.clone());
                Ok(())
            }
        }
    }

    fn api(&self) -> Api<ScaledObject> {
        Api::namespaced(self.operator.client.clone(), &self.live.key.namespace)
    }

    async fn patch_object(&mut self, patch: &ObjectPatch) -> Result<(), Failure> {
        let (api, name) = (self.api(), self.live.key.name.clone());
        for _ in 0..TRIES {
            let Some(value) = patch.against(&self.object.metadata) else {
                return Ok(());
            };
            match self.operator.writer.patch_metadata(&api, &name, &value).await {
                Ok(object) => {
                    self.object = self.live.wrote(object);
                    return Ok(());
                }
                Err(error) if code(&error) == Some(409) => {
                    let fresh = api.get(&name).await.map_err(refused)?;
                    if fresh.metadata.uid != self.object.metadata.uid {
                        return Err(Failure::Stale("the object was made anew".to_owned()));
                    }
                    self.object = self.live.wrote(fresh);
                }
                Err(error) => return Err(refused(error)),
            }
        }
        Err(Failure::Stale(
            "somebody else keeps writing the object".to_owned(),
        ))
    }

    async fn patch_status(&mut self, patch: &StatusPatch) -> Result<(), Failure> {
        let settled = |status| patch.is_settled_in(status);
        if self.object.status.as_ref().is_some_and(settled) {
            return Ok(());
        }
        let current = serde_json::to_value(&self.object.status).unwrap_or(Value::Null);
        let Some(value) = patch.against(&current) else {
            return Ok(());
        };
        let object = self
            .operator
            .writer
            .patch_status(&self.api(), &self.live.key.name, &value)
            .await
            .map_err(refused)?;
        self.object = self.live.wrote(object);
        Ok(())
    }

    async fn apply_hpa(&self, hpa: &HorizontalPodAutoscaler) -> Result<(), Failure> {
        let namespace = &self.live.key.namespace;
        let written = if hpa.metadata.resource_version.is_some() {
            self.operator.writer.replace_hpa(namespace, hpa).await
        } else {
            self.operator.writer.create_hpa(namespace, hpa).await
        };
        let created = hpa.metadata.resource_version.is_none();
        let written = written.map_err(|error| match code(&error) {
            // Deleted since it was seen: the next reconcile creates it.
            Some(404) if !created => Failure::Stale("the HPA is gone".to_owned()),
            Some(409) if created => {
                self.live.set_hidden_hpa();
                refused(error)
            }
            _ => refused(error),
        })?;
        self.live.wrote_hpa(written.metadata.resource_version);
        Ok(())
    }

    /// Updates `/scale` under the resource version that the decision was made on, or that of a look just before. Others (the
    /// HPA, status writes of the target's own controller) may have moved it on: as long as the replicas are those of the decision,
    /// it still holds.
    async fn set_scale(&mut self, target: &ScaleTarget, from: i32, to: i32) -> Result<(), Failure> {
        let api = self.operator.targets.api(&target.gvkr, &target.namespace);
        for _ in 0..TRIES {
            let mut scale = match self.scale.take() {
                Some(scale) => scale,
                None => self.saw(api.get_scale(&target.name).await.map_err(refused)?),
            };
            let present = replicas(&scale);
            if present == to {
                return Ok(());
            }
            if present != from {
                return Err(Failure::Stale(format!(
                    "{target} has {present} replicas, not {from}"
                )));
            }
            scale.spec.get_or_insert_default().replicas = Some(to);
            match self
                .operator
                .writer
                .replace_scale(&api, &target.name, &scale)
                .await
            {
                Ok(scale) => {
                    self.saw(scale);
                    tracing::info!(target = %target, from, to, "scaled");
                    return Ok(());
                }
                Err(error) if code(&error) == Some(409) => {}
                Err(error) => return Err(refused(error)),
            }
        }
        Err(Failure::Stale(format!("somebody else keeps writing {target}")))
    }

    /// Lets the next poll know.
    fn saw(&self, scale: Scale) -> Scale {
        if let Some(followed) = self.live.followed() {
            followed.saw(&scale);
        }
        scale
    }

    async fn list_user(&self, authentication: &AuthenticationRef, present: bool) -> Result<(), Failure> {
        let key = &self.live.key;
        let operator = self.operator;
        match authentication.kind() {
            AuthenticationKind::TriggerAuthentication => {
                let known =
                    engine::desired::ObjectKey::new(key.namespace.clone(), authentication.name.clone());
                let Some(seen) = operator.caches.auths.get(&known) else {
                    return Ok(());
                };
                let list = users(seen.status.as_ref());
                if changed(&list, &key.name, present).is_none() {
                    return Ok(());
                }
                let api: Api<crds::TriggerAuthentication> =
                    Api::namespaced(operator.client.clone(), &key.namespace);
                let _one_at_a_time = operator.auth_status.lock().await;
                let Some(fresh) = api.get_opt(&authentication.name).await.map_err(refused)? else {
                    return Ok(());
                };
                let list = users(fresh.status.as_ref());
                write_users(operator, &api, &authentication.name, &list, &key.name, present).await
            }
            AuthenticationKind::ClusterTriggerAuthentication => {
                let known = engine::desired::ObjectKey::new("", authentication.name.clone());
                let Some(seen) = operator.caches.cluster_auths.get(&known) else {
                    return Ok(());
                };
                if changed(&users(seen.status.as_ref()), &key.name, present).is_none() {
                    return Ok(());
                }
                let api: Api<crds::ClusterTriggerAuthentication> = Api::all(operator.client.clone());
                let _one_at_a_time = operator.auth_status.lock().await;
                let Some(fresh) = api.get_opt(&authentication.name).await.map_err(refused)? else {
                    return Ok(());
                };
                let list = users(fresh.status.as_ref());
                write_users(operator, &api, &authentication.name, &list, &key.name, present).await
            }
            AuthenticationKind::Other(_) => Ok(()),
        }
    }
}

fn users(status: Option<&crds::TriggerAuthenticationStatus>) -> String {
    status
        .and_then(|status| status.scaledobjects.clone())
        .unwrap_or_default()
}

fn changed(list: &str, name: &str, present: bool) -> Option<String> {
    if present {
        with_user(list, name)
    } else {
        without_user(list, name)
    }
}

async fn write_users<K>(
    operator: &Operator,
    api: &Api<K>,
    auth: &str,
    list: &str,
    name: &str,
    present: bool,
) -> Result<(), Failure>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let Some(list) = changed(list, name, present) else {
        return Ok(());
    };
    let patch = serde_json::json!({ "status": { "scaledobjects": list } });
    match operator.writer.patch_status(api, auth, &patch).await {
        Err(error) if code(&error) != Some(404) => Err(refused(error)),
        _ => Ok(()),
    }
}

/// The HTTP status of a refusal.
pub(crate) fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Tells a world that moved on from one that refuses. The text is the API server's own, where it gave one.
pub(crate) fn refused(error: kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 409 => Failure::Stale(status.message),
        kube::Error::Api(status) => Failure::Refused(status.message),
        other => Failure::Refused(failure::chain(&other)),
    }
}
