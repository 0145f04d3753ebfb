//! The HPA controller in virtual time, watched from outside.

mod properties;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};
use serde_json::{Value, json};

use super::sighting::Sighting;
use super::{Mirror, Recomputed, Unseen, Verdict};
use crate::hpa::{
    Container, Controller, Options, Phase, Pod, PodMetric, Reading, Ready, ReadyStatus, Request, Scale, Spec,
    Status, World,
};

/// What one sync sees.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Milliseconds since the sync before.
    wait: i64,
    /// The value of the external metric; nothing if it fails.
    value: Option<i64>,
    /// `status.replicas` of the target; nothing if it is what `spec.replicas` says.
    status_replicas: Option<i32>,
    /// What somebody sets the scale to before the sync.
    set: Option<Set>,
    /// Values that others read between the last sync and this one.
    foreign: Vec<i64>,
    /// How late the status is seen.
    late: i64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Set {
    Own(i32),
    Foreign(i32),
}

impl Step {
    fn of(value: i64) -> Self {
        Self {
            wait: 15_000,
            value: Some(value),
            status_replicas: None,
            set: None,
            foreign: Vec::new(),
            late: 5,
        }
    }
}

/// An HPA, its controller, and a mirror that sees what a watch would show.
#[derive(Clone)]
pub(super) struct Rig {
    options: Options,
    assumed: Options,
    spec: Spec,
    controller: Controller,
    status: Status,
    hpa: HorizontalPodAutoscaler,
    mirror: Mirror,
    replicas: i32,
    now: Timestamp,
    /// The status that the watch showed last.
    shown: HorizontalPodAutoscaler,
}

const METRIC: &str = "s0-jobs";

/// Bounds of 1 and 20, five jobs a replica; `change` overwrites fields.
fn rig(options: Options, change: &Value) -> Rig {
    let mut spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 20,
        "metrics": [{"type": "External", "external": {
            "metric": {"name": METRIC}, "target": {"type": "AverageValue", "averageValue": "5"},
        }}],
    });
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let hpa: HorizontalPodAutoscaler =
        serde_json::from_value(json!({"metadata": {"namespace": "shop", "uid": "1"}, "spec": spec})).unwrap();
    let mut mirror = Mirror::default();
    let now = Timestamp::from_second(1_000_000).unwrap();
    assert_eq!(
        mirror.observe(&options, None, &Sighting::of(&hpa), &hpa, now),
        None
    );
    Rig {
        options,
        assumed: options,
        spec: Spec::new("shop", &hpa.spec).unwrap(),
        controller: Controller::new(options),
        status: Status::default(),
        shown: hpa.clone(),
        hpa,
        mirror,
        replicas: 1,
        now,
    }
}

/// The status as it comes from the API server: without zeros, times to the second.
fn stored(status: &Status) -> HorizontalPodAutoscalerStatus {
    let mut status = status.to_api();
    status.current_replicas = status.current_replicas.filter(|replicas| *replicas != 0);
    status
}

const REQUESTS: &[Request<'_>] = &[Request {
    resource: "cpu",
    milli: 100,
}];
const CONTAINERS: &[Container<'_>] = &[Container {
    name: "app",
    requests: REQUESTS,
}];

