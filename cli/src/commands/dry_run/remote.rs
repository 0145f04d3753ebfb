//! `--in-cluster`: the controller asks, with its own connections and credentials.

use crds::{AuthenticationKind, ScaledObject};
use engine::dry_run::DryRun;
use kube::ResourceExt as _;
use rpc::debug::{DryRunRequest, GivenValue};
use serde::Serialize;
use tonic::Code;

use super::bundle::Bundle;
use super::way::Question;
use crate::debug::{self, Caller, DebugArgs, TokenKind};
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;

/// The controller, and what goes along with the question.
pub(crate) struct Remote {
    cluster: Cluster,
    args: DebugArgs,
    bundle: Bundle,
    /// The connection; none while a question is under way, so that one that is given up leaves none behind.
    caller: Option<Caller>,
    /// The connection has answered before: when it fails, it may have grown old.
    answered: bool,
}

impl Remote {
    /// Connects to the controller.
    pub(super) async fn connect(cluster: Cluster, args: DebugArgs, bundle: Bundle) -> Result<Self, Failure> {
        let mut remote = Self {
            cluster,
            args,
            bundle,
            caller: None,
            answered: false,
        };
        remote.caller = Some(remote.caller().await?);
        Ok(remote)
    }

    async fn caller(&self) -> Result<Caller, Failure> {
        let brings = self.bundle.objects().next().is_some();
        debug::controller(&self.cluster, &token(&self.cluster, &self.args, brings).await).await
    }

    /// Asks about one object. A token lives for minutes and a controller may move: what answered before and does not now is
    /// asked over a new connection.
    pub(super) async fn ask(
        &mut self,
        question: &Question<'_>,
        namespace: &str,
        name: &str,
    ) -> Result<DryRun, Failure> {
        let old = |failure: &Failure| matches!(failure.code, exit::UNREACHABLE | exit::NOT_PERMITTED);
        if let Some(caller) = self.caller.take() {
            let answer = self.put(&caller, question, namespace, name).await;
            match answer {
                Err(failure) if self.answered && old(&failure) => {}
                answer => {
                    self.answered |= answer.is_ok();
                    self.caller = Some(caller);
                    return answer;
                }
            }
        }
        let caller = self.caller().await?;
        let answer = self.put(&caller, question, namespace, name).await;
        self.answered |= answer.is_ok();
        self.caller = Some(caller);
        answer
    }

    async fn put(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        namespace: &str,
        name: &str,
    ) -> Result<DryRun, Failure> {
        let wanted = self.request(question, namespace, name)?;
        let doing = format!("dry-run scaledobject {}/{name}", wanted.namespace);
        let answer = caller.debug().dry_run(caller.call(wanted)).await;
        let reply = answer
            .map_err(|status| match status.code() {
                Code::InvalidArgument | Code::FailedPrecondition | Code::ResourceExhausted => {
                    Failure::new(exit::CHECK_FAILED, status.message())
                }
                _ => caller.failed(&doing, &status),
            })?
            .into_inner();
        let mut report: DryRun = serde_json::from_slice(&reply.report).map_err(|e| {
            Failure::new(
                exit::UNEXPECTED,
                format!("the controller's answer (schema {}) cannot be read", reply.schema),
            )
            .because(e)
            .help("bring command and installation to one version with `kubectl keda upgrade`")
        })?;
        if self.bundle.has_entries() {
            report.notes.push(
                "Secrets and ConfigMaps of the files stay here: the controller reads those of the cluster"
                    .to_owned(),
            );
        }
        Ok(report)
    }

    fn request(
        &self,
        question: &Question<'_>,
        namespace: &str,
        name: &str,
    ) -> Result<DryRunRequest, Failure> {
        let given = question.given.iter().map(|(trigger, value)| GivenValue {
            trigger: trigger.clone(),
            value: *value,
        });
        let mut wanted = DryRunRequest {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            replicas: question.replicas,
            given: given.collect(),
            ..DryRunRequest::default()
        };
        if let Some(object) = self.bundle.object(namespace, name) {
            wanted.object = json(object)?;
            wanted.authentications = self.authentications(object)?;
        }
        Ok(wanted)
    }

    /// The authentications of the files that the object refers to.
    fn authentications(&self, object: &ScaledObject) -> Result<Vec<Vec<u8>>, Failure> {
        let namespace = object.namespace().unwrap_or_default();
        let mut found = Vec::new();
        for reference in engine::desired::authentications(&object.spec.triggers) {
            match reference.kind() {
                AuthenticationKind::ClusterTriggerAuthentication => {
                    found.extend(self.bundle.cluster_authentication(&reference.name).map(json));
                }
                _ => found.extend(self.bundle.authentication(&namespace, &reference.name).map(json)),
            }
        }
        found.into_iter().collect()
    }
}

/// A new object is judged by who brings it: the caller's own token is shown where there is one.
async fn token(cluster: &Cluster, args: &DebugArgs, brings: bool) -> DebugArgs {
    let mut args = args.clone();
    if brings && args.debug_token == TokenKind::Minted && debug::has_own_token(cluster).await {
        args.debug_token = TokenKind::Own;
    }
    args
}

fn json(object: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(object)
        .map_err(|e| Failure::new(exit::UNEXPECTED, "cannot send the object").because(e))
}
