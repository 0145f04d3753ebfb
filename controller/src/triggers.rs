//! The triggers of one object, ready to be asked: references resolved, metadata read, metrics known.

mod slot;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::{AuthenticationKind, GroupVersionKindResource, ScaledObject, Trigger, TriggerAuthenticationSpec};
use engine::desired::ObjectKey;
use engine::diagnostic::Diagnostic;
use engine::metric::TriggerMetrics;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::PodSpec;
use scalers::resolve::names_variables;
use scalers::{AuthenticationSource, Built, LookupError, Pool, Resolver};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::complaints::Complaints;
use crate::environment::Environment;
use crate::failure;
use crate::observe::source::Cluster;
use crate::observe::target::Targets;

pub(crate) use slot::Slot;

/// How often references are resolved again without need: a rotated credential that replaces one which still works is picked up
/// by then; one that no longer works is picked up by the read that fails.
const FRESH: Duration = Duration::from_mins(5);

/// Builds triggers.
pub(crate) struct Builder {
    /// Where connections live.
    pub(crate) pool: Pool,
    /// Where secrets come from.
    pub(crate) cluster: Arc<Cluster>,
    /// Where pod templates come from.
    pub(crate) targets: Arc<Targets>,
    /// Every TriggerAuthentication.
    pub(crate) auths: Arc<Cache<crds::TriggerAuthentication>>,
    /// Every ClusterTriggerAuthentication.
    pub(crate) cluster_auths: Arc<Cache<crds::ClusterTriggerAuthentication>>,
    /// Settings.
    pub(crate) environment: Arc<Environment>,
    /// What the log has told and is still so.
    pub(crate) complaints: Arc<Complaints>,
}

/// The triggers of one object at one generation.
pub(crate) struct Triggers {
    /// Generation of the spec they were built from.
    pub(crate) generation: i64,
    /// One entry a trigger, in order.
    pub(crate) slots: Vec<Slot>,
    /// When their references were resolved.
    resolved: Mutex<Instant>,
}

/// A trigger that cannot be built.
#[derive(Clone, Debug)]
pub(crate) struct BuildError {
    /// Place of the trigger in `spec.triggers`.
    pub(crate) index: usize,
    /// What is wrong, in one line.
    pub(crate) message: String,
}

impl Triggers {
    /// Whether the references are to be resolved again; says so once a period.
    fn is_due(&self) -> bool {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let due = resolved.elapsed() >= FRESH;
        if due {
            *resolved = Instant::now();
        }
        due
    }

    /// The metrics of all triggers, in order.
    pub(crate) fn metrics(&self) -> Vec<TriggerMetrics> {
        self.slots.iter().map(Slot::metrics).collect()
    }
}

