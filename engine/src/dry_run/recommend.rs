//! What the HPA makes of the answers: where it settles while the values stay. Its windows and rates, which set the
//! pace on the way there, are not looked at.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerSpec;

use super::{Asked, MetricAnswer, World};
use crate::desired::Desired;
use crate::hpa::{
    self, Container, MetricError, Options, Phase, Pod, PodMetric, Proposal, Reading, Ready, ReadyStatus,
    Request, Scale, Spec,
};
use crate::hpa_spec;
use crate::metric::TriggerMetrics;
use crate::quantity::Quantity;

/// Why the number of replicas is what it is. Positions count the metrics of all triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// It is what the metric at this position asks for.
    Metric(usize),
    /// A metric asks for more than the maximum.
    Max(usize),
    /// All metrics ask for less than the minimum.
    Min(usize),
    /// Some metric could not be read, and the others ask for less than there is.
    HeldByFailure,
    /// No metric has a value.
    NoValue,
}

/// What the HPA wants.
pub(super) struct Recommendation {
    /// The replicas.
    pub(super) replicas: i32,
    /// What each metric asks for, in order; `None` where nobody looked.
    pub(super) proposals: Vec<Option<Result<Proposal, MetricError>>>,
    /// Why.
    pub(super) limit: Limit,
}

/// The most pods that are made up: a cluster has no more.
const MAX_PODS: i32 = 150_000;
/// Requests of a made-up pod and of each of its containers, 100 of everything: what it uses is percent of it.
const REQUESTS: [Request<'_>; 2] = [
    Request {
        resource: "cpu",
        milli: 100_000,
    },
    Request {
        resource: "memory",
        milli: 100_000,
    },
];

/// What is known of one metric, if anything is.
enum Known {
    /// For the adapter's metrics: the value of the whole.
    Whole(Vec<i64>),
    /// For the kubelets' metrics: the value of each pod.
    Each(i64),
    Failed,
}

/// What the HPA makes of the values, from `current` replicas on.
pub(super) fn recommend(
    world: &World,
    want: &Desired,
    asked: &[Asked],
    current: Option<i32>,
    now: Timestamp,
) -> Recommendation {
    let replicas = current.unwrap_or(0);
    // Replicas that activation adds count as ready: it is told where the HPA settles.
    let ready = world
        .ready
        .filter(|_| world.replicas == current)
        .unwrap_or(replicas);
    let known: Vec<_> = asked.iter().flat_map(|asked| metrics(want, asked)).collect();
    let mut spec = HorizontalPodAutoscalerSpec {
        min_replicas: Some(want.min.max(1)),
        max_replicas: want.max,
        metrics: Some(Vec::new()),
        // Its tolerances count.
        behavior: want.behavior.clone(),
        ..HorizontalPodAutoscalerSpec::default()
    };
    let mut readings = Vec::new();
    let mut positions = Vec::new();
    for (position, (metric, known)) in known.iter().enumerate() {
        if let Some(known) = known {
            spec.metrics.get_or_insert_default().push(metric.clone());
            readings.push(known);
            positions.push(position);
        }
    }
    let mut recommendation = Recommendation {
        replicas: bounded(want, replicas),
        proposals: vec![None; known.len()],
        limit: Limit::NoValue,
    };
    if readings.is_empty() {
        return recommendation;
    }
    if let Ok(spec) = Spec::new(&want.key.namespace, &spec) {
        let proposals = compute(
            &mut recommendation,
            want,
            &spec,
            &readings,
            (replicas, ready, now),
            &positions,
        );
        for (position, proposal) in positions.into_iter().zip(proposals) {
            recommendation.proposals[position] = Some(proposal);
        }
    }
    recommendation
}

