//! The debug API: what the adapter tells about itself to those who may know.
//!
//! Every call shows a token of audience `keda-debug`; a `SubjectAccessReview` then asks whether its user may `get` the ScaledObjects
//! that the call is about.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use rpc::debug::adapter_debug_server::AdapterDebug;
use rpc::debug::{
    AdapterState, AdapterStateRequest, Certificate, CertificateList, CertificatesRequest, RecentRead,
    RecentReadList, RecentReadsRequest, Refusal, RefusalList, RefusalsRequest, VersionReply, VersionRequest,
};
use rpc::tls::{CertFolder, Peer};
use rpc::{LinkState, Token};
use tonic::{Code, Request, Response, Status};

use crate::api::router::App;
use crate::auth::request_info::{RequestInfo, ResourceInfo};
use crate::auth::{Access, Audience, Identity, ReviewError};

/// Answers debug calls.
pub(crate) struct DebugApi {
    /// The process's state.
    pub(crate) app: Arc<App>,
    /// Certificates towards the controller.
    pub(crate) identity: Arc<CertFolder>,
    /// Serving certificate.
    pub(crate) serving: Arc<CertFolder>,
    /// Namespace of the installation: calls about no object need the right to `get` its ScaledObjects.
    pub(crate) namespace: String,
    /// Name of pod or host.
    pub(crate) instance: String,
    /// Start of the process.
    pub(crate) started: Timestamp,
}

impl DebugApi {
    /// Lets a call pass whose user may `get` the ScaledObject (or, with an empty name, all of the namespace; with an empty namespace,
    /// all of the cluster). A refusal goes on record.
    async fn admit<T>(&self, request: &Request<T>, namespace: &str, name: &str) -> Result<(), Status> {
        let mut user = Identity::default();
        let admitted = self.ask(request, namespace, name, &mut user).await;
        if let Err(status) = &admitted {
            let peer = request.extensions().get::<Peer>();
            self.app.record.refusal(crate::record::Refusal {
                time: Timestamp::now(),
                user: user.name,
                verb: "get".into(),
                path: format!("the debug API on {namespace}/{name}"),
                status: if status.code() == Code::PermissionDenied {
                    403
                } else {
                    401
                },
                reason: status.message().into(),
                peer: peer.map(|peer| peer.address.to_string()).unwrap_or_default(),
            });
        }
        admitted
    }

    async fn ask<T>(
        &self,
        request: &Request<T>,
        namespace: &str,
        name: &str,
        user: &mut Identity,
    ) -> Result<(), Status> {
        let unclear = |error: ReviewError| Status::unavailable(crate::error_chain(&error));
        let nobody = |text: &str| Status::unauthenticated(text);
        let reviewer = &self.app.reviewer;
        let token = Token::of_call(request.metadata())
            .ok_or_else(|| nobody("show a token of audience keda-debug"))?;
        let known = reviewer
            .identify(&token, Audience::Debug)
            .await
            .map_err(unclear)?;
        *user = known.ok_or_else(|| nobody("the token is not valid for audience keda-debug"))?;
        let wanted = RequestInfo::Resource(ResourceInfo {
            verb: "get".into(),
            group: "keda.sh".into(),
            version: "v1alpha1".into(),
            namespace: namespace.into(),
            resource: "scaledobjects".into(),
            name: name.into(),
            ..ResourceInfo::default()
        });
        match reviewer.access(user, &wanted).await.map_err(unclear)? {
            Access::Allowed => Ok(()),
            Access::Denied(_) => Err(Status::permission_denied(wanted.forbidden(&user.name))),
        }
    }

    async fn admit_here<T>(&self, request: &Request<T>) -> Result<(), Status> {
        self.admit(request, &self.namespace, "").await
    }
}

#[tonic::async_trait]
impl AdapterDebug for DebugApi {
    async fn version(&self, request: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        self.admit_here(&request).await?;
        Ok(Response::new(VersionReply {
            component: "keda-metrics-adapter".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            git_commit: option_env!("GIT_COMMIT").unwrap_or_default().into(),
            keda_version: crate::KEDA_VERSION.into(),
            started: Some(time(self.started)),
            leader: true,
            instance: self.instance.clone(),
        }))
    }

