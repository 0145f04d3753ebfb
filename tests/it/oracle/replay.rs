//! A scenario run by `engine::hpa`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use engine::hpa::{self, Controller, Options, Outcome, Reading, Request, Scale, Spec, Status};
use engine::quantity::Quantity;
use jiff::{SignedDuration, Timestamp};

use super::scenario::{Answer, Condition, Container, Event, Pod, Scenario, Step, Trace, TraceStep};

/// The HPA's namespace in the oracle.
const NAMESPACE: &str = "default";

/// The sticky part of the steps so far.
#[derive(Default)]
struct Now<'s> {
    replicas: i32,
    status_replicas: Option<i32>,
    scale_get: Option<&'s str>,
    scale_update: Option<&'s str>,
    pods: &'s [Pod],
    metrics: &'s [Answer],
}

/// Runs a scenario. An error is a scenario that the engine refuses.
pub(crate) fn replay(scenario: &Scenario) -> Result<Trace> {
    let options = options(scenario);
    let mut controller = Controller::new(options);
    let mut status = Status::default();
    let mut spec = Spec::new(NAMESPACE, &scenario.spec)?;
    let mut now = Now {
        replicas: scenario.replicas,
        ..Now::default()
    };
    let length = scenario.length.max(scenario.steps.len());
    ensure!(length > 0, "a scenario without steps");
    let mut steps = Vec::with_capacity(length);
    for k in 0..length {
        if let Some(step) = scenario.steps.get(k) {
            if let Some(changed) = &step.spec {
                spec = Spec::new(NAMESPACE, changed).with_context(|| format!("steps[{k}].spec"))?;
            }
            now.take(step);
        }
        let at = scenario.controller.sync_period * (k + 1) as f64;
        let before = now.replicas;
        let outcome = now.sync(&mut controller, &spec, &mut status, at)?;
        if let Some(replicas) = outcome.replicas {
            now.replicas = replicas;
        }
        steps.push(record(at, before, now.replicas, &status, &outcome));
    }
    Ok(Trace {
        name: scenario.name.clone(),
        error: None,
        steps,
    })
}

fn options(scenario: &Scenario) -> Options {
    let controller = &scenario.controller;
    Options {
        sync_period: duration(controller.sync_period),
        tolerance: controller.tolerance,
        downscale_stabilization: duration(controller.downscale_stabilization),
        cpu_initialization_period: duration(controller.cpu_initialization_period),
        initial_readiness_delay: duration(controller.initial_readiness_delay),
        scale_to_zero: controller.scale_to_zero,
    }
}

/// Scenarios are exact to the millisecond.
fn duration(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1000.0).round() as u64)
}

fn time(seconds: f64) -> Timestamp {
    let since = SignedDuration::from_millis((seconds * 1000.0).round() as i64);
    Timestamp::UNIX_EPOCH
        .saturating_add(since)
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn seconds(time: Timestamp) -> f64 {
    time.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

impl<'s> Now<'s> {
    fn take(&mut self, step: &'s Step) {
        self.replicas = step.replicas.unwrap_or(self.replicas);
        self.status_replicas = step.status_replicas.unwrap_or(self.status_replicas);
        if let Some(error) = &step.scale_get {
            self.scale_get = error.as_deref();
        }
        if let Some(error) = &step.scale_update {
            self.scale_update = error.as_deref();
        }
        self.pods = step.pods.as_deref().unwrap_or(self.pods);
        self.metrics = step.metrics.as_deref().unwrap_or(self.metrics);
    }

    fn sync(
        &self,
        controller: &mut Controller,
        spec: &Spec,
        status: &mut Status,
        at: f64,
    ) -> Result<Outcome> {
        let requests = requests(self.pods)?;
        let containers: Vec<Vec<hpa::Container<'_>>> = self
            .pods
            .iter()
            .zip(&requests)
            .map(|(pod, requests)| containers(pod, requests))
            .collect();
        let pods = self.pods.iter().zip(&containers);
        let pods: Vec<hpa::Pod<'_>> = pods
            .map(|(pod, containers)| seen(pod, containers))
            .collect::<Result<_>>()?;
        let measured: Vec<Vec<hpa::PodMetric<'_>>> =
            self.metrics.iter().map(|answer| measured(answer, at)).collect();
        let metrics = self.metrics.iter().zip(&measured);
        let metrics: Vec<Reading<'_>> = metrics
            .map(|(answer, measured)| match answer {
                Answer::Error(text) => Reading::Failed(text),
                Answer::Value(value) => Reading::Value(*value),
                Answer::Values(values) => Reading::Values(values),
                Answer::Pods(_) => Reading::Pods(measured),
            })
            .collect();
        let scale = Scale {
            replicas: self.replicas,
            status_replicas: self.status_replicas.unwrap_or(self.replicas),
        };
        let world = hpa::World {
            scale: self.scale_get.map_or(Ok(scale), Err),
            update: self.scale_update.map_or(Ok(()), Err),
            pods: &pods,
            metrics: &metrics,
        };
        Ok(controller.reconcile(time(at), spec, status, &world))
    }
}

/// The requests of each container of each pod.
fn requests(pods: &[Pod]) -> Result<Vec<Vec<Vec<Request<'_>>>>> {
    fn of(container: &Container) -> Result<Vec<Request<'_>>> {
        let mut requests = Vec::new();
        for (resource, amount) in &container.requests {
            let milli = amount.parse::<Quantity>()?.milli();
            requests.push(Request { resource, milli });
        }
        Ok(requests)
    }
    pods.iter()
        .map(|pod| pod.containers.iter().map(of).collect())
        .collect()
}