impl Builder {
    /// Builds every trigger of an object. The first one that cannot be built fails them all, as upstream.
    pub(crate) async fn build(
        &self,
        object: &ScaledObject,
        target: Option<&GroupVersionKindResource>,
    ) -> Result<(Triggers, Vec<Diagnostic>), Vec<BuildError>> {
        let pod = self
            .pod_if_needed(object, target)
            .await
            .map_err(|error| vec![error])?;
        let built = futures::future::join_all(
            object
                .spec
                .triggers
                .iter()
                .enumerate()
                .map(|(index, trigger)| self.slot(object, index, trigger, pod.as_ref())),
        )
        .await;
        let (mut slots, mut warnings, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for result in built {
            match result {
                Ok((slot, more)) => {
                    slots.push(slot);
                    warnings.extend(more);
                }
                Err(error) => errors.push(error),
            }
        }
        slots.shrink_to_fit();
        if errors.is_empty() {
            let generation = object.metadata.generation.unwrap_or_default();
            let resolved = Mutex::new(Instant::now());
            Ok((
                Triggers {
                    generation,
                    slots,
                    resolved,
                },
                warnings,
            ))
        } else {
            Err(errors)
        }
    }

    /// Resolves the references of all triggers again when that is due. What cannot be resolved now keeps its former values.
    pub(crate) async fn refresh(
        &self,
        object: &ScaledObject,
        target: Option<&GroupVersionKindResource>,
        triggers: &Triggers,
    ) {
        let refers = |trigger: &Trigger| trigger.authentication_ref.is_some() || names_variables(trigger);
        if !triggers.is_due() || !object.spec.triggers.iter().any(refers) {
            return;
        }
        let key = crate::cache::key(object);
        for (index, slot) in triggers.slots.iter().enumerate() {
            let what = format!("references of trigger {index}");
            match self.rebuild(object, target, index, slot).await {
                Ok(_) => {
                    self.complaints.settle(&key, &what);
                }
                Err(error) if self.complaints.is_news(&key, &what, &error.message) => {
                    tracing::warn!(
                        namespace = key.namespace,
                        name = key.name,
                        index,
                        error = error.message,
                        "references cannot be resolved again"
                    );
                }
                Err(_) => {}
            }
        }
    }

    /// Builds one trigger again from fresh credentials, in place.
    pub(crate) async fn rebuild(
        &self,
        object: &ScaledObject,
        target: Option<&GroupVersionKindResource>,
        index: usize,
        slot: &Slot,
    ) -> Result<Arc<Built>, BuildError> {
        let Some(trigger) = object.spec.triggers.get(index) else {
            return Ok(slot.built());
        };
        let pod = self.pod_if_needed(object, target).await?;
        let (built, _) = self.read(object, index, trigger, pod.as_ref()).await?;
        let elsewhere = self.pool.mark(&built) != self.pool.mark(&slot.built());
        Ok(slot.replace(built, elsewhere))
    }

    async fn slot(
        &self,
        object: &ScaledObject,
        index: usize,
        trigger: &Trigger,
        pod: Option<&PodSpec>,
    ) -> Result<(Slot, Vec<Diagnostic>), BuildError> {
        let (built, mut warnings) = self.read(object, index, trigger, pod).await?;
        warnings.extend(built.warnings().iter().cloned());
        let metrics = built
            .specs(&self.pool)
            .await
            .map_err(|error| failed(index, error.chain()))?;
        let name = trigger.name.clone().filter(|name| !name.is_empty());
        let cached = trigger.use_cached_metrics == Some(true);
        let scaler = name.unwrap_or_else(|| upstream_name(&trigger.type_));
        Ok((Slot::new(built, metrics, cached, scaler), warnings))
    }

    /// Resolves what the trigger refers to and reads its metadata.
    async fn read(
        &self,
        object: &ScaledObject,
        index: usize,
        trigger: &Trigger,
        pod: Option<&PodSpec>,
    ) -> Result<(Built, Vec<Diagnostic>), BuildError> {
        let references = Resolver {
            object,
            pod,
            authentications: self,
            secrets: &*self.cluster,
        };
        let key = crate::cache::key(object);
        let resolved = references
            .input(index, trigger)
            .await
            .map_err(|error| failed(index, failure::chain(&error)))?;
        match (&resolved.missing, &trigger.authentication_ref) {
            (Some(reference), _) => self.missing(&key, &reference.name),
            (None, Some(reference)) => {
                self.complaints.settle(&key, &reference.name);
            }
            (None, None) => {}
        }
        let built = scalers::read(&resolved.input).map_err(|diagnostics| unreadable(index, &diagnostics))?;
        Ok((built, resolved.warnings))
    }

    /// Reads the target's pod template where some trigger looks into a container's environment.
    async fn pod_if_needed(
        &self,
        object: &ScaledObject,
        target: Option<&GroupVersionKindResource>,
    ) -> Result<Option<PodSpec>, BuildError> {
        let Some(target) = target else { return Ok(None) };
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let Some(position) = object
            .spec
            .triggers
            .iter()
            .position(|trigger| self.needs_pod(&namespace, trigger))
        else {
            return Ok(None);
        };
        let name = &object.spec.scale_target_ref.name;
        let found = self
            .targets
            .api(target, &namespace)
            .get_opt(name)
            .await
            .map_err(|error| {
                failed(
                    position,
                    format!("cannot read the scale target: {}", failure::chain(&error)),
                )
            })?;
        // Targets without a pod template have no environment.
        let template = found.and_then(|found| found.data.pointer("/spec/template/spec").cloned());
        Ok(template.and_then(|template| serde_json::from_value(template).ok()))
    }

    fn needs_pod(&self, namespace: &str, trigger: &Trigger) -> bool {
        let by_auth = trigger.authentication_ref.as_ref().is_some_and(|reference| {
            let name = reference.name.clone();
            match reference.kind() {
                AuthenticationKind::TriggerAuthentication => self
                    .auths
                    .get(&ObjectKey {
                        namespace: namespace.to_owned(),
                        name,
                    })
                    .is_some_and(|auth| !auth.spec.env.is_empty()),
                _ => self
                    .cluster_auths
                    .get(&ObjectKey {
                        namespace: String::new(),
                        name,
                    })
                    .is_some_and(|auth| !auth.spec.0.env.is_empty()),
            }
        });
        by_auth || names_variables(trigger)
    }

    fn missing(&self, object: &ObjectKey, authentication: &str) {
        if self.complaints.is_news(object, authentication, "missing") {
            let ObjectKey { namespace, name } = object;
            tracing::warn!(
                namespace,
                name,
                authentication,
                "the authentication does not exist"
            );
        }
    }
}

/// Authentications come from the watches.
impl AuthenticationSource for Builder {
    fn trigger_authentication<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<TriggerAuthenticationSpec>, LookupError>> {
        let found = self.auths.get(&ObjectKey::new(namespace, name));
        std::future::ready(Ok(found.map(|auth| auth.spec.clone()))).boxed()
    }

