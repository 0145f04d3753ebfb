//! The debug API: what this process knows, for callers who may `get` the objects asked about. It never changes anything, and nothing in
//! it holds a resolved credential.

mod access;
mod dry_run;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engine::desired::ObjectKey;
use engine::report::SCHEMA;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use k8s_openapi::api::authentication::v1::UserInfo;
use rpc::debug::debug_server::{Debug, DebugServer};
use rpc::debug::{
    Connection, ConnectionList, ConnectionsRequest, DryRunReply, DryRunRequest, ListObjectsRequest,
    ObjectReport, ObjectReports, ObjectRequest, VersionReply, VersionRequest,
};
use scalers::ConnectionReport;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::operator::Operator;
use crate::report;
use access::{Access, Question};

/// The group of KEDA's kinds.
const GROUP: &str = "keda.sh";
/// The resource that reports are about.
const SCALED_OBJECTS: &str = "scaledobjects";
/// Version of KEDA whose behaviour this build matches.
const KEDA_VERSION: &str = "2.20.2";
/// Reports that a slow reader of a stream may lag behind.
const BUFFER: usize = 64;
/// Changes of one object within this time become one report.
const SETTLE: Duration = Duration::from_millis(100);

/// Serves the debug API.
#[derive(Clone)]
pub(crate) struct DebugApi {
    operator: Arc<Operator>,
    access: Arc<Access>,
    started: SystemTime,
    /// Dry runs under way.
    trying: Arc<Semaphore>,
}

impl DebugApi {
    /// The service, ready to be served.
    pub(crate) fn routes(operator: &Arc<Operator>) -> Routes {
        let api = Self {
            operator: Arc::clone(operator),
            access: Arc::new(Access::new(&operator.client)),
            started: SystemTime::now(),
            trying: Arc::new(Semaphore::new(dry_run::AT_ONCE)),
        };
        Routes::new(DebugServer::new(api))
    }

    /// The keys that a request selects and the caller may see.
    async fn selected(
        &self,
        user: &UserInfo,
        request: &ListObjectsRequest,
    ) -> Result<Vec<ObjectKey>, Status> {
        if !matches!(request.resource.as_str(), "" | SCALED_OBJECTS) {
            return Ok(Vec::new());
        }
        let all = self.operator.caches.scaled_objects.all();
        let wanted = all
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| matches(request, key));
        let wide = question(&request.namespace, &request.name);
        if self.access.may(user, &wide).await? {
            return Ok(wanted.collect());
        }
        // Not all of them: then one by one, by namespace first.
        let mut kept = Vec::new();
        for key in wanted {
            let allowed = self.access.may(user, &question(&key.namespace, "")).await?
                || self
                    .access
                    .may(user, &question(&key.namespace, &key.name))
                    .await?;
            if allowed {
                kept.push(key);
            }
        }
        if kept.is_empty() {
            self.access.require(user, &wide).await?;
        }
        Ok(kept)
    }

    fn report(&self, key: &ObjectKey, records: bool, ready: Option<i32>) -> Option<ObjectReport> {
        let object = self.operator.object(key).ok()?;
        let live = self.operator.live(key)?;
        let mut report = report::report(&self.operator, &live, &object, records);
        report.replicas.ready = ready;
        let json = serde_json::to_vec(&report).unwrap_or_default();
        Some(message(key, json, false))
    }

    /// The ready replicas of an object's target, read now: no poll needs them, so none keeps them.
    async fn ready(&self, key: &ObjectKey) -> Option<i32> {
        let object = self.operator.object(key).ok()?;
        let target = self.operator.live(key)?.target()?;
        let name = &object.spec.scale_target_ref.name;
        self.operator.targets.ready(&target, &key.namespace, name).await
    }

    /// Follows changes and sends reports, until the caller hangs up or the process stops.
    async fn follow(
        self,
        request: ListObjectsRequest,
        known: Vec<ObjectKey>,
        user: UserInfo,
        out: mpsc::Sender<Result<ObjectReport, Status>>,
    ) {
        let mut changes = self.operator.ledgers.changes();
        let mut pending: BTreeSet<ObjectKey> = known.into_iter().collect();
        loop {
            for key in std::mem::take(&mut pending) {
                let report = self
                    .report(&key, request.records, None)
                    .unwrap_or_else(|| message(&key, Vec::new(), true));
                if out.send(Ok(report)).await.is_err() {
                    return;
                }
            }
            let first = tokio::select! {
                () = self.operator.stop.cancelled() => return,
                () = out.closed() => return,
                change = changes.recv() => change,
            };
            match first {
                Ok(key) => {
                    pending.insert(key);
                }
                // Too slow for single changes: everything is told again.
                Err(broadcast::error::RecvError::Lagged(_)) => match self.selected(&user, &request).await {
                    Ok(keys) => pending.extend(keys),
                    Err(status) => return drop(out.send(Err(status)).await),
                },
                Err(broadcast::error::RecvError::Closed) => return,
            }
            tokio::time::sleep(SETTLE).await;
            while let Ok(key) = changes.try_recv() {
                pending.insert(key);
            }
            let mut allowed = BTreeSet::new();
            for key in std::mem::take(&mut pending) {
                let mine = matches(&request, &key)
                    && (self
                        .access
                        .may(&user, &question(&request.namespace, &request.name))
                        .await
                        .unwrap_or(false)
                        || self
                            .access
                            .may(&user, &question(&key.namespace, &key.name))
                            .await
                            .unwrap_or(false));
                if mine {
                    allowed.insert(key);
                }
            }
            pending = allowed;
        }
    }
}

