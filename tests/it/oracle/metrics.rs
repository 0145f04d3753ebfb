//! Metrics of generated scenarios, and what they read.

use std::collections::BTreeMap;

use engine::quantity::Quantity;
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, ExternalMetricSource,
    HorizontalPodAutoscalerSpec, MetricIdentifier, MetricSpec, MetricTarget, ObjectMetricSource,
    PodsMetricSource, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::random::Random;
use super::scenario::{Answer, Pod, PodMetric};

/// How much there is to do, in replicas that would do it.
pub(crate) struct Load {
    level: f64,
    /// How far a step goes.
    stride: f64,
}

impl Load {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            level: random.within(0, 12) as f64,
            stride: random.pick(&[0.1, 0.5, 1.0, 3.0, 20.0]),
        }
    }

    pub(crate) fn walk(&mut self, random: &mut Random) {
        if random.percent(8) {
            self.level = random.pick(&[0.0, 1.0, 2.0, 10.0, 50.0, 400.0]);
        }
        let step = (random.fraction() - 0.5) * 2.0 * self.stride;
        self.level = (self.level + step).max(0.0);
    }
}

/// The metrics of a spec, no two alike; sometimes none, so that the default holds.
pub(crate) fn specs(random: &mut Random) -> Option<Vec<MetricSpec>> {
    if random.percent(4) {
        return None;
    }
    let count = random.pick(&[1, 1, 1, 1, 2, 2, 3, 4]);
    let mut specs: Vec<MetricSpec> = Vec::new();
    let mut asked = Vec::new();
    for index in 0..count {
        let spec = spec(random, index);
        let question = question(&spec);
        if !asked.contains(&question) {
            asked.push(question);
            specs.push(spec);
        }
    }
    Some(specs)
}

/// What tells a metric from others for who answers.
fn question(spec: &MetricSpec) -> String {
    let resource = spec.resource.as_ref().map(|source| &source.name);
    let container = spec.container_resource.as_ref();
    let container = container.map(|source| (&source.name, &source.container));
    let pods = spec.pods.as_ref().map(|source| &source.metric.name);
    let object = spec.object.as_ref().map(|source| &source.metric.name);
    let external = spec.external.as_ref().map(|source| &source.metric.name);
    format!("{resource:?} {container:?} {pods:?} {object:?} {external:?}")
}

/// The metrics that the API server makes of a spec.
pub(crate) fn defaulted(spec: &HorizontalPodAutoscalerSpec) -> Vec<MetricSpec> {
    match &spec.metrics {
        Some(metrics) if !metrics.is_empty() => metrics.clone(),
        _ => vec![resource("cpu", utilization(80))],
    }
}

fn spec(random: &mut Random, index: usize) -> MetricSpec {
    match random.within(0, 19) {
        0..=7 => external(random, index),
        8..=10 => {
            let target = resource_target(random);
            resource(random.pick(&["cpu", "cpu", "memory"]), target)
        }
        11..=13 => {
            let source = ContainerResourceMetricSource {
                container: random.pick(&["app", "app", "sidecar"]).to_owned(),
                name: random.pick(&["cpu", "cpu", "memory"]).to_owned(),
                target: resource_target(random),
            };
            MetricSpec {
                type_: "ContainerResource".to_owned(),
                container_resource: Some(source),
                ..MetricSpec::default()
            }
        }
        14..=16 => {
            let source = PodsMetricSource {
                metric: identifier(random, index),
                target: average(random),
            };
            MetricSpec {
                type_: "Pods".to_owned(),
                pods: Some(source),
                ..MetricSpec::default()
            }
        }
        _ => object(random, index),
    }
}

fn resource(name: &str, target: MetricTarget) -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: name.to_owned(),
            target,
        }),
        ..MetricSpec::default()
    }
}

