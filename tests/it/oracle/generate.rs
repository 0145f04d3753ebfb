//! Scenarios from a seed: valid specs of every kind, loads that walk up and down past the edges of what the HPA looks
//! at, pods in every state, failures, and changes in flight.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec, MetricSpec,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::metrics::{self, Load};
use super::random::Random;
use super::scenario::{Container, Controller, Pod, Ready, Scenario, Step};

/// Makes the scenario of a seed.
pub(crate) fn scenario(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let mut maker = Maker::new(&mut random);
    let spec = maker.spec();
    let replicas = maker.replicas();
    let count = maker.random.within(1, 40) as usize;
    let length = count + maker.random.pick(&[0, 0, 1, 5, 30]);
    let steps = (0..count).map(|k| maker.step(k)).collect();
    let controller = maker.controller;
    Scenario {
        name: format!("seed-{seed}"),
        controller,
        spec,
        replicas,
        steps,
        length,
    }
}

struct Maker<'r> {
    random: &'r mut Random,
    controller: Controller,
    /// The spec in force.
    spec: HorizontalPodAutoscalerSpec,
    load: Load,
    pods: Vec<Pod>,
    /// The number of the next pod.
    next: usize,
    /// How likely it is that something goes wrong, in percent.
    trouble: i64,
    failing: (bool, bool),
}

impl<'r> Maker<'r> {
    fn new(random: &'r mut Random) -> Self {
        let controller = controller(random);
        let trouble = random.pick(&[0, 0, 2, 5, 15]);
        let load = Load::new(random);
        Self {
            random,
            controller,
            spec: HorizontalPodAutoscalerSpec::default(),
            load,
            pods: Vec::new(),
            next: 0,
            trouble,
            failing: (false, false),
        }
    }

    /// Makes a spec and puts it in force.
    fn spec(&mut self) -> HorizontalPodAutoscalerSpec {
        let metrics = metrics::specs(self.random);
        let mut spec = HorizontalPodAutoscalerSpec {
            metrics,
            ..HorizontalPodAutoscalerSpec::default()
        };
        spec.scale_target_ref = CrossVersionObjectReference {
            kind: "Deployment".to_owned(),
            name: "workers".to_owned(),
            api_version: Some("apps/v1".to_owned()),
        };
        self.spec = spec;
        self.bounds();
        self.behavior();
        self.spec.clone()
    }

    fn bounds(&mut self) {
        let min = match self.random.within(0, 9) {
            0 | 1 => None,
            2..=5 => Some(1),
            6 => Some(self.random.within(1, 100) as i32),
            _ => Some(self.random.within(1, 6) as i32),
        };
        let zero = self.controller.scale_to_zero && self.random.percent(60) && self.counts_from_zero();
        self.spec.min_replicas = if zero { Some(0) } else { min };
        let least = i64::from(self.spec.min_replicas.unwrap_or(1).max(1));
        let room = self.random.pick(&[0, 1, 3, 9, 30, 99, 1000]);
        self.spec.max_replicas = (least + self.random.within(0, room)) as i32;
    }

    /// A minimum of 0 needs a metric that has a value without pods.
    fn counts_from_zero(&self) -> bool {
        let mut metrics = self.spec.metrics.iter().flatten();
        metrics.any(|metric| metric.type_ == "Object" || metric.type_ == "External")
    }

    fn behavior(&mut self) {
        self.spec.behavior = self.random.percent(65).then(|| HorizontalPodAutoscalerBehavior {
            scale_up: rules(self.random),
            scale_down: rules(self.random),
        });
    }

    fn replicas(&mut self) -> i32 {
        let (min, max) = (self.spec.min_replicas.unwrap_or(1), self.spec.max_replicas);
        match self.random.within(0, 19) {
            0 => 0,
            1 => max.saturating_add(self.random.within(1, 5) as i32),
            2 => (min - 1).max(0),
            3 => self.random.within(0, 40) as i32,
            _ => self
                .random
                .within(i64::from(min), i64::from(max.min(min.saturating_add(12)))) as i32,
        }
    }

    fn step(&mut self, k: usize) -> Step {
        let mut step = Step::default();
        let first = k == 0;
        if !first && self.random.percent(3) {
            step.spec = Some(self.change_spec());
        }
        if !first && self.random.percent(3) {
            step.replicas = Some(self.replicas());
        }
        if self.random.percent(4) {
            let behind = self.random.percent(70).then(|| self.random.within(0, 20) as i32);
            step.status_replicas = Some(behind);
        }
        let (get, update) = self.failing;
        if self.random.percent(if get { 50 } else { self.trouble }) {
            step.scale_get =
                Some((!get).then(|| "the server is currently unable to handle the request".to_owned()));
            self.failing.0 = !get;
        }
        if self.random.percent(if update { 50 } else { self.trouble }) {
            let text = "Operation cannot be fulfilled: the object has been modified";
            step.scale_update = Some((!update).then(|| text.to_owned()));
            self.failing.1 = !update;
        }
        if first || self.random.percent(25) {
            self.change_pods(k);
            step.pods = Some(self.pods.clone());
        }
        if first || step.spec.is_some() || self.random.percent(60) {
            self.load.walk(self.random);
            let defaulted = metrics::defaulted(&self.spec);
            let answers = defaulted.iter().map(|metric| self.answer(metric));
            step.metrics = Some(answers.collect());
        }
        step
    }

    fn answer(&mut self, metric: &MetricSpec) -> super::scenario::Answer {
        metrics::answer(self.random, metric, &self.load, &self.pods, self.trouble)
    }