fn matches(request: &ListObjectsRequest, key: &ObjectKey) -> bool {
    (request.namespace.is_empty() || request.namespace == key.namespace)
        && (request.name.is_empty() || request.name == key.name)
}

fn question(namespace: &str, name: &str) -> Question {
    Question {
        verb: "get",
        group: GROUP,
        resource: SCALED_OBJECTS,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn message(key: &ObjectKey, report: Vec<u8>, deleted: bool) -> ObjectReport {
    ObjectReport {
        resource: SCALED_OBJECTS.to_owned(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        schema: SCHEMA,
        report,
        deleted,
    }
}

fn connection(report: ConnectionReport, now: SystemTime) -> Connection {
    let opened = now.checked_sub(Duration::from_secs(report.age_seconds));
    let pause = report.next_probe_seconds.map(Duration::try_from_secs_f64);
    let next_probe = pause
        .and_then(Result::ok)
        .and_then(|pause| now.checked_add(pause));
    Connection {
        scaler: report.protocol.to_owned(),
        endpoint: report.endpoint,
        users: report.users,
        opened: opened.map(Into::into),
        requests: report.asked,
        errors: report.failed,
        last_error: report.last_error.unwrap_or_default(),
        state: if report.open { "open" } else { "broken" }.to_owned(),
        breaker: report.breaker.as_str().to_owned(),
        questions_per_minute: report.questions_per_minute,
        batches: report.batches,
        shared: report.shared,
        credential: report.credential,
        next_probe: next_probe.map(Into::into),
    }
}

#[tonic::async_trait]
impl Debug for DebugApi {
    async fn version(&self, request: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        self.access.caller(request.metadata()).await?;
        Ok(Response::new(VersionReply {
            component: "keda-controller".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            git_commit: option_env!("GIT_COMMIT").unwrap_or_default().to_owned(),
            keda_version: KEDA_VERSION.to_owned(),
            started: Some(self.started.into()),
            leader: true,
            instance: self.operator.environment.pod_name.clone(),
        }))
    }

    async fn list_objects(
        &self,
        request: Request<ListObjectsRequest>,
    ) -> Result<Response<ObjectReports>, Status> {
        let user = self.access.caller(request.metadata()).await?;
        let request = request.into_inner();
        let keys = self.selected(&user, &request).await?;
        let items = keys
            .iter()
            .filter_map(|key| self.report(key, request.records, None))
            .collect();
        Ok(Response::new(ObjectReports { items }))
    }

    async fn explain(&self, request: Request<ObjectRequest>) -> Result<Response<ObjectReport>, Status> {
        let user = self.access.caller(request.metadata()).await?;
        let ObjectRequest {
            resource,
            namespace,
            name,
        } = request.into_inner();
        if !matches!(resource.as_str(), "" | SCALED_OBJECTS) {
            return Err(Status::unimplemented(format!(
                "reports about {resource} are not in this version yet"
            )));
        }
        let key = ObjectKey::new(namespace, name);
        self.access
            .require(&user, &question(&key.namespace, &key.name))
            .await?;
        let found = self.report(&key, true, self.ready(&key).await);
        found
            .map(Response::new)
            .ok_or_else(|| Status::not_found(format!("scaledobjects.keda.sh {key} is not known here")))
    }

    type WatchStream = BoxStream<'static, Result<ObjectReport, Status>>;

    async fn watch(
        &self,
        request: Request<ListObjectsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let user = self.access.caller(request.metadata()).await?;
        let request = request.into_inner();
        let known = self.selected(&user, &request).await?;
        let (out, reports) = mpsc::channel(BUFFER);
        let follow = self.clone().follow(request, known, user, out);
        self.operator.loops.spawn(follow);
        let reports = stream::unfold(reports, |mut reports| async {
            reports.recv().await.map(|report| (report, reports))
        });
        Ok(Response::new(reports.boxed()))
    }

    async fn connections(
        &self,
        request: Request<ConnectionsRequest>,
    ) -> Result<Response<ConnectionList>, Status> {
        let user = self.access.caller(request.metadata()).await?;
        let namespace = request.into_inner().namespace;
        self.access.require(&user, &question(&namespace, "")).await?;
        let prefix = format!("{namespace}/");
        let reports = self.operator.builder.pool.connections().into_iter();
        let items = reports
            .filter(|report| {
                namespace.is_empty() || report.users.iter().any(|user| user.starts_with(&prefix))
            })
            .map(|mut report| {
                // Whoever may see one namespace learns nothing of the others.
                report
                    .users
                    .retain(|user| namespace.is_empty() || user.starts_with(&prefix));
                connection(report, SystemTime::now())
            })
            .collect();
        Ok(Response::new(ConnectionList { items }))
    }

    async fn dry_run(&self, request: Request<DryRunRequest>) -> Result<Response<DryRunReply>, Status> {
        let user = self.access.caller(request.metadata()).await?;
        let _turn = self.trying.try_acquire().map_err(|_| {
            Status::resource_exhausted("too many dry runs are under way: try again in a moment")
        })?;
        let report = dry_run::run(self, &user, request.into_inner()).await?;
        let report = serde_json::to_vec(&report)
            .map_err(|error| Status::internal(format!("the answer cannot be written: {error}")))?;
        Ok(Response::new(DryRunReply {
            schema: engine::dry_run::SCHEMA,
            report,
        }))
    }
}

#[cfg(test)]
mod tests {
    use scalers::BreakerState;

    use super::*;

    fn report() -> ConnectionReport {
        ConnectionReport {
            protocol: "redis",
            endpoint: "redis:6379".to_owned(),
            credential: "7f3a".to_owned(),
            open: true,
            age_seconds: 60,
            idle_seconds: 1,
            users: vec!["shop/orders[0]".to_owned()],
            asked: 12,
            batches: 4,
            shared: 3,
            failed: 2,
            refused: 1,
            questions_per_minute: 2.5,
            in_flight: 0,
            last_error: None,
            breaker: BreakerState::Closed,
            next_probe_seconds: None,
        }
    }

    #[test]
    fn a_connection_is_told_with_its_figures() {
        let told = connection(report(), SystemTime::UNIX_EPOCH + Duration::from_mins(10));
        assert_eq!(
            told.opened,
            Some((SystemTime::UNIX_EPOCH + Duration::from_mins(9)).into())
        );
        assert_eq!(
            (told.requests, told.batches, told.shared, told.errors),
            (12, 4, 3, 2)
        );
        assert_eq!(
            (told.breaker.as_str(), told.credential.as_str()),
            ("closed", "7f3a")
        );
        assert!((told.questions_per_minute - 2.5).abs() < f64::EPSILON);
        assert_eq!(told.next_probe, None);
    }

    #[test]
    fn a_silent_source_is_told_with_its_next_probe() {
        let mut silent = report();
        silent.breaker = BreakerState::Open;
        silent.next_probe_seconds = Some(7.0);
        let told = connection(silent, SystemTime::UNIX_EPOCH + Duration::from_mins(10));
        assert_eq!(told.breaker, "open");
        let probe = SystemTime::UNIX_EPOCH + Duration::from_secs(607);
        assert_eq!(told.next_probe, Some(probe.into()));
        assert_eq!(BreakerState::HalfOpen.as_str(), "half-open");
    }
}
