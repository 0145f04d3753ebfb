//! The object of a manifest, ready to be simulated. No cluster and no source is asked.

use std::path::PathBuf;

use crds::ScaledObject;
use engine::diagnostic::Diagnostic;
use engine::metric::TriggerMetrics;
use engine::simulate::SimulatedTrigger;
use kube::ResourceExt as _;
use serde_json::Value;

use crate::check;
use crate::commands::dry_run::bundle::Bundle;
use crate::commands::validate;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::manifest::{self, Source};
use crate::simulate::columns::Metric;
use crate::simulate::feed::Schedule;

/// A ScaledObject with what its triggers are.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The file that it is from, as it is called in plots.
    pub(crate) file: String,
    /// The object itself.
    pub(crate) object: ScaledObject,
    /// Its triggers as their readers understand them.
    pub(crate) triggers: Vec<SimulatedTrigger>,
    /// All their metrics.
    pub(crate) metrics: Vec<Metric>,
    /// The replicas of the target, if it is in the files.
    pub(crate) replicas: Option<i32>,
}

/// Reads the files and takes the object of a name, else the only one.
pub(crate) fn read(paths: &[PathBuf], name: Option<&str>, cx: &Context) -> Result<Subject, Failure> {
    of(&manifest::read(paths)?, paths, name, cx, "simulated")
}

/// Takes the object of a name, else the only one, from files that were read. `wanted` is what becomes of it, for messages.
pub(crate) fn of(
    sources: &[Source],
    paths: &[PathBuf],
    name: Option<&str>,
    cx: &Context,
    wanted: &str,
) -> Result<Subject, Failure> {
    let namespace = cx.kube.namespace.as_deref().unwrap_or("default");
    // Nothing in there waits: Ctrl-C ends the process, as it should in a long run.
    let otherwise = format!("nothing was {wanted}");
    futures::executor::block_on(validate::check_sound(sources, namespace, &otherwise, cx))?;
    let bundle = Bundle::of(sources)?.in_namespace(namespace);
    let object = bundle.one(name)?.clone();
    let (triggers, metrics) = triggers(&object)?;
    let files: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Ok(Subject {
        file: files.join(", "),
        replicas: replicas(&bundle, &object),
        object,
        triggers,
        metrics,
    })
}

/// The triggers of an object as their readers understand them, and all their metrics.
pub(crate) fn triggers(object: &ScaledObject) -> Result<(Vec<SimulatedTrigger>, Vec<Metric>), Failure> {
    let (mut triggers, mut all) = (Vec::new(), Vec::new());
    for (index, trigger) in object.spec.triggers.iter().enumerate() {
        let built =
            check::trigger::built(object, index, trigger).map_err(|found| mistakes(object, &found))?;
        let Some(metrics) = built.metrics() else {
            let message = format!(
                "only the source of trigger {index} (`{}`) knows its metrics",
                trigger.type_
            );
            return Err(Failure::new(exit::DIAGNOSTICS, message)
                .help("put a trigger with the same target in its place, such as `metrics-api`"));
        };
        let metric = |name: String, resource| Metric {
            schedule: Schedule::of(&built, &name),
            trigger: index,
            trigger_name: trigger.name.clone().filter(|name| !name.is_empty()),
            name,
            resource,
        };
        let mut activation = 0.0;
        match &metrics {
            TriggerMetrics::Resource(own) => all.push(metric(own.resource.to_string(), true)),
            TriggerMetrics::External(own) => {
                activation = own
                    .first()
                    .and_then(|own| built.activation(&own.name))
                    .unwrap_or_default();
                all.extend(own.iter().map(|own| metric(own.name.to_string(), false)));
            }
        }
        triggers.push(SimulatedTrigger { metrics, activation });
    }
    Ok((triggers, all))
}

/// What is wrong with an object, in one failure.
pub(crate) fn mistakes(object: &ScaledObject, found: &[Diagnostic]) -> Failure {
    let message = format!("ScaledObject {} cannot be simulated", object.name_any());
    let failure = Failure::new(exit::DIAGNOSTICS, message);
    let errors = found.iter().filter(|found| found.is_error());
    errors.fold(failure, |failure, found| failure.help(found.to_string()))
}

/// `spec.replicas` of the scale target, where it is in the files.
fn replicas(bundle: &Bundle, object: &ScaledObject) -> Option<i32> {
    let target = engine::desired::TargetRef::of(object);
    let namespace = object.namespace().unwrap_or_default();
    let workload = bundle.other(&target.kind, &namespace, &target.name)?;
    let written = workload.pointer("/spec/replicas").and_then(Value::as_i64);
    // A workload that does not say has one.
    i32::try_from(written.unwrap_or(1))
        .ok()
        .filter(|replicas| *replicas >= 0)
}