fn containers<'s>(pod: &'s Pod, requests: &'s [Vec<Request<'s>>]) -> Vec<hpa::Container<'s>> {
    let each = pod.containers.iter().zip(requests);
    each.map(|(container, requests)| hpa::Container {
        name: &container.name,
        requests,
    })
    .collect()
}

fn seen<'s>(pod: &'s Pod, containers: &'s [hpa::Container<'s>]) -> Result<hpa::Pod<'s>> {
    let ready = pod.ready.as_ref().map(|ready| {
        let status = match ready.status.as_str() {
            "True" => hpa::ReadyStatus::True,
            "False" => hpa::ReadyStatus::False,
            _ => hpa::ReadyStatus::Unknown,
        };
        let since = time(ready.since);
        hpa::Ready { status, since }
    });
    Ok(hpa::Pod {
        name: &pod.name,
        phase: match pod.phase.as_str() {
            "Pending" => hpa::Phase::Pending,
            "Running" => hpa::Phase::Running,
            "Succeeded" => hpa::Phase::Succeeded,
            "Failed" => hpa::Phase::Failed,
            "Unknown" | "" => hpa::Phase::Unknown,
            other => anyhow::bail!("no phase of a pod: {other}"),
        },
        deleted: pod.deleted,
        start_time: pod.start_time.map(time),
        ready,
        containers,
        pod_requests: None,
    })
}

fn measured(answer: &Answer, at: f64) -> Vec<hpa::PodMetric<'_>> {
    let Answer::Pods(pods) = answer else {
        return Vec::new();
    };
    pods.iter()
        .map(|(pod, metric)| hpa::PodMetric {
            pod,
            value: metric.value,
            timestamp: time(at - metric.age),
            window: duration(metric.window),
        })
        .collect()
}

fn record(at: f64, before: i32, after: i32, status: &Status, outcome: &Outcome) -> TraceStep {
    let shown = status.to_api();
    let conditions = shown.conditions.into_iter().flatten();
    let conditions = conditions.map(|condition| Condition {
        type_: condition.type_,
        status: condition.status,
        reason: condition.reason.unwrap_or_default(),
        message: condition.message.unwrap_or_default(),
        last_transition_time: condition.last_transition_time.map_or(0.0, |time| seconds(time.0)),
    });
    let metrics = shown.current_metrics.into_iter().flatten();
    let events = outcome.events.iter().map(|event| Event {
        type_: if event.is_warning() { "Warning" } else { "Normal" }.to_owned(),
        reason: event.reason().to_owned(),
        message: event.to_string(),
    });
    TraceStep {
        t: seconds(time(at)),
        before,
        after,
        current: status.current_replicas,
        desired: status.desired_replicas,
        last_scale_time: status.last_scale_time.map(seconds),
        conditions: conditions.collect(),
        metrics: metrics
            .map(|metric| serde_json::to_value(metric).unwrap_or_default())
            .collect(),
        events: events.collect(),
    }
}