fn compute(
    recommendation: &mut Recommendation,
    want: &Desired,
    spec: &Spec,
    readings: &[&Known],
    (replicas, ready, now): (i32, i32, Timestamp),
    positions: &[usize],
) -> Vec<Result<Proposal, MetricError>> {
    let names: Vec<String> = (0..replicas.clamp(0, MAX_PODS))
        .map(|number| number.to_string())
        .collect();
    let containers: Vec<Container<'_>> = spec
        .metrics()
        .iter()
        .filter_map(|metric| container(metric))
        .collect();
    let pods = pods(&names, ready, &containers, now);
    let each: Vec<Vec<PodMetric<'_>>> = readings
        .iter()
        .map(|known| match known {
            Known::Each(value) => names.iter().map(|pod| measured(pod, *value, now)).collect(),
            Known::Whole(_) | Known::Failed => Vec::new(),
        })
        .collect();
    let readings: Vec<Reading<'_>> = readings
        .iter()
        .zip(&each)
        .map(|(known, each)| match known {
            Known::Whole(values) => Reading::Values(values),
            Known::Each(_) => Reading::Pods(each),
            Known::Failed => Reading::Failed(""),
        })
        .collect();
    let scale = Scale {
        replicas,
        status_replicas: replicas,
    };
    let world = hpa::World {
        scale: Ok(scale),
        update: Ok(()),
        pods: &pods,
        metrics: &readings,
    };
    let mut proposals = Vec::new();
    let options = Options::default();
    let computed = hpa::compute_replicas_for_metrics(now, &options, spec, scale, &world, &mut proposals);
    (recommendation.replicas, recommendation.limit) = match computed.replicas {
        Some((most, Some(position))) => {
            let position = positions[position];
            let limit = if most > want.max {
                Limit::Max(position)
            } else if most < want.min.max(1) {
                Limit::Min(position)
            } else {
                Limit::Metric(position)
            };
            (bounded(want, most), limit)
        }
        _ if proposals.iter().any(Result::is_ok) => (bounded(want, replicas), Limit::HeldByFailure),
        _ => (bounded(want, replicas), Limit::NoValue),
    };
    proposals
}

fn bounded(want: &Desired, replicas: i32) -> i32 {
    replicas.min(want.max).max(want.min.max(1).min(want.max))
}

/// The metrics of a trigger for an HPA, and what is known of each.
fn metrics(
    want: &Desired,
    asked: &Asked,
) -> Vec<(k8s_openapi::api::autoscaling::v2::MetricSpec, Option<Known>)> {
    let known = |answer: Option<&MetricAnswer>, read: &dyn Fn(Quantity) -> Known| {
        answer.map(|answer| match &answer.result {
            Ok((value, _)) => read(Quantity::from_f64_milli(*value)),
            Err(_) => Known::Failed,
        })
    };
    match &asked.metrics {
        Err(_) => Vec::new(),
        Ok(TriggerMetrics::Resource(resource)) => {
            let each = |value: Quantity| Known::Each(value.milli());
            vec![(hpa_spec::resource(resource), known(asked.answers.first(), &each))]
        }
        Ok(TriggerMetrics::External(list)) => list
            .iter()
            .map(|metric| {
                let answer = super::predict::answer(asked, &metric.name);
                let whole = |value: Quantity| Known::Whole(vec![value.milli()]);
                (hpa_spec::external(want, metric), known(answer, &whole))
            })
            .collect(),
    }
}

/// The container that a metric names.
fn container(metric: &hpa::Metric) -> Option<Container<'_>> {
    match &metric.source {
        hpa::Source::ContainerResource { container, .. } => Some(Container {
            name: container,
            requests: &REQUESTS,
        }),
        _ => None,
    }
}

/// Pods of which so many have been ready for long, and the others never were.
fn pods<'a>(
    names: &'a [String],
    ready: i32,
    containers: &'a [Container<'a>],
    now: Timestamp,
) -> Vec<Pod<'a>> {
    let day = SignedDuration::from_hours(24);
    let long_ago = now.checked_sub(day).unwrap_or(Timestamp::MIN);
    let pod = |(position, name): (usize, &'a String)| {
        let is_ready = i32::try_from(position).is_ok_and(|position| position < ready);
        let (status, since) = if is_ready {
            (ReadyStatus::True, long_ago)
        } else {
            (ReadyStatus::False, now)
        };
        Pod {
            name,
            phase: Phase::Running,
            deleted: false,
            start_time: Some(since),
            ready: Some(Ready { status, since }),
            containers,
            pod_requests: Some(&REQUESTS),
        }
    };
    names.iter().enumerate().map(pod).collect()
}

fn measured(pod: &str, value: i64, timestamp: Timestamp) -> PodMetric<'_> {
    PodMetric {
        pod,
        value,
        timestamp,
        window: Duration::ZERO,
    }
}
