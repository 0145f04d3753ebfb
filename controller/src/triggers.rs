//! The triggers of one object, ready to be asked: references resolved, metadata read, metrics known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::{AuthenticationKind, GroupVersionKindResource, ScaledObject, Trigger};
use engine::desired::ObjectKey;
use engine::diagnostic::Diagnostic;
use engine::metric::TriggerMetrics;
use k8s_openapi::api::core::v1::PodSpec;
use scalers::{AuthParams, Built, ContainerEnv, Place, Pool, Scope, TriggerInput};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::environment::Environment;
use crate::failure;
use crate::observe::source::Cluster;
use crate::observe::target::Targets;

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

/// One trigger.
pub(crate) struct Slot {
    /// Its metrics.
    metrics: Mutex<TriggerMetrics>,
    built: Mutex<Built>,
    /// Whether the HPA gets the value of the last poll.
    pub(crate) use_cached_metrics: bool,
    /// The trigger's name, else upstream's name of the scaler: the `scaler` label of Prometheus metrics.
    pub(crate) scaler: String,
}

/// A trigger that cannot be built.
#[derive(Clone, Debug)]
pub(crate) struct BuildError {
    /// Place of the trigger in `spec.triggers`.
    pub(crate) index: usize,
    /// What is wrong, in one line.
    pub(crate) message: String,
}

impl Slot {
    /// The trigger as built last.
    pub(crate) fn built(&self) -> Built {
        self.built.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its metrics.
    pub(crate) fn metrics(&self) -> TriggerMetrics {
        self.metrics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes new metrics that a push trigger announced; says whether they differ.
    pub(crate) fn set_metrics(&self, metrics: TriggerMetrics) -> bool {
        let mut present = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let differ = *present != metrics;
        *present = metrics;
        differ
    }
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
        for (index, slot) in triggers.slots.iter().enumerate() {
            if let Err(error) = self.rebuild(object, target, index, slot).await {
                let (namespace, name) = (&object.metadata.namespace, &object.metadata.name);
                tracing::warn!(
                    namespace,
                    name,
                    index,
                    error = error.message,
                    "references cannot be resolved again"
                );
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
    ) -> Result<Built, BuildError> {
        let Some(trigger) = object.spec.triggers.get(index) else {
            return Ok(slot.built());
        };
        let pod = self.pod_if_needed(object, target).await?;
        let (built, _) = self.read(object, index, trigger, pod.as_ref()).await?;
        *slot.built.lock().unwrap_or_else(PoisonError::into_inner) = built.clone();
        Ok(built)
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
        let slot = Slot {
            metrics: Mutex::new(metrics),
            use_cached_metrics: trigger.use_cached_metrics == Some(true),
            scaler: name.unwrap_or_else(|| upstream_name(&trigger.type_)),
            built: Mutex::new(built),
        };
        Ok((slot, warnings))
    }

    /// Resolves what the trigger refers to and reads its metadata.
    async fn read(
        &self,
        object: &ScaledObject,
        index: usize,
        trigger: &Trigger,
        pod: Option<&PodSpec>,
    ) -> Result<(Built, Vec<Diagnostic>), BuildError> {
        let key = crate::cache::key(object);
        let container = object.spec.scale_target_ref.env_source_container_name.as_deref();
        let env = match pod {
            Some(pod) if names_variables(trigger) => {
                scalers::env::resolve(pod, container, &key.namespace, &*self.cluster)
                    .await
                    .map_err(|error| failed(index, failure::chain(&error)))?
            }
            _ => ContainerEnv::new(),
        };
        let (auth, identity, warnings) = self.authenticate(object, &key, index, trigger, pod).await?;
        let modifiers = object
            .spec
            .advanced
            .as_ref()
            .and_then(|advanced| advanced.scaling_modifiers.as_ref());
        let input = TriggerInput {
            type_: trigger.type_.clone(),
            index,
            name: trigger.name.clone(),
            metadata: trigger.metadata.clone(),
            env,
            auth,
            identity,
            metric_type: trigger.metric_type.clone(),
            as_metric_source: modifiers
                .and_then(|modifiers| modifiers.formula.as_ref())
                .is_some(),
            object: scalers::ObjectKey {
                namespace: key.namespace,
                name: key.name,
            },
        };
        let built = scalers::read(&input).map_err(|diagnostics| unreadable(index, &diagnostics))?;
        Ok((built, warnings))
    }

    /// Resolves `authenticationRef`. An object that does not exist counts as one without parameters, as upstream.
    async fn authenticate(
        &self,
        object: &ScaledObject,
        key: &ObjectKey,
        index: usize,
        trigger: &Trigger,
        pod: Option<&PodSpec>,
    ) -> Result<(AuthParams, Option<crds::PodIdentity>, Vec<Diagnostic>), BuildError> {
        let none = (AuthParams::default(), None, Vec::new());
        let Some(reference) = trigger
            .authentication_ref
            .as_ref()
            .filter(|reference| !reference.name.is_empty())
        else {
            return Ok(none);
        };
        let place = |scope, namespace| Place {
            scope,
            namespace,
            pod,
            pod_namespace: key.namespace.as_str(),
            container: object.spec.scale_target_ref.env_source_container_name.as_deref(),
        };
        let name = reference.name.clone();
        let resolved = match reference.kind() {
            AuthenticationKind::TriggerAuthentication => {
                let wanted = ObjectKey {
                    namespace: key.namespace.clone(),
                    name,
                };
                let Some(auth) = self.auths.get(&wanted) else {
                    return Ok(missing(key, &wanted, none));
                };
                scalers::auth::resolve(
                    &auth.spec,
                    place(Scope::Namespaced, key.namespace.as_str()),
                    &*self.cluster,
                )
                .await
            }
            AuthenticationKind::ClusterTriggerAuthentication => {
                let wanted = ObjectKey {
                    namespace: String::new(),
                    name,
                };
                let Some(auth) = self.cluster_auths.get(&wanted) else {
                    return Ok(missing(key, &wanted, none));
                };
                let namespace = self.environment.cluster_object_namespace.as_str();
                scalers::auth::resolve(&auth.spec.0, place(Scope::Cluster, namespace), &*self.cluster).await
            }
            other @ AuthenticationKind::Other(_) => {
                return Err(failed(
                    index,
                    format!("unknown kind of authenticationRef: {other}"),
                ));
            }
        };
        let resolved = resolved.map_err(|error| failed(index, failure::chain(&error)))?;
        Ok((resolved.params, resolved.identity, resolved.warnings))
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
}

/// Whether a trigger takes a setting from a variable of the container.
fn names_variables(trigger: &Trigger) -> bool {
    trigger.metadata.keys().any(|key| key.ends_with("FromEnv"))
}

fn missing<T>(object: &ObjectKey, wanted: &ObjectKey, none: T) -> T {
    tracing::warn!(
        namespace = object.namespace,
        name = object.name,
        authentication = wanted.name,
        "the authentication does not exist"
    );
    none
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
        "external-push" => "externalPushScaler".to_owned(),
        "redis" | "redis-cluster" | "redis-sentinel" => "redisScaler".to_owned(),
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
    }
}
