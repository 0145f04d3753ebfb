//! `--in-cluster`: the controller asks, with its own connections and credentials.

use crds::{AuthenticationKind, ScaledObject};
use engine::dry_run::DryRun;
use kube::ResourceExt as _;
use rpc::debug::{DryRunRequest, GivenValue};
use serde::Serialize;
use tonic::Code;

use super::Args;
use super::bundle::Bundle;
use crate::debug::{self, Caller, DebugArgs, TokenKind};
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;

/// The controller, and what goes along with the question.
pub(super) struct Remote {
    caller: Caller,
    bundle: Bundle,
}

impl Remote {
    /// Connects to the controller.
    pub(super) async fn connect(cluster: Cluster, args: &Args, bundle: Bundle) -> Result<Self, Failure> {
        let brings = bundle.objects().next().is_some();
        let caller = debug::controller(&cluster, &token(&cluster, &args.debug, brings).await).await?;
        Ok(Self { caller, bundle })
    }

    /// Asks about one object.
    pub(super) async fn ask(&self, args: &Args, namespace: &str, name: &str) -> Result<DryRun, Failure> {
        let filed = self.bundle.objects().find(|object| object.name_any() == name);
        let mut wanted = DryRunRequest {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            replicas: args.replicas,
            given: args
                .set
                .iter()
                .map(|(trigger, value)| GivenValue {
                    trigger: trigger.clone(),
                    value: *value,
                })
                .collect(),
            ..DryRunRequest::default()
        };
        if let Some(object) = filed {
            wanted.namespace = object.namespace().unwrap_or_default();
            wanted.object = json(object)?;
            wanted.authentications = self.authentications(object)?;
        }
        let doing = format!("dry-run scaledobject {}/{name}", wanted.namespace);
        let answer = self.caller.debug().dry_run(self.caller.call(wanted)).await;
        let reply = answer
            .map_err(|status| match status.code() {
                Code::InvalidArgument | Code::FailedPrecondition | Code::ResourceExhausted => {
                    Failure::new(exit::CHECK_FAILED, status.message())
                }
                _ => self.caller.failed(&doing, &status),
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