impl Rig {
    /// Lets the controller sync on this reading, and shows the status before it is written.
    fn sync(&mut self, step: &Step, reading: &Reading<'_>, pods: &[Pod<'_>]) -> HorizontalPodAutoscaler {
        match step.set {
            Some(Set::Own(replicas)) => {
                self.mirror.set_scale(replicas);
                self.replicas = replicas;
            }
            Some(Set::Foreign(replicas)) => self.replicas = replicas,
            None => {}
        }
        let world = World {
            scale: Ok(Scale {
                replicas: self.replicas,
                status_replicas: step.status_replicas.unwrap_or(self.replicas),
            }),
            update: Ok(()),
            pods,
            metrics: std::slice::from_ref(reading),
        };
        let outcome = self
            .controller
            .reconcile(self.now, &self.spec, &mut self.status, &world);
        self.replicas = outcome.replicas.unwrap_or(self.replicas);
        HorizontalPodAutoscaler {
            status: Some(stored(&self.status)),
            ..self.hpa.clone()
        }
    }

    /// The mirror sees this status.
    fn see(&mut self, after: HorizontalPodAutoscaler, late: i64) -> Option<Recomputed> {
        if after == self.shown {
            return None;
        }
        let at = self.now + SignedDuration::from_millis(late);
        let (before, seen) = (Sighting::of(&self.shown), Sighting::of(&after));
        let found = self
            .mirror
            .observe(&self.assumed, Some(&before), &seen, &after, at);
        self.shown = after;
        found
    }

    /// One sync up to the write of the status.
    fn until_written(&mut self, step: &Step) -> HorizontalPodAutoscaler {
        let parts = i64::try_from(step.foreign.len()).unwrap() + 1;
        for foreign in &step.foreign {
            self.now += SignedDuration::from_millis(step.wait / parts);
            self.mirror.serve(METRIC, *foreign, self.now);
        }
        self.now += SignedDuration::from_millis(step.wait / parts);
        // At zero replicas no metric is read.
        let set = step.set.map(|set| match set {
            Set::Own(replicas) | Set::Foreign(replicas) => replicas,
        });
        let values = [step.value.unwrap_or(0)];
        let reads = set.unwrap_or(self.replicas) != 0;
        let reading = match step.value {
            Some(value) => {
                if reads {
                    self.mirror.serve(METRIC, value, self.now);
                }
                Reading::Values(&values)
            }
            None => Reading::Failed("no route"),
        };
        self.sync(step, &reading, &[])
    }

    fn step(&mut self, step: &Step) -> Option<Recomputed> {
        let after = self.until_written(step);
        self.see(after, step.late)
    }

    /// A sync a quarter of a minute later, at this value in jobs.
    fn at(&mut self, jobs: i64) -> Option<Recomputed> {
        self.step(&Step::of(jobs * 1000))
    }
}

#[track_caller]
fn check(found: Option<Recomputed>, text: &str) {
    assert_eq!(found.map(|found| found.to_string()).as_deref(), Some(text));
}

#[test]
fn a_change_comes_with_its_arithmetic() {
    let mut rig = rig(Options::default(), &json!({}));
    check(
        rig.at(12),
        "scaled by the HPA: 1 -> 3, as recomputed (s0-jobs: ceil(12 / 5) = 3)",
    );
    check(
        rig.at(12),
        "kept by the HPA: 3, as recomputed (s0-jobs: ceil(12 / 5) = 3)",
    );
    assert_eq!(rig.at(12), None);
    check(
        rig.at(90),
        "scaled by the HPA: 3 -> 6, as recomputed (s0-jobs: ceil(90 / 5) = 18; ScaleUpLimit: at most 6)",
    );
    rig.at(500);
    check(
        rig.at(500),
        "scaled by the HPA: 12 -> 20, as recomputed (s0-jobs: ceil(500 / 5) = 100; TooManyReplicas: at most 20)",
    );
}

#[test]
fn a_window_holds_and_lets_go() {
    let mut rig = rig(Options::default(), &json!({}));
    for jobs in [20, 20, 20] {
        rig.at(jobs);
    }
    check(
        rig.at(3),
        "kept by the HPA: 4, as recomputed (s0-jobs: ceil(3 / 5) = 1; ScaleDownStabilized: 4)",
    );
    let mut last = None;
    for _ in 0..40 {
        last = rig.at(3).or(last);
    }
    assert_eq!(rig.replicas, 1);
    check(
        last,
        "kept by the HPA: 1, as recomputed (s0-jobs: ceil(3 / 5) = 1)",
    );
}

/// The next sync at a value, as it was and with other replicas.
fn falsified(rig: &mut Rig, jobs: i64, by: i32) -> Verdict {
    let mut after = rig.until_written(&Step::of(jobs * 1000));
    after.status.as_mut().unwrap().desired_replicas += by;
    rig.see(after, 5).unwrap().verdict
}