    fn cluster_trigger_authentication<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<TriggerAuthenticationSpec>, LookupError>> {
        let found = self.cluster_auths.get(&ObjectKey::new("", name));
        std::future::ready(Ok(found.map(|auth| auth.spec.0.clone()))).boxed()
    }

    fn cluster_namespace(&self) -> &str {
        &self.environment.cluster_object_namespace
    }
}

fn failed(index: usize, message: String) -> BuildError {
    BuildError { index, message }
}

/// What the reader found, in one line. Two findings keep KEDA's exact text, which tools look for.
fn unreadable(index: usize, diagnostics: &[Diagnostic]) -> BuildError {
    let line = |finding: &Diagnostic| match finding.code.as_ref() {
        "unknown-trigger-type" => match finding
            .help
            .as_deref()
            .filter(|help| help.contains("not in this version"))
        {
            Some(help) => format!("{} ({help})", finding.message),
            None => finding.message.clone(),
        },
        "bad-metric-type" => finding.message.clone(),
        _ => finding.to_string(),
    };
    let lines: Vec<String> = diagnostics
        .iter()
        .filter(|finding| finding.is_error())
        .map(line)
        .collect();
    BuildError {
        index,
        message: lines.join("; "),
    }
}

/// Upstream names a scaler by its Go type: `redis` is `redisScaler`, `metrics-api` is `metricsAPIScaler`.
fn upstream_name(type_: &str) -> String {
    match type_ {
        "cpu" | "memory" => "cpuMemoryScaler".to_owned(),
        "metrics-api" => "metricsAPIScaler".to_owned(),
        "mysql" => "mySQLScaler".to_owned(),
        "postgresql" => "postgreSQLScaler".to_owned(),
        "external-push" => "externalPushScaler".to_owned(),
        "redis" | "redis-cluster" | "redis-sentinel" => "redisScaler".to_owned(),
        "redis-streams" | "redis-cluster-streams" | "redis-sentinel-streams" => {
            "redisStreamsScaler".to_owned()
        }
        "kubernetes-workload" => "kubernetesWorkloadScaler".to_owned(),
        other => format!("{other}Scaler"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::diagnostic::FieldPath;

    #[track_caller]
    fn check(finding: Diagnostic, line: &str) {
        let warning = Diagnostic::warning("unknown-metadata-key", FieldPath::root(), "no error");
        assert_eq!(unreadable(0, &[warning, finding]).message, line);
    }

    #[test]
    fn what_is_wrong_is_one_line_with_its_place() {
        let path = FieldPath::trigger(0).field("metadata").field("listName");
        check(
            Diagnostic::error("missing-metadata-key", path, "`listName` is needed"),
            "spec.triggers[0].metadata.listName: `listName` is needed",
        );
    }

    #[test]
    fn recorded_texts_stay_as_upstream_writes_them() {
        let unknown = || {
            Diagnostic::error(
                "unknown-trigger-type",
                FieldPath::trigger(0),
                "no scaler found for type: x",
            )
        };
        check(
            unknown().with_help("did you mean `y`?"),
            "no scaler found for type: x",
        );
        check(
            unknown().with_help("`x` is not in this version yet"),
            "no scaler found for type: x (`x` is not in this version yet)",
        );
    }

    #[test]
    fn the_scaler_label_is_upstreams() {
        assert_eq!(upstream_name("metrics-api"), "metricsAPIScaler");
        assert_eq!(upstream_name("cron"), "cronScaler");
        assert_eq!(upstream_name("redis-cluster-streams"), "redisStreamsScaler");
        assert_eq!(upstream_name("kubernetes-workload"), "kubernetesWorkloadScaler");
    }
}