    fn change_spec(&mut self) -> HorizontalPodAutoscalerSpec {
        match self.random.within(0, 3) {
            0 => return self.spec(),
            1 => self.bounds(),
            2 => self.behavior(),
            _ => {
                self.bounds();
                self.behavior();
            }
        }
        self.spec.clone()
    }

    /// Some pods go, some come, and some change.
    fn change_pods(&mut self, k: usize) {
        let now = self.controller.sync_period * k as f64;
        let wanted = match self.random.within(0, 9) {
            0 => 0,
            1 => self.random.below(31),
            _ => 1 + self.random.below(8),
        };
        while self.pods.len() > wanted {
            let gone = self.random.below(self.pods.len());
            self.pods.remove(gone);
        }
        for position in 0..self.pods.len() {
            if self.random.percent(15) {
                self.pods[position] = self.pod(self.pods[position].name.clone(), now);
            }
        }
        while self.pods.len() < wanted {
            let name = format!("p-{}", self.next);
            self.next += 1;
            let pod = self.pod(name, now);
            self.pods.push(pod);
        }
    }

    fn pod(&mut self, name: String, now: f64) -> Pod {
        let random = &mut *self.random;
        let odd = 10 + self.trouble;
        let age = random.pick(&[
            0.0, 5.0, 30.0, 60.0, 250.0, 299.999, 300.0, 330.0, 1000.0, 86_400.0,
        ]);
        let started = now - age;
        let since = match random.within(0, 3) {
            0 => started,
            1 => started + 30.0,
            2 => started + (age * random.fraction()).round(),
            _ => now - random.pick(&[0.0, 1.0, 15.0, 45.0]),
        };
        let status = if random.percent(75) {
            "True"
        } else {
            random.pick(&["False", "False", "Unknown"])
        };
        let phase = if random.percent(odd) {
            random.pick(&["Pending", "Pending", "Failed", "Succeeded", "Unknown"])
        } else {
            "Running"
        };
        let ready = Ready {
            status: status.to_owned(),
            since,
        };
        Pod {
            name,
            phase: phase.to_owned(),
            deleted: random.percent(odd / 2),
            start_time: (!random.percent(odd / 4)).then_some(started),
            ready: (!random.percent(odd / 4)).then_some(ready),
            containers: containers(random, self.trouble),
        }
    }
}

fn controller(random: &mut Random) -> Controller {
    let default = Controller::default();
    if random.percent(40) {
        return Controller {
            scale_to_zero: random.percent(20),
            ..default
        };
    }
    Controller {
        sync_period: random.pick(&[15.0, 15.0, 1.0, 5.0, 10.0, 30.0, 60.0, 7.5]),
        tolerance: random.pick(&[0.1, 0.1, 0.0, 0.05, 0.2, 0.5, 1.0, 0.001]),
        downscale_stabilization: random.pick(&[300.0, 0.0, 15.0, 30.0, 45.0, 60.0, 22.5, 600.0, 3600.0]),
        cpu_initialization_period: random.pick(&[300.0, 0.0, 30.0, 60.0, 120.0, 600.0]),
        initial_readiness_delay: random.pick(&[30.0, 0.0, 10.0, 60.0, 120.0]),
        scale_to_zero: random.percent(30),
    }
}

fn rules(random: &mut Random) -> Option<HPAScalingRules> {
    if random.percent(25) {
        return None;
    }
    let window = random.pick(&[0, 0, 15, 30, 31, 60, 300, 3600]);
    let policies = |random: &mut Random| {
        let count = random.within(1, 3);
        (0..count).map(|_| policy(random)).collect()
    };
    Some(HPAScalingRules {
        stabilization_window_seconds: random.percent(60).then_some(window),
        select_policy: random
            .percent(55)
            .then(|| random.pick(&["Max", "Min", "Min", "Disabled"]).to_owned()),
        policies: random.percent(70).then(|| policies(random)),
        tolerance: random.percent(25).then(|| {
            Quantity(
                random
                    .pick(&["0", "10m", "50m", "100m", "150m", "200m", "1", "1u", "333m"])
                    .to_owned(),
            )
        }),
    })
}

fn policy(random: &mut Random) -> HPAScalingPolicy {
    let pods = random.percent(50);
    let value = if pods {
        random.pick(&[1, 1, 2, 3, 4, 7, 20, 1000])
    } else {
        random.pick(&[1, 10, 25, 33, 50, 99, 100, 150, 200, 900])
    };
    HPAScalingPolicy {
        type_: if pods { "Pods" } else { "Percent" }.to_owned(),
        value,
        period_seconds: random.pick(&[1, 14, 15, 16, 30, 45, 60, 120, 300, 1800]),
    }
}

fn containers(random: &mut Random, trouble: i64) -> Vec<Container> {
    let names: &[&str] = if random.percent(30) {
        &["app", "sidecar"]
    } else {
        &["app"]
    };
    let mut containers = Vec::new();
    for name in names {
        let mut container = Container {
            name: (*name).to_owned(),
            ..Container::default()
        };
        for (resource, amounts) in [
            ("cpu", ["100m", "250m", "1", "0"]),
            ("memory", ["64Mi", "1Gi", "100M", "1500m"]),
        ] {
            if !random.percent(trouble / 3) {
                let usual = if random.percent(90) { 2 } else { 4 };
                let amount = random.pick(&amounts[..usual]);
                container.requests.insert(resource.to_owned(), amount.to_owned());
            }
        }
        containers.push(container);
    }
    containers
}