#[test]
fn one_replica_more_or_less_is_a_difference() {
    for by in [-1, 1] {
        let mut rig = rig(Options::default(), &json!({}));
        rig.at(12);
        let verdict = falsified(&mut rig, 28, by);
        assert_eq!(verdict, Verdict::Differs { least: 6, most: 6 }, "{by}");
    }
}

#[test]
fn leaving_a_window_too_early_is_a_difference() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.at(20);
    rig.at(20);
    let verdict = falsified(&mut rig, 3, -3);
    assert_eq!(verdict, Verdict::Differs { least: 4, most: 4 });
}

#[test]
fn a_long_steady_time_counts_up_to_its_end() {
    let mut rig = rig(Options::default(), &json!({}));
    for _ in 0..100 {
        rig.at(20);
    }
    let verdict = falsified(&mut rig, 3, -3);
    assert_eq!(verdict, Verdict::Differs { least: 4, most: 4 });
}

#[test]
fn a_value_from_elsewhere_is_a_difference() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.at(12);
    rig.now += SignedDuration::from_secs(15);
    rig.mirror.serve(METRIC, 20_000, rig.now);
    let after = rig.sync(&Step::of(0), &Reading::Values(&[40_000]), &[]);
    let found = rig.see(after, 5).unwrap();
    let wanted = Verdict::OtherValue {
        metric: METRIC.to_owned(),
        reported: "13334m".to_owned(),
        served: "20".to_owned(),
    };
    assert_eq!(found.verdict, wanted);
    assert!(found.is_difference() && found.reasons().is_some());
}

#[test]
fn a_value_that_nobody_read_here_is_unknown() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.at(12);
    rig.at(12);
    rig.now += SignedDuration::from_secs(15);
    let after = rig.sync(&Step::of(0), &Reading::Values(&[40_000]), &[]);
    let unseen = Unseen::Served;
    assert_eq!(rig.see(after, 5).unwrap().verdict, Verdict::Unknown { unseen });
}

#[test]
fn a_scale_that_somebody_else_set_is_a_difference() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.at(40);
    rig.at(40);
    rig.at(40);
    let set = Step {
        set: Some(Set::Foreign(2)),
        ..Step::of(40_000)
    };
    check(
        rig.step(&set),
        "set by somebody else: 8 -> 2; then scaled by the HPA: 2 -> 4, as recomputed (s0-jobs: ceil(40 / 5) = 8; \
         ScaleUpLimit: at most 4)",
    );
    assert_eq!(rig.at(40).unwrap().changed_from, None);
}

#[test]
fn a_scale_that_the_controller_set_is_none() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.at(40);
    for (set, value) in [(0, 0), (1, 7_000)] {
        let step = Step {
            set: Some(Set::Own(set)),
            ..Step::of(value)
        };
        let found = rig.step(&step);
        assert!(found.is_none_or(|found| !found.is_difference()));
    }
}

#[test]
fn another_tolerance_is_a_difference() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.assumed.tolerance = 0.5;
    rig.at(5);
    let found = rig.at(7).unwrap();
    assert_eq!(found.verdict, Verdict::Differs { least: 1, most: 1 });
    assert_eq!((found.current, found.desired), (1, 2));
}

#[test]
fn a_controller_that_starts_anew_is_no_difference() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.at(20);
    for _ in 0..40 {
        rig.at(3);
    }
    assert_eq!(rig.replicas, 1);
    rig.at(20);
    for _ in 0..18 {
        rig.at(3);
    }
    // Without this the window would be over two syncs later.
    rig.controller = Controller::new(rig.options);
    let mut found = Vec::new();
    for jobs in [2, 3].repeat(20) {
        found.extend(rig.at(jobs).map(|found| found.verdict));
    }
    assert_eq!(rig.replicas, 1);
    let unseen = Unseen::Memory;
    assert!(found.contains(&Verdict::Unknown { unseen }), "{found:?}");
    let wrong = |verdict: &&Verdict| !matches!(verdict, Verdict::Agrees | Verdict::Unknown { .. });
    assert_eq!(found.iter().find(wrong), None);
}