fn external(random: &mut Random, index: usize) -> MetricSpec {
    let source = ExternalMetricSource {
        metric: identifier(random, index),
        target: if random.percent(65) {
            average(random)
        } else {
            value(random)
        },
    };
    MetricSpec {
        type_: "External".to_owned(),
        external: Some(source),
        ..MetricSpec::default()
    }
}

fn object(random: &mut Random, index: usize) -> MetricSpec {
    let mut target = if random.percent(50) {
        average(random)
    } else {
        value(random)
    };
    if random.percent(5) {
        // Valid, and no target: only the controller looks at the type.
        random
            .pick(&["Value", "AverageValue", "Utilization"])
            .clone_into(&mut target.type_);
    }
    let source = ObjectMetricSource {
        described_object: CrossVersionObjectReference {
            api_version: Some("networking.k8s.io/v1".to_owned()),
            kind: "Ingress".to_owned(),
            name: "main".to_owned(),
        },
        metric: identifier(random, index),
        target,
    };
    MetricSpec {
        type_: "Object".to_owned(),
        object: Some(source),
        ..MetricSpec::default()
    }
}

fn identifier(random: &mut Random, index: usize) -> MetricIdentifier {
    let label = |value: &str| {
        let labels = [
            ("scaledobject.keda.sh/name".to_owned(), value.to_owned()),
            ("a".to_owned(), String::new()),
        ];
        Some(labels.into())
    };
    let selector = match random.within(0, 4) {
        0 => None,
        1 => Some(LabelSelector::default()),
        2 => Some(LabelSelector {
            match_labels: label("y"),
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: "tier".to_owned(),
                operator: random.pick(&["In", "NotIn"]).to_owned(),
                values: Some(vec!["b".to_owned(), "a".to_owned()]),
            }]),
        }),
        _ => Some(LabelSelector {
            match_labels: label("orders"),
            match_expressions: None,
        }),
    };
    MetricIdentifier {
        name: format!("s{index}-jobs"),
        selector,
    }
}

fn quantity(random: &mut Random) -> ApiQuantity {
    let usual = [
        "5", "1", "10", "100", "2500m", "500m", "1k", "64Mi", "1Gi", "333m",
    ];
    let odd = [
        "1m",
        "1n",
        "1500u",
        "10P",
        "9E",
        "1E",
        "9223372036854775807",
        "8Ei",
        "3Gi",
        "9007199254740993",
        "12e6",
    ];
    let text = if random.percent(92) {
        random.pick(&usual)
    } else {
        random.pick(&odd)
    };
    ApiQuantity(text.to_owned())
}

fn average(random: &mut Random) -> MetricTarget {
    MetricTarget {
        type_: "AverageValue".to_owned(),
        average_value: Some(quantity(random)),
        ..MetricTarget::default()
    }
}

fn value(random: &mut Random) -> MetricTarget {
    MetricTarget {
        type_: "Value".to_owned(),
        value: Some(quantity(random)),
        ..MetricTarget::default()
    }
}

fn utilization(percent: i32) -> MetricTarget {
    MetricTarget {
        type_: "Utilization".to_owned(),
        average_utilization: Some(percent),
        ..MetricTarget::default()
    }
}

fn resource_target(random: &mut Random) -> MetricTarget {
    if random.percent(65) {
        utilization(random.pick(&[1, 30, 50, 60, 80, 100, 150, 1000]))
    } else {
        average(random)
    }
}

/// What a metric reads under a load.
pub(crate) fn answer(
    random: &mut Random,
    metric: &MetricSpec,
    load: &Load,
    pods: &[Pod],
    trouble: i64,
) -> Answer {
    if random.percent(trouble) {
        let texts = [
            "no metrics returned from external metrics API",
            "dial tcp 10.0.0.1:443: connect: connection refused",
            "a % of %d",
        ];
        return Answer::Error(random.pick(&texts).to_owned());
    }
    if let Some(source) = &metric.external {
        let target = milli(&source.target);
        let whole = total(random, target, load);
        let count = random.pick(&[1, 1, 1, 1, 0, 2, 3]);
        let parts: Vec<i64> = (0..count).map(|_| whole / count).collect();
        return Answer::Values(if random.percent(3) {
            odd(random, parts)
        } else {
            parts
        });
    }
    if let Some(source) = &metric.object {
        let target = milli(&source.target);
        let value = total(random, target, load);
        return Answer::Value(if random.percent(3) { extreme(random) } else { value });
    }
    Answer::Pods(of_pods(random, metric, load, pods))
}

