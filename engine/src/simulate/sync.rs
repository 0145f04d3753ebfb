//! A sync of the HPA: the pods and the answers as it sees them.

use std::time::Duration;

use super::answers::Answer;
use super::pods::{self, Pods};
use super::prepare::Kind;
use super::{Millis, PreparedHpa, Simulation};
use crate::hpa::{
    Container, Controller, Options, Outcome, Phase, Pod, PodMetric, Reading, Ready, ReadyStatus, Request,
    Scale, Status, World,
};
use crate::metric::MetricTarget;

/// What a container of a simulated pod requests, in thousandths. Utilisation is percent of it, so any number does.
const REQUEST: i64 = 100_000;
const REQUESTS: [Request<'static>; 2] = [
    Request {
        resource: "cpu",
        milli: REQUEST,
    },
    Request {
        resource: "memory",
        milli: REQUEST,
    },
];
/// How long the kubelet's values are measured. Upstream: metrics-server's default `--metric-resolution`.
const WINDOW: Duration = Duration::from_secs(15);
/// Metrics that a sync hands over without allocating.
const FEW: usize = 8;

/// The HPA's memory, and the lists that a sync fills.
#[derive(Debug)]
pub(super) struct Syncs {
    controller: Controller,
    status: Status,
    /// Names of pods, as many as were ever needed.
    names: Vec<String>,
    seen: Vec<pods::Seen>,
    /// The answers in the order of the HPA's metrics.
    values: Vec<i64>,
}

impl Syncs {
    pub(super) fn new(options: Options) -> Self {
        Self {
            controller: Controller::new(options),
            status: Status::default(),
            names: Vec::new(),
            seen: Vec::new(),
            values: Vec::new(),
        }
    }

    /// What the HPA remembers, and what each metric asked for.
    pub(super) fn controller(&self) -> &Controller {
        &self.controller
    }

    /// The status of the HPA.
    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    /// Lists the pods, where the HPA looks at each.
    pub(super) fn look(&mut self, pods: &Pods) {
        self.seen.clear();
        pods.each(|pod| self.seen.push(pod));
        for number in self.names.len()..self.seen.len() {
            self.names.push(format!("pod-{number}"));
        }
    }

    /// Lets the HPA decide.
    pub(super) fn reconcile(
        &mut self,
        simulation: &Simulation,
        hpa: &PreparedHpa,
        answers: &[Answer],
        now: Millis,
        replicas: i32,
    ) -> Outcome {
        let Self {
            controller,
            status,
            names,
            seen,
            values,
        } = self;
        values.clear();
        let answered = hpa.order.iter().map(|column| answers[*column].milli());
        values.extend(answered.map(|milli| milli.unwrap_or(0)));
        let containers = containers(hpa);
        let list = seen.iter().zip(names.iter());
        let pods: Vec<Pod<'_>> = list
            .map(|(seen, name)| pod(simulation, *seen, name, &containers))
            .collect();
        let measured: Vec<Vec<PodMetric<'_>>> = (hpa.order.iter().zip(values.iter()))
            .filter(|_| hpa.needs_pods)
            .map(|(column, value)| measured(simulation, hpa, *column, *value, now, &pods))
            .collect();
        let reading = |position: usize| {
            let column = hpa.order[position];
            match (answers[column].milli(), simulation.columns[column].kind) {
                (None, _) => Reading::Failed(&simulation.columns[column].failure),
                (Some(_), Kind::External) => Reading::Values(std::slice::from_ref(&values[position])),
                (Some(_), _) => Reading::Pods(&measured[position]),
            }
        };
        let count = hpa.order.len();
        let mut few = [Reading::Failed(""); FEW];
        let many: Vec<Reading<'_>>;
        let metrics = if count <= FEW {
            for (position, slot) in few.iter_mut().enumerate().take(count) {
                *slot = reading(position);
            }
            &few[..count]
        } else {
            many = (0..count).map(reading).collect();
            &many
        };
        let world = World {
            scale: Ok(Scale {
                replicas,
                status_replicas: replicas,
            }),
            update: Ok(()),
            pods: &pods,
            metrics,
        };
        controller.reconcile(simulation.time(now), &hpa.spec, status, &world)
    }
}

/// The containers of every pod.
fn containers(hpa: &PreparedHpa) -> Vec<Container<'_>> {
    let names = hpa.containers.iter().filter(|_| hpa.needs_pods);
    names
        .map(|name| Container {
            name,
            requests: &REQUESTS,
        })
        .collect()
}

/// A pod that starts is pending; one that is ready runs.
fn pod<'a>(
    simulation: &Simulation,
    seen: pods::Seen,
    name: &'a str,
    containers: &'a [Container<'a>],
) -> Pod<'a> {
    let created = simulation.time(seen.created);
    let (phase, status, since) = match seen.ready {
        Some(since) => (Phase::Running, ReadyStatus::True, simulation.time(since)),
        None => (Phase::Pending, ReadyStatus::False, created),
    };
    Pod {
        name,
        phase,
        deleted: seen.deleted,
        start_time: Some(created),
        ready: Some(Ready { status, since }),
        containers,
        pod_requests: None,
    }
}

/// What the kubelet says of each ready pod: the same of all. An external metric has none.
fn measured<'a>(
    simulation: &Simulation,
    hpa: &PreparedHpa,
    column: usize,
    value: i64,
    now: Millis,
    pods: &[Pod<'a>],
) -> Vec<PodMetric<'a>> {
    let column = &simulation.columns[column];
    let containers = match (column.kind, column.target) {
        (Kind::External, _) => return Vec::new(),
        // The pod requests what its containers do.
        (Kind::Resource, MetricTarget::Utilization(_)) => i64::try_from(hpa.containers.len()).unwrap_or(1),
        _ => 1,
    };
    pods.iter()
        .filter(|pod| pod.phase == Phase::Running && !pod.deleted)
        .map(|pod| PodMetric {
            pod: pod.name,
            value: value.saturating_mul(containers),
            timestamp: simulation.time(now),
            window: WINDOW,
        })
        .collect()
}