#[test]
fn a_longer_window_than_assumed_is_a_difference_in_the_end() {
    let longer = Options {
        downscale_stabilization: Duration::from_mins(15),
        ..Options::default()
    };
    let mut rig = rig(longer, &json!({}));
    rig.assumed = Options::default();
    rig.at(20);
    let mut found = Vec::new();
    for jobs in [2, 3].repeat(26) {
        found.extend(rig.at(jobs).map(|found| found.verdict));
    }
    assert_eq!(rig.replicas, 4);
    let last = found.last().unwrap();
    assert!(matches!(last, Verdict::Differs { least: 1, most: 1 }), "{last:?}");
}

#[test]
fn an_hpa_that_was_made_anew_has_no_past() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.at(20);
    rig.at(20);
    rig.hpa.metadata.uid = Some("2".to_owned());
    assert_eq!(rig.at(3), None);
    let verdict = rig.at(2).unwrap().verdict;
    assert_eq!(verdict, Verdict::Unknown { unseen: Unseen::Past });
}

#[test]
fn what_was_before_the_watch_is_unknown() {
    let mut rig = rig(Options::default(), &json!({}));
    rig.at(20);
    rig.at(20);
    // A new process sees it for the first time.
    rig.mirror = Mirror::default();
    let seen = Sighting::of(&rig.shown);
    rig.mirror.observe(&rig.assumed, None, &seen, &rig.shown, rig.now);
    let unseen = Unseen::Past;
    assert_eq!(rig.at(3).unwrap().verdict, Verdict::Unknown { unseen });
    for _ in 0..40 {
        rig.at(3);
    }
    assert_eq!(rig.replicas, 1);
    let wanted = "scaled by the HPA: 1 -> 2, as recomputed (s0-jobs: ceil(8 / 5) = 2)";
    check(rig.at(8), wanted);
}

#[test]
fn policies_of_a_behavior_are_told() {
    let behavior = json!({"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}});
    let mut rig = rig(Options::default(), &json!({"behavior": behavior}));
    let wanted =
        "scaled by the HPA: 1 -> 3, as recomputed (s0-jobs: ceil(40 / 5) = 8; ScaleUpLimit: at most 3)";
    check(rig.at(40), wanted);
    check(
        rig.at(41),
        "kept by the HPA: 3, as recomputed (s0-jobs: ceil(41 / 5) = 9; ScaleUpLimit: at most 3)",
    );
}

#[test]
fn pods_that_are_not_ready_make_it_unknown() {
    let target = json!({"type": "Utilization", "averageUtilization": 50});
    let cpu = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
    let mut rig = rig(Options::default(), &json!({"metrics": cpu}));
    rig.replicas = 2;
    let now = rig.now;
    let pod = |name, ready| Pod {
        name,
        phase: Phase::Running,
        deleted: false,
        start_time: Some(now - SignedDuration::from_hours(1)),
        ready: Some(Ready {
            status: ready,
            since: now - SignedDuration::from_hours(1),
        }),
        containers: CONTAINERS,
        pod_requests: None,
    };
    let measured = |pod| PodMetric {
        pod,
        value: 100,
        timestamp: now,
        window: Duration::from_secs(15),
    };
    let values = [measured("a"), measured("b")];
    let both = [pod("a", ReadyStatus::True), pod("b", ReadyStatus::True)];
    let after = rig.sync(&Step::of(0), &Reading::Pods(&values), &both);
    check(
        rig.see(after, 5),
        "scaled by the HPA: 2 -> 4, as recomputed (cpu: ceil(2 ready * 100 / 50) = 4)",
    );
    // One of four pods is measured: a hundred percent of it asks for two, the others are assumed to be idle.
    rig.now += SignedDuration::from_secs(15);
    let four = ["a", "b", "c", "d"].map(|name| pod(name, ReadyStatus::True));
    let after = rig.sync(&Step::of(0), &Reading::Pods(&values[..1]), &four);
    let unseen = Unseen::Pods;
    assert_eq!(rig.see(after, 5).unwrap().verdict, Verdict::Unknown { unseen });
}