fn milli(target: &MetricTarget) -> i64 {
    let quantity = target.average_value.as_ref().or(target.value.as_ref());
    let quantity = quantity.and_then(|quantity| quantity.0.parse::<Quantity>().ok());
    quantity.map_or(1000, Quantity::milli)
}

/// The value of the whole: the load, or right beside what so many replicas do.
fn total(random: &mut Random, target: i64, load: &Load) -> i64 {
    let level = if random.percent(60) {
        load.level
    } else {
        load.level.round() * edge(random)
    };
    (target as f64 * level) as i64 + random.pick(&[0, 0, 0, 1, -1])
}

/// A factor at the edge of a usual tolerance, or well beyond.
fn edge(random: &mut Random) -> f64 {
    random.pick(&[
        0.0, 0.5, 0.8, 0.89, 0.9, 0.95, 1.0, 1.05, 1.1, 1.100_01, 1.11, 1.2, 2.0, 3.0,
    ])
}

fn extreme(random: &mut Random) -> i64 {
    match random.within(0, 5) {
        0 => i64::MAX,
        1 => i64::MIN,
        2 => -1,
        3 => random.within(-1_000_000, 0),
        _ => random.within(i64::MIN, i64::MAX),
    }
}

fn odd(random: &mut Random, mut parts: Vec<i64>) -> Vec<i64> {
    parts.push(extreme(random));
    if random.percent(50) {
        parts.push(extreme(random));
    }
    parts
}

fn of_pods(
    random: &mut Random,
    metric: &MetricSpec,
    load: &Load,
    pods: &[Pod],
) -> BTreeMap<String, PodMetric> {
    let target = metric
        .pods
        .as_ref()
        .map(|source| &source.target)
        .or(metric.resource.as_ref().map(|source| &source.target))
        .or(metric.container_resource.as_ref().map(|source| &source.target));
    let memory = metric
        .resource
        .as_ref()
        .is_some_and(|source| source.name == "memory")
        || metric
            .container_resource
            .as_ref()
            .is_some_and(|source| source.name == "memory");
    // A hundredth of what most pods request: 100m or 64Mi.
    let hundredth = if memory { 671_088_640.0 } else { 1.0 };
    let usual = match target.and_then(|target| target.average_utilization) {
        Some(percent) => f64::from(percent) * hundredth,
        None => target.map_or(1000.0, |target| milli(target) as f64),
    };
    let share = if random.percent(50) {
        load.level / 5.0
    } else {
        edge(random)
    };
    let missing = random.pick(&[0, 0, 0, 10, 40]);
    let mut values = BTreeMap::new();
    let mut put = |random: &mut Random, name: &str| {
        let noise = 1.0 + (random.fraction() - 0.5) * random.pick(&[0.0, 0.1, 1.0]);
        let value = if random.percent(1) {
            extreme(random)
        } else {
            (usual * share * noise) as i64
        };
        let metric = PodMetric {
            value,
            age: random.pick(&[0.0, 5.0, 10.0, 29.5, 60.0]),
            window: random.pick(&[0.0, 30.0, 30.0, 60.0]),
        };
        values.insert(name.to_owned(), metric);
    };
    for pod in pods {
        if !random.percent(missing) {
            put(random, &pod.name);
        }
    }
    if random.percent(4) {
        put(random, "stranger");
    }
    values
}
