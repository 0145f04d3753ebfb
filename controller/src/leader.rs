//! Leader election on a Lease, as client-go does it: a Lease is free when its holder did not renew it for as long as it holds,
//! measured on our own clock from when we saw the last change.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::apply::Writer;
use crate::environment::Environment;
use crate::failure::{self, Failure};

/// One candidate for the Lease.
#[derive(Clone)]
pub(crate) struct Candidate {
    leases: Api<Lease>,
    writer: Writer,
    namespace: String,
    name: String,
    /// `<pod>_<uuid>`: the metrics adapter maps the part before `_` to a pod.
    identity: String,
    lease_duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
}

/// A Lease as last seen, and when.
struct Seen {
    lease: Lease,
    at: Instant,
}

impl Candidate {
    /// A candidate with an identity of its own.
    pub(crate) fn new(client: &kube::Client, writer: Writer, name: &str, environment: &Environment) -> Self {
        Self {
            leases: Api::namespaced(client.clone(), &environment.namespace),
            writer,
            namespace: environment.namespace.clone(),
            name: name.to_owned(),
            identity: format!("{}_{}", environment.pod_name, unique()),
            lease_duration: environment.lease_duration,
            renew_deadline: environment.renew_deadline,
            retry_period: environment.retry_period,
        }
    }

    /// Waits until this process leads, or `stop`; says whether it leads.
    pub(crate) async fn acquire(&self, stop: &CancellationToken) -> Result<bool, Failure> {
        tracing::info!(
            lease = self.name,
            identity = self.identity,
            "waiting for leadership"
        );
        let mut seen: Option<Seen> = None;
        let mut complained = String::new();
        loop {
            match self.attempt(&mut seen).await {
                Ok(true) => {
                    tracing::info!(lease = self.name, "leading");
                    return Ok(true);
                }
                Ok(false) => complained.clear(),
                Err(kube::Error::Api(status)) if status.code == 403 || status.code == 404 => {
                    let what = format!("cannot take the Lease {}/{}", self.namespace, self.name);
                    let help = "create the namespace POD_NAMESPACE names and permit get, create and update of leases there";
                    return Err(
                        Failure::new(failure::NOT_PERMITTED, what, help).because(kube::Error::Api(status))
                    );
                }
                Err(error) => {
                    let error = failure::chain(&error);
                    if error != complained {
                        tracing::warn!(error, "cannot read or take the Lease; trying again");
                        complained = error;
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(false),
                () = tokio::time::sleep(self.retry_period) => {}
            }
        }
    }

    /// Renews until `stop`; an error means that leadership was lost.
    pub(crate) async fn keep(&self, stop: &CancellationToken) -> Result<(), Failure> {
        let mut seen = None;
        let mut renewed = Instant::now();
        let mut complained = String::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.retry_period) => {}
            }
            let left = self.renew_deadline.saturating_sub(renewed.elapsed());
            let attempt = self.attempt(&mut seen);
            let error = match tokio::time::timeout(left.max(Duration::from_millis(100)), attempt).await {
                Ok(Ok(true)) => {
                    renewed = Instant::now();
                    String::new()
                }
                Ok(Ok(false)) => return Err(self.lost("another process holds it")),
                Ok(Err(error)) => failure::chain(&error),
                Err(_) => "the API server takes too long".to_owned(),
            };
            if error.is_empty() && !complained.is_empty() {
                tracing::info!("renewed the Lease again");
            } else if error != complained {
                tracing::warn!(error, "cannot renew the Lease; trying again");
            }
            complained = error;
            if renewed.elapsed() >= self.renew_deadline {
                return Err(self.lost("it could not be renewed in time"));
            }
        }
    }

    fn lost(&self, why: &str) -> Failure {
        Failure::new(
            failure::UNEXPECTED,
            format!(
                "leadership is lost: the Lease {}/{}: {why}",
                self.namespace, self.name
            ),
            "the process ends so that two leaders never act; it is safe to start it again",
        )
    }

    /// Gives the Lease back, so that a successor need not wait for it to run out.
    pub(crate) async fn release(&self) {
        let released = async {
            let Some(mut lease) = self.leases.get_opt(&self.name).await? else {
                return Ok(());
            };
            if holder(&lease) != self.identity {
                return Ok(());
            }
            let spec = lease.spec.get_or_insert_default();
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.renew_time = Some(MicroTime(jiff::Timestamp::now()));
            self.writer.replace_lease(&self.namespace, &lease).await.map(drop)
        };
        match tokio::time::timeout(self.renew_deadline, released).await {
            Ok(Ok(())) => tracing::info!(lease = self.name, "gave the Lease back"),
            Ok(Err(error)) => tracing::warn!(error = failure::chain(&error), "cannot give the Lease back"),
            Err(_) => tracing::warn!("giving the Lease back takes too long"),
        }
    }

    /// Takes or renews the Lease once; says whether this process holds it now.
    async fn attempt(&self, seen: &mut Option<Seen>) -> Result<bool, kube::Error> {
        let Some(lease) = self.leases.get_opt(&self.name).await? else {
            return self.written(
                seen,
                self.writer.create_lease(&self.namespace, &self.claim(None)).await,
            );
        };
        let unchanged = seen.as_ref().is_some_and(|seen| seen.lease.spec == lease.spec);
        if !unchanged {
            *seen = Some(Seen {
                lease: lease.clone(),
                at: Instant::now(),
            });
        }
        let holder = holder(&lease);
        let since = seen.as_ref().map_or(Duration::ZERO, |seen| seen.at.elapsed());
        if !holder.is_empty() && holder != self.identity && since < duration(&lease) {
            return Ok(false);
        }
        self.written(
            seen,
            self.writer
                .replace_lease(&self.namespace, &self.claim(Some(lease)))
                .await,
        )
    }

    /// A conflict means that somebody else was faster: not held, and no error.
    #[expect(clippy::unused_self, reason = "reads as a step of `attempt`")]
    fn written(
        &self,
        seen: &mut Option<Seen>,
        result: Result<Lease, kube::Error>,
    ) -> Result<bool, kube::Error> {
        match result {
            Ok(lease) => {
                *seen = Some(Seen {
                    lease,
                    at: Instant::now(),
                });
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The Lease with this process as its holder.
    fn claim(&self, lease: Option<Lease>) -> Lease {
        let now = MicroTime(jiff::Timestamp::now());
        let mut lease = lease.unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let ours = holder(&lease) == self.identity;
        let spec = lease.spec.get_or_insert_default();
        if !ours {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count + 1));
        }
        *spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.lease_duration.as_secs()).ok(),
            renew_time: Some(now),
            ..std::mem::take(spec)
        };
        lease
    }
}

fn holder(lease: &Lease) -> &str {
    lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref())
        .unwrap_or_default()
}

fn duration(lease: &Lease) -> Duration {
    let seconds = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_duration_seconds)
        .unwrap_or_default();
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

/// A random UUID, from the kernel where it gives one.
fn unique() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid").map_or_else(
        |_| {
            format!(
                "{:x}-{:x}",
                std::process::id(),
                jiff::Timestamp::now().as_nanosecond()
            )
        },
        |text| text.trim().to_owned(),
    )
}