    async fn recent_reads(
        &self,
        request: Request<RecentReadsRequest>,
    ) -> Result<Response<RecentReadList>, Status> {
        let RecentReadsRequest {
            namespace,
            name,
            limit,
        } = request.get_ref().clone();
        if namespace.is_empty() && !name.is_empty() {
            return Err(Status::invalid_argument("a name needs its namespace"));
        }
        self.admit(&request, &namespace, &name).await?;
        let about = |wanted: &str, given: &str| wanted.is_empty() || wanted == given;
        let reads = self.app.record.recent_reads(limit, |read| {
            about(&namespace, &read.namespace) && about(&name, &read.scaled_object)
        });
        let items = reads.into_iter().map(|read| RecentRead {
            time: Some(time(read.time)),
            user: read.user,
            namespace: read.namespace,
            scaled_object: read.scaled_object,
            metric: read.metric,
            values: read.values,
            error: read.error,
            status: read.status.into(),
            latency_micros: read.latency_micros,
            endpoint: read.endpoint,
            attempts: read.attempts,
        });
        Ok(Response::new(RecentReadList {
            items: items.collect(),
        }))
    }

    async fn state(&self, request: Request<AdapterStateRequest>) -> Result<Response<AdapterState>, Status> {
        self.admit_here(&request).await?;
        let state = self.app.feed.state();
        let (reads, failures, _) = self.app.record.totals();
        let last_error = match &state.link {
            LinkState::Failed(error) => error.clone(),
            _ => String::new(),
        };
        Ok(Response::new(AdapterState {
            endpoint: state.endpoint.address,
            source: state.endpoint.source.to_string(),
            holder: state.endpoint.holder,
            state: state.link.to_string(),
            last_error,
            since: state.since.map(time),
            reads,
            failures,
            note: state.endpoint.note,
            request_header_ready: self.app.trust.borrow().request_header.is_some(),
        }))
    }

    async fn certificates(
        &self,
        request: Request<CertificatesRequest>,
    ) -> Result<Response<CertificateList>, Status> {
        self.admit_here(&request).await?;
        let (serving, identity) = (self.serving.state(), self.identity.state());
        let trust = self.app.trust.borrow().clone();
        let bundle = |authorities: Option<&crate::auth::trust::Authorities>| -> Vec<_> {
            let certificates = authorities
                .map(crate::auth::trust::Authorities::certificates)
                .unwrap_or_default();
            certificates
                .iter()
                .filter_map(|der| rpc::tls::Certificate::parse(der))
                .collect()
        };
        let proxy = trust.request_header.as_ref().map(|config| &config.authorities);
        let groups = [
            ("serving", serving.own.into_iter().collect::<Vec<_>>()),
            ("client", identity.own.into_iter().collect()),
            ("ca", identity.authorities),
            ("client-ca", bundle(trust.client.as_ref())),
            ("request-header-ca", bundle(proxy)),
        ];
        let items = groups
            .into_iter()
            .flat_map(|(role, group)| group.into_iter().map(|own| certificate(role, own)));
        Ok(Response::new(CertificateList {
            items: items.collect(),
            reloads: identity.reloads,
            last_error: identity.last_error.or(serving.last_error).unwrap_or_default(),
        }))
    }

    async fn refusals(&self, request: Request<RefusalsRequest>) -> Result<Response<RefusalList>, Status> {
        self.admit_here(&request).await?;
        let items = self
            .app
            .record
            .recent_refusals(request.get_ref().limit)
            .into_iter()
            .map(|refusal| Refusal {
                time: Some(time(refusal.time)),
                user: refusal.user,
                verb: refusal.verb,
                path: refusal.path,
                status: refusal.status.into(),
                reason: refusal.reason,
                peer: refusal.peer,
            });
        let (_, _, total) = self.app.record.totals();
        Ok(Response::new(RefusalList {
            items: items.collect(),
            total,
        }))
    }
}

fn time(timestamp: Timestamp) -> rpc::Time {
    rpc::Time {
        seconds: timestamp.as_second(),
        nanos: timestamp.subsec_nanosecond(),
    }
}

fn certificate(role: &str, own: rpc::tls::Certificate) -> Certificate {
    let instant = |time: SystemTime| Timestamp::try_from(time).ok().map(self::time);
    Certificate {
        role: role.to_owned(),
        subject: own.subject,
        issuer: own.issuer,
        names: own.names,
        not_before: instant(own.not_before),
        not_after: instant(own.not_after),
        serial: own.serial,
    }
}

#[cfg(test)]
#[path = "debug_api_tests.rs"]
mod tests;
